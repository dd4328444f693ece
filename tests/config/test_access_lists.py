from dataclasses import replace

import pytest

from appliance.config.load import read_rules
from appliance.config.model import (
    ANY,
    AccessGroup,
    Configuration,
    FlowLog,
    LineLog,
    Operator,
    Ports,
    Remark,
    Rule,
    elementary,
)
from appliance.config.printing import printed
from appliance.errors import Place
from tests.config.reading import INTERFACES, error_of, findings_of, network, read, warning_of
from tests.config.seven import error, good

SERVER = network("203.0.113.5/32")
SMTP = Rule(
    permit=True,
    protocol=6,
    source=ANY,
    source_ports=None,
    destination=SERVER,
    destination_ports=Ports(Operator.EQ, 25, 25),
    icmp_type=None,
    place=Place("test.conf", 5, 1),
)
ALL = replace(SMTP, protocol=None, destination=ANY, destination_ports=None)


def rules(configuration: Configuration) -> tuple[Rule, ...]:
    (access_list,) = configuration.access_lists
    return access_list.rules


@pytest.mark.parametrize(
    ("line", "rule"),
    [
        ("permit tcp any host 203.0.113.5 eq smtp", SMTP),
        ("permit tcp any host 203.0.113.5 eq 25", SMTP),
        ("permit 6 any host 203.0.113.5 eq SMTP ", SMTP),
        ("extended permit tcp any host 203.0.113.5 eq smtp", SMTP),
        ("line 1 permit tcp any host 203.0.113.5 eq smtp", SMTP),
        ("permit tcp 0 0 203.0.113.5 255.255.255.255 eq smtp", SMTP),
        ("permit tcp 0.0.0.0 0.0.0.0 host 203.0.113.5 eq smtp", SMTP),
        ("deny tcp any host 203.0.113.5 eq smtp", replace(SMTP, permit=False)),
        ("permit ip any any", ALL),
        ("permit tcp any any", replace(ALL, protocol=6)),
        (
            "permit udp any eq domain any gt 1023",
            replace(
                ALL,
                protocol=17,
                source_ports=Ports(Operator.EQ, 53, 53),
                destination_ports=Ports(Operator.GT, 1023, 1023),
            ),
        ),
        (
            "permit tcp any lt 1024 any neq www",
            replace(
                ALL,
                protocol=6,
                source_ports=Ports(Operator.LT, 1024, 1024),
                destination_ports=Ports(Operator.NEQ, 80, 80),
            ),
        ),
        (
            "permit tcp any range 20 21 any range ftp-data 1023",
            replace(
                ALL,
                protocol=6,
                source_ports=Ports(Operator.RANGE, 20, 21),
                destination_ports=Ports(Operator.RANGE, 20, 1023),
            ),
        ),
        ("permit icmp any any", replace(ALL, protocol=1)),
        ("permit icmp any any echo", replace(ALL, protocol=1, icmp_type=8)),
        ("permit icmp any any echo-r", replace(ALL, protocol=1, icmp_type=0)),
        ("permit icmp any any 11", replace(ALL, protocol=1, icmp_type=11)),
        ("permit gre any any", replace(ALL, protocol=47)),
        ("permit 50 any any", replace(ALL, protocol=50)),
        ("permit ip 10.0.0.0 255.0.0.0 any", replace(ALL, source=network("10.0.0.0/8"))),
        (
            "permit ip any interface outside",
            replace(ALL, destination=network("203.0.113.1/32")),
        ),
        ("permit ip interface inside any", replace(ALL, source=network("10.1.1.1/32"))),
    ],
)
def test_access_list(line: str, rule: Rule) -> None:
    (found,) = read(f"access-list 101 {line}").access_lists
    assert (found.name, found.rules) == ("101", (rule,))


def test_order_is_kept_and_remarks_match_nothing() -> None:
    found = read(
        "access-list 101 remark mail, and (nothing else",
        "access-list 101 deny tcp any any eq 25",
        "access-list web permit tcp any any eq 80",
        "access-list 101 permit ip any any",
    )
    assert [(a.name, len(a.rules)) for a in found.access_lists] == [("101", 2), ("web", 1)]
    assert [r.permit for r in found.access_lists[0].rules] == [False, True]


def test_a_numbered_line_goes_before_the_one_of_its_number() -> None:
    found = read(
        "access-list 101 remark first",
        "access-list 101 permit ip any any",
        "access-list 101 line 2 deny tcp any any",
        "access-list 101 line 9 permit udp any any",
    )
    assert [r.protocol for r in rules(found)] == [6, None, 17]


