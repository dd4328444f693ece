"""Commands from the client, line by line: those that are blocked, the firewall answers itself.

What has come of a line is taken in until its end comes, so that a blocked one never reaches the
server; the client is told that it arrived.
"""

from __future__ import annotations

import re

from mypy_extensions import mypyc_attr

from appliance.events import Kind
from appliance.smtp import address
from appliance.smtp.command import ADDRESS_VERBS, DUE, may_be_verb, passes
from appliance.smtp.dialogue import Dialogue, Due
from appliance.smtp.release import Addresses, Release
from appliance.smtp.ruling import EXCERPT, Part, Refusal, Remark

LONGEST = 2048
"""Bytes of a line that are taken in; a longer one ends the connection."""

_VERB_END = re.compile(rb"[ \r\n]")
_FOREIGN = re.compile(rb"[\0\r\n]")
_CRLF = b"\r\n"


@mypyc_attr(allow_interpreted_subclasses=True, serializable=True)
class Lines:
    """Judges the client's lines while they are commands.

    Args:
        release: whose traits to apply.
        answer: what the firewall says to a blocked line.
        dialogue: told of each line that has a reply.
        recorded: whether the bytes come from a capture, which has the server's reply to a line
            that is answered this time.

    Attributes:
        held: what has been taken in of the line under way.
        refusal: set when the last bytes judged must not be forwarded.
        verbs: the verbs that pass now.
    """

    __slots__ = ("_answer", "_dialogue", "_recorded", "_release", "held", "refusal", "verbs")

    def __init__(self, release: Release, answer: bytes, dialogue: Dialogue, recorded: bool) -> None:
        self._release = release
        self._answer = answer
        self._dialogue = dialogue
        self._recorded = recorded
        self.held = bytearray()
        self.refusal: Refusal | None = None
        self.verbs = release.verbs

    def begins_short(self, data: bytes) -> bool:
        """Whether these bytes start a command and end before its verb does.

        Args:
            data: a whole segment.
        """
        return not self.held and not _VERB_END.search(data)

    def judge(self, data: bytes, at: int, parts: list[Part], remarks: list[Remark]) -> int:
        """Judge one line, or what there is of it.

        Args:
            data: the bytes of a segment.
            at: where in them the line begins or goes on.
            parts: is given what goes on in place of these bytes.
            remarks: is given what was done.

        Returns:
            the index behind the last byte judged.
        """
        if self.held.endswith(b"\r") and data[at : at + 1] == b"\n":
            end = at + 1
        elif (found := data.find(_CRLF, at)) >= 0:
            end = found + len(_CRLF)
        else:
            self.held += data[at:]
            if len(self.held) > LONGEST:
                self.refusal = Refusal.RESET
            parts.append(Part(len(data) - at, b""))
            return len(data)
        before = len(self.held)
        line = bytes(self.held + data[at:end])
        self.held.clear()
        verb = self._permitted(line)
        if verb is None:
            original = line[:EXCERPT]
            remarks.append(Remark(Kind.COMMAND_ANSWERED, at - before, original, self._answer))
            parts.append(Part(end - at, b""))
            self._dialogue.expect(Due.LOCAL)
            if self._recorded:
                self._dialogue.expect(Due.LEFT_OUT)
            return end
        forwarded = self._forwarded(line, verb, at - before, remarks)
        parts.append(Part(end - at, forwarded, own=bool(before)))
        self._dialogue.expect(DUE.get(verb, Due.COMMAND))
        return end

    def _permitted(self, line: bytes) -> bytes | None:
        """The verb of a line that passes, empty for an empty line; None for one that is blocked."""
        if line == _CRLF:
            return b""
        found = _VERB_END.search(line)
        end = found.start() if found else 0
        verb = line[:end].upper()
        valid = all(map(may_be_verb, verb)) and not _FOREIGN.search(line[: -len(_CRLF)])
        return verb if valid and passes(self._release, self.verbs, verb, line[end]) else None

    def _forwarded(self, line: bytes, verb: bytes, at: int, remarks: list[Remark]) -> bytes:
        if verb not in ADDRESS_VERBS or self._release.addresses is Addresses.KEEP:
            return line
        sent = line[len(verb) : -len(_CRLF)]
        blanked = address.blanked(sent)
        if sent == blanked:
            return line
        shown = address.shown(sent[:EXCERPT])
        if self._release.addresses is Addresses.DROP:
            self.refusal = Refusal.DROP
            remarks.append(Remark(Kind.ADDRESS_REFUSED, at + len(verb), sent, detail=shown))
            return b""
        remarks.append(Remark(Kind.ADDRESS_EDITED, at + len(verb), sent, blanked, shown))
        return line[: len(verb)] + blanked + _CRLF
