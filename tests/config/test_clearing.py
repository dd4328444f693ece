"""`clear` and `clear configure`: what a family has said is gone, and nothing else."""

from __future__ import annotations

import pytest

from appliance.config.command import GLOBAL
from appliance.config.language import SEVEN, Language
from appliance.config.load import read_rules
from appliance.config.printing import printed
from appliance.config.table import TABLE
from tests.config.seven import SEVEN as LATER
from tests.policy.rules import TWO_INTERFACES

SIX = "PIX Version 6.3(5)\n" + TWO_INTERFACES.replace("route outside 0 0 203.0.113.254 1\n", "")

FAMILIES = {
    "aaa": ["aaa authentication ssh console LOCAL"],
    "alias": ["alias (inside) 10.1.1.5 203.0.113.5 255.255.255.255"],
    "crypto": ["crypto map m 10 ipsec-isakmp"],
    "failover": ["failover"],
    "filter": ["filter activex 80 0 0 0 0"],
    "global": ["global (outside) 1 interface"],
    "icmp": ["icmp deny any outside"],
    "ip audit": ["ip audit attack action drop"],
    "ip verify": ["ip verify reverse-path interface outside"],
    "mtu": ["mtu outside 1500"],
    "name": ["name 10.1.1.5 mail"],
    "nat": ["nat (inside) 0 10.1.1.0 255.255.255.0"],
    "ntp": ["ntp server 10.1.1.7"],
    "route": ["route inside 10.2.0.0 255.255.0.0 10.1.1.2"],
    "static": ["static (inside,outside) 203.0.113.5 10.1.1.5 netmask 255.255.255.255"],
    "sysopt": ["sysopt noproxyarp outside", "sysopt connection tcpmss 1300"],
    "telnet": ["telnet 10.1.1.0 255.255.255.0 inside"],
    "timeout": ["timeout conn 2:00:00"],
    "username": ["username admin password cisco123 privilege 15"],
    "access-list": ["access-list a permit ip any any"],
}
SIX_ONLY = {
    "apply": ["outbound 1 deny 0 0", "apply (inside) 1 outgoing_src"],
    "conduit": ["conduit permit tcp any any"],
    "fixup": ["fixup protocol smtp 2525", "no fixup protocol smtp 25"],
    "mailhost": ["mailhost 203.0.113.5 10.1.1.5"],
    "names": ["name 10.1.1.5 mail"],
    "outbound": ["outbound 1 deny 0 0"],
}
SEVEN_ONLY = {
    "class-map": ["class-map c", " match any"],
    "group-policy": ["group-policy g internal", "group-policy g attributes", " banner value x"],
    "hostname": ["hostname fw"],
    "logging": ["logging enable", "logging trap 5", "logging host inside 10.1.1.9"],
    "regex": ["regex r x"],
    "same-security-traffic": ["same-security-traffic permit intra-interface"],
    "time-range": ["time-range t", " periodic daily 8:00 to 9:00"],
    "tunnel-group": ["tunnel-group t type ipsec-l2l", "tunnel-group t ipsec-attributes", " x"],
}


def shown(base: str, *lines: str) -> list[str]:
    """The configuration as it is printed."""
    reading = read_rules(base + "\n".join(lines) + "\n", "test.conf")
    assert reading.configuration is not None, "\n".join(map(str, reading.findings))
    return list(printed(reading.configuration))


def cleared(base: str, clear: str, lines: list[str]) -> None:
    """What lines say is gone after a `clear`; other lines stay."""
    other = "arp timeout 100"
    without = shown(base, other)
    assert shown(base, other, *lines) != without
    if lines[0].startswith("outbound 1") and len(lines) > 1:
        without = shown(base, other, lines[0])  # of these two, the second is meant
    assert shown(base, other, *lines, clear) == without


@pytest.mark.parametrize("family", [*FAMILIES, *SIX_ONLY])
def test_before_7_0(family: str) -> None:
    cleared(SIX, f"clear {family}", (FAMILIES | SIX_ONLY)[family])


@pytest.mark.parametrize("family", [*FAMILIES, *SEVEN_ONLY])
def test_from_7_0_on(family: str) -> None:
    cleared(LATER, f"clear configure {family}", (FAMILIES | SEVEN_ONLY)[family])


def test_interfaces() -> None:
    text = shown(LATER, "clear configure interface")
    assert not [line for line in text if "interface" in line or "nameif" in line]
    assert "nat-control" in text


@pytest.mark.parametrize("base", [SIX, LATER])
def test_all(base: str) -> None:
    lines = [line for lines in FAMILIES.values() for line in lines]
    version = base.splitlines(keepends=True)[0]
    assert shown(base, *lines, "clear configure all") == shown(version)


def test_the_parts_of_6_x() -> None:
    lines = ["mtu outside 1400", "hostname fw", *FAMILIES["static"], *FAMILIES["telnet"]]
    secondary = shown(SIX, *lines, "clear configure secondary")
    assert secondary == shown(SIX, *lines[:2])
    primary = shown(SIX, "hostname fw", *FAMILIES["telnet"], "clear configure primary")
    assert primary == shown(SIX.splitlines(keepends=True)[0], "hostname fw", *FAMILIES["telnet"])


def test_a_mailhost_takes_its_own_conduit_along_and_no_other() -> None:
    lines = ["conduit permit tcp any any eq www", *SIX_ONLY["mailhost"]]
    assert shown(SIX, *lines, "clear mailhost") == shown(SIX, lines[0])


@pytest.mark.parametrize("state", ["xlate", "arp", "logging", "interface", "counters"])
def test_what_clears_no_configuration(state: str) -> None:
    line = "logging trap 5"
    assert shown(SIX, line, f"clear {state}") == shown(SIX, line)


UNCLEARED = {"hostname", "logging", "arp"}
"""Before 7.0: of these `clear` is about something else, or there is none."""

UNCLEARED_LATER = {"fixup", "mailhost", "names"}
"""The first becomes other lines, the second is of 4.0 and 4.1 alone, the third a switch."""


@pytest.mark.parametrize("language", [(6, 3), (7, 2), (8, 2)])
def test_every_family_of_a_configuration_can_be_cleared(language: Language) -> None:
    commands = TABLE.of(GLOBAL, language)
    configure = "clear configure " if language >= SEVEN else "clear "
    clears = {
        each.words.removeprefix(configure)
        for each in commands
        if each.words.startswith(configure) and each.state.value == "done"
    }
    left = {
        each.words.split()[0]
        for each in commands
        if each.undo and not any(f"{each.words} ".startswith(f"{clear} ") for clear in clears)
    }
    assert left <= (UNCLEARED_LATER if language >= SEVEN else UNCLEARED), left
