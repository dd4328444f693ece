"""The limits of a `static`: which connection is one too many, and when there is room again."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.events import Denial, Event, PacketDenied
from appliance.firewall import Firewall
from appliance.limits import Census, Limits
from appliance.policy.policy import Policy
from appliance.smtp.inspector import Inspector
from appliance.smtp.release import RELEASES
from appliance.syslog import Syslog
from appliance.tcp.connection import Connection
from appliance.verdict import FORWARD, Verdict
from tests.engine.feeding import unmade
from tests.policy.rules import TWO_INTERFACES, configuration
from tests.wire import (
    ACK,
    CLIENT,
    CLIENT_START,
    FIN,
    RST,
    SERVER,
    SERVER_START,
    SYN,
    checksum,
    packet,
)

RELEASE = RELEASES["6.3"]
PERMIT = (
    "access-list in permit ip any any",
    "access-group in in interface outside",
)
HOST = "static (inside,outside) 203.0.113.5 10.1.1.5 netmask 255.255.255.255"


class Gate:
    """A firewall with some statics, and connections to 10.1.1.5 that knock on it."""

    def __init__(self, *statics: str) -> None:
        rules = configuration(TWO_INTERFACES, *PERMIT, *statics)
        self.events: list[Event] = []
        self.firewall = Firewall(Policy(rules, RELEASE).admit, self.events.append)
        self.now = 0.0

    def give(self, data: bytes) -> bool:
        verdict: Verdict = self.firewall.receive(data, self.now)
        return verdict.forward

    def open(self, port: int, to: int = 25) -> bool:
        return self.give(packet(True, CLIENT_START, 0, SYN, ports=(port, to)))

    def establish(self, port: int, to: int = 25) -> None:
        ports = (port, to)
        assert self.give(packet(False, SERVER_START, CLIENT_START + 1, SYN | ACK, ports=ports))
        assert self.give(packet(True, CLIENT_START + 1, SERVER_START + 1, ACK, ports=ports))

    def reset(self, port: int, to: int = 25) -> None:
        assert self.give(packet(True, CLIENT_START + 1, SERVER_START + 1, RST, ports=(port, to)))

    def finish(self, port: int) -> None:
        ours, theirs, ports = CLIENT_START + 1, SERVER_START + 1, (port, 25)
        assert self.give(packet(True, ours, theirs, FIN | ACK, ports=ports))
        assert self.give(packet(False, theirs, ours + 1, FIN | ACK, ports=ports))
        assert self.give(packet(True, ours + 1, theirs + 1, ACK, ports=ports))

    def wait(self, seconds: float) -> None:
        self.now += seconds
        self.firewall.expire(self.now)

    def denials(self) -> list[Denial]:
        return [event.reason for event in self.events if isinstance(event, PacketDenied)]

    def message(self, release: str = "6.3") -> str | None:
        """The message of the last refusal."""
        refusals = [event for event in self.events if isinstance(event, PacketDenied)]
        return Syslog("PIX", RELEASES[release]).message(refusals[-1])


def datagram(port: int) -> bytes:
    """A UDP datagram to 10.1.1.5 port 53."""
    body = struct.pack("!HHHH", port, 53, 8, 0)
    head = struct.pack("!BBHHHBBH", 0x45, 0, 28, 7, 0, 64, 17, 0) + CLIENT.packed + SERVER.packed
    return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + body


def test_one_connection_too_many_is_refused_and_told() -> None:
    gate = Gate(f"{HOST} 2 0")
    assert [gate.open(1001), gate.open(1002), gate.open(1003)] == [True, True, False]
    assert gate.message() == "%PIX-3-201002: Too many connections on static 203.0.113.5! 0 2"
    assert gate.message("7.2") == (
        "%PIX-3-201002: Too many TCP connections on static 203.0.113.5! 0 2"
    )
    gate.establish(1001)
    gate.establish(1002)
    assert gate.open(1001)  # not new: it comes a second time
    assert not gate.open(1003)


@pytest.mark.parametrize("end", ["finish", "reset"])
def test_there_is_room_again_when_a_connection_has_ended(end: str) -> None:
    gate = Gate(f"{HOST} 2 0")
    for port in (1001, 1002):
        assert gate.open(port)
        gate.establish(port)
    getattr(gate, end)(1001)
    assert [gate.open(1003), gate.open(1004)] == [True, False]


def test_there_is_room_again_when_a_connection_was_idle_too_long() -> None:
    gate = Gate(f"{HOST} 1 0")
    assert gate.open(1001)
    gate.establish(1001)
    gate.wait(3500)
    assert not gate.open(1002)
    gate.wait(200)
    assert gate.open(1002)


def test_embryonic_connections_have_a_limit_of_their_own() -> None:
    gate = Gate(f"{HOST} 0 2")
    assert [gate.open(1001), gate.open(1002), gate.open(1003)] == [True, True, False]
    assert gate.message() == (
        "%PIX-2-201003: Embryonic limit exceeded 3/2 for 203.0.113.10/1003 (203.0.113.5) "
        "10.1.1.5/25 on interface outside"
    )
    gate.establish(1001)
    assert [gate.open(1003), gate.open(1004)] == [True, False]
    gate.wait(40)  # embryonic ones have 30 seconds
    assert [gate.open(1005), gate.open(1006), gate.open(1007)] == [True, True, False]
    assert set(gate.denials()) == {Denial.TOO_MANY_EMBRYONIC}


def test_the_limits_hold_for_ports_that_are_not_inspected_too() -> None:
    gate = Gate(f"{HOST} 3 1")
    assert [gate.open(1001, 80), gate.open(1002, 443)] == [True, False]
    gate.establish(1001, 80)
    for port in (1002, 1003):
        assert gate.open(port, 443)
        gate.establish(port, 443)
    assert not gate.open(1004, 25)
    gate.reset(1001, 80)
    assert gate.open(1004, 25)


def test_datagrams_have_a_limit_of_their_own() -> None:
    gate = Gate(f"{HOST} tcp 1 0 udp 2")
    assert gate.open(1001)
    assert [gate.give(datagram(port)) for port in (1, 2, 3, 1)] == [True, True, False, True]
    assert gate.denials() == [Denial.TOO_MANY_UDP]
    assert gate.give(datagram(2))
    gate.wait(60)
    assert not gate.give(datagram(3))
    assert gate.message() == "%PIX-3-201004: Too many udp connections on static 203.0.113.5! 2"
    gate.wait(100)
    assert gate.give(datagram(3))


def test_a_connection_that_the_engine_failed_at_counts_no_more() -> None:
    gate = Gate(f"{HOST} 1 0")
    assert gate.open(1001)
    ((_, connection),) = gate.firewall._flows
    assert isinstance(connection, Connection)
    connection._inspector = unmade(Inspector)
    assert not gate.open(1001)
    assert gate.open(1002)


def test_each_address_and_each_static_is_counted_by_itself() -> None:
    gate = Gate(
        "static (inside,outside) tcp 203.0.113.5 smtp 10.1.1.5 smtp netmask 255.255.255.255 1 0",
        "static (inside,outside) tcp 203.0.113.5 www 10.1.1.5 www netmask 255.255.255.255 2 0",
    )
    assert [gate.open(1001), gate.open(1002)] == [True, False]
    assert [gate.open(port, 80) for port in (1001, 1002, 1003)] == [True, True, False]


def test_each_address_of_a_network_is_counted_by_itself() -> None:
    gate = Gate("static (inside,outside) 198.51.100.0 10.1.1.0 netmask 255.255.255.0 1 0")
    assert [gate.open(1001), gate.open(1002)] == [True, False]
    opening = packet(True, CLIENT_START, 0, SYN, ports=(1001, 25))
    other = opening[:19] + b"\x06" + opening[20:]  # 10.1.1.6; nothing here looks at checksums
    assert gate.give(other)


def test_outbound_connections_are_not_limited() -> None:
    gate = Gate(f"{HOST} 1 1")
    for port in range(1001, 1005):
        opening = packet(False, SERVER_START, 0, SYN, ports=(port, 4000))
        assert gate.firewall.receive(opening, 0.0, "inside", "outside") is FORWARD
    assert [gate.open(1001), gate.open(1002)] == [True, False]


def test_without_limits_nothing_is_counted() -> None:
    gate = Gate(f"{HOST} 0 0")
    assert all(gate.open(port) for port in range(1000, 1100))
    assert gate.denials() == []


def test_those_who_count_side_by_side_have_their_parts() -> None:
    limits, census = Limits("target", 7, 5, sharers=3), Census()
    for number in range(2):
        census.begin(number, limits)
        assert census.are_full_of_embryonic(limits) == (number == 1)
    census.establish(0)
    assert not census.are_full_of_embryonic(limits) and not census.are_full(limits)
    census.begin(2, limits)
    assert census.are_full(limits)
    for number in range(3):
        census.end(number)
    assert not census


STEPS = st.lists(
    st.tuples(st.sampled_from(["open", "establish", "reset", "wait"]), st.integers(1, 6)),
    max_size=60,
)


@given(steps=STEPS, most=st.integers(0, 4), embryonic=st.integers(0, 3))
def test_a_plain_count_agrees(steps: list[tuple[str, int]], most: int, embryonic: int) -> None:
    gate = Gate(f"{HOST} {most} {embryonic}")
    half: set[int] = set()
    full: set[int] = set()
    for step, port in steps:
        if step == "open" and port not in half | full:
            fits = (not most or len(half | full) < most) and (
                not embryonic or len(half) < embryonic
            )
            assert gate.open(port) == fits
            half |= {port} if fits else set()
        elif step == "establish" and port in half:
            gate.establish(port)
            half.remove(port)
            full.add(port)
        elif step == "reset" and port in full:
            gate.reset(port)
            full.remove(port)
        elif step == "wait":
            gate.wait(40)
            half.clear()
