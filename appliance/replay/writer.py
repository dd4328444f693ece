"""Captures written: pcap where all frames have one link type, pcapng where they have several."""

from __future__ import annotations

import struct
from typing import Protocol

from appliance.replay.capture import MAX_FRAME, NANOSECONDS, BlockType
from appliance.replay.output import Output


class Writer(Protocol):
    """Takes frames and writes them."""

    def write(self, time: int, link: int, data: bytes) -> None:
        """Write a frame.

        Args:
            time: nanoseconds since the epoch.
            link: number of its link type.
            data: the frame, from its link header on.
        """


class PcapWriter:
    """Writes classic pcap, little-endian.

    Args:
        file: where to.
        link: number of the link type of all frames.
        nanoseconds: whether times are finer than microseconds.
    """

    def __init__(self, file: Output, link: int, nanoseconds: bool) -> None:
        self._file = file
        self._unit = 1 if nanoseconds else 1000
        magic = 0xA1B23C4D if nanoseconds else 0xA1B2C3D4
        file.write(struct.pack("<IHHiIII", magic, 2, 4, 0, 0, MAX_FRAME, link))

    def write(self, time: int, link: int, data: bytes) -> None:
        """Write a frame (see `Writer`); its link type is the file's."""
        seconds, fraction = divmod(time, NANOSECONDS)
        record = struct.pack("<IIII", seconds, fraction // self._unit, len(data), len(data))
        self._file.write(record + data)


class PcapNgWriter:
    """Writes pcapng, with an interface for each link type and times in nanoseconds.

    Args:
        file: where to.
    """

    def __init__(self, file: Output) -> None:
        self._file = file
        self._interfaces: dict[int, int] = {}
        self._block(BlockType.SECTION, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1))

    def write(self, time: int, link: int, data: bytes) -> None:
        """Write a frame (see `Writer`)."""
        if link not in self._interfaces:
            self._interfaces[link] = len(self._interfaces)
            clock = struct.pack("<HHB3xI", 9, 1, 9, 0)  # if_tsresol 9, end of options
            self._block(BlockType.INTERFACE, struct.pack("<HHI", link, 0, MAX_FRAME) + clock)
        stamp = (time >> 32, time & 0xFFFFFFFF)
        head = struct.pack("<IIIII", self._interfaces[link], *stamp, len(data), len(data))
        self._block(BlockType.ENHANCED, head + data)

    def _block(self, kind: BlockType, body: bytes) -> None:
        body += bytes(-len(body) % 4)
        size = struct.pack("<I", len(body) + 12)
        self._file.write(struct.pack("<I", kind) + size + body + size)
