"""Modular policies of 7.x: which mail they have inspected."""

import pytest

from appliance.box import Box
from appliance.config.helpers import FTP, PPTP, RAS, SIP, SIP_UDP, TFTP
from appliance.config.load import read_rules
from appliance.config.model import Fixup, Inspection
from appliance.config.printing import printed
from appliance.errors import Severity
from appliance.live.compilation import compile_rules
from appliance.smtp.esmtp_map import DEFAULT_MAP
from tests.config.reading import address
from tests.config.seven import SEVEN, error, good, reading

SERVER = address("10.1.1.5")
MAIL = ("policy-map global_policy", " class mail", "  inspect esmtp")


def test_the_default_policy_inspects_port_25_everywhere() -> None:
    configuration = good()
    assert configuration.smtp_ports == ((25, 25),)
    assert configuration.inspections == (Inspection("", ((25, 25),), DEFAULT_MAP),)
    assert configuration.inspects(SERVER, 25)
    assert not configuration.inspects(SERVER, 2525)


def test_without_a_policy_map_nothing_is_inspected_and_that_is_said() -> None:
    found = read_rules(SEVEN, "f")
    assert found.configuration is not None
    assert found.configuration.smtp_ports == ()
    (warning,) = found.findings
    assert warning.severity is Severity.WARNING
    assert "mail passes unread" in warning.problem


@pytest.mark.parametrize(
    "lines",
    [
        ("no service-policy global_policy global",),
        ("policy-map global_policy", " class inspection_default", "  no inspect esmtp"),
        ("policy-map global_policy", " no class inspection_default"),
        ("class-map inspection_default", " no match default-inspection-traffic"),
    ],
)
def test_what_is_switched_off_is_not_inspected(lines: tuple[str, ...]) -> None:
    assert good(*lines).smtp_ports == ()


@pytest.mark.parametrize(
    ("match", "ports"),
    [
        ("match port tcp eq 2525", ((25, 25), (2525, 2525))),
        ("match port tcp range smtp 30", ((25, 25), (25, 30))),
        ("match port udp eq 2525", ((25, 25),)),
        ("match any", ((1, 65535), (25, 25))),
    ],
)
def test_ports_of_a_class(match: str, ports: tuple[tuple[int, int], ...]) -> None:
    assert good("class-map match-all mail", match, *MAIL).smtp_ports == ports


def test_class_default_is_all_traffic() -> None:
    lines = ("policy-map global_policy", "class class-default", "inspect esmtp")
    assert good(*lines).inspects(SERVER, 4711)


def test_an_access_list_of_ports_tells_a_class() -> None:
    lists = (
        "access-list mail extended permit tcp any any eq 2525",
        "access-list mail remark and submission",
        "access-list mail extended permit tcp any any range 587 588",
    )
    found = good(*lists, "class-map mail", "match access-list mail", *MAIL)
    assert found.smtp_ports == ((25, 25), (587, 588), (2525, 2525))


def test_an_access_list_of_grouped_ports_tells_a_class() -> None:
    lists = (
        "object-group service submission tcp",
        "port-object eq 587",
        "port-object eq 465",
        "access-list mail extended permit tcp any any object-group submission",
        "access-list mail extended permit tcp any any eq 2525 inactive",
    )
    found = good(*lists, "class-map mail", "match access-list mail", *MAIL)
    assert found.smtp_ports == ((25, 25), (465, 465), (587, 587))


@pytest.mark.parametrize(
    "line",
    [
        "access-list mail extended permit tcp any host 203.0.113.5 eq 2525",
        "access-list mail extended deny tcp any any eq 2525",
        "access-list mail extended permit tcp any any",
        "access-list mail extended permit tcp any eq 2525 any",
        "access-list mail extended permit ip any any",
    ],
)
def test_an_access_list_that_tells_more_is_not_implemented_and_that_is_said(line: str) -> None:
    found = reading(line, "class-map mail", "match access-list mail", *MAIL)
    (warning,) = found.findings
    assert warning.severity is Severity.WARNING
    assert "passes unread" in warning.remedy
    assert found.configuration is not None
    assert found.configuration.smtp_ports == ((25, 25),)


def test_a_policy_of_an_interface_holds_for_what_comes_in_or_goes_out_by_it() -> None:
    configuration = good(
        "no service-policy global_policy global",
        "service-policy global_policy interface outside",
    )
    assert configuration.smtp_ports == ()
    assert configuration.inspections == (Inspection("outside", ((25, 25),), DEFAULT_MAP),)
    assert configuration.inspects(SERVER, 25, ("inside", "outside"))
    assert not configuration.inspects(SERVER, 25, ("inside", "dmz"))
    assert configuration.inspects(SERVER, 25)


