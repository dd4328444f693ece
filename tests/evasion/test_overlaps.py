"""Copies of the same bytes that differ, and segments in every order."""

from __future__ import annotations

from itertools import permutations

from appliance.smtp.release import Release
from tests.evasion.case import (
    HONEST,
    HOSTILE,
    Play,
    attack_with,
    case,
    greet,
    manoeuvre,
    send_honestly,
    send_mail,
)
from tests.evasion.path import Path
from tests.wire import ACK, CLIENT_START


def quarters(text: bytes) -> tuple[int, int, int]:
    """Where a text is cut in four."""
    return len(text) // 4, len(text) // 2, len(text) * 3 // 4


FIRST = "the first copy"


# ---- copies of what has been forwarded ----


@manoeuvre(
    "sends bytes, then others in their place",
    "makes the second copy the first",
    FIRST,
    first_stands=True,
)
def test_exact_overlap(path: Path, text: bytes, other: bytes) -> None:
    path.send(0, text)
    path.send(0, other)


@manoeuvre(
    "sends the middle, later a segment that covers its beginning and what is before it",
    "keeps of the later one what is new, corrects the rest",
    FIRST,
    first_stands=True,
)
def test_partial_overlap_on_the_left(path: Path, text: bytes, other: bytes) -> None:
    one, two, three = quarters(text)
    path.send(two, text[two:])
    path.send(one, other[one:three])
    path.send(0, text[:one])


@manoeuvre(
    "sends the beginning, then a segment that covers its end and what is behind it",
    "corrects the copies, judges the new bytes",
    FIRST,
    first_stands=True,
)
def test_partial_overlap_on_the_right(path: Path, text: bytes, other: bytes) -> None:
    _, two, three = quarters(text)
    path.send(0, text[:three])
    path.send(two, other[two:])


@manoeuvre(
    "sends the middle, later a segment that covers it and both sides of it",
    "keeps the middle as it was held",
    FIRST,
    first_stands=True,
)
def test_partial_overlap_on_both_sides(path: Path, text: bytes, other: bytes) -> None:
    one, _, three = quarters(text)
    path.send(one, text[one:three])
    path.send(0, other)


@manoeuvre(
    "sends a segment within one sent before", "makes it the first copy", FIRST, first_stands=True
)
def test_segment_inside_another(path: Path, text: bytes, other: bytes) -> None:
    one, _, three = quarters(text)
    path.send(0, text)
    path.send(one, other[one:three])


@manoeuvre(
    "sends every second byte of one content ahead, then all of the other",
    "holds those bytes, and makes their copies the same",
    FIRST,
    first_stands=True,
)
def test_interleaved_bytes(path: Path, text: bytes, other: bytes) -> None:
    for at in range(1, len(text), 2):
        path.send(at, text[at : at + 1])
    path.send(0, other)


@manoeuvre(
    "after the server's acknowledgement sends the bytes again, as others",
    "makes them what they were",
    FIRST,
    first_stands=True,
)
def test_overlap_of_acknowledged_bytes(path: Path, text: bytes, other: bytes) -> None:
    path.send(0, text)
    path.serve()
    path.send(0, other)
    path.send(len(text) - 1, other[-1:])


@case(
    "has 3,000 bytes acknowledged, then sends the first of them again, as others",
    "sends nothing of what it has forgotten",
    "what was acknowledged",
)
def test_overlap_of_forgotten_bytes(release: Release) -> None:
    for content in HOSTILE:
        attack_with(recall, content, Path(release), release)
    path = Path(release)
    greet(path)
    recall(path, b"NOOP alpha\r\n", b"NOOP alpha\r\n")
    send_mail(path)


def recall(path: Path, text: bytes, other: bytes) -> None:
    """Send bytes again after many others."""
    path.send(0, text)
    for _ in range(6):
        path.say(b"NOOP " + b"x" * 500 + b"\r\n")
    path.send(0, other)
    path.send(0, other + b"y" * 2000)


# ---- copies of what is held ----


@manoeuvre(
    "sends different bytes for one place while those before it are missing",
    "keeps those that came first, releases them when the gap is filled",
    FIRST,
    first_stands=True,
)
def test_exact_overlap_of_held_segments(path: Path, text: bytes, other: bytes) -> None:
    one, *_ = quarters(text)
    path.send(one, text[one:])
    path.send(one, other[one:])
    path.send(0, text[:one])
    path.send(one, other[one:])


@manoeuvre(
    "sends three segments that overlap each other, with two contents, ahead of a gap",
    "gives each byte the value that came first",
    "the first copy of each byte",
    first_stands=True,
)
def test_chain_of_held_overlaps(path: Path, text: bytes, other: bytes) -> None:
    one, two, three = quarters(text)
    path.send(two, text[two:three])
    path.send(one, other[one : two + 3])
    path.send(two + 2, other[two + 2 :])
    path.send(one - 2, text[one - 2 :])
    path.send(0, text[:one])


@manoeuvre(
    "sends a segment inside a held one, then one around both",
    "gives each byte the value that came first",
    "the first copy of each byte",
    first_stands=True,
)
def test_held_segment_inside_another(path: Path, text: bytes, other: bytes) -> None:
    one, two, three = quarters(text)
    path.send(one, text[one:three])
    path.send(two - 2, other[two - 2 : two + 2])
    path.send(one - 1, other[one - 1 :])
    path.send(0, text[:one])


