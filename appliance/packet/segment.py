"""A TCP segment in an IPv4 packet: its fields read once, at fixed offsets (RFC 791, RFC 793)."""

from __future__ import annotations

from dataclasses import dataclass
from struct import Struct

from mypy_extensions import mypyc_attr

from appliance.packet.checksum import fill_header, fill_tcp
from appliance.protocol import TCP

FIN = 0x01
SYN = 0x02
RST = 0x04
PSH = 0x08
ACK = 0x10
URG = 0x20

WIDEST_SCALE = 14
"""The greatest shift of a window (RFC 7323, section 2.3)."""

_IPV4 = Struct("!BxHxxHxBxxII")  # version/length, total, fragment, protocol, addresses
_TCP = Struct("!HHIIBBH")  # ports, sequence, acknowledgement, offset, flags, window
_HEADERS = Struct("!BBHHHBBHIIHHIIBBHHH")  # both, whole
_WORD = Struct("!H")
_LONG = Struct("!I")
_BLOCK = Struct("!II")

_END_OF_OPTIONS = 0
_NO_OPERATION = 1
_WINDOW_SCALE = 3
_SACK_PERMITTED = 4
_SACK = 5
_TIMESTAMPS = 8
_TIME_TO_LIVE = 64
_FAST_OPEN = (34, 254)  # RFC 7413; 254 is its experimental number


@mypyc_attr(allow_interpreted_subclasses=True, serializable=True)
class Segment:
    """The fields of a TCP segment that the firewall looks at, host order.

    Attributes:
        packet: the IPv4 packet it came in.
        source, destination: addresses as integers.
        source_port, destination_port: ports.
        sequence, acknowledgement: numbers as they stand in the header, modulo 2**32.
        flags: the flags byte.
        window: the window field, unscaled.
        header_length: bytes of the IPv4 header.
        payload_at: where the payload begins in `packet`.
        end: where the payload ends in `packet` (link-layer padding may follow).
    """

    __slots__ = (
        "acknowledgement",
        "destination",
        "destination_port",
        "end",
        "flags",
        "header_length",
        "packet",
        "payload_at",
        "sequence",
        "source",
        "source_port",
        "window",
    )

    def __init__(self, packet: bytes) -> None:
        """Read the headers.

        Args:
            packet: an IPv4 packet with a TCP header, from the IPv4 header on.

        Raises:
            ValueError: the headers are not whole, or it is no unfragmented IPv4 TCP packet.
        """
        if len(packet) < 40:
            raise ValueError("too short for IPv4 and TCP headers")
        (first, total, fragment, protocol, self.source, self.destination) = _IPV4.unpack_from(
            packet
        )
        self.header_length = header_length = (first & 0x0F) * 4
        # A total length of 0 is a packet that the network card was to cut up (TSO).
        self.end = end = total or len(packet)
        if first >> 4 != 4 or header_length < 20 or not header_length + 20 <= end <= len(packet):
            raise ValueError("IPv4 header lengths do not fit the packet")
        if protocol != TCP:
            raise ValueError(f"protocol {protocol} is not TCP")
        if fragment & 0x3FFF:
            raise ValueError("a fragment")
        (
            self.source_port,
            self.destination_port,
            self.sequence,
            self.acknowledgement,
            offset,
            self.flags,
            self.window,
        ) = _TCP.unpack_from(packet, header_length)
        self.payload_at = header_length + (offset >> 4) * 4
        if not header_length + 20 <= self.payload_at <= end:
            raise ValueError("TCP header length does not fit the packet")
        self.packet = packet

    def options(self) -> list[tuple[int, int, int]]:
        """The TCP options as (kind, where the option begins, its length in bytes).

        Padding is left out; options that do not fit the header end the list.
        """
        found = []
        at = self.header_length + 20
        while at < self.payload_at:
            kind = self.packet[at]
            if kind == _END_OF_OPTIONS:
                break
            if kind == _NO_OPERATION:
                at += 1
                continue
            length = self.packet[at + 1] if at + 1 < self.payload_at else 0
            if length < 2 or at + length > self.payload_at:
                break
            found.append((kind, at, length))
            at += length
        return found

    def window_scale(self) -> int | None:
        """The shift of the window scale option, at most WIDEST_SCALE, or None."""
        for kind, at, length in self.options():
            if kind == _WINDOW_SCALE and length == 3:
                return min(self.packet[at + 2], WIDEST_SCALE)
        return None

    def sack_permitted(self) -> bool:
        """Whether it carries the SACK-permitted option (RFC 2018, section 2)."""
        return any(kind == _SACK_PERMITTED for kind, _, _ in self.options())

    def fast_open(self) -> bool:
        """Whether it carries a fast-open option (RFC 7413)."""
        return any(kind in _FAST_OPEN for kind, _, _ in self.options())

    def timestamp_at(self) -> int | None:
        """Where the timestamp value stands in the packet (RFC 7323, section 3.2), or None."""
        for kind, at, length in self.options():
            if kind == _TIMESTAMPS and length == 10:
                return at + 2
        return None

    def timestamp(self) -> int | None:
        """The timestamp value that the sender put in, or None."""
        at = self.timestamp_at()
        return None if at is None else int(_LONG.unpack_from(self.packet, at)[0])

    def sack_blocks(self) -> list[tuple[int, int, int]]:
        """The SACK blocks (RFC 2018) as (where one stands, its left and its right edge)."""
        found = []
        for kind, at, length in self.options():
            if kind == _SACK:
                for block in range(at + 2, at + length - 7, 8):
                    left, right = _BLOCK.unpack_from(self.packet, block)
                    found.append((block, left, right))
        return found


