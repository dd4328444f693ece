"""What both directions of an SMTP connection share: whose turn it is, and which replies are due."""

from __future__ import annotations

from enum import Enum


class Phase(Enum):
    """What the client's bytes are."""

    COMMAND = "command"
    DATA = "data"


class Due(Enum):
    """A reply that the server owes, by what it answers; the value is its byte in the queue."""

    COMMAND = ord("c")
    """A command, an empty line, or the end of a mail."""
    DATA = ord("d")


DUE = 64 * 1024
"""Replies that may be due at a time. Past it the client's bytes are dropped until some come."""


class Dialogue:
    """The state of an SMTP connection.

    Replies are matched to commands in order, so that pipelined commands work (RFC 2920); masked
    commands and empty lines have replies too.

    Attributes:
        phase: what the client's bytes are.
    """

    __slots__ = ("_due", "phase")

    def __init__(self) -> None:
        self.phase = Phase.COMMAND
        self._due = bytearray()  # one byte a reply: small, since there is one queue a connection

    @property
    def overdue(self) -> bool:
        """Whether more replies are due than any client would wait for."""
        return len(self._due) > DUE

    def expect(self, due: Due) -> None:
        """The server has been sent something that it will reply to."""
        self._due.append(due.value)

    def replied(self) -> bool:
        """The server has sent a whole reply, other than a 354.

        Returns:
            whether one was due; if not, nothing changes.
        """
        if not self._due:
            return False
        del self._due[0]
        return True

    def replied_354(self) -> bool:
        """The server has sent a 354: it belongs to the oldest DATA, and the mail begins.

        What was due before that DATA is not to come any more; what was sent after it, the server
        takes as mail and will not reply to.

        Returns:
            whether a DATA was outstanding; if not, nothing changes.
        """
        if Due.DATA.value not in self._due:
            return False
        self._due.clear()
        self.phase = Phase.DATA
        return True
