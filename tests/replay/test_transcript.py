from __future__ import annotations

import random
from ipaddress import IPv4Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.events import Direction
from appliance.replay import transcript as module
from appliance.replay.transcript import (
    Conversation,
    Hole,
    Socket,
    Stream,
    Transcript,
    read_segment,
)
from tests.replay.packets import ACK, CLIENT, FIN, RST, SERVER, SYN, Talk, ipv4, mail, tcp


def written(packets: list[bytes]) -> list[Conversation]:
    transcript = Transcript()
    for index, packet in enumerate(packets):
        transcript.add(packet, float(index))
    return transcript.conversations


def only(packets: list[bytes]) -> Conversation:
    (conversation,) = written(packets)
    return conversation


def test_both_directions() -> None:
    talked = only(mail().packets)
    assert str(talked.client) == "192.0.2.9:40001"
    assert talked.server == Socket(IPv4Address("198.51.100.5"), 25)
    assert talked.to_server.data == b"VRFY root\r\nQUIT\r\n"
    assert talked.to_client.data == b"220 mail.example.net ESMTP 2026\r\n500 what?\r\n221 bye\r\n"
    assert talked.ended
    assert talked.began == 0


def test_turns_are_the_dialogue() -> None:
    talk = Talk().open().answers(b"220 hi\r\n").says(b"HE").says(b"LO a\r\n").answers(b"250\r\n")
    assert [(turn.direction, turn.data, turn.time) for turn in only(talk.packets).turns()] == [
        (Direction.TO_CLIENT, b"220 hi\r\n", 3),
        (Direction.TO_SERVER, b"HELO a\r\n", 4),
        (Direction.TO_CLIENT, b"250\r\n", 6),
    ]


def test_a_piece_that_overtook_is_read_when_the_gap_is_filled() -> None:
    talk = Talk().open().says(b"one").says(b"two").answers(b"ok")
    early, late = talk.packets[3], talk.packets[4]
    talk.packets[3:5] = [late, early]
    turns = only(talk.packets).turns()
    assert [(turn.data, turn.time) for turn in turns] == [(b"onetwo", 4), (b"ok", 5)]


def test_first_copy_wins() -> None:
    talk = Talk().open().says(b"QUIT\r\n")
    talk.packets.append(tcp(CLIENT, SERVER, 1001, 9001, ACK, b"EXPN\r\nmore"))
    assert only(talk.packets).to_server.data == b"QUIT\r\nmore"


def test_first_copy_wins_out_of_order_too() -> None:
    stream = Stream()
    stream.start(0)
    stream.add(4, b"EFGH", 1, 0)
    stream.add(10, b"KL", 2, 0)
    stream.add(0, b"abcdefghijklmn", 3, 0)
    assert stream.data == b"abcdEFGHijKLmn"


def test_sequence_numbers_wrap() -> None:
    talk = Talk(isn=(0xFFFFFFFD, 0xFFFFFFFF)).open()
    talk.says(b"abcdef").answers(b"xyz").says(b"ghi")
    talked = only(talk.packets)
    assert talked.to_server.data == b"abcdefghi"
    assert talked.to_client.data == b"xyz"
    assert talked.to_server.holes == ()


def test_bytes_behind_a_gap_that_nobody_acknowledged_are_left_out() -> None:
    talk = Talk().open().says(b"one").says(b"two").says(b"three")
    del talk.packets[4]
    talked = only([*talk.packets, tcp(SERVER, CLIENT, 9001, 1004)])
    assert talked.to_server.data == b"one"
    assert talked.to_server.holes == ()


def test_a_gap_that_the_receiver_acknowledged_is_a_hole() -> None:
    talk = Talk().open().says(b"one").says(b"two").says(b"three").answers(b"ok")
    del talk.packets[4]
    talked = only(talk.packets)
    assert talked.to_server.data == b"onethree"
    assert talked.to_server.holes == (Hole(3, 3),)


def test_one_sided_capture_shows_what_there_is() -> None:
    talk = Talk().open().says(b"one").answers(b"ok").says(b"two").says(b"three")
    del talk.packets[5]
    talked = only([packet for packet in talk.packets if packet[12:16] == bytes([192, 0, 2, 9])])
    assert talked.to_server.data == b"onethree"
    assert talked.to_server.holes == (Hole(3, 3),)
    assert talked.to_client.data == b""


@pytest.mark.parametrize("first", [3, 4])
def test_without_handshake_the_lower_port_is_the_server(first: int) -> None:
    talk = Talk().open().answers(b"220 hi\r\n").says(b"HELO a\r\n").answers(b"250 ok\r\n")
    talked = only(talk.packets[first:])
    assert (talked.client.port, talked.server.port) == (40001, 25)
    assert talked.to_server.data == b"HELO a\r\n"
    assert talked.to_client.data == (b"220 hi\r\n" if first == 3 else b"") + b"250 ok\r\n"


def test_from_the_syn_ack_on() -> None:
    talk = Talk(client=("192.0.2.9", 20), server=("198.51.100.5", 2525))
    talked = only(talk.open().says(b"a").packets[1:])
    assert talked.client.port == 20
    assert talked.to_server.data == b"a"


def test_data_in_a_syn_is_part_of_the_stream() -> None:
    packets = [
        tcp(CLIENT, SERVER, 1000, 0, SYN, b"HELO"),
        tcp(SERVER, CLIENT, 9000, 1005, SYN | ACK),
        tcp(CLIENT, SERVER, 1005, 9001, ACK, b" a\r\n"),
    ]
    assert only(packets).to_server.data == b"HELO a\r\n"


