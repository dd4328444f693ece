"""Published replies to EHLO, to the byte."""

from __future__ import annotations

from itertools import accumulate

import pytest

from appliance.smtp.release import RELEASES
from tests.engine.feeding import every_cut, said
from tests.examples.ehlo_replies import REPLIES, Reply
from tests.wire import Wire

KNOWN = (
    b"8BITMIME AUTH BINARYMIME CHECKPOINT DSN ENHANCEDSTATUSCODES ETRN PIPELINING SIZE VRFY".split()
)


def named(example: Reply) -> str:
    return example.name


def joined(lines: tuple[bytes, ...]) -> bytes:
    return b"".join(line + b"\r\n" for line in lines)


def reply_through(name: str, example: Reply, pieces: tuple[bytes, ...]) -> tuple[Wire, bytes]:
    release = RELEASES[name]
    if example.allow_tls and release.may_allow_tls:
        release = release.allowing_tls()
    wire = Wire(release).handshake()
    wire.server(b"220 x\r\n")
    wire.client(b"EHLO me\r\n")
    return wire, said(wire, False, *pieces)


@pytest.mark.parametrize("example", REPLIES, ids=named)
def test_ehlo_reply(example: Reply) -> None:
    for name in RELEASES:
        _, got = reply_through(name, example, (joined(example.lines),))
        assert (got == joined(example.seen)) is (name in example.releases), name


def let_through(text: bytes, cuts: list[int]) -> int:
    """How many bytes of a masked line are let through: where a segment ends inside the keyword,
    those with which a known keyword may still begin.

    Args:
        text: what stands behind the code.
        cuts: where segments begin, counted from the beginning of the text.
    """
    keyword = text.split(b" ")[0]
    if not any(0 < cut <= len(keyword) for cut in cuts):
        return 0
    return max(
        length
        for length in range(len(keyword))
        if any(known.startswith(keyword[:length]) for known in KNOWN)
    )


def seen_in(pieces: tuple[bytes, ...], example: Reply) -> bytes:
    """What the client gets of a reply cut into segments.

    The letter is set only where the line's end is in the same segment as its last byte.
    """
    starts = list(accumulate(map(len, pieces)))
    at, lines = 0, []
    for line, seen in zip(example.lines, example.seen, strict=True):
        cuts = [start - at - 4 for start in starts]
        text = line[4:]
        if line == seen:
            lines.append(seen)
        else:
            kept = let_through(text, cuts)
            letter = b"X" if len(text) in cuts else seen[-1:]
            lines.append(seen[:4] + text[:kept] + seen[4 + kept : -1] + letter)
        at += len(line) + 2
    return joined(tuple(lines))


@pytest.mark.parametrize("example", REPLIES, ids=named)
def test_ehlo_reply_cut(example: Reply) -> None:
    name = example.releases[0]
    for pieces in every_cut(joined(example.lines)):
        _, got = reply_through(name, example, pieces)
        assert got == seen_in(pieces, example)


@pytest.mark.parametrize("example", REPLIES, ids=named)
def test_a_later_reply_is_none_to_ehlo(example: Reply) -> None:
    for name in example.releases:
        wire, _ = reply_through(name, example, (joined(example.lines),))
        wire.client(b"NOOP\r\n")
        assert said(wire, False, joined(example.lines)) == joined(example.lines)
