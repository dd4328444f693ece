"""Views of packet headers, and checksums."""
