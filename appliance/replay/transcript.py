"""What two ends said to each other, put together from packets.

It is a witness: it knows nothing of the firewall, and shares no code with it. Fed with the packets
that come in, it tells what each end sent; fed with those that go out, what each end received.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field
from functools import lru_cache
from ipaddress import IPv4Address
from itertools import groupby
from operator import itemgetter
from struct import Struct
from typing import NamedTuple

from appliance.events import Direction

MAX_STREAM = 16 << 20
"""Bytes kept of one direction of a connection; a mail of the usual size limits fits well."""

MAX_PIECES = 1 << 18
"""Packets whose bytes are kept of one direction; reached first only below 64 bytes a packet."""

_TCP = 6
_HEADER = Struct("!HHIIBB")  # of TCP, up to the flags
_FIN, _SYN, _RST, _ACK = 0x01, 0x02, 0x04, 0x10
_HALF = 1 << 31  # sequence numbers further apart than this are the other way round


class Socket(NamedTuple):
    """An address and a port, printed as `192.0.2.1:25`."""

    address: IPv4Address
    port: int

    def __str__(self) -> str:
        return f"{self.address}:{self.port}"


class Segment(NamedTuple):
    """The part of a TCP segment that a transcript needs.

    Args:
        source: where it comes from.
        destination: where it goes.
        sequence: sequence number of the SYN, or of the first byte of payload.
        acknowledgement: acknowledgement number, None without the ACK flag.
        syn: the SYN flag.
        fin: the FIN flag.
        rst: the RST flag.
        payload: its data, as far as it was captured.
    """

    source: Socket
    destination: Socket
    sequence: int
    acknowledgement: int | None
    syn: bool
    fin: bool
    rst: bool
    payload: bytes


def read_segment(packet: bytes) -> Segment | None:
    """Read the TCP segment in an IPv4 packet.

    Args:
        packet: from its IPv4 header on; what follows its total length (padding) is left out, and
            a total length of 0 (segmentation offload) means all of it.

    Returns:
        the segment; None if the packet is not whole TCP over IPv4 or is a fragment.
    """
    if len(packet) < 40 or packet[0] >> 4 != 4 or packet[9] != _TCP:
        return None
    at = (packet[0] & 15) * 4
    end = min(int.from_bytes(packet[2:4]) or len(packet), len(packet))
    fragment = int.from_bytes(packet[6:8]) & 0x3FFF  # the offset and the flag "more fragments"
    if at < 20 or fragment or end - at < 20:
        return None
    source, destination, sequence, acknowledgement, words, flags = _HEADER.unpack_from(packet, at)
    payload_at = at + (words >> 4) * 4
    if not at + 20 <= payload_at <= end:
        return None
    return Segment(
        source=_socket(packet[12:16], source),
        destination=_socket(packet[16:20], destination),
        sequence=sequence,
        acknowledgement=acknowledgement if flags & _ACK else None,
        syn=bool(flags & _SYN),
        fin=bool(flags & _FIN),
        rst=bool(flags & _RST),
        payload=packet[payload_at:end],
    )


@lru_cache(4096)
def _socket(address: bytes, port: int) -> Socket:
    return Socket(IPv4Address(address), port)


@dataclass(frozen=True, slots=True)
class Hole:
    """Bytes that were sent and acknowledged but are not among the packets.

    Args:
        offset: of the first missing byte in the stream, from 0.
        length: how many are missing.
    """

    offset: int
    length: int


@dataclass(frozen=True, slots=True)
class Piece:
    """Bytes of a stream that one packet brought first.

    Args:
        offset: of the first byte in the stream, from 0.
        data: the bytes.
        order: number of the packet within its conversation.
        time: the packet's time in seconds.
    """

    offset: int
    data: bytes
    order: int
    time: float

    @property
    def end(self) -> int:
        """The offset after its last byte."""
        return self.offset + len(self.data)


class Stream:
    """One direction of a connection.

    The first copy of a byte counts. Bytes behind a gap count once the receiver acknowledges past
    the gap, since then the packets are incomplete and not the stream; or where nothing is
    seen of the receiver at all. Other bytes behind a gap no receiver has ever read.

    Attributes:
        truncated: whether bytes were left out, past MAX_STREAM or MAX_PIECES.
    """

    # A capture may have a million connections, with four streams each.
    __slots__ = ("_acknowledged", "_kept", "_next", "_origin", "_pieces", "truncated")

    def __init__(self) -> None:
        self._origin: int | None = None  # sequence number of the byte at offset 0
        self._pieces: list[Piece] = []  # disjoint, in ascending order
        self._next = 0  # end of the bytes that follow each other from offset 0
        self._kept = 0
        self._acknowledged: int | None = None
        self.truncated = False

    def start(self, sequence: int) -> None:
        """Set where the stream begins, unless that is known.

        Args:
            sequence: sequence number of its first byte.
        """
        if self._origin is None:
            self._origin = sequence

    def add(self, sequence: int, data: bytes, order: int, time: float) -> None:
        """Take the data of a segment; what is known, or lies before the beginning, is left out.

        Args:
            sequence: sequence number of its first byte.
            data: the bytes.
            order: number of the packet within its conversation.
            time: the packet's time in seconds.
        """
        self.start(sequence)
        offset = self._offset(sequence)
        end = offset + len(data)
        position = max(offset, self._next)
        # All pieces up to `_next` follow each other: the first that can leave a gap is after it.
        index = bisect_right(self._pieces, position, key=lambda piece: piece.offset)
        if index and self._pieces[index - 1].end > position:
            position = self._pieces[index - 1].end
        while position < end:
            stop = self._pieces[index].offset if index < len(self._pieces) else end
            stop = min(stop, end)
            if position < stop:
                room = MAX_STREAM - self._kept if len(self._pieces) < MAX_PIECES else 0
                new = data[position - offset : min(stop - offset, position - offset + room)]
                self.truncated |= len(new) < stop - position
                if not new:
                    break
                self._pieces.insert(index, Piece(position, new, order, time))
                self._kept += len(new)
                index += 1
            if index >= len(self._pieces):
                break
            position = self._pieces[index].end
            index += 1
        self._advance()

    def acknowledge(self, number: int) -> None:
        """Note what the receiver acknowledged.

        Args:
            number: its acknowledgement number.
        """
        self.start(number)
        self._acknowledged = max(self._acknowledged or 0, self._offset(number))

    @property
    def pieces(self) -> tuple[Piece, ...]:
        """What was said, packet by packet, in the order of the stream."""
        delivered = []
        end = 0
        for piece in self._pieces:
            seen_past = self._acknowledged is None or piece.offset <= self._acknowledged
            if piece.offset > end and not seen_past:
                break
            delivered.append(piece)
            end = piece.end
        return tuple(delivered)

    @property
    def data(self) -> bytes:
        """What was said, without what is missing."""
        return b"".join(piece.data for piece in self.pieces)

    @property
    def holes(self) -> tuple[Hole, ...]:
        """What is missing between the bytes of `data`."""
        found = []
        end = 0
        for piece in self.pieces:
            if piece.offset > end:
                found.append(Hole(end, piece.offset - end))
            end = piece.end
        return tuple(found)

    def _offset(self, sequence: int) -> int:
        # Counted from the last byte in order: a stray number cannot shift what comes after it.
        distance = (sequence - (self._origin or 0) - self._next) & 0xFFFFFFFF
        return self._next + (distance - (1 << 32) if distance >= _HALF else distance)

    def _advance(self) -> None:
        index = bisect_right(self._pieces, self._next, key=lambda piece: piece.offset)
        if index and self._pieces[index - 1].end > self._next:
            self._next = self._pieces[index - 1].end
        while index < len(self._pieces) and self._pieces[index].offset == self._next:
            self._next = self._pieces[index].end
            index += 1


@dataclass(frozen=True, slots=True)
class Turn:
    """What one end said until the other spoke.

    Args:
        direction: which way it went.
        data: the bytes.
        time: when the first of them could be read, in seconds.
    """

    direction: Direction
    data: bytes
    time: float


@dataclass(slots=True)
class Conversation:
    """One connection.

    Args:
        client: the end that opened it.
        server: the end it was opened to.
        began: time of its first packet in seconds.
    """

    client: Socket
    server: Socket
    began: float
    to_server: Stream = field(default_factory=Stream)
    to_client: Stream = field(default_factory=Stream)
    ended: bool = False
    """Whether a FIN or an RST was seen."""
    opening: int | None = None
    """Sequence number of the client's SYN, None if it was not seen."""
    _packets: int = 0

    def add(self, segment: Segment, time: float) -> None:
        """Take a segment of this connection.

        Args:
            segment: the segment, in either direction.
            time: its time in seconds.
        """
        own, other = self.to_server, self.to_client
        if segment.source != self.client:
            own, other = other, own
        self._packets += 1
        self.ended |= segment.fin or segment.rst
        if segment.syn and segment.source == self.client and self.opening is None:
            self.opening = segment.sequence
        if segment.rst:
            return  # its payload, if any, is a diagnostic and not part of the stream (RFC 9293)
        first = (segment.sequence + segment.syn) & 0xFFFFFFFF
        own.start(first)
        if segment.payload:
            own.add(first, segment.payload, self._packets, time)
        if segment.acknowledgement is not None:
            other.acknowledge(segment.acknowledgement)

    def turns(self) -> tuple[Turn, ...]:
        """What was said as a dialogue, in the order in which it could be read."""
        spoken = []
        for direction, stream in (
            (Direction.TO_SERVER, self.to_server),
            (Direction.TO_CLIENT, self.to_client),
        ):
            order, time = 0, self.began
            for piece in stream.pieces:
                # A piece that overtook another can be read only when that one has come.
                if piece.order > order:
                    order, time = piece.order, piece.time
                spoken.append((order, direction, piece.data, time))
        spoken.sort(key=itemgetter(0))  # stable: pieces of one packet keep their order
        turns = []
        for direction, said in groupby(spoken, key=itemgetter(1)):
            _, _, parts, times = zip(*said, strict=True)
            turns.append(Turn(direction, b"".join(parts), times[0]))
        return tuple(turns)


