"""Lines left out of the log: how many, of which message, and what they cost no more."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from dataclasses import replace
from io import BytesIO
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.box import Box
from appliance.config.load import load_configuration
from appliance.config.model import Configuration, Logging
from appliance.events import (
    Closing,
    ConnectionBuilt,
    ConnectionClosed,
    Denial,
    Direction,
    Endpoint,
    Event,
    Fault,
    Flow,
    Inspected,
    Kind,
    PacketDenied,
    Phase,
)
from appliance.live.framing import Message
from appliance.live.messages import Channel, Configure, LogLine, Recorded
from appliance.live.rate import LIMIT, Limit, LineRate
from appliance.live.record import source
from appliance.live.worker import Worker
from appliance.smtp.release import RELEASES
from appliance.syslog import Syslog
from tests.namespaces import Network, needs_namespaces

RULES = Path(__file__).parents[2] / "rules" / "pix-6.3.conf"
NEAR = IPv4Address("203.0.113.10")
FAR = IPv4Address("203.0.113.5")
OUTSIDE = Endpoint("outside", NEAR, 40000, NEAR, 40000)
INSIDE = Endpoint("inside", IPv4Address("10.1.1.5"), 25, FAR, 25)
FLOW = Flow(1, OUTSIDE, INSIDE, inbound=True, inspected="6.3")
MANY = 3 * LIMIT.lines

SECONDS = st.floats(0, 20, allow_nan=False)
LIMITS = st.builds(Limit, st.integers(1, 20), st.floats(0.1, 10))


@given(LIMITS, st.lists(SECONDS, max_size=200))
def test_no_time_sees_more_lines_than_it_may(limit: Limit, times: list[float]) -> None:
    rate = LineRate(limit)
    written = [now for now in sorted(times) if rate.admits("a", now)]
    for first, begin in enumerate(written):
        for last in range(first, len(written)):
            most = limit.lines * (1 + (written[last] - begin) / limit.seconds)
            assert last - first + 1 <= most + 1e-6


@given(LIMITS, st.lists(st.tuples(st.sampled_from("abc"), SECONDS)))
def test_every_line_is_written_or_counted(limit: Limit, asked: list[tuple[str, float]]) -> None:
    rate = LineRate(limit)
    written = sum(rate.admits(name, now) for name, now in asked)
    assert written + sum(rate.left_out().values()) == len(asked)
    assert rate.left_out() == {}


@given(LIMITS, st.integers(0, 300))
def test_lines_within_the_rate_are_all_written(limit: Limit, number: int) -> None:
    rate = LineRate(limit)
    apart = limit.seconds / limit.lines
    assert all(rate.admits("a", 1000 + each * apart * 1.001) for each in range(number))


def test_names_do_not_share() -> None:
    rate = LineRate(Limit(1, 1.0))
    assert [rate.admits(name, 1.0) for name in "aab"] == [True, False, True]
    assert rate.left_out() == {"a": 1}


def test_a_clock_set_back_gives_nothing() -> None:
    rate = LineRate(Limit(2, 1.0))
    assert [rate.admits("a", now) for now in (10.0, 10.0, 5.0, 10.0, 10.5)] == [
        *(True, True, False, False, True)
    ]


def test_heavy_mail_is_within_the_limit() -> None:
    # Five times the sessions that a worker has in a second, all ending together every second.
    rate = LineRate(LIMIT)
    assert all(rate.admits("message 302014", second) for second in range(30) for _ in range(1000))


def denied(now: float) -> PacketDenied:
    return PacketDenied(now, Denial.NO_CONNECTION, 6, OUTSIDE, INSIDE, flags=2)


def blocked(now: float) -> Inspected:
    return Inspected(now, Kind.COMMAND_BLOCKED, FLOW, Direction.TO_SERVER, 0, b"V\r\n", b"X\r\n")


@pytest.mark.parametrize("release", RELEASES.values(), ids=RELEASES)
@pytest.mark.parametrize("product", ["PIX", "ASA"])
def test_what_an_event_comes_from_decides_its_message(product: str, release: object) -> None:
    syslog = Syslog(product, next(each for each in RELEASES.values() if each is release))
    flows = (FLOW, replace(FLOW, inbound=False, server=OUTSIDE, client=INSIDE))
    ways = tuple(Direction)
    events: list[Event] = [
        *(ConnectionBuilt(0, flow) for flow in flows),
        *(
            ConnectionClosed(0, flow, closing, by_client, 4000.0, 9, phase)
            for flow in flows
            for closing in Closing
            for by_client in (False, True)
            for phase in Phase
        ),
        *(
            PacketDenied(0, reason, protocol, OUTSIDE, INSIDE, "list", flags)
            for reason in Denial
            for protocol in (1, 6, 17, 47)
            for flags in (0, 2, 0x800)
        ),
        *(
            Inspected(0, kind, flow, way, 0, original, b"X", "detail")
            for kind in Kind
            for flow in flows
            for way in ways
            for original in (b"", b"VRFY a\r\n", b"\xff")
        ),
        Fault(0, FLOW, b"", "", b""),
    ]
    drawn: dict[object, set[tuple[int, int] | None]] = {}
    for event in events:
        text = syslog.message(event)
        message = Message.parse(text) if text is not None else None
        assert (message is None) == (text is None)
        number = (message.severity, message.number) if message else None
        drawn.setdefault(source(event), set()).add(number)
    assert {len(numbers) for numbers in drawn.values()} == {1}


class Bench:
    """A worker in a namespace, which writes lines and records, and its supervisor's end."""

    def __init__(self, network: Network) -> None:
        own, its = socket.socketpair()
        self._channel = Channel(own)
        self._its = Channel(its)
        self.box = Box(interfaces=(("outside", "eth0"),), json_log=Path("events"))
        self.worker = network.namespace("machine").call(
            Worker, self._its, 2500, self.box, BytesIO()
        )
        self.configuration = load_configuration(RULES)
        self.configure(self.configuration)

    def configure(self, configuration: Configuration) -> None:
        self.worker.configure(Configure(self.box, configuration, 2500))

    def said(self) -> tuple[list[str], list[object]]:
        """The lines and the kinds of records that came since the last call."""
        lines, kinds = [], []
        more = True
        while more:
            more = self._its.awaited & 2 > 0
            self._its.flush()
            for message in self._channel.receive():
                if isinstance(message, LogLine):
                    lines.append(message.text)
                elif isinstance(message, Recorded):
                    kinds.append(message.fields["kind"])
        return lines, kinds

    @property
    def suppressed(self) -> int:
        return self.worker._counters.suppressed_lines

    def close(self) -> None:
        self.worker._queue.close()
        self.worker._sender.close()
        self._its.close()
        self._channel.close()


