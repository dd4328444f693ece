"""What passes while the appliance is dead: mail by request only, everything else as permitted."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from os import getpid
from pathlib import Path

import pytest

from appliance.lab.lab import Lab
from appliance.lab.sessions import converse, knock
from appliance.lab.topology import SERVER, SERVER_MAPPED
from tests.live.test_appliance import MASKED, end, is_alive, own_box, run, workers
from tests.namespaces import needs_namespaces
from tests.waiting import eventually

pytestmark = needs_namespaces

RULES = Path(__file__).parents[2] / "rules"
UNINSPECTED = 2525


class Site:
    """A lab whose appliance fails open or closed, and what is open through it.

    Args:
        lab: the lab; its own appliance is ended.
        fail_open: `fail-open` in the box file.
        stack: ends what is started.
    """

    def __init__(self, lab: Lab, fail_open: bool, stack: ExitStack) -> None:
        self.lab = lab
        self._stack = stack
        assert end(lab, signal.SIGTERM) == 0
        box = own_box(lab) | {"workers": 2, "log": str(lab.log_file), "fail-open": fail_open}
        self._box_file = lab.directory / "own.yaml"
        self._box_file.write_text(json.dumps(box))
        self._listener = stack.enter_context(lab.server.connection(5))
        self._listener.bind((SERVER, UNINSPECTED))
        self._listener.listen()
        self.process: subprocess.Popen[bytes]

    def start(self) -> None:
        """Start the appliance and wait until it is up."""
        ups = self.ups
        self.process = self.launch()
        eventually(lambda: self.ups > ups)

    def launch(self, *options: str) -> subprocess.Popen[bytes]:
        """Start the appliance."""
        command = (sys.executable, "-P", "-m", "appliance", "run", "--box", str(self._box_file))
        rules = str(self.lab.directory / "rules.conf")
        process = subprocess.Popen(self.lab.router.command(*command, "--config", rules, *options))
        self._stack.callback(process.wait, 20)
        self._stack.callback(process.terminate)
        return process

    @property
    def ups(self) -> int:
        """How often an appliance has come up."""
        return sum("the firewall is up" in line for line in self.lab.log())

    def kill(self) -> None:
        """Kill the supervisor and the workers, at once and without a warning."""
        dead = [self.process.pid, *workers(self.lab)]
        for process in dead:
            os.kill(process, signal.SIGKILL)
        self.process.wait(5)
        eventually(lambda: not any(map(is_alive, dead)))

    def mail(self) -> socket.socket:
        """A connection to the mail server, greeted."""
        connection = self._connect(25)
        assert connection.recv(1000) == MASKED
        return connection

    def other(self) -> tuple[socket.socket, socket.socket]:
        """A connection to the port that is not inspected, both ends."""
        connection = self._connect(UNINSPECTED)
        return connection, self._stack.enter_context(self._listener.accept()[0])

    def _connect(self, port: int) -> socket.socket:
        connection = self._stack.enter_context(self.lab.client.connection(3))
        connection.connect((SERVER_MAPPED, port))
        return connection

    @property
    def bypasses(self) -> bool:
        """Whether the rules in force let mail pass unread."""
        return "--queue-bypass" in run(self.lab, "iptables-save", "-t", "filter")


@pytest.fixture
def site(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Site]:
    text = (RULES / "pix-6.3.conf").read_text()
    permit = "access-list outside_in permit tcp any host 203.0.113.5 eq"
    assert f"{permit} smtp\n" in text
    rules = tmp_path / "rules.conf"
    rules.write_text(text.replace(f"{permit} smtp\n", f"{permit} smtp\n{permit} {UNINSPECTED}\n"))
    with Lab(rules, prefix=f"pxo{getpid()}") as lab, ExitStack() as stack:
        (lab.directory / "rules.conf").write_text(rules.read_text())
        yield Site(lab, request.param, stack)


def ask(connection: socket.socket, line: bytes) -> bytes:
    connection.sendall(line)
    return connection.recv(1000)


def passes(ends: tuple[socket.socket, socket.socket]) -> bool:
    client, server = ends
    client.sendall(b"EXPN there")
    server.sendall(b"EXPN and back")
    return server.recv(100) == b"EXPN there" and client.recv(100) == b"EXPN and back"


@pytest.mark.parametrize("site", [False], indirect=True)
def test_mail_stops_and_the_rest_goes_on(site: Site) -> None:
    site.start()
    mail, other = site.mail(), site.other()
    assert ask(mail, b"NOOP\r\n").startswith(b"250")
    site.kill()
    with pytest.raises(TimeoutError):
        ask(mail, b"NOOP\r\n")
    assert knock(site.lab.client, SERVER_MAPPED, 25) == "timed out"
    assert passes(other) and passes(site.other())
    assert knock(site.lab.client, SERVER_MAPPED, 80) == "timed out"  # no rule permits it


@pytest.mark.parametrize("site", [True], indirect=True)
def test_mail_passes_unread_if_so_asked(site: Site) -> None:
    site.start()
    mail, other = site.mail(), site.other()
    masked = ask(mail, b"EXPN root\r\n")
    site.kill()
    unread = ask(mail, b"EXPN root\r\n")
    assert unread != masked and masked.startswith(b"500")
    outcome = converse(site.lab.client, SERVER_MAPPED, ("EXPN root\r\n", "QUIT\r\n"))
    assert b"ESMTP" in outcome.replies[0] and outcome.replies[1] == unread
    assert passes(other) and passes(site.other())
    assert knock(site.lab.client, SERVER_MAPPED, 80) == "timed out"
    # The next one reads again, and does not know what lived across.
    site.start()
    assert converse(site.lab.client, SERVER_MAPPED, ("QUIT\r\n",)).replies[0] == MASKED
    with pytest.raises(TimeoutError):
        ask(mail, b"NOOP\r\n")
    assert passes(other)


@pytest.mark.parametrize("site", [True], indirect=True)
def test_nothing_passes_unread_while_one_takes_the_place_of_another(site: Site) -> None:
    site.start()
    mail = site.mail()
    assert site.bypasses
    ups = site.ups
    site.launch("--replace")
    assert site.process.wait(20) == 0
    assert not site.bypasses
    mail.sendall(b"EXPN root\r\n")
    assert site.ups == ups  # so nobody was there to read it
    eventually(lambda: site.ups > ups)
    assert site.bypasses
    mail.settimeout(20)  # TCP sends again what was dropped, less and less often
    assert mail.recv(1000).startswith(b"500")
