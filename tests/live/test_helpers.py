"""FTP through the kernel's helper: a real server and a real client on the two sides."""

from __future__ import annotations

import ftplib
import io
import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from appliance.box import Box
from appliance.config.helpers import FTP, H225, PPTP, RAS, SIP, SIP_UDP, TFTP
from appliance.config.model import Configuration, Fixup
from appliance.live import connmark
from appliance.live.compilation import compile_rules
from appliance.live.iptables import install, missing_helpers, withdraw
from appliance.live.kernel import Changes, wanted_settings
from appliance.live.state import journal_file
from tests.namespaces import Namespace, Network, needs_namespaces
from tests.policy.rules import TWO_INTERFACES, configuration

pytestmark = needs_namespaces

CONTENT = bytes(range(256)) * 400
STATIC = "static (inside,outside) 203.0.113.5 10.1.1.5 netmask 255.255.255.255"
REDIRECT = "static (inside,outside) tcp 203.0.113.5 2121 10.1.1.5 21 netmask 255.255.255.255"
OPEN = ("access-list a permit tcp any host 203.0.113.5", "access-group a in interface outside")
PAT = ("nat (inside) 1 0 0", "global (outside) 1 203.0.113.40")
OFF = "no fixup protocol ftp 21"
MODES = pytest.mark.parametrize("passive", [True, False], ids=["passive", "active"])


class Server:
    """An FTP server that sends one file to each client in turn, and takes note of whom it serves.

    Args:
        listener: where it listens, in its namespace.
        where: the namespace.
        address: its own address, which it tells clients.
    """

    def __init__(self, listener: socket.socket, where: Namespace, address: str) -> None:
        self._listener, self._where, self._address = listener, where, address
        self.peers: list[str] = []

    def serve(self) -> None:
        """Serve clients until the listener is closed."""
        while True:
            try:
                control, peer = self._listener.accept()
            except OSError:
                return
            self.peers.append(peer[0])
            control.settimeout(10)
            try:
                with control:
                    self._converse(control)
            except (OSError, ValueError):
                continue

    def _converse(self, control: socket.socket) -> None:
        control.sendall(b"220 ready\r\n")
        passive: socket.socket | None = None
        active = ("", 0)
        for line in control.makefile("rb"):
            verb, _, argument = line.decode().strip().partition(" ")
            answer = "200 done"
            match verb:
                case "USER":
                    answer = "230 welcome"
                case "PASV":
                    passive = self._where.socket(socket.SOCK_STREAM, timeout=2)
                    passive.bind((self._address, 0))
                    passive.listen()
                    port = passive.getsockname()[1]
                    host = self._address.replace(".", ",")
                    answer = f"227 at ({host},{port >> 8},{port & 255})"
                case "PORT":
                    numbers = argument.split(",")
                    active = (".".join(numbers[:4]), int(numbers[4]) << 8 | int(numbers[5]))
                case "RETR":
                    if passive:
                        control.sendall(b"150 coming\r\n")
                        data, peer = passive.accept()
                        self.peers.append(peer[0])
                    else:
                        data = self._where.socket(socket.SOCK_STREAM, timeout=2)
                        data.bind((self._address, 20))
                        data.connect(active)
                        control.sendall(b"150 coming\r\n")
                        self.peers.append(active[0])
                    with data:
                        data.sendall(CONTENT)
                    answer = "226 sent"
            control.sendall(f"{answer}\r\n".encode())


class Firewall:
    """A router between an inside and an outside host.

    Args:
        network: where to make the namespaces.
        state: a directory for the journal.
    """

    def __init__(self, network: Network, state: Path) -> None:
        self.router = network.namespace("router")
        self.hosts = {name: network.namespace(name) for name in ("outside", "inside")}
        self.box = Box(interfaces=(("outside", "out0"), ("inside", "in0")), state=state)
        for name, link, address, gateway in (
            ("outside", "out0", "203.0.113.9/24", "203.0.113.1"),
            ("inside", "in0", "10.1.1.5/24", "10.1.1.1"),
        ):
            host = self.hosts[name]
            network.link(self.router, link, host, "eth0")
            host.address("eth0", address)
            host.ip("link", "set", "lo", "up")
            host.ip("route", "add", "default", "via", gateway)

    def put_in_force(self, rules: Configuration) -> None:
        """Give the router the rules and settings of a configuration."""

        def put() -> None:
            missing = missing_helpers(rules)
            assert not missing
            install(compile_rules(rules, self.box, missing))
            changes = Changes(journal_file(self.box.state))
            changes.apply(wanted_settings(rules, self.box, liberal=False))

        self.router.call(put)

    @contextmanager
    def server(self, side: str, address: str) -> Iterator[Server]:
        """An FTP server on one side."""
        host = self.hosts[side]
        listener = host.socket(socket.SOCK_STREAM, timeout=60)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((address, 21))
        listener.listen()
        server = Server(listener, host, address)
        thread = threading.Thread(target=server.serve)
        thread.start()
        try:
            yield server
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()

    def fetch(self, side: str, address: str, passive: bool, port: int = 21) -> bytes:
        """What a client on one side gets."""

        def session() -> bytes:
            got = io.BytesIO()
            with ftplib.FTP(timeout=4) as client:  # noqa: S321  plain FTP is what is tested
                client.connect(address, port)
                client.login()
                client.trust_server_pasv_ipv4_address = True  # what the helper has written
                client.set_pasv(passive)
                client.retrbinary("RETR file", got.write)
            return got.getvalue()

        return self.hosts[side].call(session)


