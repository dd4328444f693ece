from __future__ import annotations

import io
import os
import struct
import tempfile
import threading
from contextlib import ExitStack
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.replay import capture
from appliance.replay.capture import (
    CaptureError,
    Frame,
    read_capture,
    read_frames,
    rereadable,
)
from tests.replay.packets import (
    block,
    enhanced,
    ethernet,
    interface,
    mail,
    pcap,
    section,
)

FRAMES = ethernet(mail().packets)
START = 1_000_000_000 * 1_000_000_000


def read(data: bytes) -> list[Frame]:
    return list(read_frames(io.BytesIO(data), "x.pcap"))


def read_until_error(data: bytes) -> tuple[list[Frame], str]:
    frames = []
    with pytest.raises(CaptureError) as error:
        for frame in read_frames(io.BytesIO(data), "x.pcap"):
            frames.append(frame)
    return frames, str(error.value)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("nano", [False, True])
def test_classic(order: str, nano: bool) -> None:
    frames = read(pcap(FRAMES, order=order, nano=nano, step=0.25))
    assert [frame.data for frame in frames] == FRAMES
    assert [frame.number for frame in frames] == list(range(1, len(FRAMES) + 1))
    assert [frame.time - START for frame in frames[:3]] == [0, 250_000_000, 500_000_000]
    assert frames[1].seconds == 1_000_000_000.25
    assert {frame.link for frame in frames} == {1}
    assert all(frame.length == len(frame.data) for frame in frames)


def test_link_type_without_the_bits_about_the_frame_check_sequence() -> None:
    (frame,) = read(pcap([b"x"], link=1 | 0x24000000))
    assert frame.link == 1


def test_cut_by_the_snap_length() -> None:
    data = pcap([b"abcdef"])
    cut = data[:24] + struct.pack("<IIII", 1, 0, 4, 6) + b"abcd"
    (frame,) = read(cut)
    assert (frame.data, frame.length) == (b"abcd", 6)


def test_no_frames_is_no_error() -> None:
    assert read(pcap([])) == []


@pytest.mark.parametrize("size", range(1, 24))
def test_truncated_file_header(size: int) -> None:
    frames, message = read_until_error(pcap(FRAMES)[:size])
    assert frames == []
    assert "the file ends inside the file header" in message
    assert message.endswith("no packet was read")


@pytest.mark.parametrize(
    ("cut", "what"),
    [
        (5, "the header of packet 3"),
        (16, "packet 3"),
        (40, "packet 3"),
    ],
)
def test_truncated_record(cut: int, what: str) -> None:
    whole = pcap(FRAMES[:2])
    frames, message = read_until_error(pcap(FRAMES)[: len(whole) + cut])
    assert [frame.data for frame in frames] == FRAMES[:2]
    assert f"x.pcap: the file ends inside {what}:" in message
    assert message.endswith("; 2 packets were read")


@pytest.mark.parametrize("length", [262_145, 0xFFFFFFFF])
def test_absurd_length(length: int) -> None:
    data = pcap(FRAMES[:1]) + struct.pack("<IIII", 1, 0, length, length) + bytes(100)
    frames, message = read_until_error(data)
    assert len(frames) == 1
    assert f"packet 2 is said to be {length} bytes long" in message
    assert message.endswith("; 1 packet was read")


def test_empty() -> None:
    assert read_until_error(b"") == ([], "x.pcap: the file is empty; no packet was read")


def test_not_a_capture() -> None:
    assert "neither a pcap nor a pcapng" in read_until_error(b"Dear postmaster,\n")[1]


def test_gzip() -> None:
    assert "gzip" in read_until_error(b"\x1f\x8b\x08\0\0\0\0\0")[1]


@pytest.mark.parametrize("order", ["<", ">"])
def test_pcapng(order: str) -> None:
    data = section(order) + interface(1, order) + block(5, bytes(12), order)
    data += enhanced(b"abcde", units=1_500_000, order=order) + block(4, bytes(4), order)
    data += enhanced(b"abcd", units=1_600_000, order=order, wire=9)
    first, second = read(data)
    assert (first.data, first.length, first.time, first.link) == (b"abcde", 5, 1_500_000_000, 1)
    assert (second.data, second.length, second.number) == (b"abcd", 9, 2)


def test_pcapng_with_two_interfaces_and_their_clocks() -> None:
    nano = struct.pack("<HHB3xHHqI", 9, 1, 9, 14, 8, 100, 0)
    binary = struct.pack("<HHB3x", 9, 1, 0x80 | 10)
    data = section() + interface(113, options=nano) + interface(101, options=binary)
    data += enhanced(b"a", 0, 5) + enhanced(b"b", 1, 1536)
    first, second = read(data)
    assert (first.link, first.time) == (113, 100_000_000_005)
    assert (second.link, second.time) == (101, 1_500_000_000)


