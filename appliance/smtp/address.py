"""Addresses in MAIL and RCPT, without the characters that a shell or a mailer might obey.

`|` becomes a blank; `<` may stand once, where the path begins, and `>` once, where it ends; any
other becomes a blank. Lengths stay.
"""

from __future__ import annotations

import re
from enum import Enum

SPECIAL = re.compile(rb"[|<>]")

_PIPE, _OPEN, _CLOSE, _BLANK = b"|<> "


class Path(Enum):
    """How much of the path in angle brackets has been seen."""

    BEFORE = 0
    WITHIN = 1
    AFTER = 2


def replace(data: bytearray, start: int, end: int, path: Path) -> Path:
    """Blank what may not stand in an address.

    Args:
        data: where the bytes are; edited in place.
        start: first of them.
        end: behind the last of them.
        path: what has been seen of this address before them.

    Returns:
        what has been seen of it with them.
    """
    for found in SPECIAL.finditer(data, start, end):
        at = found.start()
        byte = data[at]
        if byte == _OPEN and path is Path.BEFORE:
            path = Path.WITHIN
        elif byte == _CLOSE and path is Path.WITHIN:
            path = Path.AFTER
        else:
            data[at] = _BLANK
    return path
