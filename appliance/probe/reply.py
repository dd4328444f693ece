"""Questions to an SMTP server, and its replies."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum

_FINAL = re.compile(rb"[0-9]{3}(?!-)")
_CODE = re.compile(rb"[0-9]{3}(?=[ -]|$)")


class Question(Enum):
    """A line that is sent to see what becomes of it."""

    EHLO = b"EHLO"
    BARE_HELO = b"HELO"
    NONSENSE = b"goodmorning"
    """KB 320027's example of an invalid command."""
    HELO = b"HELO "
    NOOP = b"NOOP"
    HELP = b"HELP"
    VRFY = b"VRFY postmaster"
    EXPN = b"EXPN postmaster"
    SHORT = b"hey"
    """An invalid command over which `NOOP` cannot be written."""
    QUIT = b"QUIT"

    @property
    def verb(self) -> bytes:
        """Its first word."""
        return self.value.split(b" ")[0]

    def line(self, name: str) -> bytes:
        """The line to send, without CRLF.

        Args:
            name: what the client calls itself.
        """
        named = self in (Question.EHLO, Question.HELO)
        return self.value.strip() + (b" " + name.encode("ascii") if named else b"")


@dataclass(frozen=True, slots=True)
class Reply:
    """A reply of a server (RFC 821, section 4.2), as it came.

    Args:
        lines: its lines, without CR and LF.
    """

    lines: tuple[bytes, ...]

    @property
    def code(self) -> bytes:
        """The three digits that the first line begins with; empty if it does not."""
        found = _CODE.match(self.lines[0]) if self.lines else None
        return found[0] if found else b""

    @property
    def complete(self) -> bool:
        """Whether the last line is the last of a reply: a code, and no `-` behind it."""
        return bool(self.lines and _FINAL.match(self.lines[-1]))

    @property
    def positive(self) -> bool:
        """Whether the code says yes."""
        return self.code.startswith(b"2")


@dataclass(frozen=True, slots=True)
class Exchange:
    """A question and what came of it.

    Args:
        question: which one.
        sent: the line sent, without CRLF.
        reply: what the server said, None if nothing.
        closed: whether the conversation ended with it: the server hung up, or its reply broke off.
            What it then says tells of its patience, and not of the command.
    """

    question: Question
    sent: bytes
    reply: Reply | None
    closed: bool = False


@dataclass(frozen=True, slots=True)
class Session:
    """All that was said.

    Args:
        greeting: the server's first reply.
        exchanges: questions and replies in order.
    """

    greeting: Reply
    exchanges: tuple[Exchange, ...] = ()

    def reply(self, question: Question) -> Reply | None:
        """The reply to a question; None if there is none that tells of the command."""
        for exchange in self.exchanges:
            reply = exchange.reply
            usable = reply is not None and not exchange.closed and reply.code not in (b"", b"421")
            if exchange.question is question and usable:
                return reply
        return None
