"""Two rule files, and the packets that fare differently."""

from __future__ import annotations

import json
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network
from itertools import product
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.admission import Opening
from appliance.config.model import (
    ANY,
    AccessGroup,
    AccessList,
    Configuration,
    Operator,
    Ports,
    Rule,
    RuleLine,
)
from appliance.diff.command import diff_files
from appliance.diff.comparison import Change, changed, compare
from appliance.diff.packets import sample
from appliance.errors import Place
from appliance.policy.policy import Policy
from appliance.smtp.release import DEFAULT
from tests.policy.rules import TWO_INTERFACES, configuration

RULES = Path(__file__).parents[2] / "rules"
STATIC = "static (inside,outside) 203.0.113.5 10.1.1.5 netmask 255.255.255.255 0 0"
MAIL = "access-list out permit tcp any host 203.0.113.5 eq smtp"
BOUND = "access-group out in interface outside"
BASE = (STATIC, MAIL, BOUND)


def changes(old: tuple[str, ...], new: tuple[str, ...]) -> dict[Change, set[str]]:
    """How packets fare differently, and the ends of these packets."""
    both = (configuration(TWO_INTERFACES, *old), configuration(TWO_INTERFACES, *new))
    groups = compare(*(Policy(each, DEFAULT) for each in both), sample(*both).packets)
    found: dict[Change, set[str]] = {}
    for group in groups:
        for each in group.differences:
            packet = each.packet
            told = f"{packet.protocol} {packet.source} {packet.destination} "
            told += f"{packet.destination_port}"
            found.setdefault(group.change, set()).add(told)
    return found


def test_nothing_differs_from_itself() -> None:
    assert changes(BASE, BASE) == {}


def test_a_line_that_says_the_same_twice_makes_no_difference() -> None:
    narrow = "access-list out permit tcp host 198.51.100.1 host 203.0.113.5 eq smtp"
    assert changes(BASE, (*BASE, narrow)) == {}


def test_a_port_more() -> None:
    found = changes(BASE, (*BASE, MAIL.replace("eq smtp", "range 80 90")))
    assert set(found) == {Change.PERMITTED}
    ports = {packet.split()[-1] for packet in found[Change.PERMITTED]}
    assert {"80", "90"} <= ports <= {str(port) for port in range(80, 91)}


def test_a_denial_before_a_permit_is_found_where_both_speak() -> None:
    denial = "access-list out deny ip 198.51.100.0 255.255.255.128 any"
    found = changes(BASE, (STATIC, denial, MAIL, BOUND))
    assert set(found) == {Change.DENIED}
    sources = {packet.split()[1] for packet in found[Change.DENIED]}
    assert {"198.51.100.0", "198.51.100.127"} <= sources
    assert sources <= {str(host) for host in IPv4Network("198.51.100.0/25")}


def test_two_lines_the_other_way_round() -> None:
    denial = "access-list out deny tcp host 198.51.100.9 any"
    found = changes((STATIC, MAIL, denial, BOUND), (STATIC, denial, MAIL, BOUND))
    assert found == {Change.DENIED: {"6 198.51.100.9 203.0.113.5 25"}}


def test_another_translation() -> None:
    found = changes(BASE, tuple(line.replace("10.1.1.5", "10.1.1.6") for line in BASE))
    assert any(packet.endswith("203.0.113.5 25") for packet in found[Change.TRANSLATED])
    # What one host began passed, and what the other one begins passes now.
    assert any(packet.startswith("6 10.1.1.5 ") for packet in found[Change.DENIED])
    assert any(packet.startswith("6 10.1.1.6 ") for packet in found[Change.PERMITTED])


def test_another_port_that_is_inspected() -> None:
    found = changes(
        (*BASE, MAIL.replace("smtp", "2525")),
        (*BASE, MAIL.replace("smtp", "2525"), "fixup protocol smtp 2525"),
    )
    assert set(found) == {Change.INSPECTED}
    assert all(packet.endswith(" 2525") for packet in found[Change.INSPECTED])


def test_a_port_that_the_kernel_reads() -> None:
    ftp = MAIL.replace("smtp", "ftp")
    found = changes((*BASE, ftp), (*BASE, ftp, "no fixup protocol ftp 21"))
    assert set(found) == {Change.HELPED}
    assert all(packet.endswith(" 21") for packet in found[Change.HELPED])
    assert any(packet.endswith(" 203.0.113.5 21") for packet in found[Change.HELPED])


def test_a_route_away() -> None:
    old, new = (
        configuration(text, *BASE)
        for text in (
            TWO_INTERFACES,
            TWO_INTERFACES.replace("route outside 0 0", "route outside 192.0.2.0 255.255.255.0"),
        )
    )
    groups = compare(Policy(old, DEFAULT), Policy(new, DEFAULT), sample(old, new).packets)
    assert {group.change for group in groups} == {Change.DENIED}


