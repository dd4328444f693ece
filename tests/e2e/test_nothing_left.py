"""After the lab and after the appliance, however they ended, the machine is as it was."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pytest

from tests.e2e.machine import Machine, Started, running_machine
from tests.waiting import eventually

RULES = Path(__file__).parents[2] / "rules" / "pix-6.3.conf"
PIXGUARD = (sys.executable, "-m", "appliance")
LOG = "/tmp/log"  # noqa: S108

FIREWALL = (
    *("link add outside type veth peer wire1", "link add inside type veth peer wire2"),
    *("address add 203.0.113.1/24 dev outside", "address add 10.1.1.1/24 dev inside"),
    *("link set outside up", "link set inside up"),
    *("link set wire1 up", "link set wire2 up"),
    *("link add wan type veth peer wire3", "link set wan up", "link set wire3 up"),
    "route add 198.51.100.0/24 dev wan",
    "neighbour add proxy 203.0.113.77 dev outside",
    "neighbour add 203.0.113.9 lladdr 02:00:00:00:00:09 dev outside nud permanent",
)
"""A machine with two interfaces for the firewall, and things of its own."""

OF_OTHERS = """\
*nat
:PREROUTING ACCEPT
:INPUT ACCEPT
:OUTPUT ACCEPT
:POSTROUTING ACCEPT
-A POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE
COMMIT
*filter
:INPUT ACCEPT
:FORWARD DROP
:OUTPUT ACCEPT
:DOCKER -
-A FORWARD -o docker0 -j DOCKER
-A DOCKER -d 172.17.0.2/32 ! -i docker0 -o docker0 -p tcp -m tcp --dport 80 -j ACCEPT
COMMIT
"""
"""Rules like those that docker loads."""

SYSCTL_BEFORE = "net.ipv6.conf.default.disable_ipv6=1"
"""IPv6 gives an interface addresses by itself, some time after it comes up."""

SYSCTLS = (
    "net.ipv4.ip_forward=0",
    "net.ipv4.conf.outside.rp_filter=2",
    "net.ipv4.neigh.outside.proxy_delay=37",
    "net.netfilter.nf_conntrack_tcp_be_liberal=0",
    "net.netfilter.nf_conntrack_tcp_loose=1",
)


@pytest.fixture
def machine() -> Iterator[Machine]:
    with ExitStack() as stack:
        try:
            made = stack.enter_context(running_machine())
        except OSError as error:
            pytest.skip(f"needs namespaces for mounts and processes: {error}")
        yield made


def changed(before: dict[str, list[str]], after: dict[str, list[str]]) -> dict[str, set[str]]:
    """What came or went."""
    return {
        what: set(before[what]) ^ set(after[what]) for what in before if before[what] != after[what]
    }


def test_the_lab_leaves_nothing(machine: Machine) -> None:
    before = machine.state()
    done = machine.run(*PIXGUARD, "lab")
    assert done.returncode == 0, done.stdout + done.stderr
    assert changed(before, machine.state()) == {}


@pytest.mark.parametrize("moment", ["namespaces", "appliance", "mail"])
def test_ctrl_c_in_the_midst_of_the_lab_leaves_nothing(machine: Machine, moment: str) -> None:
    before = machine.state()
    lab = machine.start(*PIXGUARD, "lab")
    log = machine.path("/run/pixguard-lab/appliance.log")
    condition = {
        "namespaces": machine.path("/run/netns/pixguard-server").exists,
        "appliance": lambda: any("appliance run" in line for line in machine.processes()),
        "mail": lambda: log.exists() and "Built inbound" in log.read_text(),
    }[moment]
    eventually(condition, "the moment comes")
    assert set(changed(before, machine.state())) >= {"processes", "files", "namespaces"}
    os.kill(lab.number, signal.SIGINT)
    code, output = lab.ended()
    assert (code, output.splitlines()[-1]) == (130, "interrupted; the lab is removed")
    assert changed(before, machine.state()) == {}


def test_a_lab_whose_appliance_was_killed_and_started_again_leaves_nothing(
    machine: Machine,
) -> None:
    script = f"""