class Transcript:
    """All connections among some packets, seen at one place."""

    def __init__(self) -> None:
        self.conversations: list[Conversation] = []
        """In the order in which they began."""
        self._latest: dict[frozenset[Socket], Conversation] = {}
        self._asked: dict[frozenset[Socket], Segment] = {}

    def add(self, packet: bytes, time: float) -> None:
        """Take a packet.

        Args:
            packet: from its IPv4 header on; what is not TCP is passed over.
            time: its time in seconds.
        """
        segment = read_segment(packet)
        if segment is None:
            return
        pair = frozenset((segment.source, segment.destination))
        latest = self._latest.get(pair)
        asked = self._asked.get(pair)
        if segment.syn and segment.acknowledgement is None:
            self._asked[pair] = segment
            if latest is None or (latest.ended and latest.opening != segment.sequence):
                latest = self._begin(pair, segment, time)
            elif latest.opening != segment.sequence:
                return  # into a living connection: stray or hostile, unless it is answered
        elif latest is None:
            latest = self._begin(pair, segment, time)
        elif asked is not None and latest.opening != asked.sequence and _answers(segment, asked):
            latest = self._begin(pair, asked, time)
            latest.add(asked, time)
        latest.add(segment, time)

    def _begin(self, pair: frozenset[Socket], segment: Segment, time: float) -> Conversation:
        client, server = _ends(segment)
        self._latest[pair] = Conversation(client, server, time)
        self.conversations.append(self._latest[pair])
        return self._latest[pair]


def _answers(segment: Segment, asked: Segment) -> bool:
    """Whether a SYN-ACK accepts a SYN."""
    return (
        segment.syn
        and segment.source == asked.destination
        and segment.acknowledgement == (asked.sequence + 1) & 0xFFFFFFFF
    )


def _ends(segment: Segment) -> tuple[Socket, Socket]:
    """The client and the server, by the handshake or else by the lower port."""
    source, destination = segment.source, segment.destination
    if segment.syn:
        backwards = segment.acknowledgement is not None
    else:
        backwards = source.port < destination.port
    return (destination, source) if backwards else (source, destination)
