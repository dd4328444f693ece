from __future__ import annotations

from ipaddress import IPv4Address

import pytest

from appliance.admission import Admit
from appliance.events import (
    ConnectionBuilt,
    Denial,
    Direction,
    Endpoint,
    Flow,
    Inspected,
    Kind,
    PacketDenied,
    Report,
)
from appliance.replay import passage as module
from appliance.replay.capture import Frame
from appliance.replay.checksums import Checksums, Judge, with_tcp_sum
from appliance.replay.connections import Connections
from appliance.replay.open_policy import OpenPolicy
from appliance.replay.passage import Passage
from appliance.smtp.release import RELEASES
from appliance.syslog import Syslog
from appliance.verdict import DROP, FORWARD, Verdict
from tests.replay.packets import (
    ACK,
    CLIENT,
    ETHERNET,
    SERVER,
    Talk,
    ipv4,
    ones_sum,
    pseudo_sum,
    tcp,
)

BACK = ETHERNET[6:12] + ETHERNET[:6] + ETHERNET[12:]
DATA = tcp(CLIENT, SERVER, 1001, 9001, ACK, b"VRFY root\r\n")
REPLY = tcp(SERVER, CLIENT, 9001, 1012, ACK, b"500 what?\r\n")
RELEASE = RELEASES["6.3"]


class Engine:
    """Stands in for the firewall: plays verdicts, remembers what it was given."""

    def __init__(self) -> None:
        self.verdicts: list[Verdict] = []
        self.given: list[tuple[bytes, float]] = []
        self.expired: list[float] = []
        self.timely: tuple[bytes, ...] = ()
        self.closed: list[float] = []
        self.report: Report = print
        self.event: ConnectionBuilt | Inspected | PacketDenied | None = None

    def __call__(self, admit: Admit, report: Report, recorded: bool) -> Engine:
        assert recorded
        self.report = report
        return self

    def receive(self, packet: bytes, now: float) -> Verdict:
        self.given.append((packet, now))
        if self.event:
            self.report(self.event)
        return self.verdicts.pop(0) if self.verdicts else FORWARD

    def expire(self, now: float) -> tuple[bytes, ...]:
        self.expired.append(now)
        return self.timely

    def close(self, now: float) -> None:
        self.closed.append(now)


class Sink:
    def __init__(self) -> None:
        self.frames: list[tuple[int, int, bytes]] = []

    def write(self, time: int, link: int, data: bytes) -> None:
        self.frames.append((time, link, data))

    @property
    def data(self) -> list[bytes]:
        return [data for _, _, data in self.frames]


class Bench:
    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.engine = Engine()
        monkeypatch.setattr(module, "Firewall", self.engine)
        self.sink = Sink()
        self.connections = Connections(Syslog("PIX", RELEASE), streams=True)
        judge = Judge(Checksums.AUTO, frozenset[bytes])
        self.passage = Passage(OpenPolicy(RELEASE).admit, self.connections, judge, self.sink)
        self.tally = self.passage.tally
        self._number = 0

    def receive(self, data: bytes, seconds: float = 0, link: int = 1, length: int = 0) -> None:
        self._number += 1
        time = round(seconds * 1_000_000_000)
        self.passage.receive(Frame(self._number, time, link, data, length or len(data)))


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Bench:
    return Bench(monkeypatch)


def test_forwarded_as_it_came_with_its_padding(bench: Bench) -> None:
    bench.receive(ETHERNET + DATA + b"\1\2\3", 1.5)
    assert bench.sink.frames == [(1_500_000_000, 1, ETHERNET + DATA + b"\1\2\3")]
    assert bench.engine.given == [(DATA, 1.5)]
    assert (bench.tally.read, bench.tally.forwarded, bench.tally.edited) == (1, 1, 0)


def test_edited(bench: Bench) -> None:
    edited = DATA.replace(b"VRFY", b"XXXX")
    bench.engine.verdicts = [Verdict(True, edited), Verdict(True, DATA)]
    bench.receive(ETHERNET + DATA)
    bench.receive(ETHERNET + DATA)
    assert bench.sink.data == [ETHERNET + edited, ETHERNET + DATA]
    assert (bench.tally.forwarded, bench.tally.edited) == (2, 1)


