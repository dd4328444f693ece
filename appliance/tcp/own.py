"""Packets whose arrival the firewall answers for: they are sent again until acknowledged."""

from __future__ import annotations

from typing import NamedTuple

from appliance.tcp.room import OWN_PACKETS
from appliance.tcp.stream import Stream

RESEND_AFTER = 1.0
"""Seconds until the firewall sends its own bytes again (RFC 6298, section 2.1)."""

RESEND_AT_MOST = 60.0
"""Seconds that this grows to, doubling each time (RFC 6298, section 2.5)."""


class OwnPacket(NamedTuple):
    """A packet of the firewall's own.

    Args:
        stream: the direction it belongs to.
        end: the receiver's offset behind its payload.
        packet: the packet.
    """

    stream: Stream
    end: int
    packet: bytes

    @property
    def within_window(self) -> bool:
        """Whether its receiver allows it."""
        return self.end <= self.stream.out_limit


class OwnPackets:
    """Those of one connection that have not arrived, as far as is known."""

    __slots__ = ("_after", "_at", "_packets")

    def __init__(self) -> None:
        self._packets: list[OwnPacket] = []
        self._after = RESEND_AFTER
        self._at = 0.0

    def __bool__(self) -> bool:
        return bool(self._packets)

    @property
    def full(self) -> bool:
        """Whether there are as many as there may be."""
        return len(self._packets) >= OWN_PACKETS

    def undertake(self, own: OwnPacket, now: float) -> bool:
        """Answer for a packet from now on.

        Args:
            own: the packet.
            now: the time, seconds.

        Returns:
            whether it may be sent at once.
        """
        if not self._packets:
            self._at = now + RESEND_AFTER
        self._packets.append(own)
        return own.within_window

    def acknowledge(self, stream: Stream, out: int) -> None:
        """All of a direction before an offset has arrived."""
        left = [own for own in self._packets if own.stream is not stream or own.end > out]
        if len(left) < len(self._packets):
            self._packets = left
            self._after = RESEND_AFTER

    def due(self, now: float) -> tuple[OwnPacket, ...]:
        """The packets to send again now, in order.

        Args:
            now: the time, seconds.
        """
        if not self._packets or now < self._at:
            return ()
        self._after = min(2 * self._after, RESEND_AT_MOST)
        self._at = now + self._after
        within = tuple(own for own in self._packets if own.within_window)
        return within or (self._packets[0],)  # beyond the window it probes it

    def clear(self) -> None:
        """The connection is over."""
        self._packets.clear()
