"""What both directions of an SMTP connection share: whose turn it is, and which replies are due."""

from __future__ import annotations

from enum import Enum

from mypy_extensions import mypyc_attr


class Phase(Enum):
    """What the client's bytes are."""

    COMMAND = "command"
    MAIL = "mail"
    CREDENTIALS = "credentials"
    """One line that answers a 334 (RFC 4954)."""
    OPAQUE = "opaque"
    """Neither side's bytes are read any more: TLS."""


class Due(Enum):
    """A reply that is to come, by what it answers; the value is its byte in the queue."""

    GREETING = ord("g")
    COMMAND = ord("c")
    """A command, an empty line, or the end of a mail."""
    MAIL = ord("m")
    RCPT = ord("r")
    DATA = ord("d")
    EHLO = ord("e")
    AUTH = ord("a")
    """AUTH, or a line that answers a 334."""
    STARTTLS = ord("s")
    LOCAL = ord("l")
    """A line that the firewall answers itself, in its turn."""
    LEFT_OUT = ord("o")
    """The reply that a capture has to a line that the firewall answers itself this time."""


DUE = 4096
"""Replies that may be due at a time. Past it the client's bytes are dropped until some come."""


@mypyc_attr(allow_interpreted_subclasses=True, serializable=True)
class Dialogue:
    """The state of an SMTP connection.

    Replies are matched to commands in order, so that pipelined commands work (RFC 2920); masked
    commands and empty lines have replies too.

    Args:
        greeting_due: whether the server's first reply is its greeting.
        believes_data: whether the client's DATA begins the mail, whatever the reply to it.

    Attributes:
        phase: what the client's bytes are.
    """

    __slots__ = ("_believes_data", "_due", "phase")

    def __init__(self, greeting_due: bool, believes_data: bool) -> None:
        self._believes_data = believes_data
        self.phase = Phase.COMMAND
        # One byte a reply: small, since there is one queue a connection.
        self._due = bytes((Due.GREETING.value,)) if greeting_due else b""

    @property
    def overdue(self) -> bool:
        """Whether more replies are due than any client would wait for."""
        return len(self._due) > DUE

    def expect(self, due: Due) -> None:
        """A reply will come, after all that are due already."""
        self._due += bytes((due.value,))
        if due is Due.DATA and self._believes_data:
            self.phase = Phase.MAIL

    def next_is(self, due: Due) -> bool:
        """Whether this is the reply to come next."""
        return bool(self._due) and self._due[0] == due.value

    def outstanding(self, due: Due) -> int:
        """How many such replies are to come."""
        return self._due.count(due.value)

    def replied(self) -> bool:
        """The next reply has come whole.

        Returns:
            whether one was due; if not, nothing changes.
        """
        if not self._due:
            return False
        self._due = self._due[1:]
        return True

    def begin_mail(self) -> bool:
        """The server has said 354: it belongs to the oldest DATA.

        What was due before that DATA is not to come any more; what was sent after it, the server
        takes as mail and will not reply to.

        Returns:
            whether a DATA was outstanding; if not, nothing changes.
        """
        if self._believes_data:
            return self.replied()
        if not self._give_up_before(Due.DATA):
            return False
        self._due = b""
        self.phase = Phase.MAIL
        return True

    def ask_credentials(self, at_line_start: bool) -> bool:
        """The server has said 334: it belongs to the oldest AUTH, and the client's next line is
        for no one else to read.

        Unless the client has sent something behind the AUTH already: then that is what the server
        takes for its answer, and it was read.

        Args:
            at_line_start: whether the client's next byte begins a line.

        Returns:
            whether an AUTH was outstanding; if not, nothing changes.
        """
        if not self._give_up_before(Due.AUTH):
            return False
        if len(self._due) == 1 and at_line_start:
            self.phase = Phase.CREDENTIALS
        self._due = self._due[1:]
        if self._due:
            # The reply to what it takes for the answer.
            self._due = bytes((Due.AUTH.value,)) + self._due[1:]
        return True

    def start_tls(self) -> bool:
        """The server has said 220: if a STARTTLS is outstanding, TLS begins.

        Returns:
            whether one was outstanding; if not, nothing changes.
        """
        if not self._give_up_before(Due.STARTTLS):
            return False
        self._due = b""
        self.phase = Phase.OPAQUE
        return True

    def _give_up_before(self, due: Due) -> bool:
        at = self._due.find(due.value)
        if at < 0:
            return False
        self._due = self._due[at:]
        return True
