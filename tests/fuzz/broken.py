"""A target at which something is wrong, to see what a campaign makes of it."""

from __future__ import annotations

LONGEST = 8
WORDS = (b"!",)


def one_input(data: bytes) -> None:
    """Take any bytes but an exclamation mark at the beginning."""
    assert not data.startswith(b"!")
