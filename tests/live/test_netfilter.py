"""The rules as text: what `iptables-restore` is given."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from appliance.box import Box
from appliance.config.model import RuleLine
from appliance.errors import PixguardError
from appliance.live import connmark
from appliance.live.compilation import compile_rules, print_rules
from appliance.live.table import Table
from tests.config.seven import SEVEN
from tests.policy.rules import THREE_INTERFACES, TWO_INTERFACES, configuration

BOX = Box(interfaces=(("outside", "eth0"), ("inside", "eth1")))
STATIC = "static (inside,outside) 203.0.113.5 10.1.1.5 netmask 255.255.255.255 0 0"
NO_FIXUPS = tuple(
    f"no fixup protocol {each}"
    for each in ("ftp", "h323 h225", "h323 ras", "sip", "sip udp", "tftp")
)


def chain(table: Table, name: str) -> list[str]:
    """The rules of a chain, without the comments that tell a line of the rule file."""
    return [
        re.sub(r' -m comment --comment "line \d+"', "", rule)
        for each in table.chains
        if each.name == name
        for rule in each.rules
    ]


def access_list(*rules: str) -> list[str]:
    """The chain that an access list becomes."""
    lines = [f"access-list a {rule}" for rule in rules]
    made = configuration(TWO_INTERFACES, *lines, "access-group a in interface outside")
    return chain(compile_rules(made, BOX).filter, "PIXGUARD-ACL-eth0")


@pytest.mark.parametrize(
    ("rule", "matches"),
    [
        ("permit ip any any", [""]),
        ("permit tcp any host 203.0.113.5", ["-p 6 -m conntrack --ctorigdst 203.0.113.5/32"]),
        (
            "permit tcp host 192.0.2.1 gt 1023 any eq smtp",
            ["-p 6 -s 192.0.2.1/32 -m tcp --sport 1024:65535 -m conntrack --ctorigdstport 25:25"],
        ),
        (
            "permit udp any neq 53 any neq 53",
            [
                f"-p 17 -m udp --sport {source} -m conntrack --ctorigdstport {destination}"
                for source in ("0:52", "54:65535")
                for destination in ("0:52", "54:65535")
            ],
        ),
        ("permit tcp any any range 20 30", ["-p 6 -m conntrack --ctorigdstport 20:30"]),
        ("permit tcp any any lt 1", ["-p 6 -m conntrack --ctorigdstport 0:0"]),
        ("permit icmp any any echo", ["-p 1 -m icmp --icmp-type 8"]),
        ("permit icmp any any", ["-p 1"]),
        ("permit 47 any any", ["-p 47"]),
    ],
)
def test_a_rule_becomes_matches(rule: str, matches: list[str]) -> None:
    expected = [f"{match} -j RETURN".strip() for match in matches]
    assert [made.strip() for made in access_list(rule)] == [*expected, "-j PIXGUARD-DENIED"]


def test_what_iptables_would_widen_matches_nothing_more() -> None:
    """ICMP type 255 means any type to iptables, and protocol 0 any protocol."""
    made = configuration(
        TWO_INTERFACES,
        "access-list a permit icmp any any echo",
        "access-group a in interface outside",
    )
    rule = made.access_lists[0].rules[0]
    for change, expected in (
        ({"icmp_type": 255}, []),
        ({"protocol": 6}, []),
        ({"protocol": 0, "icmp_type": None}, ["-m conntrack --ctproto 0 -j RETURN"]),
    ):
        changed = replace(rule, **change)
        lists = (replace(made.access_lists[0], lines=(RuleLine(changed, (changed,)),)),)
        compiled = compile_rules(replace(made, access_lists=lists), BOX)
        assert chain(compiled.filter, "PIXGUARD-ACL-eth0") == [*expected, "-j PIXGUARD-DENIED"]


def test_deny_drops_and_order_is_kept() -> None:
    assert access_list("deny tcp any any", "permit ip any any") == [
        "-p 6 -j PIXGUARD-DENIED",
        " -j RETURN",
        "-j PIXGUARD-DENIED",
    ]


def test_what_log_says_of_a_line() -> None:
    assert access_list(
        "permit tcp any any log",
        "permit udp any any log disable",
        "deny icmp any any log",
        "deny ip any any log disable",
    ) == [
        "-p 6 -j MARK --set-xmark 0x800000/0x800000",
        "-p 6 -j RETURN",
        "-p 17 -j RETURN",
        "-p 1 -j PIXGUARD-DENIED",
        " -j DROP",
        "-j PIXGUARD-DENIED",
    ]


def test_groups_are_written_out() -> None:
    made = configuration(
        TWO_INTERFACES,
        "object-group network servers",
        "network-object host 203.0.113.5",
        "network-object host 203.0.113.6",
        "object-group service mail tcp",
        "port-object eq smtp",
        "port-object range 109 110",
        "access-list a permit tcp any object-group servers object-group mail",
        "access-group a in interface outside",
    )
    text = compile_rules(made, BOX).filter.text()
    end = '-m comment --comment "line 12" -j RETURN'
    for host in (5, 6):
        for ports in ("25:25", "109:110"):
            match = f"-p 6 -m conntrack --ctorigdst 203.0.113.{host}/32"
            assert f"{match} -m conntrack --ctorigdstport {ports} {end}" in text


@pytest.mark.parametrize(
    ("lines", "matches"),
    [
        (
            ("periodic weekdays 8:00 to 17:59",),
            ["-m time --timestart 08:00:00 --timestop 17:59:59 --weekdays 1,2,3,4,5"],
        ),
        (
            ("periodic Friday 18:00 to Monday 6:00",),
            [
                "-m time --timestart 18:00:00 --timestop 23:59:59 --weekdays 5",
                "-m time --timestart 00:00:00 --timestop 06:00:59 --weekdays 1",
                "-m time --timestart 00:00:00 --timestop 23:59:59 --weekdays 6,7",
            ],
        ),
        (
            ("absolute start 8:00 1 January 2026 end 9:00 2 January 2026",),
            ["-m time --datestart 2026-01-01T08:00:00 --datestop 2026-01-02T09:00:59"],
        ),
    ],
)
def test_time_ranges(lines: tuple[str, ...], matches: list[str]) -> None:
    made = configuration(
        SEVEN,
        "time-range t",
        *lines,
        "access-list a permit ip any any time-range t",
        "access-group a in interface outside",
    )
    found = chain(compile_rules(made, BOX).filter, "PIXGUARD-ACL-eth0")
    permitted = [f"{match} -j RETURN" for match in matches]
    assert [rule.strip() for rule in found] == [*permitted, "-j PIXGUARD-DENIED"]


def test_each_rule_tells_its_line() -> None:
    made = configuration(
        TWO_INTERFACES, "access-list a permit ip any any", "access-group a in interface outside"
    )
    text = compile_rules(made, BOX).filter.text()
    assert '-A PIXGUARD-ACL-eth0  -m comment --comment "line 6" -j RETURN' in text


def test_statics_become_translations_both_ways() -> None:
    made = configuration(
        TWO_INTERFACES,
        STATIC,
        "static (inside,outside) tcp interface 2525 10.1.1.6 25 netmask 255.255.255.255 0 0",
        "static (inside,outside) 198.51.100.0 10.1.2.0 netmask 255.255.255.0 0 0",
    )
    nat = compile_rules(made, BOX).nat
    assert chain(nat, "PIXGUARD-DNAT") == [
        "-i eth0 -d 203.0.113.5/32 -j DNAT --to-destination 10.1.1.5",
        "-i eth0 -d 203.0.113.1/32 -p 6 --dport 2525 -j DNAT --to-destination 10.1.1.6:25",
        "-i eth0 -d 198.51.100.0/24 -j NETMAP --to 10.1.2.0/24",
    ]
    assert chain(nat, "PIXGUARD-SNAT") == [
        "-o eth0 -s 10.1.1.5/32 -m connmark --mark 0x800001/0x803fff "
        "-j SNAT --to-source 203.0.113.5",
        "-o eth0 -p 6 -s 10.1.1.6/32 -m tcp --sport 25 -m connmark --mark 0x800002/0x803fff "
        "-j SNAT --to-source 203.0.113.1:2525",
        "-o eth0 -s 10.1.2.0/24 -m connmark --mark 0x800003/0x803fff "
        "-j NETMAP --to 198.51.100.0/24",
        "-m connmark --mark 0x800000/0x800000 -j ACCEPT",
    ]


def test_every_fixup_range_is_inspected() -> None:
    made = configuration(TWO_INTERFACES, "fixup protocol smtp 587", "fixup protocol smtp 2000-2010")
    permit = chain(compile_rules(made, BOX).filter, "PIXGUARD-PERMIT")
    ports = [rule.split()[5] for rule in permit if "PIXGUARD-WORKER" in rule]
    assert ports == ["25:25", "587:587", "2000:2010"]


def test_workers_are_dealt_out_evenly() -> None:
    box = Box(interfaces=BOX.interfaces, workers=3, queue=100)
    table = compile_rules(configuration(TWO_INTERFACES), box).filter
    every = [re.findall(r"--every (\d)", rule) for rule in chain(table, "PIXGUARD-WORKER")]
    assert every == [["3"], ["2"], [], []]
    queues = [re.findall(r"--queue-num (\d+)", rule) for rule in chain(table, "PIXGUARD-QUEUE")]
    assert queues == [[], ["100"], ["101"], ["102"], []]
    assert "bypass" not in table.text()


def test_a_queue_passes_what_nobody_reads_only_if_so_asked() -> None:
    static = STATIC.replace("0 0", "5 5")
    table = compile_rules(
        configuration(TWO_INTERFACES, static), replace(BOX, workers=2, fail_open=True)
    ).filter
    queues = [rule for each in table.chains for rule in each.rules if "NFQUEUE" in rule]
    assert [rule.split("NFQUEUE ")[1] for rule in queues] == [
        "--queue-num 2500 --queue-bypass",
        "--queue-num 2501 --queue-bypass",
        "--queue-num 2500",  # what is beyond a limit is never let through
    ]


def test_limits_hold_for_each_address_on_the_mapped_side() -> None:
    statics = (
        "static (inside,outside) 203.0.113.0 10.1.1.0 netmask 255.255.255.0 tcp 7 3 udp 9",
        "static (inside,outside) tcp interface smtp 10.1.1.9 smtp netmask 255.255.255.255 4 0",
        "static (inside,outside) 203.0.114.5 10.1.2.5 netmask 255.255.255.255 0 3",
    )
    table = compile_rules(configuration(TWO_INTERFACES, *statics), BOX).filter
    each = "--connlimit-mask 32 --connlimit-daddr -j PIXGUARD-REFUSED"
    limits = [rule for rule in chain(table, "PIXGUARD-IN-eth0") if "connlimit" in rule]
    assert limits == [
        f"-p 6 -m connmark --mark 0x1/0x3fff -m connlimit --connlimit-above 7 {each}",
        f"-p 17 -m connmark --mark 0x1/0x3fff -m connlimit --connlimit-above 9 {each}",
        f"-p 6 -m connmark --mark 0x2/0x3fff -m connlimit --connlimit-above 4 {each}",
    ]
    assert not [rule for rule in chain(table, "PIXGUARD-IN-eth1") if "connlimit" in rule]
    assert chain(table, "PIXGUARD-REFUSED")[-1] == "-j DROP"


@pytest.mark.parametrize("name", ["PIXGUARD-ACL-eth0", "PIXGUARD-CONDUITS", "PIXGUARD-IN-eth0"])
def test_every_judging_chain_ends_in_a_drop(name: str) -> None:
    made = configuration(
        TWO_INTERFACES,
        STATIC,
        "conduit permit ip any any",
        "access-list a permit ip any any",
        "access-group a in interface outside",
    )
    filter = compile_rules(made, BOX).filter
    assert chain(filter, name)[-1] == "-j PIXGUARD-DENIED"
    assert chain(filter, "PIXGUARD-DENIED")[-1] == "-j DROP"


def test_an_interface_that_the_box_lacks_takes_no_part() -> None:
    made = configuration(
        THREE_INTERFACES,
        "static (dmz,outside) 203.0.113.7 172.16.1.7 netmask 255.255.255.255 0 0",
    )
    compiled = compile_rules(made, BOX)
    assert "172.16.1.7" not in compiled.filter.text() + compiled.nat.text()


def test_an_interface_that_is_shut_down_takes_no_part() -> None:
    made = configuration(TWO_INTERFACES, STATIC, "interface ethernet0 auto shutdown")
    compiled = compile_rules(made, BOX)
    assert "eth0" not in compiled.filter.text() + compiled.nat.text() + compiled.filter6.text()


def test_an_interface_that_the_rule_file_lacks_is_an_error() -> None:
    box = Box(interfaces=(*BOX.interfaces, ("lobby", "eth2")))
    with pytest.raises(PixguardError, match="'lobby'; the rule file names inside, outside"):
        compile_rules(configuration(TWO_INTERFACES), box)


def test_chain_names_fit_the_kernel() -> None:
    """XT_EXTENSION_MAXNAMELEN is 29, with the NUL."""
    box = Box(interfaces=(("outside", "o" * 15), ("inside", "NEW")))
    made = configuration(
        TWO_INTERFACES, "access-list a permit ip any any", "access-group a in interface outside"
    )
    names = [each.name for each in compile_rules(made, box).filter.chains]
    assert max(map(len, names)) <= 28
    assert len(set(names)) == len(names)


PRESENT = """\
*filter
:INPUT ACCEPT [0:0]
:FORWARD DROP [0:0]
:OUTPUT ACCEPT [0:0]
:PIXGUARD - [0:0]
:PIXGUARD-OLD - [0:0]
:ufw-before-forward - [0:0]
-A FORWARD -j PIXGUARD
-A FORWARD -j ufw-before-forward
-A PIXGUARD -j PIXGUARD-OLD
-A PIXGUARD-OLD -j DROP
COMMIT
"""


def test_what_is_ours_is_replaced_and_nothing_else() -> None:
    table = compile_rules(configuration(TWO_INTERFACES), BOX).filter
    lines = table.text(PRESENT).splitlines()
    assert [line for line in lines if line.startswith("-D")] == ["-D FORWARD -j PIXGUARD"]
    assert [line for line in lines if line.startswith("-X")] == ["-X PIXGUARD-OLD"]
    assert ":PIXGUARD-OLD - [0:0]" in lines
    assert not [line for line in lines if "ufw" in line or line.startswith(":FORWARD")]


def test_closed_lets_nothing_begin() -> None:
    rules = compile_rules(configuration(TWO_INTERFACES, STATIC), BOX)
    assert chain(rules.closed(), "PIXGUARD-NEW") == ["-j DROP"]
    assert chain(rules.closed(), "PIXGUARD-STATE") == chain(rules.filter, "PIXGUARD-STATE")


def test_the_parts_of_a_mark_do_not_overlap() -> None:
    parts = [
        connmark.TRANSLATION,
        connmark.HAIRPIN,
        connmark.ANSWERED,
        connmark.WORKER,
        connmark.INSPECTED,
        connmark.PERMITTED,
    ]
    assert sum(parts) == connmark.ALL == 0x00FFFFFF
    assert connmark.of_worker(63) == connmark.WORKER


def test_rules_are_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rule_file, box_file = tmp_path / "rules.conf", tmp_path / "box.yaml"
    rule_file.write_text(TWO_INTERFACES + STATIC + "\n")
    box_file.write_text("interfaces: {outside: eth0, inside: eth1}\n")
    assert print_rules(rule_file, box_file) == 0
    printed = capsys.readouterr().out
    assert printed.count("COMMIT") == 4
    assert "-j DNAT --to-destination 10.1.1.5" in printed


def test_helpers_are_given_by_the_real_port() -> None:
    made = configuration(
        TWO_INTERFACES,
        *NO_FIXUPS,
        "fixup protocol ftp 21",
        "static (inside,outside) tcp 203.0.113.5 2121 10.1.1.5 21 netmask 255.255.255.255",
        "static (inside,outside) tcp 203.0.113.6 21 10.1.1.6 2222 netmask 255.255.255.255",
        "static (inside,outside) tcp interface 80 10.1.1.6 80 netmask 255.255.255.255",
        "fixup protocol tftp 69",
    )
    rules = compile_rules(made, BOX)
    assert chain(rules.raw, "PIXGUARD-RAW") == [
        "-i eth0 -j PIXGUARD-HELPERS",
        "-i eth1 -j PIXGUARD-HELPERS",
    ]
    assert chain(rules.raw, "PIXGUARD-HELPERS") == [
        "-i eth0 -d 203.0.113.5/32 -p 6 -m tcp --dport 2121:2121 -j CT --helper ftp",
        "-i eth0 -d 203.0.113.6/32 -p 6 -m tcp --dport 21:21 -j RETURN",
        "-p 6 -m tcp --dport 21:21 -m addrtype ! --dst-type LOCAL -j CT --helper ftp",
        "-p 17 -m udp --dport 69:69 -m addrtype ! --dst-type LOCAL -j CT --helper tftp",
    ]
    assert [each for each in chain(rules.filter, "PIXGUARD-STATE") if "EXPECTED" in each] == [
        f"-m conntrack --ctstate RELATED -m connmark --mark 0x800000/0x800000 "
        f"-m helper --helper {name} -j PIXGUARD-EXPECTED"
        for name in ("ftp", "tftp")
    ]


def test_without_fixups_the_raw_table_is_left_alone() -> None:
    rules = compile_rules(configuration(TWO_INTERFACES, *NO_FIXUPS), BOX)
    assert rules.raw == Table("raw")
    assert "PIXGUARD-EXPECTED" not in rules.filter.text()


def test_a_static_of_the_interface_itself_is_helped() -> None:
    static = "static (inside,outside) interface 10.1.1.5 netmask 255.255.255.255"
    rules = compile_rules(configuration(TWO_INTERFACES, static), BOX)
    first = chain(rules.raw, "PIXGUARD-HELPERS")[0]
    assert first == "-i eth0 -d 203.0.113.1/32 -p 6 -m tcp --dport 21:21 -j CT --helper ftp"


def test_a_policy_at_an_interface_lets_in_what_comes_or_goes_there() -> None:
    made = configuration(
        SEVEN,
        "policy-map global_policy",
        " class class-default",
        "  inspect ftp",
        "service-policy global_policy interface outside",
    )
    rules = [e for e in chain(compile_rules(made, BOX).filter, "PIXGUARD-STATE") if "ftp" in e]
    assert [each.split()[:2] for each in rules] == [["-i", "eth0"], ["-o", "eth0"]]


def test_pairs_are_kept_only_where_somebody_may_come_back() -> None:
    line = "established tcp 4000 0 permitto tcp 6000"
    bound = ("access-list a deny ip any any", "access-group a in interface outside")
    inner = "access-group a in interface inside"
    assert compile_rules(configuration(TWO_INTERFACES), BOX).returns == ""
    rules = compile_rules(configuration(TWO_INTERFACES, line, *bound, inner), BOX)
    judged = "PIXGUARD-ACL-eth0"
    (asked,) = [rule for rule in chain(rules.filter, "PIXGUARD-IN-eth0") if judged in rule]
    assert asked == "-m mark ! --mark 0x4000/0x4000 -j PIXGUARD-ACL-eth0"
    # No mark of anybody's lets what goes out pass by the list there.
    assert "-j PIXGUARD-ACL-eth1" in chain(rules.filter, "PIXGUARD-IN-eth1")
    for name, priority in (("began", 1), ("returns", -1)):
        hook = f"type filter hook forward priority {priority}; policy accept;"
        # The first rule lets what is established go on.
        start = f"chain {name} {{\n    {hook}\n    ct state != new accept\n"
        assert start in rules.returns


def test_a_line_that_moves_leaves_the_pairs_alone() -> None:
    line = "established tcp 4000 0 permitto tcp 6000"
    here = compile_rules(configuration(TWO_INTERFACES, line), BOX)
    there = compile_rules(configuration(TWO_INTERFACES, "hostname fw", line), BOX)
    assert here.returns == there.returns != ""
