"""What the lab's clients say, byte by byte."""

from __future__ import annotations

import socket
from dataclasses import dataclass

from appliance.lab.namespace import Namespace

PATIENCE = 10.0
"""Seconds to wait for a reply."""

DENIED_PATIENCE = 3.0
"""Seconds after which an unanswered SYN counts as dropped; the kernel sends it twice in these."""


@dataclass(frozen=True, slots=True)
class Mail:
    """A mail to send.

    Args:
        host: what the sending host calls itself.
        sender: from whom, an address.
        recipient: to whom.
        content: the message, with CRLF at the end of each line.
    """

    host: str
    sender: str
    recipient: str
    content: str

    @property
    def session(self) -> tuple[str, ...]:
        """What the client says; each item waits for the reply to the one before."""
        # Dots at the start of a line are doubled (RFC 821, section 4.5.2).
        lines = self.content.splitlines(keepends=True)
        doubled = "".join(f".{line}" if line.startswith(".") else line for line in lines)
        return (
            f"HELO {self.host}\r\n",
            f"MAIL FROM:<{self.sender}>\r\n",
            f"RCPT TO:<{self.recipient}>\r\n",
            "DATA\r\n",
            f"{doubled}.\r\n",
            "QUIT\r\n",
        )


INWARD = Mail(
    "client.example.com",
    "alice@example.com",
    "bob@acme.com",
    "From: Alice <alice@example.com>\r\n"
    "To: Bob <bob@acme.com>\r\n"
    "Subject: The mail went through\r\n"
    "\r\n"
    "VRFY at the start of a line of a message is no command and stays as it is.\r\n"
    "A line with one dot:\r\n"
    ".\r\n",
)
"""From the client outside to the server inside."""

OUTWARD = Mail(
    "mail.acme.com",
    "bob@acme.com",
    "alice@example.com",
    "From: Bob <bob@acme.com>\r\n"
    "To: Alice <alice@example.com>\r\n"
    "Subject: Re: The mail went through\r\n"
    "\r\n"
    "So did this one.\r\n",
)
"""From the server's side to the server outside."""

FORBIDDEN = (
    "EHLO client.example.com\r\n",
    "VRFY postmaster\r\n",
    "goodmorning\r\n",
    "QUIT\r\n",
)
"""What no fixup lets through: commands outside the seven, and the test of KB 320027."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a session ended.

    Args:
        replies: the greeting and the reply to each line, as the client saw them.
        failure: what went wrong, "" if nothing did.
    """

    replies: tuple[bytes, ...]
    failure: str = ""

    @property
    def codes(self) -> tuple[str, ...]:
        """The reply codes."""
        return tuple(reply[:3].decode("latin-1") for reply in self.replies)


def converse(namespace: Namespace, address: str, lines: tuple[str, ...]) -> Outcome:
    """Talk to a mail server, one line a turn.

    Args:
        namespace: where the client is.
        address: the server's address.
        lines: what the client says, with line ends.
    """
    replies: list[bytes] = []
    with namespace.connection(PATIENCE) as connection:
        try:
            connection.connect((address, 25))
            replies.append(_reply(connection))
            for line in lines:
                connection.sendall(line.encode("latin-1"))
                replies.append(_reply(connection))
        except OSError as error:
            return Outcome(tuple(replies), f"{error}")
    return Outcome(tuple(replies))


def _reply(connection: socket.socket) -> bytes:
    """One reply, of several lines perhaps (RFC 821, appendix E)."""
    received = b""
    while True:
        data = connection.recv(4096)
        if not data:
            raise ConnectionError("the server closed the connection")
        received += data
        last = received.rstrip(b"\r\n").rsplit(b"\n", 1)[-1]
        if received.endswith(b"\n") and last[3:4] != b"-":
            return received


def knock(namespace: Namespace, address: str, port: int) -> str:
    """Try to connect, and say how it ended.

    Args:
        namespace: where the client is.
        address: where to.
        port: the port.

    Returns:
        "timed out", "connected", or the system's words for what else happened.
    """
    with namespace.connection(DENIED_PATIENCE) as connection:
        try:
            connection.connect((address, port))
        except TimeoutError:
            return "timed out"
        except OSError as error:
            return (error.strerror or str(error)).lower()
        return "connected"
