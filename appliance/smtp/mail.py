"""The mail itself, from behind the server's 354 to CRLF.CRLF."""

from __future__ import annotations

END_OF_DATA = b"\r\n.\r\n"
"""RFC 5321, section 4.1.1.4; the lone `.` of a look-alike with a bare CR or LF is text."""


class Mail:
    """Finds the end of a mail in a stream.

    Args:
        before: what the server has seen right before the mail's first byte, as far as CRLF.CRLF
            may begin there: the CRLF of the DATA line ends a mail whose first line is `.`.
    """

    __slots__ = ("_tail",)

    def __init__(self, before: bytes) -> None:
        self._tail = before

    def end(self, data: bytes | bytearray, start: int) -> int | None:
        """Look for the end of the mail in the stream's next bytes.

        Args:
            data: holds them.
            start: the first of them.

        Returns:
            the index behind the end of the mail, or None if it goes on.
        """
        tail = self._tail
        if tail:
            seam = tail + data[start : start + len(END_OF_DATA) - 1]
            found = seam.find(END_OF_DATA)
            if found >= 0:
                return start + found + len(END_OF_DATA) - len(tail)
        found = data.find(END_OF_DATA, start)
        if found >= 0:
            return found + len(END_OF_DATA)
        keep = len(END_OF_DATA) - 1
        last = data[max(start, len(data) - keep) :]
        self._tail = bytes((tail + last)[-keep:])
        return None
