"""Printing: what is printed reads back to the same, and looks as a device writes it."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.config.load import read_rules
from appliance.config.model import Configuration
from appliance.config.printing import printed, saved
from tests.config.eight import EIGHT, OBJECTS
from tests.config.foreign import FOREIGN, without_errors
from tests.config.reading import INTERFACES
from tests.config.seven import INSPECTION, SEVEN
from tests.config.test_load import LINES, ROOT

READY = sorted((ROOT / "rules").glob("*.conf"))


def reads_back(configuration: Configuration) -> None:
    text = saved(configuration)
    reading = read_rules(text, "printed.conf")
    assert reading.configuration is not None, "\n".join(map(str, reading.findings))
    assert reading.configuration == configuration
    assert saved(reading.configuration) == text


@pytest.mark.parametrize("path", READY, ids=lambda path: path.name)
def test_the_ready_rule_files_read_back(path: Path) -> None:
    reading = read_rules(path.read_text(), path.name)
    assert reading.configuration is not None
    reads_back(reading.configuration)


@given(st.lists(LINES, max_size=12), st.sampled_from(["4.1(4)", "4.4(5)", "5.3(1)", "6.3(5)"]))
def test_what_is_printed_reads_back_to_the_same(lines: list[str], version: str) -> None:
    text = f"PIX Version {version}\n{INTERFACES}"
    for line in lines:
        longer = f"{text}{line}\n"
        if "PIX" not in line and read_rules(longer, "f").configuration is not None:
            text = longer
    configuration = read_rules(text, "f").configuration
    assert configuration is not None
    reads_back(configuration)


LINES_OF_SEVEN = st.sampled_from(
    [
        *SEVEN.splitlines()[1:],
        *INSPECTION.splitlines(),
        "interface Ethernet2.10",
        "no nameif",
        "shutdown",
        "speed 100",
        "vlan 10",
        "description to the DMZ",
        "nameif dmz",
        "security-level 50",
        "no security-level",
        "ip address 10.2.2.2 255.255.255.0 standby 10.2.2.3",
        "ip address dhcp setroute",
        "mac-address 0000.0c07.ac01",
        "class-map mail",
        "match port tcp range 25 30",
        "match port tcp eq 2525",
        "match access-list 101",
        "match dscp ef",
        "class mail",
        "class class-default",
        "inspect esmtp mine",
        "inspect ftp",
        "no inspect esmtp",
        "set connection conn-max 10",
        "service-policy global_policy interface outside",
        "policy-map other",
        "access-list 101 extended permit tcp any any eq 2525",
        "access-list 102 standard permit any",
        "no access-list 102 standard permit any",
        "access-list 101 line 2 remark of what",
        "access-list 101 extended permit udp any interface outside inactive",
        "access-list 101 extended permit ip any any time-range work",
        "access-list 101 extended permit icmp interface outside any object-group pings",
        "access-list 101 extended permit tcp object-group servers object-group mail any",
        "access-list 101 extended deny tcp any object-group servers object-group mail",
        "access-list 101 extended deny object-group transport any any eq domain",
        "no access-list 101 extended deny object-group transport any any eq domain",
        "object-group network servers",
        " network-object host 203.0.113.5",
        " network-object 203.0.113.64 255.255.255.192",
        " no network-object host 203.0.113.5",
        "object-group network all",
        " group-object servers",
        " description all of them",
        "object-group service mail tcp",
        " port-object eq smtp",
        " port-object range pop2 pop3",
        "object-group protocol transport",
        " protocol-object tcp",
        " protocol-object udp",
        "object-group icmp-type pings",
        " icmp-object echo",
        "no object-group network all",
        "clear configure object-group icmp-type",
        "time-range work",
        " periodic weekdays 8:00 to 17:59",
        " absolute end 8:00 1 January 2030",
        "no time-range work",
        "access-list 101 remark of mail",
        "access-group 101 in interface outside",
        "access-group 101 out interface inside",
        "static (inside,outside) 203.0.113.5 10.1.1.5 netmask 255.255.255.255",
        "route outside 0 0 203.0.113.2",
        "logging enable",
        "name 10.1.1.5 mail description the mail server",
        "tunnel-group a type ipsec-l2l",
        " pre-shared-key secret",
        "no nat-control",
        "exit",
        "no interface Ethernet2.10",
        "no class-map mail",
        "no policy-map other",
    ]
)


@given(st.lists(LINES_OF_SEVEN, max_size=30))
def test_what_is_printed_of_7_reads_back_to_the_same(lines: list[str]) -> None:
    text = SEVEN
    for line in lines:
        longer = f"{text}{line}\n"
        if read_rules(longer, "f").configuration is not None:
            text = longer
    configuration = read_rules(text, "f").configuration
    assert configuration is not None
    reads_back(configuration)


LINES_OF_MAPS = st.sampled_from(
    [
        *INSPECTION.splitlines(),
        "inspect esmtp mine",
        "  allow-tls",
        "  allow-tls action log",
        'regex spam "buy (now|later)"',
        "regex exe \\.exe?",
        "class-map type regex match-any words",
        " match regex spam",
        " match regex exe",
        " no match regex exe",
        "class-map type inspect esmtp match-any bad",
        "class-map type inspect esmtp all",
        "policy-map type inspect esmtp mine",
        "policy-map type inspect esmtp other",
        " match not cmd verb vrfy help",
        " match ehlo-reply-parameter others",
        " match header line length gt 998",
        " match MIME filename length gt 255",
        " match sender-address regex spam",
        " match mime filetype regex class words",
        " no match cmd verb VRFY",
        " class bad",
        " no class bad",
        " description of mail",
        "  drop-connection log",
        "  mask",
        "  log",
        "  rate-limit 9",
        "  no log",
        " parameters",
        "  no mask-banner",
        "  mail-relay example.com action drop-connection log",
        "  special-character action log",
        "  no special-character",
        " no parameters",
        "fixup protocol smtp 25",
        "fixup protocol smtp 2525-2530",
        "no fixup protocol smtp 25",
        "no policy-map type inspect esmtp other",
        "clear configure regex",
    ]
)


LINES_OF_EIGHT = st.sampled_from(
    [
        *EIGHT.splitlines()[1:],
        "object network web",
        " host 10.1.1.7",
        " range 10.1.1.7 10.1.1.9",
        " subnet 10.1.1.8 255.255.255.248",
        " fqdn v4 www.example.com",
        " description of old",
        " no host 10.1.1.7",
        " nat (inside,outside) static 203.0.113.9",
        " nat (inside,outside) static mapped dns no-proxy-arp route-lookup",
        " nat (inside,outside) static interface service udp domain 5353",
        " nat (inside,outside) dynamic pool interface dns",
        " nat (inside,outside) dynamic pat-pool pool round-robin interface",
        " nat static mapped",
        " no nat (inside,outside) static 203.0.113.9",
        "object service web\n service tcp-udp source range 1 9 destination eq domain",
        "object service web\n service icmp echo",
        "object-group network all",
        " network-object object web",
        " network-object host 10.1.1.7",
        "object-group service mails",
        " service-object object smtp",
        " service-object tcp destination eq smtp",
        "access-list 101 extended permit object smtp any object mail",
        "access-list 101 extended permit tcp object lan object-group all eq smtp",
        "access-list 101 extended permit object-group mails any4 object-group all log",
        "access-list 101 extended deny ip any6 any6",
        "access-group 101 in interface outside",
        "access-group 101 global",
        "nat (inside,outside) source static mail mapped",
        "nat (inside,outside) 1 source static lan lan destination static all all no-proxy-arp",
        "nat (inside,outside) source static mail interface service smtp alternative",
        "nat (any,outside) after-auto source dynamic any interface description the rest",
        "nat source dynamic lan pat-pool pool extended flat",
        "nat (inside,outside) after-auto 1 source static web web unidirectional inactive",
        "no nat (inside,outside) source static mail mapped",
        "no object network web",
        "no object service web",
        "clear configure nat",
        "clear configure object service",
        "xlate per-session permit tcp any4 any4",
        "exit",
    ]
)


@given(st.lists(LINES_OF_MAPS, max_size=40))
def test_what_is_printed_of_maps_reads_back_to_the_same(lines: list[str]) -> None:
    text = SEVEN.replace("7.2(1)", "8.2(1)")
    for line in lines:
        longer = f"{text}{line}\n"
        if read_rules(longer, "f").configuration is not None:
            text = longer
    configuration = read_rules(text, "f").configuration
    assert configuration is not None
    reads_back(configuration)


@given(st.lists(LINES_OF_EIGHT, max_size=30), st.sampled_from(["8.3(1)", "8.4(1)", "9.1(2)"]))
def test_what_is_printed_of_8_3_and_later_reads_back_to_the_same(
    lines: list[str], version: str
) -> None:
    text = EIGHT.replace("8.4(1)", version) + OBJECTS
    for line in lines:
        longer = f"{text}{line}\n"
        if read_rules(longer, "f").configuration is not None:
            text = longer
    configuration = read_rules(text, "f").configuration
    assert configuration is not None
    reads_back(configuration)


@pytest.mark.skipif(not FOREIGN, reason="no configurations of others are here to read")
@pytest.mark.parametrize("path", FOREIGN, ids=lambda path: path.name)
def test_what_configurations_of_others_say_reads_back(path: Path) -> None:
    configuration = without_errors(path).configuration
    assert configuration is not None
    reads_back(configuration)


def test_a_default_configuration_of_4_4_is_printed_as_the_device_prints_it() -> None:
    text = """\
