"""Packets that the firewall sends itself: those it held, and its own."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator
from errno import EMSGSIZE

from appliance.errors import PixguardError
from appliance.live.connmark import OWN_PACKET
from appliance.packet.checksum import fill_header, fill_tcp
from appliance.packet.segment import FIN, PSH, Segment

_WORD = struct.Struct("!H")
_LONG = struct.Struct("!I")
_IP_MTU = 14  # linux/in.h
_SO_MARK = 36  # asm-generic/socket.h


class Sender:
    """A raw socket; routing, and connection tracking's translation, are the kernel's.

    Raises:
        PixguardError: the kernel refuses.
    """

    def __init__(self) -> None:
        try:
            # The protocol IPPROTO_RAW means that packets come with their IP header (raw(7)).
            self._socket = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
            self._socket.setsockopt(socket.SOL_SOCKET, _SO_MARK, OWN_PACKET)
        except OSError as error:
            raise PixguardError(f"cannot open a raw socket: {error.strerror}") from error
        self._socket.setblocking(False)

    def send(self, packet: bytes) -> bool:
        """Send a packet.

        Args:
            packet: a whole IPv4 packet with TCP in it; it may be longer than the interface
                takes, as packets are that the network card put together, and its TCP checksum
                need not be filled in.

        Returns:
            whether it went out whole; TCP sends again what did not.
        """
        segment = Segment(packet)
        address = (socket.inet_ntoa(packet[16:20]), 0)
        try:
            try:
                self._socket.sendto(summed(bytearray(packet[: segment.end])), address)
            except OSError as error:
                if error.errno != EMSGSIZE:
                    raise
                for piece in split(segment, _route_mtu(address[0])):
                    self._socket.sendto(piece, address)
        except OSError:
            return False
        return True

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()


def summed(packet: bytearray) -> bytes:
    """A packet with its lengths and checksums filled in.

    Args:
        packet: a whole IPv4 packet with TCP in it; it is changed.
    """
    fill_header(packet)
    fill_tcp(packet)
    return bytes(packet)


def split(segment: Segment, mtu: int) -> Iterator[bytes]:
    """Cut a segment into packets that fit a link, as the kernel cuts those of a network card.

    Args:
        segment: the segment.
        mtu: bytes of the longest packet that fits.
    """
    headers = segment.packet[: segment.payload_at]
    payload = segment.packet[segment.payload_at : segment.end]
    size = max(mtu - len(headers), 1)
    at = segment.header_length
    identification = _WORD.unpack_from(headers, 4)[0]
    for number, offset in enumerate(range(0, len(payload), size)):
        packet = bytearray(headers + payload[offset : offset + size])
        _WORD.pack_into(packet, 4, (identification + number) & 0xFFFF)
        _LONG.pack_into(packet, at + 4, (segment.sequence + offset) & 0xFFFFFFFF)
        if offset + size < len(payload):
            packet[at + 13] &= ~(FIN | PSH)
        yield summed(packet)


def _route_mtu(address: str) -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect((address, 1))  # looks the route up, sends nothing
        return probe.getsockopt(socket.IPPROTO_IP, _IP_MTU)
