"""The limits of a `static` in force: the kernel's count, the workers' and the policy's."""

from __future__ import annotations

import random
import re
import signal
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from ipaddress import IPv4Address
from os import getpid
from pathlib import Path

import pytest
from scapy.layers.inet import IP, TCP

from appliance.admission import Opening
from appliance.events import Denial, Event, PacketDenied
from appliance.firewall import Firewall
from appliance.lab.lab import Lab
from appliance.lab.namespace import Namespace
from appliance.lab.sessions import INWARD, converse, knock
from appliance.lab.topology import CLIENT, SERVER_MAPPED
from appliance.policy.policy import Policy
from appliance.smtp.release import DEFAULT
from tests.live.dice import SIX
from tests.live.router import Router, put_in_force, running_router
from tests.live.test_appliance import MASKED, log_has
from tests.namespaces import needs_namespaces
from tests.policy.rules import configuration
from tests.waiting import eventually

pytestmark = needs_namespaces

RULES = Path(__file__).parents[2] / "rules"
STATIC = "static (inside,outside) 203.0.113.5 10.1.1.5 netmask 255.255.255.255"
PERMIT = "access-list outside permit ip any any\naccess-group outside in interface outside\n"
BEYOND = {Denial.TOO_MANY, Denial.TOO_MANY_UDP}


@pytest.fixture(scope="module")
def router(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Router]:
    with running_router(tmp_path_factory.mktemp("state")) as running:
        yield running


def opening(
    dice: random.Random, number: int, mapped: list[str], ports: dict[int, list[int]]
) -> Opening:
    protocol = dice.choice([6, 6, 17])
    return Opening(
        protocol,
        IPv4Address(dice.choice(["198.18.0.1", "203.0.113.9"])),
        10000 + number,
        IPv4Address(dice.choice(mapped)),
        dice.choice(ports[protocol]),
        ingress="outside",
    )


@pytest.mark.parametrize("seed", range(12))
def test_kernel_and_policy_refuse_the_same(router: Router, seed: int) -> None:
    dice = random.Random(seed)  # noqa: S311  not cryptography

    def limits() -> str:
        return f"tcp {dice.randint(0, 6)} 0 udp {dice.randint(0, 4)}"

    statics = (
        f"{STATIC} {limits()}",
        f"static (inside,outside) 203.0.113.8 10.1.1.8 netmask 255.255.255.248 {limits()}",
        f"static (dmz,outside) tcp interface smtp 172.16.1.5 smtp {limits()}",
        f"static (dmz,outside) udp interface domain 172.16.1.5 domain {limits()}",
    )
    rules = configuration(SIX, PERMIT, *statics)
    put_in_force(router, rules)
    events: list[Event] = []
    firewall = Firewall(Policy(rules, DEFAULT).admit, events.append)
    mapped = ["203.0.113.5", "203.0.113.9", "203.0.113.10", "203.0.113.1"]
    router.refused.clear()
    expected, beyond = set(), set()
    for number in range(1, 60):
        packet = router.send(opening(dice, number, mapped, {6: [25, 80], 17: [53, 99]}), number)
        router.judge()  # as long as a packet waits, its connection does not count
        events.clear()
        if firewall.receive(packet, 0.0, "outside").forward:
            expected.add(number)
        beyond |= {number for e in events if isinstance(e, PacketDenied) and e.reason in BEYOND}
    assert set(router.collect()) == expected
    assert router.refused == beyond != set()


@pytest.fixture
def lab(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Lab]:
    text = (RULES / "pix-6.3.conf").read_text()
    assert f"{STATIC} 0 0" in text
    rules = tmp_path / "rules.conf"
    rules.write_text(text.replace(f"{STATIC} 0 0", f"{STATIC} {request.param}"))
    with Lab(rules, prefix=f"pxl{getpid()}") as made:
        yield made


def dial(stack: ExitStack, lab: Lab) -> socket.socket:
    connection = stack.enter_context(lab.client.connection(5))
    connection.connect((SERVER_MAPPED, 25))
    assert connection.recv(1000) == MASKED
    return connection


@pytest.mark.parametrize("lab", ["2 0"], indirect=True)
def test_one_connection_too_many_gets_no_answer_and_is_told(lab: Lab) -> None:
    with ExitStack() as stack:
        first, _ = dial(stack, lab), dial(stack, lab)
        assert knock(lab.client, SERVER_MAPPED, 25) == "timed out"
        assert log_has(lab, "%PIX-3-201002: Too many connections on static 203.0.113.5! 0 2")()
        first.sendall(b"QUIT\r\n")
        assert first.recv(1000).startswith(b"221")
        first.close()
        eventually(lambda: knock(lab.client, SERVER_MAPPED, 25) == "connected")
    assert converse(lab.client, SERVER_MAPPED, INWARD.session).replies[0] == MASKED
    # The server's own connections are not counted.
    with ExitStack() as stack:
        for _ in range(4):
            connection = stack.enter_context(lab.server.connection(5))
            connection.connect((CLIENT, 25))
            assert connection.recv(1000)


def half_open(namespace: Namespace, ports: range) -> None:
    """Send SYNs of a host that will not answer the reply."""
    with namespace.call(socket.socket, socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW) as raw:
        for port in ports:
            segment = TCP(sport=port, dport=25, flags="S", seq=port)
            packet = IP(src="203.0.113.77", dst=SERVER_MAPPED) / segment
            raw.sendto(bytes(packet), (SERVER_MAPPED, 0))


@pytest.mark.parametrize("lab", ["0 3"], indirect=True)
def test_half_open_connections_beyond_the_limit_are_refused_and_told(lab: Lab) -> None:
    half_open(lab.client, range(3001, 3007))
    eventually(log_has(lab, "(203.0.113.5) 10.1.1.5/25 on interface outside"))
    told = re.findall(r"%PIX-2-201003: (.*)", "\n".join(lab.log()))
    assert told == [
        f"Embryonic limit exceeded 4/3 for 203.0.113.77/{port} (203.0.113.5) 10.1.1.5/25 "
        "on interface outside"
        for port in range(3004, 3004 + len(told))
    ]
    assert knock(lab.client, SERVER_MAPPED, 25) == "timed out"
    # 30 seconds after they began, they are forgotten; a client that asks again gets through.
    eventually(lambda: knock(lab.client, SERVER_MAPPED, 25) == "connected", patience=60)
    assert converse(lab.client, SERVER_MAPPED, INWARD.session).replies[0] == MASKED


@pytest.mark.parametrize("lab", ["2 0"], indirect=True)
def test_workers_know_their_connections_across_a_reload(lab: Lab) -> None:
    with ExitStack() as stack:
        for _ in range(2):
            dial(stack, lab)
        lab.appliance.send_signal(signal.SIGHUP)
        eventually(log_has(lab, "pixguard: reloaded: "))
        # The kernel has begun to count anew.
        assert knock(lab.client, SERVER_MAPPED, 25) == "timed out"
        assert log_has(lab, "%PIX-3-201002: ")()
