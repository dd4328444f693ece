"""What passes while the appliance is not up: nothing, or what `fail-open` asks for."""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.lab.lab import Lab
from appliance.lab.sessions import INWARD, converse
from appliance.lab.topology import SERVER_MAPPED
from tests.live.test_appliance import MASKED, end, machine, own_box, run
from tests.namespaces import Network, needs_namespaces

pytestmark = needs_namespaces

RULES = Path(__file__).parents[2] / "rules" / "pix-6.3.conf"
FORWARDING = ("sysctl", "-qw", "net.ipv4.ip_forward=1")


class Bench:
    """A router that forwards, and a client and a server on its sides."""

    def __init__(self, network: Network, directory: Path) -> None:
        self.router = network.namespace("router")
        client, server = network.namespace("client"), network.namespace("server")
        for peer, interface, net in ((client, "eth0", 1), (server, "eth1", 2)):
            network.link(self.router, interface, peer, "eth0")
            self.router.address(interface, f"192.0.{net}.1/24")
            peer.address("eth0", f"192.0.{net}.2/24")
            peer.ip("route", "add", "default", "via", f"192.0.{net}.1")
        self.router.run(*FORWARDING)
        self._box = directory / "box.yaml"
        self._sender = client.socket(socket.SOCK_DGRAM)
        self._listeners = {
            "192.0.2.2": server.socket(socket.SOCK_DGRAM, timeout=0.5),
            "192.0.1.1": self.router.socket(socket.SOCK_DGRAM, timeout=0.5),
        }
        for address, listener in self._listeners.items():
            listener.bind((address, 9))

    def close(self, **box: object) -> tuple[int, str]:
        self._box.write_text(
            json.dumps({"interfaces": {"outside": "eth0", "inside": "eth1"}} | box)
        )
        return self.pixguard("close", "--box", str(self._box))

    def pixguard(self, *arguments: str) -> tuple[int, str]:
        done = self.router.run(sys.executable, "-m", "appliance", *arguments, check=False)
        return done.returncode, done.stdout + done.stderr

    def passes(self, address: str = "192.0.2.2") -> bool:
        self._sender.sendto(b"x", (address, 9))
        try:
            return self._listeners[address].recv(9) == b"x"
        except TimeoutError:
            return False

    def rules(self) -> str:
        saved = self.router.run("iptables-save").stdout + self.router.run("ip6tables-save").stdout
        return "\n".join(line for line in saved.splitlines() if line[0] == "-")


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with Network() as network:
        yield Bench(network, tmp_path)


def test_nothing_passes_between_the_interfaces_until_it_is_undone(bench: Bench) -> None:
    assert bench.passes()
    before = bench.rules()
    said = "nothing passes between eth0, eth1 but what the appliance lets through\n"
    assert bench.close() == (0, said)
    assert not bench.passes()
    assert bench.passes("192.0.1.1")  # the machine itself
    once = bench.rules()
    assert bench.close() == (0, said)
    assert bench.rules() == once
    assert "-A PIXCLOSED-FROM -o eth1 -j DROP" in bench.router.run("ip6tables-save").stdout
    for _ in range(2):
        assert bench.pixguard("close", "--undo") == (0, "")
    assert bench.rules() == before
    assert bench.passes()


def test_others_rules_come_after_it(bench: Bench) -> None:
    bench.router.run("iptables", "-A", "FORWARD", "-j", "ACCEPT")
    assert bench.close()[0] == 0
    assert not bench.passes()


def test_fail_open_closes_nothing(bench: Bench) -> None:
    assert bench.close()[0] == 0
    answer = (0, "fail-open is true in the box file: nothing is closed\n")
    assert bench.close(**{"fail-open": "true"}) == answer
    assert bench.passes()


def test_a_box_file_that_is_wrong_closes_everything(bench: Bench) -> None:
    code, said = bench.close(worker="2")
    assert code == 1
    assert "unknown key 'worker'" in said
    assert "nothing at all is forwarded" in said
    assert not bench.passes()


def test_it_takes_a_box_file_or_undo(bench: Bench) -> None:
    assert bench.pixguard("close")[0] == 2


def test_the_appliance_is_not_hindered_and_its_end_leaves_the_machine_closed(
    tmp_path: Path,
) -> None:
    with Lab(RULES, prefix=f"pxl{os.getpid()}") as lab:
        assert end(lab, signal.SIGTERM) == 0
        box = tmp_path / "box.yaml"
        box.write_text(json.dumps(own_box(lab)))
        run(lab, sys.executable, "-m", "appliance", "close", "--box", str(box))
        closed = machine(lab)
        assert "-A FORWARD -j PIXCLOSED" in closed["rules"]
        lab.start_appliance()
        assert converse(lab.client, SERVER_MAPPED, INWARD.session).replies[0] == MASKED
        # Where the appliance is up already, it is put in the second place.
        run(lab, sys.executable, "-m", "appliance", "close", "--undo")
        run(lab, sys.executable, "-m", "appliance", "close", "--box", str(box))
        assert converse(lab.client, SERVER_MAPPED, INWARD.session).replies[0] == MASKED
        assert end(lab, signal.SIGTERM) == 0
        assert machine(lab) == closed
