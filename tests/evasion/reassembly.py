"""Two receivers that disagree wherever TCP lets them: which of two copies of a byte counts.

They read raw packets by the definitions of RFC 791, 793, 1323 and 7413, with none of the
firewall's own code. Nothing is read before the end, so a last copy replaces even bytes that a
real TCP would have handed to its program long ago: what these two agree on, no two real ones
disagree on.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache

FIN, SYN, RST, ACK, URG = 1, 2, 4, 16, 32

_MODULUS = 1 << 32
_WINDOW_SCALE = 3
_TIMESTAMPS = 8


@dataclass(frozen=True, slots=True)
class Habits:
    """What a TCP does where implementations differ, other than with copies of bytes.

    Args:
        name: what to call it.
        fast_open: data in a SYN counts.
        needs_acknowledgement: a segment without ACK, or that acknowledges what was never sent,
            is dropped.
        heeds_timestamps: a segment older than one before it (PAWS), or that lost its timestamp,
            is dropped.
        urgent_aside: the urgent byte is taken out of the stream.
        resets_in_window: any RST or SYN within the window ends the connection (RFC 793); else
            only a RST with exactly the number expected does (RFC 5961).
    """

    name: str
    fast_open: bool
    needs_acknowledgement: bool
    heeds_timestamps: bool
    urgent_aside: bool
    resets_in_window: bool


LENIENT = Habits("lenient", True, False, False, False, False)
STRICT = Habits("strict", False, True, True, True, True)


@dataclass(frozen=True, slots=True)
class Header:
    """What stands in a packet, read at its raw bytes."""

    sequence: int
    acknowledgement: int
    flags: int
    window: int
    urgent: int
    scale: int | None
    timestamp: int | None
    payload: bytes


@lru_cache(maxsize=16)
def read(packet: bytes) -> Header:
    """Read an unfragmented IPv4 packet with TCP in it."""
    total = int.from_bytes(packet[2:4])
    tcp = packet[(packet[0] & 15) * 4 : total]
    sequence, acknowledgement, offset, flags, window, _, urgent = struct.unpack(
        "!IIBBHHH", tcp[4:20]
    )
    data = (offset >> 4) * 4
    options = tcp[20:data]
    scale = timestamp = None
    while options and options[0] != 0:
        if options[0] == 1:
            options = options[1:]
            continue
        length = options[1] if len(options) > 1 else 0
        if not 2 <= length <= len(options):
            break
        if options[0] == _WINDOW_SCALE and length == 3:
            scale = min(options[2], 14)
        if options[0] == _TIMESTAMPS and length == 10:
            timestamp = int.from_bytes(options[2:6])
        options = options[length:]
    return Header(sequence, acknowledgement, flags, window, urgent, scale, timestamp, tcp[data:])


def distance(number: int, origin: int) -> int:
    """How far a sequence number is ahead of another, negative if behind."""
    return (number - origin + (_MODULUS >> 1)) % _MODULUS - (_MODULUS >> 1)


@dataclass
class Incoming:
    """One connection's bytes as they come in.

    Args:
        opened: sequence number of the peer's SYN.
        scale: the peer's window scale, None without the option.
        timestamp: the newest timestamp of the peer, None without the option.
        copies: the bytes, by their offset in the stream.
        aside: offsets of urgent bytes that are taken out.
        next: offset of the first byte that is missing.
        fin: offset of the FIN, if one counts.
        answered: whether this end has sent its own SYN.
        over: whether a RST or SYN has ended it.
    """

    opened: int
    scale: int | None
    timestamp: int | None
    copies: dict[int, int] = field(default_factory=dict)
    aside: set[int] = field(default_factory=set)
    next: int = 0
    fin: int | None = None
    answered: bool = False
    over: bool = False

    @property
    def stream(self) -> bytes:
        """What a program would read."""
        return bytes(self.copies[at] for at in range(self.next) if at not in self.aside)

    @property
    def acknowledges(self) -> int:
        """Offset of what its receiver expects next, a FIN counted."""
        return self.next + (self.fin == self.next)


class Receiver:
    """One end's TCP, as far as it receives.

    Args:
        habits: what it does where others do otherwise.

    Attributes:
        connections: those that peers opened to it, one after the other.
        heard: offset in its own stream up to which its peer has acknowledged.
        allowed: offset in its own stream up to which its peer has given it leave to send.
    """

    last_wins: bool

    def __init__(self, habits: Habits) -> None:
        self.habits = habits
        self.connections: list[Incoming] = []
        self.heard = 0
        self.allowed = 0
        self._start: int | None = None  # of its own stream
        self._scale: int | None = None
        self._sent = 0
        self._edge = 65535

    @property
    def current(self) -> Incoming | None:
        """The connection that has not ended, if there is one."""
        return self.connections[-1] if self.connections and not self.connections[-1].over else None

    @property
    def streams(self) -> list[bytes]:
        """What a program would read of each connection."""
        return [each.stream for each in self.connections]

    def sent(self, packet: bytes) -> None:
        """This end itself sends a packet: it says which window there is.

        Args:
            packet: the packet as it was sent.
        """
        header = read(packet)
        if header.flags & SYN:
            if self.current is None or not self.current.answered:
                self._begin(header)
            return
        if self._start is not None:
            end = distance(header.sequence, self._start) + len(header.payload)
            self._sent = max(self._sent, end + bool(header.flags & FIN))
        if self.current and header.flags & ACK:
            scale = self._scale if self.current.scale is not None else 0
            acknowledged = distance(header.acknowledgement, self.current.opened) - 1
            self._edge = max(self._edge, acknowledged + (header.window << (scale or 0)))

    def _begin(self, header: Header) -> None:
        """It sends a SYN, or a SYN-ACK to one that came."""
        if self._start != (header.sequence + 1) % _MODULUS:
            self._start = (header.sequence + 1) % _MODULUS
            self._sent = self.heard = self.allowed = 0
        self._scale = header.scale
        self._edge = header.window
        if self.current:
            self.current.answered = True

    def take(self, packet: bytes) -> None:
        """A packet has arrived.

        Args:
            packet: the packet as it arrived.
        """
        header = read(packet)
        if header.flags & SYN:
            self._synchronize(header)
        elif self.current:
            if header.flags & RST:
                self._reset(self.current, header)
            else:
                self._transfer(self.current, header)

    def _synchronize(self, header: Header) -> None:
        if header.flags & (RST | FIN):
            return
        known = self.current
        if known is not None and known.opened != header.sequence:
            if not self.habits.resets_in_window:
                return  # challenged
            if 0 <= distance(header.sequence, known.opened) - 1 - known.next < self._edge:
                known.over = True
            return
        if known is None:
            known = Incoming(header.sequence, header.scale, header.timestamp)
            known.answered = bool(header.flags & ACK)
            self.connections.append(known)
        if header.flags & ACK:
            self._hear(header)
        if self.habits.fast_open:
            self._place(known, 0, header.payload)

    def _reset(self, known: Incoming, header: Header) -> None:
        at = distance(header.sequence, known.opened) - 1
        within = known.next <= at < max(self._edge, known.next + 1)
        if at == known.acknowledges or (self.habits.resets_in_window and within):
            known.over = True

    def _transfer(self, known: Incoming, header: Header) -> None:
        if self.habits.needs_acknowledgement and not self._acknowledges_sense(header):
            return
        if self.habits.heeds_timestamps and known.timestamp is not None:
            stamp = header.timestamp
            if stamp is None or distance(stamp, known.timestamp) < 0:
                return
            known.timestamp = stamp
        if header.flags & ACK:
            self._hear(header)
        at = distance(header.sequence, known.opened) - 1
        end = at + len(header.payload)
        if header.flags & URG and self.habits.urgent_aside and header.urgent:
            known.aside.add(at + header.urgent - 1)
        if header.flags & FIN and known.next <= end <= self._edge:
            unsettled = known.fin is None or (self.last_wins and known.fin > known.next)
            known.fin = end if unsettled else known.fin
        self._place(known, at, header.payload)

    def _acknowledges_sense(self, header: Header) -> bool:
        if not header.flags & ACK or self._start is None:
            return False
        return distance(header.acknowledgement, self._start) <= self._sent

    def _hear(self, header: Header) -> None:
        if self._start is None:
            return
        heard = distance(header.acknowledgement, self._start)
        if 0 <= heard <= self._sent:
            self.heard = max(self.heard, heard)
            scale = 0
            if self.current and self.current.scale is not None and self._scale is not None:
                scale = 0 if header.flags & SYN else self.current.scale
            self.allowed = max(self.allowed, heard + (header.window << scale))

    def _place(self, known: Incoming, at: int, payload: bytes) -> None:
        for index, byte in enumerate(payload, at):
            if 0 <= index < self._edge and (self.last_wins or index not in known.copies):
                known.copies[index] = byte
        while known.next in known.copies and known.next != known.fin:
            known.next += 1


class FirstCopyWins(Receiver):
    """Keeps what it has: the first copy of a byte that came."""

    last_wins = False


class LastCopyWins(Receiver):
    """Lets what comes replace what it has, whenever it comes."""

    last_wins = True


def put_together(packets: Iterable[bytes], last_wins: bool) -> list[bytes]:
    """What an end's IP hands to its TCP of packets and fragments, in order.

    Args:
        packets: IPv4 packets as they arrived.
        last_wins: whether of fragments that overlap the later one counts.
    """
    whole: list[bytes] = []
    waiting: dict[bytes, tuple[dict[int, int], dict[str, int], bytearray]] = {}
    for packet in packets:
        field_ = int.from_bytes(packet[6:8])
        if not field_ & 0x3FFF:
            whole.append(packet)
            continue
        size = (packet[0] & 15) * 4
        data = packet[size : int.from_bytes(packet[2:4])]
        key = packet[4:6] + packet[12:20]
        copies, known, header = waiting.setdefault(key, ({}, {}, bytearray(packet[:size])))
        for at, byte in enumerate(data, (field_ & 0x1FFF) * 8):
            if last_wins or at not in copies:
                copies[at] = byte
        if not field_ & 0x2000:
            known["end"] = (field_ & 0x1FFF) * 8 + len(data)
        end = known.get("end", -1)
        if end >= 0 and all(at in copies for at in range(end)):
            header[2:4] = (len(header) + end).to_bytes(2)
            header[6:8] = b"\0\0"
            whole.append(bytes(header) + bytes(copies[at] for at in range(end)))
            del waiting[key]
    return whole
