"""Tiny configurations, each with what it means: `alias`."""

from __future__ import annotations

from ipaddress import IPv4Address

import pytest

from appliance.admission import Opening
from appliance.errors import FindingsError
from appliance.policy.policy import Phase, Policy
from appliance.smtp.release import DEFAULT
from tests.policy.rules import THREE_INTERFACES, configuration

OVERLAP = "alias (inside) 192.168.1.0 198.51.100.0 255.255.255.0"
INNER = "alias (inside) 203.0.113.9 172.16.1.9 255.255.255.255"
NAT = ("nat (inside) 1 0 0", "global (outside) 1 203.0.113.40", "global (dmz) 1 172.16.1.40")


def judge(*parts: str) -> Policy:
    return Policy(configuration(THREE_INTERFACES, *parts), DEFAULT)


def tcp(ingress: str, source: str, destination: str, port: int = 80) -> Opening:
    return Opening(6, IPv4Address(source), 1024, IPv4Address(destination), port, ingress=ingress)


def path(policy: Policy, packet: Opening) -> str:
    """As whom the client is seen, and where the server really is; or why it does not pass."""
    admission = policy.admit(packet)
    if admission.denial:
        return admission.denial.name
    client, server = admission.client, admission.server
    return f"{client.interface} {client.mapped} > {server.interface} {server.address}"


def test_an_address_that_exists_twice_is_reached_by_another() -> None:
    policy = judge(*NAT, OVERLAP)
    packet = tcp("inside", "10.1.1.5", "192.168.1.7")
    assert path(policy, packet) == "inside 203.0.113.40 > outside 198.51.100.7"
    step = next(s for s in policy.decide(packet).steps if s.phase is Phase.TRANSLATION)
    assert step.why == "this alias translates it"
    # What it stands for can be reached, too: it is no address of the inside here.
    plain = tcp("inside", "10.1.1.5", "198.51.100.7")
    assert path(policy, plain) == "inside 203.0.113.40 > outside 198.51.100.7"


def test_a_server_of_the_perimeter_is_reached_by_its_global_address() -> None:
    policy = judge(*NAT, INNER, "static (dmz,outside) 203.0.113.9 172.16.1.9")
    packet = tcp("inside", "10.1.1.5", "203.0.113.9")
    assert path(policy, packet) == "inside 172.16.1.40 > dmz 172.16.1.9"


def test_what_begins_there_comes_from_the_alternate_address() -> None:
    policy = judge(
        OVERLAP,
        "static (inside,outside) 203.0.113.5 10.1.1.5",
        "conduit permit tcp host 203.0.113.5 eq 80 any",
    )
    assert path(policy, tcp("outside", "198.51.100.7", "203.0.113.5")) == (
        "outside 192.168.1.7 > inside 10.1.1.5"
    )
    assert path(policy, tcp("outside", "198.18.0.1", "203.0.113.5")) == (
        "outside 198.18.0.1 > inside 10.1.1.5"
    )


def test_it_permits_nothing() -> None:
    assert path(judge(OVERLAP), tcp("outside", "198.51.100.7", "10.1.1.5")) == "NO_PERMIT"
    assert path(judge(OVERLAP), tcp("inside", "10.1.1.5", "192.168.1.7")) == "NO_TRANSLATION"


def test_an_access_list_sees_the_alternate_address() -> None:
    lists = (
        "access-list a permit tcp any 192.168.1.0 255.255.255.0",
        "access-group a in interface inside",
    )
    policy = judge(*NAT, OVERLAP, *lists)
    assert path(policy, tcp("inside", "10.1.1.5", "192.168.1.7")).startswith("inside 203")
    assert path(policy, tcp("inside", "10.1.1.5", "198.51.100.7")) == "ACCESS_LIST"


def test_a_static_goes_before_it() -> None:
    policy = judge(*NAT, INNER, "static (dmz,inside) 203.0.113.9 172.16.1.5")
    packet = tcp("inside", "10.1.1.5", "203.0.113.9")
    assert path(policy, packet) == "inside 172.16.1.40 > dmz 172.16.1.5"


def test_an_alias_for_dns_answers_leads_nothing_away() -> None:
    policy = judge(
        "static (inside,outside) 203.0.113.9 10.1.1.9",
        "conduit permit tcp host 203.0.113.9 eq 80 any",
        "alias (inside) 10.1.1.9 203.0.113.9 255.255.255.255",
    )
    assert path(policy, tcp("outside", "198.18.0.1", "203.0.113.9")) == (
        "outside 198.18.0.1 > inside 10.1.1.9"
    )


def test_what_it_leads_to_must_be_somewhere() -> None:
    with pytest.raises(FindingsError, match="no interface that is up leads"):
        judge("no route outside 0 0 203.0.113.254", OVERLAP)