def test_a_line_that_is_there_already_stays_where_it_is() -> None:
    lines = (
        "access-list 101 deny tcp any any",
        "access-list 101 permit ip any any",
        "access-list 101 line 1 permit ip any any",
    )
    assert [r.protocol for r in rules(read(*lines, warnings=1))] == [6, None]
    again = (*lines[:2], "access-list 101 deny tcp any any")
    assert [r.protocol for r in rules(read(*again, warnings=1))] == [6, None]
    assert warning_of(*again).problem == "the same as line 5"


@pytest.mark.parametrize(
    "line", ["no access-list 101", "clear access-list 101", "clear access-list"]
)
def test_a_list_removed(line: str) -> None:
    assert read("access-list 101 permit ip any any", line).access_lists == ()


def test_a_line_removed() -> None:
    lines = ("access-list 101 deny tcp any any", "access-list 101 permit ip any any")
    assert rules(read(*lines, "no access-list 101 deny 6 0 0 any"))[0].permit
    assert read(*lines, *(f"no {line}" for line in lines)).access_lists == ()
    remark = "access-list 101 remark here"
    assert len(rules(read(remark, *lines, f"no {remark}"))) == 2


def test_host_bits_under_the_netmask_are_masked_and_told() -> None:
    line = "access-list 101 permit ip 10.1.1.5 255.255.255.0 any"
    assert rules(read(line, warnings=1))[0].source == network("10.1.1.0/24")
    warning = warning_of(line)
    assert warning.place == Place("test.conf", 5, 27)
    assert "10.1.1.0 255.255.255.0" in warning.remedy


@pytest.mark.parametrize("ports", ["lt 0", "gt 65535"])
def test_a_comparison_that_no_port_meets_is_told(ports: str) -> None:
    assert warning_of(f"access-list 101 permit tcp any any {ports}").place.column == 36


@pytest.mark.parametrize(
    ("log", "meant"),
    [
        ("", None),
        ("log default", None),
        ("log", LineLog(6, 300)),
        ("log debugging", LineLog(7, 300)),
        ("log errors interval 60", LineLog(3, 60)),
        ("log interval 60", LineLog(6, 60)),
        ("log disable", LineLog(disabled=True)),
    ],
)
def test_log(log: str, meant: LineLog | None) -> None:
    found = read(f"access-list 101 permit ip any any {log}")
    assert rules(found) == (replace(ALL, log=meant),)
    text = "\n".join(printed(found)) + "\n"
    written = "" if log == "log default" else log
    assert f"access-list 101 permit ip any any {written}".rstrip() + " \n" in text
    assert read_rules(text, "").configuration == found


def test_a_line_whose_log_alone_differs_is_changed_where_it_stands() -> None:
    lines = (
        "access-list 101 deny tcp any any",
        "access-list 101 permit ip any any log",
        "access-list 101 deny tcp any any log 3",
    )
    assert [rule.log for rule in rules(read(*lines))] == [LineLog(3), LineLog()]
    assert [rule.protocol for rule in rules(read(*lines))] == [6, None]
    assert len(rules(read(*lines, "no access-list 101 permit ip any any"))) == 1
    assert len(rules(read(*lines, "no access-list 101 permit ip any any log 4"))) == 1


def test_how_flows_are_kept() -> None:
    lines = ("access-list deny-flow-max 9", "access-list alert-interval 60")
    assert read().flow_log == FlowLog(4096, 300)
    assert read(*lines).flow_log == FlowLog(9, 60)
    assert set(lines) <= set(printed(read(*lines)))
    assert read(*lines, *(f"no {line}" for line in lines)).flow_log == FlowLog()
    assert read(*lines, "no access-list deny-flow-max").flow_log == FlowLog(4096, 60)


@pytest.mark.parametrize(
    "line",
    [
        "access-list compiled",
        "no access-list compiled",
        "access-list 101 compiled",
    ],
)
def test_tuning_has_no_effect(line: str) -> None:
    assert read(line).access_lists == ()


