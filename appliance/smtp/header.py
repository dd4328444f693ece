"""The header of a mail, or of a part of one: its fields, as far as inspection maps ask for them."""

from __future__ import annotations

import re
from enum import Enum

from mypy_extensions import mypyc_attr

from appliance.smtp.esmtp_map import Subject
from appliance.smtp.observation import Gauge, Observation
from appliance.smtp.parameter import (
    MAX_PIECES,
    MAX_VALUE,
    Found,
    Parameters,
    Text,
    joined,
    whole,
)

MAX_BOUNDARY = 128
"""Bytes kept of a boundary, which has 70 at most (RFC 2046, section 5.1.1); of a longer one these
are compared."""

MAX_BOUNDARIES = 4
"""Boundaries kept of one header, which should have one; readers do not agree which of two holds."""

MAX_TEXTS = 8
"""Names and types of one part that are kept to say what it is not."""

_MAX_NAME = 32
"""Bytes kept of a field's name: more than any that is looked for has."""

_BLANK, _TAB, _COLON = b" \t:"
_NAME = re.compile(rb"[!-9;-~]*")
_BLANKS = re.compile(rb"[ \t]*")
_MESSAGE, _MULTIPART, _DIGEST = b"message/", b"multipart/", b"multipart/digest"
_NESTING = (_MESSAGE, _MULTIPART, _DIGEST)
"""How types begin of what has parts, or is a mail."""
_SLASH = re.compile(rb"[ \t]+/[ \t]*|/[ \t]+")
"""A slash with blanks beside it (RFC 822, section 3.1.4)."""
_PLAIN = frozenset({b"7bit", b"8bit", b"binary"})
_TYPED = frozenset({b"content-type", b"content-disposition", b"content-transfer-encoding"})
_MBOX = frozenset({b"from", b">from"})
"""How a line begins that some mailers put before a header."""


class _Line(Enum):
    """What of a line the next byte belongs to."""

    START = "start"
    NAME = "name"
    BEHIND_NAME = "behind-name"
    """Blanks before the colon: obsolete (RFC 5322, section 4.5), and read."""
    BODY = "body"


@mypyc_attr(allow_interpreted_subclasses=True, serializable=True)
class _Continued:
    """A value in several parameters (RFC 2231, section 3)."""

    __slots__ = ("_kept", "_length", "_missing", "_pieces")

    def __init__(self) -> None:
        self._pieces: dict[int, tuple[bytes, bool]] = {}
        self._kept = 0
        self._missing = 0
        self._length = 0  # of what is kept

    def add(self, found: Found) -> int:
        """Another piece, or one that goes on; returns how long the value is now."""
        if not found.ended:
            return self._length + self._missing + len(found.value) + found.missing
        number = found.piece or 0
        value = b""
        if len(self._pieces) < MAX_PIECES and number not in self._pieces:
            value = found.value[: MAX_VALUE - self._kept]
            self._pieces[number] = (value, found.encoded)
            self._kept += len(value)
            self._length = joined(self._pieces, 0).length
        self._missing += len(found.value) - len(value) + found.missing
        return self._length + self._missing

    def text(self) -> Text:
        """What its pieces say together."""
        return joined(self._pieces, self._missing)


@mypyc_attr(allow_interpreted_subclasses=True, serializable=True)
class _Reader:
    """Reads the body of a field in one of the two ways of reading comments."""

    __slots__ = ("continued", "parameters")

    def __init__(self, comments: bool) -> None:
        self.parameters = Parameters(comments)
        self.continued: dict[bytes, _Continued] = {}

    def add(self, found: Found) -> int:
        """A piece of a continued value; returns how long that is now."""
        return self.continued.setdefault(found.name, _Continued()).add(found)


