"""The rules in force: what passes, what the server sees, and what is left at the end."""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Iterator
from dataclasses import replace
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from netfilterqueue import NetfilterQueue, Packet

from appliance.admission import Opening
from appliance.box import Box
from appliance.live import connmark
from appliance.live.compilation import compile_rules
from appliance.live.iptables import install, withdraw
from appliance.live.kernel import Changes, wanted_settings
from tests.live.router import Router, running_router
from tests.namespaces import Namespace, Network, needs_namespaces
from tests.policy.rules import TWO_INTERFACES, configuration

pytestmark = needs_namespaces

STATIC = "static (inside,outside) 203.0.113.5 10.1.1.5 netmask 255.255.255.255 0 0"
MAIL = (
    "access-list mail permit tcp any host 203.0.113.5 eq 2525",
    "access-list mail permit icmp any host 203.0.113.5 echo",
    "access-group mail in interface outside",
)


@pytest.fixture
def router(tmp_path: Path) -> Iterator[Router]:
    with running_router(tmp_path) as running:
        yield running


def in_force(router: Router, *parts: str, box: Box | None = None) -> None:
    rules = configuration(TWO_INTERFACES, *parts)
    machine = replace(box or router.box, interfaces=router.box.interfaces[:2])

    def put() -> None:
        install(compile_rules(rules, machine))
        changes = Changes(router.box.state / "changes.json")
        changes.apply(wanted_settings(rules, machine, liberal=False))

    router.inner.call(put)


def saved(namespace: Namespace) -> str:
    """All rules, without the counters and comments."""
    text = "".join(namespace.run(f"{each}-save").stdout for each in ("iptables", "ip6tables"))
    return re.sub(r"\[\d+:\d+\]|^#.*\n", "", text, flags=re.MULTILINE)


def opening(
    source: str, destination: str, port: int = 25, ingress: str = "outside", sport: int = 4000
) -> Opening:
    return Opening(6, IPv4Address(source), sport, IPv4Address(destination), port, ingress=ingress)


class Lab:
    """A client, a router and a server with addresses, for real connections."""

    def __init__(self, network: Network, state: Path) -> None:
        self.client, self.router = network.namespace("client"), network.namespace("router")
        self.server = network.namespace("server")
        network.link(self.client, "eth0", self.router, "out0")
        network.link(self.server, "eth0", self.router, "in0")
        self.client.address("eth0", "203.0.113.10/24")
        self.server.address("eth0", "10.1.1.5/24")
        self.server.ip("route", "add", "default", "via", "10.1.1.1")
        self.changes = Changes(state / "changes.json")
        self.box = Box(interfaces=(("outside", "out0"), ("inside", "in0")))

    def put(self, *parts: str) -> None:
        rules = configuration(TWO_INTERFACES, STATIC, *parts)

        def put() -> None:
            install(compile_rules(rules, self.box))
            self.changes.apply(wanted_settings(rules, self.box, liberal=False))

        self.router.call(put)


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    with Network() as network:
        yield Lab(network, tmp_path)


def connect(lab: Lab, port: int, timeout: float) -> tuple[socket.socket, socket.socket]:
    listener = lab.server.socket(socket.SOCK_STREAM, timeout=timeout)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    listener.bind(("10.1.1.5", port))
    listener.listen()
    client = lab.client.socket(socket.SOCK_STREAM, timeout=timeout)
    client.connect(("203.0.113.5", port))
    return client, listener.accept()[0]


def test_a_connection_passes_translated_and_at_once(lab: Lab) -> None:
    """Within half a second, so ARP for the mapped address is answered without the usual delay."""
    lab.put(*MAIL)
    client, server = connect(lab, 2525, timeout=0.5)
    assert server.getpeername()[0] == "203.0.113.10"
    assert server.getsockname()[0] == "10.1.1.5"
    client.sendall(b"HELO")
    assert server.recv(9) == b"HELO"
    back = lab.client.socket(socket.SOCK_STREAM)
    back.bind(("203.0.113.10", 2525))
    back.listen()
    outgoing = lab.server.socket(socket.SOCK_STREAM)
    outgoing.connect(("203.0.113.10", 2525))
    assert back.accept()[1][0] == "203.0.113.5"


def test_what_the_rules_deny_gets_no_answer(lab: Lab) -> None:
    lab.put(*MAIL)
    with pytest.raises(TimeoutError):
        connect(lab, 2526, timeout=0.5)


def test_inspected_mail_without_a_listener_gets_no_answer(lab: Lab) -> None:
    lab.put(*MAIL, "fixup protocol smtp 2525")
    with pytest.raises(TimeoutError):
        connect(lab, 2525, timeout=0.5)


def test_a_reload_leaves_connections_alone(lab: Lab) -> None:
    lab.put(*MAIL)
    client, server = connect(lab, 2525, timeout=1)
    lab.put("fixup protocol smtp 2525")  # inspected, and no longer permitted
    client.sendall(b"still here")
    assert server.recv(99) == b"still here"
    with pytest.raises(TimeoutError):
        connect(lab, 2525, timeout=0.5)


