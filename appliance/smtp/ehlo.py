"""The reply to EHLO: service extensions that `inspect esmtp` does not know are masked.

Seen in published captures: `250-XXXXXXXA` for STARTTLS, `250 XXXB` for HELP; the letter keeps
masked lines apart.
"""

from __future__ import annotations

import re

_CR, _X = b"\rX"
_KEYWORD_END = re.compile(rb"[ =\r\n]")
_LINE_END = re.compile(rb"[\r\n]")
_LETTERS = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ"


class EhloMask:
    """Masks one reply to EHLO, line by line.

    Args:
        keywords: the service extensions that stay, in capitals.
    """

    __slots__ = ("_keyword", "_keywords", "_masked", "_masking")

    def __init__(self, keywords: frozenset[bytes]) -> None:
        self._keywords = keywords
        self._masked = 0  # lines
        self.start_line()

    def start_line(self) -> None:
        """The next bytes are the text of another line."""
        self._keyword = b""  # what of it has been forwarded, in capitals
        self._masking: bool | None = None  # None until that is known

    def mask(self, data: bytearray, start: int) -> tuple[int, int]:
        """Mask text of a line in place.

        Args:
            data: bytes of one segment.
            start: the first byte of the text in it.

        Returns:
            the masked bytes' first index and the index behind their last; equal if there are none.
        """
        found = _LINE_END.search(data, start)
        end = found.start() if found else len(data)
        first = start
        if self._masking is None:
            first = self._judge_keyword(data, start, end)
        if not self._masking or first >= end:
            return first, first
        data[first:end] = bytes((_X,)) * (end - first)
        # The letter needs the line's end in sight: a byte that was its last may not be the last.
        if found:
            data[end - 1] = _LETTERS[(self._masked - 1) % len(_LETTERS)]
        return first, end

    def _judge_keyword(self, data: bytearray, start: int, end: int) -> int:
        """See whether the keyword is known; returns where masking begins if it is not."""
        found = _KEYWORD_END.search(data, start)
        stop = found.start() if found else len(data)
        piece = bytes(data[start:stop]).upper()
        if found and not self._keyword:
            self._decide(masking=bool(piece) and piece not in self._keywords)
            return start
        for index, byte in enumerate(piece):
            grown = self._keyword + bytes((byte,))
            if not any(keyword.startswith(grown) for keyword in self._keywords):
                self._decide(masking=True)
                return start + index
            self._keyword = grown
        if found:
            self._decide(masking=self._keyword not in self._keywords and stop < end)
        return stop

    def _decide(self, masking: bool) -> None:
        self._masking = masking
        self._masked += masking
