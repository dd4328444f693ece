"""Segments below, above and across the window, and windows that are not what they seem."""

from __future__ import annotations

from appliance.events import Inspected, Kind
from appliance.smtp.release import Release
from tests.evasion.case import case, greet, manoeuvre, send_mail
from tests.evasion.path import Path
from tests.wire import ACK

FAR = 70_000


def assert_dropped(path: Path, number: int) -> None:
    """The firewall, if there is one, has dropped so many segments for their place."""
    events = [each for each in path.wire.events if isinstance(each, Inspected)]
    told = [each.detail for each in events if each.kind is Kind.SEGMENT_DROPPED]
    assert told == ["outside the window"] * number or path.wire.release is None


@manoeuvre(
    "sends segments that begin before the window, with other bytes there",
    "makes them what they were; bytes before the first of all are cut off",
    "the first copy",
)
def test_data_below_the_window(path: Path, text: bytes, other: bytes) -> None:
    path.send(-6, b"EXPN\r\n" + text[:12])
    path.send(-path.base - 5, b"EXPN " + b"EXPN x\r\n")
    path.send(-6, b"EXPN\r\n" + other)


@manoeuvre(
    "sends bytes long before the window",
    "forwards none of them",
    "nothing of them",
)
def test_data_far_below_the_window(path: Path, text: bytes, other: bytes) -> None:
    path.send(-FAR, other)
    path.send(-(1 << 31) + 1, other)
    path.send(0, text)


@manoeuvre(
    "sends bytes beyond the window, or half of all numbers away",
    "drops them",
    "nothing of them",
)
def test_data_above_the_window(path: Path, text: bytes, other: bytes) -> None:
    path.send(FAR, other)
    path.send((1 << 31) - len(other), other)
    path.send(1 << 31, other)
    assert_dropped(path, 2)  # the last one is too far below
    path.send(0, text)
    path.sent = path.base + len(text)


@manoeuvre(
    "sends segments that begin in the window and end behind it, then others within it",
    "drops what does not fit whole",
    "what the window allowed",
    window=32,
)
def test_data_straddling_the_window(path: Path, text: bytes, other: bytes) -> None:
    path.send(0, other)
    path.send(0, text[:20])
    path.send(10, other[10:] + bytes(40))
    assert_dropped(path, 2)
    path.send(10, other[10:25])
    path.sent = path.base + len(text)


@manoeuvre(
    "sends a byte and another in its place while the window is closed, and goes on before it opens",
    "lets the first byte stand",
    "the first copy",
)
def test_zero_window(path: Path, text: bytes, other: bytes) -> None:
    path.send(0, text[:13])
    path.serve()
    path.from_server(path.servers[0].heard, window=0)
    path.send(12, other[12:13])
    path.send(13, text[13:14])
    path.send(13, other[13:14])
    path.send(14, text[14:])
    path.send(12, other[12:20])


@manoeuvre(
    "sends into a window that the server has taken back, twice, as others",
    "counts the widest edge that the server gave, lets the first copy stand",
    "the first copy",
)
def test_shrunken_window(path: Path, text: bytes, other: bytes) -> None:
    path.from_server(path.servers[0].heard, window=10)
    path.send(20, text[20:])
    path.send(0, text[:20])
    path.send(5, other[5:])


@manoeuvre(
    "asks for a window scale that the server does not, and sends beyond the plain window",
    "counts windows as they stand",
    "nothing of what is beyond",
    options=b"\x03\x03\x0e",
    answer=b"",
)
def test_window_scale_of_one_side(path: Path, text: bytes, other: bytes) -> None:
    path.send(FAR, other)
    assert_dropped(path, 1)
    path.send(0, text)
    path.sent = path.base + len(text)


@manoeuvre(
    "finds a server that scales its window unasked, and sends beyond the plain window",
    "counts windows as they stand",
    "nothing of what is beyond",
    answer=b"\x03\x03\x0e",
)
def test_window_scale_that_nobody_asked_for(path: Path, text: bytes, other: bytes) -> None:
    path.send(FAR, other)
    assert_dropped(path, 1)
    path.send(0, text)
    path.sent = path.base + len(text)


@manoeuvre(
    "puts a window scale into segments after the SYN, and sends beyond the plain window",
    "takes no notice of it there",
    "nothing of what is beyond",
    every=b"\x03\x03\x0e",
)
def test_window_scale_in_later_segments(path: Path, text: bytes, other: bytes) -> None:
    path.send(FAR, other)
    assert_dropped(path, 1)
    path.send(0, text)
    path.sent = path.base + len(text)


@manoeuvre(
    "sends a window scale option of a wrong length in the SYN",
    "takes no notice of it",
    "nothing of what is beyond",
    options=b"\x03\x04\x0e\x00",
)
def test_window_scale_of_wrong_length(path: Path, text: bytes, other: bytes) -> None:
    path.send(FAR, other)
    assert_dropped(path, 1)
    path.send(0, text)
    path.sent = path.base + len(text)


@manoeuvre(
    "within a scaled window sends two contents far ahead, and never fills the gap",
    "holds the first, forwards neither",
    "nothing of them",
    options=b"\x03\x03\x07",
)
def test_scaled_window(path: Path, text: bytes, other: bytes) -> None:
    path.send(FAR, text)
    path.send(FAR, other)
    assert_dropped(path, 0)
    path.send(0, text)
    path.sent = path.base + len(text)


@manoeuvre(
    "scales the window by more than 14",
    "takes it for 14, as receivers do",
    "the first copy",
    options=b"\x03\x03\xff",
)
def test_window_scale_beyond_fourteen(path: Path, text: bytes, other: bytes) -> None:
    path.send(0, text)
    path.send(0, other)


@case(
    "closes its own window, so that nothing can be said to it",
    "says nothing of its own beyond it, probes it, and delivers all when it opens",
    "every line that passes; the client every reply",
)
def test_closed_window_of_the_client(release: Release) -> None:
    path = Path(release)
    greet(path)
    path.give(path.segment(0, flags=ACK, window=0))
    path.send(0, b"EXPN a\r\nNOOP b\r\n")
    for _ in range(4):
        path.wait(10)
    path.give(path.segment(16, flags=ACK))
    path.serve()
    path.wait(100)
    send_mail(path)
    assert path.acknowledged == path.sent