@dataclass(frozen=True, slots=True)
class Changes:
    """What to change in the header of a segment; None leaves a field as it is.

    Args:
        sequence: sequence number.
        acknowledgement: acknowledgement number.
        flags: flags byte; without URG the urgent pointer is zeroed too.
        window: window field, unscaled.
        timestamp: timestamp value, where the segment has the option.
        sack: SACK blocks as (where one stands, its left and its right edge), in place of those
            that stand there; an empty tuple takes the option away.
        fast_open: False overwrites a fast-open option with padding.
    """

    sequence: int | None = None
    acknowledgement: int | None = None
    flags: int | None = None
    window: int | None = None
    timestamp: int | None = None
    sack: tuple[tuple[int, int, int], ...] | None = None
    fast_open: bool = True


NO_CHANGES = Changes()


def edit(segment: Segment, payload: bytes | None = None, changes: Changes = NO_CHANGES) -> bytes:
    """The segment's packet with some of it changed, and right checksums.

    Args:
        segment: the segment as it came.
        payload: bytes to carry in place of its own.
        changes: what to change in its header.
    """
    packet = bytearray(segment.packet[: segment.payload_at])
    packet += segment.packet[segment.payload_at : segment.end] if payload is None else payload
    at = segment.header_length
    if changes.sequence is not None:
        _LONG.pack_into(packet, at + 4, changes.sequence)
    if changes.acknowledgement is not None:
        _LONG.pack_into(packet, at + 8, changes.acknowledgement)
    if changes.flags is not None:
        packet[at + 13] = changes.flags
        if not changes.flags & URG:
            _WORD.pack_into(packet, at + 18, 0)
    if changes.window is not None:
        _WORD.pack_into(packet, at + 14, changes.window)
    if changes.timestamp is not None and (stamp_at := segment.timestamp_at()) is not None:
        _LONG.pack_into(packet, stamp_at, changes.timestamp)
    if changes.sack is not None:
        _put_sack(packet, segment, changes.sack)
    if not changes.fast_open:
        _pad(packet, segment, _FAST_OPEN)
    if len(packet) != segment.end:
        fill_header(packet)
    fill_tcp(packet)
    return bytes(packet)


def _put_sack(
    packet: bytearray, segment: Segment, blocks: tuple[tuple[int, int, int], ...]
) -> None:
    if not blocks:
        _pad(packet, segment, (_SACK,))
    for block, left, right in blocks:
        _BLOCK.pack_into(packet, block, left, right)


def _pad(packet: bytearray, segment: Segment, kinds: tuple[int, ...]) -> None:
    """Overwrite options, so that nothing moves."""
    for kind, at, length in segment.options():
        if kind in kinds:
            packet[at : at + length] = bytes((_NO_OPERATION,)) * length


def compose(
    model: Segment,
    turned: bool,
    sequence: int,
    acknowledgement: int,
    flags: int,
    window: int = 0,
    payload: bytes = b"",
    timestamp: int | None = None,
    sack: tuple[tuple[int, int], ...] = (),
) -> bytes:
    """A packet of the firewall's own, as one of the two ends would send it.

    Args:
        model: a segment of the connection; the packet carries timestamps if it does.
        turned: whether the packet goes the other way than the model.
        sequence: sequence number.
        acknowledgement: acknowledgement number.
        flags: flags byte.
        window: window field, unscaled.
        payload: bytes to carry.
        timestamp: timestamp value in place of the model's.
        sack: edges of SACK blocks, at most 3 (with timestamps, there is room for no more).
    """
    source, destination = model.source, model.destination
    ports = (model.source_port, model.destination_port)
    options = b""
    stamp_at = model.timestamp_at()
    if stamp_at is not None:
        value, echo = _BLOCK.unpack_from(model.packet, stamp_at)
        value = value if timestamp is None else timestamp
        # Turned, the echo is the latest value of the other end, and the value is what to echo.
        options = b"\1\1\x08\x0a" + (
            _BLOCK.pack(echo, value) if turned else _BLOCK.pack(value, echo)
        )
    if sack:
        options += bytes((_NO_OPERATION, _NO_OPERATION, _SACK, 2 + 8 * len(sack)))
        options += b"".join(_BLOCK.pack(left, right) for left, right in sack)
    if turned:
        source, destination = destination, source
        ports = (ports[1], ports[0])
    length = 40 + len(options) + len(payload)
    packet = bytearray(
        _HEADERS.pack(
            0x45,
            0,
            length,
            0,
            0x4000,  # not to be fragmented
            _TIME_TO_LIVE,
            TCP,
            0,
            source,
            destination,
            *ports,
            sequence,
            acknowledgement,
            (20 + len(options)) << 2,
            flags,
            window,
            0,
            0,
        )
    )
    packet += options + payload
    fill_header(packet)
    fill_tcp(packet)
    return bytes(packet)
