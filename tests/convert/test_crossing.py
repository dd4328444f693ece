"""What rules take together, and lists that say the same with fewer lines."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network

from hypothesis import given
from hypothesis import strategies as st

from appliance.admission import Opening
from appliance.config.model import Operator, Ports, Rule, RuleLine
from appliance.convert.crossing import alone, conjoined, covers, crossing, tidied
from appliance.convert.rewriting import Rewrite, mirrored, rewritten
from appliance.errors import Place
from appliance.policy.access_list import Rules, matches
from appliance.protocol import ICMP, TCP, UDP

PLACE = Place("test.conf", 1)
NETWORKS = st.sampled_from(
    [
        IPv4Network(text)
        for text in (
            "0.0.0.0/0",
            "10.0.0.0/30",
            "10.0.0.1/32",
            "10.0.0.2/31",
            "192.0.2.0/30",
            "192.0.2.1/32",
        )
    ]
)
ADDRESSES = st.sampled_from(
    [IPv4Address(text) for text in ("10.0.0.1", "10.0.0.2", "10.0.0.3", "192.0.2.1", "192.0.2.2")]
)
PORTS = st.none() | st.builds(
    lambda operator, low, more: Ports(
        operator, low, low + more if operator is Operator.RANGE else low
    ),
    st.sampled_from(Operator),
    st.integers(1, 4),
    st.integers(0, 3),
)


@st.composite
def rules(draw: st.DrawFn) -> Rule:
    protocol = draw(st.sampled_from([None, TCP, UDP, ICMP]))
    has_ports = protocol in (TCP, UDP)
    return Rule(
        draw(st.booleans()),
        protocol,
        draw(NETWORKS),
        draw(PORTS) if has_ports else None,
        draw(NETWORKS),
        draw(PORTS) if has_ports else None,
        draw(st.sampled_from([None, 0, 8])) if protocol == ICMP else None,
        PLACE,
    )


@st.composite
def packets(draw: st.DrawFn) -> Opening:
    protocol = draw(st.sampled_from([TCP, UDP, ICMP, 47]))
    has_ports = protocol in (TCP, UDP)
    ports = [draw(st.integers(0, 8)) if has_ports else 0 for _ in range(2)]
    return Opening(
        protocol,
        draw(ADDRESSES),
        ports[0],
        draw(ADDRESSES),
        ports[1],
        draw(st.sampled_from([0, 8])) if protocol == ICMP else -1,
    )


def permits(lines: tuple[Rule, ...], packet: Opening) -> bool:
    rule = Rules(lines).first_match(packet)
    return rule is not None and rule.permit


LISTS = st.lists(rules(), max_size=6).map(tuple)


@given(rules(), rules(), packets())
def test_what_two_rules_take(one: Rule, other: Rule, packet: Opening) -> None:
    both = matches(one, packet) and matches(other, packet)
    assert any(matches(each, packet) for each in crossing(one, other)) == both


@given(rules(), rules(), packets())
def test_a_rule_that_covers_another_takes_all_of_it(
    one: Rule, other: Rule, packet: Opening
) -> None:
    if covers(one, other) and matches(other, packet):
        assert matches(one, packet)


@given(LISTS, LISTS, packets())
def test_a_list_that_two_must_permit(
    one: tuple[Rule, ...], other: tuple[Rule, ...], packet: Opening
) -> None:
    both = permits(one, packet) and permits(other, packet)
    assert permits(tuple(conjoined(one, other)), packet) == both


@given(LISTS, packets())
def test_a_tidied_list_says_the_same(lines: tuple[Rule, ...], packet: Opening) -> None:
    assert permits(tidied(lines), packet) == permits(lines, packet)


MAPPED, REAL = IPv4Network("192.0.2.0/30"), IPv4Network("10.0.0.0/30")
TO_MAPPED = Rule(True, None, IPv4Network("0.0.0.0/0"), None, MAPPED, None, None, PLACE)


def elementary(lines: object) -> tuple[Rule, ...]:
    assert isinstance(lines, tuple)
    return tuple(rule for line in lines if isinstance(line, RuleLine) for rule in line.rules)


@given(LISTS, packets())
def test_a_list_that_names_real_addresses(lines: tuple[Rule, ...], packet: Opening) -> None:
    """Packets to mapped addresses, and to those that nothing translates, fare as before."""
    made = elementary(rewritten(tuple(map(alone, lines)), [Rewrite(TO_MAPPED, REAL, None)]))
    if packet.destination in REAL:
        return  # nobody may be sent to these on that side
    real = packet
    if packet.destination in MAPPED:
        offset = int(packet.destination) - int(MAPPED.network_address)
        real = Opening(
            packet.protocol,
            packet.source,
            packet.source_port,
            REAL[offset],
            packet.destination_port,
            packet.icmp_type,
        )
    assert permits(made, real) == permits(lines, packet)


def test_sources_are_renamed_like_destinations() -> None:
    line = Rule(
        True, TCP, MAPPED, None, IPv4Network("198.51.100.0/24"), Ports(Operator.EQ, 25, 25), None,
        PLACE,
    )  # fmt: skip
    (made,) = mirrored((alone(line),), [Rewrite(TO_MAPPED, REAL, None)])
    assert isinstance(made, RuleLine)
    assert made.rule.source == REAL
    assert made.rule.destination == IPv4Network("198.51.100.0/24")
    assert made.rule.destination_ports == Ports(Operator.EQ, 25, 25)
