"""Rules that no packet reaches, against all packets of a small world."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network
from itertools import product

from hypothesis import example, given
from hypothesis import strategies as st

from appliance.admission import Opening
from appliance.config.model import ANY, Operator, Ports, Rule
from appliance.errors import Place
from appliance.policy.access_list import matches
from appliance.policy.shadow import shadows

# Two addresses, both in a network of two, which is in one of four; and two beyond.
ADDRESSES = tuple(map(IPv4Address, ("10.0.0.0", "10.0.0.1", "10.0.0.2", "9.9.9.9")))
NETWORKS = tuple(
    map(IPv4Network, ("10.0.0.0/32", "10.0.0.1/32", "10.0.0.0/31", "10.0.0.0/30", "0.0.0.0/0"))
)
PORTS = (0, 1, 2, 65535)
BETWEEN = 1000  # stands for all that no comparison names
WORLD = [
    *(
        Opening(protocol, source, sport, destination, dport)
        for protocol in (6, 17)
        for source, destination in product(ADDRESSES, repeat=2)
        for sport, dport in product((*PORTS, BETWEEN), repeat=2)
    ),
    *(
        Opening(1, source, 0, destination, 0, icmp_type)
        for source, destination in product(ADDRESSES, repeat=2)
        for icmp_type in (0, 8, 11)
    ),
    *(Opening(47, source, 0, to, 0) for source, to in product(ADDRESSES, repeat=2)),
]

comparisons = st.none() | st.builds(
    lambda operator, low, high: (
        Ports(operator, min(low, high), max(low, high))
        if operator is Operator.RANGE
        else Ports(operator, low, low)
    ),
    st.sampled_from(Operator),
    st.sampled_from(PORTS),
    st.sampled_from(PORTS),
)


@st.composite
def rules(draw: st.DrawFn) -> Rule:
    protocol = draw(st.sampled_from([None, 1, 6, 17, 47]))
    has_ports = protocol in (6, 17)
    return Rule(
        permit=draw(st.booleans()),
        protocol=protocol,
        source=draw(st.sampled_from(NETWORKS)),
        source_ports=draw(comparisons) if has_ports else None,
        destination=draw(st.sampled_from(NETWORKS)),
        destination_ports=draw(comparisons) if has_ports else None,
        icmp_type=draw(st.sampled_from([None, 0, 8])) if protocol == 1 else None,
        place=Place("test.conf", 1),
    )


def taken(rule: Rule) -> set[int]:
    return {number for number, packet in enumerate(WORLD) if matches(rule, packet)}


def covers(earlier: Rule, later: Rule) -> bool:
    """Whether the later one can match nothing: either it never can, or it is in the shadow."""
    behind = replace(later, place=Place("test.conf", 2))
    return not taken(later) or any(shadows((earlier, behind)))


MAIL = Rule(True, 6, ANY, None, ANY, Ports(Operator.EQ, 2, 2), None, Place("test.conf", 1))


@given(rules(), rules())
@example(MAIL, replace(MAIL, destination_ports=None))
@example(
    replace(MAIL, destination_ports=Ports(Operator.RANGE, 0, 65535)),
    replace(MAIL, destination_ports=None),
)
def test_one_rule_covers_another_where_it_matches_all_of_its_packets(
    earlier: Rule, later: Rule
) -> None:
    assert covers(earlier, later) == (taken(later) <= taken(earlier))


@given(st.lists(rules(), max_size=7), st.lists(st.booleans(), min_size=7, max_size=7))
def test_a_line_is_unreachable_where_one_rule_before_takes_each_of_its_rules(
    listed: list[Rule], joined: list[bool]
) -> None:
    """Rules that follow one another may be those of one line, which names groups."""
    numbered: list[Rule] = []
    for rule, joins in zip(listed, joined, strict=False):
        line = numbered[-1].place.line + (not joins) if numbered else 1
        numbered.append(replace(rule, place=Place("test.conf", line)))
    expected = {}
    for line in {rule.place.line for rule in numbered}:
        own = [rule for rule in numbered if rule.place.line == line and taken(rule)]
        before = [rule for rule in numbered if rule.place.line < line]
        first = [
            next((each.place.line for each in before if taken(rule) <= taken(each)), None)
            for rule in own
        ]
        if own and None not in first:
            expected[line] = set(first)
    found = {
        each.rules[0].place.line: {rule.place.line for rule in each.by}
        for each in shadows(numbered)
    }
    assert found == expected


def test_a_long_list() -> None:
    """5,000 rules, none like another: many ports of one host, many hosts, many networks."""
    long: list[Rule] = []
    for number in range(5000):
        where = IPv4Network((0x0A000000 + number * 256, 8 + number % 25), strict=False)
        port = Ports(Operator.RANGE, number, number + 3) if number % 3 else None
        long.append(Rule(True, 6, ANY, None, where, port, None, Place("test.conf", number + 1)))
    found = list(shadows(long))
    assert found
