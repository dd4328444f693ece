"""Waiting for something to come about, for so long and no longer."""

from __future__ import annotations

import time
from collections.abc import Callable


def eventually(
    condition: Callable[[], object], what: str = "it did not come to pass", patience: float = 20
) -> None:
    """Wait until a condition holds; the test fails if it does not within `patience` seconds."""
    deadline = time.monotonic() + patience
    while not condition():
        assert time.monotonic() < deadline, f"{what}: not within {patience} s"
        time.sleep(0.05)
