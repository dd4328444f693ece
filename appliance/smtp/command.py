"""Commands from the client, edited in place: which verbs pass, and what becomes of the others.

Nothing is held back to wait for the rest of a line, so a verdict binds only bytes not yet
forwarded. A verb whose end lies in the same segment is judged whole; everywhere else each byte's
fate depends on what came before it alone.
"""

from __future__ import annotations

import re
from enum import Enum

from mypy_extensions import mypyc_attr

from appliance.events import Kind
from appliance.smtp import address
from appliance.smtp.address import Path
from appliance.smtp.dialogue import Dialogue, Due, Phase
from appliance.smtp.release import Addresses, Blocked, Release, ShortSegment
from appliance.smtp.ruling import EXCERPT, Refusal, Remark

_CR, _LF, _BLANK, _X = b"\r\n X"
_VERB_END = re.compile(rb"[ \r\n]")
_LINE_BREAK = re.compile(rb"[\r\n\0]")
_CRLF = b"\r\n"
_NOOP = b"NOOP"

ADDRESS_VERBS = frozenset({b"MAIL", b"RCPT"})

DUE = {
    b"DATA": Due.DATA,
    b"EHLO": Due.EHLO,
    b"AUTH": Due.AUTH,
    b"STARTTLS": Due.STARTTLS,
    b"MAIL": Due.MAIL,
    b"RCPT": Due.RCPT,
}
"""Verbs whose replies mean something to somebody here."""


class Position(Enum):
    """Where in a command line the next byte stands."""

    VERB = "verb"
    MASKED_VERB = "masked-verb"
    """In a verb of which nothing was forwarded: it becomes `X`, and the rest of the line stays."""
    ARGUMENT = "argument"
    COVERED = "covered"
    """Up to CRLF every byte is covered by something else."""
    BROKEN = "broken"
    """Behind a bare LF: if anything but CRLF follows, that is covered."""


def passes(release: Release, verbs: frozenset[bytes], verb: bytes, ender: int) -> bool:
    """Whether a verb is let through.

    Args:
        release: the release.
        verbs: the verbs that pass now.
        verb: the verb, in capitals.
        ender: the byte behind it.
    """
    if verb not in verbs or ender not in (_BLANK, _CR):
        return False
    return ender == _BLANK or verb not in release.argument_verbs


def may_be_verb(byte: int) -> bool:
    """Whether a byte may stand in a verb, known or not; others make the line invalid."""
    return byte < 0x80 and byte not in b" \r\n\0"