def test_an_edited_packet_does_not_keep_what_stood_in_the_padding(bench: Bench) -> None:
    short = tcp(CLIENT, SERVER, 1, 1, ACK, b"KILL")
    edited = short.replace(b"KILL", b"XXXX")
    bench.engine.verdicts = [Verdict(True, edited)]
    bench.receive(ETHERNET + short + b"\xee\xee")
    assert bench.sink.data == [ETHERNET + edited + b"\0\0"]


def test_dropped_and_held(bench: Bench) -> None:
    bench.engine.verdicts = [DROP]
    bench.receive(ETHERNET + DATA)
    end = Endpoint("", IPv4Address("192.0.2.9"), 40001, IPv4Address("192.0.2.9"), 40001)
    bench.engine.event = PacketDenied(0, Denial.NO_CONNECTION, 6, end, end)
    bench.engine.verdicts = [DROP]
    bench.receive(ETHERNET + DATA)
    flow = Flow(1, end, end, True, "6.3")
    bench.engine.event = Inspected(
        0, Kind.SEGMENT_DROPPED, flow, Direction.TO_SERVER, 0, detail="outside the window"
    )
    bench.engine.verdicts = [DROP]
    bench.receive(ETHERNET + DATA)
    assert bench.sink.data == []
    assert bench.tally.held == 1
    assert bench.tally.dropped == {
        "106015 no connection": 1,
        "segment-dropped: outside the window": 1,
    }


def test_released_packets_follow_with_the_link_header_of_their_own_direction(
    bench: Bench,
) -> None:
    tagged = ETHERNET[:12] + bytes.fromhex("8100000b0800")
    bench.engine.verdicts = [DROP, FORWARD, Verdict(True, None, (DATA, REPLY))]
    bench.receive(tagged + DATA, 1)
    bench.receive(BACK + REPLY, 2)
    bench.receive(tagged + DATA, 3)
    assert bench.sink.frames[1:] == [
        (3_000_000_000, 1, tagged + DATA),
        (3_000_000_000, 1, tagged + DATA),
        (3_000_000_000, 1, BACK + REPLY),
    ]
    assert (bench.tally.held, bench.tally.released) == (1, 2)


def test_what_the_timers_send_is_written_before_the_packet_that_came(bench: Bench) -> None:
    bench.receive(ETHERNET + DATA, 1)
    bench.engine.timely = (REPLY,)
    bench.receive(ETHERNET + DATA, 1.5)  # too early for the timers
    bench.receive(ETHERNET + DATA, 2)
    assert [data for time, _, data in bench.sink.frames if time >= 2e9] == [
        BACK + REPLY,
        ETHERNET + DATA,
    ]
    assert bench.sink.frames[-2][0] == 2_000_000_000
    assert bench.tally.released == 1


def test_what_the_firewall_sends_is_in_the_transcript(bench: Bench) -> None:
    """By its timers, and with a packet that it took in itself."""
    end = Endpoint("", IPv4Address("192.0.2.9"), 40001, IPv4Address("192.0.2.9"), 40001)
    flow = Flow(1, end, end, True, "6.3")
    bench.engine.event = ConnectionBuilt(0, flow)
    bench.engine.verdicts = [Verdict(False, None, (REPLY,))]
    bench.receive(ETHERNET + DATA, 1)
    bench.engine.event = None
    bench.engine.timely = (tcp(SERVER, CLIENT, 9012, 1012, ACK, b"250 OK\r\n"),)
    bench.receive(ETHERNET + tcp(CLIENT, SERVER, 1012, 9020), 2)
    (connection,) = bench.connections.all
    assert connection.received.to_client.data == b"500 what?\r\n250 OK\r\n"
    assert connection.received.to_server.data == b""
    assert connection.sent.to_client.data == b""
    assert connection.sent.to_server.data == b"VRFY root\r\n"


