"""Tiny configurations, each with what it means: lists, levels and paths besides access lists."""

from __future__ import annotations

from dataclasses import replace
from math import inf

import pytest

from appliance.admission import Opening
from appliance.errors import Place
from appliance.events import Denial
from appliance.policy.policy import Phase, Step
from tests.policy.rules import THREE_INTERFACES, TWO_INTERFACES
from tests.policy.test_translations import CLIENT, SEVEN, judge, tcp

IDENTITY = "nat (inside) 0 10.1.1.0 255.255.255.0"
EQUAL = SEVEN.replace("security-level 50", "security-level 100")
DMZ = "172.16.1.9"


def deciding(opening: Opening, *parts: str) -> Step:
    """The last question, with its answer."""
    return judge(*parts).decide(opening).steps[-1]


def test_equal_levels_talk_only_if_that_is_permitted() -> None:
    packet = tcp("inside", "10.1.1.5", DMZ, 80)
    step = deciding(packet, EQUAL)
    assert (step.denial, "levels are equal" in step.why) == (Denial.NO_PERMIT, True)
    passing = judge(EQUAL, "same-security-traffic permit inter-interface", "nat-control")
    assert passing.admit(packet).denial is None
    assert passing.admit(tcp("inside", "10.1.1.5", "10.1.1.6")).denial is not None


def test_a_packet_leaves_as_it_came_only_if_that_is_permitted() -> None:
    packet = tcp("inside", "10.1.1.5", "10.1.1.6", 80)
    step = deciding(packet, SEVEN)
    assert step.why == "nothing leaves by inside that came in by it"
    passing = judge(SEVEN, "same-security-traffic permit intra-interface")
    assert passing.admit(packet).denial is None


def test_a_host_inside_reaches_another_by_its_outer_address() -> None:
    """Both need the static: that of the inside for the server, a pool there for the client."""
    policy = judge(
        SEVEN,
        "same-security-traffic permit intra-interface",
        "static (inside,inside) 203.0.113.5 10.1.1.5 netmask 255.255.255.255",
        "nat (inside) 1 10.1.1.0 255.255.255.0",
        "global (inside) 1 interface",
    )
    admission = policy.admit(tcp("inside", "10.1.1.6", "203.0.113.5"))
    assert (str(admission.client.mapped), str(admission.server.address)) == ("10.1.1.1", "10.1.1.5")


def test_a_list_of_what_leaves_sees_what_the_network_there_sees() -> None:
    lines = (
        "static (inside,outside) 203.0.113.5 10.1.1.5 netmask 255.255.255.255",
        "access-list out extended deny tcp host 203.0.113.5 any eq smtp",
        "access-list out extended permit ip any any",
        "access-group out out interface outside",
    )
    step = deciding(tcp("inside", "10.1.1.5", CLIENT), SEVEN, *lines)
    assert (step.phase, step.denial) == (Phase.ACCESS_LIST_OUT, Denial.ACCESS_LIST)
    assert (step.access_list, step.place) == ("out", Place("test.conf", 14, 1))
    assert judge(SEVEN, *lines).admit(tcp("inside", "10.1.1.5", CLIENT, 80)).denial is None
    assert judge(SEVEN, *lines).admit(tcp("inside", "10.1.1.6", CLIENT)).denial is None


def test_a_list_of_what_leaves_inwards_sees_the_real_server() -> None:
    lines = (
        "static (inside,outside) 203.0.113.5 10.1.1.5 netmask 255.255.255.255",
        "access-list in extended permit tcp any host 203.0.113.5",
        "access-group in in interface outside",
        "access-list mail extended permit tcp any host 10.1.1.5 eq smtp",
        "access-group mail out interface inside",
    )
    policy = judge(SEVEN, *lines)
    assert policy.admit(tcp("outside", CLIENT, "203.0.113.5")).denial is None
    assert policy.admit(tcp("outside", CLIENT, "203.0.113.5", 80)).access_list == "mail"


@pytest.mark.parametrize(
    ("action", "network", "passes"),
    [
        ("permit", "203.0.113.20 255.255.255.252", True),
        ("permit", "203.0.113.20 255.255.255.254", False),  # it may get another address
        ("deny", "203.0.113.20 255.255.255.254", False),  # it may get one of them
        ("deny", "203.0.113.24 255.255.255.254", True),
    ],
)
def test_a_pool_is_in_a_network_whole_or_not_at_all(
    action: str, network: str, passes: bool
) -> None:
    policy = judge(
        SEVEN,
        "nat (inside) 1 0 0",
        "global (outside) 1 203.0.113.20-203.0.113.23",
        f"access-list out extended {action} ip {network} any",
        *(["access-list out extended permit ip any any"] if action == "deny" else []),
        "access-group out out interface outside",
    )
    assert (policy.admit(tcp("inside", "10.1.1.5", CLIENT)).denial is None) == passes


