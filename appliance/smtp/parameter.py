"""Header fields with parameters: `Content-Disposition: attachment; filename="a.txt"`.

RFC 2045, section 5.1, with the continuations and character sets of RFC 2231, and with encoded words
(RFC 2047) inside values, where they may not be and where everybody writes and reads them.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterator
from enum import Enum
from typing import NamedTuple

from mypy_extensions import mypyc_attr

WANTED = frozenset({b"filename", b"name", b"boundary"})
"""Parameters whose values are kept; of others nothing is."""

MAX_VALUE = 4096
"""Bytes kept of a value, of all pieces of a continued one together; the rest is counted. No file
system takes a name of more than 1,024 bytes, and the words of a name grow by four when they are
written in percents or encoded words."""

MAX_PIECES = 64
"""Pieces kept of a continued value (RFC 2231, section 3); the rest is counted. As many as a name of
`MAX_VALUE` bytes in lines of 64."""

_MAX_NAME = 32
"""Bytes kept of a parameter's name: more than `filename*999*` has."""

_STRIDE = 256
"""How often, in bytes, a value is told of that goes on behind what is kept of it."""

_QUOTE, _OPEN, _CLOSE, _SEMICOLON, _EQUALS, _ESCAPE = b'"();=\\'
_BLANKS = b" \t\v\f"
"""What may stand between words: some readers take vertical tabs and form feeds for blanks, too."""
_PLAIN = re.compile(rb'[^ \t\v\f"();=\\]+')
_QUOTED = re.compile(rb'[^"\\]+')
_COMMENT = re.compile(rb"[^()\\]+")
_ENCODED_WORD = re.compile(rb"=\?([!->@-~]{1,64})\?([bBqQ])\?([^?]*)\?=")
_BETWEEN_WORDS = re.compile(rb"(\?=)[ \t]+(?==\?)")
_PERCENT = re.compile(rb"%([0-9A-Fa-f]{2})")


class Found(NamedTuple):
    """A parameter, or the value in front of the parameters.

    Args:
        name: its name in small letters, without what RFC 2231 adds; empty for the value in front.
        value: as much as is kept of it, quotes and escapes undone.
        missing: bytes of it that are not kept.
        piece: of a continued value, which piece of it this is; None for a whole value.
        encoded: whether it is written in percents, with a character set in front.
        at: index of the byte that ended it.
        ended: whether it has ended; if not, more bytes are to come than are kept.
    """

    name: bytes
    value: bytes
    missing: int
    piece: int | None
    encoded: bool
    at: int
    ended: bool = True


class _Part(Enum):
    """Which part of a field the next byte belongs to."""

    FRONT = 0
    NAME = 1
    VALUE = 2


