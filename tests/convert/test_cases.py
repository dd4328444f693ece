"""Tiny configurations, what each becomes in another version, and what is reported."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from appliance.config.load import read_rules
from appliance.config.model import Configuration
from appliance.convert.proof import Proven, proven

SIX = """\
nameif ethernet0 outside security0
nameif ethernet1 inside security100
ip address outside 203.0.113.1 255.255.255.0
ip address inside 10.1.1.1 255.255.255.0
route outside 0 0 203.0.113.254 1
no fixup protocol smtp 25
"""
EIGHT = """\
ASA Version {version}
interface Ethernet0
 nameif outside
 ip address 203.0.113.1 255.255.255.0
interface Ethernet1
 nameif inside
 ip address 10.1.1.1 255.255.255.0
route outside 0 0 203.0.113.254
"""
BASES = {
    "6.3": SIX,
    "8.2": EIGHT.format(version="8.2(1)"),
    "8.4": EIGHT.format(version="8.4(1)"),
    "9.1": EIGHT.format(version="9.1(1)"),
}


@dataclass(frozen=True)
class Case:
    """A configuration, and what it becomes.

    Args:
        versions: that of the configuration, and the one it is converted to.
        lines: what stands after the interfaces.
        made: the lines that come of them.
        lost: the beginnings of what is reported.
    """

    versions: tuple[str, str]
    lines: str
    made: str
    lost: tuple[str, ...] = ()


PAT = "global (outside) 1 interface\nnat (inside) 1 0 0\n"
PAT_OBJECTS = "object network obj_any\n subnet 0.0.0.0 0.0.0.0\n"
PAT_MADE = "object network obj_any\n nat (inside,outside) dynamic interface\n"
STATIC = "static (inside,outside) 203.0.113.5 10.1.1.5 netmask 255.255.255.255"
MAIL = "object network mail\n host 10.1.1.5\n nat (inside,outside) static 203.0.113.5\n"
DMZ = """\
interface Ethernet2
 nameif dmz
 security-level 50
 ip address 172.16.1.1 255.255.255.0
