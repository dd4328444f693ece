"""One group of NFLOG: copies of packets, which the kernel holds for nobody."""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from appliance.errors import PixguardError
from appliance.live.netlink import (
    ACKNOWLEDGE,
    ERROR,
    NETLINK_NO_ENOBUFS,
    SOL_NETLINK,
    attribute,
    attributes,
    error,
    messages,
    open_netlink,
    request,
)

PATIENCE = 10
"""Hundredths of a second that the kernel gathers copies before it hands them over."""

# linux/netfilter/nfnetlink_log.h
_PACKET, _CONFIGURE = 4 << 8, 4 << 8 | 1  # NFNL_SUBSYS_ULOG
_CFG_COMMAND, _CFG_TIMEOUT = 1, 4
_BIND = b"\1"
_MARK, _INDEV, _OUTDEV, _PAYLOAD = 2, 4, 5, 9

_DATAGRAM = 72 << 10
"""Bytes: the longest IPv4 packet and what netlink puts around it."""

_BUFFER = 1 << 20
"""Bytes of copies that may wait; what is more is not told of."""


@dataclass(frozen=True, slots=True)
class LoggedPacket:
    """A copy of a packet.

    Args:
        data: the packet from its IPv4 header on.
        indev: number of the interface it came in by.
        outdev: number of the interface it would have left by, 0 for none.
        mark: its mark.
    """

    data: bytes
    indev: int
    outdev: int
    mark: int


class PacketLog:
    """A bound group of NFLOG.

    Args:
        group: its number.

    Raises:
        PixguardError: the kernel refuses, or somebody else has that group.
    """

    def __init__(self, group: int) -> None:
        try:
            self._socket = open_netlink()
            self._socket.setsockopt(SOL_NETLINK, NETLINK_NO_ENOBUFS, 1)
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
            self._configure(group, attribute(_CFG_COMMAND, _BIND), ACKNOWLEDGE)
            # Before it is bound no copies come, so that the answer is the first to come.
            for kind, message in messages(self._socket.recv(_DATAGRAM)):
                if kind == ERROR and (number := error(message)):
                    raise OSError(number, os.strerror(number))
            self._configure(group, attribute(_CFG_TIMEOUT, struct.pack("!I", PATIENCE)))
        except OSError as problem:
            raise PixguardError(
                f"cannot bind NFLOG group {group}: {problem}; another program may have it "
                "(/proc/net/netfilter/nfnetlink_log lists them), or the kernel lacks "
                "nfnetlink_log, or CAP_NET_ADMIN is missing"
            ) from problem

    def _configure(self, group: int, settings: bytes, flags: int = 0) -> None:
        self._socket.send(request(_CONFIGURE, socket.AF_UNSPEC, group, settings, flags))

    def fileno(self) -> int:
        """The descriptor that becomes readable when copies wait."""
        return self._socket.fileno()

    def read(self) -> Iterator[LoggedPacket]:
        """Some of the copies that wait, none if there are none."""
        try:
            datagram = self._socket.recv(_DATAGRAM)
        except OSError:
            return
        for kind, message in messages(datagram):
            if kind != _PACKET:
                continue
            found = attributes(message)
            indev, outdev, mark = (
                int.from_bytes(found.get(each, b""), "big") for each in (_INDEV, _OUTDEV, _MARK)
            )
            yield LoggedPacket(found.get(_PAYLOAD, b""), indev, outdev, mark)

    def close(self) -> None:
        """Give the group back."""
        self._socket.close()
