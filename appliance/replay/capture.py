"""Captures: classic pcap and pcapng, read frame by frame.

The formats are those of the IETF drafts draft-ietf-opsawg-pcap and draft-ietf-opsawg-pcapng.
"""

from __future__ import annotations

import struct
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import IO, NamedTuple, NoReturn

from appliance.errors import PixguardError, printable

NANOSECONDS = 1_000_000_000

MAX_FRAME = 262_144
"""Longest frame believed, in bytes: the largest snap length that libpcap accepts."""

_PCAP_MAGIC = {
    b"\xa1\xb2\xc3\xd4": (">", 1000),
    b"\xd4\xc3\xb2\xa1": ("<", 1000),
    b"\xa1\xb2\x3c\x4d": (">", 1),
    b"\x4d\x3c\xb2\xa1": ("<", 1),
}
"""First four bytes -> byte order, and nanoseconds in a unit of the fraction."""

_PCAPNG_MAGIC = b"\x0a\x0d\x0d\x0a"  # the type of a section header block, in either byte order
_MAX_BLOCK = 16 << 20

MAX_COPY = 1 << 30
"""Longest pipe that is copied, in bytes: /tmp is memory on many a machine. A file has no limit."""

_CHUNK = 1 << 20
_NEXT = "{packet}"  # in messages made before it is known whether they are needed
_IF_TSRESOL, _IF_TSOFFSET = 9, 14
_END_OF_TIME = NANOSECONDS << 32  # pcap counts seconds in 32 bits


class BlockType(IntEnum):
    """The blocks of pcapng that matter to reading packets."""

    INTERFACE = 1
    OLD_PACKET = 2
    SIMPLE = 3
    ENHANCED = 6
    SECTION = 0x0A0D0D0A


class CaptureError(PixguardError):
    """A capture that cannot be read, or not to its end."""


class Frame(NamedTuple):
    """One frame of a capture.

    Args:
        number: its number in the capture, from 1.
        time: nanoseconds since the epoch.
        link: number of its link type.
        data: the bytes captured, from the link header on.
        length: bytes that it had on the wire; more than those captured if the snap length cut it.
    """

    number: int
    time: int
    link: int
    data: bytes
    length: int

    @property
    def seconds(self) -> float:
        """Its time in seconds since the epoch."""
        return self.time / NANOSECONDS


@contextmanager
def rereadable(path: Path) -> Iterator[Path]:
    """Make sure that a capture can be opened more than once: a pipe is copied to a file.

    The file has no name, so that nothing is left of it however the program ends.

    Args:
        path: the capture as it was named.

    Raises:
        CaptureError: if it cannot be read, or is longer than MAX_COPY.
    """
    if path.is_file() or not path.exists():
        yield path
        return
    with tempfile.TemporaryFile() as copy:
        try:
            with path.open("rb") as pipe:
                _copy(pipe, copy, printable(str(path)))
            copy.flush()
        except OSError as error:
            raise CaptureError(f"{printable(str(path))}: {error.strerror or error}") from None
        yield Path(f"/proc/self/fd/{copy.fileno()}")


def _copy(pipe: IO[bytes], copy: IO[bytes], name: str) -> None:
    """Copy a capture; of anything else the beginning only, by which its reader will know it."""
    data = pipe.read(4)
    copied = 0
    captured = data in _PCAP_MAGIC or data == _PCAPNG_MAGIC
    while data:
        copy.write(data)
        copied += len(data)
        data = pipe.read(_CHUNK) if captured else b""
        if copied + len(data) > MAX_COPY:
            raise CaptureError(
                f"{name}: more than {MAX_COPY >> 20} MiB come from it, which is no file: save them "
                "to one and replay that"
            )


def read_capture(path: Path, name: str) -> Iterator[Frame]:
    """Read a capture file frame by frame.

    Args:
        path: the file.
        name: what to call it in a message.

    Raises:
        CaptureError: where it cannot be read further; the frames before have been given.
    """
    try:
        file = path.open("rb")
    except OSError as error:
        raise CaptureError(f"{printable(name)}: {error.strerror or error}") from None
    with file:
        yield from read_frames(file, name)