@mypyc_attr(allow_interpreted_subclasses=True, serializable=True)
class Header:
    """Reads one header, a piece of a line at a time.

    It ends with an empty line, or with a line that is no field; see `feed`.

    Args:
        out: is given what is seen.
        names: measures file names; None where parts of a mail are not looked at.
        counts_to: whether it is a mail's own, whose To fields count.
        kind: what a part without Content-Type is.
        certain: whether it is one for all readers; if not, what it leaves out says nothing.

    Attributes:
        boundaries: what may be the boundary of its parts.
        more_boundaries: whether there are more of them than are kept.
        to_fields: how many fields it has named To.
    """

    __slots__ = (
        "_certain",
        "_counts_to",
        "_default",
        "_encodings",
        "_first",
        "_kinds",
        "_line",
        "_name",
        "_names",
        "_nesting",
        "_out",
        "_parts",
        "_readers",
        "_texts",
        "boundaries",
        "more_boundaries",
        "to_fields",
    )

    def __init__(
        self,
        out: list[Observation],
        names: Gauge | None,
        counts_to: bool,
        kind: bytes = b"text/plain",
        certain: bool = True,
    ) -> None:
        self._certain = certain
        self._out = out
        self._parts = names is not None
        self._names = names or Gauge(Subject.FILE_NAME_LENGTH, ())
        self._counts_to = counts_to
        self._default = kind
        self._kinds: tuple[bytes, ...] = ()
        self._nesting: frozenset[bytes] = frozenset()
        self._encodings: tuple[bytes, ...] = ()
        self._line = _Line.START
        self._first = True
        self._name = bytearray()
        self._readers: tuple[_Reader, ...] = ()
        self._texts: list[bytes] = []
        self.boundaries: tuple[bytes, ...] = ()
        self.more_boundaries = False
        self.to_fields = 0

    @property
    def is_message(self) -> bool:
        """Whether what follows is a mail with a header of its own (RFC 2046, section 5.2)."""
        return self._is(_MESSAGE)

    @property
    def is_plain(self) -> bool:
        """Whether what follows may stand there as it is, and not encoded."""
        return not self._encodings or not _PLAIN.isdisjoint(self._encodings)

    @property
    def is_multipart(self) -> bool:
        """Whether it has parts, if there is a boundary too."""
        return self._is(_MULTIPART)

    @property
    def is_digest(self) -> bool:
        """Whether its parts are mails unless they say otherwise (RFC 2046, section 5.1.5)."""
        return self._is(_DIGEST)

    def _is(self, kind: bytes) -> bool:
        """Whether any reader may take it for a kind: not all take the same of two Content-Types."""
        return kind in self._nesting if self._kinds else self._default.startswith(kind)

    def feed(self, data: bytes, start: int, end: int) -> int:
        """Read more of a line, its end left out.

        Args:
            data: holds it.
            start: first byte.
            end: behind the last.

        Returns:
            index behind the last byte that may belong to a header: less than the end where the
            line is none of a header.
        """
        at = start
        while at < end:
            match self._line:
                case _Line.START:
                    if data[at] in (_BLANK, _TAB):
                        self._line = _Line.BODY  # folded
                    else:
                        self._end_field(at)
                        self._line = _Line.NAME
                case _Line.NAME:
                    at = self._read_name(data, at, end)
                    if at < end:
                        self._line = _Line.BEHIND_NAME
                case _Line.BEHIND_NAME:
                    at = _BLANKS.match(data, at, end).end()  # type: ignore[union-attr]
                    if at < end and not self._begin_body(data[at], at):
                        return at
                    at += at < end
                case _Line.BODY:
                    for reader in self._readers:
                        self._note(reader, reader.parameters.feed(data, at, end))
                    at = end
        return at

    def end_line(self) -> bool:
        """A line has ended that was not empty.

        Returns:
            whether it belongs to the header.
        """
        belongs = self._line is _Line.BODY
        self._line = _Line.START
        self._first = False
        return belongs

    def finish(self, at: int) -> None:
        """The header has ended.

        Args:
            at: index of the byte that says so.
        """
        self._end_field(at)
        if not self._parts or not (self._certain or self._kinds or self._texts or self._encodings):
            return
        if self._certain and not self._encodings:
            self._see(Subject.ENCODING, at, b"7bit")  # RFC 2045, section 6.1
        texts = self._texts if self._kinds else [*self._texts, self._default]
        self._see(Subject.FILE_TYPE, at, *texts)

    def _read_name(self, data: bytes, at: int, end: int) -> int:
        stop = _NAME.match(data, at, end).end()  # type: ignore[union-attr]
        self._name += data[at : min(stop, at + _MAX_NAME + 1 - len(self._name))]
        return stop

    def _begin_body(self, byte: int, at: int) -> bool:
        """A field's name has ended; returns whether it is one."""
        name = bytes(self._name).lower()
        if byte != _COLON:
            if self._first and self._counts_to and name in _MBOX:
                self._line = _Line.BODY
                return True
            return False
        self._line = _Line.BODY
        if self._counts_to and name == b"to":
            self.to_fields += 1
            self._out.append(Observation(Subject.TO_FIELDS, at, self.to_fields, complete=False))
        if self._parts and name in _TYPED:
            self._readers = (_Reader(comments=True), _Reader(comments=False))
        return True

    def _end_field(self, at: int) -> None:
        for reader in self._readers:
            self._note(reader, reader.parameters.finish(at))
            for name, value in reader.continued.items():
                self._note_whole(name, value.text(), at)
        self._readers = ()
        self._name.clear()

    def _note(self, reader: _Reader, found: list[Found]) -> None:
        for each in found:
            if not each.name:
                self._note_front(each)
            elif each.piece is not None:
                length = reader.add(each)
                if each.name != b"boundary":
                    self._names.grow(length, 0, each.at, self._out)
            elif each.ended:
                if each.name == b"boundary":
                    self._note_boundary(each.value)  # not every reader decodes it
                self._note_whole(each.name, whole(each), each.at)
            elif each.name != b"boundary":
                self._names.grow(whole(each).length, 0, each.at, self._out)

    def _note_front(self, found: Found) -> None:
        """A field's value, before its parameters."""
        if not found.ended:
            return
        # Of several words the first one counts, and a comment that is not known as one is none.
        words = _SLASH.sub(b"/", found.value.lower()).split()
        word = next((each for each in words if not each.startswith(b"(")), b"")
        name = bytes(self._name).lower()
        if name == b"content-transfer-encoding":
            if word not in self._encodings:
                self._encodings = (*self._encodings, word)[-MAX_TEXTS:]
                self._see(Subject.ENCODING, found.at, word)
        elif name == b"content-type" and word not in self._kinds:
            self._kinds = (*self._kinds, word)[-MAX_TEXTS:]
            self._nesting |= {each for each in _NESTING if word.startswith(each)}
            self._keep(word)
            self._see(Subject.FILE_TYPE, found.at, word, complete=False)

    def _note_whole(self, name: bytes, value: Text, at: int) -> None:
        if name == b"boundary":
            self._note_boundary(value.text)
        elif value.text not in self._texts:
            self._keep(value.text)
            self._names.grow(value.length, 0, at, self._out)
            self._out.append(Observation(Subject.FILE_NAME_LENGTH, at, value.length))
            self._see(Subject.FILE_TYPE, at, value.text, complete=False)

    def _note_boundary(self, boundary: bytes) -> None:
        # A value without quotes ends at a blank, and not every reader knows.
        for each in (boundary.rstrip(), boundary.partition(b" ")[0] or boundary.rstrip()):
            kept = each[:MAX_BOUNDARY]
            if kept not in self.boundaries:
                self.boundaries += (kept,)
        self.more_boundaries |= len(self.boundaries) > MAX_BOUNDARIES
        self.boundaries = self.boundaries[:MAX_BOUNDARIES]

    def _keep(self, text: bytes) -> None:
        self._texts.append(text)
        del self._texts[:-MAX_TEXTS]

    def _see(self, subject: Subject, at: int, *texts: bytes, complete: bool = True) -> None:
        self._out.append(Observation(subject, at, texts=texts, complete=complete))
