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

ACCEPTED_AT_ONCE = 16
"""Packets that are accepted with one message, at most: enough that its cost and that of waking the
ends are shared, and few enough that nobody waits for long."""

ACCEPTED_BYTES = 256 << 10
"""Likewise bytes, or the ends of a long mail would wait for each other."""

SOCKET_BUFFER = 32 << 20
"""Bytes; room for bursts, since what does not fit the kernel drops."""

# linux/netfilter/nfnetlink_queue.h
_CONFIGURE = 3 << 8 | 2  # NFNL_SUBSYS_QUEUE, NFQNL_MSG_CONFIG
_VERDICTS = 3 << 8 | 3  # NFQNL_MSG_VERDICT_BATCH
_VERDICT_HEADER = 2
_VERDICT = struct.Struct("!II")
_ACCEPT = 1
_CFG_PARAMS, _CFG_MASK, _CFG_FLAGS = 2, 4, 5
_COPY_WHOLE = struct.pack("!IB", 0xFFFF, COPY_PACKET)
_F_GSO = struct.pack("!I", 1 << 2)


class PacketQueue:
    """A bound NFQUEUE.

    Args:
        number: the queue's number.
        length: packets that the kernel holds before it drops.
        judge: called with each packet; it must give the verdict by `accept`, `replace` or `drop`,
            and must not raise.

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
        self._number = number
        self._left = 0
        self._accepted = 0  # the number of the last packet that the kernel is not told of yet
        self._accepted_packets = 0
        self._accepted_bytes = 0

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
        self.flush()

    def accept(self, packet: Packet, size: int) -> None:
        """Let a packet go on as it came, at the latest when the others that wait are judged.

        As it came means without a payload: a checksum that the network card was to fill in is
        filled in only then.

        Args:
            packet: the packet.
            size: bytes of it.
        """
        self._accepted = packet.id
        self._accepted_packets += 1
        self._accepted_bytes += size
        if self._accepted_packets >= ACCEPTED_AT_ONCE or self._accepted_bytes >= ACCEPTED_BYTES:
            self.flush()

    def replace(self, packet: Packet, content: bytes) -> None:
        """Let other bytes go on in place of a packet, behind all that was accepted before it.

        Args:
            packet: the packet.
            content: the packet that goes on.
        """
        self.flush()
        packet.set_payload(content)
        packet.accept()

    def drop(self, packet: Packet) -> None:
        """Let a packet go no further.

        Args:
            packet: the packet.
        """
        packet.drop()

    def flush(self) -> None:
        """Tell the kernel of all packets that were accepted: it lets go all up to the last one
        that wait, and all others up to there have got their verdict already."""
        if self._accepted_packets:
            verdict = attribute(_VERDICT_HEADER, _VERDICT.pack(_ACCEPT, self._accepted))
            self._socket.sendto(request(_VERDICTS, socket.AF_UNSPEC, self._number, verdict), (0, 0))
            self._accepted_packets = self._accepted_bytes = 0

    def recv(self, size: int) -> bytes:
        """Hand the library its next message; it takes this object for a socket.

        Args:
            size: what the library would read, too little for a whole packet.
        """
        if not self._left:
            raise BlockingIOError(EAGAIN, "the budget is used up")
        self._left -= 1
        try:
            return self._socket.recv(DATAGRAM, socket.MSG_DONTWAIT)
        except BlockingIOError:
            self.flush()  # at once: the library takes its time to see that nothing is left
            raise

    def close(self) -> None:
        """Give the queue back; packets that wait in it are dropped."""
        self._queue.unbind()
        self._socket.close()