def read_frames(file: IO[bytes], name: str) -> Iterator[Frame]:
    """Read an open capture frame by frame.

    Args:
        file: the open capture.
        name: what to call it in a message.

    Raises:
        CaptureError: where it cannot be read further; the frames before have been given.
    """
    reader = _Reader(file, name)
    magic = reader.take(4, "the file header")
    if magic in _PCAP_MAGIC:
        yield from _pcap(reader, *_PCAP_MAGIC[magic])
    elif magic == _PCAPNG_MAGIC:
        yield from _PcapNg(reader).frames()
    elif magic[:2] == b"\x1f\x8b":
        reader.fail("this is a gzip file; unpack the capture in it first")
    else:
        reader.fail("this is neither a pcap nor a pcapng capture")


class _Reader:
    """Reads exact numbers of bytes, and says where it could not."""

    def __init__(self, file: IO[bytes], name: str) -> None:
        self._file = file
        self._name = name
        self._packets = 0  # read so far

    def fail(self, problem: str) -> NoReturn:
        """End the reading with a message; in it, _NEXT becomes the packet that comes next."""
        problem = problem.replace(_NEXT, f"packet {self._packets + 1}")
        read = {0: "no packet was", 1: "1 packet was"}.get(
            self._packets, f"{self._packets} packets were"
        )
        raise CaptureError(f"{printable(self._name)}: {problem}; {read} read")

    def take(self, size: int, what: str, *, may_end: bool = False) -> bytes:
        """Read exactly `size` bytes; none, where the file `may_end`, at its end."""
        try:
            data = self._file.read(size)
            if len(data) == size or (may_end and not data):
                return data
            at = self._file.tell() - len(data)
        except OSError as error:  # a directory, a failing disk
            self.fail(f"{what} cannot be read: {error.strerror or error}")
        if at + len(data) == 0:
            self.fail("the file is empty")
        self.fail(
            f"the file ends inside {what}: of the {size} bytes from byte {at} on, "
            f"{len(data)} are there"
        )

    def frame(self, time: int, link: int, data: bytes, length: int) -> Frame:
        """Number the next frame."""
        if not 0 <= time < _END_OF_TIME:
            self.fail(f"the time of {_NEXT} is not between the years 1970 and 2106")
        self._packets += 1
        captured = len(data)
        return Frame(self._packets, time, link, data, length if length > captured else captured)

    def check_length(self, captured: int) -> None:
        """Refuse a length that only a damaged header can have."""
        if captured > MAX_FRAME:
            self.fail(
                f"{_NEXT} is said to be {captured} bytes long, which no frame is "
                f"(at most {MAX_FRAME}); its header is damaged"
            )


def _pcap(reader: _Reader, order: str, unit: int) -> Iterator[Frame]:
    header = reader.take(20, "the file header")
    (network,) = struct.unpack(order + "I", header[16:])
    link = network & 0xFFFF  # the upper bits tell of a frame check sequence
    record = struct.Struct(order + "IIII")
    while header := reader.take(16, f"the header of {_NEXT}", may_end=True):
        seconds, fraction, captured, length = record.unpack(header)
        reader.check_length(captured)
        data = reader.take(captured, _NEXT)
        yield reader.frame(seconds * NANOSECONDS + fraction * unit, link, data, length)


@dataclass(frozen=True, slots=True)
class _Interface:
    """An interface description block: link type, snap length, clock."""

    link: int
    snap_length: int
    units: int = 1_000_000  # a second
    offset: int = 0  # seconds

    def time(self, high: int, low: int) -> int:
        """Nanoseconds since the epoch of a time stamp in two halves."""
        return (high << 32 | low) * NANOSECONDS // self.units + self.offset * NANOSECONDS


