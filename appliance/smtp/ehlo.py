"""The reply to EHLO: service extensions that `inspect esmtp` does not know are masked.

Seen in published captures: `250-XXXXXXXA` for STARTTLS, `250 XXXB` for HELP; the letter keeps
masked lines apart.
"""

from __future__ import annotations

import re

from mypy_extensions import mypyc_attr

from appliance.smtp.release import Extensions

_CR, _X = b"\rX"
_KEYWORD_END = re.compile(rb"[ =\r\n]")
_LINE_END = re.compile(rb"[\r\n]")
_LONGEST = 64
"""Bytes kept of a keyword to name it; those that are known have 19 at most."""

_LETTERS = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ"


@mypyc_attr(allow_interpreted_subclasses=True, serializable=True)
class EhloMask:
    """Masks one reply to EHLO, line by line.

    Args:
        extensions: the service extensions that stay.

    Attributes:
        sent: the keyword of the line under way, in capitals, as the server sent it.
    """

    __slots__ = ("_extensions", "_keyword", "_masked", "_masking", "_named", "sent")

    def __init__(self, extensions: Extensions) -> None:
        self._extensions = extensions
        self._masked = 0  # lines
        self.start_line()

    def start_line(self) -> None:
        """The next bytes are the text of another line."""
        self._keyword = b""  # what of it has been forwarded, in capitals
        self._masking: bool | None = None  # None until that is known
        self._named = False  # whether the keyword has ended
        self.sent = b""

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
        self._note_keyword(data, start, end)
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
            self._decide(masking=bool(piece) and self._is_masked(piece))
            return start
        for index, byte in enumerate(piece):
            grown = self._keyword + bytes((byte,))
            if self._must_mask(grown):
                self._decide(masking=True)
                return start + index
            self._keyword = grown
        if found:
            self._decide(masking=self._is_masked(self._keyword) and stop < end)
        return stop

    def _note_keyword(self, data: bytearray, start: int, end: int) -> None:
        if self._named:
            return
        found = _KEYWORD_END.search(data, start, end)
        piece = data[start : found.start() if found else end]
        self.sent += bytes(piece[: _LONGEST - len(self.sent)]).upper()
        self._named = found is not None

    def _is_masked(self, keyword: bytes) -> bool:
        extensions = self._extensions
        return keyword in extensions.masked or not (extensions.others or keyword in extensions.kept)

    def _must_mask(self, grown: bytes) -> bool:
        """Whether a keyword that begins like this is masked, as far as can be said now.

        Where others stay, it is not known until it is there whole.
        """
        if self._extensions.others:
            return grown in self._extensions.masked
        return not any(keyword.startswith(grown) for keyword in self._extensions.kept)

    def _decide(self, masking: bool) -> None:
        self._masking = masking
        self._masked += masking
