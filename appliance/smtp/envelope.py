"""What inspection maps ask about the client's commands: verbs, lines, senders and recipients."""

from __future__ import annotations

import re
from collections.abc import Iterator

from mypy_extensions import mypyc_attr

from appliance.smtp import address
from appliance.smtp.esmtp_map import Subject
from appliance.smtp.matching import Matching
from appliance.smtp.observation import Observation, passing
from appliance.smtp.release import Release
from appliance.smtp.ruling import Remark

LONGEST = 16384
"""Bytes kept of a line, to find the address in it: Exim reads as many, other servers less."""

SENDERS = frozenset({b"MAIL", b"SAML", b"SEND", b"SOML"})
"""Verbs that name a sender (RFC 821, section 3.4)."""

_CR, _LF = b"\r\n"
_VERB_END = re.compile(rb"[ \r\n]")
_SPECIAL = re.compile(rb"[|`\0]")
_SIZE = re.compile(rb"[ \t]SIZE=([0-9]{1,20})(?![^ \t\r\n])", re.IGNORECASE)


@mypyc_attr(allow_interpreted_subclasses=True, serializable=True)
class Envelope:
    """Reads the client's lines while they are commands, beside what edits them.

    Args:
        release: says which verbs pass.
        matching: is told what is seen.

    Attributes:
        declared: the size of the mail that the last MAIL declared (RFC 1870), None if it did not.
    """

    __slots__ = (
        "_last",
        "_length",
        "_line",
        "_matching",
        "_recipients",
        "_release",
        "_sender",
        "_special",
        "_verb",
        "declared",
    )

    def __init__(self, release: Release, matching: Matching) -> None:
        self._release = release
        self._matching = matching
        self._recipients = 0
        self.declared: int | None = None
        self.start_line()

    def start_line(self) -> None:
        """Forget the line under way: the next byte begins a new one."""
        self._line = b""
        self._length = 0
        self._last = 0  # its last byte so far
        self._verb: bytes | None = None  # None until its end has come; empty if it does not pass
        self._special = False
        self._sender = 0  # bytes of its address so far, if that is a sender's

    def begin_mail(self, recipients: int) -> None:
        """The server has begun another mail.

        Args:
            recipients: how many the client has named for it already.
        """
        self._recipients = min(self._recipients, recipients)  # some may have been taken back

    def end_mail(self) -> None:
        """The mail has been sent: what comes belongs to another."""
        self._recipients = 0
        self._matching.begin_mail()
        self.start_line()

    def read(self, data: bytes | bytearray, at: int, end: int, remarks: list[Remark]) -> None:
        """Read one line as the client sent it, or what there is of it.

        Args:
            data: holds it.
            at: first byte.
            end: behind the last; nothing follows the line's end.
            remarks: is given what the map says to it.
        """
        if not self._length:
            self._matching.begin_line()
        for seen in self._seen(data, at, end, remarks):
            self._matching.see(seen, remarks)
            if self._matching.refusal:
                return

    def _seen(
        self, data: bytes | bytearray, at: int, end: int, remarks: list[Remark]
    ) -> Iterator[Observation]:
        before = self._length
        self._length += end - at
        self._line += data[at : min(end, at + LONGEST - len(self._line))]
        if self._verb is None and (found := _VERB_END.search(self._line)):
            verb = self._line[: found.start()].upper()
            if verb:
                yield from self._seen_verb(verb, at + found.start() - before)
            passes = verb in self._release.verbs and found[0] != b"\n"
            self._verb = verb if passes else b""
        before_last = data[end - 2] if end - at > 1 else self._last
        self._last = data[end - 1]
        ended = before_last == _CR and self._last == _LF
        yield from self._passing(Subject.COMMAND_LINE_LENGTH, before, end - at, at)
        if self._verb in SENDERS or self._verb == b"RCPT":
            yield from self._seen_address(self._verb, at - before, ended, remarks)
        if ended:
            yield Observation(Subject.COMMAND_LINE_LENGTH, end - 1, self._length)
            self._end_line()

    def _passing(self, subject: Subject, before: int, size: int, at: int) -> list[Observation]:
        limits = self._matching.plan.limits.get(subject)
        return passing(subject, limits, before, size, at) if limits else []

    def _seen_verb(self, verb: bytes, at: int) -> Iterator[Observation]:
        yield Observation(Subject.VERB, at, texts=(verb,))
        if verb == b"RCPT":
            self._recipients += 1
            yield Observation(Subject.RECIPIENTS, at, self._recipients, complete=False)
        elif verb == b"DATA":
            yield Observation(Subject.RECIPIENTS, at, self._recipients)

    def _seen_address(
        self, verb: bytes, start: int, ended: bool, remarks: list[Remark]
    ) -> Iterator[Observation]:
        """See the address of a line, as far as it has come.

        Args:
            verb: the line's verb.
            start: index of the line's first byte in the bytes read.
            ended: whether the line has ended.
            remarks: is given what the map's parameters say to it.
        """
        matching = self._matching
        special = matching.esmtp_map.special_character
        if special and not self._special and (found := _SPECIAL.search(self._line, len(verb))):
            self._special = True
            matching.tally.special += 1
            matching.violates(
                "special-character",
                special,
                start + found.start(),
                "Special character in mail address",
                remarks,
            )
            if matching.refusal:
                return
        path = address.path(self._line)
        if path is None:
            return
        first, behind, closed = path
        length = behind - first
        if not closed and self._length > LONGEST:
            length = self._length - first
        last = start + self._length - 1
        if verb in SENDERS:
            known, self._sender = self._sender, max(self._sender, length)
            yield from self._passing(
                Subject.SENDER_LENGTH, known, length - known, start + first + known
            )
            if ended:
                forms = address.forms(self._line[first:behind])
                yield Observation(Subject.SENDER_LENGTH, last, length)
                yield Observation(Subject.SENDER, last, texts=forms)
                size = _SIZE.search(self._line, behind)
                self.declared = int(size[1]) if size else None
        elif ended and (relay := matching.esmtp_map.mail_relay):
            recipient = self._line[first:behind]
            if not address.is_local(recipient, relay.domain.encode()):
                matching.tally.relayed += 1
                matching.violates(
                    "mail-relay", relay.action, last, "No Mail Relay allowed", remarks
                )

    def _end_line(self) -> None:
        if self._line.upper() == b"RSET\r\n":
            self._recipients = 0
            self._matching.begin_mail()
        self.start_line()
