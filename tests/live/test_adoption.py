"""Connections that an earlier worker or appliance inspected, taken up with `adopt: true`."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from os import getpid
from pathlib import Path

import pytest

from appliance.lab.lab import Lab
from appliance.lab.topology import SERVER_MAPPED
from tests.live.test_appliance import MASKED, end, latest_mail, log_has
from tests.namespaces import needs_namespaces
from tests.waiting import eventually

pytestmark = needs_namespaces

RULES = Path(__file__).parents[2] / "rules" / "pix-6.3.conf"


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with Lab(RULES, prefix=f"pxad{getpid()}") as made:
        assert end(made, signal.SIGTERM) == 0
        yield made


@contextmanager
def appliance(lab: Lab) -> Iterator[subprocess.Popen[bytes]]:
    """One that takes connections up."""
    box_file = lab.directory / "adopting.yaml"
    box = {
        "interfaces": dict(lab.box.interfaces),
        "state": str(lab.box.state),
        "log": str(lab.log_file),
        "adopt": True,
    }
    box_file.write_text(json.dumps(box))
    lab.log_file.write_text("")
    command = (sys.executable, "-m", "appliance", "run", "--config", str(RULES))
    process = subprocess.Popen(lab.router.command(*command, "--box", str(box_file)))
    try:
        eventually(log_has(lab, "the firewall is up"))
        yield process
    finally:
        process.terminate()
        assert process.wait(30) == 0


def kill_worker(lab: Lab) -> None:
    (counters,) = lab.box.state.glob("counters-*.json")
    (worker,) = json.loads(counters.read_text())["workers"]
    os.kill(worker["process"], signal.SIGKILL)
    eventually(lambda: json.loads(counters.read_text())["workers"][0]["restarts"] == 1)


def greet(connection: socket.socket) -> None:
    connection.connect((SERVER_MAPPED, 25))
    assert connection.recv(1000) == MASKED
    assert say(connection, b"HELO c.example\r\n").startswith(b"250")


def say(connection: socket.socket, line: bytes) -> bytes:
    connection.sendall(line)
    return connection.recv(1000)


def go_on(lab: Lab, connection: socket.socket) -> None:
    """From between two commands to the end, with a verb that is not let through."""
    assert say(connection, b"NOOP\r\n").startswith(b"250")
    assert say(connection, b"EXPN root\r\n").startswith(b"500")
    assert say(connection, b"MAIL FROM:<a@c.example>\r\n").startswith(b"250")
    assert say(connection, b"RCPT TO:<b@acme.com>\r\n").startswith(b"250")
    assert say(connection, b"DATA\r\n").startswith(b"354")
    assert say(connection, b"EXPN is a word of this mail\r\n.\r\n").startswith(b"250")
    assert b"EXPN is a word of this mail\r\n" in latest_mail(lab.server_spool)
    assert say(connection, b"QUIT\r\n").startswith(b"221")


def test_a_worker_that_died_leaves_its_connections_to_the_next(lab: Lab) -> None:
    with appliance(lab), lab.client.connection(20) as connection:
        greet(connection)
        kill_worker(lab)
        go_on(lab, connection)


def test_an_appliance_that_was_stopped_leaves_its_connections_to_the_next(lab: Lab) -> None:
    with lab.client.connection(20) as connection:
        with appliance(lab):
            greet(connection)
        with appliance(lab):
            go_on(lab, connection)


def test_a_mail_that_was_under_way_arrives_whole_or_not_at_all(lab: Lab) -> None:
    with appliance(lab), lab.client.connection(3) as connection:
        greet(connection)
        for line in (b"MAIL FROM:<a@c.example>\r\n", b"RCPT TO:<b@acme.com>\r\n", b"DATA\r\n"):
            say(connection, line)
        mails = sorted(lab.server_spool.iterdir())
        kill_worker(lab)
        connection.sendall(b"a line of text\r\n.\r\n")
        with pytest.raises(TimeoutError):
            connection.recv(1000)
        assert sorted(lab.server_spool.iterdir()) == mails
