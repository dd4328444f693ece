"""ICMP errors, which quote the beginning of the packet that met one (RFC 792, RFC 1191)."""

from __future__ import annotations

from struct import Struct
from typing import NamedTuple

from appliance.packet.checksum import complement, header_length, ones_complement
from appliance.protocol import TCP

_ERRORS = (3, 4, 11, 12)
"""Destination unreachable, source quench, time exceeded, parameter problem."""

_HEADER = 8
_ADDRESSES = Struct("!II")
_PORTS_AND_SEQUENCE = Struct("!HHI")
_WORD = Struct("!H")
_LONG = Struct("!I")


class Quote(NamedTuple):
    """The TCP segment that an ICMP error quotes; integers in host order.

    Args:
        source, destination: its addresses.
        source_port, destination_port: its ports.
        sequence: its sequence number.
        at: where that stands in the packet.
    """

    source: int
    destination: int
    source_port: int
    destination_port: int
    sequence: int
    at: int


def quote(packet: bytes) -> Quote | None:
    """What an ICMP packet quotes, None if it is no error or quotes no TCP segment's beginning.

    Args:
        packet: an IPv4 packet with an ICMP message.
    """
    at = header_length(packet)
    inner = at + _HEADER
    if len(packet) < inner + 20 or packet[at] not in _ERRORS:
        return None
    tcp = inner + (packet[inner] & 0x0F) * 4
    fragment = packet[inner + 6] & 0x1F or packet[inner + 7]
    if packet[inner] >> 4 != 4 or packet[inner + 9] != TCP or fragment or tcp < inner + 20:
        return None
    if len(packet) < tcp + _PORTS_AND_SEQUENCE.size:
        return None
    source, destination = _ADDRESSES.unpack_from(packet, inner + 12)
    source_port, destination_port, sequence = _PORTS_AND_SEQUENCE.unpack_from(packet, tcp)
    return Quote(source, destination, source_port, destination_port, sequence, tcp + 4)


def renumber(packet: bytes, quoted: Quote, sequence: int) -> bytes:
    """An ICMP error that quotes another sequence number, with a right checksum.

    Args:
        packet: the packet.
        quoted: what it quotes.
        sequence: the number to quote.
    """
    edited = bytearray(packet)
    _LONG.pack_into(edited, quoted.at, sequence)
    at = header_length(edited)
    end = _WORD.unpack_from(edited, 2)[0] or len(edited)
    _WORD.pack_into(edited, at + 2, 0)
    _WORD.pack_into(edited, at + 2, complement(ones_complement(edited[at:end])))
    return bytes(edited)