"""
BOUND = "access-group out in interface outside\n"

CASES = {
    "a static becomes that of an object, and its list names the real address": Case(
        ("6.3", "8.4"),
        f"{PAT}{STATIC}\naccess-list out permit tcp any host 203.0.113.5 eq smtp\n{BOUND}",
        f"object network obj-10.1.1.5\n host 10.1.1.5\n{PAT_OBJECTS}"
        "access-list out extended permit tcp any host 10.1.1.5 eq smtp\n"
        f"object network obj-10.1.1.5\n nat (inside,outside) static 203.0.113.5\n{PAT_MADE}{BOUND}",
    ),
    "a static of a port": Case(
        ("6.3", "8.4"),
        f"{PAT}static (inside,outside) tcp interface 2525 10.1.1.5 smtp\n"
        f"access-list out permit tcp any interface outside eq 2525\n{BOUND}",
        f"object network obj-10.1.1.5\n host 10.1.1.5\n{PAT_OBJECTS}"
        "access-list out extended permit tcp any host 10.1.1.5 eq smtp\n"
        "object network obj-10.1.1.5\n"
        f" nat (inside,outside) static interface service tcp smtp 2525\n{PAT_MADE}{BOUND}",
    ),
    "an exemption becomes a translation of both ends to themselves": Case(
        ("6.3", "8.4"),
        f"{PAT}access-list no permit ip 10.1.1.0 255.255.255.0 192.168.9.0 255.255.255.0\n"
        "nat (inside) 0 access-list no",
        "object network obj-10.1.1.0\n subnet 10.1.1.0 255.255.255.0\n"
        f"object network obj-192.168.9.0\n subnet 192.168.9.0 255.255.255.0\n{PAT_OBJECTS}"
        "nat (inside,outside) source static obj-10.1.1.0 obj-10.1.1.0 "
        f"destination static obj-192.168.9.0 obj-192.168.9.0\n{PAT_MADE}",
    ),
    "a nat with an access list": Case(
        ("6.3", "8.4"),
        f"{PAT}access-list p permit ip 10.1.1.0 255.255.255.0 198.51.100.0 255.255.255.0\n"
        "nat (inside) 2 access-list p\nglobal (outside) 2 203.0.113.9",
        "object network obj-10.1.1.0\n subnet 10.1.1.0 255.255.255.0\n"
        "object network obj-203.0.113.9\n host 203.0.113.9\n"
        f"object network obj-198.51.100.0\n subnet 198.51.100.0 255.255.255.0\n{PAT_OBJECTS}"
        "nat (inside,outside) source dynamic obj-10.1.1.0 obj-203.0.113.9 "
        f"destination static obj-198.51.100.0 obj-198.51.100.0\n{PAT_MADE}",
    ),
    "a static with an access list": Case(
        ("6.3", "8.4"),
        f"{PAT}access-list p permit ip host 10.1.1.5 198.51.100.0 255.255.255.0\n"
        "static (inside,outside) 203.0.113.5 access-list p",
        "object network obj-198.51.100.0\n subnet 198.51.100.0 255.255.255.0\n"
        "object network obj-10.1.1.5\n host 10.1.1.5\n"
        f"object network obj-203.0.113.5\n host 203.0.113.5\n{PAT_OBJECTS}"
        "nat (inside,outside) source static obj-10.1.1.5 obj-203.0.113.5 "
        f"destination static obj-198.51.100.0 obj-198.51.100.0\n{PAT_MADE}",
    ),
    "what nothing translates is denied by an access list": Case(
        ("6.3", "8.4"),
        "nat (inside) 1 10.1.1.0 255.255.255.128\nglobal (outside) 1 203.0.113.20-203.0.113.29\n",
        "object network obj-203.0.113.20-203.0.113.29\n range 203.0.113.20 203.0.113.29\n"
        "object network obj-10.1.1.0\n subnet 10.1.1.0 255.255.255.128\n"
        "access-list inside_access_in extended deny ip any 10.1.1.0 255.255.255.0\n"
        "access-list inside_access_in extended permit ip 10.1.1.0 255.255.255.128 any\n"
        "object network obj-10.1.1.0\n"
        " nat (inside,outside) dynamic obj-203.0.113.20-203.0.113.29\n"
        "access-group inside_access_in in interface inside\n",
    ),
    "limits are lost": Case(
        ("6.3", "8.4"),
        f"{PAT}{STATIC} 100 50",
        f"object network obj-10.1.1.5\n host 10.1.1.5\n{PAT_OBJECTS}"
        "object network obj-10.1.1.5\n"
        f" nat (inside,outside) static 203.0.113.5\n{PAT_MADE}",
        ("9:1: the limits on connections of this static",),
    ),
    "conduits become the list of the interface": Case(
        ("6.3", "8.2"),
        f"{STATIC}\nconduit permit tcp host 203.0.113.5 eq smtp any",
        "access-list outside_access_in extended permit tcp any host 203.0.113.5 eq smtp\n"
        f"{STATIC} 0 0\naccess-group outside_access_in in interface outside\n",
    ),
    "outbound lists become a list of which the first line that fits decides": Case(
        ("6.3", "8.2"),
        f"{PAT}outbound 1 deny 10.1.1.0 255.255.255.0 25 tcp\n"
        "outbound 1 permit 10.1.1.5 255.255.255.255 25 tcp\napply (inside) 1 outgoing_src",
        "access-list inside_access_in extended deny ip any 10.1.1.0 255.255.255.0\n"
        "access-list inside_access_in extended permit tcp host 10.1.1.5 any eq smtp\n"
        "access-list inside_access_in extended deny tcp 10.1.1.0 255.255.255.0 any eq smtp\n"
        "access-list inside_access_in extended permit ip any any\n"
        "global (outside) 1 interface\nnat (inside) 1 0.0.0.0 0.0.0.0\n"
        "access-group inside_access_in in interface inside\n",
    ),
    "fixups become a policy": Case(
        ("6.3", "8.2"),
        "fixup protocol smtp 587",
        "class-map smtp_587\n match port tcp eq 587\n class smtp_587\n  inspect esmtp\n",
        ("mail as 6.3 inspects it",),
    ),
    "a timeout that has another name": Case(
        ("6.3", "8.2"), "timeout rpc 0:10:00", "timeout sunrpc 0:10:00\n"
    ),
    "a command that is gone": Case(
        ("6.3", "8.4"),
        "fixup protocol sqlnet 1521",
        "",
        ("7:1: fixup protocol sqlnet 1521: left out: there is no such command in 8.4",),
    ),
    "the nat of an object becomes a static, and its list names the mapped address": Case(
        ("8.4", "8.2"),
        f"{MAIL}access-list out permit tcp any object mail eq smtp\n{BOUND}",
        f"access-list out extended permit tcp any host 203.0.113.5 eq smtp\n{STATIC} 0 0\n{BOUND}",
    ),
    "and the same in 6.3": Case(
        ("8.4", "6.3"),
        f"{MAIL}access-list out permit tcp any object mail eq smtp\n{BOUND}",
        f"access-list out permit tcp any host 203.0.113.5 eq smtp\n{STATIC} 0 0\n{BOUND}",
    ),
    "a dynamic one becomes nat and global": Case(
        ("8.4", "8.2"),
        "object network lan\n subnet 10.1.1.0 255.255.255.0\n"
        " nat (inside,outside) dynamic interface",
        "global (outside) 1 interface\nnat (inside) 1 10.1.1.0 255.255.255.0\n",
    ),
    "what passes untranslated by another interface is translated to itself there": Case(
        ("8.4", "8.2"),
        f"{DMZ}object network lan\n subnet 10.1.1.0 255.255.255.0\n"
        " nat (inside,outside) dynamic interface",
        f"{DMZ}global (outside) 1 interface\nnat (inside) 1 10.1.1.0 255.255.255.0\n"
        "static (inside,dmz) 10.1.1.0 10.1.1.0 netmask 255.255.255.0 0 0\n",
    ),
    "and so are the networks behind it where the nat is of all": Case(
        ("8.4", "8.2"),
        f"{DMZ}object network all\n subnet 0.0.0.0 0.0.0.0\n"
        " nat (inside,outside) dynamic interface",
        f"{DMZ}global (outside) 1 interface\nnat (inside) 1 0.0.0.0 0.0.0.0\n"
        "static (inside,dmz) 10.1.1.0 10.1.1.0 netmask 255.255.255.0 0 0\n",
        ("6:9: what becomes of icmp 192.0.2.7",),  # whom no route of inside leads to
    ),
    "what 6.3 never lets pass": Case(
        ("8.2", "6.3"),
        "same-security-traffic permit intra-interface",
        "",
        (
            "9:1: same-security-traffic permit intra-interface: left out",
            "9:1: what becomes of",
            "9:1: what becomes of",
        ),
    ),
    "the word dns goes with a translation": Case(
        ("8.4", "8.2"),
        MAIL.replace("203.0.113.5", "203.0.113.5 dns"),
        "static (inside,outside) 203.0.113.5 10.1.1.5 dns netmask 255.255.255.255 0 0\n",
    ),
    "a name that nobody looks up": Case(
        ("8.4", "8.2"),
        "object network away\n fqdn www.example.com\n"
        "access-list out permit tcp any object away eq 80\n"
        f"access-list out deny ip any any\n{BOUND}",
        f"access-list out extended deny ip any any\n{BOUND}",
        ("11:1: object network away in a line of access-list out: left out",),
    ),
    "both ends to themselves become an exemption": Case(
        ("8.4", "8.2"),
        "object network a\n subnet 10.1.1.0 255.255.255.0\n"
        "object network c\n subnet 198.51.100.0 255.255.255.0\n"
        "nat (inside,outside) source static a a destination static c c",
        "access-list inside_nat0_outbound extended permit ip 10.1.1.0 255.255.255.0 "
        "198.51.100.0 255.255.255.0\nnat (inside) 0 access-list inside_nat0_outbound\n",
    ),
    "both ends to others become nothing": Case(
        ("8.4", "8.2"),
        "object network a\n host 10.1.1.5\nobject network b\n host 203.0.113.5\n"
        "object network c\n host 198.51.100.7\nobject network d\n host 10.1.1.200\n"
        "nat (inside,outside) source static a b destination static d c",
        "",
        (
            "17:1: `nat (inside,outside) source static a b destination static d c`, which",
            "17:1: what becomes of",
            "17:1: what becomes of",
        ),
    ),
    "a list for all interfaces becomes one of each": Case(
        ("8.4", "8.2"),
        "access-list all permit tcp any host 10.1.1.5 eq smtp\naccess-group all global",
        "access-list outside_all extended permit tcp any host 10.1.1.5 eq smtp\n"
        "access-list inside_all extended permit tcp any host 10.1.1.5 eq smtp\n"
        "access-group outside_all in interface outside\n"
        "access-group inside_all in interface inside\n",
    ),
    "what 9.0 has of both families": Case(
        ("9.1", "8.4"),
        "access-list out permit tcp any4 any4 eq smtp\n"
        f"access-list out permit tcp any6 any6 eq smtp\n{BOUND}",
        f"access-list out extended permit tcp any any eq smtp\n{BOUND}",
        ("10:1: a line of access-list out that is of IPv6: left out",),
    ),
    "a policy of one interface becomes fixups of all": Case(
        ("8.2", "6.3"),
        "class-map mail\n match port tcp eq 587\npolicy-map pol\n class mail\n  inspect esmtp\n"
        "service-policy pol interface outside",
        "fixup protocol smtp 587\n",
        ("mail as 8.2 inspects it", "14:1: that mail is inspected at `outside` alone"),
    ),
    "a time range and a line that is inactive": Case(
        ("8.2", "6.3"),
        "time-range w\n periodic daily 8:00 to 17:00\n"
        "access-list out deny tcp any any eq 80 time-range w\n"
        f"access-list out permit tcp any any inactive\n{BOUND}",
        f"access-list out deny tcp any any eq www\n{BOUND}",
        (
            "11:1: a line of access-list out that holds within w alone",
            "12:1: a line of access-list out that is inactive",
        ),
    ),
    "a list of what leaves": Case(
        ("8.2", "6.3"),
        "access-list o deny tcp any any eq 80\naccess-list o permit ip any any\n"
        "access-group o out interface outside",
        "access-list o deny tcp any any eq www\naccess-list o permit ip any any\n",
        (
            "11:1: access-list o for what leaves by `outside`",
            "9:1: what becomes of tcp 10.1.1.9/40000 to 192.0.2.7/80",
        ),
    ),
}


def read(version: str, lines: str) -> Configuration:
    reading = read_rules(f"{BASES[version]}{lines}\n", "test.conf")
    assert reading.configuration is not None, "\n".join(map(str, reading.findings))
    return reading.configuration


def made(versions: tuple[str, str], lines: str) -> Proven:
    return proven(read(versions[0], lines), versions[1])


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_a_line_becomes_what_says_the_same(case: Case) -> None:
    usual = {line.rstrip() for line in made(case.versions, "").lines}
    result = made(case.versions, case.lines)
    found = [line.rstrip() for line in result.lines if line.rstrip() not in usual]
    assert found == [line for line in case.made.split("\n") if line and line not in usual]


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_what_cannot_be_said_is_reported_and_nothing_else(case: Case) -> None:
    shown = [loss.shown("") for loss in made(case.versions, case.lines).losses]
    told = [text.removeprefix("test.conf:").removeprefix(": ") for text in shown]
    assert len(told) == len(case.lost), told
    for text, beginning in zip(told, case.lost, strict=True):
        assert text.startswith(beginning)


def test_hardware_and_vlans_have_the_names_of_the_version() -> None:
    six = "interface ethernet0 100full\ninterface ethernet1 auto\n"
    six += "interface ethernet1 vlan10 logical\nnameif vlan10 dmz security50\n"
    six += "ip address dmz 172.16.1.1 255.255.255.0"
    up = made(("6.3", "8.2"), six)
    assert [each.hardware for each in up.configuration.interfaces] == [
        "Ethernet0",
        "Ethernet1",
        "Ethernet1.10",
    ]
    assert (" speed 100" in up.lines, " duplex full" in up.lines, " vlan 10" in up.lines) == (
        True,
        True,
        True,
    )
    down = proven(up.configuration, "6.3")
    assert "interface ethernet0 100full" in down.lines
    assert "interface ethernet1 vlan10 logical" in down.lines
    assert down.losses == ()


def test_levels_that_6_3_keeps_for_two_names_are_changed_and_told() -> None:
    dmz = (
        "interface Ethernet2\n nameif dmz\n security-level 0\n ip address 172.16.1.1 255.255.255.0"
    )
    result = made(("8.2", "6.3"), dmz)
    assert "nameif ethernet2 dmz security1" in result.lines
    assert any("security level 0 of `dmz`" in loss.what for loss in result.losses)


def test_an_interface_that_6_3_cannot_name_is_told() -> None:
    text = BASES["8.2"].replace("Ethernet0", "GigabitEthernet0/0")
    configuration = read_rules(text, "test.conf").configuration
    assert configuration
    (loss,) = proven(configuration, "6.3").losses
    assert loss.what == "an interface called GigabitEthernet0/0"
    assert loss.becomes == "it becomes ethernet0"
    assert loss.place
    assert loss.place.line == 3


def test_a_mailhost_becomes_what_says_the_same_but_for_other_hosts() -> None:
    text = "PIX Version 4.1(7)\n" + SIX.replace("no fixup protocol smtp 25\n", "")
    configuration = read_rules(f"{text}mailhost 203.0.113.5 10.1.1.5\n", "").configuration
    assert configuration
    result = proven(configuration, "6.3")
    lines = [line.rstrip() for line in result.lines]
    assert f"{STATIC} 0 0" in lines
    assert "conduit permit tcp host 203.0.113.5 eq smtp any" in lines
    assert "that mail to 10.1.1.5 is inspected, and not mail to other hosts" in [
        loss.what for loss in result.losses
    ]
