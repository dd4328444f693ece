"""The content of a mail, read in one pass: its header, its lines, its parts (RFC 5322, RFC 2046).

Servers do not agree where a line ends, so a mail in which it matters is read in every way that they
have. Memory is bounded whatever a sender says.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from copy import deepcopy
from typing import NamedTuple

from mypy_extensions import mypyc_attr

from appliance.smtp.esmtp_map import Subject
from appliance.smtp.header import MAX_BOUNDARY, Header
from appliance.smtp.observation import Gauge, Observation
from appliance.smtp.reading import ENDS, Reading, forks

CONTENT = frozenset(
    {
        Subject.BODY_LENGTH,
        Subject.BODY_LINE_LENGTH,
        Subject.HEADER_LENGTH,
        Subject.HEADER_LINE_LENGTH,
        Subject.TO_FIELDS,
        Subject.FILE_TYPE,
        Subject.FILE_NAME_LENGTH,
        Subject.ENCODING,
    }
)
"""What is seen in a mail's content."""

PARTS = frozenset({Subject.FILE_TYPE, Subject.FILE_NAME_LENGTH, Subject.ENCODING})
"""What is seen in the headers of its parts."""

_MEASURED = (
    Subject.HEADER_LENGTH,
    Subject.HEADER_LINE_LENGTH,
    Subject.BODY_LENGTH,
    Subject.BODY_LINE_LENGTH,
    Subject.FILE_NAME_LENGTH,
)

MAX_DEPTH = 32
"""Multiparts inside each other whose boundaries are known; inside deeper ones, every line that
begins like a boundary counts as one. Mails that people send are five deep."""

_CR, _LF, _DOT, _DASH = b"\r\n.-"
_DASHES = b"--"
_MAX_PREFIX = len(_DASHES) * 2 + MAX_BOUNDARY


class _Level(NamedTuple):
    """A multipart that has not ended.

    Args:
        boundaries: what may be its boundary.
        digest: whether its parts are mails unless they say otherwise.
    """

    boundaries: tuple[bytes, ...]
    digest: bool


class _Boundary(NamedTuple):
    """A line that separates parts.

    Args:
        level: index of the multipart that it belongs to; -1 for none that is known.
        closes: whether that ends with it.
        certain: whether it is one for all readers; some take a line for one that only begins like
            it (RFC 2046, section 5.1.1).
    """

    level: int
    closes: bool = False
    certain: bool = True


