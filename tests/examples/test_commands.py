"""Published answers to blocked commands, to the byte."""

from __future__ import annotations

import pytest

from appliance.smtp.release import RELEASES
from tests.engine.feeding import every_cut, said
from tests.examples.commands import COMMANDS, TYPED, Command
from tests.examples.releases import OFF
from tests.wire import Wire

GREETING = b"220 x\r\n"
KNOWN = frozenset(
    b"HELO EHLO MAIL RCPT DATA RSET NOOP QUIT HELP VRFY EXPN STARTTLS AUTH ETRN".split()
)
"""Verbs that the servers of the examples would have known."""


def named(example: Command) -> str:
    return example.name


def greeted(name: str) -> Wire:
    wire = Wire(None if name == OFF else RELEASES[name]).handshake()
    wire.server(GREETING)
    return wire


def sent(wire: Wire, pieces: tuple[bytes, ...]) -> bytes:
    """What arrives of a line; where a segment is dropped, TCP sends the whole line again."""
    for piece in pieces:
        wire.client(piece)
    arrived = wire.received(True)
    if not arrived and len(wire.received(False)) == len(GREETING):
        wire.segment(True, 0, b"".join(pieces))
        arrived = wire.received(True)
    return arrived


def drawn(example: Command, name: str, pieces: tuple[bytes, ...]) -> tuple[bytes, bytes]:
    """What the client gets for its line, and what the server writes of it into its log."""
    wire = greeted(name)
    line = sent(wire, pieces).removesuffix(b"\r\n")
    verb = line.split(b" ")[0].upper()
    words = b"" if not line or verb in KNOWN else example.words.replace(b"%b", line)
    reply = b"250 of course" if line and not words else words
    if example.logged and words:
        reply = b"500 unrecognized command"
    if reply:
        wire.server(reply + b"\r\n")
    return wire.received(False)[len(GREETING) :], words


def is_drawn(example: Command, name: str, pieces: tuple[bytes, ...]) -> bool:
    reply, words = drawn(example, name, pieces)
    if example.logged:
        return words == example.published
    return reply == example.published + b"\r\n"


@pytest.mark.parametrize("example", COMMANDS, ids=named)
def test_command(example: Command) -> None:
    for name in (*RELEASES, OFF):
        made = is_drawn(example, name, (example.line + b"\r\n",))
        assert made is (name in example.releases), name


@pytest.mark.parametrize("example", COMMANDS, ids=named)
def test_command_cut(example: Command) -> None:
    for name in example.releases:
        for pieces in every_cut(example.line + b"\r\n"):
            assert is_drawn(example, name, pieces), (name, pieces)


@pytest.mark.parametrize("example", [each for each in COMMANDS if each.pattern], ids=named)
def test_command_pattern(example: Command) -> None:
    assert example.pattern
    for name in (*RELEASES, OFF):
        reply, _ = drawn(example, name, (example.line + b"\r\n",))
        matched = bool(example.pattern.fullmatch(reply.removesuffix(b"\r\n")))
        assert matched is (name in example.releases), name


def test_typed() -> None:
    typed = TYPED.line + b"\r\n"
    inside = [pieces for pieces in every_cut(typed) if len(pieces[0]) <= len(TYPED.line)]
    for name in RELEASES:
        for pieces in inside:
            arrives = said(greeted(name), True, *pieces)
            assert arrives == (TYPED.arrives + b"\r\n" if name in TYPED.releases else b""), name