@pytest.mark.parametrize(
    ("rest", "column", "problem"),
    [
        ("permit tcp any host 203.0.113.5 eq smpt", 52, "`smpt` is not a tcp port"),
        ("permit tcp any host 203.0.113.5 eq snmp", 52, "not a tcp port"),
        ("permit udp any any eq smtp", 39, "not a udp port"),
        ("permit tcp any any eq 65536", 39, "not a tcp port"),
        ("permit tcp any any range 30 20", 45, "ends before it starts"),
        ("permit tcp any any range 30", 45, "incomplete"),
        ("permit tcp any", 32, "incomplete"),
        ("permit tcp any host", 37, "incomplete"),
        ("permit tcp any 10.1.1.0", 41, "incomplete"),
        ("permit tcp any 10.1.1.0 0.0.0.255", 41, "wildcard mask; the netmask is 255.255.255.0"),
        ("permit tcp any 10.1.1.0 255.0.255.0", 41, "not all on the left"),
        ("permit tcp any host 300.1.1.1", 37, "`300.1.1.1` is not an IPv4 address"),
        ("permit tcp any host mailserver", 37, "neither an address nor a name"),
        ("permit tcp any mailserver", 32, "neither an address nor a name"),
        ("permit ip any any eq 25", 35, "`eq` is not expected"),
        ("permit gre any any eq 25", 36, "`eq` is not expected"),
        ("permit icmp any any ecko", 37, "`ecko` is not an ICMP type"),
        ("permit icmp any any 256", 37, "`256` is not a number from 0 to 255"),
        ("permit tpc any any", 24, "`tpc` is not a protocol"),
        ("permit 0 any any", 24, "`0` is not a number from 1 to 255"),
        ("permit i any any", 24, "ambiguous"),
        ("permit p any any", 24, "ambiguous: pcp, pim, pptp"),
        ("permti ip any any", 17, "`permti` is not expected"),
        ("permit", 24, "incomplete"),
        ("line 0 permit ip any any", 22, "not a number from 1"),
        ("permit ip any any inactive", 35, "`inactive` is not expected"),
        ("permit ip any any log 9", 39, "not a number from 0 to 7"),
        ("permit tcp any object-group servers eq smtp", 45, "object-group `servers` does not"),
        ("permit tcp any any object-group ports", 49, "object-group `ports` does not exist"),
        ("permit object-group protocols any any", 37, "object-group `protocols` does not exist"),
        ("permit ip any interface dmz", 41, "no interface named `dmz`"),
    ],
)
def test_wrong_lines(rest: str, column: int, problem: str) -> None:
    error = error_of(f"access-list 101 {rest}")
    assert error.place == Place("test.conf", 5, column)
    assert problem in error.problem


def test_an_interface_without_an_address_is_no_end_of_a_rule() -> None:
    error = error_of("no ip address outside", "access-list 1 permit ip any interface outside")
    assert error.place == Place("test.conf", 6, 39)
    assert "has no address" in error.problem


def test_access_group() -> None:
    found = read("access-list 101 permit ip any any", "access-group 101 in interface outside")
    assert found.access_groups == (AccessGroup("101", "outside", Place("test.conf", 6, 1)),)


def test_an_access_group_may_stand_before_its_list() -> None:
    assert read("access-group 1 in interface outside", "access-list 1 permit ip any any")


def test_an_interface_has_one_access_group_the_last() -> None:
    lists = ("access-list a permit ip any any", "access-list b permit ip any any")
    groups = tuple(f"access-group {name} in interface outside" for name in "ab")
    assert [g.access_list for g in read(*lists, *groups).access_groups] == ["b"]
    assert read(*lists, groups[0], f"no {groups[0]}").access_groups == ()
    assert read(*lists, groups[0], "clear access-group").access_groups == ()


@pytest.mark.parametrize(
    ("line", "column", "problem"),
    [
        ("access-group 102 in interface outside", 14, "access-list 102 does not exist"),
        ("access-group 101 in interface outsde", 31, "no interface named `outsde`"),
        ("access-group 101 out interface outside", 18, "`out` is not expected"),
        ("access-group 101 in", 21, "incomplete"),
        ("no access-group 101 in interface inside", 17, "is not bound"),
    ],
)
def test_wrong_access_groups(line: str, column: int, problem: str) -> None:
    error = error_of("access-list 101 permit ip any any", line)
    assert error.place == Place("test.conf", 6, column)
    assert problem in error.problem


def test_an_access_group_cannot_outlive_its_list() -> None:
    line = "access-list 101 permit ip any any"
    error = error_of(line, "access-group 101 in interface outside", f"no {line}")
    assert error.place == Place("test.conf", 6, 14)


