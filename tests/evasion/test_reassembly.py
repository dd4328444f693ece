"""The two receivers themselves: they differ where copies do, and nowhere else."""

from __future__ import annotations

import pytest

from tests.evasion.path import altered
from tests.evasion.reassembly import (
    LENIENT,
    STRICT,
    FirstCopyWins,
    LastCopyWins,
    Receiver,
    put_together,
)
from tests.wire import ACK, CLIENT_START, FIN, RST, SERVER_START, SYN, URG, packet


def opened(receiver: Receiver, window: int = 1000) -> Receiver:
    receiver.take(packet(True, CLIENT_START, 0, SYN))
    receiver.sent(packet(False, SERVER_START, CLIENT_START + 1, SYN | ACK, window=window))
    receiver.take(segment(0, b""))
    return receiver


def segment(offset: int, payload: bytes, flags: int = ACK, **more: int) -> bytes:
    return packet(True, CLIENT_START + 1 + offset, SERVER_START + 1, flags, payload, **more)


BOTH = pytest.mark.parametrize("kind", [FirstCopyWins, LastCopyWins])


@pytest.mark.parametrize(("kind", "read"), [(FirstCopyWins, b"abcdef"), (LastCopyWins, b"aBCDEf")])
def test_overlap(kind: type[Receiver], read: bytes) -> None:
    receiver = opened(kind(LENIENT))
    for at, payload in ((3, b"def"), (0, b"abc"), (1, b"BCDE")):
        receiver.take(segment(at, payload))
    assert receiver.streams == [read]


@BOTH
def test_hole_window_and_numbers_that_wrap(kind: type[Receiver]) -> None:
    receiver = opened(kind(LENIENT))
    receiver.take(segment(-3, b"xyz" + b"a" * 300))
    receiver.take(segment(301, b"b"))
    assert receiver.streams == [b"a" * 300]
    receiver.take(segment(300, b"c" * 2000))
    assert len(receiver.streams[0]) == 1000
    receiver.sent(packet(False, SERVER_START + 1, CLIENT_START + 1001, ACK, window=50))
    receiver.take(segment(1000, b"d" * 2000))
    assert receiver.streams[0].endswith(b"c" + b"d" * 50)


@BOTH
def test_ends(kind: type[Receiver]) -> None:
    receiver = opened(kind(LENIENT))
    receiver.take(segment(0, b"abc", ACK | FIN))
    receiver.take(segment(3, b"def"))
    assert receiver.streams == [b"abc"]
    assert receiver.connections[0].acknowledges == 4
    receiver = opened(kind(LENIENT))
    receiver.take(segment(5, b"", RST))
    receiver.take(segment(0, b"abc"))
    receiver.take(segment(3, b"", RST))
    receiver.take(segment(3, b"def"))
    assert receiver.streams == [b"abc"]
    receiver.take(packet(True, 77, 0, SYN))
    receiver.take(packet(True, 78, 0, ACK, b"new"))
    assert receiver.streams == [b"abc", b"new"]


@BOTH
def test_strict_where_others_are_lenient(kind: type[Receiver]) -> None:
    stamp = b"\x01\x01\x08\x0a"
    for habits, read in ((LENIENT, b"a1b23"), (STRICT, b"3")):
        receiver = kind(habits)
        old, new = (stamp + bytes((0, 0, 0, n)) + bytes(4) for n in (1, 9))
        receiver.take(packet(True, CLIENT_START, 0, SYN, b"a", options=new))
        receiver.sent(packet(False, SERVER_START, CLIENT_START + 1, SYN | ACK, options=new))
        at = 1 if habits is LENIENT else 0
        receiver.take(packet(True, CLIENT_START + 1 + at, SERVER_START + 1, ACK, b"1", options=old))
        receiver.take(segment(at + 1, b"b", 0))
        receiver.take(segment(at + 2, b"2"))
        at = 4 if habits is LENIENT else 0
        receiver.take(packet(True, CLIENT_START + 1 + at, SERVER_START + 1, ACK, b"3", options=new))
        assert receiver.streams == [read]
    for habits, read in ((LENIENT, b"EXzPN"), (STRICT, b"EXPN")):
        receiver = opened(kind(habits))
        receiver.take(segment(0, b"EXzPN", ACK | URG, urgent=3))
        assert receiver.streams == [read]
    for habits, over in ((LENIENT, False), (STRICT, True)):
        for end in (segment(9, b"", RST), packet(True, CLIENT_START + 90, 0, SYN)):
            receiver = opened(kind(habits))
            receiver.take(end)
            assert receiver.connections[0].over is over


@pytest.mark.parametrize(("last", "read"), [(False, b"a" * 16), (True, b"aaaabbbbbbbbaaaa")])
def test_fragments(last: bool, read: bytes) -> None:
    whole = altered(segment(0, b"a" * 16))
    head, data = whole[:20], whole[20:]

    def part(at: int, payload: bytes, more: int) -> bytes:
        total = (20 + len(payload)).to_bytes(2)
        return head[:2] + total + head[4:6] + (at // 8 | more).to_bytes(2) + head[8:] + payload

    parts = [part(24, data[24:32], 0x2000), part(24, b"b" * 8, 0x2000), part(32, data[32:], 0)]
    (joined,) = put_together([*parts, part(0, data[:24], 0x2000)], last)
    assert joined[40:] == read  # behind both headers
