"""What holds of an engine and of the packets that leave it, whatever came."""

from __future__ import annotations

import struct

from appliance.events import Event, Fault
from appliance.firewall import Firewall
from appliance.protocol import TCP
from appliance.tcp.room import HELD_IN_ALL, REMEMBERED_IN_ALL
from appliance.verdict import Verdict
from tests.wire import checksum, take_apart

LONG_AFTER = 100_000.0
"""Seconds after which no connection is alive."""


def check_events(events: list[Event]) -> None:
    """The engine has not failed.

    Args:
        events: what it reported.
    """
    for event in events:
        assert not isinstance(event, Fault), event.trace


def check_room(firewall: Firewall) -> None:
    """What connections take of memory is within its bounds.

    Args:
        firewall: the engine.
    """
    assert 0 <= firewall.room.held <= HELD_IN_ALL
    assert 0 <= firewall.room.remembered <= REMEMBERED_IN_ALL


def check_end(firewall: Firewall, now: float) -> None:
    """When all connections are over, nothing of them is left.

    Args:
        firewall: the engine.
        now: the time, seconds.
    """
    for packet in firewall.expire(now + LONG_AFTER):
        check_packet(packet)
    assert firewall.flows == 0
    assert (firewall.room.held, firewall.room.remembered) == (0, 0)


def check_verdict(verdict: Verdict, packet: bytes) -> None:
    """The packets of a verdict are whole.

    Args:
        verdict: the verdict.
        packet: what it is about; its checksums are right.
    """
    assert verdict.forward or verdict.edited is None
    if verdict.edited is not None:
        check_packet(verdict.edited)
        assert verdict.edited[12:20] == packet[12:20]
    for released in verdict.released:
        check_packet(released)


def check_packet(packet: bytes) -> None:
    """The lengths and checksums of a packet are right.

    Args:
        packet: an IPv4 packet with a TCP segment.
    """
    check_lengths(packet)
    if packet[2:4] == b"\0\0":  # segmentation offload: its length is that of the buffer
        packet = with_checksum(packet[:2] + struct.pack("!H", len(packet)) + packet[4:])
    take_apart(packet)


def check_lengths(packet: bytes) -> None:
    """The lengths of a packet are right.

    Args:
        packet: an IPv4 packet with a TCP segment.
    """
    header = (packet[0] & 15) * 4
    (total,) = struct.unpack_from("!H", packet, 2)
    assert total in (0, len(packet)), packet.hex()
    assert packet[0] >> 4 == 4
    assert header >= 20
    assert packet[9] == TCP
    assert 20 <= (packet[header + 12] >> 4) * 4 <= len(packet) - header, packet.hex()


def with_checksum(packet: bytes) -> bytes:
    """A packet with a right header checksum.

    Args:
        packet: a packet whose IPv4 header is whole.
    """
    header = packet[:10] + b"\0\0" + packet[12 : (packet[0] & 15) * 4]
    return packet[:10] + struct.pack("!H", checksum(header)) + packet[12:]


def with_checksums(packet: bytes) -> bytes:
    """A packet with right checksums, as far as it has any: the kernel hands on no other.

    Args:
        packet: any bytes.
    """
    header = (packet[0] & 15) * 4 if packet else 0
    if not 20 <= header <= len(packet):
        return packet
    packet = with_checksum(packet)
    total = struct.unpack_from("!H", packet, 2)[0] or len(packet)
    if packet[9] != TCP or not header + 20 <= total <= len(packet):
        return packet
    at = header + 16
    packet = packet[:at] + b"\0\0" + packet[at + 2 :]
    segment = packet[header:total]
    pseudo = packet[12:20] + struct.pack("!HH", 6, len(segment))
    return packet[:at] + struct.pack("!H", checksum(pseudo + segment)) + packet[at + 2 :]
