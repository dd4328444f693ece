"""Fuzzing: bytes of any kind into every door that strangers can reach; see docs/fuzzing.md."""
