"""The releases of PIX and ASA software, as rows of traits.

The code asks for a trait, never for a release number. `SOURCES` says what each trait rests on.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from enum import Enum

from appliance.config.model import Version
from appliance.errors import PixguardError
from appliance.smtp.esmtp_map import EsmtpMap

SEVEN_VERBS = frozenset({b"HELO", b"MAIL", b"RCPT", b"DATA", b"RSET", b"NOOP", b"QUIT"})
"""The minimum of RFC 821, section 4.5.1, and all that `fixup protocol smtp` lets through."""

ESMTP_VERBS = SEVEN_VERBS | {b"AUTH", b"EHLO", b"ETRN", b"HELP", b"SAML", b"SEND", b"SOML", b"VRFY"}
"""What `inspect esmtp` lets through."""

EHLO_KEYWORDS = frozenset(
    {
        b"8BITMIME",
        b"AUTH",
        b"BINARYMIME",
        b"CHECKPOINT",
        b"DSN",
        b"ENHANCEDSTATUSCODES",
        b"ETRN",
        b"PIPELINING",
        b"SIZE",
        b"VRFY",
    }
)
"""Service extensions that `inspect esmtp` leaves in the reply to EHLO."""

STARTTLS = frozenset({b"STARTTLS"})
"""What `allow-tls` adds, as a verb and as a keyword."""


@dataclass(frozen=True, slots=True)
class Extensions:
    """What stays in the reply to EHLO.

    Args:
        kept: the keywords, in capitals, that stay of those that have a name of their own.
        others: whether all others stay, too.
    """

    kept: frozenset[bytes]
    others: bool = False

    @property
    def masked(self) -> frozenset[bytes]:
        """The keywords with a name of their own that do not stay."""
        return (EHLO_KEYWORDS | STARTTLS) - self.kept


class Greeting(Enum):
    """What becomes of the server's 220 greeting."""

    CMAP = "cmap"
    """Each line's text becomes `SMTP/cmap ready`, then `_`."""
    FIRST_CODE = "first-code"
    """All but the code of the first line becomes `*`: a greeting of several lines breaks."""
    TWO_AND_ZERO = "two-and-zero"
    """All but `2`, `0`, CR, LF and a blank after `0` becomes `*`."""
    CODES = "codes"
    """All but `220 ` and `220-` at the start of each line becomes `*` (mask-banner)."""
    UNTOUCHED = "untouched"


class Blocked(Enum):
    """What becomes of a line whose verb is blocked."""

    MASK = "mask"
    """The verb becomes `X`, the rest of the line stays."""
    MASK_LINE = "mask-line"
    """The whole line becomes `X`."""
    NOOP = "noop"
    """`NOOP` over its first four bytes, then blanks; a shorter line is masked."""
    ANSWER_OK = "answer-ok"
    """It never reaches the server, and the firewall itself says `250 OK`."""
    ANSWER_500 = "answer-500"
    """Likewise with `500 Command unrecognized`."""


ANSWERS = {
    Blocked.ANSWER_OK: b"250 OK\r\n",
    Blocked.ANSWER_500: b"500 Command unrecognized\r\n",
}
"""What the firewall says itself."""


class ShortSegment(Enum):
    """What becomes of a segment that starts a command and ends before its verb does."""

    DISCARD = "discard"
    """It is dropped and leaves no trace; what TCP sends again is judged anew."""
    MASK = "mask"
    """Its letters become `X`, and so do the following ones up to the verb's end."""
    STREAM = "stream"
    """Segments do not matter: each byte is judged as it comes, whatever follows it."""


class Addresses(Enum):
    """What becomes of `|` and of stray `<` and `>` in MAIL and RCPT."""

    BLANK = "blank"
    DROP = "drop"
    """The connection is dropped."""
    KEEP = "keep"


