"""Streams of bytes out of segments, and back into segments."""