@mypyc_attr(allow_interpreted_subclasses=True, serializable=True)
class View:
    """A mail as servers of one kind read it.

    Args:
        gauges: measure lengths.
        parts: whether to look into the headers of parts.
        out: is given what is seen.
    """

    __slots__ = (
        "_body",
        "_body_length",
        "_body_lines",
        "_boundary_so_far",
        "_cr",
        "_delimiters",
        "_dot",
        "_ends_blank",
        "_header",
        "_header_length",
        "_header_lines",
        "_header_size",
        "_levels",
        "_line",
        "_names",
        "_out",
        "_top",
        "_wild",
        "first",
        "reading",
    )

    def __init__(
        self, gauges: Mapping[Subject, Gauge], parts: bool, out: list[Observation]
    ) -> None:
        self.reading = Reading.CRLF
        self.first = True
        self._header_length = gauges[Subject.HEADER_LENGTH]
        self._header_lines = gauges[Subject.HEADER_LINE_LENGTH]
        self._body_length = gauges[Subject.BODY_LENGTH]
        self._body_lines = gauges[Subject.BODY_LINE_LENGTH]
        self._names = gauges[Subject.FILE_NAME_LENGTH] if parts else None
        self._out = out
        self._top = True  # whether the mail's own header has not ended
        self._header: Header | None = Header(out, self._names, counts_to=True)
        self._levels: list[_Level] = []
        self._delimiters: tuple[bytes, ...] = ()  # how lines begin that separate their parts
        self._wild = False  # whether there are more levels, or boundaries, than are known
        self._header_size = 0
        self._body = 0
        self._cr = False  # whether a CR is read that may be half of a line's end
        self._start_line()

    def _start_line(self) -> None:
        self._line = 0  # bytes of the line under way
        self._dot = False  # whether its first byte was a dot, which is the transfer's
        bounded = self._header is not None or bool(self._levels) or self._wild
        self._boundary_so_far = bytearray() if bounded else None  # None once it cannot be one
        self._ends_blank = True  # whether only blanks follow what is kept of it

    def feed(self, data: bytes, start: int, end: int) -> None:
        """Read more of the mail.

        Args:
            data: holds it.
            start: first byte.
            end: behind the last.
        """
        at = start
        if self._cr and at < end:
            at = self._judge_cr(data, at)
        ends = ENDS[self.reading]
        slow = at  # where lines may be skipped again
        while at < end:
            if self._header is None and at >= slow and not (self._line or self._dot):
                at, slow = self._skip(data, at, end)
                if at == end:
                    break
            found = ends.end.search(data, at, end)
            stop = found.start() if found else end
            if found is None and data[end - 1] == _CR:
                stop -= 1
                self._cr = True
            if stop > at:
                self._read(data, at, stop)
            if found is None:
                break
            at = found.end()
            self._end_line(at - stop, at - 1)

    def finish(self, at: int) -> None:
        """The mail has ended.

        Args:
            at: index of the byte that says so.
        """
        if self._header is not None:
            self._end_header(at)
        if self.first:
            for gauge in (self._body_length, self._body_lines):
                self._tell_reached(gauge, at)

    def _judge_cr(self, data: bytes, at: int) -> int:
        """The byte behind a CR says what that was; returns where to go on."""
        self._cr = False
        if data[at] == _LF:
            self._end_line(2, at)
            return at + 1
        if self.reading is Reading.ANY:
            self._end_line(1, at - 1)
        else:
            known = len(self._out)
            self._read(b"\r", 0, 1)
            self._out[known:] = [each._replace(at=at - 1) for each in self._out[known:]]
        return at

    def _skip(self, data: bytes, at: int, end: int) -> tuple[int, int]:
        """Pass over whole lines of a body in which there is nothing to see.

        Returns:
            where to go on, and from where on this may be tried again.
        """
        ends = ENDS[self.reading]
        last = ends.whole(data, at, end)
        bounded = bool(self._levels) or self._wild
        dashes = bounded and data.find(_DASH, at, last) >= 0
        special = dashes or data.find(_DOT, at, last) >= 0
        stop = at
        while at < last:
            text = at + (data[at] == _DOT)
            if text > at and data[text] in (_CR, _LF):
                break
            if dashes and data.startswith(_DASHES, text, last) and self._may_bound(data, text):
                break
            stop = ends.special(data, text, last, dashes) if special else last
            short = ends.short(data, text, stop, self._body_lines.next)
            if short == text:
                break  # with its dot, where it has one
            self._body_length.grow(self._body, short - text, text, self._out)
            self._body += short - text
            at = short
            if at < stop:
                break
        return at, max(at, stop)

    def _may_bound(self, data: bytes, at: int) -> bool:
        """Whether a line that is there whole may be the boundary of a multipart."""
        return self._wild or data.startswith(self._delimiters, at)

    def _note_levels(self) -> None:
        self._delimiters = tuple(
            _DASHES + boundary for level in self._levels for boundary in level.boundaries
        )

    def _read(self, data: bytes, at: int, stop: int) -> None:
        """Read a piece of a line, its end left out."""
        if not self._line and not self._dot and data[at] == _DOT:
            self._dot = True
            at += 1
            if at == stop:
                return
        if self._boundary_so_far is not None:
            self._keep_boundary(self._boundary_so_far, data, at, stop)
        cut = at
        if self._header is not None:
            cut = self._header.feed(data, at, stop)
            self._count(at, cut)
            if cut < stop:
                self._end_header(cut)
        self._count(cut, stop)

    def _count(self, at: int, stop: int) -> None:
        """Count bytes of a line."""
        size = stop - at
        if self._top:
            self._header_lines.grow(self._line, size, at, self._out)
            self._header_length.grow(self._header_size, size, at, self._out)
            self._header_size += size
        else:
            self._body_lines.grow(self._line, size, at, self._out)
            self._body_length.grow(self._body, size, at, self._out)
            self._body += size
        self._line += size

    def _keep_boundary(self, kept: bytearray, data: bytes, at: int, stop: int) -> None:
        room = _MAX_PREFIX - len(kept)
        kept += data[at : min(stop, at + room)]
        if not kept.startswith(_DASHES[: len(kept)]):
            self._boundary_so_far = None
        elif stop - at > room:
            self._ends_blank &= not data[at + room : stop].strip(b" \t")

    def _end_line(self, size: int, at: int) -> None:
        """A line has ended.

        Args:
            size: how many bytes ended it.
            at: index of the last of them.
        """
        if self._dot and not self._line:
            self._start_line()  # the end of the mail, or of what some server takes for one
            return
        boundary = self._boundary()
        separates = False
        if self._header is not None:
            separates = not self._line and self._top
            if not (self._line and self._header.end_line()) or boundary:
                self._end_header(at, empty=not self._line)
                boundary = boundary or self._boundary()
        if self._top:
            self._header_length.grow(self._header_size, size, at - size + 1, self._out)
            self._header_size += size
        elif not separates:
            self._body_length.grow(self._body, size, at - size + 1, self._out)
            self._body += size
        if boundary:
            self._separate(boundary)
        self._start_line()

    def _separate(self, boundary: _Boundary) -> None:
        """A part of a multipart has ended."""
        if not boundary.certain:
            self._header = Header(self._out, self._names, False, certain=False)
            return
        digest = boundary.level >= 0 and self._levels[boundary.level].digest
        del self._levels[boundary.level + 1 :]
        self._note_levels()
        kind = b"message/rfc822" if digest else b"text/plain"
        self._header = None if boundary.closes else Header(self._out, self._names, False, kind)

    def _boundary(self) -> _Boundary | None:
        """What a line that has ended separates, if it does."""
        line = self._boundary_so_far
        if line is None or not (self._levels or self._wild) or len(line) < len(_DASHES):
            return None
        begins = False
        text = bytes(line[len(_DASHES) :])
        for level in range(len(self._levels) - 1, -1, -1):
            for boundary in self._levels[level].boundaries:
                if not text.startswith(boundary):
                    continue
                begins = begins or bool(boundary)
                rest = text[len(boundary) :]
                if len(boundary) == MAX_BOUNDARY:
                    return _Boundary(level)
                closes = rest.startswith(_DASHES)
                if not rest[closes * len(_DASHES) :].strip(b" \t") and self._ends_blank:
                    return _Boundary(level, closes)
        if self._wild:
            return _Boundary(len(self._levels) - 1)
        return _Boundary(len(self._levels) - 1, certain=False) if begins else None

    def _end_header(self, at: int, empty: bool = False) -> None:
        """A header has ended.

        Args:
            at: index of the byte that says so.
            empty: whether an empty line ended it, and not one that is no field.
        """
        header = self._header
        if header is None:
            return
        self._header = None
        header.finish(at)
        if self._top:
            self._top = False
            # The line under way turned out to be the body's.
            self._header_size -= self._line
            self._body_lines.grow(self._line, 0, at, self._out)
            self._body_length.grow(self._line, 0, at, self._out)
            self._body += self._line
            if self.first:
                for gauge in (self._header_length, self._header_lines):
                    self._tell_reached(gauge, at)
                self._out.append(Observation(Subject.TO_FIELDS, at, header.to_fields))
        if self._names is None:
            return
        if header.boundaries and header.is_multipart:
            if len(self._levels) < MAX_DEPTH and not header.more_boundaries:
                self._levels.append(_Level(header.boundaries, header.is_digest))
                self._note_levels()
            else:
                self._wild = True
        elif empty and header.is_message:
            plain = header.is_plain
            self._header = Header(self._out, self._names, False, certain=plain)

    def _tell_reached(self, gauge: Gauge, at: int) -> None:
        self._out.append(Observation(gauge.subject, at, gauge.reached))


