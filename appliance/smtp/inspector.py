"""Inspection of one SMTP connection: the next bytes of either side in, their edited form out."""

from __future__ import annotations

from enum import Enum
from typing import Literal, TypeAlias

from appliance.smtp.command import Commands, Remark
from appliance.smtp.dialogue import Dialogue, Due, Phase
from appliance.smtp.mail import Mail
from appliance.smtp.release import Release
from appliance.smtp.reply import Replies


class Refusal(Enum):
    """Bytes that are not to be forwarded."""

    DISCARD = "discard"
    """As if they had never come: what the sender sends again is judged anew."""


Ruling: TypeAlias = bytes | Literal[Refusal.DISCARD] | None
"""Bytes to forward in place of those judged (as many), a refusal, or None: forward them as they
are."""


class Inspector:
    """Inspects the two streams of a connection.

    Args:
        release: whose traits to apply.
        greeting_due: whether the server's first reply is its greeting.

    Attributes:
        remarks: what the last bytes judged gave rise to.
    """

    __slots__ = ("_commands", "_dialogue", "_mail", "_replies", "remarks")

    def __init__(self, release: Release, greeting_due: bool = True) -> None:
        self._dialogue = Dialogue()
        self._commands = Commands(release, self._dialogue)
        self._replies = Replies(self._dialogue, greeting_due)
        self._mail: Mail | None = None
        self.remarks: list[Remark] = []

    @property
    def overdue(self) -> bool:
        """Whether the server owes more replies than any client would wait for."""
        return self._dialogue.overdue

    def from_client(self, data: bytes, whole_segment: bool) -> Ruling:
        """Judge the client's next bytes.

        Args:
            data: bytes of one segment that have not been judged before.
            whole_segment: whether the segment begins with them.
        """
        self.remarks = []
        dialogue = self._dialogue
        if dialogue.phase is Phase.COMMAND and whole_segment and self._commands.discards(data):
            return Refusal.DISCARD
        edited: bytearray | None = None
        at = 0
        while at < len(data):
            if dialogue.phase is Phase.DATA:
                if self._mail is None:
                    self._mail = Mail(self._commands.line_end_matched)
                    self._commands.start_line()
                end = self._mail.end(data, at)
                if end is None:
                    break
                self._mail = None
                dialogue.phase = Phase.COMMAND
                dialogue.expect(Due.COMMAND)
                at = end
            else:
                if edited is None:
                    edited = bytearray(data)
                at = self._commands.judge(edited, at, self.remarks)
        return None if edited is None or edited == data else bytes(edited)

    def from_server(self, data: bytes) -> Ruling:
        """Judge the server's next bytes.

        Args:
            data: bytes that have not been judged before.
        """
        self.remarks = []
        edited = bytearray(data)
        self._replies.judge(edited, self.remarks)
        return None if edited == data else bytes(edited)