class _PcapNg:
    """A pcapng file: blocks in sections, each with its byte order and its interfaces."""

    def __init__(self, reader: _Reader) -> None:
        self._reader = reader
        self._order = "<"
        self._interfaces: list[_Interface] = []
        self._time = 0

    def frames(self) -> Iterator[Frame]:
        """Read block after block; the first one's type has been read already."""
        kind = _PCAPNG_MAGIC
        while kind:
            frame = self._block(kind)
            if frame is not None:
                yield frame
            kind = self._reader.take(4, "the header of a block", may_end=True)

    def _block(self, kind: bytes) -> Frame | None:
        where = f"the block before or of {_NEXT}"
        size = self._reader.take(4, where)
        body = b""
        if kind == _PCAPNG_MAGIC:
            body = self._reader.take(4, where)
            order = {b"\x1a\x2b\x3c\x4d": ">", b"\x4d\x3c\x2b\x1a": "<"}.get(body)
            if order is None:
                self._reader.fail("a section header has no byte-order magic (1A 2B 3C 4D)")
            self._order = order
            self._interfaces = []
        (length,) = self._unpack("I", size)
        if length % 4 or not 12 + len(body) <= length <= _MAX_BLOCK:
            self._reader.fail(f"{where} is said to be {length} bytes long, which no block is")
        body += self._reader.take(length - 12 - len(body), where)
        if self._reader.take(4, where) != size:
            self._reader.fail(f"{where} has a length at its end other than at its beginning")
        match self._unpack("I", kind)[0]:
            case BlockType.INTERFACE:
                self._interfaces.append(self._describe(body))
            case BlockType.ENHANCED:
                interface, high, low, captured, wire = self._unpack("IIIII", body)
                return self._packet(interface, (high, low), captured, wire, body[20:])
            case BlockType.OLD_PACKET:
                interface, _, high, low, captured, wire = self._unpack("HHIIII", body)
                return self._packet(interface, (high, low), captured, wire, body[20:])
            case BlockType.SIMPLE:
                (wire,) = self._unpack("I", body)
                captured = min(wire, self._interface(0).snap_length or wire)
                return self._packet(0, None, captured, wire, body[4:])
        return None  # names, statistics, comments, a vendor's own

    def _unpack(self, layout: str, body: bytes) -> tuple[int, ...]:
        layout = self._order + layout
        if len(body) < struct.calcsize(layout):
            self._reader.fail(f"the block before or of {_NEXT} is too short")
        return struct.unpack_from(layout, body)

    def _describe(self, body: bytes) -> _Interface:
        link, _, snap_length = self._unpack("HHI", body)
        units, offset = 1_000_000, 0
        at = 8
        while at + 4 <= len(body):
            code, length = self._unpack("HH", body[at:])
            value = body[at + 4 : at + 4 + length]
            if code == _IF_TSRESOL and length == 1:
                units = 2 ** (value[0] & 0x7F) if value[0] & 0x80 else 10 ** value[0]
            elif code == _IF_TSOFFSET and length == 8:
                (offset,) = self._unpack("q", value)
            at += 4 + length + -length % 4
        return _Interface(link, snap_length, units, offset)

    def _interface(self, number: int) -> _Interface:
        if number >= len(self._interfaces):
            self._reader.fail(
                f"{_NEXT} names interface {number}, and the section has described "
                f"{len(self._interfaces)}"
            )
        return self._interfaces[number]

    def _packet(
        self, number: int, stamp: tuple[int, int] | None, captured: int, wire: int, rest: bytes
    ) -> Frame:
        interface = self._interface(number)
        self._reader.check_length(captured)
        if captured > len(rest):
            self._reader.fail(
                f"{_NEXT} is said to be {captured} bytes long, and its block has {len(rest)}"
            )
        if stamp is not None:  # a simple packet block has none: the time of the one before
            self._time = interface.time(*stamp)
        return self._reader.frame(self._time, interface.link, rest[:captured], wire)
