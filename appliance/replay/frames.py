"""What a frame holds: the IPv4 packet in it, or why there is none to hand on."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from appliance.packet.checksum import header_length
from appliance.replay.capture import Frame
from appliance.replay.link import Link, ipv4_at

_LINKS = frozenset(Link)

_ENOUGH = 24
"""Bytes of a cut frame from which on its link header tells what it holds."""

_LONGEST = 65_535


class Loss(Enum):
    """Why a frame does not reach the firewall; the value is what the summary says."""

    LINK = "link type not read"
    CUT = "cut by the snap length"
    NOT_IPV4 = "not IPv4"
    MALFORMED = "malformed IPv4 header"
    CHECKSUM = "wrong checksum"
    FRAGMENT = "fragment without the rest"


@dataclass(frozen=True, slots=True)
class Arrival:
    """A frame with an IPv4 packet.

    Args:
        frame: the frame.
        link: its link type.
        header: its link header.
        packet: its IPv4 packet, without what follows its total length.
    """

    frame: Frame
    link: Link
    header: bytes
    packet: bytes

    @property
    def padded(self) -> bool:
        """Whether something follows the packet."""
        return len(self.frame.data) > len(self.header) + len(self.packet)


def arrival(frame: Frame) -> Arrival | Loss:
    """Find the IPv4 packet in a frame.

    Args:
        frame: the frame.
    """
    if frame.link not in _LINKS:
        return Loss.LINK
    link = Link(frame.link)
    short = Loss.CUT if frame.length > len(frame.data) else Loss.MALFORMED
    at = ipv4_at(link, frame.data)
    if at is None:
        return Loss.CUT if short is Loss.CUT and len(frame.data) < _ENOUGH else Loss.NOT_IPV4
    packet = frame.data[at:]
    if len(packet) < 20:
        return short
    header = header_length(packet)
    total = int.from_bytes(packet[2:4])
    if total == 0:  # segmentation offload: all that there is
        total = frame.length - at
    if not 20 <= header <= total <= _LONGEST:
        return Loss.MALFORMED
    if total > len(packet):
        return short
    return Arrival(frame, link, frame.data[:at], packet[:total])