def test_only_segments_count_as_heard_of_an_end(bench: Bench) -> None:
    """Not what the firewall could not read, nor other protocols between the same ports."""
    end = Endpoint("", IPv4Address("192.0.2.9"), 40001, IPv4Address("192.0.2.9"), 40001)
    bench.engine.event = ConnectionBuilt(0, Flow(1, end, end, True, "6.3"))
    bench.receive(DATA, link=101)
    bench.engine.event = None
    (connection,) = bench.connections.all
    bench.engine.verdicts = [DROP, FORWARD]
    malformed = ipv4(SERVER[0], CLIENT[0], with_tcp_sum(REPLY[:32] + b"\x40" + REPLY[33:])[20:])
    bench.receive(malformed, link=101)
    bench.receive(ipv4(SERVER[0], CLIENT[0], REPLY[20:], protocol=17), link=101)
    assert (bench.tally.dropped.total(), bench.tally.forwarded) == (1, 2)
    assert len(connection.seen) == 1
    assert connection.sent.to_client.data == connection.received.to_client.data == b""
    bench.engine.verdicts = [DROP]  # held
    bench.receive(REPLY, link=101)
    assert len(connection.seen) == 2
    assert connection.sent.to_client.data == b"500 what?\r\n"
    assert connection.received.to_client.data == b""


def test_a_packet_of_a_direction_never_seen_gets_the_header_of_the_way_back(bench: Bench) -> None:
    bench.engine.verdicts = [Verdict(False, None, (REPLY,))]
    bench.receive(ETHERNET + DATA)
    assert bench.sink.data == [BACK + REPLY]


def test_a_packet_of_a_flow_never_seen_gets_the_header_of_the_one_that_came(bench: Bench) -> None:
    other = tcp(("203.0.113.1", 1), ("203.0.113.2", 2), 1)
    bench.engine.verdicts = [Verdict(True, None, (other,))]
    bench.receive(ETHERNET + DATA)
    assert bench.sink.data == [ETHERNET + DATA, ETHERNET + other]