@mypyc_attr(allow_interpreted_subclasses=True, serializable=True)
class Message:
    """Reads the content of one mail.

    Args:
        limits: what its lengths are compared with.
        parts: whether to look into the headers of its parts.
    """

    __slots__ = ("_cr", "_out", "_views")

    def __init__(self, limits: Mapping[Subject, Iterable[int]], parts: bool) -> None:
        gauges = {each: Gauge(each, limits.get(each, ())) for each in _MEASURED}
        self._out: list[Observation] = []
        self._views = [View(gauges, parts, self._out)]
        self._cr = False  # whether the last byte was a CR

    def feed(self, data: bytes, start: int, end: int) -> list[Observation]:
        """Read more of the mail, as it is transferred: with doubled dots, and with its end.

        Args:
            data: holds it.
            start: first byte.
            end: behind the last.

        Returns:
            what is seen with these bytes, in order.
        """
        at = start
        known = [view.reading for view in self._views]
        for split, reading in forks(data, start, end, self._cr, known):
            for view in self._views:
                view.feed(data, at, max(at, split))
            at = max(at, split)
            self._fork(reading)
        for view in self._views:
            view.feed(data, at, end)
        if end > start:
            self._cr = data[end - 1] == _CR
        return self._taken()

    def finish(self, at: int) -> list[Observation]:
        """The mail has ended.

        Args:
            at: index of the byte that says so.
        """
        for view in self._views:
            view.finish(at)
        return self._taken()

    def _taken(self) -> list[Observation]:
        if not self._out:
            return []
        # What several readings see alike is seen once.
        seen = sorted(dict.fromkeys(self._out), key=lambda each: each.at)
        self._out.clear()
        return seen

    def _fork(self, reading: Reading) -> None:
        """From here on, some servers read otherwise."""
        known = {view.reading: view for view in self._views}
        # Readings that end lines at LF are the same until a bare CR comes.
        like = known[Reading.CRLF]
        if reading is Reading.ANY:
            like = known.get(Reading.LF, like)
        other = deepcopy(like, {id(self._out): self._out})
        other.reading = reading
        other.first = False
        self._views.append(other)
