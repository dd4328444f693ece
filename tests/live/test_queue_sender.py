"""Long segments cut into packets, and checksums filled in."""

from __future__ import annotations

import struct

from hypothesis import given
from hypothesis import strategies as st

from appliance.live.sender import split, summed
from appliance.packet.segment import FIN, PSH, Segment

FLAGS_AT = 33


def packet(payload: bytes, sequence: int = 1000, flags: int = 0x18, options: bytes = b"") -> bytes:
    """A segment with wrong checksums and, as with TSO, perhaps no total length."""
    offset = (20 + len(options)) // 4 << 4
    tcp = struct.pack("!HHIIBBHHH", 4000, 25, sequence, 7, offset, flags, 500, 0xBAD, 0)
    total = 20 + len(tcp) + len(options) + len(payload)
    ip = struct.pack("!BBHHHBBHII", 0x45, 0, total, 0xFFFF, 0x4000, 63, 6, 0xBAD, 0x0A000001, 1)
    return ip + tcp + options + payload


def adds_up(data: bytes) -> bool:
    """Whether the ones' complement sum of 16-bit words is what RFC 1071 wants."""
    words = struct.unpack(f"!{(len(data) + 1) // 2}H", data + b"\0" * (len(data) % 2))
    total: int = sum(words)
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return total == 0xFFFF


def is_right(data: bytes) -> bool:
    pseudo = data[12:20] + struct.pack("!HH", 6, len(data) - 20)
    length = data[2:4] == struct.pack("!H", len(data))
    return length and adds_up(data[:20]) and adds_up(pseudo + data[20:])


@given(
    st.binary(min_size=1, max_size=5000),
    st.integers(0, 2**32 - 1),
    st.integers(68, 1500),
    st.sampled_from([b"", b"\1\1\x08\x0a" + bytes(8)]),
)
def test_the_pieces_are_the_segment(
    payload: bytes, sequence: int, mtu: int, options: bytes
) -> None:
    whole = packet(payload, sequence, 0x18 | FIN, options)
    pieces = list(split(Segment(whole), mtu))
    joined = b""
    for number, piece in enumerate(pieces):
        segment = Segment(piece)
        assert is_right(piece)
        assert len(piece) <= mtu
        assert segment.sequence == (sequence + len(joined)) % 2**32
        assert segment.acknowledgement == 7
        assert piece[40 : segment.payload_at] == options
        assert bool(segment.flags & (FIN | PSH)) == (number == len(pieces) - 1)
        joined += piece[segment.payload_at :]
    assert joined == payload
    assert len({piece[4:6] for piece in pieces}) == len(pieces)


@given(st.binary(max_size=300))
def test_checksums_are_filled_in(payload: bytes) -> None:
    assert is_right(summed(bytearray(packet(payload))))


def test_a_length_that_the_network_card_was_to_fill_in_is_filled_in() -> None:
    unfinished = bytearray(packet(b"abc"))
    unfinished[2:4] = b"\0\0"
    assert is_right(summed(unfinished))
