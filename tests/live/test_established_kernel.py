"""`established` in the kernel: who may come back, and until when."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from appliance.admission import Opening
from appliance.live.compilation import compile_rules
from appliance.live.iptables import install, withdraw
from tests.live.dice import SIX
from tests.live.router import Router, put_in_force, reload, running_router
from tests.namespaces import needs_namespaces
from tests.policy.rules import configuration

pytestmark = needs_namespaces

LINES = (
    "static (inside,outside) 203.0.113.5 10.1.1.5",
    "static (inside,outside) 203.0.113.6 10.1.1.6",
    "established tcp 4000 0 permitto tcp 6000-6063 permitfrom tcp 1024-65535",
    "established udp 177 0 permitto udp 6000",
)
SERVER, OTHER = "198.18.0.1", "198.18.7.7"
PATIENCE = 10.0


@pytest.fixture
def router(tmp_path: Path) -> Iterator[Router]:
    with running_router(tmp_path) as running:
        yield running


NUMBERS = itertools.count(100)


def out(protocol: int, port: int, sport: int = 2000, host: str = "10.1.1.5") -> Opening:
    ends = (IPv4Address(host), sport, IPv4Address(SERVER), port)
    return Opening(protocol, *ends, ingress="inside")


def back(protocol: int, port: int, source: str = SERVER, host: str = "203.0.113.5") -> Opening:
    """From a port that nothing had before."""
    ends = (IPv4Address(source), 10000 + next(NUMBERS), IPv4Address(host), port)
    return Opening(protocol, *ends, ingress="outside")


def passes(router: Router, packet: Opening) -> bool:
    number = next(NUMBERS)
    router.send(packet, number)
    return number in router.collect()


def ends_soon(router: Router, packet: Callable[[], Opening]) -> bool:
    """Whether it passes no more, before patience ends."""
    deadline = time.monotonic() + PATIENCE
    while passes(router, packet()):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.2)
    return True


def test_only_who_is_connected_to_may_come_back(router: Router) -> None:
    put_in_force(router, configuration(SIX, *LINES))
    assert not passes(router, back(6, 6000))
    assert passes(router, out(6, 4000))
    assert passes(router, back(6, 6000))
    assert passes(router, back(6, 6063))
    refused = {
        "another host": back(6, 6000, source=OTHER),
        "to another host": back(6, 6000, host="203.0.113.6"),
        "to another port": back(6, 6064),
        "from another port": replace(back(6, 6000), source_port=1023),
        "another protocol": back(17, 6000),
        "from elsewhere": replace(back(6, 6000), ingress="dmz"),
    }
    assert {why for why, packet in refused.items() if passes(router, packet)} == set()


def test_a_connection_to_another_port_lets_nobody_back(router: Router) -> None:
    put_in_force(router, configuration(SIX, *LINES))
    assert passes(router, out(6, 4001))
    assert not passes(router, back(6, 6000))


def test_a_connection_that_is_denied_lets_nobody_back(router: Router) -> None:
    denied = ("access-list a deny tcp any any eq 4000", "access-group a in interface inside")
    put_in_force(router, configuration(SIX, *LINES, *denied))
    assert not passes(router, out(6, 4000))
    assert not passes(router, back(6, 6000))


def test_it_goes_before_the_access_list_of_the_interface(router: Router) -> None:
    denied = ("access-list a deny ip any any", "access-group a in interface outside")
    put_in_force(router, configuration(SIX, *LINES, *denied))
    assert not passes(router, back(17, 6000))
    assert passes(router, out(17, 177))
    assert passes(router, back(17, 6000))
    assert not passes(router, back(17, 6001))


def deliver(router: Router, packet: Opening, flags: str, seq: int, ack: int) -> None:
    number = next(NUMBERS)
    router.send(packet, number, flags=flags, seq=seq, ack=ack)
    assert number in router.collect()


def answer(connection: Opening) -> Opening:
    """What the server sends in a connection."""
    return replace(
        connection,
        source=connection.destination,
        source_port=connection.destination_port,
        destination=IPv4Address("203.0.113.5"),
        destination_port=connection.source_port,
        ingress="outside",
    )


def test_nobody_comes_back_when_the_connection_is_reset(router: Router) -> None:
    put_in_force(router, configuration(SIX, *LINES))
    connection = out(6, 4000)
    assert passes(router, connection)
    assert passes(router, back(6, 6000))
    deliver(router, answer(connection), "RA", 0, 1)
    assert ends_soon(router, lambda: back(6, 6000))


def test_nobody_comes_back_when_both_ends_have_closed_the_connection(router: Router) -> None:
    put_in_force(router, configuration(SIX, *LINES))
    client = out(6, 4000)
    server = answer(client)
    assert passes(router, client)
    deliver(router, server, "SA", 0, 1)
    deliver(router, client, "A", 1, 1)
    deliver(router, client, "FA", 1, 1)
    time.sleep(3)  # the kernel looks every second
    assert passes(router, back(6, 6000))
    deliver(router, server, "FA", 1, 2)
    deliver(router, client, "A", 2, 2)
    assert ends_soon(router, lambda: back(6, 6000))


def test_one_connection_of_two_is_enough(router: Router) -> None:
    put_in_force(router, configuration(SIX, *LINES))
    first, second = out(6, 4000), out(6, 4000, sport=2001)
    assert passes(router, first)
    assert passes(router, second)
    deliver(router, answer(first), "RA", 0, 1)
    time.sleep(3)
    assert passes(router, back(6, 6000))


def test_nobody_comes_back_when_the_connection_is_forgotten(router: Router) -> None:
    put_in_force(router, configuration(SIX, *LINES))
    assert passes(router, out(17, 177))
    assert passes(router, back(17, 6000))
    router.flush_connections()
    assert ends_soon(router, lambda: back(17, 6000))


def test_what_came_back_goes_on_when_the_connection_has_ended(router: Router) -> None:
    put_in_force(router, configuration(SIX, *LINES))
    assert passes(router, out(17, 177))
    came = back(17, 6000)
    assert passes(router, came)
    router.inner.run("nft", "flush", "set", "ip", "pixguard", "udp-177-0")
    assert not passes(router, back(17, 6000))
    assert passes(router, came)


def test_a_reload_keeps_pairs_where_the_lines_stay(router: Router) -> None:
    put_in_force(router, configuration(SIX, *LINES))
    assert passes(router, out(6, 4000))
    rules = compile_rules(configuration(SIX, *LINES), router.box)
    moved = compile_rules(configuration(SIX, "hostname fw", *LINES), router.box)
    router.inner.call(install, moved, rules)
    assert passes(router, back(6, 6000))
    fewer = compile_rules(configuration(SIX, *LINES[:3]), router.box)
    router.inner.call(install, fewer, moved)
    assert not passes(router, back(6, 6000))


def test_nothing_is_left(router: Router) -> None:
    put_in_force(router, configuration(SIX, *LINES))
    assert "table ip pixguard" in router.inner.run("nft", "list", "tables").stdout
    reload(router, configuration(SIX, *LINES[:2]))
    assert "pixguard" not in router.inner.run("nft", "list", "tables").stdout
    put_in_force(router, configuration(SIX, *LINES))
    router.inner.call(withdraw)
    assert "pixguard" not in router.inner.run("nft", "list", "tables").stdout
