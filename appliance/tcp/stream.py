"""One direction of a TCP connection: what has come, in order, and what was forwarded of it.

Offsets count the bytes of the stream from 0 and never wrap; sequence numbers are turned into them
at the door. The first copy of a byte wins, the first that was forwarded or held: any other copy is
made equal to it, so that it does not matter which one a receiver takes.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from dataclasses import dataclass
from itertools import islice
from operator import attrgetter
from typing import NamedTuple

from appliance.packet.segment import Segment

HELD = 256 * 1024
"""Bytes held out of order per direction; a segment past it is dropped, and TCP sends it again."""

HELD_IN_ALL = 32 * 1024 * 1024
"""Likewise for all connections together."""

REMEMBERED = 8 * 1024 * 1024
"""Bytes forwarded and not yet acknowledged that are remembered per direction. More than Linux lets
a window grow by default (net.ipv4.tcp_rmem: 6 MiB); a segment past it is dropped."""

RECENT = 1024
"""Bytes remembered beyond their acknowledgement, since that may get lost and they come again."""

_start = attrgetter("start")

_HALF = 1 << 31
_MODULUS = 1 << 32


class Room:
    """What all connections together may hold out of order.

    Attributes:
        left: bytes that may still be held.
    """

    __slots__ = ("left",)

    def __init__(self) -> None:
        self.left = HELD_IN_ALL


class Piece(NamedTuple):
    """Consecutive bytes that were forwarded.

    Args:
        start: offset of the first.
        original: as they were sent.
        forwarded: as they were forwarded.
    """

    start: int
    original: bytes
    forwarded: bytes

    @property
    def end(self) -> int:
        """Offset behind the last byte."""
        return self.start + len(self.original)


class Held(NamedTuple):
    """A segment that waits for the bytes before it.

    Args:
        start: offset of its first byte.
        order: counts held segments, so that equal starts keep the order of arrival.
        segment: the segment, its payload consistent with all that was held before it.
    """

    start: int
    order: int
    segment: Segment


@dataclass(slots=True)
class Overlap:
    """What a segment's bytes become when first copies win.

    Args:
        start: offset of the first byte that is still known; bytes before it were acknowledged
            so long ago that they are forgotten.
        payload: the bytes from there on, edited as they were where they have been forwarded,
            else as they were sent.
        inconsistent: offset of the first byte that differs from its first copy, None if none does.
    """

    start: int
    payload: bytes
    inconsistent: int | None


class Stream:
    """One direction of a connection.

    Args:
        start: sequence number of its first byte.
        room: for held segments, shared with the other streams.

    Attributes:
        received: offset of the next byte expected in order; all before were forwarded.
        acknowledged: offset up to which the receiver has acknowledged.
        limit: offset up to which the receiver ever allowed to send, None while that is unknown.
        fin: offset of the FIN, None until it has been forwarded.
        discarding: whether a segment at `received` was dropped without a trace, so that what
            follows it is dropped too until it comes again.
        held: segments out of order, by offset.
    """

    __slots__ = (
        "_held_bytes",
        "_order",
        "_pieces",
        "_room",
        "_start",
        "acknowledged",
        "discarding",
        "fin",
        "held",
        "limit",
        "received",
    )

    def __init__(self, start: int, room: Room) -> None:
        self._room = room
        self._start = start
        self._pieces: list[Piece] = []
        self._held_bytes = 0
        self._order = 0
        self.received = 0
        self.acknowledged = -1  # the SYN itself is not acknowledged yet
        self.limit: int | None = None
        self.fin: int | None = None
        self.discarding = False
        self.held: list[Held] = []

    def offset(self, sequence: int) -> int:
        """The offset that a sequence number stands for: the one nearest to what is expected."""
        distance = (sequence - self._start - self.received) % _MODULUS
        return self.received + (distance if distance < _HALF else distance - _MODULUS)

    def sequence(self, offset: int) -> int:
        """The sequence number of an offset."""
        return (self._start + offset) % _MODULUS

    @property
    def forwarded(self) -> int:
        """Offset behind all that was forwarded, a FIN included."""
        return self.received if self.fin is None else self.fin + 1

    @property
    def unacknowledged(self) -> int:
        """Bytes forwarded and not yet acknowledged."""
        return self.received - self.acknowledged

    def acknowledge(self, offset: int) -> None:
        """The receiver has acknowledged all before an offset: forget what will not come again."""
        if offset <= self.acknowledged:
            return
        self.acknowledged = offset
        self._forget(offset)

    def forget_excess(self) -> None:
        """Forget the oldest bytes past the bound, acknowledged or not: for captures that show one
        direction only."""
        self._forget(self.received - REMEMBERED)

    def _forget(self, offset: int) -> None:
        pieces = self._pieces
        done = 0
        while done < len(pieces) and pieces[done].end <= offset:
            done += 1
        recent = 0
        while done and (recent := recent + len(pieces[done - 1].original)) <= RECENT:
            done -= 1
        if done:
            del pieces[:done]

    def append(self, original: bytes, forwarded: bytes) -> None:
        """Bytes have been forwarded in order."""
        start, end = self.received, self.received + len(original)
        if self._pieces and len(self._pieces[-1].original) + len(original) <= RECENT:
            # Many small segments cost no more than a few large ones.
            last = self._pieces.pop()
            start, original, forwarded = (
                last.start,
                last.original + original,
                last.forwarded + forwarded,
            )
        self._pieces.append(Piece(start, original, forwarded))
        self.received = end
        self.discarding = False

    def consistent(self, start: int, payload: bytes) -> Overlap:
        """Make bytes that came equal to their first copies, as far as there are any.

        Args:
            start: offset of the first of them.
            payload: the bytes.
        """
        end = start + len(payload)
        inconsistent = None
        if start < self.received:
            known = self._pieces[0].start if self._pieces else self.received
            if start < known:
                payload = payload[known - start :]
                start = known
            parts = []
            at = start
            index = bisect_right(self._pieces, at, key=_start) - 1
            for piece in islice(self._pieces, max(index, 0), None):
                if piece.start >= end:
                    break
                stop = min(piece.end, end)
                cut = slice(at - piece.start, stop - piece.start)
                theirs, ours = payload[at - start : stop - start], piece.original[cut]
                if inconsistent is None and theirs != ours:
                    inconsistent = at + _first_difference(theirs, ours)
                parts.append(piece.forwarded[cut])
                at = stop
            if parts:
                payload = b"".join(parts) + payload[at - start :]
        if self.held and end > self.received:
            for held in self.held:
                first = held.segment
                copy = first.packet[first.payload_at : first.end]
                low, high = max(held.start, start, self.received), min(held.start + len(copy), end)
                if low >= high:
                    continue
                theirs, ours = payload[low - start : high - start], copy[low - held.start :]
                ours = ours[: len(theirs)]
                if theirs != ours:
                    differs = low + _first_difference(theirs, ours)
                    inconsistent = differs if inconsistent is None else min(inconsistent, differs)
                    payload = payload[: low - start] + ours + payload[high - start :]
        return Overlap(start, payload, inconsistent)

    def hold(self, segment: Segment) -> bool:
        """Keep a segment until the bytes before it have come.

        Args:
            segment: the segment, made consistent.

        Returns:
            whether there was room.
        """
        size = segment.end - segment.payload_at
        if (
            size > self._room.left
            or self._held_bytes + size > HELD
            or len(self.held) >= HELD // 1024
        ):
            return False
        insort(self.held, Held(self.offset(segment.sequence), self._order, segment))
        self._order += 1
        self._held_bytes += size
        self._room.left -= size
        return True

    def next_held(self) -> Segment | None:
        """Take out the next held segment if nothing is missing before it any more."""
        if not self.held or self.held[0].start > self.received:
            return None
        segment = self.held.pop(0).segment
        size = segment.end - segment.payload_at
        self._held_bytes -= size
        self._room.left += size
        return segment

    def drop_held(self) -> None:
        """Forget the held segments."""
        self._room.left += self._held_bytes
        self._held_bytes = 0
        self.held.clear()


def _first_difference(one: bytes, other: bytes) -> int:
    """Index of the first byte in which two strings of one length differ."""
    return next(
        index for index, pair in enumerate(zip(one, other, strict=True)) if len(set(pair)) > 1
    )
