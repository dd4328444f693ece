from __future__ import annotations

import io
import os
import struct
import threading
from pathlib import Path

import pytest

from appliance.errors import PixguardError
from appliance.replay.capture import read_frames
from appliance.replay.output import Output, open_output
from appliance.replay.writer import PcapNgWriter, PcapWriter


def test_takes_its_name_when_all_is_written(tmp_path: Path) -> None:
    path = tmp_path / "out"
    with open_output(path) as output:
        output.write(b"some")
        assert not path.exists()
        output.write(b"thing")
    assert path.read_bytes() == b"something"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_nothing_half_written(tmp_path: Path, error: type[BaseException]) -> None:
    path = tmp_path / "out"
    path.write_bytes(b"before")
    with pytest.raises(error), open_output(path) as output:
        output.write(b"half")
        raise error
    assert path.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [path]


def test_a_symbolic_link_stays_one(tmp_path: Path) -> None:
    path, link = tmp_path / "real", tmp_path / "link"
    path.write_bytes(b"before")
    link.symlink_to(path)
    with open_output(link) as output:
        output.write(b"after")
    assert link.is_symlink()
    assert path.read_bytes() == b"after"


def test_a_pipe_is_written_to(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    read = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_bytes()))
    reader.start()
    with open_output(pipe) as output:
        output.write(b"flow")
    reader.join()
    assert read == [b"flow"]
    assert pipe.is_fifo()


@pytest.mark.parametrize("name", ["none/out", "."])
def test_what_cannot_be_written(tmp_path: Path, name: str) -> None:
    with pytest.raises(PixguardError, match="cannot be written"), open_output(tmp_path / name):
        pass


def test_a_full_disk() -> None:
    with (
        pytest.raises(PixguardError, match="/dev/full: cannot be written: No space left"),
        open_output(Path("/dev/full")) as output,
    ):
        output.write(bytes(100_000))


def test_pcap() -> None:
    file = io.BytesIO()
    writer = PcapWriter(Output(Path("x"), file), 113, nanoseconds=False)
    writer.write(1_500_000_999, 113, b"frame")
    expected = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, 113)
    expected += struct.pack("<IIII", 1, 500_000, 5, 5) + b"frame"
    assert file.getvalue() == expected


@pytest.mark.parametrize("kind", ["pcap", "pcapng"])
def test_read_back(kind: str) -> None:
    file = io.BytesIO()
    output = Output(Path("x"), file)
    links = [1, 1, 1] if kind == "pcap" else [1, 101, 1]
    frames = [
        (1_700_000_000_123_456_789, links[0], b"one"),
        (1_600_000_000_000_000_001, links[1], b""),
        ((1 << 32) * 1_000_000_000 - 1, links[2], bytes(65_549)),
    ]
    writer = PcapWriter(output, 1, nanoseconds=True) if kind == "pcap" else PcapNgWriter(output)
    for time, link, data in frames:
        writer.write(time, link, data)
    file.seek(0)
    assert [(each.time, each.link, each.data) for each in read_frames(file, "x")] == frames
