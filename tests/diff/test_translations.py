"""What `nat`, `global`, policy statics, outbound lists and lists of what leaves make different."""

from __future__ import annotations

import random

import pytest

from appliance.config.load import read_rules
from appliance.diff.comparison import Change, changed, compare
from appliance.diff.packets import sample
from appliance.policy.policy import Policy
from appliance.smtp.release import DEFAULT
from tests.live.dice import SEVEN, SIX, Dice
from tests.policy.rules import configuration

NAT = "nat (inside) 1 10.1.1.0 255.255.255.0"
GLOBAL = "global (outside) 1 203.0.113.40"
LATER = SEVEN.format(version="PIX Version 7.2(1)", level=50, where="global")


def changes(base: str, old: tuple[str, ...], new: tuple[str, ...]) -> dict[Change, set[str]]:
    """How packets fare differently, and the ends of these packets."""
    both = configuration(base, *old), configuration(base, *new)
    groups = compare(*(Policy(each, DEFAULT) for each in both), sample(*both).packets)
    found: dict[Change, set[str]] = {}
    for group in groups:
        for each in group.differences:
            packet = each.packet
            found.setdefault(group.change, set()).add(f"{packet.source} > {packet.destination}")
    return found


def sources(found: set[str]) -> set[str]:
    return {each.split()[0] for each in found}


def destinations(found: set[str]) -> set[str]:
    return {each.split()[2] for each in found}


def test_another_network_of_a_nat() -> None:
    found = changes(SIX, (NAT, GLOBAL), (NAT.replace("255.255.255.0", "255.255.255.128"), GLOBAL))
    assert set(found) == {Change.DENIED}
    assert {"10.1.1.128", "10.1.1.255"} <= sources(found[Change.DENIED])


def test_another_address_of_a_global() -> None:
    found = changes(SIX, (NAT, GLOBAL), (NAT, GLOBAL.replace("40", "41")))
    assert set(found) == {Change.TRANSLATED, Change.PERMITTED, Change.DENIED}
    assert {"10.1.1.0", "10.1.1.255"} <= sources(found[Change.TRANSLATED])
    # The address itself can be reached when it is nobody's mapped one.
    assert destinations(found[Change.PERMITTED]) == {"203.0.113.40"}
    assert destinations(found[Change.DENIED]) == {"203.0.113.41"}


def test_a_global_less() -> None:
    found = changes(SIX, (NAT, GLOBAL), (NAT,))
    assert set(found) == {Change.DENIED}
    assert all(source.startswith("10.1.1.") for source in sources(found[Change.DENIED]))


def test_an_exemption_towards_one_network() -> None:
    exempt = ("access-list e permit ip 10.1.1.64 255.255.255.192 198.18.0.0 255.255.0.0",)
    found = changes(
        SIX,
        (NAT, GLOBAL, "conduit permit ip any any"),
        (*exempt, "nat (inside) 0 access-list e", NAT, GLOBAL, "conduit permit ip any any"),
    )
    assert set(found) == {Change.TRANSLATED, Change.PERMITTED}
    assert "10.1.1.127 > 198.18.255.255" in found[Change.TRANSLATED]
    # The other side may begin, too.
    assert "198.18.255.255 > 10.1.1.127" in found[Change.PERMITTED]


def test_a_policy_nat_for_one_host() -> None:
    listed = ("access-list p permit tcp 10.1.1.0 255.255.255.0 host 198.51.100.25 eq smtp",)
    found = changes(
        SIX,
        (NAT, GLOBAL),
        (*listed, "nat (inside) 2 access-list p", "global (outside) 2 203.0.113.50", NAT, GLOBAL),
    )
    assert set(found) == {Change.TRANSLATED, Change.DENIED}
    assert destinations(found[Change.TRANSLATED]) == {"198.51.100.25"}
    assert destinations(found[Change.DENIED]) == {"203.0.113.50"}


@pytest.mark.parametrize(
    ("list_before", "list_after", "which"),
    [
        ("host 10.1.1.5 host 198.51.100.25", "host 10.1.1.5 host 198.51.100.26", "peer"),
        ("host 10.1.1.5 host 198.51.100.25", "host 10.1.1.6 host 198.51.100.25", "host"),
    ],
)
def test_a_policy_static(list_before: str, list_after: str, which: str) -> None:
    static = "static (inside,outside) 203.0.113.5 access-list s"
    old, new = (
        (f"access-list s permit ip {each}", static, "conduit permit ip any any")
        for each in (list_before, list_after)
    )
    found = changes(SIX, old, new)
    if which == "peer":
        assert set(found) == {Change.PERMITTED, Change.DENIED}
        assert "198.51.100.25 > 203.0.113.5" in found[Change.DENIED]
        assert "198.51.100.26 > 203.0.113.5" in found[Change.PERMITTED]
    else:
        assert "198.51.100.25 > 203.0.113.5" in found[Change.TRANSLATED]
        assert "10.1.1.6 > 198.51.100.25" in found[Change.PERMITTED]


