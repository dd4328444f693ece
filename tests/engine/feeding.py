"""Dialogues fed to the firewall in every way in which TCP may cut them.

A case says what arrives when each side sends a line a segment, and what arrives under
`segmentation: stream`, where it is the same in every other way too. What segments change under a
release's own row is for the model of `tests.engine.model` to say, for each cut.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import TypeVar

import pytest

from appliance.smtp.release import RELEASES, Blocked, Bug, Release, ShortSegment
from tests.engine.model import Model
from tests.wire import CLIENT_START, RST, SERVER_START, Wire

T = TypeVar("T")

ROWS = ["4.0", "4.2", "4.4", "5.0", "5.1", "6.3", "7.0", "7.2", "fwsm-2"]
"""One release of each row of traits."""

PLAIN = b"220 \r\n"
"""A greeting that has nothing to mask."""


@dataclass(frozen=True, slots=True)
class Turn:
    """What one side says before the other speaks.

    Args:
        from_client: whose turn it is.
        sent: what it sends.
        arrives: what of that reaches the other side when each line is a segment.
        streamed: the same under `segmentation: stream`.
        answered: what the firewall itself says to the client when its turn has come.
    """

    from_client: bool
    sent: bytes
    arrives: bytes
    streamed: bytes
    answered: bytes = b""


def client(
    sent: bytes, arrives: bytes | None = None, streamed: bytes | None = None, answered: bytes = b""
) -> Turn:
    """The client's turn; what arrives is what was sent, unless told, under either row."""
    arrives = sent if arrives is None else arrives
    return Turn(True, sent, arrives, arrives if streamed is None else streamed, answered)


def server(sent: bytes, arrives: bytes | None = None) -> Turn:
    """The server's turn; what arrives is what was sent, unless told."""
    arrives = sent if arrives is None else arrives
    return Turn(False, sent, arrives, arrives)


@dataclass(frozen=True, slots=True)
class Case:
    """A dialogue and what becomes of it.

    Args:
        name: what it is an example of.
        turns: the dialogue.
        release: the release it is inspected as.
        blocked: what becomes of blocked lines, if not what the release does.
        tls: whether STARTTLS is let through.
        bugs: the faults imitated.
        resets: whether an ambiguous end of a mail ends the connection.
        cut_shows: whether it depends on the cut even under `segmentation: stream` what arrives:
            masked lines of a reply to EHLO, a dropped segment, the fault `split-terminator`.
    """

    name: str
    turns: tuple[Turn, ...]
    release: str = "6.3"
    blocked: Blocked | None = None
    tls: bool = False
    bugs: frozenset[Bug] = frozenset()
    resets: bool = False
    cut_shows: bool = False

    def __str__(self) -> str:
        return f"{self.release} {self.name}"

    def traits(self, stream: bool) -> Release:
        """The row of traits that the firewall is to follow."""
        row = RELEASES[self.release]
        return replace(
            row.allowing_tls() if self.tls else row,
            blocked=self.blocked or row.blocked,
            short_segment=ShortSegment.STREAM if stream else row.short_segment,
            bugs=self.bugs,
            resets_smuggling=self.resets,
        )

    def model(self, stream: bool) -> Model:
        """The slow model of the same."""
        return Model(
            self.release,
            stream,
            blocked=self.blocked.value if self.blocked else None,
            tls=self.tls,
            bugs=frozenset(bug.value for bug in self.bugs),
            resets=self.resets,
        )

    def arriving(self, stream: bool) -> tuple[bytes, bytes]:
        """What the server and the client get in all, when each line is a segment."""
        to_server, to_client = b"", b""
        for turn in self.turns:
            arrives = turn.streamed if stream else turn.arrives
            if turn.from_client:
                to_server += arrives
                to_client += turn.answered
            else:
                to_client += arrives
        return to_server, to_client


def line(
    sent: bytes,
    arrives: bytes | None = None,
    streamed: bytes | None = None,
    *,
    answered: bytes = b"",
    **traits: object,
) -> Case:
    """A case of a line or a few between a greeting and a NOOP.

    Args:
        sent, arrives, streamed, answered: the client's turn, see `Turn`.
        traits: those of `Case`.
    """
    turn = client(sent, arrives, streamed, answered)
    replies = b"250 ok\r\n" * turn.arrives.count(b"\r\n")
    return Case(
        ascii(sent)[2:-1],
        (
            server(PLAIN),
            turn,
            *([server(replies)] if replies else []),
            client(b"NOOP x\r\n"),
            server(b"250 ok\r\n"),
        ),
        **traits,  # type: ignore[arg-type]
    )


# ---- ways to cut ----

Run = tuple[bool, bytes]
"""Whether the client sends, and what it sends until the other side speaks."""
Feeding = list[tuple[bool, list[bytes]]]
"""The same in segments."""


def lines(text: bytes) -> list[bytes]:
    """A text cut behind each CRLF."""
    return [line for line in re.split(rb"(?<=\r\n)", text) if line]


def single_bytes(text: bytes) -> list[bytes]:
    """A text cut behind each byte."""
    return [text[at : at + 1] for at in range(len(text))]


def every_cut(text: bytes) -> list[tuple[bytes, ...]]:
    """Whole, byte by byte, and cut in two at every position."""
    cuts = [(text[:at], text[at:]) for at in range(1, len(text))]
    return [(text,), tuple(single_bytes(text)), *cuts]


def in_two(runs: list[Run]) -> Iterator[Feeding]:
    """All runs of one side cut at one position, for every side and position."""
    for side in (True, False):
        for at in range(1, max(len(text) for _, text in runs)):
            if any(from_client is side and at < len(text) for from_client, text in runs):
                yield [
                    (who, [text[:at], text[at:]] if who is side and at < len(text) else [text])
                    for who, text in runs
                ]


