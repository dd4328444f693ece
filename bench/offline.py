"""`pixguard replay` against `tshark` on the same capture."""

from __future__ import annotations

import struct
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from appliance.errors import PixguardError
from bench.dialogue import Session, State
from bench.network import python

_FILE = struct.Struct("<IHHiIII")
_RECORD = struct.Struct("<IIII")
_RAW_IP = 101
"""LINKTYPE_RAW: packets begin with their IP header."""

BLOCKS = 14
"""Packets of content in a mail: 20 KB, about."""


@dataclass(frozen=True, slots=True)
class Capture:
    """A capture file of many mails.

    Args:
        path: where it is.
        packets: how many it holds.
        size: bytes of them.
    """

    path: Path
    packets: int
    size: int


def write_capture(path: Path, mails: int) -> Capture:
    """Make a capture of mail sessions, ten under way at a time.

    Args:
        path: where to write it.
        mails: sessions in it.
    """
    packets = size = 0
    with path.open("wb") as file:
        file.write(_FILE.pack(0xA1B2C3D4, 2, 4, 0, 0, 1 << 18, _RAW_IP))
        for first in range(0, mails, 10):
            talks = [_whole(Session(number)) for number in range(first, min(first + 10, mails))]
            for turn in zip(*talks, strict=True):
                for packet in turn:
                    seconds, fraction = divmod(packets * 50, 1_000_000)
                    file.write(_RECORD.pack(seconds, fraction, len(packet), len(packet)))
                    file.write(packet)
                    packets += 1
                    size += len(packet)
    return Capture(path, packets, size)


def _whole(session: Session) -> list[bytes]:
    return [*session.until(State.DATA), *session.mail(BLOCKS), *session.end()]


def replay(capture: Capture, compiled: bool = False) -> tuple[str, ...]:
    """The command that replays a capture.

    Args:
        capture: the capture.
        compiled: whether with the compiled engine.
    """
    return python("appliance", "replay", str(capture.path), compiled=compiled)


def tshark(capture: Capture) -> tuple[str, ...]:
    """The command that has `tshark` show the SMTP packets of a capture.

    Args:
        capture: the capture.
    """
    return ("tshark", "-r", str(capture.path), "-Y", "smtp")


def seconds(command: Sequence[str]) -> float:
    """Seconds that a command takes.

    Args:
        command: the program and its arguments.

    Raises:
        PixguardError: it fails.
    """
    began = time.monotonic()
    done = subprocess.run(command, check=False, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    if done.returncode:
        raise PixguardError(f"{command[0]} failed: {done.stderr.decode('latin-1')[-1000:]}")
    return time.monotonic() - began