@pytest.mark.parametrize(
    ("line", "rule"),
    [
        ("permit tcp host 203.0.113.5 eq smtp any", SMTP),
        (
            "permit tcp host 203.0.113.5 eq smtp host 192.0.2.9 gt 1023",
            replace(
                SMTP,
                source=network("192.0.2.9/32"),
                source_ports=Ports(Operator.GT, 1023, 1023),
            ),
        ),
        (
            "permit icmp host 203.0.113.5 any echo",
            replace(SMTP, protocol=1, destination_ports=None, icmp_type=8),
        ),
        ("deny ip any any", replace(ALL, permit=False)),
    ],
)
def test_conduit(line: str, rule: Rule) -> None:
    assert elementary(read(f"conduit {line}").conduits) == (rule,)


def test_conduits_in_order_and_removed() -> None:
    lines = ("conduit deny tcp any any", "conduit permit ip any any")
    assert [r.permit for r in elementary(read(*lines).conduits)] == [False, True]
    left = read(*lines, "no conduit deny tcp 0 0 any").conduits
    assert [r.permit for r in elementary(left)] == [True]
    assert read(*lines, "clear conduit").conduits == ()
    assert error_of("no conduit permit ip any any").problem == "there is no such conduit"


def test_port_0_of_a_conduit_is_every_port() -> None:
    line = "conduit permit tcp host 203.0.113.5 eq 0 any"
    (rule,) = elementary(read(line, warnings=1).conduits)
    assert rule == replace(SMTP, destination_ports=None)
    assert warning_of(line).place == Place("test.conf", 5, 37)


def test_a_conduit_is_not_logged_by_itself() -> None:
    assert error_of("conduit permit ip any any log").place == Place("test.conf", 5, 27)


def test_what_changes_what_passes_and_is_not_implemented_is_told() -> None:
    warning = warning_of("filter java 80 0 0 0 0")
    assert warning.place == Place("test.conf", 5, 1)
    assert "is not implemented" in warning.problem


def test_a_command_that_is_not_implemented_is_told_once_with_all_its_lines() -> None:
    line = "filter java {} 0 0 0 0"
    (finding,) = findings_of(*(line.format(n) for n in (80, 81, 82)))
    assert finding.place.line == 5
    assert "lines 6, 7" in finding.problem


def test_remarks_keep_their_lines() -> None:
    found = read(
        "access-list 101 remark mail",
        "access-list 101 permit tcp any any eq 25",
        "access-list 101 line 1 remark first",
        "access-list 101 line 3 deny ip any any",
    )
    lines = found.access_lists[0].lines
    assert [line.text if isinstance(line, Remark) else line.rule.permit for line in lines] == [
        "first",
        "mail",
        False,
        True,
    ]


def test_an_interface_is_printed_as_it_is_written() -> None:
    line = "access-list 101 permit tcp any interface outside eq smtp "
    assert line in printed(read(line))
    assert rules(read(line))[0].destination == network("203.0.113.1/32")


def test_an_address_that_is_acquired_matches_nothing_with_a_warning() -> None:
    lines = ("no ip address outside", "ip address outside dhcp setroute")
    line = "access-list 1 permit ip any interface outside"
    (_, told) = findings_of(*lines, line)
    assert told.severity.value == "warning"
    assert "is not in the file" in told.problem
    assert rules(read(*lines, line, warnings=2)) == ()


@pytest.mark.parametrize(
    ("line", "printed_as"),
    [
        ("permit tcp any any eq 443", "permit tcp any any eq https "),
        ("permit tcp any any eq http", "permit tcp any any eq www "),
        ("permit tcp any any eq cmd", "permit tcp any any eq rsh "),
        ("permit udp any eq 53 any range 137 138", None),
        ("permit tcp any any eq tacacs-ds", "permit tcp any any eq 63 "),
        ("permit tcp any any eq nfs", "permit tcp any any eq 2049 "),
        ("permit 47 any any", "permit gre any any "),
        ("permit icmp any any 8", "permit icmp any any echo "),
        ("permit 99 any any", "permit 99 any any "),
    ],
)
def test_names_of_ports_and_protocols(line: str, printed_as: str | None) -> None:
    wanted = printed_as or "permit udp any eq domain any range netbios-ns netbios-dgm "
    assert f"access-list 1 {wanted}" in printed(read(f"access-list 1 {line}"))


def test_443_is_a_number_in_4_x() -> None:
    text = f"PIX Version 4.2(3)\n{INTERFACES}conduit permit tcp host 203.0.113.5 eq https any\n"
    configuration = read_rules(text, "f").configuration
    assert configuration is not None
    assert "conduit permit tcp host 203.0.113.5 eq 443 any " in printed(configuration)


