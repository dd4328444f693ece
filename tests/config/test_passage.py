"""Outbound lists, equal levels, reverse paths, ICMP to the firewall, proxy ARP, timeouts."""

from __future__ import annotations

import pytest

from appliance.config.load import read_rules
from appliance.config.model import Action, Timeout
from appliance.config.printing import printed, saved
from tests.config.reading import INTERFACES, error_of, network, read, warning_of
from tests.config.seven import SEVEN, error, good


def test_outbound_and_apply() -> None:
    lines = (
        "outbound 1 deny 0 0",
        "outbound 1 permit 10.1.1.5 255.255.255.255 25 tcp",
        "outbound 1 except 198.51.100.0 255.255.255.0 smtp-ish",
    )
    assert "`smtp-ish` is not a protocol" in error_of(*lines).problem
    found = read(*lines[:2], "outbound 1 except 10.9.9.9", "apply (inside) 1 outgoing_src")
    deny, permit, exception = found.outbounds
    assert (deny.action, deny.network, deny.ports) == (Action.DENY, network("0.0.0.0/0"), None)
    assert (permit.ports, permit.protocol) == ((25, 25), 6)
    assert exception.action is Action.EXCEPT
    (applied,) = found.applied
    assert (applied.interface, applied.number, applied.by_destination) == ("inside", 1, False)
    undone = read(*lines[:2], "no outbound 1", "apply (inside) 1 outgoing_src", warnings=1)
    assert undone.outbounds == ()


def test_a_list_that_is_applied_and_not_there_is_told() -> None:
    assert "outbound list 3 does not exist" in warning_of("apply (inside) 3 outgoing_src").problem


@pytest.mark.parametrize(
    "lines",
    [
        ("outbound 1 deny 10.1.1.0 255.255.255.0 20-30 tcp", "apply (inside) 1 outgoing_dest"),
        ("outbound 1 except 0.0.0.0 0.0.0.0 0 ip",),
        ("icmp permit host 203.0.113.9 echo outside", "icmp deny any outside"),
        ("ip verify reverse-path interface outside",),
        ("sysopt noproxyarp inside",),
        ("timeout xlate 3:00:00", "timeout conn 1:00:00 half-closed 0:10:00 udp 0:02:00"),
        ("timeout uauth 0:15:00 absolute uauth 0:08:00 inactivity",),
    ],
)
def test_they_are_printed_as_they_are_written(lines: tuple[str, ...]) -> None:
    found = read(*lines)
    assert [line for line in printed(found) if line in lines] == list(lines)
    assert read_rules(saved(found), "again").configuration == found
    bare = read(*lines, *(f"no {line}" for line in reversed(lines)))
    assert not {*printed(bare)} & {*lines}


def test_options_of_the_system_that_are_not_done_are_kept_and_told() -> None:
    line = "sysopt connection permit-ipsec"
    assert "`sysopt` is not implemented" in warning_of(line).problem
    assert line in printed(read(line, warnings=1))
    assert line not in printed(read(line, f"no {line}"))


def test_equal_levels_are_of_7() -> None:
    lines = (
        "same-security-traffic permit inter-interface",
        "same-security-traffic permit intra-interface",
    )
    found = good(*lines)
    assert (found.equals_pass, found.hairpins_pass) == (True, True)
    assert [line for line in printed(found) if line.startswith("same")] == list(lines)
    assert not good(*lines, f"no {lines[0]}").equals_pass
    assert "exists from 7.0 on only" in error_of(lines[0]).problem
    assert "expected" in error(lines[0].replace("permit", "deny")).remedy


def test_a_list_for_what_leaves_stands_beside_that_of_what_comes() -> None:
    lines = (
        "access-list a extended permit ip any any ",
        "access-group a in interface outside",
        "access-group a out interface outside",
    )
    found = good(*lines)
    assert [group.out for group in found.access_groups] == [False, True]
    assert [line for line in printed(found) if line.startswith("access-")] == list(lines)
    assert len(good(*lines, f"no {lines[2]}").access_groups) == 1


def test_timeouts() -> None:
    found = read(
        "timeout conn 1:30:00 udp 0:00:45", "timeout conn 0:20:00", "timeout half-closed 0"
    )
    assert found.timeouts == (
        Timeout("conn", 1200),
        Timeout("half-closed", 0),
        Timeout("udp", 45),
    )
    assert (found.idle("udp"), found.idle("icmp"), found.idle("half-closed")) == (45, None, 0)
    assert "`1:70:00` is not a time" in error_of("timeout conn 1:70:00").problem
    assert read("timeout conn 1:00:00", "no timeout conn 1:00:00").timeouts == ()


@pytest.mark.parametrize(
    "line",
    [
        "icmp permit any lobby",
        "ip verify reverse-path interface lobby",
        "sysopt noproxyarp lobby",
        "apply (lobby) 1 outgoing_src",
    ],
)
def test_interfaces_must_be_there(line: str) -> None:
    findings = read_rules(f"{INTERFACES}outbound 1 deny 0 0\n{line}\n", "f").findings
    assert ["no interface named `lobby`" in found.problem for found in findings] == [True]


def test_without_translation_control_nothing_is_told() -> None:
    text = SEVEN.replace("nat-control\n", "")
    problems = [finding.problem for finding in read_rules(text, "f").findings]
    assert not [problem for problem in problems if "nat-control" in problem]


def test_the_timeout_of_a_server_is_none_of_connections() -> None:
    found = read_rules(f"{SEVEN}aaa-server T host 10.1.1.9\n timeout 5\n key k\n", "f")
    assert found.configuration is not None
    assert found.configuration.timeouts == ()


def test_a_global_of_an_interface_without_an_address_is_told() -> None:
    text = "nameif ethernet0 outside security0\nglobal (outside) 1 interface\n"
    (finding,) = read_rules(text, "f").findings
    assert finding.problem == "interface `outside` has no address in the file"