PIX Version 4.4(5)
nameif ethernet0 outside security0
nameif ethernet1 inside security100
enable password *** encrypted
passwd *** encrypted
hostname pixfirewall
fixup protocol ftp 21
fixup protocol http 80
fixup protocol h323 1720
fixup protocol rsh 514
fixup protocol smtp 25
fixup protocol sqlnet 1521
names
pager lines 24
logging on
no logging timestamp
no logging console
no logging monitor
no logging buffered
no logging trap
logging facility 20
logging queue 512
interface ethernet0 auto
interface ethernet1 auto
mtu outside 1500
mtu inside 1500
ip address outside 127.0.0.1 255.255.255.255
ip address inside 127.0.0.1 255.255.255.255
no failover
failover timeout 0:00:00
arp timeout 14400
no rip outside passive
no rip outside default
timeout xlate 3:00:00 conn 1:00:00 half-closed 0:10:00 udp 0:02:00
timeout rpc 0:10:00 h323 0:05:00
timeout uauth 0:05:00 absolute
aaa-server TACACS+ protocol tacacs+
aaa-server RADIUS protocol radius
no snmp-server location
no snmp-server contact
snmp-server community ***
no snmp-server enable traps
telnet timeout 5
terminal width 80
"""
    configuration = read_rules(text, "default.conf").configuration
    assert configuration is not None
    assert printed(configuration) == text.splitlines()
