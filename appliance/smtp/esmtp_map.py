"""Inspection maps of mail: what `policy-map type inspect esmtp` looks at, and what then happens.

From 7.2 on (Cisco ASA Firewall CLI Configuration Guide, "SMTP and Extended SMTP Inspection").
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from appliance.smtp.expression import Expression


class Subject(Enum):
    """What a match looks at, as `match` names it."""

    BODY_LENGTH = "body length"
    """Bytes of a mail's body."""
    BODY_LINE_LENGTH = "body line length"
    VERB = "cmd verb"
    COMMAND_LINE_LENGTH = "cmd line length"
    RECIPIENTS = "cmd RCPT count"
    """RCPT commands of one mail."""
    EHLO_PARAMETER = "ehlo-reply-parameter"
    """A keyword of the reply to EHLO."""
    HEADER_LENGTH = "header length"
    """Bytes of a mail's header."""
    HEADER_LINE_LENGTH = "header line length"
    TO_FIELDS = "header to-fields count"
    INVALID_RECIPIENTS = "invalid-recipients count"
    """RCPT commands that the server refused."""
    FILE_TYPE = "MIME filetype"
    FILE_NAME_LENGTH = "MIME filename length"
    ENCODING = "MIME encoding"
    SENDER = "sender-address"
    SENDER_LENGTH = "sender-address length"


NUMBERED = frozenset(
    subject for subject in Subject if subject.value.endswith((" length", " count"))
)
"""Subjects that are compared with a number: `gt N`."""

OTHERS = "others"
"""The word for all that no word names."""

VERBS = (
    "AUTH",
    "DATA",
    "EHLO",
    "ETRN",
    "HELO",
    "HELP",
    "MAIL",
    "NOOP",
    "QUIT",
    "RCPT",
    "RSET",
    "SAML",
    "SOML",
    "VRFY",
)
"""Words of `cmd verb`."""

EHLO_PARAMETERS = {
    "8bitmime": b"8BITMIME",
    "auth": b"AUTH",
    "binaryname": b"BINARYMIME",
    "checkpoint": b"CHECKPOINT",
    "dsn": b"DSN",
    "ecode": b"ENHANCEDSTATUSCODES",
    "etrn": b"ETRN",
    "pipelining": b"PIPELINING",
    "size": b"SIZE",
    "vrfy": b"VRFY",
}
"""Words of `ehlo-reply-parameter` besides `others`, and the service extensions that they mean."""

ENCODINGS = ("7bit", "8bit", "base64", "binary", OTHERS, "quoted-printable")
"""Words of `MIME encoding`."""


WORDS = {
    Subject.VERB: VERBS,
    Subject.EHLO_PARAMETER: tuple(sorted((*EHLO_PARAMETERS, OTHERS))),
    Subject.ENCODING: ENCODINGS,
}
"""Subjects that are compared with words, and those words."""

MASKABLE = frozenset({Subject.VERB, Subject.EHLO_PARAMETER})
"""Subjects whose matches may be masked."""


@dataclass(frozen=True, slots=True)
class Criterion:
    """What a `match` asks.

    Args:
        subject: what it looks at.
        negated: whether it asks for the opposite (`match not`).
        limit: of a number, the greatest that is no match (`gt`).
        words: of a verb, a service extension or an encoding, which ones, each a word of `WORDS`,
            in that order; any of them is a match, `others` is all that have no word of their own.
        regex: of a file type or a sender, the name of its `regex`, or of the class of them.
        regex_class: whether that is a class.
        expressions: the expressions that it means, any of which is a match.
    """

    subject: Subject
    negated: bool = False
    limit: int = 0
    words: tuple[str, ...] = ()
    regex: str = ""
    regex_class: bool = False
    expressions: tuple[Expression, ...] = ()

    @property
    def text(self) -> str:
        """As log lines and `show` print it: "header line length gt 998"."""
        parts = ["not"] if self.negated else []
        parts.append(self.subject.value)
        if self.subject in NUMBERED:
            parts.append(f"gt {self.limit}")
        elif self.regex:
            parts += ["regex class" if self.regex_class else "regex", self.regex]
        else:
            parts += self.words
        return " ".join(parts)


@dataclass(frozen=True, slots=True)
class EsmtpClass:
    """`class-map type inspect esmtp`: criteria with a name.

    Args:
        name: its name.
        criteria: what it asks.
        any: whether one of them is enough (`match-any`), and not all together.
        description: as written, "" for none.
    """

    name: str
    criteria: tuple[Criterion, ...] = ()
    any: bool = False
    description: str = ""

    @property
    def heading(self) -> str:
        """The line that opens its block."""
        return (
            f"class-map type inspect esmtp {'match-any' if self.any else 'match-all'} {self.name}"
        )