def test_a_source_must_be_behind_the_interface_where_that_is_verified() -> None:
    lines = ("ip verify reverse-path interface outside", "conduit permit ip any any")
    step = deciding(tcp("outside", "10.1.1.9", "203.0.113.5"), TWO_INTERFACES, *lines)
    assert (step.phase, step.denial) == (Phase.REVERSE_PATH, Denial.REVERSE_PATH)
    assert "10.1.1.9 is behind inside, not outside" in step.why
    good = judge(TWO_INTERFACES, *lines).decide(tcp("outside", CLIENT, "203.0.113.5"))
    assert Phase.REVERSE_PATH in [step.phase for step in good.steps]
    assert good.admission.denial is Denial.NO_TRANSLATION_INBOUND


OUTBOUND = (
    "outbound 9 deny 0 0",
    "outbound 9 permit 10.1.1.5 255.255.255.255",
    "outbound 9 deny 10.1.1.5 255.255.255.255 23 tcp",
    "apply (inside) 9 outgoing_src",
)


@pytest.mark.parametrize(
    ("host", "port", "line"), [("10.1.1.6", 80, 7), ("10.1.1.5", 80, 0), ("10.1.1.5", 23, 9)]
)
def test_of_an_outbound_list_the_line_that_fits_best_decides(
    host: str, port: int, line: int
) -> None:
    step = deciding(tcp("inside", host, CLIENT, port), TWO_INTERFACES, IDENTITY, *OUTBOUND)
    assert (step.denial is Denial.OUTBOUND_LIST) == bool(line)
    if line:
        assert (step.phase, step.access_list) == (Phase.OUTBOUND_LIST, "9")
        assert step.place is not None and step.place.line == line


def test_an_exception_turns_an_outbound_list_round_by_the_other_end() -> None:
    lines = (
        "outbound 9 deny 0 0",
        "outbound 9 except 198.51.100.0 255.255.255.0 80 tcp",
        "apply (inside) 9 outgoing_src",
    )
    policy = judge(TWO_INTERFACES, IDENTITY, *lines)
    assert policy.admit(tcp("inside", "10.1.1.5", CLIENT, 80)).denial is None
    assert policy.admit(tcp("inside", "10.1.1.5", CLIENT, 25)).denial is Denial.OUTBOUND_LIST
    assert policy.admit(tcp("inside", "10.1.1.5", "192.0.2.1", 80)).access_list == "9"


def test_an_outbound_list_may_go_by_the_destination() -> None:
    lines = ("outbound 9 deny 198.51.100.7", "apply (inside) 9 outgoing_dest")
    policy = judge(TWO_INTERFACES, IDENTITY, *lines)
    assert policy.admit(tcp("inside", "10.1.1.5", CLIENT)).denial is Denial.OUTBOUND_LIST
    assert policy.admit(tcp("inside", "10.1.1.5", "192.0.2.1")).denial is None


def test_an_access_group_goes_before_outbound_lists() -> None:
    bound = ("access-list a permit ip any any", "access-group a in interface inside")
    policy = judge(TWO_INTERFACES, IDENTITY, *OUTBOUND, *bound)
    assert policy.admit(tcp("inside", "10.1.1.6", CLIENT)).denial is None


def test_outbound_lists_are_for_what_goes_to_a_lower_level() -> None:
    lines = ("outbound 9 deny 0 0", "apply (outside) 9 outgoing_src", "conduit permit ip any any")
    static = "static (inside,outside) 203.0.113.5 10.1.1.5"
    policy = judge(THREE_INTERFACES, *lines, static)
    assert policy.admit(tcp("outside", CLIENT, "203.0.113.5")).denial is None


def test_flows_may_be_idle_as_long_as_it_is_said_when_they_begin() -> None:
    packet = tcp("inside", "10.1.1.5", CLIENT)
    usual = judge(TWO_INTERFACES, IDENTITY).admit(packet).idle
    assert (usual.established, usual.half_closed, usual.udp) == (3600, 600, 120)
    said = judge(TWO_INTERFACES, IDENTITY, "timeout conn 0:20:00 half-closed 0 udp 0:00:30")
    assert said.admit(packet).idle == replace(usual, established=1200, half_closed=inf, udp=30)
