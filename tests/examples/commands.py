"""Commands that were blocked, as a server behind the firewall and a client before it saw them."""

from __future__ import annotations

import re
from dataclasses import dataclass

from tests.examples.releases import ANSWER, CODES, FIXUP, MASK, OFF


@dataclass(frozen=True, slots=True)
class Command:
    """A command, and what became of it.

    Args:
        name: what tests and docs/published.md call it.
        source: where it was published.
        shows: what is to be learnt from it.
        line: what the client sends, without CR and LF.
        words: what this server says, or logs, of a verb that it does not know; `%b` stands for
            the line that it got.
        published: what was published: the server's words, or the firewall's own answer.
        releases: those behind which the client's line draws that.
        logged: whether the words stand in the server's log and not in its reply.
        pattern: a scanner's, for what was published; None where it was published in full.
    """

    name: str
    source: str
    shows: str
    line: bytes
    words: bytes
    published: bytes
    releases: tuple[str, ...]
    logged: bool = False
    pattern: re.Pattern[bytes] | None = None


_EXIM = b'500 Syntax error, command "%b" unrecognized'
_X = re.compile(rb'500[ -]Syntax error, command "XXXX" unrecognized')
_X_AND_MORE = re.compile(rb'500[ -]Syntax error, command "XXXX.*" unrecognized')


def recog(line: bytes, releases: tuple[str, ...], pattern: re.Pattern[bytes]) -> Command:
    """An entry of Recog's for one verb."""
    verb, blank, argument = line.partition(b" ")
    name = verb.decode().lower()
    return Command(
        f"recog-{name}",
        f"Recog, smtp_{name}.xml",
        f"`{pattern.pattern.decode()}`",
        line,
        _EXIM,
        _EXIM.replace(b"%b", b"XXXX" + blank + argument),
        releases,
        pattern=pattern,
    )


COMMANDS = (
    Command(
        "survey-ehlo",
        "a STARTTLS survey in Go, GitHub: a sendmail",
        "The verb alone becomes X; its argument stays.",
        b"EHLO ME",
        b'500 5.5.1 Command unrecognized: "%b"',
        b'500 5.5.1 Command unrecognized: "XXXX ME"',
        FIXUP,
    ),
    recog(b"EHLO", FIXUP, _X),
    recog(b"HELP", FIXUP, _X),
    recog(b"EXPN root", MASK, _X_AND_MORE),
    recog(b"VRFY root", FIXUP, _X_AND_MORE),
    Command(
        "exim-Q0078",
        "Exim's FAQ, Q0078",
        "In the server's log.",
        b"EHLO",
        b'unknown SMTP command "%b"',
        b'unknown SMTP command "XXXX"',
        FIXUP,
        logged=True,
    ),
    Command(
        "lzeit-2008-ehlo",
        "lzeit.blogspot.com, 2008",
        "A Postfix with `soft_bounce`: a temporary error, and no client falls back to HELO.",
        b"EHLO mail.example.org",
        b"402 4.5.2 Error: command not recognized",
        b"402 4.5.2 Error: command not recognized",
        FIXUP,
    ),
    Command(
        "wordtothewise-2014",
        "wordtothewise.com, 2014",
        "An old PIX before a Postfix of its day.",
        b"EHLO mail.example.org",
        b"502 5.5.2 Error: command not recognized",
        b"502 5.5.2 Error: command not recognized",
        FIXUP,
    ),
    Command(
        "nibbler-2006-starttls",
        "nibbler.de, 2006",
        "STARTTLS sent although it was not offered.",
        b"starttls",
        b"500 unrecognized command",
        b"500 unrecognized command",
        MASK,
    ),
    Command(
        "cisco-118550-starttls",
        "Cisco document 118550",
        "The same with Cisco's own mail gateway behind.",
        b"starttls",
        b"500 #5.5.1 command not recognized",
        b"500 #5.5.1 command not recognized",
        MASK,
    ),
    Command(
        "KB-295725-ehlo",
        "Microsoft KB 295725, 2001",
        "An Exchange 5.5, below a greeting of 5.1 to 6.3.",
        b"ehlo",
        b"500 Unrecognized command",
        b"500 Unrecognized command",
        FIXUP,
    ),
    Command(
        "KB-320027-ok",
        "Microsoft KB 320027",
        "With Mailguard on, 4.0 or 4.1: the firewall's own answer; the article leaves out the "
        "code.",
        b"goodmorning",
        b"500 Command unrecognized",
        b"250 OK",
        ANSWER,
    ),
    Command(
        "KB-320027-500",
        "Microsoft KB 320027",
        "With Mailguard off: the server's answer. From 4.2 on it is the same with Mailguard on, of "
        "`XXXXXXXXXXX`.",
        b"goodmorning",
        b"500 Command unrecognized",
        b"500 Command unrecognized",
        (*MASK, OFF),
    ),
)


@dataclass(frozen=True, slots=True)
class Typed:
    """A line typed into a telnet that sends each key in a segment of its own.

    Args:
        name: what tests and docs/published.md call it.
        source: where it was published.
        shows: what is to be learnt from it.
        line: what is typed.
        arrives: what the server gets.
        releases: those behind which it does; before others nothing arrives.
    """

    name: str
    source: str
    shows: str
    line: bytes
    arrives: bytes
    releases: tuple[str, ...]


TYPED = Typed(
    "cisco-113423",
    "Cisco document 113423",
    "Each key alone is no verb. Before 7.0 nothing arrives.",
    b"HELO",
    b"XXXX",
    CODES,
)
