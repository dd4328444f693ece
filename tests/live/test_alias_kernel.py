"""`alias` in the kernel: both ways, and who answers for the alternate address."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from appliance.admission import Opening
from tests.live.dice import SIX
from tests.live.router import Router, Seen, put_in_force, running_router
from tests.namespaces import needs_namespaces
from tests.policy.rules import configuration

pytestmark = needs_namespaces

ALIAS = "alias (inside) 10.1.1.21 198.18.0.1 255.255.255.255"


@pytest.fixture
def router(tmp_path: Path) -> Iterator[Router]:
    with running_router(tmp_path) as running:
        yield running


def udp(ingress: str, source: str, sport: int, destination: str, dport: int) -> Opening:
    ends = (IPv4Address(source), sport, IPv4Address(destination), dport)
    return Opening(17, *ends, ingress=ingress)


def seen(interface: str, source: str, sport: int, destination: str, dport: int) -> Seen:
    return Seen(interface, IPv4Address(source), sport, IPv4Address(destination), dport)


def test_requests_and_answers_are_translated(router: Router) -> None:
    put_in_force(
        router,
        configuration(SIX, "nat (inside) 1 0 0", "global (outside) 1 203.0.113.40", ALIAS),
    )
    router.send(udp("inside", "10.1.1.5", 4000, "10.1.1.21", 53), 1)
    assert router.collect() == {1: seen("outside", "203.0.113.40", 4000, "198.18.0.1", 53)}
    router.send(udp("outside", "198.18.0.1", 53, "203.0.113.40", 4000), 2)
    assert router.collect() == {2: seen("inside", "10.1.1.21", 53, "10.1.1.5", 4000)}


def test_what_begins_there_comes_from_the_alternate_address(router: Router) -> None:
    static = "static (inside,outside) 203.0.113.5 10.1.1.5"
    put_in_force(router, configuration(SIX, static, "conduit permit ip any any", ALIAS))
    router.send(udp("outside", "198.18.0.1", 4000, "203.0.113.5", 53), 1)
    router.send(udp("outside", "198.18.7.7", 4000, "203.0.113.5", 53), 2)
    assert router.collect() == {
        1: seen("inside", "10.1.1.21", 4000, "10.1.1.5", 53),
        2: seen("inside", "198.18.7.7", 4000, "10.1.1.5", 53),
    }
    router.send(udp("inside", "10.1.1.5", 53, "10.1.1.21", 4000), 3)
    assert router.collect() == {3: seen("outside", "203.0.113.5", 53, "198.18.0.1", 4000)}


def test_the_alternate_address_is_answered_for(router: Router) -> None:
    for line, answered in (("", True), ("sysopt noproxyarp inside", False)):
        put_in_force(router, configuration(SIX, ALIAS, line))
        assert ("10.1.1.21" in router.inner.ip("neighbour", "show", "proxy")) is answered


def test_nobody_is_answered_for_by_an_alias_for_dns_answers(router: Router) -> None:
    """The address is that of a host, which is still reached."""
    static = "static (inside,outside) 203.0.113.9 10.1.1.9"
    alias = "alias (inside) 10.1.1.9 203.0.113.9 255.255.255.255"
    put_in_force(router, configuration(SIX, static, "conduit permit ip any any", alias))
    assert "10.1.1.9" not in router.inner.ip("neighbour", "show", "proxy")
    router.send(udp("outside", "198.18.0.1", 4000, "203.0.113.9", 53), 1)
    assert router.collect() == {1: seen("inside", "198.18.0.1", 4000, "10.1.1.9", 53)}
