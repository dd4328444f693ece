"""Packets of the firewall's own: what they say, and that they arrive."""

from __future__ import annotations

from typing import NamedTuple

from mypy_extensions import mypyc_attr

from appliance.packet.segment import ACK, PSH, RST, Changes, Segment, compose, edit
from appliance.tcp.room import OWN_PACKETS
from appliance.tcp.stream import Stream

RESEND_AFTER = 1.0
"""Seconds until the firewall sends its own bytes again (RFC 6298, section 2.1)."""

RESEND_AT_MOST = 60.0
"""Seconds that this grows to, doubling each time (RFC 6298, section 2.5)."""


def to_sender(
    segment: Segment,
    stream: Stream,
    other: Stream,
    out: int,
    scale: int,
    payload: bytes = b"",
    sack: tuple[tuple[int, int], ...] = (),
) -> bytes:
    """A packet to the sender of a segment, as from the other end.

    Args:
        segment: the segment.
        stream: the direction it belongs to; its sender is told what has arrived and what it may
            send.
        other: the direction that the packet belongs to.
        out: the receiver's offset of its first byte.
        scale: the shift of the window that the sender is told.
        payload: its bytes.
        sack: the sender's offsets between which bytes are held.
    """
    told = max(stream.told, stream.arrived)
    edge = stream.out_limit + stream.received - stream.sent
    if stream.limit is not None:
        stream.limit = max(stream.limit, edge)
    return compose(
        segment,
        turned=True,
        sequence=other.sequence(out),
        acknowledgement=stream.sequence(told),
        flags=PSH | ACK if payload else ACK,
        window=min(max(0, edge - told) >> scale, 0xFFFF),
        payload=payload,
        sack=tuple((stream.sequence(left), stream.sequence(right)) for left, right in sack),
    )


def to_receiver(segment: Segment, payload: bytes, changes: Changes) -> bytes:
    """A packet to the receiver of a segment, as from its sender.

    Its IP header is the firewall's own: a short time to live that the sender gave the segment must
    not be the fate of what is sent again.

    Args:
        segment: the segment.
        payload: its bytes.
        changes: what differs from the segment's TCP header; the sequence number and flags do.
    """
    told = changes.acknowledgement
    return compose(
        segment,
        turned=False,
        sequence=changes.sequence or 0,
        acknowledgement=segment.acknowledgement if told is None else told,
        flags=changes.flags or 0,
        window=segment.window if changes.window is None else changes.window,
        payload=payload,
        timestamp=changes.timestamp,
    )


def resets(segment: Segment, stream: Stream, other: Stream | None) -> tuple[bytes, ...]:
    """A RST to each end, with the number that it expects (RFC 5961, section 3).

    Args:
        segment: the last one that came.
        stream: the direction it belongs to.
        other: the other one, None if nothing is known of it.
    """
    arrived = other.sequence(other.arrived) if other else 0
    onward = compose(segment, False, stream.sequence(stream.sent), arrived, RST | ACK)
    if other is None:
        return (onward,)
    told = stream.sequence(stream.received)
    return (onward, compose(segment, True, other.sequence(other.forwarded), told, RST | ACK))


class OwnPacket(NamedTuple):
    """A packet that is sent again until it is acknowledged.

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

    def renewed(self) -> bytes:
        """It with the latest timestamp of its direction, as one sent only now."""
        if self.stream.timestamp is None:
            return self.packet
        return edit(Segment(self.packet), changes=Changes(timestamp=self.stream.timestamp))


@mypyc_attr(allow_interpreted_subclasses=True, serializable=True)
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

    def due(self, now: float) -> tuple[bytes, ...]:
        """The packets to send again now, in order.

        Args:
            now: the time, seconds.
        """
        if not self._packets or now < self._at:
            return ()
        self._after = min(2 * self._after, RESEND_AT_MOST)
        self._at = now + self._after
        within = tuple(own for own in self._packets if own.within_window)
        # Beyond the window, the first one probes it.
        return tuple(own.renewed() for own in within or self._packets[:1])
