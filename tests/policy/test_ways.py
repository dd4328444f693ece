"""What becomes what: blocks of addresses and ports of the `nat` of 8.3 and later."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, summarize_address_range

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.config.model import ANY, Operator, Ports, Service
from appliance.policy.ways import (
    MAX_BLOCKS,
    Block,
    PortChange,
    Untranslatable,
    blocks,
    layers,
    port_changes,
    single_hosts,
)


def span(first: str, size: int) -> tuple[IPv4Network, ...]:
    start = IPv4Address(first)
    return tuple(summarize_address_range(start, start + (size - 1)))


@given(st.integers(0, 300), st.integers(0, 300), st.integers(1, 40), st.integers(0, 40))
def test_addresses_become_others_in_their_order(
    start: int, other: int, size: int, more: int
) -> None:
    before = span(str(IPv4Address("10.1.0.0") + start), size)
    after = span(str(IPv4Address("203.0.113.0") + other), size + more)
    pairs = [
        (each.before[n], each.after[n])
        for each in blocks(before, after)
        for n in range(each.before.num_addresses)
    ]
    reals = [address for network in before for address in network]
    mapped = [address for network in after for address in network]
    assert pairs == [(reals[n % size], each) for n, each in enumerate(mapped)]


@given(st.integers(1, 20), st.integers(0, 60))
def test_layers_tell_what_was_what(size: int, more: int) -> None:
    found = blocks(span("10.1.1.3", size), span("203.0.113.9", size + more))
    parts = layers(found)
    assert tuple(block for part in parts for block in part) == found
    for part in parts:
        befores = [address for block in part for address in block.before]
        assert len(befores) == len(set(befores))


def test_what_stays_is_not_taken_apart() -> None:
    assert blocks((ANY,), (ANY,)) == (Block(ANY, ANY),)
    odd = span("10.1.1.3", 9)
    assert blocks(odd, odd) == tuple(Block(each, each) for each in odd)


def test_what_cannot_be_translated() -> None:
    with pytest.raises(Untranslatable, match="2 addresses cannot each become one of 1"):
        blocks(span("10.1.1.4", 2), span("203.0.113.4", 1))
    with pytest.raises(Untranslatable, match="network by network"):
        blocks(span("10.1.0.1", 4096), span("203.0.0.0", 4096))
    with pytest.raises(Untranslatable, match=f"more than {MAX_BLOCKS} hosts"):
        single_hosts(blocks(span("10.1.0.0", 2048), span("10.2.0.0", 2048)), changes=True)


def eq(port: int) -> Ports:
    return Ports(Operator.EQ, port, port)


def test_the_way_back_of_ports() -> None:
    (change,) = port_changes([Service(6, eq(25), eq(80))], [Service(6, eq(2525), eq(8080))])
    assert change == PortChange(6, (eq(25), eq(2525)), (eq(80), eq(8080)))
    assert change.mirror == PortChange(6, (eq(8080), eq(80)), (eq(2525), eq(25)))
    assert change.mirror.mirror == change
    assert change.takes(6, 25, 80)
    assert not change.takes(17, 25, 80)
    assert not change.takes(6, 25, 81)


def span_of(low: int, high: int) -> Ports:
    return Ports(Operator.RANGE, low, high)


def test_a_range_of_ports_becomes_another_one_port_by_port() -> None:
    low, high = span_of(24, 26), span_of(2524, 2526)
    changes = port_changes([Service(6, low, eq(80))], [Service(6, high, eq(81))])
    assert changes == tuple(
        PortChange(6, (eq(port), eq(port + 2500)), (eq(80), eq(81))) for port in (24, 25, 26)
    )
    assert port_changes([Service(6, low)], [Service(6, low)]) == (PortChange(6, (low, low), None),)


@pytest.mark.parametrize(
    ("before", "after", "problem"),
    [
        (Service(6, eq(1)), Service(17, eq(1)), "different protocols"),
        (Service(1, icmp_type=8), Service(1, icmp_type=8), "only services of TCP and UDP"),
        (Service(6, eq(1)), Service(6, None, eq(1)), "a port that the other one does not"),
        (Service(6, eq(1)), Service(6, Ports(Operator.GT, 1, 1)), "only ports that are named"),
        (Service(6, span_of(1, 3)), Service(6, span_of(5, 6)), "3 ports cannot become 2"),
        (Service(6, span_of(1, 129)), Service(6, span_of(201, 329)), "more than 128 ports"),
    ],
)
def test_ports_that_cannot_become_others(before: Service, after: Service, problem: str) -> None:
    with pytest.raises(Untranslatable, match=problem):
        port_changes([before], [after])
