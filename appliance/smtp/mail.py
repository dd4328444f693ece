"""The mail itself, from behind the server's 354 to CRLF.CRLF."""

from __future__ import annotations

import re

from mypy_extensions import mypyc_attr

END_OF_DATA = b"\r\n.\r\n"
"""RFC 5321, section 4.1.1.4; the lone `.` of a look-alike with a bare CR or LF is text."""

_AMBIGUOUS = re.compile(rb"\n\.\n|(?<!\r)\n\.\r\n|\r\.\r")
"""What some servers take for the end of a mail and others for text."""

_KEPT = len(END_OF_DATA) - 1
_DOT = 3
"""Bytes of END_OF_DATA up to the dot."""


@mypyc_attr(allow_interpreted_subclasses=True, serializable=True)
class Mail:
    """Finds the end of a mail in a stream.

    Args:
        before: what the server has seen right before the mail's first byte, as far as CRLF.CRLF
            may begin there: the CRLF of the DATA line ends a mail whose first line is `.`.

    Attributes:
        octets: bytes of it so far, without the dots that the transfer doubles (RFC 1870, section
            3); only what was `count`ed.
    """

    __slots__ = ("_tail", "octets")

    def __init__(self, before: bytes) -> None:
        self._tail = before
        self.octets = 0

    def count(self, data: bytes, start: int, end: int, ends: bool) -> None:
        """Count the stream's next bytes, before they are given to `go_on`.

        Args:
            data: holds them.
            start: the first of them.
            end: behind the last of them that belongs to the mail.
            ends: whether the mail ends with them; its end is not part of it.
        """
        dots = (self._tail[-2:] + data[start:end]).count(b"\r\n.")
        self.octets += end - start - dots - ends * len(b"\r\n")

    def end(self, data: bytes, start: int) -> int | None:
        """Look for the end of the mail in the stream's next bytes.

        Args:
            data: holds them.
            start: the first of them.

        Returns:
            the index behind the end of the mail, or None if it does not end in them.
        """
        tail = self._tail
        if tail:
            found = (tail + data[start : start + _KEPT]).find(END_OF_DATA)
            if found >= 0:
                return start + found + len(END_OF_DATA) - len(tail)
        # Most segments have no dot, or no end; to say so is cheapest this way.
        dot = data.find(b".", start)
        if dot < 0 or data.rfind(END_OF_DATA, start) < 0:
            return None
        return data.find(END_OF_DATA, start) + len(END_OF_DATA)

    def ambiguous(self, data: bytes, start: int, end: int) -> bool:
        """Whether the mail holds what some servers take for its end and others for text.

        Args:
            data: the stream's next bytes.
            start: the first of them.
            end: behind the last of them that belongs to the mail.
        """
        return _AMBIGUOUS.search(self._tail + data[start:end]) is not None

    def split_behind_dot(self, end: int) -> bool:
        """Whether the bytes before those that hold the end reach into it, its dot included.

        Args:
            end: index behind the end of the mail in the last bytes looked at, from their first.
        """
        return end <= len(END_OF_DATA) - _DOT

    def go_on(self, data: bytes, start: int) -> None:
        """The mail does not end in these bytes: remember what it may need of them.

        Args:
            data: holds them.
            start: the first of them.
        """
        self._tail = (self._tail + data[max(start, len(data) - _KEPT) :])[-_KEPT:]
