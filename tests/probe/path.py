"""Mail servers, and the firewall's inspector in the path to them."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from appliance.probe.conversation import CONVERSATIONS
from appliance.probe.reply import Exchange, Question, Reply, Session
from appliance.smtp.inspector import Inspector
from appliance.smtp.release import Release


@dataclass(frozen=True)
class Server:
    """What a mail server says.

    Args:
        greeting: its greeting.
        known: its replies to lines, or to verbs, in capitals.
        unknown: its reply to any other verb; `%s` stands for the verb.
        patience: unknown commands after which it hangs up.
    """

    greeting: bytes
    known: Mapping[bytes, bytes]
    unknown: bytes
    patience: int = 100

    def reply(self, line: bytes) -> bytes:
        verb = line.split(b" ")[0]
        found = self.known.get(line.upper()) or self.known.get(verb.upper())
        return found or self.unknown.replace(b"%s", verb)

    def knows(self, line: bytes) -> bool:
        return line.split(b" ")[0].upper() in self.known


EXTENSIONS = b"250-mail\r\n250-PIPELINING\r\n250-STARTTLS\r\n250-XCLIENT NAME\r\n250 HELP\r\n"
ONE_LINE = b"220 mx20 Mail 8.12.0 ready 10 Jan 2002\r\n"
TWO_LINES = b"220-mx20.example.com 2002\r\n220 ready at 10:20\r\n"

SENDMAIL = Server(
    TWO_LINES,
    {
        b"EHLO": EXTENSIONS,
        b"HELO": b"250 mail Hello\r\n",
        b"NOOP": b"250 2.0.0 OK\r\n",
        b"HELP": b"214-2.0.0 Commands:\r\n214-2.0.0 HELO EHLO VRFY\r\n214 2.0.0 End\r\n",
        b"VRFY": b"252 2.5.2 Cannot VRFY user\r\n",
        b"EXPN": b"502 5.7.0 Sorry, we do not allow this operation\r\n",
        b"QUIT": b"221 2.0.0 closing\r\n",
    },
    b'500 5.5.1 Command unrecognized: "%s"\r\n',
)
"""Quotes the verb that it does not know."""

POSTFIX = Server(
    TWO_LINES,
    {
        b"EHLO": EXTENSIONS,
        b"HELO": b"501 Syntax: HELO hostname\r\n",
        b"HELO [127.0.0.1]": b"250 mail\r\n",
        b"NOOP": b"250 2.0.0 Ok\r\n",
        b"VRFY": b"550 5.1.1 User unknown\r\n",
        b"QUIT": b"221 2.0.0 Bye\r\n",
    },
    b"502 5.5.2 Error: command not recognized\r\n",
)

EXIM = Server(
    TWO_LINES,
    {**POSTFIX.known, b"HELP": b"214-Commands supported:\r\n214 AUTH HELO EHLO\r\n"},
    b"500 unrecognized command\r\n",
    patience=3,
)

SERVERS = {"sendmail": SENDMAIL, "postfix": POSTFIX, "exim": EXIM}


@dataclass
class Path:
    """A connection to a server, a release of the firewall in it or none."""

    server: Server
    release: Release | None
    closed: bool = False
    _unread: bytes = b""
    _unknown: int = 0
    _inspector: Inspector | None = field(init=False)

    def __post_init__(self) -> None:
        self._inspector = self.release and Inspector(self.release, True, False)

    def greeting(self) -> bytes:
        return self._to_client(self.server.greeting)

    def send(self, data: bytes) -> bytes:
        """What comes back of one segment."""
        self._unread += self._to_server(data)
        said = self._inspector.answers() if self._inspector else b""
        while not self.closed and b"\r\n" in self._unread:
            line, _, self._unread = self._unread.partition(b"\r\n")
            self._unknown += not self.server.knows(line)
            self.closed = self._unknown > self.server.patience or line.upper() == b"QUIT"
            said += self._to_client(self.server.reply(line))
        return said

    def _to_server(self, data: bytes) -> bytes:
        return (
            data
            if self._inspector is None
            else forwarded(data, self._inspector.from_client(data, True))
        )

    def _to_client(self, data: bytes) -> bytes:
        return (
            data if self._inspector is None else forwarded(data, self._inspector.from_server(data))
        )


def forwarded(data: bytes, ruling: object) -> bytes:
    if isinstance(ruling, list):
        return b"".join(part.forwarded for part in ruling)
    assert ruling is None or isinstance(ruling, bytes)
    return data if ruling is None else ruling


def reply(data: bytes) -> Reply:
    return Reply(tuple(data.split(b"\r\n")[:-1]))


def conversation(server: Server, release: Release | None) -> Session:
    """The session that a probe has, without a network."""
    exchanges: list[Exchange] = []
    for questions in CONVERSATIONS:
        path = Path(server, release)
        greeting = reply(path.greeting())
        for question in questions:
            sent = question.line("[127.0.0.1]")
            said = reply(path.send(sent + b"\r\n"))
            lost = path.closed and question is not Question.QUIT
            exchanges.append(Exchange(question, sent, said, closed=lost))
            if path.closed:
                break
    return Session(greeting, tuple(exchanges))


@contextmanager
def listening(serve: Callable[[socket.socket], None]) -> Iterator[int]:
    """Serve connections on loopback, one after the other; gives the port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def loop() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    try:
                        serve(connection)
                    except OSError:
                        continue

        thread = threading.Thread(target=loop, daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(10)
        assert not thread.is_alive()


@contextmanager
def serving(server: Server, release: Release | None) -> Iterator[int]:
    """A server behind a release on loopback; gives the port."""

    def serve(connection: socket.socket) -> None:
        path = Path(server, release)
        connection.sendall(path.greeting())
        while not path.closed and (data := connection.recv(4096)):
            connection.sendall(path.send(data))

    with listening(serve) as port:
        yield port
