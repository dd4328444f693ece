"""Packets of mail sessions, made without a network."""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum
from ipaddress import IPv4Address

from appliance.packet.segment import ACK, FIN, PSH, SYN, Segment, compose

CLIENTS = int(IPv4Address("198.18.0.0"))
SERVER = int(IPv4Address("10.1.1.5"))
WINDOW = 65000

GREETING = b"220 mail.acme.com ESMTP Postfix 2.0.20\r\n"
_TURNS: tuple[tuple[bool, bytes], ...] = (
    (False, GREETING),
    (True, b"HELO client.example\r\n"),
    (False, b"250 mail.acme.com\r\n"),
    (True, b"MAIL FROM:<a@example.org>\r\n"),
    (False, b"250 2.1.0 Ok\r\n"),
    (True, b"RCPT TO:<b@acme.com>\r\n"),
    (False, b"250 2.1.5 Ok\r\n"),
    (True, b"DATA\r\n"),
    (False, b"354 End data with <CR><LF>.<CR><LF>\r\n"),
)
_END: tuple[tuple[bool, bytes], ...] = (
    (True, b".\r\n"),
    (False, b"250 2.0.0 Ok: queued\r\n"),
    (True, b"QUIT\r\n"),
    (False, b"221 2.0.0 Bye\r\n"),
)
LINE = b"x" * 76 + b"\r\n"
BLOCK = LINE * 18
"""What a packet of the mail carries, 1,404 bytes."""


class State(Enum):
    """How far an idle connection has come; the value is the number of turns."""

    SYN = -1
    GREETED = 1
    COMMAND = 7
    DATA = 9


def blank(client: int) -> Segment:
    """A segment from a client that others are made after.

    Args:
        client: its number.
    """
    packet = bytearray(40)
    packet[0], packet[3], packet[9], packet[32] = 0x45, 40, 6, 0x50
    packet[12:16] = (CLIENTS + client % 60000).to_bytes(4, "big")
    packet[16:20] = SERVER.to_bytes(4, "big")
    packet[20:22] = (1024 + client // 60000 * 7 + client % 40000).to_bytes(2, "big")
    packet[22:24] = (25).to_bytes(2, "big")
    return Segment(bytes(packet))


class Session:
    """The packets of one connection, in order.

    Args:
        client: its number, which gives its address and port.
    """

    def __init__(self, client: int) -> None:
        self._model = blank(client)
        self._next = {True: 1000, False: 5000}

    def packet(self, from_client: bool, flags: int, payload: bytes = b"") -> bytes:
        """The next packet of one end, which acknowledges all that the other has sent."""
        number = self._next[from_client]
        acknowledged = self._next[not from_client] if flags & ACK else 0
        self._next[from_client] += len(payload) + bool(flags & SYN) + bool(flags & FIN)
        return compose(self._model, not from_client, number, acknowledged, flags, WINDOW, payload)

    def until(self, state: State) -> Iterator[bytes]:
        """All packets up to a state."""
        yield self.packet(True, SYN)
        if state is State.SYN:
            return
        yield self.packet(False, SYN | ACK)
        yield self.packet(True, ACK)
        for from_client, line in _TURNS[: state.value]:
            yield self.packet(from_client, ACK | PSH, line)
            yield self.packet(not from_client, ACK)

    def mail(self, blocks: int) -> Iterator[bytes]:
        """Packets of a mail's content, with an acknowledgement for every second one."""
        for number in range(blocks):
            yield self.packet(True, ACK, BLOCK)
            if number % 2:
                yield self.packet(False, ACK)

    def end(self) -> Iterator[bytes]:
        """The end of the mail, and of the connection."""
        for from_client, line in _END:
            yield self.packet(from_client, ACK | PSH, line)
        yield self.packet(False, ACK | FIN)
        yield self.packet(True, ACK | FIN)
        yield self.packet(False, ACK)
