"""One direction of a TCP connection: what has come, in order, and what was forwarded of it.

Offsets count the bytes of the stream from 0 and never wrap; sequence numbers are turned into them
at the door. There are two counts: of the bytes that the sender sent, and of those that the
receiver gets. They differ once the firewall has left bytes out or put some in.

The first copy of a byte wins, the first that was forwarded or held: any other copy is made equal to
it, so that it does not matter which one a receiver takes.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from itertools import islice
from operator import attrgetter
from typing import NamedTuple

from mypy_extensions import mypyc_attr

from appliance.packet.segment import Segment
from appliance.tcp.room import (
    HELD,
    HELD_IN_ALL,
    HELD_SEGMENTS,
    RECENT,
    REMEMBERED,
    REMEMBERED_IN_ALL,
    Room,
)

APART = 4
"""Segments that are remembered each by itself before small ones are joined."""

OWN_SEGMENT = 536
"""Bytes of payload that any host takes in a segment (RFC 1122, section 4.2.2.6)."""

_HALF = 1 << 31
_MODULUS = 1 << 32
_start = attrgetter("start")


class Piece(NamedTuple):
    """Consecutive bytes and what was forwarded of them.

    Args:
        start: the sender's offset of the first.
        original: as they were sent; empty where the firewall put bytes in.
        out: the receiver's offset of the first that was forwarded.
        forwarded: as they were forwarded; empty where they were left out.
        own: whether the firewall answers for their arrival.
    """

    start: int
    original: bytes
    out: int
    forwarded: bytes
    own: bool

    @property
    def end(self) -> int:
        """The sender's offset behind the last byte."""
        return self.start + len(self.original)

    @property
    def out_end(self) -> int:
        """The receiver's offset behind the last byte."""
        return self.out + len(self.forwarded)

    @property
    def weight(self) -> int:
        """Bytes that it takes to remember it, at least one."""
        return max(len(self.original), len(self.forwarded), 1)

    def joined(self, following: Piece) -> Piece:
        """This and the even piece that follows it as one; this must be even too."""
        return self._replace(
            original=self.original + following.original,
            forwarded=self.forwarded + following.forwarded,
        )

    def joins(self, following: Piece) -> bool:
        """Whether this and the piece that follows it are one: both even, or both left out."""
        if self.own or following.own:
            return False
        return (self.even and following.even) or not (self.forwarded or following.forwarded)

    @property
    def even(self) -> bool:
        """Whether each byte stands for one."""
        return not self.own and len(self.original) == len(self.forwarded)


class Held(NamedTuple):
    """A segment that waits for the bytes before it.

    Args:
        start: the sender's offset of its first byte.
        order: counts held segments, so that equal starts keep the order of arrival.
        segment: the segment, its payload consistent with all that was held before it.
    """

    start: int
    order: int
    segment: Segment


class Run(NamedTuple):
    """Consecutive bytes to forward.

    Args:
        out: the receiver's offset of the first.
        payload: the bytes.
        own: whether the firewall answers for their arrival.
    """

    out: int
    payload: bytes
    own: bool = False

    def parts(self) -> list[Run]:
        """The run in parts that go into a packet each; other runs than own ones are whole."""
        if not self.own or len(self.payload) <= OWN_SEGMENT:
            return [self]
        return [
            Run(self.out + at, self.payload[at : at + OWN_SEGMENT], own=True)
            for at in range(0, len(self.payload), OWN_SEGMENT)
        ]


def add_run(runs: list[Run], run: Run) -> None:
    """Add bytes to forward behind others, joined to the last ones where they follow them."""
    if runs and not (run.own or runs[-1].own) and runs[-1].out + len(runs[-1].payload) == run.out:
        runs[-1] = Run(runs[-1].out, runs[-1].payload + run.payload)
    elif run.payload:
        runs.append(run)