def test_pcapng_sections_have_their_own_interfaces_and_byte_order() -> None:
    data = section("<") + interface(1, "<") + enhanced(b"a")
    data += section(">") + interface(101, ">") + enhanced(b"b", order=">")
    assert [(frame.data, frame.link) for frame in read(data)] == [(b"a", 1), (b"b", 101)]
    _, message = read_until_error(data[: -len(interface(101) + enhanced(b"b"))] + enhanced(b"b"))
    assert "x.pcap" in message


def test_pcapng_simple_and_old_blocks() -> None:
    data = section() + interface(1, snap=4)
    data += block(2, struct.pack("<HHIIII", 0, 0, 0, 7_000_000, 3, 3) + b"old")
    data += block(3, struct.pack("<I", 6) + b"simp")
    old, simple = read(data)
    assert (old.data, old.time) == (b"old", 7_000_000_000)
    assert (simple.data, simple.length, simple.time) == (b"simp", 6, 7_000_000_000)


@pytest.mark.parametrize(
    ("tail", "problem"),
    [
        (enhanced(b"abc", number=3), "names interface 3, and the section has described 1"),
        (enhanced(b"abc")[:-3], "the file ends inside"),
        (enhanced(b"abc")[:-4] + b"\1\2\3\4", "a length at its end other than"),
        (struct.pack("<II", 6, 13), "13 bytes long"),
        (struct.pack("<II", 6, 8), "8 bytes long"),
        (struct.pack("<II", 6, 0xFFFFFFF0), "4294967280 bytes long"),
        (block(6, bytes(8)), "too short"),
        (block(1, bytes(4)), "too short"),
        (block(3, b""), "too short"),
        (block(6, struct.pack("<IIIII", 0, 0, 0, 50, 50) + b"abcd"), "its block has 4"),
        (block(6, struct.pack("<IIIII", 0, 0, 0, 999_999, 1) + b"abcd"), "999999 bytes long"),
        (enhanced(b"abc", units=1 << 63), "1970 and 2106"),
        (block(0x0A0D0D0A, b"\1\2\3\4" * 4), "byte-order magic"),
    ],
)
def test_broken_pcapng(tail: bytes, problem: str) -> None:
    frames, message = read_until_error(section() + interface(1) + enhanced(b"first") + tail)
    assert [frame.data for frame in frames] == [b"first"]
    assert problem in message
    assert "packet 2" in message or "section header" in message
    assert message.endswith("; 1 packet was read")


@given(st.binary(max_size=300))
def test_any_bytes(data: bytes) -> None:
    for head in (b"", pcap([]), section() + interface(1)):
        try:
            read(head + data)
        except CaptureError as error:
            assert "x.pcap: " in str(error)


@given(st.data())
def test_any_mutation_of_a_valid_capture(data: st.DataObject) -> None:
    ng = section() + interface(1) + b"".join(enhanced(frame) for frame in FRAMES[:4])
    mutated = bytearray(data.draw(st.sampled_from([pcap(FRAMES[:4]), ng])))
    for _ in range(data.draw(st.integers(1, 4))):
        mutated[data.draw(st.integers(0, len(mutated) - 1))] = data.draw(st.integers(0, 255))
    try:
        read(bytes(mutated))
    except CaptureError as error:
        assert "x.pcap: " in str(error)


def test_a_pipe_is_copied(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=lambda: pipe.write_bytes(pcap(FRAMES)))
    writer.start()
    with rereadable(pipe) as path:
        writer.join()
        for _ in range(2):
            assert [frame.data for frame in read_capture(path, "pipe")] == FRAMES
        # Nothing that a kill could leave: the copy has no name.
        assert list(tmp_path.iterdir()) == [pipe]
    assert not path.exists()


@pytest.fixture(autouse=True)
def temporary_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


@pytest.mark.parametrize("device", ["/dev/zero", "/dev/urandom"])
def test_of_a_device_that_gives_no_capture_only_the_beginning_is_read(device: str) -> None:
    with (
        rereadable(Path(device)) as path,
        pytest.raises(CaptureError, match=f"{device}: this is neither a pcap nor"),
    ):
        assert path.stat().st_size == 4
        list(read_capture(path, device))


@pytest.mark.parametrize("surplus", [0, 1])
def test_a_pipe_is_copied_up_to_a_bound(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, surplus: int
) -> None:
    content = pcap(FRAMES)
    monkeypatch.setattr(capture, "MAX_COPY", len(content) - surplus)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=lambda: pipe.write_bytes(content))
    writer.start()
    with ExitStack() as stack:
        if surplus:
            stack.enter_context(pytest.raises(CaptureError, match="MiB come from it, which is no"))
        path = stack.enter_context(rereadable(pipe))
        assert path.read_bytes() == content
    writer.join()
    assert list(tmp_path.iterdir()) == [pipe]


def test_missing_and_directory(tmp_path: Path) -> None:
    with pytest.raises(CaptureError, match="No such file"):
        list(read_capture(tmp_path / "none", "none"))
    with pytest.raises(CaptureError, match="Is a directory"), rereadable(tmp_path):
        pass


def test_names_are_escaped() -> None:
    with pytest.raises(CaptureError) as error:
        list(read_frames(io.BytesIO(b""), "\x1b[2J"))
    assert "\x1b" not in str(error.value)
