"""Replies from the server: the masked greeting, and what the codes mean for the dialogue."""

from __future__ import annotations

from appliance.events import Kind
from appliance.smtp.command import EXCERPT, Remark
from appliance.smtp.dialogue import Dialogue
from appliance.smtp.greeting import GreetingMask

_CODE_WITH_SEPARATOR = 4


class Replies:
    """Reads the server's replies and masks its greeting.

    Args:
        dialogue: told of each reply.
        greeting_due: whether the first reply is the greeting; not so in a connection that was
            taken up in the middle.
    """

    __slots__ = ("_dialogue", "_greeting", "_greeting_masked", "_greeting_sent", "_head")

    def __init__(self, dialogue: Dialogue, greeting_due: bool) -> None:
        self._dialogue = dialogue
        self._greeting = GreetingMask() if greeting_due else None
        self._greeting_sent = b""
        self._greeting_masked = b""
        self._head = b""  # the first bytes of the line under way: code and separator

    def judge(self, data: bytearray, remarks: list[Remark]) -> None:
        """Read the server's next bytes, masking those of the greeting in place.

        Args:
            data: the bytes of a segment.
            remarks: is given what was done and what was odd.
        """
        at = self._mask_greeting(self._greeting, data, remarks) if self._greeting else 0
        while at < len(data):
            end = data.find(b"\n", at)
            line_goes_on = end < 0
            if line_goes_on:
                end = len(data)
            missing = _CODE_WITH_SEPARATOR - len(self._head)
            if missing:
                self._head += data[at : min(end, at + missing)]
            if line_goes_on:
                return
            self._end_line(self._head, at, bytes(data[at : min(end, at + EXCERPT)]), remarks)
            self._head = b""
            at = end + 1

    def _mask_greeting(self, greeting: GreetingMask, data: bytearray, remarks: list[Remark]) -> int:
        masked = greeting.mask(data)
        sent = bytes(data[: len(masked)])
        data[: len(masked)] = masked
        if len(self._greeting_sent) < EXCERPT:
            self._greeting_sent += sent
            self._greeting_masked += masked
        if greeting.done:
            if greeting.applies:
                remarks.append(
                    Remark(
                        Kind.GREETING_MASKED,
                        len(masked) - len(self._greeting_sent),
                        self._greeting_sent[:EXCERPT],
                        self._greeting_masked[:EXCERPT],
                    )
                )
            self._greeting = None
            self._greeting_sent = self._greeting_masked = b""
        return len(masked)

    def _end_line(self, head: bytes, at: int, line: bytes, remarks: list[Remark]) -> None:
        """A line has ended: if it is a reply's last, see what it replies to."""
        if head[3:] == b"-" or not head[:3].isdigit() or len(head) < 3:
            return
        due = self._dialogue.replied_354() if head[:3] == b"354" else self._dialogue.replied()
        if not due:
            remarks.append(Remark(Kind.UNEXPECTED_REPLY, at, line, line))
