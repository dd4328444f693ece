from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.replay.checksums import (
    Checksums,
    Judge,
    Senders,
    Sum,
    header_sum,
    tcp_sum,
    with_tcp_sum,
)
from tests.replay.packets import ACK, CLIENT, SERVER, ipv4, pseudo_sum, tcp

RIGHT = tcp(CLIENT, SERVER, 1, 1, ACK, b"odd")
WRONG = RIGHT[:36] + b"\xab\xcd" + RIGHT[38:]
PARTIAL = RIGHT[:36] + pseudo_sum(RIGHT).to_bytes(2) + RIGHT[38:]
NO_HEADER_SUM = RIGHT[:10] + b"\0\0" + RIGHT[12:]
BAD_HEADER = RIGHT[:10] + b"\xab\xcd" + RIGHT[12:]
NOBODY: frozenset[bytes] = frozenset()


def nobody() -> frozenset[bytes]:
    return NOBODY


def test_sums() -> None:
    assert tcp_sum(RIGHT) is Sum.RIGHT
    assert tcp_sum(WRONG) is Sum.WRONG
    assert tcp_sum(PARTIAL) is Sum.OFFLOADED
    assert header_sum(RIGHT) is Sum.RIGHT
    assert header_sum(NO_HEADER_SUM) is Sum.OFFLOADED
    assert header_sum(BAD_HEADER) is Sum.WRONG


def test_other_protocols_and_short_segments_have_nothing_wrong() -> None:
    assert tcp_sum(ipv4("192.0.2.9", "198.51.100.5", bytes(30), protocol=17)) is Sum.RIGHT
    assert tcp_sum(ipv4("192.0.2.9", "198.51.100.5", bytes(19))) is Sum.RIGHT


@pytest.mark.parametrize(
    ("checksums", "believed"),
    [
        (Checksums.AUTO, {RIGHT, PARTIAL}),
        (Checksums.VERIFY, {RIGHT}),
        (Checksums.IGNORE, {RIGHT, PARTIAL, WRONG}),
    ],
)
def test_what_is_believed_of_segments(checksums: Checksums, believed: set[bytes]) -> None:
    judge = Judge(checksums, nobody)
    for packet in (RIGHT, PARTIAL, WRONG):
        assert judge.segment(packet) == (RIGHT if packet in believed else None)


@pytest.mark.parametrize(
    ("checksums", "believed"),
    [
        (Checksums.AUTO, {RIGHT, NO_HEADER_SUM}),
        (Checksums.VERIFY, {RIGHT}),
        (Checksums.IGNORE, {RIGHT, NO_HEADER_SUM, BAD_HEADER}),
    ],
)
def test_what_is_believed_of_headers(checksums: Checksums, believed: set[bytes]) -> None:
    judge = Judge(checksums, nobody)
    for packet in (RIGHT, NO_HEADER_SUM, BAD_HEADER):
        assert judge.header(packet) == (RIGHT if packet in believed else None)


def test_total_length_zero_is_filled_in() -> None:
    judge = Judge(Checksums.AUTO, nobody)
    assert judge.header(RIGHT[:2] + b"\0\0" + RIGHT[4:10] + b"\0\0" + RIGHT[12:]) == RIGHT


def test_an_unreliable_sender_is_believed() -> None:
    judge = Judge(Checksums.AUTO, lambda: frozenset({RIGHT[12:16]}))
    assert judge.segment(WRONG) == RIGHT
    assert judge.header(BAD_HEADER) == RIGHT
    other = tcp(SERVER, CLIENT, 1)
    assert judge.segment(other[:36] + b"\xab\xcd" + other[38:]) is None


@pytest.mark.parametrize("checksums", [Checksums.VERIFY, Checksums.IGNORE])
def test_senders_are_not_asked_for_where_they_do_not_matter(checksums: Checksums) -> None:
    judge = Judge(checksums, pytest.fail)
    for packet in (RIGHT, PARTIAL, WRONG):
        judge.segment(packet)
    for packet in (RIGHT, NO_HEADER_SUM, BAD_HEADER):
        judge.header(packet)


@pytest.mark.parametrize("wrong", [WRONG, BAD_HEADER])
def test_senders_are_asked_for_once_at_the_first_wrong_sum(wrong: bytes) -> None:
    asked: list[bytes] = []

    def survey() -> frozenset[bytes]:
        asked.append(wrong)
        return frozenset({RIGHT[12:16]})

    judge = Judge(Checksums.AUTO, survey)
    judge.segment(RIGHT)
    judge.segment(PARTIAL)
    judge.header(NO_HEADER_SUM)
    assert (asked, judge.unreliable) == ([], NOBODY)
    for _ in range(2):
        assert judge.header(wrong) is not None
        assert judge.segment(wrong) is not None
    assert asked == [wrong]
    assert judge.unreliable == {RIGHT[12:16]}


@pytest.mark.parametrize(
    ("packets", "unreliable"),
    [
        ([RIGHT, WRONG], False),
        ([WRONG, WRONG, RIGHT], True),
        ([BAD_HEADER], True),
        ([PARTIAL, PARTIAL, NO_HEADER_SUM], False),
        ([ipv4("192.0.2.9", "198.51.100.5", bytes(30), protocol=17)], False),
    ],
)
def test_most_must_be_wrong(packets: list[bytes], unreliable: bool) -> None:
    senders = Senders()
    for packet in packets:
        senders.note(packet)
    assert senders.unreliable() == (frozenset({RIGHT[12:16]}) if unreliable else NOBODY)


@given(st.binary(max_size=60), st.integers(0, 0xFFFFFFFF))
def test_completed_as_by_hand(payload: bytes, sequence: int) -> None:
    right = tcp(CLIENT, SERVER, sequence, 1, ACK, payload)
    assert tcp_sum(right) is Sum.RIGHT
    assert with_tcp_sum(right[:36] + b"\x12\x34" + right[38:]) == right
