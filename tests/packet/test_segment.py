"""Views of packets against scapy's, and checksums against their definition."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.inet import IP, TCP

from appliance.packet.checksum import header_checksum, tcp_checksum
from appliance.packet.segment import ACK, FIN, PSH, SYN, Changes, Segment, edit
from tests.wire import checksum, checksums_right

options = st.lists(
    st.sampled_from(
        [
            ("NOP", None),
            ("MSS", 1460),
            ("WScale", 7),
            ("SAckOK", b""),
            ("Timestamp", (7, 9)),
            ("TFO", (0x01020304, 0x05060708)),
        ]
    ),
    max_size=3,
    unique_by=lambda option: option[0],
)
packets = st.builds(
    lambda ip_options, tcp_options, seq, ack, flags, window, payload: bytes(
        IP(src="192.0.2.1", dst="198.51.100.2", options=ip_options)
        / TCP(
            sport=1025,
            dport=25,
            seq=seq,
            ack=ack,
            flags=flags,
            window=window,
            options=tcp_options,
        )
        / payload
    ),
    st.sampled_from([[], b"\x01\x01\x01\x01"]),
    options,
    st.integers(0, 2**32 - 1),
    st.integers(0, 2**32 - 1),
    st.integers(0, 63),
    st.integers(0, 65535),
    st.binary(max_size=60),
)


@given(packets)
def test_fields_are_those_that_scapy_reads(packet):
    segment = Segment(packet)
    ip = IP(packet)
    tcp = ip[TCP]
    assert (segment.source, segment.destination) == (
        int.from_bytes(packet[12:16], "big"),
        int.from_bytes(packet[16:20], "big"),
    )
    assert (segment.source_port, segment.destination_port) == (tcp.sport, tcp.dport)
    assert (segment.sequence, segment.acknowledgement) == (tcp.seq, tcp.ack)
    assert (segment.flags, segment.window) == (int(tcp.flags), tcp.window)
    assert packet[segment.payload_at : segment.end] == bytes(tcp.payload)
    scapy_options = dict(tcp.options)
    assert segment.window_scale() == scapy_options.get("WScale")
    assert segment.timestamp() == scapy_options.get("Timestamp", (None,))[0]
    assert segment.fast_open() is ("TFO" in scapy_options)


@given(packets)
def test_checksums_are_those_that_scapy_computes(packet):
    segment = Segment(packet)
    at = segment.header_length
    assert tcp_checksum(packet, at, segment.end) == int.from_bytes(packet[at + 16 : at + 18], "big")
    assert header_checksum(packet, at) == int.from_bytes(packet[10:12], "big")


@given(packets, st.binary(max_size=70))
def test_edited_packet_is_right_and_else_the_same(packet, payload):
    segment = Segment(packet)
    edited = edit(segment, payload, Changes(sequence=1, acknowledgement=2, flags=SYN, timestamp=3))
    assert checksums_right(edited)
    tcp = IP(edited)[TCP]
    assert (tcp.seq, tcp.ack, int(tcp.flags), bytes(tcp.payload)) == (1, 2, SYN, payload)
    assert len(edited) == segment.payload_at + len(payload)
    assert tcp.window == segment.window
    if segment.timestamp() is not None:
        assert dict(tcp.options)["Timestamp"] == (3, 9)


@given(packets)
def test_fast_open_is_overwritten_and_nothing_moves(packet):
    edited = Segment(edit(Segment(packet), b"", Changes(fast_open=False)))
    assert not edited.fast_open()
    assert edited.payload_at == Segment(packet).payload_at
    assert edited.timestamp() == Segment(packet).timestamp()


@given(st.binary(max_size=80))
def test_any_bytes_are_a_segment_or_refused(data):
    try:
        segment = Segment(data)
    except ValueError:
        return
    assert 40 <= segment.payload_at <= segment.end <= len(data)
    segment.options()


@given(st.binary(min_size=20, max_size=120))
def test_checksum_against_its_definition(data):
    packet = bytes(12) + data
    segment = packet[20:36] + b"\0\0" + packet[38:]
    pseudo = packet[12:20] + bytes((0, 6)) + (len(packet) - 20).to_bytes(2, "big")
    if len(packet) >= 40:
        assert tcp_checksum(packet, 20, len(packet)) == checksum(pseudo + segment)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda p: p[:39], "too short"),
        (lambda p: b"\x65" + p[1:], "IPv4 header"),
        (lambda p: b"\x4f" + p[1:], "IPv4 header"),
        (lambda p: p[:9] + b"\x11" + p[10:], "protocol 17"),
        (lambda p: p[:6] + b"\x20\x00" + p[8:], "fragment"),
        (lambda p: p[:32] + b"\xf0" + p[33:], "TCP header"),
        (lambda p: p[:32] + b"\x40" + p[33:], "TCP header"),
    ],
)
def test_packets_that_are_no_segment(change, why):
    good = bytes(IP(src="192.0.2.1", dst="192.0.2.2") / TCP() / b"text")
    with pytest.raises(ValueError, match=why):
        Segment(change(good))


def test_link_layer_padding_is_no_payload():
    good = bytes(IP(src="192.0.2.1", dst="192.0.2.2") / TCP(flags="FA") / b"")
    segment = Segment(good + bytes(6))
    assert segment.end == segment.payload_at == 40
    assert segment.flags == FIN | ACK
    assert len(edit(segment, changes=Changes(flags=PSH))) == 40
