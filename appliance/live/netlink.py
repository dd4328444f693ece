"""Messages of netfilter's netlink families (linux/netlink.h, linux/netfilter/nfnetlink.h)."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator

NETLINK_NETFILTER = 12
SOL_NETLINK = 270
NETLINK_NO_ENOBUFS = 5
REQUEST, ACKNOWLEDGE = 1, 4
ERROR = 2
"""The type of a message that says how a request went."""

_NESTED = 0x8000
_HEADER = struct.Struct("=IHHII")
_FAMILY = struct.Struct("!BBH")
_ATTRIBUTE = struct.Struct("=HH")


def attribute(kind: int, value: bytes) -> bytes:
    """An attribute as it is sent.

    Args:
        kind: its type.
        value: what it holds.
    """
    return _ATTRIBUTE.pack(4 + len(value), kind) + value + b"\0" * (-len(value) % 4)


def nested(kind: int, *attributes: bytes) -> bytes:
    """An attribute that holds others.

    Args:
        kind: its type.
        attributes: the others.
    """
    return attribute(kind | _NESTED, b"".join(attributes))


def request(kind: int, family: int, resource: int, attributes: bytes, flags: int = 0) -> bytes:
    """A request as it is sent.

    Args:
        kind: subsystem times 256, and the message's type there.
        family: AF_INET or AF_UNSPEC.
        resource: the number of a queue or a group, else 0.
        attributes: its attributes.
        flags: besides that it is a request.
    """
    header = _HEADER.pack(20 + len(attributes), kind, REQUEST | flags, 0, 0)
    return header + _FAMILY.pack(family, 0, resource) + attributes


def messages(datagram: bytes) -> Iterator[tuple[int, bytes]]:
    """The messages of a datagram: the type of each, and what follows its first header."""
    at = 0
    while at + _HEADER.size <= len(datagram):
        length, kind, _, _, _ = _HEADER.unpack_from(datagram, at)
        if length < _HEADER.size:
            return
        yield kind, datagram[at + _HEADER.size : at + length]
        at += -(-length // 4) * 4


def attributes(message: bytes) -> dict[int, bytes]:
    """The attributes of a message of netfilter's, by type.

    Args:
        message: what `messages` gave.
    """
    found = {}
    at = _FAMILY.size
    while at + _ATTRIBUTE.size <= len(message):
        length, kind = _ATTRIBUTE.unpack_from(message, at)
        if length < _ATTRIBUTE.size:
            break
        found[kind & ~_NESTED] = message[at + _ATTRIBUTE.size : at + length]
        at += -(-length // 4) * 4
    return found


def error(message: bytes) -> int:
    """The error number in a message of type ERROR, 0 for none."""
    number: int = -struct.unpack_from("=i", message)[0]
    return number


def open_netlink() -> socket.socket:
    """A socket for netfilter's families, which never blocks.

    Raises:
        OSError: the kernel refuses.
    """
    opened = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_NETFILTER)
    opened.setblocking(False)
    return opened