CUTS: dict[str, Callable[[list[Run]], Iterator[Feeding]]] = {
    "line by line": lambda runs: iter([[(who, lines(text)) for who, text in runs]]),
    "whole": lambda runs: iter([[(who, [text]) for who, text in runs]]),
    "byte by byte": lambda runs: iter([[(who, single_bytes(text)) for who, text in runs]]),
    "in two": in_two,
}

_WAITED_FOR = re.compile(rb"(?m)^(220|334|354)[ \r]")
"""Replies that say what the client's next bytes are."""


def in_turn(turns: tuple[Turn, ...]) -> list[Run]:
    """Each side waits for the other."""
    return [(turn.from_client, turn.sent) for turn in turns]


def pipelined(turns: tuple[Turn, ...]) -> list[Run]:
    """The client sends all that it may without waiting, the server replies to all of it at once."""
    runs: list[Run] = []
    asked = replied = b""
    for turn in turns:
        if turn.from_client:
            asked += turn.sent
        else:
            replied += turn.sent
        if turn is turns[-1] or (not turn.from_client and _WAITED_FOR.search(turn.sent)):
            runs += [(who, text) for who, text in ((True, asked), (False, replied)) if text]
            asked = replied = b""
    return runs


PACES = {"in turn": in_turn, "pipelined": pipelined}


def every_way(cases: Sequence[Case]) -> pytest.MarkDecorator:
    """Parameters of a test that hands them to `feed`: all ways to feed each of these cases."""
    ways = product(cases, PACES, CUTS, (False, True))
    return pytest.mark.parametrize(
        ("case", "pace", "cut", "stream"),
        [
            pytest.param(*way, id=f"{way[0]}, {way[1]}, {way[2]}, {'stream' if way[3] else 'row'}")
            for way in ways
        ],
    )


# ---- feeding ----


def feed(case: Case, pace: str, cut: str, stream: bool) -> None:
    """Feed a case to the firewall in one way, and see that what arrives is right.

    Args:
        case: the case.
        pace: one of `PACES`.
        cut: one of `CUTS`.
        stream: whether under `segmentation: stream`, else under the release's own row.
    """
    written = (pace, cut) == ("in turn", "line by line") or (stream and not case.cut_shows)
    for feeding in CUTS[cut](PACES[pace](case.turns)):
        got = _play(case, stream, feeding)
        if written:
            _same(got, case.arriving(stream), feeding)


def _play(case: Case, stream: bool, feeding: Feeding) -> tuple[bytes, bytes]:
    """Feed one cut of a case to the firewall and to the model, which must agree at each turn.

    Returns:
        what the server and the client got in all.
    """
    wire, model = Wire(case.traits(stream)).handshake(), case.model(stream)
    got = (b"", b"")
    for from_client, pieces in feeding:
        if from_client:
            stuck = not _ask(wire, model, pieces)
        else:
            stuck = False
            for piece in pieces:
                wire.server(piece)
                model.reply(piece)
        got = (wire.received(True), wire.received(False))
        _same(got, (model.forwarded, model.to_client), feeding)
        if stuck or model.over:
            break
        _check_acknowledgements(wire, from_client)
    if model.over:
        resets = [seen.from_client for seen in wire.seen if seen.flags & RST]
        assert sorted(resets) == ([False, True] if case.resets else []), feeding
        assert not wire.segment(True, wire.client_sent, b"NOOP x\r\n").forward
        assert not wire.server(b"250 ok\r\n").forward
    return got


def _ask(wire: Wire, model: Model, pieces: list[bytes]) -> bool:
    """The client sends segments, and in one piece what of them was dropped with all behind it.

    Returns:
        whether it gets rid of them.
    """
    dropped = b""
    for piece in pieces:
        if dropped:
            assert not wire.segment(True, wire.client_sent + len(dropped), piece).forward, pieces
            dropped += piece
        elif not _send(wire, model, piece):
            dropped = piece
    return not dropped or _send(wire, model, dropped)


def _send(wire: Wire, model: Model, piece: bytes) -> bool:
    forwarded = model.segment(piece)
    assert wire.segment(True, wire.client_sent, piece).forward is forwarded, piece
    wire.client_sent += len(piece) * forwarded
    return forwarded


def _same(got: tuple[bytes, bytes], expected: tuple[bytes, bytes], feeding: Feeding) -> None:
    for end, arrived, right in zip(("server", "client"), got, expected, strict=True):
        assert arrived == right, f"the {end} gets {arrived!r}, not {right!r}, of {feeding}"


def _check_acknowledgements(wire: Wire, from_client: bool) -> None:
    """All that left the side that spoke last acknowledges what the other has sent, no more."""
    start, sent = (
        (SERVER_START, wire.server_sent) if from_client else (CLIENT_START, wire.client_sent)
    )
    told = [
        (seen.ack - start - 1) % (1 << 32) for seen in wire.seen if seen.from_client is from_client
    ]
    assert max(told) == told[-1] == sent, told


# ---- for examples with a shape of their own ----


def unmade(of: type[T]) -> T:
    """An object without any of its attributes: whatever uses it fails, compiled or not."""
    return of.__new__(of)


def greeted(name: str, **traits: object) -> Wire:
    """A connection whose greeting is through."""
    wire = Wire(replace(RELEASES[name], **traits)).handshake()  # type: ignore[arg-type]
    wire.server(b"220 x\r\n")
    return wire


def said(wire: Wire, from_client: bool, *pieces: bytes) -> bytes:
    """What arrives of bytes that one end sends in these segments."""
    before = len(wire.received(from_client))
    for piece in pieces:
        (wire.client if from_client else wire.server)(piece)
    return wire.received(from_client)[before:]
