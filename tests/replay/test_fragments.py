from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.replay.fragments import (
    MAX_CHAIN,
    MAX_WAITING,
    TIMEOUT,
    Fragments,
    cut,
    is_fragment,
    join,
)
from tests.replay.packets import ACK, CLIENT, SERVER, ipv4, ones_sum, tcp

WHOLE = tcp(CLIENT, SERVER, 1, 1, ACK, bytes(range(100)))


def fragment(offset: int, data: bytes, more: bool, identification: int = 1) -> bytes:
    field = offset // 8 | (0x2000 if more else 0)
    return ipv4(CLIENT[0], SERVER[0], data, identification=identification, fragment=field)


def pieces(packet: bytes, size: int = 40) -> list[bytes]:
    data = packet[20:]
    return [
        fragment(at, data[at : at + size], at + size < len(data))
        for at in range(0, len(data), size)
    ]


def test_in_order() -> None:
    waiting = Fragments()
    first, second, third = pieces(WHOLE)
    assert is_fragment(first)
    assert is_fragment(third)
    assert not is_fragment(WHOLE)
    assert waiting.add(first, 0) == ()
    assert waiting.add(second, 0) == ()
    done = waiting.add(third, 0)
    assert done == (first, second, third)
    assert join(done) == WHOLE
    assert waiting.dropped == 0


@given(st.randoms(use_true_random=False), st.sampled_from([8, 16, 24, 56, 112]))
def test_any_order(chance: random.Random, size: int) -> None:
    parts = pieces(WHOLE, size)
    shuffled = parts.copy()
    chance.shuffle(shuffled)
    waiting = Fragments()
    results = [waiting.add(part, 0) for part in shuffled]
    assert results[-1] == tuple(parts)
    assert not any(results[:-1])
    assert join(results[-1]) == WHOLE


def test_a_repeated_fragment_counts_once() -> None:
    waiting = Fragments()
    first, second, third = pieces(WHOLE)
    for part in (first, first, second):
        assert waiting.add(part, 0) == ()
    assert waiting.add(third, 0) == (first, second, third)
    assert waiting.dropped == 1


def test_packets_do_not_mix() -> None:
    waiting = Fragments()
    waiting.add(fragment(0, bytes(8), True, identification=1), 0)
    assert waiting.add(fragment(8, bytes(8), False, identification=2), 0) == ()


@pytest.mark.parametrize(
    "second",
    [
        fragment(8, b"x" * 8, True),  # inside
        fragment(0, b"x" * 16, True),  # other content
        fragment(8, b"x" * 16, False),  # over the end
        fragment(16, b"", True),
        fragment(16, b"x" * 5, True),  # not the last, and no multiple of 8
        fragment(65_528, b"x" * 16, False),  # beyond the longest packet
        fragment(8, b"x" * 3, False),  # ends before what is there
    ],
)
def test_what_does_not_fit_gives_the_packet_up(second: bytes) -> None:
    waiting = Fragments()
    assert waiting.add(fragment(0, b"a" * 16, True), 0) == ()
    assert waiting.add(second, 0) == ()
    assert waiting.dropped == 2
    assert waiting.add(fragment(16, b"b" * 8, False), 0) == ()


def test_two_ends() -> None:
    waiting = Fragments()
    waiting.add(fragment(16, b"a" * 8, False), 0)
    assert waiting.add(fragment(32, b"a" * 8, False), 0) == ()
    assert waiting.dropped == 2


def test_bounds() -> None:
    waiting = Fragments()
    for number in range(MAX_WAITING + 3):
        waiting.add(fragment(0, bytes(8), True, identification=number), 0)
    assert waiting.dropped == 3
    waiting.close()
    assert waiting.dropped == MAX_WAITING + 3
    long = Fragments()
    for number in range(MAX_CHAIN + 1):
        long.add(fragment(8 * number, bytes(8), True), 0)
    assert long.dropped == MAX_CHAIN + 1


def test_timeout() -> None:
    waiting = Fragments()
    first, second, third = pieces(WHOLE)
    waiting.add(first, 0)
    waiting.add(second, TIMEOUT)
    assert waiting.add(third, TIMEOUT + 0.1) == ()
    assert waiting.dropped == 2


def test_cut_as_it_came() -> None:
    parts = tuple(pieces(WHOLE))
    assert cut(WHOLE, parts) == parts
    edited = WHOLE[:60] + b"X" * 60 + WHOLE[120:]
    out = cut(edited, parts)
    assert [len(part) for part in out] == [len(part) for part in parts]
    assert b"".join(part[20:] for part in out) == edited[20:]
    assert all(ones_sum(part[:20]) == 0xFFFF for part in out)


@pytest.mark.parametrize("length", [30, 40, 41, 80, 150])
def test_cut_of_another_length(length: int) -> None:
    data = bytes(range(length))
    out = cut(ipv4(CLIENT[0], SERVER[0], data), tuple(pieces(WHOLE)))
    waiting = Fragments()
    done = out if len(out) == 1 else [waiting.add(part, 0) for part in out][-1]
    assert join(done)[20:] == data
