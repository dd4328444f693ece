"""`pixguard convert`: the same policy in the dialect of another version."""
