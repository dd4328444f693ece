"""One appliance takes the place of another, and the mail that is under way arrives."""

from __future__ import annotations

import signal
import socket
import threading
import time
from collections.abc import Iterator
from os import getpid
from pathlib import Path
from shutil import copy

import pytest

from appliance.lab.lab import Lab
from appliance.lab.sessions import FORBIDDEN, INWARD, converse
from appliance.lab.topology import SERVER_MAPPED
from tests.live.test_appliance import MASKED, end, latest_mail, log_has, machine, run
from tests.namespaces import needs_namespaces
from tests.waiting import eventually

pytestmark = needs_namespaces

RULES = Path(__file__).parents[2] / "rules"
MAILHOST = (
    ("PIX Version 6.3(5)", "PIX Version 4.1(7)"),
    (
        "static (inside,outside) 203.0.113.5 10.1.1.5 netmask 255.255.255.255 0 0",
        "mailhost (inside,outside) 203.0.113.5 10.1.1.5 0 0",
    ),
    ("fixup protocol smtp 25", ""),
)


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    return Path(copy(RULES / "pix-6.3.conf", tmp_path / "rules.conf"))


@pytest.fixture
def lab(rules: Path) -> Iterator[Lab]:
    with Lab(rules, prefix=f"pxr{getpid()}") as made:
        yield made


def replace(lab: Lab) -> None:
    old = lab.appliance
    lab.start_appliance("--replace")
    assert old.wait(20) == 0
    assert log_has(lab, "pixguard: the firewall is handed over")()


def say(connection: socket.socket, line: bytes) -> bytes:
    connection.sendall(line)
    return connection.recv(1000)


def test_a_mail_in_flight_arrives(lab: Lab) -> None:
    before = machine(lab)
    lines = [b"line %d of a long mail, EXPN is no command in it\r\n" % n for n in range(20_000)]
    with lab.client.connection(60) as connection:
        connection.connect((SERVER_MAPPED, 25))
        assert connection.recv(1000) == MASKED
        for line in (b"HELO c.example\r\n", b"MAIL FROM:<a@c.example>\r\n"):
            assert say(connection, line).startswith(b"250")
        assert say(connection, b"RCPT TO:<b@acme.com>\r\n").startswith(b"250")
        assert say(connection, b"DATA\r\n").startswith(b"354")

        def send() -> None:
            for at in range(0, len(lines), 100):
                connection.sendall(b"".join(lines[at : at + 100]))
                time.sleep(0.01)  # so that it lasts as long as the replacement
            connection.sendall(b".\r\n")

        sending = threading.Thread(target=send)
        sending.start()
        replace(lab)
        assert sending.is_alive()
        sending.join(60)
        assert connection.recv(1000).startswith(b"250")
        assert say(connection, b"EXPN root\r\n").startswith(b"500")
        connection.sendall(b"QUIT\r\n")
        assert connection.recv(1000).startswith(b"221")
    assert b"".join(lines) in latest_mail(lab.server_spool)
    eventually(log_has(lab, "pixguard: 1 connections were taken over"))
    assert machine(lab) == before
    assert converse(lab.client, SERVER_MAPPED, INWARD.session).replies[0] == MASKED


def test_numbers_stay_translated(lab: Lab, rules: Path) -> None:
    text = rules.read_text()
    for old, new in MAILHOST:
        assert old in text
        text = text.replace(old, new)
    rules.write_text(text)
    lab.appliance.send_signal(signal.SIGHUP)
    eventually(log_has(lab, "pixguard: reloaded: "))
    with lab.client.connection(20) as connection:
        connection.connect((SERVER_MAPPED, 25))
        connection.recv(1000)
        assert say(connection, b"EHLO c.example\r\n") == b"250 OK\r\n"
        rules.write_text((RULES / "pix-6.3.conf").read_text())
        replace(lab)
        for _ in range(3):
            assert say(connection, b"NOOP\r\n").startswith(b"250")
            # A connection keeps the release that it began with.
            assert say(connection, b"EXPN root\r\n") == b"250 OK\r\n"
    assert converse(lab.client, SERVER_MAPPED, FORBIDDEN).replies[0] == MASKED


def test_at_the_end_everything_is_as_before_the_first(lab: Lab) -> None:
    assert end(lab, signal.SIGTERM) == 0
    before = machine(lab)
    lab.start_appliance("--replace")  # there is none: it just starts
    replace(lab)
    replace(lab)
    assert not log_has(lab, "put back what an earlier run left")()
    assert end(lab, signal.SIGTERM) == 0
    assert machine(lab) == before
    assert not lab.box.state.exists()


def test_what_is_not_whole_is_lost_and_told(lab: Lab) -> None:
    with lab.client.connection(2) as connection:
        connection.connect((SERVER_MAPPED, 25))
        assert connection.recv(1000) == MASKED
        lab.appliance.send_signal(signal.SIGUSR1)
        assert lab.appliance.wait(20) == 0
        assert "PIXGUARD" in run(lab, "iptables-save")  # fail closed
        (handed_over,) = lab.box.state.glob("connections-*")
        assert handed_over.stat().st_mode & 0o777 == 0o600
        handed_over.write_bytes(handed_over.read_bytes()[:-1])
        lab.start_appliance()
        connection.sendall(b"NOOP\r\n")
        with pytest.raises(TimeoutError):
            connection.recv(1000)
    assert converse(lab.client, SERVER_MAPPED, INWARD.session).replies[0] == MASKED
