"""One NFQUEUE of the kernel, with whole packets of up to 64 KiB."""

from __future__ import annotations

import os
import socket
import struct
import warnings
from collections.abc import Callable
from errno import EAGAIN
from typing import cast

from netfilterqueue import COPY_PACKET, NetfilterQueue, Packet

from appliance.errors import PixguardError
from appliance.live.netlink import (
    NETLINK_NETFILTER,
    NETLINK_NO_ENOBUFS,
    SOL_NETLINK,
    attribute,
    request,
)

DATAGRAM = 72 << 10
"""Bytes: the longest IPv4 packet and what netlink puts around it."""

BUDGET = 64
"""Packets judged before the worker looks at its timers and its supervisor again."""

SOCKET_BUFFER = 32 << 20
"""Bytes; room for bursts, since what does not fit the kernel drops."""

# linux/netfilter/nfnetlink_queue.h
_CONFIGURE = 3 << 8 | 2  # NFNL_SUBSYS_QUEUE, NFQNL_MSG_CONFIG
_CFG_PARAMS, _CFG_MASK, _CFG_FLAGS = 2, 4, 5
_COPY_WHOLE = struct.pack("!IB", 0xFFFF, COPY_PACKET)
_F_GSO = struct.pack("!I", 1 << 2)


class PacketQueue:
    """A bound NFQUEUE.

    Args:
        number: the queue's number.
        length: packets that the kernel holds before it drops.
        judge: called with each packet; it must give the verdict and must not raise.

    Raises:
        PixguardError: the kernel refuses, or somebody else has that queue.
    """

    def __init__(self, number: int, length: int, judge: Callable[[Packet], None]) -> None:
        try:
            self._queue = NetfilterQueue()
            with warnings.catch_warnings():
                # A smaller buffer than asked for costs drops in bursts; those are counted.
                warnings.simplefilter("ignore", RuntimeWarning)
                self._queue.bind(number, judge, max_len=length, sock_len=SOCKET_BUFFER)
        except OSError as error:
            raise PixguardError(
                f"cannot bind NFQUEUE {number}: {error}; another program may have it "
                "(/proc/net/netfilter/nfnetlink_queue lists them), or the kernel lacks "
                "nfnetlink_queue, or CAP_NET_ADMIN is missing"
            ) from error
        self._socket = socket.socket(
            socket.AF_NETLINK,
            socket.SOCK_RAW,
            NETLINK_NETFILTER,
            fileno=os.dup(self._queue.get_fd()),
        )
        self._socket.setsockopt(SOL_NETLINK, NETLINK_NO_ENOBUFS, 1)
        # The library copies 4,016 bytes at most and leaves segmentation to the kernel.
        self._configure(number, attribute(_CFG_PARAMS, _COPY_WHOLE))
        self._configure(number, attribute(_CFG_MASK, _F_GSO) + attribute(_CFG_FLAGS, _F_GSO))
        self._left = 0

    def _configure(self, number: int, attributes: bytes) -> None:
        # Without NLM_F_ACK: reading the acknowledgement could swallow a packet.
        self._socket.sendto(request(_CONFIGURE, socket.AF_UNSPEC, number, attributes), (0, 0))

    def fileno(self) -> int:
        """The descriptor that becomes readable when packets wait."""
        return self._socket.fileno()

    def drain(self) -> None:
        """Judge the packets that wait, at most BUDGET of them."""
        self._left = BUDGET
        self._queue.run_socket(cast("socket.socket", self))

    def recv(self, size: int) -> bytes:
        """Hand the library its next message; it takes this object for a socket.

        Args:
            size: what the library would read, too little for a whole packet.
        """
        if not self._left:
            raise BlockingIOError(EAGAIN, "the budget is used up")
        self._left -= 1
        return self._socket.recv(DATAGRAM, socket.MSG_DONTWAIT)

    def close(self) -> None:
        """Give the queue back; packets that wait in it are dropped."""
        self._queue.unbind()
        self._socket.close()
