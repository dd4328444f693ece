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


_PATH = re.compile(
    rb"""[^ \r\n\0]*[ ]+            # the verb
         [^:<\r\n\0]*:[ \t]*        # FROM: or TO:
         (?: <(?P<bracketed>
                 (?: [^">\\\r\n\0] | \\[^\r\n\0]
                   | "(?: [^"\\\r\n\0] | \\[^\r\n\0] )*+"? )*+ )
             (?P<end>>)?
           | (?P<bare> [^ <\t\r\n\0] [^ \t\r\n\0]*+ ) (?P<blank>[ \t\r])? )""",
    re.VERBOSE,
)


def path(line: bytes | bytearray) -> tuple[int, int, bool] | None:
    """Where the address is in a line of MAIL or RCPT (RFC 5321, section 4.1.2).

    Args:
        line: the line, as far as it has come.

    Returns:
        its first index, the index behind its last, and whether its end has come; None if there is
        none yet.
    """
    found = _PATH.match(line)
    if found is None:
        return None
    group = "bare" if found["bracketed"] is None else "bracketed"
    return found.start(group), found.end(group), bool(found["end"] or found["blank"])


def forms(sender: bytes) -> tuple[bytes, ...]:
    """An address in the forms that mean it: as it was sent, without a route in front, and without
    needless quotes (RFC 5321, sections 4.1.2 and appendix C).

    Args:
        sender: what stands between `<` and `>`.
    """
    plain = _unrouted(sender)
    local, at, domain = plain.rpartition(b"@")
    unquoted = re.sub(rb'\\(.)|"', rb"\1", local, flags=re.DOTALL) + at + domain
    return tuple(dict.fromkeys((sender, plain, unquoted)))


def is_local(recipient: bytes, domain: bytes) -> bool:
    """Whether a recipient is of a domain, and no other is named that its mail might go on to.

    Args:
        recipient: what stands between `<` and `>`.
        domain: the domain.
    """
    if recipient.startswith(b"@"):
        return False
    local, at, named = recipient.rpartition(b"@")
    if not at:
        local, named = recipient, domain
    return named.lower() == domain.lower() and not re.search(rb"[%!@]", local)


def _unrouted(sender: bytes) -> bytes:
    return sender.partition(b":")[2] if sender.startswith(b"@") else sender
