"""The server's greeting, masked.

Each byte's fate depends on what came before it alone, so a greeting comes out the same however it
is cut into segments.
"""

from __future__ import annotations

import re

from mypy_extensions import mypyc_attr

from appliance.smtp.release import Greeting

_CR, _LF, _BLANK, _DASH, _TWO, _ZERO, _STAR, _UNDERSCORE = b"\r\n -20*_"
_CODE = b"220"
_CMAP = b"SMTP/cmap ready"
_DIGITS = b"0123456789"
_TEXT_AT = 4
"""Column of a line's text, behind the code and its separator."""

_TEXT_KEPT = {
    Greeting.TWO_AND_ZERO: re.compile(rb"[^20\r ]|(?<!0) "),
    Greeting.CODES: re.compile(rb"[^\r]"),
}
"""What is masked in a line's text, for the styles in which its column does not matter there."""


@mypyc_attr(allow_interpreted_subclasses=True, serializable=True)
class GreetingMask:
    """Masks the first reply of a connection while its code is 220 (RFC 821, section 4.3).

    The greeting ends with the first line whose code is not followed by `-` (RFC 821, appendix E).

    Args:
        style: what is masked.

    Attributes:
        done: whether the greeting has ended; bytes after its end are the next reply's.
        applies: whether the code, as far as it is known, is 220; a greeting with another code
            passes as it is.
    """

    __slots__ = ("_column", "_head", "_last", "_lines", "_style", "applies", "done")

    def __init__(self, style: Greeting) -> None:
        self._style = style
        self._head = b""  # the first bytes of the line, up to the separator after the code
        self._column = 0
        self._last = 0  # the byte before
        self._lines = 0
        self.applies = style is not Greeting.UNTOUCHED
        self.done = False

    def mask(self, data: bytes | bytearray) -> bytes:
        """The next bytes of the greeting as they are forwarded.

        Args:
            data: bytes from the server; what follows the end of the greeting is left out.

        Returns:
            as many bytes as belong to the greeting.
        """
        out = bytearray()
        at = 0
        while at < len(data) and not self.done:
            end = data.find(_LF, at) if self._column >= _TEXT_AT else at + 1
            if end > at + 1 and self.applies and self._style in _TEXT_KEPT:
                kept = _TEXT_KEPT[self._style]
                # The byte before goes along, since a blank's fate depends on it.
                text = kept.sub(b"*", bytes((self._last,)) + data[at:end])[1:]
                out += text
                self._column += len(text)
                self._last = data[end - 1]
                at = end
                continue
            out.append(self._masked(data[at]))
            self._last = data[at]
            at += 1
        return bytes(out)

    def _masked(self, byte: int) -> int:
        if byte == _LF:
            self._end_line()
            return byte
        column = self._column
        self._column += 1
        if column < _TEXT_AT:
            self._head += bytes((byte,))
            if self._lines == 0 and column < len(_CODE) and byte != _CODE[column]:
                self.applies = False
        if not self.applies or byte == _CR:
            return byte
        return self._covered(byte, column)

    def _covered(self, byte: int, column: int) -> int:
        first = self._lines == 0
        match self._style:
            case Greeting.CMAP:
                if column < _TEXT_AT:
                    return byte
                at = column - _TEXT_AT
                return _CMAP[at] if at < len(_CMAP) else _UNDERSCORE
            case Greeting.FIRST_CODE:
                kept = first and column < _TEXT_AT
            case Greeting.TWO_AND_ZERO:
                # The fourth byte of the first line stays, or no client could read the reply, and
                # so does the `-` of a later `220-`.
                kept = (
                    byte in (_TWO, _ZERO)
                    or (byte == _BLANK and self._last == _ZERO)
                    or (first and column == len(_CODE))
                    or self._head_is(column, b"220-")
                )
            case _:
                kept = column < len(_CODE) and self._head == _CODE[: column + 1]
                kept = kept or self._head_is(column, b"220-") or self._head_is(column, b"220 ")
        return byte if kept else _STAR

    def _head_is(self, column: int, head: bytes) -> bool:
        """Whether this byte is the separator of a line that begins with this code."""
        return column == len(_CODE) and self._head == head

    def _end_line(self) -> None:
        head = self._head
        code = head[:3]
        self.done = len(code) == 3 and all(b in _DIGITS for b in code) and head[3:] != b"-"
        self._head = b""
        self._column = 0
        self._lines += 1
