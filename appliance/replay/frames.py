"""What a frame holds: the IPv4 packet in it, or why there is none to hand on."""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

from appliance.replay.capture import Frame
from appliance.replay.link import Link, ipv4_at

_LINKS = {int(link): link for link in Link}

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


class Arrival(NamedTuple):
    """A frame with an IPv4 packet.

    Args:
        frame: the frame.
        link: its link type.
        at: where the packet begins in it.
        packet: its IPv4 packet, without what follows its total length.
    """

    frame: Frame
    link: Link
    at: int
    packet: bytes

    @property
    def header(self) -> bytes:
        """Its link header."""
        return self.frame.data[: self.at]

    @property
    def padded(self) -> bool:
        """Whether something follows the packet."""
        return len(self.frame.data) > self.at + len(self.packet)


def arrival(frame: Frame) -> Arrival | Loss:
    """Find the IPv4 packet in a frame.

    Args:
        frame: the frame.
    """
    link = _LINKS.get(frame.link)
    if link is None:
        return Loss.LINK
    data = frame.data
    short = Loss.CUT if frame.length > len(data) else Loss.MALFORMED
    at = ipv4_at(link, data)
    if at is None:
        return Loss.CUT if short is Loss.CUT and len(data) < _ENOUGH else Loss.NOT_IPV4
    captured = len(data) - at
    if captured < 20:
        return short
    header = (data[at] & 0x0F) * 4
    total = int.from_bytes(data[at + 2 : at + 4])
    if total == 0:  # segmentation offload: all that there is
        total = frame.length - at
    if not 20 <= header <= total <= _LONGEST:
        return Loss.MALFORMED
    if total > captured:
        return short
    return Arrival(frame, link, at, data[at : at + total])