def test_other_inspections_are_told_once_each() -> None:
    found = reading(
        "policy-map global_policy", "class inspection_default", "inspect rsh", "inspect rsh strict"
    )
    (warning,) = found.findings
    assert warning.problem == "`inspect rsh` is not implemented (nor in line 18)"


@pytest.mark.parametrize(
    ("lines", "column", "problem"),
    [
        (("class-map class-default",), 11, "class of all traffic"),
        (("class-map mail", "match any", "match port tcp eq 25"), 1, "one `match` only"),
        (("class-map mail", "match port tcp range 30 25"), 25, "ends before it starts"),
        (("class-map mail", "match port tcp eq smpt"), 19, "not a tcp port"),
        (("class-map mail", "match access-list 102"), 19, "access-list 102 does not exist"),
        (("class-map mail", "no match any"), 1, "no such match"),
        (("policy-map p", "class none"), 7, "class-map none does not exist"),
        (("policy-map p", "inspect esmtp"), 1, "does not stand here"),
        (("policy-map p", "class class-default", "inspect smtp"), 9, "unknown keyword `smtp`"),
        (("service-policy none interface outside",), 16, "policy-map none does not exist"),
        (("policy-map p", "service-policy p global"), 16, "global_policy is in force there"),
        (("service-policy global_policy interface dmz",), 40, "no interface named `dmz`"),
        (("service-policy global_policy",), 30, "incomplete command"),
    ],
)
def test_wrong_policies(lines: tuple[str, ...], column: int, problem: str) -> None:
    found = error(*lines)
    assert (found.place.line, found.place.column) == (14 + len(lines), column)
    assert problem in found.problem


def test_the_kernel_queues_what_a_policy_of_an_interface_has_inspected() -> None:
    box = Box(interfaces=(("outside", "eth0"), ("inside", "eth1")))
    made = compile_rules(
        good(
            "no service-policy global_policy global",
            "service-policy global_policy interface outside",
        ),
        box,
    )
    (permit,) = (each for each in made.filter.chains if each.name == "PIXGUARD-PERMIT")
    assert [rule for rule in permit.rules if "PIXGUARD-WORKER" in rule] == [
        "-i eth0 -p tcp -m tcp --dport 25:25 -j PIXGUARD-WORKER",
        "-o eth0 -p tcp -m tcp --dport 25:25 -j PIXGUARD-WORKER",
    ]


@pytest.mark.parametrize(
    ("lines", "fixups"),
    [
        ((), ()),
        (("class inspection_default", "inspect ftp"), (Fixup(FTP, (21, 21)),)),
        (("class inspection_default", "inspect ftp", "no inspect ftp"), ()),
        (
            ("class inspection_default", "inspect sip"),
            (Fixup(SIP, (5060, 5060)), Fixup(SIP_UDP, (5060, 5060))),
        ),
        (("class inspection_default", "inspect h323 ras"), (Fixup(RAS, (1718, 1719)),)),
        (("class other", "inspect ftp"), (Fixup(FTP, (2121, 2121)),)),
        (("class other", "inspect tftp"), ()),
        (("class listed", "inspect tftp"), (Fixup(TFTP, (6969, 6969)),)),
        (("class listed", "inspect sip"), (Fixup(SIP_UDP, (6969, 6969)),)),
        (("class class-default", "inspect pptp"), (Fixup(PPTP, (1, 65535)),)),
    ],
)
def test_what_the_kernel_helps_with(lines: tuple[str, ...], fixups: tuple[Fixup, ...]) -> None:
    other = (
        "class-map other",
        "match port tcp eq 2121",
        "access-list datagrams permit udp any any eq 6969",
        "class-map listed",
        "match access-list datagrams",
    )
    assert good(*other, "policy-map global_policy", *lines).fixups == fixups


def test_help_may_be_in_force_at_an_interface() -> None:
    found = good(
        "policy-map global_policy",
        "class inspection_default",
        "inspect ftp",
        "no service-policy global_policy global",
        "service-policy global_policy interface outside",
    )
    assert found.fixups == (Fixup(FTP, (21, 21), interface="outside"),)
    assert "  inspect ftp " in printed(found)


def test_options_are_printed_and_not_done() -> None:
    """A map, and `strict`."""
    found = reading(
        "policy-map global_policy", "class inspection_default", "inspect ftp strict commands"
    )
    assert [each.problem for each in found.findings] == [
        "inspection maps are not implemented",
        "`strict` is not implemented",
    ]
    assert found.configuration
    assert "  inspect ftp strict commands " in printed(found.configuration)
