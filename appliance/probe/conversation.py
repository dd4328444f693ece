"""The conversation of a probe: a plain socket, bounded in time and bytes."""

from __future__ import annotations

import socket
import time
from dataclasses import replace
from ipaddress import ip_address

from appliance.errors import PixguardError, printable
from appliance.probe.reply import Exchange, Question, Reply, Session

MAX_REPLY = 1 << 16
"""Bytes of one reply that are read; the longest replies to EHLO or HELP are a few kilobytes."""

QUIET = 2.0
"""Seconds to wait for more of a greeting one of whose lines has no code: its end has none."""

CONVERSATIONS = (
    (Question.EHLO, Question.HELO, Question.BARE_HELO, Question.NONSENSE, Question.QUIT),
    (
        Question.HELO,
        Question.NOOP,
        Question.HELP,
        Question.VRFY,
        Question.EXPN,
        Question.SHORT,
        Question.QUIT,
    ),
)
"""What is asked, a connection each: servers hang up after a few commands unknown to them (Exim
after three), and behind a firewall most of these are. Some refuse anything before HELO."""


class _HungUpError(Exception):
    """The other end said nothing more, or too much."""


class _Line:
    """A connection, read reply by reply.

    Args:
        connection: the socket.
        patience: seconds to wait for a whole reply.
    """

    def __init__(self, connection: socket.socket, patience: float) -> None:
        self._socket = connection
        self._patience = patience
        self._unread = b""

    def send(self, line: bytes) -> None:
        """Send a line in one segment."""
        try:
            self._socket.settimeout(self._patience)
            self._socket.sendall(line + b"\r\n")
        except OSError as error:
            raise _HungUpError from error

    def reply(self) -> Reply:
        """Read a reply; what came of it if the rest does not come in time.

        Raises:
            _HungUpError: nothing came.
        """
        deadline = time.monotonic() + self._patience
        lines: list[bytes] = []
        room = MAX_REPLY
        while not (reply := Reply(tuple(lines))).complete:
            try:
                line = self._line(deadline, room)
            except _HungUpError:
                if lines:
                    return reply
                raise
            room -= len(line)
            lines.append(line.rstrip(b"\r\n"))
            if not _has_code(lines[-1]):
                deadline = min(deadline, time.monotonic() + QUIET)
        return reply

    def _line(self, deadline: float, room: int) -> bytes:
        while (end := self._unread.find(b"\n")) < 0:
            remaining = deadline - time.monotonic()
            if remaining <= 0 or len(self._unread) > room:
                raise _HungUpError
            try:
                self._socket.settimeout(remaining)
                more = self._socket.recv(4096)
            except OSError as error:
                raise _HungUpError from error
            if not more:
                raise _HungUpError
            self._unread += more
        line, self._unread = self._unread[: end + 1], self._unread[end + 1 :]
        return line


def talk(host: str, port: int, patience: float) -> Session:
    """Ask an SMTP server everything, in as many connections as it takes.

    Args:
        host: its name or address.
        port: its port.
        patience: seconds to wait for the connection and for each reply.

    Raises:
        PixguardError: there is no connection, or what is at its other end is no SMTP server.
    """
    first, *others = CONVERSATIONS
    session = _hold(host, port, patience, first)
    for questions in others:
        try:
            more = _hold(host, port, patience, questions)
        except PixguardError:
            break  # a server that takes one connection at a time has still told something
        session = replace(session, exchanges=session.exchanges + more.exchanges)
    return session


def _hold(host: str, port: int, patience: float, questions: tuple[Question, ...]) -> Session:
    where = printable(f"{host} port {port}")
    try:
        connection = socket.create_connection((host, port), patience)
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise PixguardError(f"no connection to {where}: {printable(reason)}") from error
    with connection:
        line = _Line(connection, patience)
        try:
            greeting = line.reply()
        except _HungUpError as error:
            raise PixguardError(
                f"{where} does not greet within {patience:g} s, as an SMTP server does"
            ) from error
        if not greeting.code:
            shown = printable(greeting.lines[0][:80].decode("latin-1"))
            raise PixguardError(
                f"{where} is no SMTP server: its greeting has no reply code: {shown}"
            )
        if not greeting.complete and _has_code(greeting.lines[-1]):
            raise PixguardError(
                f"{where} is no SMTP server: its greeting has no end within {patience:g} s "
                f"and {MAX_REPLY} bytes"
            )
        return Session(greeting, _ask(line, questions, _literal(connection)))


def _ask(line: _Line, questions: tuple[Question, ...], name: str) -> tuple[Exchange, ...]:
    exchanges: list[Exchange] = []
    for question in questions:
        sent = question.line(name)
        try:
            line.send(sent)
            reply = line.reply()
        except _HungUpError:
            if exchanges:
                exchanges[-1] = replace(exchanges[-1], closed=True)
            return (*exchanges, Exchange(question, sent, None))
        exchanges.append(Exchange(question, sent, reply, closed=not reply.complete))
        if not reply.complete:
            break  # what comes now could belong to any question
    return tuple(exchanges)


def _has_code(line: bytes) -> bool:
    return bool(Reply((line,)).code)


def _literal(connection: socket.socket) -> str:
    """The address of this end as its name (RFC 5321, section 4.1.3)."""
    address = ip_address(connection.getsockname()[0].partition("%")[0])
    return f"[{address}]" if address.version == 4 else f"[IPv6:{address}]"