@dataclass(slots=True)
class Overlap:
    """What a segment's bytes become when first copies win.

    Args:
        runs: those of them that were forwarded, as they were; bytes that the firewall itself
            answers for are left out, and so are those that are forgotten, since they were
            acknowledged long ago.
        fresh: those that were not yet forwarded, as they were first sent.
        inconsistent: offset of the first byte that differs from its first copy, None if none does.
    """

    runs: list[Run]
    fresh: bytes
    inconsistent: int | None


@mypyc_attr(allow_interpreted_subclasses=True, serializable=True)
class Stream:
    """One direction of a connection.

    Args:
        start: sequence number of its first byte.
        room: what all streams together take of memory.

    Attributes:
        received: the sender's offset of the next byte expected in order.
        sent: the receiver's offset of the next byte that will be forwarded.
        acknowledged: the receiver's offset up to which it has acknowledged.
        told: the sender's offset up to which it has been told that its bytes arrived.
        limit: the sender's offset up to which it ever was allowed to send, None while unknown.
        out_limit: the receiver's offset up to which it ever allowed, 0 while unknown.
        fin: the sender's offset of the FIN, None until it has been forwarded.
        discarding: whether a segment at `received` was dropped without a trace, so that what
            follows it is dropped too until it comes again.
        held: segments out of order, by offset.
        uneven: whether the two counts ever differed.
        widest: the widest window that its receiver ever had, bytes.
        timestamp: the newest timestamp in it, None without the option, or where nobody asks.
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
        "out_limit",
        "received",
        "sent",
        "timestamp",
        "told",
        "uneven",
        "widest",
    )

    def __init__(self, start: int, room: Room) -> None:
        self._start = start
        self._room = room
        self._pieces: list[Piece] = []
        self._held_bytes = 0
        self._order = 0
        self.received = 0
        self.sent = 0
        self.acknowledged = -1  # the SYN itself is not acknowledged yet
        self.told = 0
        self.limit: int | None = None
        self.out_limit = 0
        self.fin: int | None = None
        self.discarding = False
        self.held: tuple[Held, ...] = ()
        self.uneven = False
        self.timestamp: int | None = None
        self.widest = 0

    def offset(self, sequence: int) -> int:
        """The sender's offset that a sequence number of its own stands for: the nearest one."""
        return self._nearest(sequence, self.received)

    def out_offset(self, sequence: int) -> int:
        """The receiver's offset that an acknowledgement of its own stands for: the nearest one."""
        return self._nearest(sequence, self.sent)

    def _nearest(self, sequence: int, expected: int) -> int:
        distance = (sequence - self._start - expected) % _MODULUS
        return expected + (distance if distance < _HALF else distance - _MODULUS)

    def expects(self, sequence: int) -> bool:
        """Whether a sequence number is that of the next byte in order."""
        return (sequence - self._start - self.received) % _MODULUS == 0

    def take_acknowledgement(self, sequence: int, room: int) -> bool:
        """Take what a receiver says that has all in order, while both counts are one.

        Args:
            sequence: the acknowledgement number.
            room: its window, bytes.

        Returns:
            whether it is an acknowledgement of what was forwarded, and none of before the last
            one; if not, nothing changes.
        """
        behind = (self._start + self.sent - sequence) % _MODULUS
        out = self.sent - behind
        if out < self.acknowledged:
            return False
        if out > self.acknowledged:
            self.acknowledged = self.told = out
            self._forget(out)
        edge = out + room
        if edge > self.out_limit:
            self.out_limit = edge
            if self.limit is not None and edge > self.limit:
                self.limit = edge
        self.widest = max(self.widest, room)
        return True

    def sequence(self, offset: int) -> int:
        """The sequence number of an offset, of either count."""
        return (self._start + offset) % _MODULUS

    @property
    def is_plain(self) -> bool:
        """Whether all that came was in order and forwarded byte for byte, and more may come."""
        return not (self.uneven or self.held or self.discarding) and self.fin is None

    @property
    def forwarded(self) -> int:
        """The receiver's offset behind all that was forwarded, a FIN included."""
        return self.sent if self.fin is None else self.sent + 1

    @property
    def arrived(self) -> int:
        """The sender's offset up to which its receiver has acknowledged."""
        return self.to_in(self.acknowledged)

    def to_out(self, offset: int) -> int:
        """The receiver's offset of a byte that the sender counts."""
        if not self.uneven:
            return offset
        if offset >= self.received:
            return self.sent + offset - self.received
        at = bisect_right(self._pieces, offset, key=_start) - 1
        if at < 0:
            first = self._pieces[0] if self._pieces else None
            known, out = (first.start, first.out) if first else (self.received, self.sent)
            return out - (known - offset)
        piece = self._pieces[at]
        return piece.out + offset - piece.start if piece.even else piece.out

    def to_in(self, out: int, last: bool = True) -> int:
        """The sender's offset of a byte that the receiver counts.

        Args:
            out: the receiver's offset.
            last: whether bytes left out at that place count as before it (for an
                acknowledgement: they arrived) or as behind it.
        """
        if not self.uneven:
            return out
        if out > self.sent or (last and out == self.sent):
            return self.received + out - self.sent
        pieces = self._pieces
        if last:
            for piece in reversed(pieces):
                if piece.out_end <= out:
                    return piece.end
                if piece.out < out:
                    return piece.start + out - piece.out if piece.even else piece.start
        else:
            for piece in pieces:
                if piece.out >= out:
                    return piece.start
                if out < piece.out_end:
                    return piece.start + out - piece.out if piece.even else piece.start
            return self.received
        known, start = (pieces[0].out, pieces[0].start) if pieces else (self.sent, self.received)
        return start - (known - out)

    def acknowledge(self, out: int) -> None:
        """The receiver has acknowledged all before an offset: forget what will not come again."""
        if out > self.acknowledged:
            self.acknowledged = out
            self._forget(out)

    def note_timestamp(self, value: int | None) -> None:
        """Note a segment's timestamp, if it is newer than those before (RFC 7323, section 4.2)."""
        known = self.timestamp
        if value is not None and (known is None or (value - known) % _MODULUS < _HALF):
            self.timestamp = value

    def forget_excess(self) -> None:
        """Forget the oldest bytes past the bounds, acknowledged or not: for captures that show one
        direction only."""
        full = self._room.remembered > REMEMBERED_IN_ALL
        self._forget(self.sent if full else self.sent - REMEMBERED)

    def may_remember(self, size: int) -> bool:
        """Whether so many more bytes may be forwarded before some are acknowledged.

        Args:
            size: bytes.
        """
        return (
            self.sent + size - self.acknowledged <= REMEMBERED
            and self._room.remembered + size <= REMEMBERED_IN_ALL
        )

    def _forget(self, out: int) -> None:
        pieces = self._pieces
        done = 0
        while done < len(pieces) and pieces[done].out_end <= out:
            done += 1
        recent = RECENT
        while done and (recent := recent - pieces[done - 1].weight) >= 0:
            done -= 1
        if done == 1:
            self._room.remembered -= pieces.pop(0).weight
        elif done:
            self._room.remembered -= sum(piece.weight for piece in pieces[:done])
            del pieces[:done]

    def append(self, original: bytes, forwarded: bytes, own: bool = False) -> None:
        """Bytes were forwarded in order.

        Args:
            original: as they were sent.
            forwarded: as they were forwarded.
            own: whether the firewall answers for their arrival.
        """
        piece = Piece(self.received, original, self.sent, forwarded, own)
        pieces = self._pieces
        # Many small segments cost no more than a few large ones.
        if len(pieces) > APART and len(original) < RECENT and pieces[-1].joins(piece):
            last = pieces[-1]
            joined = last.joined(piece)
            if joined.weight <= RECENT:
                self._room.remembered -= last.weight
                pieces.pop()
                piece = joined
        pieces.append(piece)
        self._room.remembered += piece.weight
        self.received += len(original)
        self.sent += len(forwarded)
        self.discarding = False
        if not piece.even:
            self.uneven = True
            self._forget(self.acknowledged)  # no acknowledgement may ever come for it

    def consistent(self, start: int, payload: bytes) -> Overlap:
        """Make bytes that came equal to their first copies, as far as there are any.

        Args:
            start: the sender's offset of the first of them.
            payload: the bytes.
        """
        end = start + len(payload)
        runs: list[Run] = []
        differs: list[int] = []
        if start < self.received:
            index = bisect_right(self._pieces, start, key=_start) - 1
            for piece in islice(self._pieces, max(index, 0), None):
                if piece.start >= end:
                    break
                low, high = max(start, piece.start), min(end, piece.end)
                if low >= high:
                    continue
                lower, upper = low - piece.start, high - piece.start
                theirs, ours = payload[low - start : high - start], piece.original[lower:upper]
                if theirs != ours:
                    differs.append(low + _first_difference(theirs, ours))
                if piece.own:
                    continue
                out, copy = piece.out, piece.forwarded
                if piece.even:
                    out, copy = out + lower, copy[lower:upper]
                add_run(runs, Run(out, copy))
        fresh = payload[max(self.received - start, 0) :]
        base = end - len(fresh)
        for held in self.held:
            first = held.segment
            copy = first.packet[first.payload_at : first.end]
            low, high = max(held.start, base), min(held.start + len(copy), end)
            if low >= high:
                continue
            theirs, ours = fresh[low - base : high - base], copy[low - held.start :]
            ours = ours[: len(theirs)]
            if theirs != ours:
                differs.append(low + _first_difference(theirs, ours))
                fresh = fresh[: low - base] + ours + fresh[high - base :]
        return Overlap(runs, fresh, min(differs, default=None))

    def held_ranges(self, newest: int) -> tuple[tuple[int, int], ...]:
        """Where held bytes begin and end, the sender's offsets, at most three ranges.

        Args:
            newest: where the segment begins that was held last; its range is the first.
        """
        ranges: list[tuple[int, int]] = []
        for held in self.held:
            end = held.start + held.segment.end - held.segment.payload_at
            if ranges and held.start <= ranges[-1][1]:
                ranges[-1] = (ranges[-1][0], max(end, ranges[-1][1]))
            elif held.start < end:
                ranges.append((held.start, end))
        ranges.sort(key=lambda each: not each[0] <= newest < each[1])
        return tuple(ranges[:3])

    def hold(self, segment: Segment) -> bool:
        """Keep a segment until the bytes before it have come.

        Args:
            segment: the segment, made consistent.

        Returns:
            whether there was room.
        """
        size = len(segment.packet)
        if (
            self._room.held + size > HELD_IN_ALL
            or self._held_bytes + size > HELD
            or len(self.held) >= HELD_SEGMENTS
        ):
            return False
        held = Held(self.offset(segment.sequence), self._order, segment)
        at = bisect_right(self.held, held)
        self.held = (*self.held[:at], held, *self.held[at:])
        self._order += 1
        self._held_bytes += size
        self._room.held += size
        return True

    def next_held(self) -> Segment | None:
        """Take out the next held segment if nothing is missing before it any more."""
        if not self.held or self.held[0].start > self.received:
            return None
        segment = self.held[0].segment
        self.held = self.held[1:]
        size = len(segment.packet)
        self._held_bytes -= size
        self._room.held -= size
        return segment

    def take_room(self) -> None:
        """Count the memory that it takes, when it comes from another process."""
        self._room.held += self._held_bytes
        self._room.remembered += sum(piece.weight for piece in self._pieces)

    def let_go(self) -> None:
        """Forget everything: the connection is over."""
        self._room.held -= self._held_bytes
        self._held_bytes = 0
        self.held = ()
        self._room.remembered -= sum(piece.weight for piece in self._pieces)
        self._pieces.clear()


def _first_difference(one: bytes, other: bytes) -> int:
    """Index of the first byte in which two strings of one length differ."""
    return next(
        index for index, pair in enumerate(zip(one, other, strict=True)) if len(set(pair)) > 1
    )