from pathlib import Path
from appliance.lab.lab import Lab
from appliance.lab.sessions import INWARD, converse
from appliance.lab.topology import SERVER_MAPPED
with Lab(Path({str(RULES)!r})) as lab:
    for _ in range(2):
        outcome = converse(lab.client, SERVER_MAPPED, INWARD.session)
        assert not outcome.failure and b"****" in outcome.replies[0], outcome
        lab.appliance.kill()
        lab.appliance.wait()
        lab.start_appliance()
    lab.appliance.kill()
"""
    before = machine.state()
    done = machine.run(sys.executable, "-c", script)
    assert done.returncode == 0, done.stderr
    assert changed(before, machine.state()) == {}


def furnish(machine: Machine) -> None:
    """Make it a firewall, with rules, routes, neighbours and parameters of its own."""
    machine.output("sysctl", "-w", SYSCTL_BEFORE)
    for line in FIREWALL:
        machine.output("ip", *line.split())
    machine.path("/run/others").write_text(OF_OTHERS)
    machine.output("iptables-restore", "/run/others")
    machine.output("sysctl", "-w", *SYSCTLS)
    machine.path(LOG).touch()
    box = {"interfaces": {"outside": "outside", "inside": "inside"}, "log": LOG}
    machine.path("/run/box.yaml").write_text(json.dumps(box))


def run_appliance(machine: Machine) -> Started:
    return machine.start(*PIXGUARD, "run", "--config", str(RULES), "--box", "/run/box.yaml")


def is_up(machine: Machine, times: int = 1) -> bool:
    return machine.path(LOG).read_text().count("pixguard: the firewall is up: ") == times


def end(appliance: Started) -> None:
    os.kill(appliance.number, signal.SIGTERM)
    code, output = appliance.ended()
    assert code == 0, output


@pytest.mark.parametrize("directory_of_others", [False, True])
def test_the_appliance_leaves_nothing_but_its_log(
    machine: Machine, directory_of_others: bool
) -> None:
    furnish(machine)
    if directory_of_others:
        machine.path("/run/pixguard").mkdir()
        machine.path("/run/pixguard/notes").touch()
    before = machine.state()
    appliance = run_appliance(machine)
    eventually(lambda: is_up(machine), "the firewall is up")
    during = changed(before, machine.state())
    assert set(during) >= {"processes", "files", "rules", "sysctls", "proxies"}
    end(appliance)
    assert changed(before, machine.state()) == {}
    assert machine.path(LOG).read_text().endswith("pixguard: the firewall is withdrawn\n")


def test_killed_twice_and_started_again_it_leaves_nothing(machine: Machine) -> None:
    furnish(machine)
    before = machine.state()
    for times in (1, 2):
        appliance = run_appliance(machine)
        eventually(partial(is_up, machine, times), "the firewall is up")
        during = changed(before, machine.state())
        os.kill(appliance.number, signal.SIGKILL)
        assert appliance.ended()[0] == -signal.SIGKILL
        eventually(lambda: not machine.processes(), "its workers end")
        left = changed(before, machine.state())
        assert left["rules"] == during["rules"]  # the kernel goes on filtering
    appliance = run_appliance(machine)
    eventually(lambda: is_up(machine, 3), "the firewall is up")
    end(appliance)
    assert changed(before, machine.state()) == {}


@pytest.mark.parametrize("moment", ["workers", "rules", "parameters"])
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_ended_while_it_starts_it_leaves_nothing(
    machine: Machine, moment: str, number: signal.Signals
) -> None:
    furnish(machine)
    before = machine.state()
    appliance = run_appliance(machine)
    condition = {
        "workers": lambda: len(machine.processes()) > 1,
        "rules": lambda: "PIXGUARD" in machine.output("iptables-save"),
        "parameters": lambda: machine.output("ip", "neigh", "show", "proxy").count("\n") > 1,
    }[moment]
    eventually(condition, "the moment comes")
    os.kill(appliance.number, number)
    code, output = appliance.ended()
    if number is signal.SIGTERM:
        assert code == 0, output
    else:
        assert code == -signal.SIGKILL
        eventually(lambda: not machine.processes(), "its workers end")
        machine.path(LOG).write_text("")
        appliance = run_appliance(machine)
        eventually(lambda: is_up(machine), "the firewall is up")
        end(appliance)
    assert changed(before, machine.state()) == {}
