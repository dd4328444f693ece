"""The releases of PIX software, as rows of traits; the code asks for a trait, never for a number.

Sources of the traits: docs/evidence.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

SEVEN_VERBS = frozenset({b"HELO", b"MAIL", b"RCPT", b"DATA", b"RSET", b"NOOP", b"QUIT"})
"""The minimum of RFC 821, section 4.5.1, and all that `fixup protocol smtp` lets through."""


class Greeting(Enum):
    """What becomes of the server's 220 greeting."""

    KEEP_TWO_AND_ZERO = "keep-two-and-zero"
    """All but `2`, `0`, CR, LF and a blank after `0` becomes `*` (5.1 to 6.3)."""


class ShortSegment(Enum):
    """What becomes of a segment that starts a command and ends before its verb does."""

    DISCARD = "discard"
    """It is dropped and leaves no trace; what TCP sends again is judged anew."""
    STREAM = "stream"
    """Segments do not matter: each byte is judged as it comes."""


@dataclass(frozen=True, slots=True)
class Release:
    """A row of traits.

    Args:
        name: "6.3".
        greeting: what becomes of the greeting.
        verbs: the verbs let through, in capitals.
        argument_verbs: those of them that are blocked where no blank follows the verb.
        short_segment: what becomes of a segment that ends inside a verb that it began.
    """

    name: str
    greeting: Greeting
    verbs: frozenset[bytes]
    argument_verbs: frozenset[bytes]
    short_segment: ShortSegment


def _row(name: str) -> Release:
    return Release(
        name=name,
        greeting=Greeting.KEEP_TWO_AND_ZERO,
        verbs=SEVEN_VERBS,
        argument_verbs=frozenset({b"HELO", b"MAIL", b"RCPT"}),
        short_segment=ShortSegment.DISCARD,
    )


RELEASES = {name: _row(name) for name in ("5.1", "5.2", "5.3", "6.0", "6.1", "6.2", "6.3")}
DEFAULT = RELEASES["6.3"]
