"""The server's greeting, masked.

Each byte's fate depends on what came before it alone, so a greeting comes out the same however it
is cut into segments.
"""

from __future__ import annotations

_CR, _LF, _BLANK, _DASH, _TWO, _ZERO, _STAR = b"\r\n -20*"
_CODE = b"220"
_DIGITS = b"0123456789"
_CODE_WITH_SEPARATOR = 4


class GreetingMask:
    """Masks the first reply of a connection while its code is 220, as 5.1 to 6.3 do.

    All but `2`, `0`, CR, LF and a blank after `0` becomes `*`. The fourth byte of the first line
    stays too, and the `-` of a later `220-`, or no client could read the reply. The greeting ends
    with the first line whose code is not followed by `-` (RFC 821, appendix E).

    Attributes:
        done: whether the greeting has ended; bytes after its end are the next reply's.
        applies: whether the code, as far as it is known, is 220; a greeting with another code
            passes as it is.
    """

    __slots__ = ("_head", "_last", "_lines", "applies", "done")

    def __init__(self) -> None:
        self._head = b""  # the first bytes of the line, up to the separator after the code
        self._last = 0  # the byte before
        self._lines = 0
        self.applies = True
        self.done = False

    def mask(self, data: bytes | bytearray) -> bytes:
        """The next bytes of the greeting as they are forwarded.

        Args:
            data: bytes from the server; what follows the end of the greeting is left out.

        Returns:
            as many bytes as belong to the greeting.
        """
        out = bytearray()
        for byte in data:
            out.append(self._masked(byte))
            if self.done:
                break
        return bytes(out)

    def _masked(self, byte: int) -> int:
        column = len(self._head)
        if byte == _LF:
            kept = True
            self._end_line()
        else:
            if column < _CODE_WITH_SEPARATOR:
                self._head += bytes((byte,))
            if self._lines == 0 and column < len(_CODE) and byte != _CODE[column]:
                self.applies = False
            kept = (
                not self.applies
                or byte in (_TWO, _ZERO, _CR)
                or (byte == _BLANK and self._last == _ZERO)
                or (self._lines == 0 and column == len(_CODE))
                or (byte == _DASH and column == len(_CODE) and self._head == b"220-")
            )
        self._last = byte
        return byte if kept else _STAR

    def _end_line(self) -> None:
        head = self._head
        code = head[:3]
        self.done = len(code) == 3 and all(b in _DIGITS for b in code) and head[3:] != b"-"
        self._head = b""
        self._lines += 1