class Act(Enum):
    """What becomes of a connection whose mail matches."""

    NONE = ""
    """Nothing."""
    DROP_CONNECTION = "drop-connection"
    """The packet and all that follow are dropped, and nobody is told."""
    RESET = "reset"
    """Both ends are told that it is over."""
    MASK = "mask"
    """What matches is written over; of verbs and service extensions only."""
    RATE_LIMIT = "rate-limit"
    """Matches beyond a number a second are dropped."""


@dataclass(frozen=True, slots=True)
class Action:
    """What a match or a parameter has done.

    Args:
        act: what becomes of the connection.
        log: whether a message tells of it.
        rate: of a rate limit, messages a second, else 0.
    """

    act: Act = Act.NONE
    log: bool = False
    rate: int = 0

    @property
    def text(self) -> str:
        """As it is written: "drop-connection log"; "" for nothing at all."""
        parts = (self.act.value, str(self.rate) if self.rate else "", "log" if self.log else "")
        return " ".join(filter(None, parts))


@dataclass(frozen=True, slots=True)
class Row:
    """A `match` or a `class` of a map, and what it has done.

    Args:
        asked: its criterion, or its class of them.
        action: what it has done.
    """

    asked: Criterion | EsmtpClass
    action: Action = Action()

    @property
    def text(self) -> str:
        """What log lines and `show` call it: the criterion, or the name of the class."""
        return self.asked.text if isinstance(self.asked, Criterion) else self.asked.name

    @property
    def criteria(self) -> tuple[Criterion, ...]:
        """What it asks; of a class, see its `any` for whether one is enough."""
        return (self.asked,) if isinstance(self.asked, Criterion) else self.asked.criteria

    @property
    def heading(self) -> str:
        """The line that opens its block."""
        return f"{'match' if isinstance(self.asked, Criterion) else 'class'} {self.text}"


@dataclass(frozen=True, slots=True)
class Relay:
    """`mail-relay DOMAIN action ...`: what becomes of mail for any other domain.

    Args:
        domain: the domain, as written.
        action: drop the connection, or log alone.
    """

    domain: str
    action: Action


@dataclass(frozen=True, slots=True)
class EsmtpMap:
    """`policy-map type inspect esmtp`.

    Args:
        name: its name.
        description: as written, "" for none.
        mask_banner: whether the server's greeting is masked.
        allow_tls: whether STARTTLS passes.
        tls_log: whether a message tells of it.
        special_character: what happens where `|`, a backquote or NUL is in an address; None for
            nothing.
        mail_relay: what happens to mail for other domains; None for nothing.
        rows: its matches in the order in which they apply; log lines number them from 1.
    """

    name: str
    description: str = ""
    mask_banner: bool = True
    allow_tls: bool = False
    tls_log: bool = False
    special_character: Action | None = None
    mail_relay: Relay | None = None
    rows: tuple[Row, ...] = ()

    @property
    def heading(self) -> str:
        """The line that opens its block."""
        return f"policy-map type inspect esmtp {self.name}"

    def lines(self, complete: bool = False) -> list[str]:
        """Its block as a device prints it.

        Args:
            complete: whether parameters are printed that are as they are from the start, too
                (`show running-config all`).
        """
        lines = [self.heading]
        if self.description:
            lines.append(f" description {self.description}")
        parameters = list(self._parameters(complete))
        if parameters:
            lines += [" parameters", *(f"  {each}" for each in parameters)]
        for row in self.rows:
            lines.append(f" {row.heading}")
            if row.action.text:
                lines.append(f"  {row.action.text}")
        return lines

    def _parameters(self, complete: bool) -> Iterator[str]:
        if complete or not self.mask_banner:
            yield "mask-banner" if self.mask_banner else "no mask-banner"
        if self.mail_relay:
            yield f"mail-relay {self.mail_relay.domain} action {self.mail_relay.action.text}"
        elif complete:
            yield "no mail-relay"
        if self.special_character:
            yield f"special-character action {self.special_character.text}"
        elif complete:
            yield "no special-character"
        if self.allow_tls:
            yield f"allow-tls{' action log' if self.tls_log else ''}"
        elif complete:
            yield "no allow-tls"


_DROP = Action(Act.DROP_CONNECTION, log=True)

DEFAULT_MAP = EsmtpMap(
    name="_default_esmtp_map",
    description="Default ESMTP policy-map",
    rows=(
        Row(Criterion(Subject.COMMAND_LINE_LENGTH, limit=512), _DROP),
        Row(Criterion(Subject.RECIPIENTS, limit=100), _DROP),
        Row(Criterion(Subject.BODY_LINE_LENGTH, limit=998), Action(log=True)),
        Row(Criterion(Subject.HEADER_LINE_LENGTH, limit=998), _DROP),
        Row(Criterion(Subject.SENDER_LENGTH, limit=320), _DROP),
        Row(Criterion(Subject.FILE_NAME_LENGTH, limit=255), _DROP),
        Row(Criterion(Subject.EHLO_PARAMETER, words=(OTHERS,)), Action(Act.MASK)),
    ),
)
"""What `inspect esmtp` without a map means from 7.2 on."""