@pytest.mark.parametrize(
    ("line", "same"),
    [
        ("(inside,outside) 203.0.113.5 25 tcp 0 0", "tcp host 203.0.113.5 eq 25 any"),
        ("203.0.113.5 smtp tcp 198.51.100.7", "tcp host 203.0.113.5 eq 25 host 198.51.100.7"),
        (
            "203.0.113.5 20-21 tcp 198.51.100.0 255.255.255.0",
            "tcp host 203.0.113.5 range 20 21 198.51.100.0 255.255.255.0",
        ),
        ("203.0.113.5 0 tcp 0", "tcp host 203.0.113.5 any"),
        ("203.0.113.5 8 icmp 0", "icmp host 203.0.113.5 any echo"),
        ("203.0.113.5 0 ip 0 0", "ip host 203.0.113.5 any"),
        ("203.0.113.5 0 47 0 0", "gre host 203.0.113.5 any"),
        ("203.0.113.5 domain udp 0 0", "udp host 203.0.113.5 eq domain any"),
    ],
)
def test_a_conduit_of_4_1_is_one_that_permits(line: str, same: str) -> None:
    text = f"PIX Version 4.1(4)\n{INTERFACES}conduit "
    old, new = read_rules(text + line, "f"), read_rules(f"{text}permit {same}", "f")
    assert old.configuration is not None
    assert (old.configuration, old.findings) == (new.configuration, new.findings)
    removed = read_rules(f"{text}{line}\nno conduit {line}", "f").configuration
    assert removed is not None
    assert removed.conduits == ()


@pytest.mark.parametrize(
    ("version", "line", "problem"),
    [
        ("6.3(5)", "203.0.113.5 25 tcp 0 0", "is of 4.x"),
        ("4.1(4)", "203.0.113.5 25 gre 0 0", "has no ports"),
        ("4.1(4)", "203.0.113.5 smpt tcp 0 0", "is not a tcp port"),
        ("4.1(4)", "203.0.113.5 30-20 tcp 0 0", "ends before it starts"),
    ],
)
def test_wrong_old_conduits(version: str, line: str, problem: str) -> None:
    (found,) = read_rules(f"PIX Version {version}\n{INTERFACES}conduit {line}", "f").findings
    assert problem in found.problem


def test_inactive_rules_are_kept_and_match_nothing() -> None:
    lines = (
        "access-list 1 extended permit tcp any any eq smtp inactive",
        "access-list 1 extended permit udp any any",
    )
    assert [rule.protocol for rule in rules(good(*lines))] == [17]
    assert f"{lines[0]} " in printed(good(*lines))
    again = (*lines, lines[0].removesuffix(" inactive"))
    assert [rule.protocol for rule in rules(good(*again))] == [6, 17]
    assert rules(good(lines[0].removesuffix(" inactive"), *lines))[0].protocol == 17
    assert good(lines[0], f"no {lines[0].removesuffix(' inactive')}").access_lists == ()


def test_standard_lists_are_kept_apart() -> None:
    lines = (
        "access-list 1 standard permit 10.1.1.0 255.255.255.0",
        "access-list 1 standard deny any",
    )
    found = good(*lines)
    assert found.access_lists == ()
    assert [line for line in printed(found) if line.startswith("access-list")] == [
        f"{line} " for line in lines
    ]
    assert good(*lines, f"no {lines[0]}").standard_lists == (("1", "standard deny any "),)
    assert good(*lines, "no access-list 1").standard_lists == ()
    assert good(*lines, "clear configure access-list").standard_lists == ()
    bound = error(*lines, "access-group 1 in interface outside")
    assert "is a standard list" in bound.problem
    assert "no such line" in error(f"no {lines[0]}").problem


@pytest.mark.parametrize(
    "line", ["clear configure access-list 1", "clear config access-list", "no access-list 1"]
)
def test_lists_are_removed_in_7(line: str) -> None:
    assert good("access-list 1 extended permit ip any any", line).access_lists == ()


def test_counters_are_cleared_without_the_list() -> None:
    line = "access-list 1 permit ip any any"
    for clear in ("clear access-list counters", "clear access-list 1 counters"):
        assert len(rules(read(line, clear))) == 1


def test_a_line_is_not_removed_by_its_number_alone() -> None:
    lines = ("access-list 1 permit tcp any any", "access-list 1 permit ip any any")
    found = error_of(*lines, "no access-list 1 line 1")
    assert found.problem == "a line is not removed by its number alone"
    assert len(rules(read(*lines, "no access-list 1 line 1 permit tcp any any"))) == 1