def test_remembered_headers_are_bounded(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_HEADERS", 1)
    other = tcp(("203.0.113.1", 1), ("203.0.113.2", 2), 1)
    bench.receive(ETHERNET + DATA)
    bench.engine.verdicts = [Verdict(True, None, (DATA,))]
    bench.receive(BACK + other)
    assert bench.sink.data[-1] == BACK + DATA


def test_time_never_decreases_for_the_firewall(bench: Bench) -> None:
    for seconds in (5, 3, 5.5, 6, 4, 7.25):
        bench.receive(ETHERNET + DATA, seconds)
    bench.passage.close()
    assert [now for _, now in bench.engine.given] == [5, 5, 5.5, 6, 6, 7.25]
    assert [time / 1e9 for time, _, _ in bench.sink.frames] == [5, 3, 5.5, 6, 4, 7.25]
    assert bench.engine.expired == [5, 6, 7.25]
    assert bench.engine.closed == [7.25]


def test_what_does_not_reach_the_firewall(bench: Bench) -> None:
    wrong = DATA[:36] + b"\xab\xcd" + DATA[38:]
    bench.receive(ETHERNET[:12] + b"\x08\x06" + bytes(28))
    bench.receive(ETHERNET[:12] + b"\x86\xdd\x60" + bytes(40))
    bench.receive(ETHERNET + DATA[:30], length=len(ETHERNET + DATA))
    bench.receive(ETHERNET + b"\x44" + DATA[1:])
    bench.receive(ETHERNET + wrong)
    bench.receive(DATA, link=147)
    assert bench.engine.given == []
    assert bench.sink.data == []
    assert bench.tally.read == 6
    assert bench.tally.dropped == {
        "not IPv4": 2,
        "cut by the snap length": 1,
        "malformed IPv4 header": 1,
        "wrong checksum": 1,
        "link type not read": 1,
    }
    assert {loss.name: first for loss, first in bench.tally.first_lost.items()} == {
        "NOT_IPV4": 1,
        "CUT": 3,
        "MALFORMED": 4,
        "CHECKSUM": 5,
        "LINK": 6,
    }


def test_offloaded_sums_are_completed(bench: Bench) -> None:
    offloaded = DATA[:2] + b"\0\0" + DATA[4:10] + b"\0\0" + DATA[12:36]
    offloaded += pseudo_sum(DATA).to_bytes(2) + DATA[38:]
    bench.receive(ETHERNET + offloaded)
    assert bench.engine.given[0][0] == DATA
    assert bench.sink.data == [ETHERNET + DATA]


def fragments(packet: bytes) -> list[bytes]:
    data = packet[20:]
    return [
        ipv4(CLIENT[0], SERVER[0], data[:24], fragment=0x2000),
        ipv4(CLIENT[0], SERVER[0], data[24:], fragment=3),
    ]


def test_fragments_reach_the_firewall_whole_and_leave_as_they_came(bench: Bench) -> None:
    for part in fragments(DATA):
        bench.receive(ETHERNET + part + b"\0\0")
    assert [packet for packet, _ in bench.engine.given] == [DATA]
    assert bench.sink.data[0].startswith(ETHERNET + fragments(DATA)[0])
    assert bench.sink.data[1] == ETHERNET + fragments(DATA)[1] + b"\0\0"
    assert (bench.tally.read, bench.tally.forwarded) == (2, 2)


def test_an_edited_packet_leaves_in_fragments(bench: Bench) -> None:
    edited = DATA.replace(b"root", b"XXXX")
    bench.engine.verdicts = [Verdict(True, edited)]
    for part in fragments(DATA):
        bench.receive(ETHERNET + part)
    assert b"".join(data[34:] for data in bench.sink.data) == edited[20:]
    assert all(ones_sum(data[14:34]) == 0xFFFF for data in bench.sink.data)
    assert bench.tally.edited == 2


def test_a_wrong_sum_in_fragments_is_found(bench: Bench) -> None:
    for part in fragments(DATA[:36] + b"\xab\xcd" + DATA[38:]):
        bench.receive(ETHERNET + part)
    assert bench.engine.given == []
    assert bench.tally.dropped == {"wrong checksum": 2}


def test_fragments_without_the_rest_are_counted(bench: Bench) -> None:
    bench.receive(ETHERNET + fragments(DATA)[0])
    bench.passage.close()
    assert bench.tally.dropped == {"fragment without the rest": 1}


def test_other_protocols_go_through(bench: Bench) -> None:
    datagram = ipv4("192.0.2.9", "198.51.100.5", bytes(12), protocol=17)
    bench.receive(datagram, link=101)
    assert bench.sink.frames == [(0, 101, datagram)]


def test_without_a_sink(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "Firewall", Engine())
    connections = Connections(Syslog("PIX", RELEASE), streams=False)
    judge = Judge(Checksums.AUTO, frozenset[bytes])
    passage = Passage(OpenPolicy(RELEASE).admit, connections, judge, None)
    passage.receive(Frame(1, 0, 101, Talk().open().packets[0], 40))
    passage.receive(Frame(2, 0, 101, Talk().open().packets[1], 40))
    assert passage.tally.forwarded == 2


def test_a_packet_that_the_firewall_cannot_read_is_not_held(bench: Bench) -> None:
    bench.engine.verdicts = [DROP]
    bench.receive(ETHERNET + ipv4(CLIENT[0], SERVER[0], bytes(19)))
    assert bench.tally.held == 0
    assert bench.tally.dropped == {"malformed transport header": 1}


def test_every_denial_has_words_for_the_summary(bench: Bench) -> None:
    end = Endpoint("", IPv4Address("192.0.2.9"), 40001, IPv4Address("192.0.2.9"), 40001)
    for reason in Denial:
        bench.engine.event = PacketDenied(0, reason, 6, end, end)
        bench.engine.verdicts = [DROP]
        bench.receive(ETHERNET + DATA)
    assert {text.split()[0] for text in bench.tally.dropped} == {each.value for each in Denial}
    assert all(len(text.split()) > 1 for text in bench.tally.dropped)


def test_every_denial_has_a_reason_in_the_tally() -> None:
    assert set(module._DENIALS) == set(Denial)