def test_a_connection_from_before_passes_nothing(lab: Lab) -> None:
    """It was neither judged nor, if it is mail, inspected."""
    for interface, address in (("out0", "203.0.113.1/24"), ("in0", "10.1.1.1/24")):
        lab.router.address(interface, address)
    lab.router.run("sysctl", "-qw", "net.ipv4.ip_forward=1")
    lab.client.ip("route", "add", "10.1.1.0/24", "via", "203.0.113.1")
    listener = lab.server.socket(socket.SOCK_STREAM, timeout=0.5)
    listener.bind(("10.1.1.5", 2525))
    listener.listen()
    client = lab.client.socket(socket.SOCK_STREAM)
    client.connect(("10.1.1.5", 2525))
    server, _ = listener.accept()
    server.settimeout(0.5)
    client.sendall(b"one")
    assert server.recv(9) == b"one"
    lab.put("conduit permit ip any any")
    client.sendall(b"two")
    with pytest.raises(TimeoutError):
        server.recv(9)


def test_our_own_packets_pass_whatever_others_say_of_output(lab: Lab) -> None:
    lab.put(*MAIL)
    lab.router.run("iptables", "-P", "OUTPUT", "DROP")
    listener = lab.client.socket(socket.SOCK_DGRAM, timeout=0.5)
    listener.bind(("203.0.113.10", 53))
    sender = lab.router.socket(socket.SOCK_DGRAM)
    with pytest.raises(PermissionError):
        sender.sendto(b"others", ("203.0.113.10", 53))
    sender.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, connmark.OWN_PACKET)
    sender.sendto(b"ours", ("203.0.113.10", 53))
    assert listener.recv(9) == b"ours"


def test_both_directions_are_queued_from_the_syn_on_with_one_mark(lab: Lab) -> None:
    marks: list[tuple[int, int]] = []

    def accept(packet: Packet) -> None:
        payload = packet.get_payload()
        marks.append((payload[payload[0] % 16 * 4 + 13], packet.get_mark()))
        packet.accept()

    lab.put(*MAIL, "fixup protocol smtp 2525")
    queue = lab.router.call(NetfilterQueue)
    queue.bind(2500, accept)
    try:
        listener = lab.server.socket(socket.SOCK_STREAM)
        listener.bind(("10.1.1.5", 2525))
        listener.listen()
        client = lab.client.socket(socket.SOCK_STREAM)
        client.setblocking(False)
        client.connect_ex(("203.0.113.5", 2525))
        deadline = time.monotonic() + 5
        while len(marks) < 3 and time.monotonic() < deadline:
            queue.run(block=False)
    finally:
        queue.unbind()
    syn, syn_ack, ack = 0x02, 0x12, 0x10
    assert [flags for flags, _ in marks] == [syn, syn_ack, ack]
    inspected = connmark.PERMITTED | connmark.INSPECTED
    assert {mark for _, mark in marks} == {inspected | 1}


def test_new_connections_are_dealt_out_to_the_workers(router: Router) -> None:
    box = replace(router.box, workers=4, queue=7000)
    in_force(router, STATIC, "fixup protocol smtp 2525", *MAIL, box=box)
    for number in range(1, 81):
        router.send(opening("192.0.2.1", "203.0.113.5", 2525, sport=5000 + number), number)
    time.sleep(0.2)
    # Nobody reads these queues, so the rules' counters tell.
    counted = router.inner.run("iptables-save", "-c").stdout
    hits = re.findall(r"\[(\d+):\d+\] -A PIXGUARD-QUEUE .*--queue-num 700\d", counted)
    assert hits == ["20"] * 4


def test_a_syn_sent_again_stays_with_its_worker_and_its_translation(router: Router) -> None:
    box = replace(router.box, workers=2, queue=router.box.queue)
    in_force(router, STATIC, "fixup protocol smtp 2525", *MAIL, box=box)
    for number in range(1, 5):
        router.send(opening("192.0.2.1", "203.0.113.5", 2525), number)
    router.collect()
    assert set(router.marks.values()) == {connmark.PERMITTED | connmark.INSPECTED | 1}


def test_one_client_port_to_two_translations_of_one_server(router: Router) -> None:
    """In FORWARD both have the same addresses and ports; the mark tells them apart."""
    second = "static (inside,outside) 203.0.113.6 10.1.1.5 netmask 255.255.255.255 0 0"
    in_force(router, STATIC, second, "conduit permit tcp any any")
    router.send(opening("192.0.2.1", "203.0.113.5"), 1)
    router.send(opening("192.0.2.1", "203.0.113.6"), 2)
    router.collect()
    assert [connmark.translation(router.marks[number]) for number in (1, 2)] == [1, 2]