@pytest.mark.parametrize(
    ("lines", "packet"),
    [
        (("outbound 1 deny 10.1.1.128 255.255.255.128", "outgoing_src"), "10.1.1.255 > 192.0.2.7"),
        (("outbound 1 deny 198.51.100.0 255.255.255.0", "outgoing_dest"), "> 198.51.100.255"),
    ],
)
def test_an_outbound_list(lines: tuple[str, str], packet: str) -> None:
    line, way = lines
    found = changes(SIX, (NAT, GLOBAL), (NAT, GLOBAL, line, f"apply (inside) 1 {way}"))
    assert set(found) == {Change.DENIED}
    assert any(each.endswith(packet) for each in found[Change.DENIED])


def test_an_exception_of_an_outbound_list() -> None:
    applied = (NAT, GLOBAL, "outbound 1 deny 0 0", "apply (inside) 1 outgoing_src")
    excepted = "outbound 1 except 198.51.100.0 255.255.255.128 25 tcp"
    found = changes(SIX, applied, (*applied, excepted))
    assert set(found) == {Change.PERMITTED}
    assert {"198.51.100.0", "198.51.100.127"} <= destinations(found[Change.PERMITTED])


STATIC = "static (inside,outside) 203.0.113.5 10.1.1.5 netmask 255.255.255.255"
INCOMING = (
    "access-list in extended permit ip any any",
    "access-group in in interface outside",
)
LEAVING = (
    "access-list leaving extended permit tcp any host 10.1.1.5 eq smtp",
    "access-group leaving out interface inside",
)


def test_a_list_of_what_leaves_is_met_by_the_mapped_address() -> None:
    wider = LEAVING[0].replace("smtp", "www")
    found = changes(LATER, (STATIC, *INCOMING, *LEAVING), (STATIC, *INCOMING, wider, *LEAVING))
    assert set(found) == {Change.PERMITTED}
    assert destinations(found[Change.PERMITTED]) == {"203.0.113.5"}


def test_a_list_of_what_leaves_is_met_by_the_real_source() -> None:
    bound = "access-group leaving out interface outside"
    rules = [
        f"access-list leaving extended {verb}"
        for verb in (
            "deny ip host 203.0.113.5 host 198.51.100.25",
            "deny ip host 203.0.113.40 host 198.51.100.26",
            "permit ip any any",
        )
    ]
    nat = ("nat (inside) 1 10.1.1.128 255.255.255.128", GLOBAL)
    found = changes(LATER, (STATIC, *nat, rules[2], bound), (STATIC, *nat, *rules, bound))
    assert set(found) == {Change.DENIED}
    denied = found[Change.DENIED]
    assert "10.1.1.5 > 198.51.100.25" in denied
    assert {"10.1.1.128 > 198.51.100.26", "10.1.1.255 > 198.51.100.26"} <= denied


@pytest.mark.parametrize("seed", [9, 22, 51])
def test_what_random_packets_find_the_made_ones_find(seed: int) -> None:
    """A line less in a random rule file: whatever change random packets show, the sample has."""
    dice = Dice(seed)
    text = dice.text()
    lines = text.splitlines(keepends=True)
    commands = ("nat", "global", "outbound", "static", "access-list", "access-group")
    numbers = [number for number, line in enumerate(lines) if line.startswith(commands)]
    compared = 0
    for number in random.Random(seed).sample(numbers, 4):  # noqa: S311
        other = "".join(lines[:number] + lines[number + 1 :])
        old, new = (read_rules(each, "").configuration for each in (text, other))
        if old is None or new is None:
            continue
        policies = Policy(old, DEFAULT), Policy(new, DEFAULT)
        expected = {
            change
            for packet in dice.openings(old, 300).values()
            if (change := changed(*(policy.decide(packet) for policy in policies)))
        }
        found = {group.change for group in compare(*policies, sample(old, new).packets)}
        assert expected <= found, lines[number]
        compared += 1
    assert compared