@manoeuvre(
    "fills a gap with a segment that goes on over the held ones, as others",
    "makes the filler agree with what is held",
    FIRST,
    first_stands=True,
)
def test_filler_over_held_segments(path: Path, text: bytes, other: bytes) -> None:
    one, two, three = quarters(text)
    path.send(three, text[three:])
    path.send(one, text[one:two])
    path.send(0, other)


# ---- retransmissions cut otherwise ----


@manoeuvre(
    "loses a segment behind the firewall, and sends it again in smaller ones, as others",
    "fills them with what it forwarded",
    FIRST,
    first_stands=True,
)
def test_smaller_retransmission(path: Path, text: bytes, other: bytes) -> None:
    path.send(0, text, lost=True)
    for at in range(0, len(text), 5):
        path.send(at, other[at : at + 5])


@manoeuvre(
    "loses small segments behind the firewall, and sends one large one, as others",
    "fills it with what it forwarded, and judges the rest",
    FIRST,
    first_stands=True,
)
def test_larger_retransmission(path: Path, text: bytes, other: bytes) -> None:
    one, two, three = quarters(text)
    for start, end in ((0, one), (one, two), (two, three)):
        path.send(start, text[start:end], lost=True)
    path.send(0, other)


@manoeuvre(
    "loses segments behind the firewall, and sends them again with other borders, as others",
    "fills them with what it forwarded",
    FIRST,
    first_stands=True,
)
def test_shifted_retransmission(path: Path, text: bytes, other: bytes) -> None:
    borders = range(0, len(text), 7)
    for at in borders:
        path.send(at, text[at : at + 7], lost=at % 2 == 0)
    for at in borders:
        path.send(at + 3, other[at + 3 : at + 10])


@manoeuvre(
    "sends each byte twice, as two",
    "forwards the first, corrects the second",
    FIRST,
    splits_verbs=True,
    first_stands=True,
)
def test_one_byte_segments(path: Path, text: bytes, other: bytes) -> None:
    for at in range(len(text)):
        path.send(at, text[at : at + 1], ACK)
        path.send(at, other[at : at + 1], ACK)


@manoeuvre(
    "behind a gap sends single bytes from the last to the first, each twice, as two",
    "holds the first of each, releases them in order",
    FIRST,
    splits_verbs=True,
    first_stands=True,
)
def test_one_byte_segments_backwards(path: Path, text: bytes, other: bytes) -> None:
    for at in reversed(range(len(text))):
        path.send(at, text[at : at + 1], ACK)
        path.send(at, other[at : at + 1], ACK)


# ---- orders ----


def in_order(order: tuple[int, ...], lost: bool) -> Play:
    """A way to send four quarters in an order, each followed by another content of the next."""

    def play(path: Path, text: bytes, other: bytes) -> None:
        borders = [0, *quarters(text), len(text)]
        for at in order:
            path.send(borders[at], text[borders[at] : borders[at + 1]], lost=lost and at == 2)
            again = borders[order[at]]
            path.send(again, other[again : again + 9])

    return play


@case(
    "sends four segments in each of the 24 orders, each followed by a copy of another, as others",
    "holds what is early, releases it in order",
    "the first copy of each byte",
)
def test_segments_in_every_order(release: Release) -> None:
    contents = [*HOSTILE, *HONEST]
    for number, order in enumerate(permutations(range(4))):
        for shift, lost in ((0, False), (3, True), (6, False)):
            content = contents[(number + shift) % len(contents)]
            play = in_order(order, lost)
            if content in HONEST:
                send_honestly(play, content, Path(release))
            else:
                attack_with(play, content, Path(release), release)


@manoeuvre(
    "leaves a hole of one byte, sends what is behind it, and never the hole itself until later",
    "forwards nothing behind the hole",
    FIRST,
    first_stands=True,
)
def test_hole_of_one_byte(path: Path, text: bytes, other: bytes) -> None:
    hole = len(text) // 3
    path.send(0, text[:hole])
    path.send(hole + 1, text[hole + 1 :])
    path.send(hole + 1, other[hole + 1 :])
    for server in path.servers:
        assert server.current is not None
    path.send(hole, other[hole : hole + 1])


# ---- numbers ----


def wrapping(path: Path, until: int) -> None:
    """Say commands until the number of the byte this far ahead is 0."""
    start = CLIENT_START + 1 + path.sent
    room = (-start - until) % (1 << 32)
    while room:
        size = min(room, 200) if not 0 < room - 200 < 7 else 150
        path.say(b"NOOP " + b"x" * (size - 7) + b"\r\n")
        room -= size
    path.base = path.sent


@case(
    "has the sequence numbers wrap inside a verb, with overlaps on both sides of number 0",
    "counts bytes from the first one on, never numbers",
    "the first copy",
)
def test_numbers_that_wrap_inside_a_verb(release: Release) -> None:
    for until in (1, 2, 4, 15):
        for content in HOSTILE[:4]:
            attack_with(wrap_at(until), content, Path(release), release)
        send_honestly(wrap_at(until), HONEST[0], Path(release))


def wrap_at(until: int) -> Play:
    """A way to send overlaps on both sides of number 0."""

    def play(path: Path, text: bytes, other: bytes) -> None:
        wrapping(path, until)
        path.send(until, text[until:])
        path.send(max(0, until - 2), other[max(0, until - 2) :])
        path.send(0, text[: until + 1])
        path.send(0, other)

    return play
