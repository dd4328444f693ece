"""Syslog servers by TCP: what they get, and what happens while they are away."""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Iterator
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from appliance.config.model import Logging, LogHost
from appliance.lab.lab import Lab
from appliance.lab.sessions import converse
from appliance.lab.topology import SERVER, SERVER_MAPPED
from appliance.live.log import Log
from appliance.live.syslog_stream import CONNECT_PATIENCE, MAX_WAITING, RETRY_AFTER, SyslogStream
from tests.live.test_appliance import MASKED, log_has
from tests.live.test_log_sinks import RULES, reload, set_logging
from tests.namespaces import needs_namespaces
from tests.waiting import eventually

LOOPBACK = "127.0.0.1"


@pytest.fixture
def server() -> Iterator[socket.socket]:
    with socket.create_server((LOOPBACK, 0)) as made:
        made.settimeout(10)
        yield made


def host_of(server: socket.socket) -> LogHost:
    return LogHost(IPv4Address(LOOPBACK), server.getsockname()[1], emblem=False, tcp=True)


def connected(stream: SyslogStream, now: float) -> bool:
    stream.turn(now)
    return stream.is_up


def test_a_server_gets_lines(server: socket.socket) -> None:
    stream = SyslogStream(host_of(server))
    assert not stream.send(b"too early", 0.0)
    eventually(lambda: connected(stream, 0.0))
    peer, _ = server.accept()
    with peer:
        assert stream.send(b"<166>one", 1.0)
        assert stream.send(b"<166>two", 1.0)
        stream.close()
        assert peer.makefile("rb").read() == b"<166>one\n<166>two\n"


def test_a_server_that_goes_away_is_tried_again(server: socket.socket) -> None:
    stream = SyslogStream(host_of(server))
    eventually(lambda: connected(stream, 0.0))
    server.accept()[0].close()
    eventually(lambda: not connected(stream, 100.0))
    assert not stream.send(b"lost", 100.0)
    stream.turn(100.0 + RETRY_AFTER - 0.1)
    server.setblocking(False)
    with pytest.raises(BlockingIOError):
        server.accept()
    eventually(lambda: connected(stream, 100.0 + RETRY_AFTER))
    stream.close()


def test_a_server_that_refuses_is_away() -> None:
    with socket.create_server((LOOPBACK, 0)) as closed:
        host = host_of(closed)
    stream = SyslogStream(host)
    for now in (0.0, 0.1, RETRY_AFTER + 1):
        stream.turn(now)
        assert not stream.is_up
    stream.close()


def test_a_server_that_does_not_answer_is_given_up(server: socket.socket) -> None:
    # A full backlog: SYNs are dropped.
    server.listen(0)
    with socket.create_connection(server.getsockname()):
        streams = [SyslogStream(host_of(server)) for _ in range(3)]
        for now in (0.0, CONNECT_PATIENCE):
            for each in streams:
                each.turn(now)
        assert not streams[-1].is_up
        for each in streams:
            each.close()


def test_what_a_slow_server_does_not_take_is_bounded(server: socket.socket) -> None:
    stream = SyslogStream(host_of(server))
    eventually(lambda: connected(stream, 0.0))
    taken = 0
    while stream.send(b"x" * 1000, 0.0):
        taken += 1
        assert taken < 100_000
    assert stream.is_up
    assert taken * 1001 > MAX_WAITING
    stream.close()


def test_a_log_sends_by_tcp_and_knows_who_is_away(tmp_path: Path, server: socket.socket) -> None:
    log = Log(tmp_path / "log")
    host = host_of(server)
    log.configure(Logging(on=True, levels=(("trap", 4),), hosts=(host,)))

    def nobody_is_away() -> bool:
        log.turn()
        return not log.away

    eventually(nobody_is_away)
    log.take("%PIX-4-106023: a message")
    peer, _ = server.accept()
    with peer:
        assert peer.recv(100) == b"<164>%PIX-4-106023: a message\n"

    def away() -> tuple[str, ...]:
        log.turn()
        return log.away

    eventually(away)
    assert log.away == (f"{LOOPBACK}:{host.port}",)
    log.take("%PIX-4-106023: another")
    assert (log.datagrams.sent, log.datagrams.lost) == (1, 1)
    # Without `logging trap` nothing would be sent, so nobody is missed.
    log.configure(Logging(on=True, levels=(("console", 4),), hosts=(host,)))
    assert log.away == ()
    log.close()


def passes(lab: Lab) -> bool:
    with lab.client.connection(1) as connection:
        try:
            connection.connect((SERVER_MAPPED, 25))
            return connection.recv(1000) == MASKED
        except OSError:
            return False


@needs_namespaces
def test_no_connection_begins_while_a_server_is_away(tmp_path: Path) -> None:
    rules = Path(shutil.copy(RULES / "pix-6.3.conf", tmp_path / "rules.conf"))
    with Lab(rules, prefix=f"pxy{os.getpid()}") as lab:
        with lab.client.connection(20) as old:
            old.connect((SERVER_MAPPED, 25))
            assert old.recv(1000) == MASKED
            set_logging(
                rules, "logging on", "logging trap 6", f"logging host inside {SERVER} tcp/1470"
            )
            reload(lab)
            eventually(log_has(lab, f"a syslog server by TCP is away: {SERVER}:1470"))
            assert log_has(lab, "%PIX-3-201008: The PIX is disallowing new connections.")()
            assert not passes(lab)
            # What began before goes on.
            old.sendall(b"NOOP\r\n")
            assert old.recv(1000).startswith(b"250")
        with lab.server.call(socket.socket) as server:
            server.bind((SERVER, 1470))
            server.listen()
            server.settimeout(20)
            peer, _ = server.accept()
            with peer:
                eventually(log_has(lab, "pixguard: connections may begin again"))
                assert converse(lab.client, SERVER_MAPPED, ("QUIT\r\n",)).replies[0] == MASKED
                assert peer.recv(65536).startswith(b"<166>%PIX-6-302013: Built inbound TCP")
            eventually(lambda: not passes(lab))
            # A reload while it is away keeps the door closed.
            reload(lab)
            assert not passes(lab)
