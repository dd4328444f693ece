from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.replay.capture import Frame
from appliance.replay.frames import Arrival, Loss, arrival
from appliance.replay.link import Link, padded, reversed_header
from tests.replay.packets import ACK, CLIENT, ETHERNET, SERVER, tcp

PACKET = tcp(CLIENT, SERVER, 1, 1, ACK, b"payload")
ADDRESSES = ETHERNET[:12]


def frame(data: bytes, link: int = 1, length: int | None = None) -> Frame:
    return Frame(1, 0, link, data, len(data) if length is None else length)


def came(data: bytes, link: int = 1) -> Arrival:
    found = arrival(frame(data, link))
    assert isinstance(found, Arrival)
    return found


@pytest.mark.parametrize(
    ("link", "header"),
    [
        (1, ETHERNET),
        (1, ADDRESSES + bytes.fromhex("8100 0005 0800")),
        (1, ADDRESSES + bytes.fromhex("88a8 0005 8100 0006 0800")),
        (12, b""),
        (14, b""),
        (101, b""),
        (228, b""),
        (0, b"\2\0\0\0"),
        (0, b"\0\0\0\2"),
        (108, b"\0\0\0\2"),
        (113, bytes(14) + b"\x08\0"),
        (113, bytes(14) + bytes.fromhex("8100 0005 0800")),
        (276, b"\x08\0" + bytes(18)),
    ],
)
def test_links(link: int, header: bytes) -> None:
    found = came(header + PACKET, link)
    assert (found.link, found.header, found.packet) == (Link(link), header, PACKET)
    assert not found.padded


@pytest.mark.parametrize(
    ("link", "data"),
    [
        (1, ADDRESSES + b"\x08\x06" + bytes(28)),  # ARP
        (1, ADDRESSES + b"\x86\xdd\x60" + bytes(40)),  # IPv6
        (1, ADDRESSES + b"\0\x26\x42\x42\x03" + bytes(35)),  # 802.3 spanning tree
        (1, ADDRESSES + bytes.fromhex("8100 0005 86dd") + b"\x60" + bytes(40)),
        (1, ADDRESSES + b"\x81\0"),
        (1, b""),
        (101, b"\x60" + bytes(40)),
        (0, b"\x1e\0\0\0\x60" + bytes(40)),
        (113, bytes(14) + b"\x86\xdd" + bytes(40)),
        (276, b"\x86\xdd" + bytes(60)),
    ],
)
def test_other_protocols(link: int, data: bytes) -> None:
    assert arrival(frame(data, link)) is Loss.NOT_IPV4


def test_unknown_link() -> None:
    assert arrival(frame(PACKET, 105)) is Loss.LINK


def test_padding_is_no_part_of_the_packet() -> None:
    found = came(ETHERNET + PACKET + b"\1\2\3\4")
    assert found.packet == PACKET
    assert found.padded


def test_total_length_zero_is_to_the_end() -> None:
    packet = PACKET[:2] + b"\0\0" + PACKET[4:]
    assert came(ETHERNET + packet).packet == packet
    assert arrival(frame(ETHERNET + packet, length=900)) is Loss.CUT


@pytest.mark.parametrize(
    "packet",
    [
        b"\x44" + PACKET[1:],  # header of 16 bytes
        PACKET[:2] + struct.pack("!H", 19) + PACKET[4:],
        PACKET[:2] + struct.pack("!H", len(PACKET) + 1) + PACKET[4:],
        PACKET[:19],
        b"\x4f" + PACKET[1:2] + struct.pack("!H", 40) + PACKET[4:],
        PACKET[:2] + b"\0\0" + PACKET[4:] + bytes(65_536),
    ],
)
def test_malformed(packet: bytes) -> None:
    assert arrival(frame(packet, 101)) is Loss.MALFORMED


@pytest.mark.parametrize("size", [0, 10, 14, 20, 33, 34, 50])
def test_cut_by_the_snap_length(size: int) -> None:
    data = ETHERNET + PACKET
    assert arrival(frame(data[:size], length=len(data))) is Loss.CUT


def test_cut_padding_is_no_loss() -> None:
    assert isinstance(arrival(frame(ETHERNET + PACKET, length=80)), Arrival)


def test_header_of_the_way_back() -> None:
    tagged = ADDRESSES + bytes.fromhex("8100 0005 0800")
    assert reversed_header(Link.ETHERNET, tagged) == (
        bytes.fromhex("020000000002 020000000001 8100 0005 0800")
    )
    assert reversed_header(Link.NULL, b"\2\0\0\0") == b"\2\0\0\0"


def test_padding() -> None:
    assert padded(Link.ETHERNET, bytes(54)) == bytes(60)
    assert padded(Link.ETHERNET, bytes(61)) == bytes(61)
    assert padded(Link.RAW, bytes(40)) == bytes(40)


@given(st.sampled_from([*Link, 7]), st.binary(max_size=100), st.integers(0, 50))
def test_any_bytes(link: int, data: bytes, more: int) -> None:
    found = arrival(frame(data, link, len(data) + more))
    if isinstance(found, Arrival):
        assert data.startswith(found.header + found.packet)
