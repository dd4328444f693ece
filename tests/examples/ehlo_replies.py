"""Replies to EHLO that people saw through `inspect esmtp`."""

from __future__ import annotations

import re
from dataclasses import dataclass

from tests.examples.releases import CODES

_MASKED = re.compile(rb"X+[A-Z]")


@dataclass(frozen=True, slots=True)
class Reply:
    """A reply as a client got it, and what stood under its X.

    Args:
        name: what tests and docs/published.md call it.
        source: where it was published.
        shows: what is to be learnt from it.
        seen: the lines that the client gets, without their CR and LF.
        hidden: the text of each masked line, in order.
        allow_tls: whether `allow-tls` is on.
        releases: those that make one of the other.
    """

    name: str
    source: str
    shows: str
    seen: tuple[bytes, ...]
    hidden: tuple[bytes, ...]
    allow_tls: bool = False
    releases: tuple[str, ...] = CODES

    @property
    def lines(self) -> tuple[bytes, ...]:
        """What the server says, line by line."""
        hidden = iter(self.hidden)
        return tuple(
            line[:4] + next(hidden) if _MASKED.fullmatch(line, 4) else line for line in self.seen
        )


REPLIES = (
    Reply(
        "ubuntu-sendmail-2013-ehlo",
        "Ubuntu forums, 2013",
        "DELIVERBY and HELP; the letter counts.",
        (
            b"250-mailserver2.domain.com Hello mailserver3.domain.com [IP Address], "
            b"pleased to meet you",
            b"250-ENHANCEDSTATUSCODES",
            b"250-PIPELINING",
            b"250-8BITMIME",
            b"250-SIZE",
            b"250-DSN",
            b"250-ETRN",
            b"250-AUTH DIGEST-MD5 CRAM-MD5",
            b"250-XXXXXXXXA",
            b"250 XXXB",
        ),
        (b"DELIVERBY", b"HELP"),
    ),
    Reply(
        "zimmerman-2014-ehlo",
        "zimmerman.io, Running a VPS, 2014",
        "STARTTLS. The author put `250-STARTTLS` beside it by hand.",
        (
            b"250-metagross",
            b"250-PIPELINING",
            b"250-SIZE 10240000",
            b"250-VRFY",
            b"250-ETRN",
            b"250-XXXXXXXA",
            b"250-ENHANCEDSTATUSCODES",
            b"250-8BITMIME",
            b"250 DSN",
        ),
        (b"STARTTLS",),
    ),
    Reply(
        "nibbler-2006-ehlo",
        "nibbler.de, 2006",
        "STARTTLS and HELP, as early as 7.0 or 7.1. The first line was not printed.",
        (b"250-mx.example.org", b"250-PIPELINING", b"250-XXXXXXXA", b"250 XXXB"),
        (b"STARTTLS", b"HELP"),
    ),
    Reply(
        "nmap-ArGoSoft-2010-ehlo",
        "nmap, service probes: ArGoSoft",
        "HELP is masked though the verb passes; a keyword may end in `=`.",
        (
            b"250-Welcome [host], nice to meet you...",
            b"250-AUTH=[...]",
            b"250-AUTH [...]",
            b"250-SIZE nnn",
            b"250-DSN",
            b"250-ETRN",
            b"250 XXXA",
        ),
        (b"HELP",),
    ),
    Reply(
        "weaknet-ehlo",
        "notes on SMTP user enumeration, GitHub",
        "With `allow-tls` STARTTLS stays, and HELP is the first that is masked.",
        (
            b"250-(host) Hello (client) [(ip)], pleased to meet you",
            b"250-STARTTLS",
            b"250-PIPELINING",
            b"250-8BITMIME",
            b"250 XXXA",
        ),
        (b"HELP",),
        allow_tls=True,
        releases=tuple(name for name in CODES if name not in ("7.0", "7.1")),
    ),
    Reply(
        "cisco-118550-ehlo",
        "Cisco document 118550",
        "The masked line is the last one. The first line was not printed.",
        (b"250-esa.example.com", b"250-8BITMIME", b"250-SIZE 14680064", b"250 XXXXXXXA"),
        (b"STARTTLS",),
    ),
    Reply(
        "exchange-ehlo",
        "worked out, after an Exchange 2010",
        "Lines with parameters are masked whole, and the letter goes on counting.",
        (
            b"250-h",
            b"250-SIZE 10485760",
            b"250-XXXXXXXA",
            b"250-XXXXXXXXXXXXXB",
            b"250-AUTH NTLM",
            b"250-XXXXXXXXXXXXXXXXXC",
            b"250-8BITMIME",
            b"250-BINARYMIME",
            b"250-XXXXXXXD",
            b"250-XXXXXXE",
            b"250 XXXXF",
        ),
        (
            b"STARTTLS",
            b"X-ANONYMOUSTLS",
            b"X-EXPS GSSAPI NTLM",
            b"CHUNKING",
            b"XEXCH50",
            b"XRDST",
        ),
    ),
)
