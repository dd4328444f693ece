"""The Internet checksum (RFC 1071)."""

from __future__ import annotations

from struct import Struct

from appliance.protocol import TCP

_WORD = Struct("!H")


def ones_complement(data: bytes | bytearray) -> int:
    """The ones' complement sum of 16-bit words, the last one padded with a zero byte.

    Args:
        data: bytes in network order.

    Returns:
        the sum modulo 0xFFFF: since 65536 leaves 1 there, one long division adds all the words.
    """
    total = int.from_bytes(data, "big")
    if len(data) & 1:
        total <<= 8
    return total % 0xFFFF


def complement(total: int) -> int:
    """The checksum field that belongs to a sum of all other words (modulo 0xFFFF), host order."""
    # A sum of 0 stands for 0xFFFF: words that are not all zero never add up to 0 itself.
    return (0xFFFF - total % 0xFFFF) % 0xFFFF


def tcp_checksum(packet: bytes | bytearray, header_length: int, end: int) -> int:
    """The checksum that the TCP segment in an IPv4 packet should have.

    Args:
        packet: the packet; what its checksum field holds does not matter.
        header_length: bytes of its IPv4 header.
        end: where the IPv4 packet ends.

    Returns:
        the value of the checksum field, host order.
    """
    field = header_length + 16
    total = (
        ones_complement(packet[12:20])
        + TCP
        + (end - header_length)
        + ones_complement(packet[header_length:field])
        + ones_complement(packet[field + 2 : end])
    )
    return complement(total)


def header_checksum(packet: bytes | bytearray, header_length: int) -> int:
    """The checksum that an IPv4 header should have, host order.

    Args:
        packet: the packet; what its checksum field holds does not matter.
        header_length: bytes of its IPv4 header.
    """
    return complement(ones_complement(packet[:10]) + ones_complement(packet[12:header_length]))


def header_length(packet: bytes | bytearray) -> int:
    """Bytes of the IPv4 header that a packet, not empty, begins with."""
    return (packet[0] & 0x0F) * 4


def fill_header(packet: bytearray) -> None:
    """Put the total length and the checksum into the IPv4 header of a whole packet."""
    _WORD.pack_into(packet, 2, len(packet))
    _WORD.pack_into(packet, 10, header_checksum(packet, header_length(packet)))


def fill_tcp(packet: bytearray) -> None:
    """Put the checksum into the TCP header of a whole IPv4 packet."""
    at = header_length(packet)
    _WORD.pack_into(packet, at + 16, tcp_checksum(packet, at, len(packet)))
