"""What an engine may take of memory, and what a fault of its own costs."""

from __future__ import annotations

import pytest

from appliance import flows
from appliance.events import (
    Closing,
    ConnectionBuilt,
    ConnectionClosed,
    Denial,
    Fault,
    Inspected,
    Kind,
    PacketDenied,
    Phase,
)
from appliance.smtp.inspector import Inspector
from appliance.smtp.release import RELEASES
from appliance.tcp import own, stream
from appliance.verdict import DROP, FORWARD
from tests.engine.feeding import greeted, unmade
from tests.wire import ACK, CLIENT_START, SERVER_START, SYN, Wire, packet


def opened(wire: Wire, port: int) -> None:
    wire.give(packet(True, 0, 0, SYN, ports=(port, 25)))


def established(wire: Wire, port: int) -> None:
    opened(wire, port)
    wire.give(packet(False, 0, 1, SYN | ACK, ports=(port, 25)))
    wire.give(packet(True, 1, 1, ACK, ports=(port, 25)))


def closed(wire: Wire) -> list[ConnectionClosed]:
    return [event for event in wire.events if isinstance(event, ConnectionClosed)]


def refusals(wire: Wire) -> list[str]:
    return [
        event.detail
        for event in wire.events
        if isinstance(event, Inspected) and event.kind is Kind.SEGMENT_DROPPED
    ]


def test_the_oldest_embryonic_connection_gives_way(monkeypatch):
    monkeypatch.setattr(flows, "EMBRYONIC", 10)
    wire = Wire()
    established(wire, 1000)
    for port in range(2000, 2012):
        opened(wire, port)
    assert wire.firewall.flows == 11
    gone = closed(wire)
    assert [event.flow.client.port for event in gone] == [2000, 2001]
    assert {(event.closing, event.phase) for event in gone} == {(Closing.TIMEOUT, Phase.EMBRYONIC)}
    assert wire.give(packet(True, 1, 1, ACK, b"NOOP\r\n", ports=(1000, 25))) is FORWARD
    assert wire.give(packet(False, 0, 1, SYN | ACK, ports=(2000, 25))) is DROP
    assert wire.give(packet(False, 0, 1, SYN | ACK, ports=(2011, 25))) is FORWARD


def test_a_connection_begun_anew_is_as_young_as_its_last_beginning(monkeypatch):
    monkeypatch.setattr(flows, "EMBRYONIC", 3)
    wire = Wire()
    for port in (2000, 2001, 2002):
        opened(wire, port)
    wire.give(packet(True, 777, 0, SYN, ports=(2000, 25)))
    opened(wire, 2003)
    assert [event.flow.client.port for event in closed(wire)] == [2000, 2001]


def test_a_full_table_refuses_new_connections(monkeypatch):
    monkeypatch.setattr(flows, "FLOWS", 3)
    wire = Wire()
    for port in range(2000, 2005):
        established(wire, port)
    assert wire.firewall.flows == 3
    reasons = [event.reason for event in wire.events if isinstance(event, PacketDenied)]
    assert reasons.count(Denial.NO_ROOM) == 2
    assert wire.give(packet(True, 1, 1, ACK, b"NOOP\r\n", ports=(2000, 25))) is FORWARD


def test_what_is_remembered_in_all_is_bounded(monkeypatch):
    monkeypatch.setattr(stream, "REMEMBERED_IN_ALL", 5000)
    wire = greeted("6.3")
    for _ in range(10):
        wire.segment(True, wire.client_sent, b"NOOP\r\n" * 100, ack=SERVER_START + 8)
        wire.client_sent += 600
    assert wire.firewall.room.remembered <= 5000
    assert set(refusals(wire)) == {"too much is unacknowledged"}
    last = len(wire.received(True))
    wire.segment(False, 7, b"", ACK, ack=CLIENT_START + 1 + last)
    assert wire.segment(True, last, b"NOOP\r\n", ack=SERVER_START + 8) is FORWARD


def test_room_is_given_back_at_the_end():
    wire = greeted("6.3")
    wire.client(b"NOOP\r\n")
    wire.segment(True, 5000, b"later")
    assert wire.firewall.room.held
    assert wire.firewall.room.remembered
    wire.firewall.expire(wire.now + 10_000)
    assert wire.firewall.flows == 0
    assert (wire.firewall.room.held, wire.firewall.room.remembered) == (0, 0)


def test_answers_that_never_arrive_are_bounded(monkeypatch):
    monkeypatch.setattr(own, "OWN_PACKETS", 5)
    wire = greeted("4.0")
    for _ in range(20):
        wire.segment(True, wire.client_sent, b"EXPN x\r\n", ack=SERVER_START + 8)
        wire.client_sent += 8
    assert set(refusals(wire)) == {"too many answers are under way"}
    _, connection = next(iter(wire.firewall._flows))
    assert len(connection._own._packets) == 5
    # Once they have arrived, what was dropped comes again and is judged.
    wire.segment(True, 40, b"", ACK, ack=SERVER_START + 1 + 7 + 5 * len("250 OK\r\n"))
    assert wire.segment(True, 40, b"EXPN x\r\n").released


@pytest.mark.parametrize("recorded", [False, True])
def test_a_fault_costs_one_connection(recorded):
    wire = Wire(RELEASES["6.3"], recorded)
    for port in (1000, 1001):
        established(wire, port)
    _, connection = next(iter(wire.firewall._flows))
    connection._inspector = unmade(Inspector)
    deadly = packet(True, 1, 1, ACK, b"NOOP\r\n", ports=(1000, 25))
    assert wire.give(deadly) is DROP
    (fault,) = (event for event in wire.events if isinstance(event, Fault))
    assert fault.packet == deadly
    assert fault.flow.client.port == 1000
    assert "AttributeError" in fault.trace
    assert [event.closing for event in closed(wire)] == [Closing.DROPPED]
    assert wire.give(packet(True, 1, 1, ACK, b"NOOP\r\n", ports=(1001, 25))) is FORWARD
    assert wire.give(packet(True, 1, 1, ACK, b"NOOP\r\n", ports=(1000, 25))) is DROP
    assert isinstance(wire.events[-1], PacketDenied)


def test_a_fault_of_a_timer_costs_one_connection():
    wire = greeted("4.0")
    wire.client(b"EXPN x\r\n")
    _, connection = next(iter(wire.firewall._flows))
    connection._own = unmade(own.OwnPackets)
    assert wire.firewall.expire(wire.now + 5) == ()
    assert wire.firewall.room.remembered == 0
    (fault,) = (event for event in wire.events if isinstance(event, Fault))
    assert fault.packet == b""
    assert not [e for e in wire.events if isinstance(e, ConnectionBuilt)][1:]


def test_established_connections_do_not_count_as_embryonic(monkeypatch):
    monkeypatch.setattr(flows, "EMBRYONIC", 3)
    wire = Wire()
    wire.give(packet(True, 0, 0, SYN, ports=(999, 25)))
    for port in range(1000, 1010):
        established(wire, port)
    assert not closed(wire)
    for port in range(2000, 2003):
        wire.give(packet(True, 0, 0, SYN, ports=(port, 25)))
    assert [event.flow.client.port for event in closed(wire)] == [999]
