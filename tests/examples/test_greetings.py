"""Published greetings, to the byte, and who recognises them."""

from __future__ import annotations

import pytest

from appliance.smtp.release import RELEASES
from tests.engine.feeding import every_cut, said
from tests.examples.absent import GARBLED, Absent
from tests.examples.greetings import (
    GREETINGS,
    KINDS,
    PATTERNS,
    WORKED,
    Greeting,
    Pattern,
    Worked,
    text,
)
from tests.wire import Wire


def named(example: Greeting | Worked | Pattern | Absent) -> str:
    return example.name


def greeting_through(release: str, *pieces: bytes) -> bytes:
    return said(Wire(RELEASES[release]).handshake(), False, *pieces)


@pytest.mark.parametrize("example", GREETINGS, ids=named)
def test_greeting(example: Greeting) -> None:
    for release in RELEASES:
        made = greeting_through(release, example.server) == example.seen
        assert made is (release in example.releases), release


@pytest.mark.parametrize("example", GREETINGS, ids=named)
def test_greeting_cut(example: Greeting) -> None:
    for kind in KINDS:
        if kind[0] in example.releases:
            for pieces in every_cut(example.server):
                assert greeting_through(kind[0], *pieces) == example.seen


@pytest.mark.parametrize("example", [each for each in GREETINGS if each.printed], ids=named)
def test_print_differs_by_blanks_and_line_ends_alone(example: Greeting) -> None:
    assert example.printed != example.seen
    assert b"".join(example.printed.split()) == b"".join(example.seen.split())


@pytest.mark.parametrize("example", WORKED, ids=named)
def test_worked_greeting(example: Worked) -> None:
    for kind, becomes in zip(KINDS, example.becomes, strict=True):
        for release in kind:
            assert greeting_through(release, example.server) == becomes
        for pieces in every_cut(example.server):
            assert greeting_through(kind[-1], *pieces) == becomes
    assert greeting_through("fwsm-2", example.server) == example.server


@pytest.mark.parametrize("pattern", PATTERNS, ids=named)
def test_pattern(pattern: Pattern) -> None:
    lines = [each.server for each in (*GREETINGS, *WORKED) if each.server.count(b"\n") == 1]
    for server in lines:
        if len(server) <= len(b"220 SMTP/cmap ready\r\n"):
            continue  # no room for what 4.x writes in its place
        for release in RELEASES:
            recognised = bool(pattern.matches(greeting_through(release, server)))
            assert recognised is (release in pattern.releases), (release, server)


@pytest.mark.parametrize("example", GARBLED, ids=named)
def test_no_release_greets_so(example: Absent) -> None:
    printed = example.printed.encode() + b"\r\n"
    as_long = b"220 " + text(len(printed) - 6) + b"\r\n"
    for server in (as_long, *(each.server for each in (*GREETINGS, *WORKED))):
        for release in RELEASES:
            assert greeting_through(release, server) != printed