@pytest.fixture
def bench() -> Iterator[Bench]:
    with Network() as network:
        made = Bench(network)
        yield made
        made.close()


@needs_namespaces
def test_a_flood_of_one_message_is_cut_counted_and_told(bench: Bench) -> None:
    lines: list[str] = []
    kinds: list[object] = []
    for number in range(MANY):
        bench.worker._report(denied(1000.0))
        if number % 500 == 0:
            more_lines, more_kinds = bench.said()
            lines += more_lines
            kinds += more_kinds
    bench.worker._report(ConnectionBuilt(1000.0, FLOW))
    more_lines, more_kinds = bench.said()
    lines += more_lines
    kinds += more_kinds
    assert sum("-106015: " in line for line in lines) == LIMIT.lines
    assert kinds.count("packet-denied") == LIMIT.lines
    assert "-302013: Built" in lines[-1]
    assert kinds[-1] == "connection-built"
    assert bench.suppressed == MANY - LIMIT.lines
    assert bench.worker._counters.lost_lines == 0
    assert bench.worker._counters.events["packet-denied"] == MANY
    bench.worker._tell_left_out()
    bench.worker._tell_left_out()
    assert bench.said() == (
        [
            "pixguard: message 106015 came more than 2,000 times in a second; "
            "left out of the log: 4,000"
        ],
        [],
    )
    bench.worker._report(denied(1001.0))
    ((line,), _) = bench.said()
    assert "-106015: " in line


@needs_namespaces
def test_records_without_a_message_are_cut_by_their_kind(bench: Bench) -> None:
    for number in range(MANY):
        bench.worker._report(blocked(1000.0))
        if number % 500 == 0:
            bench.said()
    assert bench.suppressed == MANY - LIMIT.lines
    bench.worker._tell_left_out()
    (*_, line), _ = bench.said()
    assert line.startswith("pixguard: command-blocked came more than 2,000 times in a second; ")


@needs_namespaces
def test_a_message_that_is_left_out_is_not_formed(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    formed = []
    message = Syslog.message
    monkeypatch.setattr(
        Syslog, "message", lambda self, event: (formed.append(event), message(self, event))[1]
    )
    for _ in range(MANY):
        bench.worker._report(denied(1000.0))
    # And once, to see which message it is.
    assert len(formed) == LIMIT.lines + 1


@needs_namespaces
def test_what_nobody_takes_is_not_limited_and_a_reload_is_heeded(bench: Bench) -> None:
    bench.worker._records = False
    quiet = replace(bench.configuration, logging=Logging(on=False, levels=()))
    bench.configure(quiet)
    for _ in range(MANY):
        bench.worker._report(denied(1000.0))
    assert bench.said() == ([], [])
    assert bench.suppressed == 0
    bench.configure(bench.configuration)
    bench.worker._report(denied(1000.0))
    ((line,), _) = bench.said()
    assert "-106015: " in line


@needs_namespaces
def test_failures_of_the_engine_are_limited_too(bench: Bench) -> None:
    for number in range(MANY):
        bench.worker._fault("Traceback: a fault")
        if number % 500 == 0:
            bench.said()
    assert bench.worker._counters.faults == MANY
    assert bench.suppressed > 0
    bench.worker._tell_left_out()
    (*_, line), _ = bench.said()
    assert line.startswith("pixguard: a failure of the engine came more than 2,000 times")
