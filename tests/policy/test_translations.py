"""Tiny configurations, each with what it means: `nat`, `global`, and statics of every kind."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address

import pytest

from appliance.admission import Admission, Opening
from appliance.errors import FindingsError
from appliance.events import Denial
from appliance.policy.policy import Phase, Policy
from appliance.policy.pool import Pool
from appliance.smtp.release import DEFAULT
from tests.policy.rules import THREE_INTERFACES, TWO_INTERFACES, configuration

CLIENT = "198.51.100.7"
SEVEN = """\
PIX Version 7.2(1)
interface Ethernet0
 nameif outside
 ip address 203.0.113.1 255.255.255.0
interface Ethernet1
 nameif inside
 ip address 10.1.1.1 255.255.255.0
interface Ethernet2
 nameif dmz
 security-level 50
 ip address 172.16.1.1 255.255.255.0
route outside 0 0 203.0.113.254 1
"""


def judge(*parts: str) -> Policy:
    return Policy(configuration(*parts), DEFAULT)


def tcp(ingress: str, source: str, destination: str, port: int = 25, sport: int = 1024) -> Opening:
    return Opening(6, IPv4Address(source), sport, IPv4Address(destination), port, ingress=ingress)


def client_of(admission: Admission) -> str:
    """As whom the client is seen, or why not."""
    return str(admission.client.mapped) if admission.denial is None else admission.denial.name


def server_of(admission: Admission) -> str:
    """Who the server really is, or why it is not reached."""
    if admission.denial:
        return admission.denial.name
    return f"{admission.server.interface} {admission.server.address}:{admission.server.port}"


def test_all_hosts_share_one_address() -> None:
    policy = judge(
        TWO_INTERFACES,
        "global (outside) 1 203.0.113.10",
        "nat (inside) 1 10.1.1.0 255.255.255.0",
    )
    for host in ("10.1.1.5", "10.1.1.6"):
        assert client_of(policy.admit(tcp("inside", host, CLIENT))) == "203.0.113.10"
    assert client_of(policy.admit(tcp("inside", "10.1.2.5", CLIENT))) == "NO_TRANSLATION"
    assert server_of(policy.admit(tcp("outside", CLIENT, "203.0.113.10"))) == "NO_PERMIT"


def test_the_address_may_be_that_of_the_interface() -> None:
    policy = judge(TWO_INTERFACES, "global (outside) 1 interface", "nat (inside) 1 0 0")
    assert client_of(policy.admit(tcp("inside", "10.1.1.5", CLIENT))) == "203.0.113.1"


def test_sharing_takes_ports() -> None:
    policy = judge(TWO_INTERFACES, "global (outside) 1 interface", "nat (inside) 1 0 0")
    packet = tcp("inside", "10.1.1.5", CLIENT)
    for protocol, icmp_type, denial in (
        (6, -1, None),
        (17, -1, None),
        (1, 8, None),
        (1, 13, Denial.TRANSLATION_FAILED),
        (47, -1, Denial.TRANSLATION_FAILED),
    ):
        admission = policy.admit(replace(packet, protocol=protocol, icmp_type=icmp_type))
        assert admission.denial is denial


def test_a_range_goes_before_an_address_and_that_before_the_interface() -> None:
    policy = judge(
        TWO_INTERFACES,
        "global (outside) 1 interface",
        "global (outside) 1 203.0.113.10",
        "nat (inside) 1 0 0",
    )
    assert client_of(policy.admit(tcp("inside", "10.1.1.5", CLIENT))) == "203.0.113.10"
    policy = judge(
        TWO_INTERFACES,
        "global (outside) 1 203.0.113.10",
        "global (outside) 1 203.0.113.20-203.0.113.29",
        "nat (inside) 1 0 0",
    )
    packet = tcp("inside", "10.1.1.5", CLIENT)
    assert client_of(policy.admit(packet)).startswith("203.0.113.2")
    assert policy.admit(replace(packet, protocol=47)).denial is None


def test_a_host_keeps_its_address_of_a_range() -> None:
    pool = Pool(IPv4Address("203.0.113.20"), IPv4Address("203.0.113.23"), False)
    hosts = [IPv4Address("10.1.1.0") + number for number in range(256)]
    taken = [pool.address(host) for host in hosts]
    assert taken == [pool.address(host) for host in hosts]
    assert {str(address) for address in taken} == {f"203.0.113.{n}" for n in range(20, 24)}


def test_the_smallest_network_decides_whatever_the_order() -> None:
    lines = (
        "nat (inside) 1 0 0",
        "nat (inside) 2 10.1.1.0 255.255.255.0",
        "nat (inside) 0 10.1.1.128 255.255.255.128",
        "global (outside) 1 203.0.113.10",
        "global (outside) 2 203.0.113.20",
    )
    for order in (lines, tuple(reversed(lines))):
        policy = judge(TWO_INTERFACES, *order)
        seen = {
            host: client_of(policy.admit(tcp("inside", host, CLIENT)))
            for host in ("10.1.1.5", "10.1.1.200", "10.9.9.9")
        }
        assert seen == {
            "10.1.1.5": "203.0.113.20",
            "10.1.1.200": "10.1.1.200",
            "10.9.9.9": "203.0.113.10",
        }


def test_each_interface_has_its_own_addresses() -> None:
    policy = judge(
        THREE_INTERFACES,
        "nat (inside) 1 0 0",
        "nat (dmz) 2 0 0",
        "global (outside) 1 203.0.113.10",
        "global (dmz) 1 172.16.1.10",
    )
    inside = "10.1.1.5"
    assert client_of(policy.admit(tcp("inside", inside, CLIENT))) == "203.0.113.10"
    assert client_of(policy.admit(tcp("inside", inside, "172.16.1.9"))) == "172.16.1.10"
    decision = policy.decide(tcp("dmz", "172.16.1.9", CLIENT))
    assert decision.admission.denial is Denial.NO_TRANSLATION
    assert "outside has no global 2" in decision.steps[-1].why
    assert decision.steps[-1].place is not None and decision.steps[-1].place.line == 9


def test_identity_is_for_what_the_inside_begins() -> None:
    policy = judge(
        TWO_INTERFACES, "nat (inside) 0 10.1.1.0 255.255.255.0", "conduit permit ip any any"
    )
    assert client_of(policy.admit(tcp("inside", "10.1.1.5", CLIENT))) == "10.1.1.5"
    inbound = policy.admit(tcp("outside", CLIENT, "10.1.1.5"))
    assert inbound.denial is Denial.NO_TRANSLATION_INBOUND


def test_an_exemption_is_for_what_either_side_begins() -> None:
    policy = judge(
        TWO_INTERFACES,
        "access-list vpn permit ip 10.1.1.0 255.255.255.0 198.51.100.0 255.255.255.0",
        "nat (inside) 0 access-list vpn",
        "nat (inside) 1 0 0",
        "global (outside) 1 interface",
        "conduit permit ip any any",
    )
    assert client_of(policy.admit(tcp("inside", "10.1.1.5", CLIENT))) == "10.1.1.5"
    assert client_of(policy.admit(tcp("inside", "10.1.1.5", "192.0.2.1"))) == "203.0.113.1"
    assert server_of(policy.admit(tcp("outside", CLIENT, "10.1.1.5"))) == "inside 10.1.1.5:25"
    strange = policy.admit(tcp("outside", "192.0.2.1", "10.1.1.5"))
    assert strange.denial is Denial.NO_TRANSLATION_INBOUND


def test_an_exemption_goes_before_a_static_and_that_before_a_pool() -> None:
    lines = (
        "nat (inside) 1 0 0",
        "global (outside) 1 interface",
        "static (inside,outside) 203.0.113.5 10.1.1.5",
    )
    packet = tcp("inside", "10.1.1.5", CLIENT)
    assert client_of(judge(TWO_INTERFACES, *lines).admit(packet)) == "203.0.113.5"
    exempt = ("access-list e permit ip host 10.1.1.5 any", "nat (inside) 0 access-list e")
    assert client_of(judge(TWO_INTERFACES, *lines, *exempt).admit(packet)) == "10.1.1.5"


def test_policy_nat_goes_by_the_destination_and_before_regular_nat() -> None:
    policy = judge(
        TWO_INTERFACES,
        "nat (inside) 1 10.1.1.5 255.255.255.255",
        "access-list partner deny tcp any any eq 80",
        "access-list partner permit ip 10.1.1.0 255.255.255.0 198.51.100.0 255.255.255.0",
        "nat (inside) 2 access-list partner",
        "global (outside) 1 203.0.113.10",
        "global (outside) 2 203.0.113.20",
    )
    assert client_of(policy.admit(tcp("inside", "10.1.1.5", CLIENT))) == "203.0.113.20"
    assert client_of(policy.admit(tcp("inside", "10.1.1.5", CLIENT, 80))) == "203.0.113.10"
    assert client_of(policy.admit(tcp("inside", "10.1.1.5", "192.0.2.1"))) == "203.0.113.10"


def test_a_policy_static_has_a_real_address_for_each_peer() -> None:
    policy = judge(
        TWO_INTERFACES,
        "access-list here permit ip host 10.1.1.5 host 198.51.100.7",
        "access-list there permit ip host 10.1.1.6 any",
        "static (inside,outside) 203.0.113.5 access-list here",
        "static (inside,outside) 203.0.113.5 access-list there",
        "conduit permit tcp any any",
    )
    assert server_of(policy.admit(tcp("outside", CLIENT, "203.0.113.5"))) == "inside 10.1.1.5:25"
    other = policy.admit(tcp("outside", "192.0.2.1", "203.0.113.5"))
    assert server_of(other) == "inside 10.1.1.6:25"
    assert client_of(policy.admit(tcp("inside", "10.1.1.5", CLIENT))) == "203.0.113.5"
    assert client_of(policy.admit(tcp("inside", "10.1.1.5", "192.0.2.1"))) == "NO_TRANSLATION"


def test_a_policy_static_of_a_port() -> None:
    policy = judge(
        TWO_INTERFACES,
        "access-list web permit tcp host 10.1.1.5 eq 8080 any",
        "static (inside,outside) tcp interface www access-list web",
        "conduit permit tcp any any",
    )
    arrived = policy.admit(tcp("outside", CLIENT, "203.0.113.1", 80))
    assert server_of(arrived) == "inside 10.1.1.5:8080"


@pytest.mark.parametrize(
    ("rule", "form", "problem"),
    [
        ("deny ip host 10.1.1.5 any", "203.0.113.5", "that denies"),
        ("permit tcp host 10.1.1.5 any", "203.0.113.5", "does not translate what this line"),
        ("permit ip host 10.1.1.5 any", "tcp 203.0.113.5 80", "does not translate what this line"),
        ("permit tcp 10.1.1.0 255.255.255.0 eq 80 any", "tcp 203.0.113.5 80", "one host and one"),
        ("permit tcp host 10.1.1.5 any", "tcp 203.0.113.5 80", "needs one host and one port"),
        ("permit ip 10.1.1.0 255.255.255.0 any", "203.0.113.5", "is no network as large"),
        ("permit ip 10.1.1.0 255.255.255.0 any", "interface", "is no network as large"),
    ],
)
def test_access_lists_that_say_no_static(rule: str, form: str, problem: str) -> None:
    made = configuration(
        TWO_INTERFACES, f"access-list a {rule}", f"static (inside,outside) {form} access-list a"
    )
    with pytest.raises(FindingsError, match=problem):
        Policy(made, DEFAULT)


def test_a_static_inwards_gives_an_outside_host_an_inside_address() -> None:
    policy = judge(
        TWO_INTERFACES,
        "static (outside,inside) 10.1.1.200 198.51.100.7",
        "static (inside,outside) 203.0.113.5 10.1.1.5",
        "conduit permit ip any any",
    )
    out = policy.admit(tcp("inside", "10.1.1.5", "10.1.1.200"))
    assert (client_of(out), server_of(out)) == ("203.0.113.5", "outside 198.51.100.7:25")
    come = policy.admit(tcp("outside", CLIENT, "203.0.113.5"))
    assert (client_of(come), server_of(come)) == ("10.1.1.200", "inside 10.1.1.5:25")


def test_nat_outside_translates_what_comes_in() -> None:
    policy = judge(
        TWO_INTERFACES,
        "nat (outside) 1 198.51.100.0 255.255.255.0 outside",
        "global (inside) 1 10.1.1.100",
        "static (inside,outside) 203.0.113.5 10.1.1.5",
        "conduit permit ip any any",
    )
    assert client_of(policy.admit(tcp("outside", CLIENT, "203.0.113.5"))) == "10.1.1.100"
    assert client_of(policy.admit(tcp("outside", "192.0.2.1", "203.0.113.5"))) == "192.0.2.1"


def test_from_7_on_what_nothing_translates_passes_as_it_is() -> None:
    listed = ("access-list a extended permit tcp any any", "access-group a in interface outside")
    policy = judge(SEVEN, *listed)
    assert client_of(policy.admit(tcp("inside", "10.1.1.5", CLIENT))) == "10.1.1.5"
    assert server_of(policy.admit(tcp("outside", CLIENT, "10.1.1.5"))) == "inside 10.1.1.5:25"
    policy = judge(SEVEN, *listed, "nat-control")
    assert client_of(policy.admit(tcp("inside", "10.1.1.5", CLIENT))) == "NO_TRANSLATION"
    inbound = policy.admit(tcp("outside", CLIENT, "10.1.1.5"))
    assert inbound.denial is Denial.NO_TRANSLATION_INBOUND


def test_but_not_by_a_real_address_that_is_translated_on_the_way_back() -> None:
    policy = judge(
        SEVEN,
        "access-list a extended permit tcp any any",
        "access-group a in interface outside",
        "nat (inside) 1 10.1.1.0 255.255.255.0",
        "global (outside) 1 interface",
    )
    decision = policy.decide(tcp("outside", CLIENT, "10.1.1.5"))
    assert decision.admission.denial is Denial.NO_TRANSLATION
    assert decision.steps[-1].phase is Phase.TRANSLATION


def test_a_limit_of_nat_counts_all_that_it_translates() -> None:
    policy = judge(TWO_INTERFACES, "nat (inside) 1 0 0 100 20", "global (outside) 1 interface")
    one, other = (
        policy.admit(tcp("inside", host, CLIENT)).limits for host in ("10.1.1.5", "10.1.1.6")
    )
    assert (one.connections, one.embryonic) == (100, 20)
    assert one.target == other.target
