"""The releases of PIX software, as rows of traits; the code asks for a trait, never for a number.

Sources of the traits: docs/evidence.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from appliance.config.model import Version
from appliance.errors import PixguardError

SEVEN_VERBS = frozenset({b"HELO", b"MAIL", b"RCPT", b"DATA", b"RSET", b"NOOP", b"QUIT"})
"""The minimum of RFC 821, section 4.5.1, and all that `fixup protocol smtp` lets through."""


class ShortSegment(Enum):
    """What becomes of a segment that starts a command and ends before its verb does."""

    DISCARD = "discard"
    """It is dropped and leaves no trace; what TCP sends again is judged anew."""
    STREAM = "stream"
    """Segments do not matter: each byte is judged as it comes, whatever follows it."""


class ConnectionMessages(Enum):
    """How log lines name a connection that began or ended."""

    FGL_ADDRESSES = "302001"
    """302001 and 302002, with faddr, gaddr and laddr (before 6.2)."""
    INTERFACES = "302013"
    """302013 and 302014, with interface names."""


@dataclass(frozen=True, slots=True)
class Release:
    """A row of traits.

    Args:
        name: "6.3".
        verbs: the verbs let through, in capitals.
        argument_verbs: those of them that are blocked where no blank follows the verb.
        short_segment: what becomes of a segment that ends inside a verb that it began.
        connection_messages: how log lines name a connection.
    """

    name: str
    verbs: frozenset[bytes]
    argument_verbs: frozenset[bytes]
    short_segment: ShortSegment
    connection_messages: ConnectionMessages


def _fixup(name: str, connection_messages: ConnectionMessages) -> Release:
    return Release(
        name=name,
        verbs=SEVEN_VERBS,
        argument_verbs=frozenset({b"HELO", b"MAIL", b"RCPT"}),
        short_segment=ShortSegment.DISCARD,
        connection_messages=connection_messages,
    )


RELEASES = {
    row.name: row
    for row in (
        _fixup("5.1", ConnectionMessages.FGL_ADDRESSES),
        _fixup("5.2", ConnectionMessages.FGL_ADDRESSES),
        _fixup("5.3", ConnectionMessages.FGL_ADDRESSES),
        _fixup("6.0", ConnectionMessages.FGL_ADDRESSES),
        _fixup("6.1", ConnectionMessages.FGL_ADDRESSES),
        _fixup("6.2", ConnectionMessages.INTERFACES),
        _fixup("6.3", ConnectionMessages.INTERFACES),
    )
}
"""Every release, by its name."""

DEFAULT = RELEASES["6.3"]
"""What a rule file with `fixup` and without a version line is taken for."""


def choose(version: Version | None, override: str | None) -> Release:
    """The release to imitate.

    Args:
        version: the rule file's version line, if it has one.
        override: the name of a release that outranks it (box file, `--release`), or None.

    Raises:
        PixguardError: there is no such release.
    """
    name = override
    if name is None:
        name = version.number.split("(")[0] if version else DEFAULT.name
    if name not in RELEASES:
        raise PixguardError(
            f"release {name} is not one that can be imitated; there are {', '.join(RELEASES)}"
        )
    return RELEASES[name]