@pytest.fixture
def firewall(tmp_path: Path) -> Iterator[Firewall]:
    with Network() as network:
        yield Firewall(network, tmp_path)


@MODES
@pytest.mark.parametrize(("static", "port"), [(STATIC, 21), (REDIRECT, 2121)])
def test_a_server_behind_a_static(
    firewall: Firewall, static: str, port: int, passive: bool
) -> None:
    """The port of `fixup` is the server's own."""
    firewall.put_in_force(configuration(TWO_INTERFACES, static, *OPEN))
    with firewall.server("inside", "10.1.1.5"):
        assert firewall.fetch("outside", "203.0.113.5", passive, port) == CONTENT


@MODES
def test_a_client_behind_nat(firewall: Firewall, passive: bool) -> None:
    firewall.put_in_force(configuration(TWO_INTERFACES, *PAT))
    with firewall.server("outside", "203.0.113.9") as server:
        assert firewall.fetch("inside", "203.0.113.9", passive) == CONTENT
        assert server.peers == ["203.0.113.40"] * 2


def test_without_the_fixup_the_data_connection_does_not_pass(firewall: Firewall) -> None:
    """Passive where only port 21 is open, active where nothing may come in."""
    narrow = (f"{OPEN[0]} eq ftp", OPEN[1])
    firewall.put_in_force(configuration(TWO_INTERFACES, STATIC, *narrow))
    with firewall.server("inside", "10.1.1.5") as server:
        assert firewall.fetch("outside", "203.0.113.5", passive=True) == CONTENT
        firewall.put_in_force(configuration(TWO_INTERFACES, STATIC, *narrow, OFF))
        with pytest.raises((OSError, *ftplib.all_errors)):
            firewall.fetch("outside", "203.0.113.5", passive=True)
        assert server.peers == ["203.0.113.9"] * 3
    firewall.put_in_force(configuration(TWO_INTERFACES, *PAT, OFF))
    with firewall.server("outside", "203.0.113.9") as server:
        with pytest.raises((OSError, *ftplib.all_errors)):
            firewall.fetch("inside", "203.0.113.9", passive=False)
        assert server.peers == ["203.0.113.40"]


def test_what_a_master_opens_that_is_read_as_mail_is_not_read(firewall: Firewall) -> None:
    """Packets of the queue pass here, since nobody listens to it."""
    firewall.box = replace(firewall.box, fail_open=True)
    mail = "fixup protocol smtp 21"
    firewall.put_in_force(configuration(TWO_INTERFACES, STATIC, *OPEN, mail))
    with firewall.server("inside", "10.1.1.5"):
        assert firewall.fetch("outside", "203.0.113.5", passive=False) == CONTENT
    flows = firewall.router.run("cat", "/proc/net/nf_conntrack").stdout.splitlines()
    marks = {
        port: int(found[1])
        for port in ("dport=21", "sport=20")
        for flow in flows
        if f" {port} " in flow.partition("src=")[2].partition("src=")[0]
        and (found := re.search(r"mark=(\d+)", flow))
    }
    both = connmark.PERMITTED | connmark.INSPECTED
    assert marks["dport=21"] & both == both
    assert marks["sport=20"] & both == connmark.PERMITTED


def test_every_helper_loads_and_leaves(firewall: Firewall) -> None:
    lines = (
        "fixup protocol tftp 69",
        "fixup protocol sip 5060",
        "fixup protocol sip udp 5060",
        "fixup protocol h323 h225 1720",
        "fixup protocol h323 ras 1718-1719",
        "fixup protocol pptp 1723",
    )
    firewall.put_in_force(configuration(TWO_INTERFACES, *lines))
    raw = firewall.router.run("iptables", "-t", "raw", "-S").stdout
    for helped in (FTP, H225, RAS, PPTP, SIP, SIP_UDP, TFTP):
        assert f"--dport {helped.ports[0]}" in raw
        assert f"--helper {helped.helper}\n" in raw
    assert "PROBE" not in firewall.router.run("iptables-save").stdout
    assert firewall.router.call(withdraw)
    assert "PIXGUARD" not in firewall.router.run("iptables-save").stdout


def test_a_kernel_without_the_helper(firewall: Firewall) -> None:
    """What is missing is told, and all else is put in force."""
    strange = replace(FTP, helper="pxnone")
    rules = replace(configuration(TWO_INTERFACES, STATIC), fixups=(Fixup(strange, (21, 21)),))
    missing = firewall.router.call(missing_helpers, rules)
    assert list(missing) == [strange]
    made = compile_rules(rules, firewall.box, missing)
    assert made.raw.chains == ()
    assert "helper" not in made.filter.text()
    assert "PROBE" not in firewall.router.run("iptables-save").stdout
