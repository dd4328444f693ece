"""Replies from the server: what is masked in them, and what their codes mean for the dialogue."""

from __future__ import annotations

from mypy_extensions import mypyc_attr

from appliance.events import Kind
from appliance.smtp.dialogue import Dialogue, Due
from appliance.smtp.ehlo import EhloMask
from appliance.smtp.envelope import Envelope
from appliance.smtp.esmtp_map import Action, Subject
from appliance.smtp.greeting import GreetingMask
from appliance.smtp.matching import Matching
from appliance.smtp.observation import Observation
from appliance.smtp.release import Extensions, Release
from appliance.smtp.ruling import EXCERPT, Remark

_TEXT_AT = 4
"""Column of a line's text, behind the code and its separator."""

_TURNING = (b"220", b"334", b"354")
"""Codes behind which a client may send other things than commands."""


@mypyc_attr(allow_interpreted_subclasses=True, serializable=True)
class Replies:
    """Reads the server's replies, edits them in place.

    Args:
        release: whose traits to apply.
        dialogue: told of each reply.
        adopted: whether the connection began unseen, so that any reply may be one to EHLO.
        matching: is told what an inspection map may ask about; None without a map.
        envelope: is told when a mail begins; None without a map.

    Attributes:
        under_way: whether a reply has begun and not ended.
        left_out: whether that reply is one that the client is not to get.
        unasked: whether a reply would change what the client's bytes are, which nothing that was
            seen asked for.
    """

    __slots__ = (
        "_adopted",
        "_dialogue",
        "_ehlo",
        "_envelope",
        "_excerpt",
        "_greeting",
        "_head",
        "_invalid",
        "_masked_excerpt",
        "_matching",
        "_release",
        "_seen",
        "left_out",
        "unasked",
        "under_way",
    )

    def __init__(
        self,
        release: Release,
        dialogue: Dialogue,
        adopted: bool,
        matching: Matching | None = None,
        envelope: Envelope | None = None,
    ) -> None:
        self._matching = matching
        self._envelope = envelope
        self._invalid = 0  # recipients of the mail that the server has refused
        self._adopted = adopted
        self._release = release
        self._dialogue = dialogue
        self._greeting: GreetingMask | None = None
        self._ehlo: EhloMask | None = None
        self._excerpt = b""  # of the greeting, as the server sent it
        self._masked_excerpt = b""
        self._seen = 0  # bytes of it
        self._head = b""  # the first bytes of the line under way: code and separator
        self.under_way = False
        self.left_out = False
        self.unasked = False

    def judge(self, data: bytearray, at: int, at_line_start: bool, remarks: list[Remark]) -> int:
        """Read and edit the server's bytes, up to the end of a reply or of the bytes.

        Args:
            data: the bytes of a segment.
            at: where to begin.
            at_line_start: whether the client's next byte begins a line.
            remarks: is given what was done and what was odd.

        Returns:
            the index behind the last byte judged.
        """
        if not self.under_way:
            self._begin()
        if self._greeting:
            return self._judge_greeting(self._greeting, data, at, remarks)
        while at < len(data):
            at, ended = self._judge_line(data, at, at_line_start, remarks)
            if ended:
                break
        return at

    def _begin(self) -> None:
        """A reply begins: see what is to be done to it."""
        self.under_way = True
        due = self._dialogue
        self.left_out = due.next_is(Due.LEFT_OUT)
        self._greeting = GreetingMask(self._release.greeting) if due.next_is(Due.GREETING) else None

    def _judge_greeting(
        self, greeting: GreetingMask, data: bytearray, at: int, remarks: list[Remark]
    ) -> int:
        masked = greeting.mask(data[at:] if at else data)
        end = at + len(masked)
        room = EXCERPT - len(self._excerpt)
        self._excerpt += data[at : at + min(room, len(masked))]
        self._masked_excerpt += masked[:room]
        self._seen += len(masked)
        data[at:end] = masked
        if greeting.done:
            if greeting.applies:
                sent, got = self._excerpt, self._masked_excerpt
                remarks.append(Remark(Kind.GREETING_MASKED, end - self._seen, sent, got))
            self._greeting = None
            self._excerpt = self._masked_excerpt = b""
            self.under_way = False
            self._dialogue.replied()
        return end

    def _judge_line(
        self, data: bytearray, at: int, at_line_start: bool, remarks: list[Remark]
    ) -> tuple[int, bool]:
        """Judge a line or what there is of it; tells where that ends, and whether the reply."""
        found = data.find(b"\n", at)
        end = len(data) if found < 0 else found + 1
        text = at
        if len(self._head) < _TEXT_AT:
            text = min(at + _TEXT_AT - len(self._head), len(data) if found < 0 else found)
            self._head += data[at:text]
        if self._ehlo and self._head[:3] == b"250" and text < end:
            sent = bytes(data[at:end])
            first, last = self._ehlo.mask(data, text)
            if last > first:
                original = sent[first - at : last - at][:EXCERPT]
                rewritten = bytes(data[first:last])[:EXCERPT]
                remarks.append(Remark(Kind.EHLO_MASKED, first, original, rewritten))
        if found < 0:
            return end, False
        return end, self._end_line(data, at, end, at_line_start, remarks)

    def _end_line(
        self, data: bytearray, at: int, end: int, at_line_start: bool, remarks: list[Remark]
    ) -> bool:
        """A line has ended: if it is a reply's last, see what it replies to."""
        head, self._head = self._head, b""
        if self._ehlo:
            if self._matching and head[:3] == b"250" and self._ehlo.sent:
                self._matching.begin_line()
                keyword = Observation(Subject.EHLO_PARAMETER, end - 1, texts=(self._ehlo.sent,))
                self._matching.see(keyword, remarks)
            self._ehlo.start_line()
        elif head[:3] == b"250" and (self._adopted or self._dialogue.next_is(Due.EHLO)):
            extensions = self._extensions()
            self._ehlo = EhloMask(extensions) if extensions else None
        if len(head) < 3 or not head[:3].isdigit() or head[3:] == b"-":
            return False
        self._ehlo = None
        self.under_way = False
        if not self._replied(head[:3], at_line_start, end, remarks):
            self.unasked |= head[:3] in _TURNING
            line = bytes(data[at:end])[:EXCERPT]
            remarks.append(Remark(Kind.UNEXPECTED_REPLY, at, line, line))
        return True

    def _extensions(self) -> Extensions | None:
        """The service extensions that stay in a reply to EHLO, None if it is not looked at."""
        if self._matching:
            return self._matching.extensions(self._release)
        keywords = self._release.ehlo_keywords
        return None if keywords is None else Extensions(keywords)

    def _judge_envelope(self, code: bytes, at: int, remarks: list[Remark]) -> None:
        """See what a reply says of a mail or its recipients."""
        if self._matching is None or self._envelope is None:
            return
        if self._dialogue.next_is(Due.MAIL) and code.startswith(b"2"):
            self._invalid = 0
            self._envelope.begin_mail(self._dialogue.outstanding(Due.RCPT))
        elif self._dialogue.next_is(Due.RCPT) and code.startswith(b"5"):
            self._invalid += 1
            self._see_invalid(at, remarks, complete=False)

    def _see_invalid(self, at: int, remarks: list[Remark], complete: bool) -> None:
        if self._matching:
            invalid = Observation(Subject.INVALID_RECIPIENTS, at, self._invalid, complete=complete)
            self._matching.see(invalid, remarks)

    def _replied(self, code: bytes, at_line_start: bool, end: int, remarks: list[Remark]) -> bool:
        dialogue = self._dialogue
        self._judge_envelope(code, end - 1, remarks)
        match code:
            case b"354":
                if begun := dialogue.begin_mail():
                    self._see_invalid(end - 1, remarks, complete=True)
                return begun
            case b"334":
                return dialogue.ask_credentials(at_line_start)
            case b"220" if dialogue.start_tls():
                # Without a map, `allow-tls` is of the box file, which does not say.
                tls = self._matching and self._matching.esmtp_map
                action = Action(log=tls.tls_log) if tls and tls.allow_tls else None
                remarks.append(Remark(Kind.OPAQUE, end, action=action))
                return True
            case _:
                return dialogue.replied()
