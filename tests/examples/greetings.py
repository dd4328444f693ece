"""Greetings that people saw through a Mailguard, and patterns by which scanners know one."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from tests.examples.releases import CMAP, CODES, FIRST_CODE, STARS, TWO_AND_ZERO


@dataclass(frozen=True, slots=True)
class Greeting:
    """A greeting as a client got it, and a server's that becomes it.

    Args:
        name: what tests and docs/published.md call it.
        source: where it was published.
        shows: what is to be learnt from it.
        server: what the server sends.
        seen: what the client gets.
        releases: those that make the one of the other; all others make something else of it.
        printed: how it was published, where that differs by blanks and line ends.
    """

    name: str
    source: str
    shows: str
    server: bytes
    seen: bytes
    releases: tuple[str, ...]
    printed: bytes = b""


def text(length: int, *, words: bytes = b"mail.example.org ESMTP") -> bytes:
    """A line of a greeting that nobody knows, made up to its length: no 2 and no 0 in it."""
    return words[:length].ljust(length, b".")


def stars(length: int) -> bytes:
    """A greeting of one line, masked."""
    return b"220 " + b"*" * length + b"\r\n"


def unknown(name: str, source: str, shows: str, length: int) -> Greeting:
    """A row of stars of which no more is known."""
    server = b"220 " + text(length) + b"\r\n"
    return Greeting(name, source, shows, server, stars(length), STARS)


GORDANO = (
    b"220 server.gordano.com NTMail (v7.00.0018/AA0000.00.b1a028f6) ready for ESMTP transfer\r\n"
)

GREETINGS = (
    Greeting(
        "KB-320027",
        "Microsoft KB 320027",
        "`2` and `0` stay. Broken over two lines and without the blank after 220 in print: with it "
        "the host has 13 letters and every star is accounted for.",
        b"220 mail.acme.com Microsoft ESMTP MAIL Service, Version: 5.0.2195.4905 ready at  "
        b"Thu, 4 Apr 2002 14:33:27 -0700\r\n",
        b"220 " + b"*" * 55 + b"0*2******0" + b"*" * 23 + b"2002*******2***0*00\r\n",
        TWO_AND_ZERO,
        b"220" + b"*" * 55 + b"0*2******0" + b"*" * 23 + b"\r\n2002*******2***0*00\r\n",
    ),
    Greeting(
        "KB-295725",
        "Microsoft KB 295725, 2001",
        "The end is that of Exchange 5.5, `2653.13) ready`; the host is made up. The terminal "
        "wrapped the line.",
        b"220 exchange-0.site.example.com ESMTP Server (Microsoft Exchange "
        b"Internet Mail Service 5.5.2653.13) ready\r\n",
        b"220 *********0" + b"*" * 77 + b"2" + b"*" * 13 + b"\r\n",
        TWO_AND_ZERO,
        b"220 *********0" + b"*" * 65 + b"\r\n" + b"*" * 12 + b"2" + b"*" * 13 + b"\r\n",
    ),
    Greeting(
        "pamal-2008",
        "blogs.technet.com/pamal, 2008",
        "An illustration, eight stars shorter than its own example would come out "
        "(`nwtraders` below).",
        b"220 mail2." + text(35) + b"\r\n",
        b"220 ****2" + b"*" * 36 + b"\r\n",
        TWO_AND_ZERO,
    ),
    Greeting(
        "Gordano",
        "Gordano's knowledge base",
        "Length is kept, 2 and 0 are not. The server's own line is printed with it.",
        GORDANO,
        stars(82),
        FIRST_CODE + CODES,
    ),
    Greeting(
        "Gordano-two-lines",
        "Gordano's knowledge base",
        "The second line loses its code, and clients wait for ever. The lines printed with it, of "
        "26 and 86 bytes, are not those that became these stars, of 53 and 88.",
        b"220-" + text(49) + b"\r\n220 " + text(84) + b"\r\n",
        b"220-" + b"*" * 49 + b"\r\n" + b"*" * 88 + b"\r\n",
        FIRST_CODE,
    ),
    Greeting(
        "zimmerman-2014",
        "zimmerman.io, Running a VPS, 2014",
        "36 stars of a known text without 2 and 0. EHLO passed there, so 7.0 or later.",
        b"220 metagross ESMTP Postfix (Debian/GNU)\r\n",
        stars(36),
        STARS,
    ),
    Greeting(
        "ubuntu-sendmail-2013",
        "Ubuntu forums, 2013",
        "208 stars of a sendmail, whose greeting has a version and a date of 2013: no 2 and no 0 "
        "is left of them.",
        b"220 mailserver2.domain.com ESMTP Sendmail 8.14.4/8.14.4/Debian-2.2ubuntu2; "
        b"Tue, 30 Apr 2013 10:20:30 +0200; (No UCE/UBE) logging access from: ".ljust(212, b".")
        + b"\r\n",
        stars(208),
        FIRST_CODE + CODES,
    ),
    Greeting(
        "ubuntu-postfix-2014",
        "Ubuntu forums, 2014",
        "46 stars, of which 23 are ` ESMTP Postfix (Ubuntu)`.",
        b"220 " + text(23, words=b"mail.example.org") + b" ESMTP Postfix (Ubuntu)\r\n",
        stars(46),
        STARS,
    ),
    unknown(
        "weaknet",
        "notes on SMTP user enumeration, GitHub",
        "81 stars; what EHLO drew there is `weaknet-ehlo`.",
        81,
    ),
    unknown(
        "lzeit-2008",
        "lzeit.blogspot.com, 2008",
        "31 stars; EHLO became XXXX there (`lzeit-2008-ehlo`), so before 7.0.",
        31,
    ),
    unknown("roaringpenguin", "roaringpenguin.com, SMTP Fixup Issue", "97 stars.", 97),
    unknown("oxford-2009", "blogs.it.ox.ac.uk/networks, 2009", "60 stars, cut off there.", 60),
    Greeting(
        "nmap-ArGoSoft-2010",
        "nmap, service probes: ArGoSoft",
        "Two lines, each with its code. No release before 7.0 does that, and `2000` is not left.",
        b"220-ArGoSoft Mail Server Pro for WinNT/2000/XP, Version 1.8 (1.8.9.4)".ljust(93, b".")
        + b"\r\n220 "
        + b"Mon, 4 Jan 2010 10:20:30 -0800".ljust(32)
        + b"\r\n",
        b"220-" + b"*" * 89 + b"\r\n220 " + b"*" * 32 + b"\r\n",
        CODES,
    ),
    Greeting(
        "recog-cmap",
        "Recog, example of `SMTP/cmap ready`",
        "The text replaced, and filled up to its length.",
        b"220 " + text(87) + b"\r\n",
        b"220 SMTP/cmap ready" + b"_" * 72 + b"\r\n",
        CMAP,
    ),
    unknown(
        "smtp-sink",
        "Postfix, smtp-sink.c",
        "What Postfix sends to be taken for a PIX: 8 stars.",
        8,
    ),
    unknown("qq", "notes on smtp.qq.com, GitHub", "32 stars of unknown origin.", 32),
)


@dataclass(frozen=True, slots=True)
class Worked:
    """A greeting, and what each kind of release makes of it by its rule.

    Args:
        name: what tests and docs/published.md call it.
        server: what the server sends.
        becomes: what the client gets from CMAP, FIRST_CODE, TWO_AND_ZERO and CODES releases.
    """

    name: str
    server: bytes
    becomes: tuple[bytes, bytes, bytes, bytes]


KINDS = (CMAP, FIRST_CODE, TWO_AND_ZERO, CODES)

WORKED = (
    Worked(
        "acme",
        GREETINGS[0].server,
        (
            b"220 SMTP/cmap ready" + b"_" * 92 + b"\r\n",
            stars(107),
            GREETINGS[0].seen,
            stars(107),
        ),
    ),
    Worked(
        "nwtraders",
        b"220 mail2.nwtraders.msft Microsoft ESMTP Mail Service\r\n",
        (
            b"220 SMTP/cmap ready" + b"_" * 34 + b"\r\n",
            stars(49),
            b"220 ****2" + b"*" * 44 + b"\r\n",
            stars(49),
        ),
    ),
    Worked(
        "ntmail",
        GORDANO,
        (
            b"220 SMTP/cmap ready" + b"_" * 67 + b"\r\n",
            stars(82),
            b"220 " + b"*" * 30 + b"00*00*****0000*00****02" + b"*" * 29 + b"\r\n",
            stars(82),
        ),
    ),
    Worked(
        "metagross",
        b"220 metagross ESMTP Postfix (Debian/GNU)\r\n",
        (b"220 SMTP/cmap ready" + b"_" * 21 + b"\r\n", stars(36), stars(36), stars(36)),
    ),
    Worked(
        "blank-after-zero",
        b"220 mx20 Mail 8.12.0 ready 10 \r\n",
        (
            b"220 SMTP/cmap ready" + b"_" * 11 + b"\r\n",
            stars(26),
            b"220 **20 ********2*0 *******0 \r\n",
            stars(26),
        ),
    ),
    Worked(
        "two-lines",
        b"220-first line 2002\r\n220 second 20 line\r\n",
        (
            b"220-SMTP/cmap ready\r\n220 SMTP/cmap read\r\n",
            b"220-" + b"*" * 15 + b"\r\n" + b"*" * 18 + b"\r\n",
            b"220-***********2002\r\n220 *******20 ****\r\n",
            b"220-" + b"*" * 15 + b"\r\n220 " + b"*" * 14 + b"\r\n",
        ),
    ),
)


@dataclass(frozen=True, slots=True)
class Pattern:
    """How a program knows a Mailguard by a greeting of one line.

    Args:
        name: what tests and docs/published.md call it.
        source: whose it is.
        shows: the pattern in words.
        matches: whether a greeting, with its CR and LF, is recognised.
        releases: those whose every greeting is; no other's is.
    """

    name: str
    source: str
    shows: str
    matches: Callable[[bytes], object]
    releases: tuple[str, ...]


def recog(pattern: bytes) -> Callable[[bytes], object]:
    """Recog matches the text that follows the code."""
    return lambda greeting: re.fullmatch(pattern, greeting[4:-2])


def known_to_postfix(greeting: bytes) -> bool:
    """Whether smtp_proto.c, which reads a greeting with LF for each line end, takes it for one."""
    return not greeting.replace(b"\r\n", b"\n").strip(b"20 *\t\n")


PATTERNS = (
    Pattern(
        "recog-cmap-pattern",
        "Recog, smtp_banners.xml",
        "`^SMTP/cmap ready_+$`, of the text after the code",
        recog(rb"SMTP/cmap ready_+"),
        CMAP,
    ),
    Pattern(
        "recog-stars-pattern",
        "Recog, smtp_banners.xml",
        r"`^[\*20 ]{1,1000}$`, likewise",
        recog(rb"[*20 ]{1,1000}"),
        STARS,
    ),
    Pattern(
        "nmap-pattern",
        "nmap, service probes: Cisco PIX sanitized smtpd",
        r"`^220 [\*\d\ ]{2,300}\r\n`",
        lambda greeting: re.match(rb"220 [*\d ]{2,300}\r\n", greeting),
        STARS,
    ),
    Pattern(
        "postfix-pattern",
        "Postfix, smtp_proto.c",
        "nothing but `2`, `0`, blanks, tabs, `*` and line ends in the whole greeting",
        known_to_postfix,
        STARS,
    ),
)
