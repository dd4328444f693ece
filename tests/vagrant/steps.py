"""The steps of the proof, and how long each took."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager


class Steps:
    """A list of steps, told on the terminal as they come."""

    def __init__(self) -> None:
        self._taken: list[tuple[str, float]] = []

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Time what is done in a `with` block, and say how it ended.

        Args:
            name: what it does.
        """
        print(f"\n{name} ...", end=" ", flush=True, file=sys.stderr)
        began = time.monotonic()
        yield
        seconds = time.monotonic() - began
        self._taken.append((name, seconds))
        print(f"{seconds:.0f} s", end="", flush=True, file=sys.stderr)

    def table(self) -> str:
        """All of them as a table of Markdown."""
        rows = [*self._taken, ("all of it", sum(seconds for _, seconds in self._taken))]
        return "\n".join(
            ["| step | seconds |", "|---|---:|", *(f"| {name} | {s:.0f} |" for name, s in rows)]
        )
