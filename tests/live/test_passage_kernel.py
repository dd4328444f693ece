"""Pools, equal ways in and out, ICMP to the firewall, and the path of what is established."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from dataclasses import replace
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from appliance.admission import Opening
from appliance.policy.policy import Policy
from appliance.smtp.release import DEFAULT
from tests.live.dice import SEVEN, SIX
from tests.live.router import Router, put_in_force, reload, running_router
from tests.namespaces import needs_namespaces
from tests.policy.rules import configuration

pytestmark = needs_namespaces

PAT = ("nat (inside) 1 0 0", "global (outside) 1 203.0.113.40")


@pytest.fixture
def router(tmp_path: Path) -> Iterator[Router]:
    with running_router(tmp_path) as running:
        yield running


def udp(ingress: str, source: str, destination: str, sport: int = 4000, dport: int = 53) -> Opening:
    ends = (IPv4Address(source), sport, IPv4Address(destination), dport)
    return Opening(17, *ends, ingress=ingress)


def test_hosts_that_share_an_address_keep_apart(router: Router) -> None:
    """Of one port that two hosts use towards one server, the second gets another."""
    put_in_force(router, configuration(SIX, *PAT))
    for number, host in enumerate(("10.1.1.5", "10.1.1.6", "10.1.1.9"), 1):
        router.send(udp("inside", host, "198.18.0.1"), number)
    seen = router.collect()
    assert {str(packet.source) for packet in seen.values()} == {"203.0.113.40"}
    assert len({packet.source_port for packet in seen.values()}) == 3
    # Answers find their way, and nothing else does.
    for number, packet in seen.items():
        answer = udp("outside", "198.18.0.1", "203.0.113.40", 53, packet.source_port)
        router.send(answer, 10 + number)
    router.send(udp("outside", "198.18.7.7", "203.0.113.40", 53, 4000), 20)
    answered = router.collect()
    assert sorted(str(answered[number].destination) for number in (11, 12, 13)) == [
        "10.1.1.5",
        "10.1.1.6",
        "10.1.1.9",
    ]
    assert 20 not in answered


def test_more_hosts_than_a_range_has_addresses_still_pass(router: Router) -> None:
    """A device runs out; Linux lets hosts share the addresses of a range, too."""
    put_in_force(router, configuration(SIX, PAT[0], "global (outside) 1 203.0.113.40-203.0.113.41"))
    for host in range(2, 102):
        router.send(udp("inside", f"10.1.1.{host}", "198.18.0.1"), host)
    seen = router.collect()
    assert len(seen) == 100
    assert len({(packet.source, packet.source_port) for packet in seen.values()}) == 100
    assert {str(each.source) for each in seen.values()} == {"203.0.113.40", "203.0.113.41"}


def test_a_nat_lets_as_many_connections_live_as_it_says(router: Router) -> None:
    """All hosts together; UDP is not counted."""
    put_in_force(router, configuration(SIX, f"{PAT[0]} 2 0", PAT[1]))
    for number, host in enumerate(("10.1.1.5", "10.1.1.6", "10.1.1.9"), 1):
        packet = udp("inside", host, "198.18.0.1", dport=80)
        router.send(packet, 10 + number)
        router.send(replace(packet, protocol=6), number)
    assert set(router.collect()) == {1, 2, 11, 12, 13}
    assert router.refused == {3}


def test_a_pool_is_answered_for(router: Router) -> None:
    put_in_force(router, configuration(SIX, *PAT))
    assert "203.0.113.40" in router.inner.ip("neighbour", "show", "proxy")
    put_in_force(router, configuration(SIX, *PAT, "sysopt noproxyarp outside"))
    assert "203.0.113.40" not in router.inner.ip("neighbour", "show", "proxy")


def test_a_source_is_translated_as_that_of_where_it_came_in(router: Router) -> None:
    """Both addresses stay where an exemption is for one and nothing is for the other, though that
    has the address of a host of another interface; where something is for it, it is changed."""
    exempt = (
        "access-list e permit ip 10.1.1.0 255.255.255.0 any",
        "nat (inside) 0 access-list e",
        "nat (dmz) 1 0 0 outside",
        "global (inside) 1 10.1.1.40",
        "conduit permit ip any any",
    )
    rules = configuration(SIX, *exempt)
    put_in_force(router, rules)
    packets = {
        1: udp("outside", "172.16.1.5", "10.1.1.5", 4001),
        2: udp("dmz", "172.16.1.5", "10.1.1.5", 4002),
        3: udp("dmz", "198.18.0.1", "10.1.1.5", 4003),
    }
    for number, packet in packets.items():
        router.send(packet, number)
    seen = router.collect()
    assert {number: str(each.source) for number, each in seen.items()} == {
        1: "172.16.1.5",
        2: "10.1.1.40",
        3: "10.1.1.40",
    }
    policy = Policy(rules, DEFAULT)
    judged = {number: policy.admit(packet) for number, packet in packets.items()}
    assert {number: each.client.mapped for number, each in judged.items()} == {
        number: each.source for number, each in seen.items()
    }


HAIRPIN = SEVEN.format(version="PIX Version 7.2(1)", level=50, where="global") + (
    "same-security-traffic permit intra-interface\n"
    "static (inside,outside) 203.0.113.5 10.1.1.5 netmask 255.255.255.255\n"
    "access-list a extended permit ip any any\n"
    "access-group a in interface outside\n"
)


def test_what_leaves_as_it_came_is_answered(router: Router) -> None:
    put_in_force(router, configuration(HAIRPIN))
    router.send(udp("outside", "198.18.0.1", "198.18.7.7"), 1)
    router.send(udp("outside", "198.18.7.7", "198.18.0.1", 53, 4000), 2)
    seen = router.collect()
    assert {seen[number].interface for number in (1, 2)} == {"outside"}


def test_nobody_poses_as_the_other_end_beside_the_client(router: Router) -> None:
    """Neither of a connection that goes through, nor of one that leaves as it came."""
    put_in_force(router, configuration(HAIRPIN))
    router.send(udp("outside", "198.18.0.1", "203.0.113.5"), 1)
    router.send(udp("outside", "198.18.0.1", "198.18.7.7"), 2)
    assert set(router.collect()) == {1, 2}
    router.send(udp("outside", "10.1.1.5", "198.18.0.1", 53, 4000), 3)
    router.send(udp("outside", "203.0.113.5", "198.18.0.1", 53, 4000), 4)
    router.send(udp("inside", "198.18.7.7", "198.18.0.1", 53, 4000), 5)
    assert router.collect() == {}
    router.send(udp("inside", "10.1.1.5", "198.18.0.1", 53, 4000), 6)
    router.send(udp("outside", "198.18.7.7", "198.18.0.1", 53, 4000), 7)
    assert set(router.collect()) == {6, 7}


def test_a_hairpin_ends_with_a_rule_file_that_permits_none_only_for_new_ones(
    router: Router,
) -> None:
    put_in_force(router, configuration(HAIRPIN))
    router.send(udp("outside", "198.18.0.1", "198.18.7.7"), 1)
    assert set(router.collect()) == {1}
    reload(router, configuration(HAIRPIN, "no same-security-traffic permit intra-interface"))
    router.send(udp("outside", "198.18.7.7", "198.18.0.1", 53, 4000), 2)
    router.send(udp("outside", "198.18.0.1", "198.18.7.7", 4001), 3)
    assert set(router.collect()) == {2}


@pytest.mark.parametrize(
    ("lines", "answered"),
    [
        ((), True),
        (("icmp deny any outside",), False),
        (("icmp permit any unreachable outside",), False),
        (("icmp permit host 203.0.113.9 echo outside",), True),
        (("icmp deny host 203.0.113.9 outside", "icmp permit any outside"), False),
        (("icmp deny any inside",), True),
    ],
)
def test_icmp_to_the_firewall_itself(
    router: Router, lines: tuple[str, ...], answered: bool
) -> None:
    put_in_force(router, configuration(SIX, *lines))
    echo = Opening(
        1, IPv4Address("203.0.113.9"), 0, IPv4Address("203.0.113.1"), 0, 8, ingress="outside"
    )
    router.send(echo, 1)
    time.sleep(0.05)
    counters = router.inner.run("nstat", "-az", "IcmpOutEchoReps", check=False).stdout
    replies = re.search(r"IcmpOutEchoReps\s+(\d+)", counters)
    assert replies is not None
    assert (int(replies[1]) > 0) == answered


def counted(router: Router) -> dict[str, tuple[int, int]]:
    """Of each chain, the packets that its rules have matched, and how many rules it has."""
    text = router.inner.run("iptables-save", "-c", "-t", "filter").stdout
    found: dict[str, tuple[int, int]] = {}
    for packets, chain in re.findall(r"^\[(\d+):\d+\] -A (\S+)", text, flags=re.MULTILINE):
        matched, rules = found.get(chain, (0, 0))
        found[chain] = matched + int(packets), rules + 1
    return found


def path(router: Router, lines: int) -> dict[str, tuple[int, int]]:
    """The chains that 20 packets of one established flow meet, under a list of so many lines whose
    last one permits it: how many of their rules matched, and how many there are."""
    rules = [
        f"access-list a permit udp any host 203.{number >> 8}.{number & 255}.5 eq domain"
        for number in range(lines - 1)
    ]
    static = "static (inside,outside) 203.0.113.5 10.1.1.5 netmask 255.255.255.255"
    last = "access-list a permit udp any host 203.0.113.5"
    bound = "access-group a in interface outside"
    put_in_force(router, configuration(SIX, static, *rules, last, bound))
    router.send(udp("outside", "198.18.0.1", "203.0.113.5"), 1)
    assert set(router.collect()) == {1}
    before = counted(router)
    assert before["PIXGUARD-ACL-out0"] == (1, lines + 1)
    assert before["PIXGUARD-PERMIT"][0] == 2
    for number in range(2, 12):
        router.send(udp("outside", "198.18.0.1", "203.0.113.5"), number)
        router.send(udp("inside", "10.1.1.5", "198.18.0.1", 53, 4000), 100 + number)
    assert len(router.collect()) == 20
    return {
        chain: (matched - before[chain][0], rules)
        for chain, (matched, rules) in counted(router).items()
        if matched != before[chain][0]
    }


def test_what_is_established_meets_no_rule_of_the_file(router: Router) -> None:
    """Its path is as long with 5,000 lines as with 10: the same rules of the same few chains."""
    short, long = path(router, 10), path(router, 5000)
    assert set(long) == {"FORWARD", "PIXGUARD", "PIXGUARD-FROM", "PIXGUARD-STATE"}
    assert short == long
