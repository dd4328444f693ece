"""Hits of the lines of a rule file: the kernel's counters, read and carried over a reload."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address
from pathlib import Path

from appliance.admission import Opening
from appliance.live.compilation import compile_rules
from appliance.live.hits import Hits, kept_counts, read_hits, saved_counts
from appliance.live.iptables import install
from appliance.live.netfilter import Rules
from appliance.live.table import Chain, Table
from tests.live.router import running_router
from tests.namespaces import needs_namespaces
from tests.policy.rules import TWO_INTERFACES, configuration

SAVED = """\
*filter
:PIXGUARD-ACL-eth0 - [0:0]
:others - [0:0]
[5:300] -A others -m comment --comment "line 9"
[7:420] -A PIXGUARD-ACL-eth0 -p tcp -m comment --comment "line 9" -j RETURN
[1:60] -A PIXGUARD-ACL-eth0 -p udp -m comment --comment "line 9" -j RETURN
[2:99] -A PIXGUARD-ACL-eth0 -p icmp -m comment --comment "line 12" -j PIXGUARD-DENIED
[4:240] -A PIXGUARD-ACL-eth0 -j PIXGUARD-DENIED
COMMIT
"""
LIST = Chain(
    "PIXGUARD-ACL-eth0",
    (
        '-p 6 -m comment --comment "line 9" -j RETURN',
        '-p 17 -m comment --comment "line 9" -j RETURN',
        '-p 1 -m comment --comment "line 12" -j PIXGUARD-DENIED',
        "-j PIXGUARD-DENIED",
    ),
)


def test_a_line_has_the_hits_of_all_rules_that_it_has_become() -> None:
    assert read_hits(SAVED) == Hits({9: 8, 12: 2}, {"eth0": 4})
    assert read_hits("") == Hits({}, {})


def kept(*rules: str, name: str = LIST.name) -> list[str]:
    table = Table("filter", chains=(Chain(name, rules),))
    counts = kept_counts(SAVED, Table("filter", chains=(LIST,)), table)
    return [counts.get((name, number), "") for number in range(len(rules))]


def test_a_rule_that_stays_the_same_keeps_its_counts_wherever_it_has_gone() -> None:
    moved = '-p 1 -m comment --comment "line 2" -j PIXGUARD-DENIED'
    changed = '-p 6 -s 192.0.2.1 -m comment --comment "line 9" -j RETURN'
    assert kept(moved, changed, LIST.rules[3]) == ["[2:99]", "", "[4:240]"]
    assert kept(LIST.rules[0], LIST.rules[0]) == ["[7:420]", ""]
    assert kept(LIST.rules[0], name="PIXGUARD-ACL-eth1") == [""]


def test_a_chain_that_somebody_has_changed_begins_anew() -> None:
    table = Table("filter", chains=(replace(LIST, rules=LIST.rules[:3]),))
    assert kept_counts(SAVED, table, table) == {}


STATIC = "static (inside,outside) 203.0.113.5 10.1.1.5 netmask 255.255.255.255 0 0"
BIND = "access-group mail in interface outside"


@needs_namespaces
def test_hits_survive_a_reload(tmp_path: Path) -> None:
    with running_router(tmp_path) as router:
        machine = replace(router.box, interfaces=router.box.interfaces[:2])

        def compiled(*lines: str) -> Rules:
            return compile_rules(configuration(TWO_INTERFACES, STATIC, *lines, BIND), machine)

        def hits() -> Hits:
            return read_hits(router.inner.call(saved_counts))

        def send(port: int, number: int) -> None:
            here, there = IPv4Address("192.0.2.1"), IPv4Address("203.0.113.5")
            router.send(Opening(6, here, 4000 + number, there, port, ingress="outside"), number)
            router.collect()

        for name in ("out0", "in0"):
            router.inner.run("sysctl", "-qw", f"net.ipv4.conf.{name}.forwarding=1")
        router.inner.address("out0", "203.0.113.1/24")
        router.inner.address("in0", "10.1.1.1/24")
        permit = "access-list mail permit tcp any any eq 2525"
        deny = "access-list mail deny tcp any any eq 2526 log"
        first = compiled(permit, deny)
        router.inner.call(install, first)
        for number, port in enumerate((2525, 2526, 2526, 2527), 1):
            send(port, number)
        assert hits() == Hits({6: 1, 7: 1, 8: 2}, {"out0": 1})
        # The lines move, and a line that is new begins to count.
        moved = compiled("access-list mail deny udp any any", deny, permit)
        router.inner.call(install, moved, first)
        assert hits() == Hits({6: 1, 7: 0, 8: 2, 9: 1}, {"out0": 1})
        # Translations that change do not matter.
        other = compiled(deny, STATIC.replace("113.5", "113.6").replace("1.5", "1.6"), permit)
        router.inner.call(install, other, moved)
        send(2526, 5)
        found = hits()
        assert (found.lines[7], found.lines[9], found.ends) == (3, 1, {"out0": 1})
