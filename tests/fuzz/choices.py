"""An input as a list of choices, so that each byte that a fuzzer changes changes one of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


class Choices:
    """Reads an input from its beginning; behind its end there are zeros.

    Args:
        data: the input.
    """

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def __bool__(self) -> bool:
        return self._at < len(self._data)

    def byte(self) -> int:
        """The next byte, 0 to 255."""
        taken = self.bytes(1)
        return taken[0] if taken else 0

    def number(self) -> int:
        """The next two bytes, 0 to 65535."""
        return self.byte() << 8 | self.byte()

    def shift(self) -> int:
        """The next byte as a small number of either sign, -128 to 127."""
        return (self.byte() ^ 0x80) - 0x80

    def of(self, options: Sequence[T]) -> T:
        """One of some options, by the next byte."""
        return options[self.byte() % len(options)]

    def bytes(self, size: int) -> bytes:
        """The next bytes, as many as there are up to `size`."""
        taken = self._data[self._at : self._at + size]
        self._at += len(taken)
        return taken