@mypyc_attr(allow_interpreted_subclasses=True, serializable=True)
class Parameters:
    """Reads the body of one field, folds undone, byte by byte.

    Args:
        comments: whether what stands in parentheses is a comment, as it should be; some readers do
            not know that.
    """

    __slots__ = (
        "_blank",
        "_comment",
        "_comments",
        "_escaped",
        "_found",
        "_gap",
        "_missing",
        "_name",
        "_part",
        "_quoted",
        "_value",
        "_wanted",
    )

    def __init__(self, comments: bool) -> None:
        self._comments = comments
        self._part = _Part.FRONT
        self._found: list[Found] = []
        self._comment = 0  # how deep in comments
        self._quoted = False
        self._escaped = False
        self._start()

    def _start(self) -> None:
        self._name = bytearray()
        self._wanted = False
        self._value = bytearray()
        self._missing = 0
        self._blank = True  # whether a comment may begin here
        self._gap = False  # whether blanks stand behind what is kept of a value without quotes

    def feed(self, data: bytes, start: int, end: int) -> list[Found]:
        """Read more of the field's body.

        Args:
            data: holds it.
            start: first byte.
            end: behind the last.

        Returns:
            what ended with these bytes.
        """
        at = start
        while at < end:
            run = None if self._escaped else self._plain().match(data, at, end)
            if run is None:
                self._read(data[at], at)
                at += 1
            else:
                at = run.end()
                if not self._comment:
                    self._begin_token(run.start())
                    self._take(run[0], run.start())
        return self._taken()

    def _plain(self) -> re.Pattern[bytes]:
        """Finds bytes that have no meaning where they stand."""
        if self._comment:
            return _COMMENT
        return _QUOTED if self._quoted else _PLAIN

    def finish(self, at: int) -> list[Found]:
        """The field has ended.

        Args:
            at: index of the byte that says so.
        """
        self._end(at)
        return self._taken()

    def _taken(self) -> list[Found]:
        found, self._found = self._found, []
        return found

    def _read(self, byte: int, at: int) -> None:
        """Read a byte that may have a meaning."""
        if self._escaped:
            self._escaped = False
            if not self._comment:
                self._take(bytes((byte,)), at)
        elif byte == _ESCAPE and (self._quoted or self._comment):
            self._escaped = True
        elif self._comment:
            self._comment += (byte == _OPEN) - (byte == _CLOSE)
        elif self._quoted:  # what else has a meaning in quotes is an escape
            self._quoted = False
        elif byte == _SEMICOLON:
            self._end(at)
            self._part = _Part.NAME
        elif byte in _BLANKS:
            self._blank = True
            self._gap = bool(self._value)
        elif byte == _OPEN and self._blank and self._comments:
            self._comment = 1
        elif byte == _EQUALS and self._part is _Part.NAME:
            self._part = _Part.VALUE
            self._wanted = bytes(self._name).lower().partition(b"*")[0] in WANTED
            self._blank = True
        else:
            self._begin_token(at)
            if byte == _QUOTE and self._part is not _Part.NAME:
                self._quoted = True
            else:
                self._take(bytes((byte,)), at)

    def _begin_token(self, at: int) -> None:
        """A value goes on: blanks inside it belong to it, as some readers have it."""
        if not self._quoted:
            self._blank = False
            if self._gap:
                self._gap = False
                self._take(b" ", at)

    def _take(self, run: bytes, at: int) -> None:
        if self._part is _Part.NAME:
            self._name += run[: _MAX_NAME - len(self._name)]
        elif self._part is _Part.FRONT or self._wanted:
            room = MAX_VALUE - len(self._value)
            self._value += run[:room]
            left_out = max(len(run) - room, 0)
            # Told of where it begins to be left out, and from there once a stride.
            first = -self._missing % _STRIDE
            before = self._missing
            for more in range(first, left_out, _STRIDE):
                self._missing = before + more + 1
                self._find(at + len(run) - left_out + more, ended=False)
            self._missing = before + left_out

    def _end(self, at: int) -> None:
        if self._part is not _Part.NAME:
            self._find(at, ended=True)
        self._quoted = self._escaped = False
        self._comment = 0
        self._start()

    def _find(self, at: int, ended: bool) -> None:
        if self._part is _Part.VALUE and not self._wanted:
            return
        name, star, number = bytes(self._name).lower().partition(b"*")
        encoded = bool(star) and (not number or number.endswith(b"*"))
        number = number.removesuffix(b"*")
        piece = int(number) if number.isdigit() else None
        self._found.append(
            Found(name, bytes(self._value), self._missing, piece, encoded, at, ended)
        )


class Text(NamedTuple):
    """A value as its reader sees it.

    Args:
        length: bytes of it, whatever it is written in, in the character set of its writer.
        text: as much as is kept of it, in UTF-8.
    """

    length: int
    text: bytes


def whole(found: Found) -> Text:
    """A value that stands in one parameter.

    Args:
        found: the parameter.
    """
    if found.encoded:
        return joined({found.piece or 0: (found.value, True)}, found.missing)
    pieces = list(_words(found.value))
    length = sum(len(raw) for raw, _ in pieces) + found.missing
    return Text(length, b"".join(_utf8(raw, charset) for raw, charset in pieces))


def joined(pieces: dict[int, tuple[bytes, bool]], missing: int) -> Text:
    """A value that stands in several parameters, `filename*0*=...; filename*1=...`.

    Args:
        pieces: by its number, what each piece says and whether it is written in percents.
        missing: bytes that are not kept.
    """
    charset = b""
    raw = bytearray()
    for index, number in enumerate(sorted(pieces)):
        value, encoded = pieces[number]
        if encoded:
            if index == 0 and value.count(b"'") >= 2:
                charset, _, value = value.split(b"'", 2)
            value = _PERCENT.sub(lambda match: bytes((int(match[1], 16),)), value)
        raw += value
    return Text(len(raw) + missing, _utf8(bytes(raw), charset))


def _words(value: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Runs of bytes of a value, encoded words undone, and their character sets."""
    value = _BETWEEN_WORDS.sub(rb"\1", value)
    at = 0
    for word in _ENCODED_WORD.finditer(value):
        if word.start() > at:
            yield value[at : word.start()], b""
        charset, coding, text = word.groups()
        yield _decoded(text, coding), charset.partition(b"*")[0]
        at = word.end()
    if at < len(value):
        yield value[at:], b""


def _decoded(text: bytes, coding: bytes) -> bytes:
    if coding in b"qQ":
        return binascii.a2b_qp(text, header=True)
    digits = re.sub(rb"[^A-Za-z0-9+/]", b"", text)
    # A lone digit stands for no byte.
    digits = digits[: len(digits) - (len(digits) % 4 == 1)]
    return binascii.a2b_base64(digits + b"=" * (-len(digits) % 4))


def _utf8(raw: bytes, charset: bytes) -> bytes:
    """Text in UTF-8; bytes that say nothing in their character set stay as they are."""
    if not charset or (raw.isascii() and charset.lower() in (b"us-ascii", b"utf-8")):
        return raw
    try:
        return raw.decode(charset.decode("ascii")).encode("utf-8", "replace")
    except (LookupError, ValueError):
        return raw