def test_a_sample_is_bounded_and_always_the_same() -> None:
    old, new = configuration(TWO_INTERFACES, *BASE), configuration(TWO_INTERFACES, STATIC)
    few = sample(old, new, 50)
    assert (len(few.packets), few.whole) == (50, False)
    assert few == sample(old, new, 50)
    assert sample(old, new).whole
    assert len(set(sample(old, new).packets)) == len(sample(old, new).packets)


def rule(
    permit: bool, protocol: int | None, source: IPv4Network, to: IPv4Network, ports: Ports | None
) -> Rule:
    compared = ports if protocol in (6, 17) else None
    return Rule(permit, protocol, source, None, to, compared, None, Place("test.conf", 1))


small_rules = st.builds(
    rule,
    st.booleans(),
    st.sampled_from([None, 6, 17]),
    st.sampled_from([ANY, *map(IPv4Network, ("198.51.100.0/24", "198.51.100.7/32"))]),
    st.sampled_from([ANY, *map(IPv4Network, ("203.0.113.4/31", "203.0.113.5/32"))]),
    st.sampled_from([None, Ports(Operator.EQ, 25, 25), Ports(Operator.RANGE, 20, 80)]),
)
WORLD = [
    Opening(protocol, IPv4Address(source), 40000, IPv4Address(to), port, ingress="outside")
    for protocol, source, to, port in product(
        (6, 17),
        ("198.51.100.7", "198.51.100.9", "192.0.2.7"),
        ("203.0.113.4", "203.0.113.5"),
        (19, 20, 25, 26, 80, 81),
    )
] + [
    Opening(47, IPv4Address(source), 0, IPv4Address(to), 0, ingress="outside")
    for source, to in product(
        ("198.51.100.7", "198.51.100.9", "192.0.2.7"), ("203.0.113.4", "203.0.113.5")
    )
]
SMALL = configuration(
    TWO_INTERFACES, STATIC, "static (inside,outside) 203.0.113.4 10.1.1.4 netmask 255.255.255.255"
)


def with_list(rules: list[Rule]) -> Configuration:
    return replace(
        SMALL,
        access_lists=(AccessList("out", tuple(RuleLine(each, (each,)) for each in rules)),),
        access_groups=(AccessGroup("out", "outside", Place("test.conf", 1)),),
    )


@settings(max_examples=200)
@given(st.lists(small_rules, max_size=4), small_rules, st.integers(0, 4))
def test_one_rule_more_is_found_if_it_makes_a_difference(
    rules: list[Rule], added: Rule, at: int
) -> None:
    old, new = with_list(rules), with_list([*rules[:at], added, *rules[at:]])
    policies = Policy(old, DEFAULT), Policy(new, DEFAULT)
    expected = {
        change
        for packet in WORLD
        if (change := changed(*(policy.decide(packet) for policy in policies)))
    }
    found = {group.change for group in compare(*policies, sample(old, new).packets)}
    assert found == expected


def test_text(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    old, new = RULES / "pix-6.3.conf", tmp_path / "new.conf"
    new.write_text(old.read_text().replace("203.0.113.5 eq smtp", "203.0.113.5 eq www"))
    assert diff_files(old, new, 10_000, False) == 1
    printed = capsys.readouterr().out.splitlines()
    assert printed[:6] == [
        "now permitted, from outside to inside: 1 packet",
        "    tcp 203.0.113.9/40000 to 203.0.113.5/80",
        f"  - {old}:45:1: no rule of outside_in permits it",
        "      access-group outside_in in interface outside",
        f"  + {new}:31:1: this rule of outside_in permits it",
        "      access-list outside_in permit tcp any host 203.0.113.5 eq www",
    ]
    assert printed[-1].endswith(" packets tried; 2 differ")


def test_json_and_the_log(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    old, new = RULES / "pix-6.3.conf", tmp_path / "new.conf"
    new.write_text(old.read_text().replace("trap informational", "trap debugging"))
    assert diff_files(old, new, 10_000, True) == 1
    found = json.loads(capsys.readouterr().out)
    assert (found["groups"], found["whole"]) == ([], True)
    assert found["lines_gone"] == ["logging trap informational"]
    assert found["lines_come"] == ["logging trap debugging"]


def test_exit_codes(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    good, bad = RULES / "pix-6.3.conf", tmp_path / "bad.conf"
    assert diff_files(good, good, 100, False) == 0
    bad.write_text("frobnicate x\n")
    assert diff_files(good, bad, 100, False) == 2
    assert "unknown command `frobnicate`" in capsys.readouterr().err
