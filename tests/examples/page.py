"""The tables of docs/published.md, made from those of the tests."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from tests.examples.absent import ABSENT, UNPUBLISHED
from tests.examples.commands import COMMANDS, TYPED
from tests.examples.ehlo_replies import REPLIES, Reply
from tests.examples.greetings import GREETINGS, KINDS, PATTERNS, WORKED
from tests.examples.messages import FRAMED, LINES, VARIANTS, Line
from tests.examples.releases import spans

_RUN = re.compile(r"([*_])\1{7,}")


def code(line: str) -> str:
    """A line as code in a table, its long runs of stars and underscores counted."""
    counted = _RUN.sub(lambda run: f"{run[1]}{{{len(run[0])}}}", line)
    return f"`{counted.replace('|', chr(92) + '|')}`"


def lines(text: bytes) -> str:
    """The lines of a text as code, without their CR and LF."""
    return ", ".join(code(line) for line in text.decode().removesuffix("\r\n").split("\r\n"))


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A table of Markdown."""
    head = tuple(head)
    cells = [head, ("---",) * len(head), *map(tuple, rows)]
    return "".join(f"| {' | '.join(row)} |\n" for row in cells).replace("|  |", "| |")


def greetings() -> str:
    """Greetings that people saw."""
    return table(
        ("name", "source", "the client sees", "releases", "what it shows"),
        (
            (f"`{each.name}`", each.source, lines(each.seen), spans(each.releases), each.shows)
            for each in GREETINGS
        ),
    )


def worked() -> str:
    """Greetings worked out."""
    return table(
        ("name", "the server says", *map(spans, KINDS)),
        ((f"`{each.name}`", lines(each.server), *map(lines, each.becomes)) for each in WORKED),
    )


def patterns() -> str:
    """Patterns by which a program knows a Mailguard."""
    rows = [(f"`{each.name}`", each.source, each.shows, spans(each.releases)) for each in PATTERNS]
    return table(("name", "source", "pattern", "releases whose greetings match"), rows)


def _masked(reply: Reply) -> str:
    pairs = zip(reply.lines, reply.seen, strict=True)
    return ", ".join(
        f"{code(seen.decode())} ({said[4:].decode()})" for said, seen in pairs if said != seen
    )


def ehlo_replies() -> str:
    """Replies to EHLO."""
    return table(
        ("name", "source", "masked lines, and what they were", "releases", "what it shows"),
        (
            (f"`{each.name}`", each.source, _masked(each), spans(each.releases), each.shows)
            for each in REPLIES
        ),
    )


def commands() -> str:
    """Blocked commands."""
    rows = [
        (each.name, each.source, each.line, each.published, each.releases, each.shows)
        for each in COMMANDS
    ]
    rows.append((TYPED.name, TYPED.source, TYPED.line, TYPED.arrives, TYPED.releases, TYPED.shows))
    return table(
        ("name", "source", "the client sends", "published", "releases", "what it shows"),
        (
            (f"`{name}`", source, lines(line), lines(published), spans(releases), shows)
            for name, source, line, published, releases, shows in rows
        ),
    )


def _devices(line: Line) -> str:
    return f"{line.product} {spans(line.releases)}"


def messages() -> str:
    """Log lines that come out here as published."""
    return table(
        ("name", "source", "line", "releases", "what it shows"),
        (
            (f"`{each.name}`", each.source, code(each.printed), _devices(each), each.shows)
            for each in LINES
        ),
    )


def variants() -> str:
    """Log lines that come out otherwise."""
    return table(
        ("name", "source", "published", "printed here", "releases", "why"),
        (
            (
                f"`{each.name}`",
                each.source,
                code(each.printed),
                code(each.ours),
                _devices(each),
                each.shows,
            )
            for each in VARIANTS
        ),
    )


def framed() -> str:
    """What stands before a message."""
    return table(
        ("name", "source", "before the message", "what it shows"),
        ((f"`{each.name}`", each.source, code(each.lead), each.shows) for each in FRAMED),
    )


def absent() -> str:
    """What is not reproduced."""
    return table(
        ("name", "source", "one of them", "messages", "why not"),
        (
            (f"`{each.name}`", each.source, code(each.printed), ", ".join(each.numbers), each.why)
            for each in ABSENT
        ),
    )


def unpublished() -> str:
    """Messages of which no line was found."""
    return table(("message", "what there is instead"), UNPUBLISHED.items())


TABLES: dict[str, Callable[[], str]] = {
    "Greetings": greetings,
    "Greetings worked out": worked,
    "Patterns": patterns,
    "Replies to EHLO": ehlo_replies,
    "Blocked commands": commands,
    "Log lines": messages,
    "Log lines that differ": variants,
    "Before a message": framed,
    "Not reproduced": absent,
    "Messages without a published line": unpublished,
}
"""Each table, by the heading that it stands under."""
