"""Commands from the client: which verbs pass, and what becomes of the others.

Nothing is held back to wait for the rest of a line, so a verdict binds only bytes not yet
forwarded. A verb whose end lies in the same segment is judged whole; everywhere else each byte's
fate depends on what came before it alone.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum

from appliance.events import Kind
from appliance.smtp import address
from appliance.smtp.address import Path
from appliance.smtp.dialogue import Dialogue, Due, Phase
from appliance.smtp.release import Release, ShortSegment

_CR, _LF, _BLANK, _X = b"\r\n X"
_VERB_END = re.compile(rb"[ \r\n]")
_LINE_BREAK = re.compile(rb"[\r\n\0]")
_CRLF = b"\r\n"
_ADDRESS_VERBS = frozenset({b"MAIL", b"RCPT"})

EXCERPT = 512
"""Bytes of a line that an event shows: the longest command line of RFC 821, section 4.5.3."""


class Position(Enum):
    """Where in a command line the next byte stands."""

    VERB = "verb"
    MASKED_VERB = "masked-verb"
    """In a verb of which nothing was forwarded: it becomes `X`, and the rest of the line stays."""
    ARGUMENT = "argument"
    MASKED = "masked"
    """Up to CRLF all but blanks, CR and LF becomes `X`."""
    BROKEN = "broken"
    """Behind a bare LF: if anything but CRLF follows, the line is masked."""


@dataclass(frozen=True, slots=True)
class Remark:
    """Something that an edit did, for the event that tells of it.

    Args:
        kind: what happened.
        at: index of the first byte concerned in the bytes judged; negative in bytes before them.
        original: those bytes as they were sent.
        rewritten: as they are forwarded.
        detail: what a log line needs besides.
    """

    kind: Kind
    at: int
    original: bytes
    rewritten: bytes
    detail: str = ""


class Commands:
    """Judges the client's bytes while they are commands.

    Args:
        release: whose traits to apply.
        dialogue: told of each line that the server will reply to.
    """

    __slots__ = (
        "_address",
        "_after_cr",
        "_dialogue",
        "_due",
        "_path",
        "_position",
        "_release",
        "_verb",
    )

    def __init__(self, release: Release, dialogue: Dialogue) -> None:
        self._release = release
        self._dialogue = dialogue
        self.start_line()

    def start_line(self) -> None:
        """Forget the line under way: the next byte begins a new one."""
        self._position = Position.VERB
        self._verb = b""  # what of the verb has been forwarded, in capitals
        self._after_cr = False
        self._due = Due.COMMAND
        self._address: bytearray | None = None  # the line behind MAIL or RCPT, as it was sent
        self._path = Path.BEFORE

    @property
    def line_end_matched(self) -> bytes:
        """What of CRLF ends the bytes forwarded so far, as the server sees them."""
        if self._after_cr:
            return b"\r"
        at_start = self._position is Position.VERB and not self._verb
        return _CRLF if at_start else b""

    def discards(self, data: bytes) -> bool:
        """Whether these bytes are a segment to be dropped: it starts a command and ends before its
        verb does (as telnet in character mode sends it).

        Args:
            data: a whole segment.
        """
        return (
            self._release.short_segment is ShortSegment.DISCARD
            and self.line_end_matched == _CRLF
            and not _VERB_END.search(data)
        )

    def judge(self, data: bytearray, start: int, remarks: list[Remark]) -> int:
        """Edit command bytes in place, up to the end of the command phase or of the bytes.

        Args:
            data: the bytes of a segment.
            start: where in them commands begin.
            remarks: is given what the edits did.

        Returns:
            the index behind the last byte judged.
        """
        at = start
        while at < len(data) and self._dialogue.phase is Phase.COMMAND:
            if self._after_cr:
                at = self._judge_rest(data, at, remarks)
            elif self._position is Position.VERB:
                at = self._judge_verb(data, at, remarks)
            elif self._position is Position.BROKEN:
                self._invalidate(data, at, remarks)
            elif self._position is Position.MASKED_VERB:
                at = self._judge_masked_verb(data, at, remarks)
            else:
                at = self._judge_rest(data, at, remarks)
        return at

    def _judge_verb(self, data: bytearray, at: int, remarks: list[Remark]) -> int:
        """Judge bytes of a verb, up to its end, which is left for `_judge_rest`."""
        found = _VERB_END.search(data, at)
        end = found.start() if found else len(data)
        piece = bytes(data[at:end])
        ender = data[end] if found else None
        if self._release.short_segment is ShortSegment.STREAM or ender is None or self._verb:
            return self._judge_open_verb(data, at, piece, ender, remarks)
        verb = piece.upper()
        if not verb and ender == _CR:
            self._after_cr = True  # an empty line, if LF follows
            return end + 1
        passes = verb in self._release.verbs and (
            ender == _BLANK or (ender == _CR and verb not in self._release.argument_verbs)
        )
        if passes:
            self._start_argument(verb)
        else:
            # No verb, one of foreign bytes, or one that a bare LF ends makes the whole line
            # invalid; behind any other blocked verb the rest of the line stays.
            valid = bool(verb) and ender != _LF and all(map(_may_be_verb, verb))
            _mask(data, at, end if valid else _line_end(data, at), remarks)
            self._position = Position.ARGUMENT if valid else Position.MASKED
        return end

    def _judge_open_verb(
        self, data: bytearray, at: int, piece: bytes, ender: int | None, remarks: list[Remark]
    ) -> int:
        """Judge bytes of a verb whose beginning has gone or whose end has not come.

        They pass as long as a permitted verb can still begin that way.
        """
        end = at + len(piece)
        for index, byte in enumerate(piece.upper()):
            grown = self._verb + bytes((byte,))
            if not any(verb.startswith(grown) for verb in self._release.verbs):
                if self._verb:
                    self._invalidate(data, at + index, remarks)
                else:
                    valid = next((i for i, b in enumerate(piece) if not _may_be_verb(b)), None)
                    _mask(data, at, end if valid is None else at + valid, remarks)
                    self._position = Position.MASKED_VERB
                return at + index
            self._verb = grown
        if ender == _CR and not self._verb:
            self._after_cr = True
            return end + 1
        if ender is not None:
            if self._verb in self._release.verbs and ender in (_BLANK, _CR):
                self._start_argument(self._verb)
            else:
                self._invalidate(data, end, remarks)
        return end

    def _judge_masked_verb(self, data: bytearray, at: int, remarks: list[Remark]) -> int:
        while at < len(data):
            byte = data[at]
            if byte in (_BLANK, _CR):
                self._position = Position.ARGUMENT
                break
            if not _may_be_verb(byte):
                self._invalidate(data, at, remarks)
                break
            data[at] = _X
            at += 1
        return at

    def _start_argument(self, verb: bytes) -> None:
        self._position = Position.ARGUMENT
        if verb == b"DATA":
            self._due = Due.DATA
        elif verb in _ADDRESS_VERBS:
            self._address = bytearray()

    def _judge_rest(self, data: bytearray, at: int, remarks: list[Remark]) -> int:
        """Judge bytes behind the verb, up to the next CR, LF or NUL or the end of the line."""
        if self._after_cr:
            self._after_cr = False
            if data[at] == _LF:
                self._end_line(at, remarks)
                return at + 1
            self._invalidate(data, at, remarks)
        found = _LINE_BREAK.search(data, at)
        end = found.start() if found else len(data)
        if self._position is Position.MASKED:
            _cover(data, at, end)
        elif self._address is not None:
            self._address += data[at : min(end, at + EXCERPT - len(self._address))]
            self._path = address.replace(data, at, end, self._path)
        if found is None:
            return end
        if data[end] == _CR:
            self._after_cr = True
        elif data[end] == _LF:
            self._invalidate(data, end + 1, remarks)
        elif self._position is Position.MASKED:
            data[end] = _X
        else:
            self._invalidate(data, end, remarks)
            return end
        return end + 1

    def _invalidate(self, data: bytearray, at: int, remarks: list[Remark]) -> None:
        """The line turns out to be no valid command: mask it from here on."""
        if self._position is not Position.MASKED:
            _mask(data, at, _line_end(data, at), remarks)
            self._position = Position.MASKED if at < len(data) else Position.BROKEN

    def _end_line(self, at: int, remarks: list[Remark]) -> None:
        if self._address is not None and self._position is Position.ARGUMENT:
            sent = bytes(self._address)
            forwarded = bytearray(sent)
            address.replace(forwarded, 0, len(forwarded), Path.BEFORE)
            if sent != forwarded:
                _, colon, text = sent.partition(b":")
                shown = (text if colon else sent).strip().decode("latin-1")
                remarks.append(
                    Remark(Kind.ADDRESS_EDITED, at - 1 - len(sent), sent, bytes(forwarded), shown)
                )
        due = self._due
        self.start_line()
        self._dialogue.expect(due)


def _may_be_verb(byte: int) -> bool:
    """Whether a byte may stand in a verb, known or not; others make the line invalid."""
    return byte < 0x80 and byte not in b" \r\n\0"


def _line_end(data: bytearray, at: int) -> int:
    """Where the line that `at` is in ends, its CRLF left out, or where the bytes end."""
    found = data.find(_CRLF, at)
    return len(data) if found < 0 else found


def _cover(data: bytearray, start: int, end: int) -> None:
    """Make every byte but blanks, CR and LF an `X`."""
    for at in range(start, end):
        if data[at] not in b" \r\n":
            data[at] = _X


def _mask(data: bytearray, start: int, end: int, remarks: list[Remark]) -> None:
    original = bytes(data[start : min(end, start + EXCERPT)])
    _cover(data, start, end)
    rewritten = bytes(data[start : start + len(original)])
    if original:
        remarks.append(Remark(Kind.COMMAND_BLOCKED, start, original, rewritten))
