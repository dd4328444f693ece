"""`pixguard diff`: which packets fare differently under two rule files."""
