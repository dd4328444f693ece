"""Link layers that a capture may show, and where the IPv4 packet in a frame begins."""

from __future__ import annotations

from enum import IntEnum

ETHERTYPE_IPV4 = 0x0800
_VLAN_TAGS = frozenset({0x8100, 0x88A8, 0x9100})
_AF_INET = 2
_SHORTEST_ETHERNET = 60  # a frame is padded to this before its checksum


class Link(IntEnum):
    """The link types that are read, by their number in a capture (LINKTYPE_...)."""

    NULL = 0
    ETHERNET = 1
    RAW_12 = 12
    RAW_14 = 14
    RAW = 101
    LOOP = 108
    LINUX_COOKED = 113
    IPV4 = 228
    LINUX_COOKED_2 = 276


NAMES = {
    Link.NULL: "null/loopback",
    Link.ETHERNET: "Ethernet",
    Link.RAW_12: "raw IP",
    Link.RAW_14: "raw IP",
    Link.RAW: "raw IP",
    Link.LOOP: "OpenBSD loopback",
    Link.LINUX_COOKED: "Linux cooked",
    Link.IPV4: "raw IPv4",
    Link.LINUX_COOKED_2: "Linux cooked v2",
}

_RAW = frozenset({Link.RAW, Link.RAW_12, Link.RAW_14, Link.IPV4})
_LOOPBACK = frozenset({Link.NULL, Link.LOOP})
_ETHERTYPE_AT = {Link.ETHERNET: 12, Link.LINUX_COOKED: 14, Link.LINUX_COOKED_2: 0}
_HEADER = {Link.ETHERNET: 14, Link.LINUX_COOKED: 16, Link.LINUX_COOKED_2: 20}


def ipv4_at(link: Link, frame: bytes) -> int | None:
    """Find the IPv4 packet in a frame.

    Args:
        link: the frame's link type.
        frame: the whole frame.

    Returns:
        the length of the link header before it; None if the frame holds something else.
    """
    if link in _RAW:
        start = 0
    elif link in _LOOPBACK:
        # The family is in the byte order of the machine that captured: 2 in either.
        if _AF_INET not in (int.from_bytes(frame[:4]), int.from_bytes(frame[:4], "little")):
            return None
        start = 4
    else:
        start = _HEADER[link]
        at = _ETHERTYPE_AT[link]
        kind = int.from_bytes(frame[at : at + 2])
        while kind in _VLAN_TAGS:
            kind = int.from_bytes(frame[start + 2 : start + 4])
            start += 4
        if kind != ETHERTYPE_IPV4:
            return None
    return start if len(frame) > start and frame[start] >> 4 == 4 else None


def reversed_header(link: Link, header: bytes) -> bytes:
    """The link header of the way back, as far as one can be made of the way there.

    Args:
        link: its link type.
        header: a link header of the other direction.
    """
    if link is Link.ETHERNET:
        return header[6:12] + header[:6] + header[12:]
    return header


def padded(link: Link, frame: bytes) -> bytes:
    """Fill a frame up to the shortest that its link carries.

    Args:
        link: its link type.
        frame: link header and packet.
    """
    return frame.ljust(_SHORTEST_ETHERNET, b"\0") if link is Link.ETHERNET else frame
