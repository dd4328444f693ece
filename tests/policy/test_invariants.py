"""What holds for every address, port and rule."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network

from hypothesis import given
from hypothesis import strategies as st

from appliance.admission import Opening
from appliance.config.model import (
    ANY,
    AccessGroup,
    AccessList,
    Operator,
    Ports,
    Route,
    Rule,
    RuleLine,
)
from appliance.errors import Place
from appliance.events import Denial
from appliance.policy.access_list import Rules, matches
from appliance.policy.policy import Policy
from appliance.policy.routing import Routing
from appliance.policy.translation import Translation, Translations
from appliance.smtp.release import DEFAULT
from tests.policy.rules import TWO_INTERFACES, configuration

PLACE = Place("test.conf", 1)
STATICS = configuration(
    TWO_INTERFACES,
    "static (inside,outside) 203.0.113.5 10.1.1.5 netmask 255.255.255.255 0 0",
    "static (inside,outside) tcp 203.0.113.6 2525 10.1.1.6 25 netmask 255.255.255.255 0 0",
    "static (inside,outside) 198.51.100.0 10.1.1.0 netmask 255.255.255.0 0 0",
    "conduit permit ip any any",
)

addresses = st.one_of(
    st.ip_addresses(v=4),
    st.integers(0, 255).map(lambda host: IPv4Address("10.1.1.0") + host),
    st.integers(0, 255).map(lambda host: IPv4Address("203.0.113.0") + host),
    st.integers(0, 255).map(lambda host: IPv4Address("198.51.100.0") + host),
)
ports = st.one_of(st.sampled_from([24, 25, 26, 2525]), st.integers(0, 65535))
networks = st.builds(
    lambda address, length: IPv4Network((address, length), strict=False),
    st.ip_addresses(v=4),
    st.integers(0, 32),
)
comparisons = st.one_of(
    st.none(),
    st.builds(
        lambda operator, low, high: Ports(operator, min(low, high), max(low, high)),
        st.sampled_from(Operator),
        ports,
        ports,
    ),
)
rules = st.builds(
    Rule,
    permit=st.booleans(),
    protocol=st.sampled_from([None, 1, 6, 17, 47]),
    source=st.one_of(st.just(ANY), networks),
    source_ports=comparisons,
    destination=st.one_of(st.just(ANY), networks),
    destination_ports=comparisons,
    icmp_type=st.one_of(st.none(), st.integers(0, 255)),
    place=st.just(PLACE),
)
openings = st.builds(
    Opening,
    protocol=st.sampled_from([1, 6, 17, 47]),
    source=addresses,
    source_port=ports,
    destination=addresses,
    destination_port=ports,
    icmp_type=st.integers(0, 255),
    ingress=st.sampled_from(["", "outside", "inside"]),
)


@given(openings)
def test_what_passes_has_a_translation(opening: Opening) -> None:
    admission = Policy(STATICS, DEFAULT).admit(opening)
    inner = admission.server if admission.inbound else admission.client
    outer = admission.client if admission.inbound else admission.server
    if admission.denial is None:
        assert inner.interface == "inside" and inner.address != inner.mapped
        assert outer.interface == "outside" and outer.address == outer.mapped


@given(openings)
def test_without_a_static_nothing_passes(opening: Opening) -> None:
    judge = Policy(replace(STATICS, statics=()), DEFAULT)
    assert judge.admit(opening).denial is not None


@given(addresses, ports, st.sampled_from([6, 17]))
def test_translating_there_and_back(address: IPv4Address, port: int, protocol: int) -> None:
    for each in Translations(STATICS, Routing(STATICS)).between(("inside", "outside")):
        if each.takes_real(protocol, address, port):
            mapped = each.to_mapped(address, port)
            assert each.takes_mapped(protocol, *mapped)
            assert each.to_real(*mapped) == (address, port)


@given(st.integers(1, 254), ports, st.sampled_from(["outside", "inside"]), st.integers(1024, 65535))
def test_a_capture_reads_alike_on_both_sides(host: int, port: int, side: str, other: int) -> None:
    """A flow is judged alike, whether the capture shows the real address or the mapped one."""
    judge = Policy(STATICS, DEFAULT)
    real, foreign = IPv4Address("10.1.1.0") + host, IPv4Address("192.0.2.7")
    if judge.admit(Opening(6, foreign, other, real, port)).denial:
        return  # the firewall's own address
    packet = Opening(6, real, port, foreign, other, ingress="inside")
    source = Translations(STATICS, Routing(STATICS)).of_source(packet, "outside")
    assert isinstance(source, Translation)
    mapped, mapped_port = source.to_mapped(real, port)
    if side == "outside":
        seen = [(foreign, other, real, port), (foreign, other, mapped, mapped_port)]
    else:
        seen = [(real, port, foreign, other), (mapped, mapped_port, foreign, other)]
    inside, outside = (judge.admit(Opening(6, *flow)) for flow in seen)
    assert inside == outside
    assert inside.inbound == (side == "outside")


@given(st.lists(rules), openings)
def test_the_first_rule_that_matches_decides(listed: list[Rule], opening: Opening) -> None:
    found = Rules(listed).first_match(opening)
    speaking = [rule for rule in listed if matches(rule, opening)]
    assert found is (speaking[0] if speaking else None)
    bound = replace(
        STATICS,
        access_lists=(AccessList("a", tuple(RuleLine(rule, (rule,)) for rule in listed)),),
        access_groups=(AccessGroup("a", "outside", PLACE),),
    )
    admission = Policy(bound, DEFAULT).admit(replace(opening, ingress="outside"))
    if admission.denial not in (Denial.OWN_ADDRESS, Denial.NO_ROUTE):
        permitted = found is not None and found.permit
        assert (admission.denial is Denial.ACCESS_LIST) == (not permitted)


@given(rules, openings)
def test_only_what_has_ports_matches_a_comparison_of_ports(rule: Rule, opening: Opening) -> None:
    if matches(rule, opening):
        for compared, port in (
            (rule.source_ports, opening.source_port),
            (rule.destination_ports, opening.destination_port),
        ):
            assert compared is None or (opening.protocol in (6, 17) and port in compared)


@given(st.lists(networks, max_size=8), st.ip_addresses(v=4))
def test_the_most_specific_route_leads(listed: list[IPv4Network], address: IPv4Address) -> None:
    routes = tuple(
        Route("outside" if number % 2 else "inside", network, IPv4Address("10.1.1.9"), 1, PLACE)
        for number, network in enumerate(listed)
    )
    made = replace(STATICS, routes=routes)
    leading = Routing(made).towards(address)
    fitting = [(network, name) for network, name in _all(routes) if address in network]
    longest = max((network.prefixlen for network, _ in fitting), default=-1)
    expected = [name for network, name in fitting if network.prefixlen == longest]
    assert (leading.name if leading else None) == (expected[0] if expected else None)


def _all(routes: tuple[Route, ...]) -> list[tuple[IPv4Network, str]]:
    connected = [
        (IPv4Network("203.0.113.0/24"), "outside"),
        (IPv4Network("10.1.1.0/24"), "inside"),
    ]
    return [*connected, *((route.network, route.interface) for route in routes)]