class Bug(Enum):
    """A fault that people met, imitated where it is asked for."""

    SPLIT_TERMINATOR = "split-terminator"
    """Where a segment ends behind the dot of CRLF.CRLF, the rest of it is dropped."""
    DATA_BEFORE_REPLY = "data-before-reply"
    """The mail begins with the client's DATA, whatever the server replies (CVE-2000-1022)."""


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
        configured_by: the command that turns it on.
        greeting: what becomes of the greeting.
        verbs: the verbs let through, in capitals.
        argument_verbs: those of them that are blocked where no blank follows the verb.
        blocked: what becomes of a line with another verb.
        short_segment: what becomes of a segment that ends inside a verb that it began.
        addresses: what becomes of special characters in addresses.
        ehlo_keywords: the keywords left in the reply to EHLO; None where it is not looked at.
        connection_messages: how log lines name a connection.
        modern_messages: whether other log lines have the form of 7.0 and later.
        may_allow_tls: whether it knows `allow-tls`.
        has_maps: whether inspection maps say what becomes of mail.
        bugs: the faults to imitate.
        resets_smuggling: whether an ambiguous end of a mail ends the connection.
    """

    name: str
    configured_by: str = "fixup protocol smtp"
    greeting: Greeting = Greeting.TWO_AND_ZERO
    verbs: frozenset[bytes] = SEVEN_VERBS
    argument_verbs: frozenset[bytes] = frozenset()
    blocked: Blocked = Blocked.MASK
    short_segment: ShortSegment = ShortSegment.DISCARD
    addresses: Addresses = Addresses.BLANK
    ehlo_keywords: frozenset[bytes] | None = None
    connection_messages: ConnectionMessages = ConnectionMessages.FGL_ADDRESSES
    modern_messages: bool = False
    may_allow_tls: bool = False
    has_maps: bool = False
    bugs: frozenset[Bug] = frozenset()
    resets_smuggling: bool = False

    def allowing_tls(self) -> Release:
        """The same with STARTTLS let through (`allow-tls`)."""
        keywords = None if self.ehlo_keywords is None else self.ehlo_keywords | STARTTLS
        return replace(self, verbs=self.verbs | STARTTLS, ehlo_keywords=keywords)

    def following(self, esmtp_map: EsmtpMap) -> Release:
        """The same with what the parameters of an inspection map say."""
        row = self.allowing_tls() if esmtp_map.allow_tls else self
        return row if esmtp_map.mask_banner else replace(row, greeting=Greeting.UNTOUCHED)


_ARGUMENT_VERBS = frozenset({b"HELO", b"MAIL", b"RCPT"})

_MAILHOST = Release(
    name="4.0",
    configured_by="mailhost",
    greeting=Greeting.CMAP,
    blocked=Blocked.ANSWER_OK,
)
_4_2 = replace(_MAILHOST, name="4.2", configured_by="fixup protocol smtp", blocked=Blocked.MASK)
_4_4 = replace(_4_2, name="4.4", greeting=Greeting.FIRST_CODE)
_5_0 = replace(_4_4, name="5.0", argument_verbs=_ARGUMENT_VERBS)
_5_1 = replace(_5_0, name="5.1", greeting=Greeting.TWO_AND_ZERO)
_6_2 = replace(_5_1, name="6.2", connection_messages=ConnectionMessages.INTERFACES)
_7_0 = replace(
    _6_2,
    name="7.0",
    configured_by="inspect esmtp",
    greeting=Greeting.CODES,
    verbs=ESMTP_VERBS,
    argument_verbs=frozenset(),
    short_segment=ShortSegment.MASK,
    addresses=Addresses.DROP,
    ehlo_keywords=EHLO_KEYWORDS,
    modern_messages=True,
)
_7_2 = replace(
    _7_0,
    name="7.2",
    configured_by="inspect esmtp [MAP]",
    addresses=Addresses.KEEP,
    may_allow_tls=True,
    has_maps=True,
)

RELEASES = {
    row.name: row
    for row in (
        _MAILHOST,
        replace(_MAILHOST, name="4.1"),
        _4_2,
        replace(_4_2, name="4.3"),
        _4_4,
        _5_0,
        _5_1,
        *(replace(_5_1, name=name) for name in ("5.2", "5.3", "6.0", "6.1")),
        _6_2,
        replace(_6_2, name="6.3"),
        _7_0,
        replace(_7_0, name="7.1"),
        _7_2,
        *(replace(_7_2, name=f"8.{minor}") for minor in range(8)),
        replace(_7_2, name="9.x"),
        replace(
            _6_2,
            name="fwsm-2",
            greeting=Greeting.UNTOUCHED,
            blocked=Blocked.NOOP,
        ),
        replace(_6_2, name="fwsm-3", configured_by="inspect smtp"),
    )
}
"""Every release, by its name."""

DEFAULT = RELEASES["6.3"]
"""What a rule file with `fixup` and without a version line is taken for."""

HISTORY: dict[Bug, tuple[tuple[tuple[int, int, int], tuple[int, int, int]], ...]] = {
    Bug.SPLIT_TERMINATOR: (((4, 2, 1), (5, 1, 99)),),
    Bug.DATA_BEFORE_REPLY: (
        ((4, 0, 1), (4, 4, 6)),
        ((5, 0, 1), (5, 0, 3)),
        ((5, 1, 1), (5, 1, 3)),
        ((5, 2, 1), (5, 2, 2)),
        ((5, 2, 4), (5, 2, 5)),
        ((6, 0, 1), (6, 0, 1)),
    ),
}
"""Which releases had each fault, from and to, as (major, minor, maintenance)."""

_NUMBER = re.compile(r"(\d+)\.(\d+)(?:\((\d+)[^)]*\).*)?")


def find(name: str) -> Release | None:
    """The release of a name, "6.3" or with a maintenance number "6.3(5)"; None if there is none."""
    if name in RELEASES:
        return RELEASES[name]
    number = _NUMBER.fullmatch(name)
    if number is None:
        return None
    major, minor, _ = number.groups()
    return RELEASES.get("9.x" if major == "9" else f"{major}.{minor}")


def historic_bugs(name: str) -> frozenset[Bug]:
    """The faults that a release had.

    Args:
        name: "5.2(4)"; without a maintenance number the first one, (1), is meant.
    """
    number = _NUMBER.fullmatch(name)
    if number is None:
        return frozenset()
    major, minor, maintenance = number.groups(default="1")
    version = (int(major), int(minor), int(maintenance))
    return frozenset(
        bug
        for bug, spans in HISTORY.items()
        if any(first <= version <= last for first, last in spans)
    )


def choose(version: Version | None, override: str | None) -> Release:
    """The release to imitate.

    Args:
        version: the rule file's version line, if it has one.
        override: the name of a release that outranks it (box file, `--release`), or None.

    Raises:
        PixguardError: there is no such release.
    """
    name = chosen_name(version, override)
    release = find(name)
    if release is None:
        raise PixguardError(
            f"release {name} is not one that can be imitated; there are {', '.join(RELEASES)}"
        )
    return release


def chosen_name(version: Version | None, override: str | None) -> str:
    """The name of the release to imitate, with its maintenance number as far as it is known.

    Args:
        version: the rule file's version line, if it has one.
        override: the name of a release that outranks it, or None.
    """
    return override or (version.number if version else DEFAULT.name)