def test_keepalive_and_old_bytes_add_nothing() -> None:
    talk = Talk().open().says(b"abc")
    talk.packets.append(tcp(CLIENT, SERVER, 1000, 9001, ACK, b"\0"))
    talk.packets.append(tcp(CLIENT, SERVER, 1003, 9001, ACK, b"X"))
    assert only(talk.packets).to_server.data == b"abc"


def test_payload_of_a_reset_is_not_stream() -> None:
    talk = Talk().open().says(b"abc").says(b"go away", RST | ACK)
    talked = only(talk.packets)
    assert talked.to_server.data == b"abc"
    assert talked.ended


def test_same_ports_again_after_the_end() -> None:
    first = Talk().open().says(b"one").close()
    second = Talk(isn=(500000, 700000)).open().says(b"two")
    both = written(first.packets + second.packets)
    assert [talked.to_server.data for talked in both] == [b"one", b"two"]


def test_a_repeated_syn_is_the_same_connection() -> None:
    talk = Talk().open().says(b"one")
    talk.packets.insert(1, talk.packets[0])
    assert only(talk.packets).to_server.data == b"one"


def test_a_stray_syn_does_not_cut_a_living_connection() -> None:
    talk = Talk().open().says(b"one")
    talk.packets.append(tcp(CLIENT, SERVER, 77777, 0, SYN))
    assert only(talk.says(b"two").packets).to_server.data == b"onetwo"


def test_an_answered_syn_begins_anew_without_an_end() -> None:
    second = Talk(isn=(500000, 700000)).open().says(b"two")
    both = written(Talk().open().says(b"one").packets + second.packets)
    assert [talked.to_server.data for talked in both] == [b"one", b"two"]


def test_padding_is_not_payload() -> None:
    talk = Talk().open().says(b"abc")
    assert only([packet + bytes(6) for packet in talk.packets]).to_server.data == b"abc"


def test_total_length_zero_is_all() -> None:
    packet = tcp(CLIENT, SERVER, 1, 1, ACK, b"long")
    segment = read_segment(packet[:2] + b"\0\0" + packet[4:])
    assert segment is not None
    assert segment.payload == b"long"


@pytest.mark.parametrize(
    "packet",
    [
        b"",
        bytes(60),
        ipv4("192.0.2.9", "198.51.100.5", bytes(40), protocol=17),
        ipv4("192.0.2.9", "198.51.100.5", bytes(40), fragment=0x2000),
        ipv4("192.0.2.9", "198.51.100.5", bytes(40), fragment=5),
        ipv4("192.0.2.9", "198.51.100.5", bytes(40)),  # TCP header length 0
        b"\x41" + tcp(CLIENT, SERVER, 1)[1:],  # IPv4 header length 4
        tcp(CLIENT, SERVER, 1)[:32] + b"\xf0" + tcp(CLIENT, SERVER, 1)[33:],
    ],
)
def test_other_packets_are_passed_over(packet: bytes) -> None:
    assert read_segment(packet) is None
    assert written([packet]) == []


@given(st.binary(max_size=80))
def test_any_bytes(data: bytes) -> None:
    written([data, b"\x45" + data])


@given(
    st.binary(min_size=1, max_size=60),
    st.integers(0, 0xFFFFFFFF),
    st.randoms(use_true_random=False),
)
def test_any_cut_order_and_repetition_gives_the_same_stream(
    data: bytes, isn: int, chance: random.Random
) -> None:
    stream = Stream()
    stream.start(isn)
    cuts = [(at, min(len(data), at + chance.randint(1, 9))) for at in range(len(data))]
    chance.shuffle(cuts)
    for order, (start, end) in enumerate(cuts, 1):
        stream.add((isn + start) & 0xFFFFFFFF, data[start:end], order, float(order))
    assert stream.data == data
    assert stream.holes == ()


@given(st.lists(st.tuples(st.integers(0, 40), st.binary(min_size=1, max_size=12)), max_size=20))
def test_against_a_plain_model(segments: list[tuple[int, bytes]]) -> None:
    stream = Stream()
    stream.start(5)
    model: dict[int, int] = {}
    for order, (offset, data) in enumerate(segments, 1):
        stream.add(5 + offset, data, order, 0)
        for index, byte in enumerate(data):
            model.setdefault(offset + index, byte)
    # Nothing was acknowledged: everything shows.
    assert stream.data == bytes(model[offset] for offset in sorted(model))
    missing = set(range(max(model, default=0))) - set(model)
    assert sum(hole.length for hole in stream.holes) == len(missing)
    stream.acknowledge(5)
    inorder = next(offset for offset in range(60) if offset not in model)
    assert stream.data == bytes(model[offset] for offset in range(inorder))


def test_a_stream_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_STREAM", 10)
    stream = Stream()
    stream.add(0, b"12345678", 1, 0)
    assert not stream.truncated
    stream.add(8, b"90abc", 2, 0)
    stream.add(13, b"d", 3, 0)
    assert stream.data == b"1234567890"
    assert stream.truncated


def test_the_pieces_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_PIECES", 2)
    stream = Stream()
    for index in range(4):
        stream.add(index * 2, b"a", index, 0)
    assert len(stream.pieces) == 2
    assert stream.truncated


def test_ends_with_a_fin() -> None:
    talk = Talk().open().says(b"abc", FIN | ACK)
    assert only(talk.packets).ended
