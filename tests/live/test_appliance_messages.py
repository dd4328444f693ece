"""What supervisor and workers say to each other, and what they refuse to hear."""

from __future__ import annotations

import selectors
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.box import Box
from appliance.config.load import load_configuration
from appliance.errors import PixguardError
from appliance.live.counters import Counters, Usage
from appliance.live.messages import (
    MAX_WAITING,
    Channel,
    Configure,
    Configured,
    Count,
    Failed,
    Faulted,
    HandOver,
    LogLine,
    Message,
    Recorded,
    Stop,
)

RULES = Path(__file__).parents[2] / "rules" / "pix-6.3.conf"


@pytest.fixture
def ends() -> Iterator[tuple[Channel, Channel, socket.socket]]:
    one, other = socket.socketpair()
    yield Channel(one), Channel(other), one
    one.close()
    other.close()


def test_every_message_arrives_as_it_was(ends: tuple[Channel, Channel, socket.socket]) -> None:
    near, far, _ = ends
    configuration = load_configuration(RULES)
    box = Box(interfaces=(("outside", "eth0"),), log=Path("/tmp/log"), release="6.2")  # noqa: S108
    messages: list[Message] = [
        Configure(box, configuration, 7),
        Configured(),
        Failed("why"),
        LogLine("a \x1b line\r\n\N{SNOWMAN}"),
        Recorded({"time": 1.0, "offset": 5, "original": "\x00\xff\n"}),
        Faulted("Traceback\n", "4500", ""),
        Count(Counters(packets=3, events={"adopted": 1}), Usage(connections=2, held=1460)),
        HandOver(),
        Stop(),
    ]
    for message in messages:
        assert near.send(message)
    assert list(far.receive()) == messages


@given(st.lists(st.binary(max_size=200)))
def test_what_is_no_message_is_refused(chunks: list[bytes]) -> None:
    one, other = socket.socketpair()
    channel = Channel(other)
    one.sendall(b"\n".join(chunks) + b"\n")
    with one, other, pytest.raises(PixguardError, match="not a message"):
        list(channel.receive())


@pytest.mark.parametrize(
    "line",
    [
        b'{"kind":"log-line"}',
        b'{"kind":"log-line","text":5}',
        b'{"kind":"log-line","text":"a","more":1}',
        b'{"kind":"recorded","fields":{"time":[1]}}',
        b'{"kind":"recorded","fields":{"time":null}}',
        b'{"kind":"recorded","fields":"text"}',
        b'{"kind":"count","counters":{"packets":"many"}}',
        b'{"kind":"unheard-of"}',
        b"[]",
        b"null",
    ],
)
def test_messages_of_another_shape_are_refused(
    ends: tuple[Channel, Channel, socket.socket], line: bytes
) -> None:
    _, far, raw = ends
    raw.sendall(line + b"\n")
    with pytest.raises(PixguardError, match="not a message"):
        list(far.receive())


def test_a_message_may_come_in_pieces(ends: tuple[Channel, Channel, socket.socket]) -> None:
    _, far, raw = ends
    for byte in b'{"kind":"stop"}':
        raw.sendall(bytes((byte,)))
        assert list(far.receive()) == []
    raw.sendall(b"\n")
    assert list(far.receive()) == [Stop()]


def test_a_side_that_does_not_read_never_blocks_the_other(
    ends: tuple[Channel, Channel, socket.socket],
) -> None:
    near, far, _ = ends
    line = LogLine("x" * 10_000)
    taken = 0
    while near.send(line):
        taken += 1
        assert taken * 10_000 < 100 * MAX_WAITING
    assert near.awaited == selectors.EVENT_READ | selectors.EVENT_WRITE
    heard = 0
    while heard < taken:
        heard += sum(1 for _ in far.receive())
        near.flush()
    assert heard == taken
    assert near.send(line)


def test_the_end_of_the_other_side_is_noticed() -> None:
    one, other = socket.socketpair()
    channel = Channel(one)
    other.close()
    assert list(channel.receive()) == []
    assert channel.ended
    channel.send(Stop())
    assert channel.awaited == selectors.EVENT_READ
    one.close()


counters = st.builds(
    Counters,
    packets=st.integers(0, 9),
    edited=st.integers(0, 9),
    events=st.dictionaries(st.sampled_from(["a", "b"]), st.integers(1, 9)),
)


@given(counters, counters)
def test_counters_add_up(one: Counters, other: Counters) -> None:
    total = one + other
    assert total.packets == one.packets + other.packets
    assert total.edited == one.edited + other.edited
    assert sum(total.events.values()) == sum(one.events.values()) + sum(other.events.values())
    assert total == other + one
    assert one + Counters() == one