@mypyc_attr(allow_interpreted_subclasses=True, serializable=True)
class Commands:
    """Judges the client's bytes while they are commands.

    Args:
        release: whose traits to apply.
        dialogue: told of each line that the server will reply to.

    Attributes:
        refusal: set when the last bytes judged must not be forwarded.
        verbs: the verbs that pass now.
    """

    __slots__ = (
        "_address",
        "_after_cr",
        "_dialogue",
        "_due",
        "_ended",
        "_fill",
        "_kept",
        "_letters",
        "_path",
        "_position",
        "_release",
        "_verb",
        "refusal",
        "verbs",
    )

    def __init__(self, release: Release, dialogue: Dialogue) -> None:
        self._release = release
        self.verbs = release.verbs
        self._dialogue = dialogue
        self.refusal: Refusal | None = None
        self._letters = b""  # what of NOOP is still to be written
        self._fill, self._kept = _X, b" \r\n"
        self.start_line()

    def start_line(self) -> None:
        """Forget the line under way: the next byte begins a new one."""
        self._position = Position.VERB
        self._verb = b""  # what of the verb has been forwarded, in capitals
        self._after_cr = False
        self._due = Due.COMMAND
        self._address: bytearray | None = None  # the line behind MAIL or RCPT, as it was sent
        self._path = Path.BEFORE
        self._ended = False

    @property
    def line_end_matched(self) -> bytes:
        """What of CRLF ends the bytes forwarded so far, as the server sees them."""
        if self._after_cr:
            return b"\r"
        at_start = self._position is Position.VERB and not self._verb
        return _CRLF if at_start else b""

    def begins_short(self, data: bytes) -> bool:
        """Whether these bytes start a command and end before its verb does (as telnet in
        character mode sends it).

        Args:
            data: a whole segment.
        """
        return self.line_end_matched == _CRLF and not _VERB_END.search(data)

    def mask_verb(self) -> None:
        """The verb that the next byte begins becomes `X`, whatever it is."""
        self._letters = b""
        self._fill, self._kept = _X, b" \r\n"
        self._position = Position.MASKED_VERB

    def judge(self, data: bytearray, start: int, remarks: list[Remark]) -> int:
        """Edit bytes of one line in place, up to its end or that of the command phase.

        Args:
            data: the bytes of a segment.
            start: where in them the line begins or goes on.
            remarks: is given what the edits did.

        Returns:
            the index behind the last byte judged.
        """
        at = start
        self._ended = False
        while at < len(data) and self._goes_on:
            if self._after_cr:
                at = self._judge_rest(data, at, remarks)
            elif self._position is Position.BROKEN:
                self._invalidate(data, at, remarks)
            elif self._position is Position.VERB:
                at = self._judge_verb(data, at, remarks)
            elif self._position is Position.MASKED_VERB:
                at = self._judge_masked_verb(data, at, remarks)
            else:
                at = self._judge_rest(data, at, remarks)
        return at

    @property
    def _goes_on(self) -> bool:
        """Whether the next byte belongs to the line under way."""
        return not self._ended and self._dialogue.phase is Phase.COMMAND and not self.refusal

    def _judge_verb(self, data: bytearray, at: int, remarks: list[Remark]) -> int:
        """Judge bytes of a verb, up to its end, which is left for `_judge_rest`."""
        found = _VERB_END.search(data, at)
        end = found.start() if found else len(data)
        piece = bytes(data[at:end])
        ender = data[end] if found else None
        if self._release.short_segment is ShortSegment.STREAM or ender is None or self._verb:
            return self._judge_open_verb(data, at, piece, ender, remarks)
        if not piece and ender == _CR:
            self._after_cr = True  # an empty line, if LF follows
            return end + 1
        verb = piece.upper()
        if passes(self._release, self.verbs, verb, ender):
            self._start_argument(verb)
            return end
        # No verb, one of foreign bytes, or one that a bare LF ends makes the whole line invalid;
        # behind any other blocked verb the rest of the line stays.
        if not verb or ender == _LF or not all(map(may_be_verb, verb)):
            self._block_line(data, at, remarks)
        else:
            self._block_verb(data, at, end, remarks)
        return end if self._position is Position.ARGUMENT else at

    def _judge_open_verb(
        self, data: bytearray, at: int, piece: bytes, ender: int | None, remarks: list[Remark]
    ) -> int:
        """Judge bytes of a verb whose beginning has gone or whose end has not come.

        They pass as long as a permitted verb can still begin that way.
        """
        end = at + len(piece)
        for index, byte in enumerate(piece.upper()):
            grown = self._verb + bytes((byte,))
            if not any(verb.startswith(grown) for verb in self.verbs):
                if self._verb:
                    self._invalidate(data, at + index, remarks)
                elif may_be_verb(byte):
                    valid = next((i for i, b in enumerate(piece) if not may_be_verb(b)), len(piece))
                    self._block_verb(data, at, at + valid, remarks)
                    if self._position is Position.ARGUMENT:
                        self._position = Position.MASKED_VERB
                else:
                    self._block_line(data, at, remarks)
                return at + index
            self._verb = grown
        if ender == _CR and not self._verb:
            self._after_cr = True
            return end + 1
        if ender is not None:
            if self._verb in self.verbs and ender in (_BLANK, _CR):
                self._start_argument(self._verb)
            elif self._verb:
                self._invalidate(data, end, remarks)
            else:
                self._block_line(data, end, remarks)
        return end

    def _judge_masked_verb(self, data: bytearray, at: int, remarks: list[Remark]) -> int:
        start = at
        while at < len(data) and may_be_verb(data[at]):
            at += 1
        if data[start:at].strip(b"X"):
            self._remark_cover(data, start, at, remarks)
        if at < len(data):
            if data[at] in (_BLANK, _CR):
                self._position = Position.ARGUMENT
            else:
                self._invalidate(data, at, remarks)
        return at

    def _start_argument(self, verb: bytes) -> None:
        self._position = Position.ARGUMENT
        self._due = DUE.get(verb, Due.COMMAND)
        if verb in ADDRESS_VERBS and self._release.addresses is not Addresses.KEEP:
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
        if self._position is Position.COVERED:
            self._cover(data, at, end)
        elif self._address is not None:
            self._judge_address(self._address, data, at, end, remarks)
            if self.refusal:
                return end
        if found is None:
            return end
        if data[end] == _CR:
            self._after_cr = True
        elif data[end] == _LF:
            self._invalidate(data, end + 1, remarks)
        elif self._position is Position.COVERED:
            self._cover(data, end, end + 1)
        else:
            self._invalidate(data, end, remarks)
            return end
        return end + 1

    def _judge_address(
        self, line: bytearray, data: bytearray, at: int, end: int, remarks: list[Remark]
    ) -> None:
        line += data[at : min(end, at + EXCERPT - len(line))]
        found, self._path = address.strays(data, at, end, self._path)
        if found and self._release.addresses is Addresses.DROP:
            self.refusal = Refusal.DROP
            said = bytes(line)
            remarks.append(Remark(Kind.ADDRESS_REFUSED, found[0], said, detail=address.shown(said)))
        for stray in found:
            data[stray] = _BLANK

    def _block_verb(self, data: bytearray, start: int, end: int, remarks: list[Remark]) -> None:
        """A verb is blocked of which nothing has gone, and which is no more than that."""
        if self._release.blocked is Blocked.MASK:
            self._fill, self._kept = _X, b" \r\n"
            self._remark_cover(data, start, end, remarks)
            self._position = Position.ARGUMENT
        else:
            self._block_line(data, start, remarks)

    def _block_line(self, data: bytearray, at: int, remarks: list[Remark]) -> None:
        """A whole line is blocked of which nothing has gone."""
        end = _line_end(data, at)
        self._letters = b""
        self._fill, self._kept = _X, b" \r\n"
        if self._release.blocked is Blocked.MASK_LINE:
            self._kept = _CRLF
        elif self._release.blocked is Blocked.NOOP:
            # A line is known to be shorter than NOOP only where its end is in sight.
            short = end - at < len(_NOOP) and data.startswith(_CRLF, end)
            if not short or self._release.short_segment is ShortSegment.STREAM:
                self._letters = _NOOP
                self._fill, self._kept = _BLANK, _CRLF
        self._position = Position.COVERED
        self._remark_cover(data, at, end, remarks)

    def _invalidate(self, data: bytearray, at: int, remarks: list[Remark]) -> None:
        """The line turns out to be no valid command: cover what has not gone yet."""
        if self._position is not Position.COVERED:
            self._letters = b""
            self._fill, self._kept = _X, b" \r\n"
            if self._release.blocked is Blocked.MASK_LINE:
                self._kept = _CRLF
            self._position = Position.COVERED if at < len(data) else Position.BROKEN
            self._remark_cover(data, at, _line_end(data, at), remarks)

    def _remark_cover(self, data: bytearray, start: int, end: int, remarks: list[Remark]) -> None:
        letters = self._letters
        original = bytes(data[start : min(end, start + EXCERPT)])
        covered = data[start:end]
        self._cover(covered, 0, len(covered))
        if self._position is Position.COVERED:
            self._letters = letters  # `_judge_rest` comes over these bytes again
        else:
            data[start:end] = covered
        if original:
            rewritten = bytes(covered[: len(original)])
            remarks.append(Remark(Kind.COMMAND_BLOCKED, start, original, rewritten))

    def _cover(self, data: bytearray, start: int, end: int) -> None:
        for at in range(start, end):
            if data[at] in self._kept:
                continue
            if self._letters:
                data[at] = self._letters[0]
                self._letters = self._letters[1:]
            else:
                data[at] = self._fill

    def _end_line(self, at: int, remarks: list[Remark]) -> None:
        if self._address is not None and self._position is Position.ARGUMENT:
            sent = bytes(self._address)
            forwarded = address.blanked(sent)
            if sent != forwarded:
                start = at - 1 - len(sent)
                shown = address.shown(sent)
                remarks.append(Remark(Kind.ADDRESS_EDITED, start, sent, forwarded, shown))
        due = self._due
        self.start_line()
        self._ended = True
        self._dialogue.expect(due)


def _line_end(data: bytearray, at: int) -> int:
    """Where the line that `at` is in ends, its CRLF left out, or where the bytes end."""
    found = data.find(_CRLF, at)
    return len(data) if found < 0 else found
