"""What does nothing is told, with its line and what would be right; what works draws nothing."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Network
from pathlib import Path

import pytest

from appliance.config.load import read_file, read_rules
from appliance.errors import Finding, Severity
from appliance.policy.review import review
from tests.policy.rules import THREE_INTERFACES, TWO_INTERFACES, configuration

RULES = Path(__file__).parents[2] / "rules"
STATIC = "static (inside,outside) 203.0.113.5 10.1.1.5 netmask 255.255.255.255 0 0"
BOUND = "access-group out in interface outside"
MAIL = "access-list out permit tcp any host 203.0.113.5 eq smtp"
SEVEN = """\
ASA Version 7.2(1)
interface Ethernet0
 nameif outside
 security-level 0
 ip address 203.0.113.1 255.255.255.0
interface Ethernet1
 nameif inside
 security-level 100
 ip address 10.1.1.1 255.255.255.0
nat-control
"""


def findings(*lines: str, interfaces: str = TWO_INTERFACES) -> list[Finding]:
    return list(review(configuration(interfaces, *lines)))


def only(*lines: str, interfaces: str = TWO_INTERFACES) -> Finding:
    (finding,) = findings(*lines, interfaces=interfaces)
    assert finding.severity is Severity.WARNING
    return finding


def line(number: int, interfaces: str = TWO_INTERFACES) -> int:
    """The line of the file that one after the interfaces is, counted from 1."""
    return interfaces.count("\n") + number


@pytest.mark.parametrize("path", sorted(RULES.glob("*.conf")), ids=lambda path: path.name)
def test_the_ready_files_draw_nothing(path: Path) -> None:
    reading = read_file(path)
    assert reading.configuration is not None
    assert (reading.findings, review(reading.configuration)) == ((), ())


def test_an_access_list_that_nothing_uses() -> None:
    finding = only(STATIC, MAIL, BOUND, "access-list old permit tcp any any eq www")
    assert (finding.place.line, finding.place.column) == (line(4), 13)
    assert finding.problem == "nothing uses access-list old"


@pytest.mark.parametrize(
    "use",
    ["nat (inside) 0 access-list vpn", "crypto map m 10 match address vpn", "aaa match vpn x y"],
)
def test_an_access_list_may_be_used_by_what_is_not_implemented(use: str) -> None:
    text = "\n".join((TWO_INTERFACES, STATIC, MAIL, BOUND, f"{use}"))
    reading = read_rules(f"{text}\naccess-list vpn permit ip any any\n", "test.conf", lenient=True)
    assert reading.configuration is not None
    assert review(reading.configuration) == ()


def test_an_access_list_that_is_gone_again_is_none() -> None:
    assert not findings("access-list old permit tcp any any", "no access-list old")


def test_a_name_that_stands_for_no_address_used() -> None:
    assert not findings("name 10.1.1.5 mail", STATIC.replace("10.1.1.5", "mail"), MAIL, BOUND)
    problems = [each.problem for each in findings("name 10.1.1.5 mail", "name 10.1.1.6 web")]
    assert problems == ["nothing uses name mail", "nothing uses name web"]


def test_maps_of_classes_and_policies_that_nothing_uses() -> None:
    lines = (
        "class-map mail\n match port tcp eq smtp",
        "class-map web\n match port tcp eq www",
        "class-map match-all other\n match port tcp eq 81",
        "policy-map first\n class mail\n  inspect esmtp",
        "policy-map second\n class mail",
        "service-policy first global",
    )
    problems = [each.problem for each in findings(*lines, interfaces=SEVEN)]
    assert problems == [
        "nothing uses class-map web",
        "nothing uses class-map other",
        "nothing uses policy-map second",
    ]


def test_a_rule_that_an_earlier_one_makes_redundant() -> None:
    finding = only(STATIC, "access-list out permit tcp any host 203.0.113.5", MAIL, BOUND)
    assert finding.place.line == line(3)
    assert f"line {line(2)} before it does the same" in finding.problem
    assert "redundant" in finding.remedy


def test_a_rule_that_an_earlier_one_contradicts() -> None:
    finding = only(
        STATIC,
        "access-list out permit udp any host 203.0.113.5",
        "access-list out deny tcp any 203.0.113.0 255.255.255.0 lt 1024",
        MAIL,
        BOUND,
    )
    assert finding.place.line == line(4)
    assert f"it contradicts line {line(3)}, by which it is denied" in finding.remedy


def test_a_conduit_that_an_earlier_one_takes_all_of() -> None:
    finding = only(
        STATIC,
        "conduit permit tcp host 203.0.113.5 any",
        "conduit permit tcp host 203.0.113.5 eq smtp any",
    )
    assert finding.place.line == line(3)


def test_a_static_without_a_permit() -> None:
    other = "static (inside,outside) 203.0.113.6 10.1.1.6 netmask 255.255.255.255 0 0"
    finding = only(STATIC, other, MAIL, BOUND)
    assert finding.place.line == line(2)
    assert finding.problem == "no rule lets anything that comes in by outside reach 203.0.113.6"
    assert "access-list out permit tcp any host 203.0.113.6 eq PORT" in finding.remedy
    assert only(STATIC).remedy.endswith("and `access-group LIST in interface outside`")
    assert not findings(STATIC, "conduit permit tcp 203.0.113.0 255.255.255.0 eq smtp any")


def test_a_permit_that_is_never_reached_permits_nothing() -> None:
    problems = [
        each.problem for each in findings(STATIC, "access-list out deny ip any any", MAIL, BOUND)
    ]
    assert len(problems) == 2
    assert problems[0].startswith("no rule lets anything")


def test_a_static_of_one_port_needs_a_permit_for_that_port() -> None:
    static = "static (inside,outside) tcp 203.0.113.5 2525 10.1.1.5 25 netmask 255.255.255.255 0 0"
    first, second = findings(static, MAIL, BOUND)
    assert first.problem.startswith("no rule lets anything that comes in")
    assert second.problem.startswith("nothing translates 203.0.113.5")
    assert not findings(static, MAIL.replace("smtp", "2525"), BOUND)


def test_a_static_that_keeps_its_addresses_needs_no_permit() -> None:
    assert not findings("static (inside,outside) 10.1.1.0 10.1.1.0 netmask 255.255.255.0 0 0")


def test_a_permit_to_what_nothing_translates() -> None:
    finding = only(STATIC, MAIL, MAIL.replace(".5", ".6"), BOUND)
    assert finding.place.line == line(3)
    assert finding.problem == (
        "nothing translates 203.0.113.6 for what comes in by outside: what this line permits to go "
        "there does not pass"
    )
    assert "static (INTERFACE,outside) 203.0.113.6 ADDRESS" in finding.remedy
    conduit = only(
        STATIC,
        "conduit permit tcp 203.0.113.0 255.255.255.248 any",
        "conduit permit tcp host 203.0.113.9 eq smtp any",
    )
    assert conduit.place.line == line(3)


def test_a_permit_needs_a_translation_only_inwards() -> None:
    out = ("access-list in permit tcp any any eq www", "access-group in in interface inside")
    assert not findings(STATIC, MAIL, BOUND, *out)
    narrow = ("access-list in permit tcp any host 198.51.100.9", out[1])
    assert not findings(STATIC, MAIL, BOUND, *narrow)
    dmz = ("access-list d permit tcp any 10.1.1.0 255.255.255.0", "access-group d in interface dmz")
    finding = only(*dmz, interfaces=THREE_INTERFACES)
    assert finding.problem.startswith("nothing translates any address of 10.1.1.0/24")
    # Some of what it permits goes to a less secure interface.
    wide = ("access-list d permit tcp any any", dmz[1])
    assert not findings(*wide, interfaces=THREE_INTERFACES)


def test_a_static_that_translates_nothing_as_written_is_an_error() -> None:
    good = configuration(TWO_INTERFACES, STATIC, MAIL, BOUND)
    static = replace(good.statics[0], mapped=IPv4Network("203.0.113.0/24"))
    (finding,) = review(replace(good, statics=(static,)))
    assert (finding.severity, finding.place.line) == (Severity.ERROR, line(1))


def test_five_thousand_rules_are_reviewed() -> None:
    lines = [TWO_INTERFACES.rstrip()]
    for host in range(100):
        static = f"static (inside,outside) 198.18.0.{host} 10.1.1.{host + 2}"
        lines.append(f"{static} netmask 255.255.255.255")
    for number in range(5000):
        source = f"100.{number % 250}.{number % 13}.0 255.255.255.0"
        to = f"host 198.18.0.{number % 105} eq {number // 7 + 1}"
        lines.append(f"access-list out permit {'tcp' if number % 3 else 'udp'} {source} {to}")
    lines.append(BOUND)
    long = configuration("\n".join(lines))
    found = review(long)
    assert any("nothing translates 198.18.0.104" in each.problem for each in found)


GROUPS = (
    "object-group network servers\n network-object host 203.0.113.5\n"
    " network-object host 203.0.113.6",
    STATIC,
    STATIC.replace(".5", ".6"),
)


def test_a_line_with_groups_is_unreachable_only_where_all_of_it_is() -> None:
    line_of = "access-list out permit tcp any object-group servers eq smtp"
    first = line(sum(each.count("\n") + 1 for each in GROUPS) + 1)
    assert not findings(*GROUPS, MAIL, line_of, BOUND)
    finding = only(*GROUPS, line_of, MAIL, BOUND)
    assert finding.place.line == first + 1
    finding = only(*GROUPS, MAIL, MAIL.replace(".5", ".6"), line_of, BOUND)
    assert finding.problem.startswith(
        f"no packet gets as far as this line: lines {first}, {first + 1} before it"
    )


def test_groups_and_times_that_nothing_uses() -> None:
    group = "object-group network {}\n network-object host 203.0.113.5"
    outer = "object-group network outer\n group-object inner"
    problems = [each.problem for each in findings(group.format("inner"), outer)]
    assert problems == ["nothing uses object-group network outer"]
    times = "time-range {}\n periodic daily 8:00 to 17:00"
    mail = f"{MAIL.replace('permit', 'extended permit')} time-range day"
    lines = (times.format("day"), times.format("night"), STATIC, mail, BOUND)
    problems = [each.problem for each in findings(*lines, interfaces=SEVEN)]
    assert problems == ["nothing uses time-range night"]


def test_a_rule_in_force_at_times_hides_none_that_is_always() -> None:
    times = "time-range day\n periodic daily 8:00 to 17:00"
    mail = MAIL.replace("permit", "extended permit")
    assert not findings(times, STATIC, f"{mail} time-range day", mail, BOUND, interfaces=SEVEN)
    finding = only(times, STATIC, mail, f"{mail} time-range day", BOUND, interfaces=SEVEN)
    assert "redundant" in finding.remedy


NAT = "nat (inside) 1 10.1.1.0 255.255.255.0"
GLOBAL = "global (outside) 1 203.0.113.40"


def test_a_nat_with_its_global_draws_nothing() -> None:
    assert not findings(NAT, GLOBAL, "nat (inside) 0 10.1.2.0 255.255.255.0")


def test_a_nat_without_a_global() -> None:
    """Told as the file is read, and by nobody else."""
    reading = read_rules(f"{TWO_INTERFACES}{NAT}\n", "test.conf")
    assert [each.problem for each in reading.findings] == ["no `global` has the number 1"]
    assert reading.configuration is not None
    assert review(reading.configuration) == ()


def test_a_global_without_a_nat() -> None:
    finding = only(NAT, GLOBAL, "global (outside) 2 203.0.113.41")
    assert finding.place.line == line(3)
    assert finding.problem == "no `nat` has the number 2"


@pytest.mark.parametrize(
    ("number", "does"),
    [(0, "this nat exempts nothing from translation"), (1, "this nat translates nothing")],
)
@pytest.mark.parametrize("rule", ["deny ip any any", "deny tcp any any eq smtp"])
def test_an_access_list_of_a_nat_that_permits_nothing(number: int, does: str, rule: str) -> None:
    lists = (f"access-list e {rule}", f"nat (inside) {number} access-list e")
    finding = only(*lists, GLOBAL, NAT)
    assert (finding.place.line, finding.problem) == (
        line(2),
        f"access-list e permits nothing: {does}",
    )


def test_an_access_list_of_a_nat_that_is_inactive() -> None:
    lines = ("access-list e extended permit ip any any inactive", "nat (inside) 0 access-list e")
    finding = only(*lines, interfaces=SEVEN)
    assert finding.problem.startswith("access-list e permits nothing")


def test_an_access_list_of_a_nat_that_does_not_exist_is_an_error() -> None:
    reading = read_rules(f"{TWO_INTERFACES}nat (inside) 0 access-list e\n", "test.conf")
    assert [each.problem for each in reading.findings] == ["access-list e does not exist"]
    assert reading.configuration is None


def test_a_nat_and_a_global_that_never_meet() -> None:
    """The one is for what goes to less secure interfaces, the other on a more secure one."""
    found = findings(
        "nat (dmz) 1 172.16.1.0 255.255.255.0",
        "global (inside) 1 10.1.1.40",
        interfaces=THREE_INTERFACES,
    )
    assert [(each.place.line - line(0, THREE_INTERFACES), each.problem) for each in found] == [
        (
            1,
            "what this translates passes nowhere: no `global` of number 1 is on an interface that "
            "it goes to",
        ),
        (2, "no `nat` of number 1 is for what goes to inside: those there are on dmz"),
    ]
    assert not findings(
        "nat (dmz) 1 172.16.1.0 255.255.255.0 outside",
        "global (inside) 1 10.1.1.40",
        interfaces=THREE_INTERFACES,
    )


def test_a_global_where_packets_leave_as_they_came() -> None:
    lines = (NAT, "global (inside) 1 interface")
    assert len(findings(*lines, interfaces=SEVEN)) == 2
    assert not findings(*lines, "same-security-traffic permit intra-interface", interfaces=SEVEN)
