"""ICMP errors about inspected connections: path MTU and the like (RFC 792, RFC 1191)."""

from __future__ import annotations

import struct
from ipaddress import IPv4Address

import pytest

from appliance.smtp.release import RELEASES
from appliance.verdict import DROP, FORWARD
from tests.engine.feeding import greeted
from tests.wire import CLIENT, CLIENT_START, SERVER, Wire, checksum, packet

ROUTER = IPv4Address("10.1.1.254")
FRAGMENTATION_NEEDED = (3, 4)


def error(
    quoted: bytes, kind: tuple[int, int] = FRAGMENTATION_NEEDED, to: IPv4Address = CLIENT
) -> bytes:
    """A router's word about a packet that it could not pass on: 28 bytes of it, and an MTU."""
    message = struct.pack("!BBHHH", *kind, 0, 0, 1000) + quoted[:28]
    message = message[:2] + struct.pack("!H", checksum(message)) + message[4:]
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(message), 7, 0, 64, 1, 0)
    head += ROUTER.packed + to.packed
    return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + message


def quoted_number(data: bytes) -> int:
    assert checksum(data[20:]) == 0
    return int.from_bytes(data[20 + 8 + 24 : 20 + 8 + 28], "big")


@pytest.fixture
def answered() -> Wire:
    """A client whose EXPN was answered by the firewall: the server counts 8 bytes less."""
    wire = greeted("4.0")
    wire.client(b"EXPN x\r\n")
    return wire


def test_where_numbers_are_the_ends_own_it_passes_as_it_is() -> None:
    wire = greeted("6.3")
    wire.client(b"NOOP\r\n")
    assert wire.give_raw(error(wire.seen[-1].packet)) is FORWARD


@pytest.mark.parametrize("kind", [FRAGMENTATION_NEEDED, (3, 1), (11, 0), (12, 0), (4, 0)])
def test_the_sender_finds_the_number_that_it_gave(answered: Wire, kind: tuple[int, int]) -> None:
    answered.client(b"NOOP\r\n")
    forwarded = answered.seen[-1]
    assert forwarded.payload == b"NOOP\r\n"
    verdict = answered.give_raw(error(forwarded.packet, kind))
    assert verdict.forward
    assert verdict.edited is not None
    assert quoted_number(verdict.edited) == (forwarded.seq + 8) % (1 << 32)


def test_the_servers_number_too(answered: Wire) -> None:
    answered.client(b"NOOP\r\n")
    answered.server(b"250 ok\r\n")
    forwarded = answered.seen[-1]
    assert not forwarded.from_client
    verdict = answered.give_raw(error(forwarded.packet, to=SERVER))
    assert verdict.edited is not None
    assert quoted_number(verdict.edited) == forwarded.seq - len(b"250 OK\r\n")


@pytest.mark.parametrize("away", [-5000, 5000])
def test_one_about_a_number_that_is_not_under_way_is_dropped(answered: Wire, away: int) -> None:
    forged = packet(True, CLIENT_START + away, 0, 16, b"x")
    assert answered.give_raw(error(forged)) is DROP


def test_one_about_no_connection_is_for_the_rules_to_judge() -> None:
    wire = Wire(RELEASES["6.3"])
    stray = packet(True, 1, 1, 16, ports=(999, 25))
    assert wire.give_raw(error(stray)) is FORWARD  # the rules of this test let anything in


@pytest.mark.parametrize("length", range(20, 56))
def test_one_that_is_cut_off_raises_nothing(answered: Wire, length: int) -> None:
    answered.client(b"NOOP\r\n")
    answered.give_raw(error(answered.seen[-1].packet)[:length])