def test_what_is_not_between_our_interfaces_is_left_alone(router: Router) -> None:
    """dmz0 is not in the box file here."""
    in_force(router, STATIC)
    router.inner.address("dmz0", "172.16.1.1/24")
    router.inner.run("sysctl", "-qw", "net.ipv4.conf.dmz0.forwarding=1")
    router.send(opening("10.1.1.5", "172.16.1.9", ingress="inside"), 1)
    router.send(opening("172.16.1.9", "10.1.1.5", ingress="dmz"), 2)
    router.send(opening("192.0.2.1", "10.1.1.5"), 3)
    seen = router.collect()
    assert sorted(seen) == [1, 2]
    assert seen[1].source == IPv4Address("10.1.1.5")


def test_a_chain_of_others_with_a_like_name_is_theirs(router: Router) -> None:
    router.inner.run("iptables", "-N", "PIXGUARDIAN")
    in_force(router, STATIC)
    router.inner.call(withdraw)
    assert ":PIXGUARDIAN" in saved(router.inner)


def test_our_rules_come_before_those_of_others(router: Router) -> None:
    """As with ufw and docker, whose rules would drop what we permit, and translate it again."""
    router.inner.run("iptables", "-P", "FORWARD", "DROP")
    router.inner.run("iptables", "-t", "nat", "-A", "POSTROUTING", "-j", "MASQUERADE")
    in_force(router, STATIC, *MAIL)
    router.inner.run("iptables", "-I", "FORWARD", "-j", "DROP")
    in_force(router, STATIC, *MAIL)
    router.send(opening("192.0.2.1", "203.0.113.5", 2525), 1)
    assert router.collect()[1].source == IPv4Address("192.0.2.1")


def test_install_twice_is_install_once_and_withdraw_leaves_nothing(router: Router) -> None:
    router.inner.run("iptables", "-N", "others")
    router.inner.run("iptables", "-A", "FORWARD", "-j", "others")
    router.inner.run("iptables", "-t", "nat", "-A", "PREROUTING", "-j", "ACCEPT")
    router.inner.run("ip6tables", "-A", "FORWARD", "-j", "ACCEPT")
    before = saved(router.inner)
    in_force(router, STATIC, *MAIL)
    once = saved(router.inner)
    in_force(router, STATIC, *MAIL)
    assert saved(router.inner) == once
    in_force(router, STATIC)  # the access list's chain goes
    assert "PIXGUARD-ACL" not in saved(router.inner)
    assert router.inner.call(withdraw)
    empty = {"*nat", "*raw"}
    assert set(saved(router.inner).split("\n")) - empty == set(before.split("\n")) - empty
    assert not router.inner.call(withdraw)
    assert "PIXGUARD" not in saved(router.inner)


def test_a_reload_puts_back_what_somebody_emptied(router: Router) -> None:
    machine = replace(router.box, interfaces=router.box.interfaces[:2])
    rules = compile_rules(configuration(TWO_INTERFACES, STATIC), machine)
    router.inner.call(install, rules)
    once = saved(router.inner)
    router.inner.run("iptables", "-F", "FORWARD")
    router.inner.run("iptables", "-t", "nat", "-F", "PREROUTING")
    router.inner.call(install, rules, rules)
    assert saved(router.inner) == once


def test_ipv6_does_not_pass(lab: Lab) -> None:
    for namespace, interface, address in (
        (lab.client, "eth0", "2001:db8:1::2/64"),
        (lab.router, "out0", "2001:db8:1::1/64"),
        (lab.router, "in0", "2001:db8:2::1/64"),
        (lab.server, "eth0", "2001:db8:2::2/64"),
    ):
        namespace.ip("address", "add", address, "dev", interface, "nodad")
    lab.client.ip("-6", "route", "add", "default", "via", "2001:db8:1::1")
    lab.server.ip("-6", "route", "add", "default", "via", "2001:db8:2::1")
    lab.router.run("sysctl", "-qw", "net.ipv6.conf.all.forwarding=1")
    client = lab.client.socket(socket.SOCK_DGRAM, family=socket.AF_INET6)
    server = lab.server.socket(socket.SOCK_DGRAM, family=socket.AF_INET6, timeout=0.5)
    server.bind(("2001:db8:2::2", 25))

    def arrives(datagram: bytes) -> bool:
        client.sendto(datagram, ("2001:db8:2::2", 25))
        try:
            while server.recv(99) != datagram:
                pass
        except TimeoutError:
            return False
        return True

    # The addresses of new links are tried for a second or two before they are used.
    assert any(arrives(b"before") for _ in range(20))
    lab.put(*MAIL)
    assert not any(arrives(b"after") for _ in range(3))


def test_five_thousand_lines_load_in_seconds(router: Router) -> None:
    lines = [
        f"access-list a permit tcp any host 203.{number >> 8}.{number & 255}.5 eq smtp"
        for number in range(5000)
    ]
    made = configuration(TWO_INTERFACES, *lines, "access-group a in interface outside")
    compiled = compile_rules(made, replace(router.box, interfaces=router.box.interfaces[:2]))
    began = time.monotonic()
    router.inner.call(install, compiled)
    assert time.monotonic() - began < 10
    assert saved(router.inner).count("-A PIXGUARD-ACL-out0") == 5001
