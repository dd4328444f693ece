"""Inspection of one SMTP connection: the next bytes of either side in, what goes on out."""

from __future__ import annotations

import re
from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace

from mypy_extensions import mypyc_attr

from appliance.attributes import attribute_names
from appliance.events import Kind
from appliance.smtp.command import Commands
from appliance.smtp.dialogue import Dialogue, Due, Phase
from appliance.smtp.envelope import Envelope
from appliance.smtp.line import Lines
from appliance.smtp.mail import Mail
from appliance.smtp.matching import Matching
from appliance.smtp.message import Message
from appliance.smtp.observation import Observation
from appliance.smtp.release import ANSWERS, Bug, Release, ShortSegment
from appliance.smtp.reply import Replies
from appliance.smtp.ruling import Part, Refusal, Remark, Ruling
from appliance.smtp.tally import MapTally

_REPLY = re.compile(rb"[2-5][0-9]{2}[- ]")
"""How a reply begins (RFC 5321, section 4.2)."""

_NO_REMARKS: list[Remark] = []
"""What most bytes give rise to, one list for all connections."""


@mypyc_attr(allow_interpreted_subclasses=True, serializable=True)
class Inspector:
    """Inspects the two streams of a connection.

    Args:
        release: whose traits to apply.
        greeting_due: whether the server's first reply is its greeting.
        recorded: whether the bytes come from a capture, in which the server replied to all that
            its client sent.
        adopted: whether the dialogue began unseen, and only what is certain may pass: until the
            server has replied, whole lines that are commands or empty, as they are; and no reply
            that would have the client send other things than commands, unless it was seen to ask
            for it. See docs/decisions/adoption.md.
        tally: the inspection map that the mail goes through, and its counters; None without one.
    """

    __slots__ = (
        "_adopted",
        "_answer",
        "_commands",
        "_credentials_after_cr",
        "_dialogue",
        "_envelope",
        "_lines",
        "_mail",
        "_matching",
        "_message",
        "_release",
        "_remarks",
        "_replied",
        "_replies",
    )

    def __init__(
        self,
        release: Release,
        greeting_due: bool,
        recorded: bool,
        adopted: bool = False,
        tally: MapTally | None = None,
    ) -> None:
        release = release.following(tally.esmtp_map) if tally else release
        self._release = release
        self._matching = Matching(tally) if tally else None
        self._envelope = Envelope(release, self._matching) if self._matching else None
        self._message: Message | None = None
        self._adopted = adopted
        self._replied = not adopted  # whether the server's next byte is known to begin a line
        self._dialogue = Dialogue(greeting_due, Bug.DATA_BEFORE_REPLY in release.bugs)
        self._answer = ANSWERS.get(release.blocked)
        self._commands = Commands(release, self._dialogue)
        self._lines = (
            Lines(release, self._answer, self._dialogue, recorded) if self._answer else None
        )
        self._replies = Replies(release, self._dialogue, adopted, self._matching, self._envelope)
        self._mail: Mail | None = None
        self._credentials_after_cr = False
        self._remarks = _NO_REMARKS

    def take_remarks(self) -> list[Remark]:
        """What the last bytes judged gave rise to, once."""
        remarks, self._remarks = self._remarks, _NO_REMARKS
        return remarks

    @property
    def answers_lines(self) -> bool:
        """Whether blocked lines are answered here: see `answers`."""
        return self._lines is not None

    @property
    def overdue(self) -> bool:
        """Whether the server owes more replies than any client would wait for."""
        return self._dialogue.overdue

    @property
    def opaque(self) -> bool:
        """Whether nothing is read any more."""
        return self._dialogue.phase is Phase.OPAQUE

    @property
    def tally(self) -> MapTally | None:
        """The counters of the inspection map that the mail goes through, if there is one."""
        return self._matching.tally if self._matching else None

    def from_client(self, data: bytes, whole_segment: bool) -> Ruling:
        """Judge the client's next bytes.

        Args:
            data: bytes of one segment that have not been judged before.
            whole_segment: whether the segment begins with them.
        """
        self._remarks = []
        if not self._replied and not (whole_segment and self._certain(data)):
            return Refusal.WAIT
        if whole_segment and self._begins_short(data):
            if self._release.short_segment is ShortSegment.DISCARD:
                return Refusal.DISCARD
            if self._release.short_segment is ShortSegment.MASK and not self._lines:
                self._commands.mask_verb()
        return self._unless_excess(self._judge_client, data)

    def from_server(self, data: bytes) -> Ruling:
        """Judge the server's next bytes.

        Args:
            data: bytes that have not been judged before.
        """
        self._remarks = []
        if self.opaque:
            return None
        return self._unless_excess(self._judge_server, data)

    def _judge_server(self, data: bytes) -> Ruling:
        if not (self._replied or self._replies.under_way or _REPLY.match(data)):
            return Refusal.DROP
        edited = bytearray(data)
        parts: list[Part] = []
        at = 0
        while at < len(data) and not self.opaque:
            at_line_start = not self._held_back and self._commands.line_end_matched == b"\r\n"
            end = self._replies.judge(edited, at, at_line_start, self._remarks)
            if self._matching and self._matching.refusal:
                return self._matching.refusal
            if self._adopted and self._replies.unasked:
                return Refusal.DROP
            self._replied |= not self._replies.under_way
            left_out = self._replies.left_out
            if left_out:
                self._remarks.append(Remark(Kind.REPLY_TO_UNSENT, at, data[at:end]))
            parts.append(Part(end - at, b"" if left_out else bytes(edited[at:end])))
            if answers := self.answers():
                parts.append(Part(0, answers, own=True))
            at = end
        if at < len(data):
            parts.append(Part(len(data) - at, data[at:]))
        if tally := self.tally:
            tally.banners += any(each.kind is Kind.GREETING_MASKED for each in self._remarks)
        if any(part.own or len(part.forwarded) != part.taken for part in parts):
            return parts
        return None if edited == data else bytes(edited)

    def _unless_excess(self, judge: Callable[[bytes], Ruling], data: bytes) -> Ruling:
        """Judge bytes, as if they had never come if they are too much for a rate."""
        if not (self._matching and self._matching.plan.rates):
            return judge(data)
        before = self._copied()
        ruling = judge(data)
        if ruling is Refusal.EXCESS:
            self._become(before)
        return ruling

    def _judge_client(self, data: bytes) -> Ruling:
        return self._judge_lines(self._lines, data) if self._lines else self._judge(data)

    def _copied(self) -> Inspector:
        """Its state, to come back to where a segment is to be as if it had never come."""
        shared: list[object] = [self._release]
        if self._matching:
            shared.append(self._matching.tally)
        return deepcopy(self, {id(each): each for each in shared})

    def _become(self, other: Inspector) -> None:
        """Take up a state, but for what has been remarked."""
        remarks = self._remarks
        for name in attribute_names(Inspector):
            setattr(self, name, getattr(other, name))
        self._remarks = remarks

    def answers(self) -> bytes:
        """What the firewall has to say to the client itself, now that it is its turn."""
        number = 0
        while self._answer and not self._replies.under_way and self._dialogue.next_is(Due.LOCAL):
            self._dialogue.replied()
            number += 1
        return (self._answer or b"") * number

    def _certain(self, data: bytes) -> bool:
        """Whether bytes are lines that mean no harm, whatever the server takes them for."""
        other = Inspector(self._release, False, False)
        unchanged = other.from_client(data, True) is None
        return unchanged and data.endswith(b"\r\n") and other._dialogue.phase is Phase.COMMAND

    def _begins_short(self, data: bytes) -> bool:
        if self._dialogue.phase is not Phase.COMMAND:
            return False
        return (self._lines or self._commands).begins_short(data)

    @property
    def _held_back(self) -> bool:
        return bool(self._lines and self._lines.held)

    def _judge(self, data: bytes) -> Ruling:
        """Judge bytes of which every one is forwarded, in place of itself or of another."""
        edited: bytearray | None = None
        at = 0
        while at < len(data):
            if self._dialogue.phase is Phase.COMMAND:
                if edited is None:
                    edited = bytearray(data)
                self._commands.verbs = self._verbs()
                end = self._commands.judge(edited, at, self._remarks)
                if refusal := self._commands.refusal or self._read_line(data, at, end):
                    return refusal
                at = end
                continue
            stop = self._judge_text(data, at)
            if isinstance(stop, Refusal):
                return stop
            at = stop
        return None if edited is None or edited == data else bytes(edited)

    def _judge_lines(self, lines: Lines, data: bytes) -> Ruling:
        """Judge bytes of which blocked lines are answered here."""
        parts: list[Part] = []
        at = 0
        while at < len(data):
            if self._dialogue.phase is Phase.COMMAND:
                lines.verbs = self._verbs()
                start, at = at, lines.judge(data, at, parts, self._remarks)
                if refusal := lines.refusal or self._read_line(data, start, at):
                    return refusal
                continue
            # What was taken in of a line before the server turned to other things is theirs.
            before = bytes(lines.held)
            lines.held.clear()
            known = len(self._remarks)
            end = self._judge_text(before + data[at:], 0)
            self._remarks[known:] = [
                replace(each, at=each.at + at - len(before)) for each in self._remarks[known:]
            ]
            if isinstance(end, Refusal):
                return end
            end += at - len(before)
            parts.append(Part(end - at, before + data[at:end], own=bool(before)))
            at = end
        if any(part.own or len(part.forwarded) != part.taken for part in parts):
            return parts
        return b"".join(part.forwarded for part in parts)

    def _verbs(self) -> frozenset[bytes]:
        """The verbs that pass now."""
        return self._matching.verbs(self._release) if self._matching else self._release.verbs

    def _read_line(self, data: bytes, at: int, end: int) -> Refusal | None:
        """Ask the inspection map about a line of commands, or what there is of it."""
        if self._envelope is None or self._matching is None or at == end:
            return None
        self._envelope.read(data, at, end, self._remarks)
        return self._matching.refusal

    def _judge_text(self, data: bytes, at: int) -> int | Refusal:
        """Judge bytes that are no commands; returns where commands begin again, or the end."""
        match self._dialogue.phase:
            case Phase.MAIL:
                return self._judge_mail(data, at)
            case Phase.CREDENTIALS:
                return self._judge_credentials(data, at)
            case _:
                return len(data)

    def _judge_mail(self, data: bytes, at: int) -> int | Refusal:
        if self._mail is None:
            self._mail = Mail(self._commands.line_end_matched)
            self._commands.start_line()
            if self._matching and self._matching.plan.content:
                self._message = Message(self._matching.plan.limits, self._matching.plan.parts)
        mail = self._mail
        end = mail.end(data, at)
        stop = len(data) if end is None else end
        if self._release.resets_smuggling and mail.ambiguous(data, at, stop):
            return Refusal.RESET
        if self._matching and self._envelope:
            if self._envelope.declared is not None:
                mail.count(data, at, stop, ends=end is not None)
            if refusal := self._read_content(self._matching, data, at, stop, end is not None):
                return refusal
            if end is not None:
                self._judge_size(mail, self._envelope.declared, stop - 1)
                self._envelope.end_mail()
        if end is None:
            mail.go_on(data, at)
            return stop
        if Bug.SPLIT_TERMINATOR in self._release.bugs and mail.split_behind_dot(end - at):
            return Refusal.DISCARD
        self._mail = None
        self._dialogue.phase = Phase.COMMAND
        self._dialogue.expect(Due.COMMAND)
        return end

    def _read_content(
        self, matching: Matching, data: bytes, at: int, stop: int, ends: bool
    ) -> Refusal | None:
        """Ask the inspection map about bytes of a mail."""
        message = self._message
        if message is None:
            return None
        seen: list[Observation] = message.feed(data, at, stop)
        if ends:
            seen += message.finish(stop - 1)
            self._message = None
        for each in seen:
            matching.see(each, self._remarks)
            if matching.refusal:
                break
        return matching.refusal

    def _judge_size(self, mail: Mail, declared: int | None, at: int) -> None:
        """Compare the size of a mail that has ended with what was declared for it (RFC 1870)."""
        if declared is not None and mail.octets > declared:
            detail = f"declared size is: {declared}, actual size is {mail.octets}"
            self._remarks.append(Remark(Kind.SIZE_VIOLATION, at, detail=detail))

    def _judge_credentials(self, data: bytes, at: int) -> int:
        if self._credentials_after_cr and data[at : at + 1] == b"\n":
            end = at + 1
        elif (found := data.find(b"\r\n", at)) >= 0:
            end = found + 2
        else:
            self._credentials_after_cr = data.endswith(b"\r")
            return len(data)
        self._credentials_after_cr = False
        self._dialogue.phase = Phase.COMMAND
        self._dialogue.expect(Due.AUTH)
        return end
