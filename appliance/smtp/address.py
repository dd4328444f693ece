"""Addresses in MAIL and RCPT: the characters in them that a shell or a mailer might obey.

`|` may not stand in one; `<` may stand once, where the path begins, and `>` once, where it ends.
"""

from __future__ import annotations

import re
from enum import Enum

_SPECIAL = re.compile(rb"[|<>]")
_OPEN, _CLOSE, _BLANK = b"<> "


class Path(Enum):
    """How much of the path in angle brackets has been seen."""

    BEFORE = 0
    WITHIN = 1
    AFTER = 2


def strays(data: bytes | bytearray, start: int, end: int, path: Path) -> tuple[list[int], Path]:
    """Find what may not stand in an address.

    Args:
        data: where the bytes are.
        start: first of them.
        end: behind the last of them.
        path: what has been seen of this address before them.

    Returns:
        where they are in the data, and what has been seen of the address with these bytes.
    """
    found = []
    for match in _SPECIAL.finditer(data, start, end):
        byte = data[match.start()]
        if byte == _OPEN and path is Path.BEFORE:
            path = Path.WITHIN
        elif byte == _CLOSE and path is Path.WITHIN:
            path = Path.AFTER
        else:
            found.append(match.start())
    return found, path


def blanked(argument: bytes) -> bytes:
    """An argument of MAIL or RCPT with blanks in place of what may not stand in it."""
    out = bytearray(argument)
    for at in strays(argument, 0, len(argument), Path.BEFORE)[0]:
        out[at] = _BLANK
    return bytes(out)


def shown(argument: bytes) -> str:
    """The address in an argument, ` FROM:<a@b>`, as log lines name it: Latin-1, unescaped."""
    _, colon, text = argument.partition(b":")
    return (text if colon else argument).strip().decode("latin-1")
