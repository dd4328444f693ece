"""A trace says what the policy and the engine do, and quotes the line that decided."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.packet import Raw

from appliance.admission import Opening
from appliance.config.load import read_rules
from appliance.config.model import AccessGroup, AccessList, Configuration, Rule, RuleLine
from appliance.events import Event, PacketDenied
from appliance.firewall import Firewall
from appliance.policy.judgement import policy_of
from appliance.policy.policy import Policy
from appliance.smtp.release import DEFAULT
from appliance.syslog import Syslog
from appliance.trace.packet import Packet, read_packet
from appliance.trace.trace import Source, Trace, as_object, described, text, trace
from tests.config.eight import EIGHT, OBJECTS
from tests.policy.rules import THREE_INTERFACES, TWO_INTERFACES
from tests.policy.test_invariants import PLACE, STATICS, addresses, ports, rules

STATIC = "static (inside,outside) 203.0.113.5 10.1.1.5 netmask 255.255.255.255 0 0"
MAIL = "access-list out permit tcp any host 203.0.113.5 eq smtp"
BOUND = "access-group out in interface outside"
SYSLOG = Syslog("PIX", DEFAULT)


def traced(words: str, *lines: str) -> tuple[Trace, Source]:
    reading = read_rules("\n".join((TWO_INTERFACES.rstrip(), *lines)), "test.conf")
    assert reading.configuration is not None, "\n".join(map(str, reading.findings))
    packet = read_packet(["input", *words.split()], reading.configuration)
    decision = Policy(reading.configuration, DEFAULT).decide(packet.opening)
    return trace(packet, decision, SYSLOG), Source(reading.configuration, reading.shown)


def printed(words: str, *lines: str) -> list[str]:
    return list(text(*traced(words, *lines)))


def phases(lines: list[str]) -> list[list[str]]:
    return [part.split("\n") for part in "\n".join(lines).split("\n\n")]


def test_what_the_kernel_reads() -> None:
    lines = ("fixup protocol ftp 21", STATIC, MAIL.replace("smtp", "ftp"), BOUND)
    told, source = traced("outside tcp 198.51.100.7 1024 203.0.113.5 ftp", *lines)
    assert phases(list(text(told, source)))[-2] == [
        "Phase: 4",
        "Type: INSPECT",
        "Subtype: inspect-ftp",
        "Result: ALLOW",
        "Config:",
        "fixup protocol ftp 21",
        "Additional Information:",
        "test.conf:6:1: live, the connections that ftp opens pass",
    ]
    assert as_object(told, source)["helped"] == "ftp"
    told, source = traced("inside udp 10.1.1.5 1024 198.51.100.7 tftp", STATIC)
    assert phases(list(text(told, source)))[-2][4:] == [
        "Config:",
        "Additional Information:",
        "live, the connections that tftp opens pass; it is on from the start",
    ]


def traced_by_objects(words: str, *lines: str) -> list[list[str]]:
    reading = read_rules(EIGHT + OBJECTS + "\n".join(lines), "test.conf")
    assert reading.configuration is not None, "\n".join(map(str, reading.findings))
    packet = read_packet(["input", *words.split()], reading.configuration)
    decision = policy_of(reading.configuration, DEFAULT).decide(packet.opening)
    source = Source(reading.configuration, reading.shown)
    return phases(list(text(trace(packet, decision, Syslog("ASA", DEFAULT)), source)))


OBJECT_NAT = (
    "object network mail",
    " nat (inside,outside) static 203.0.113.5",
    "nat (inside,outside) after-auto source dynamic any interface",
    "access-list in permit tcp any object mail eq smtp",
    "access-group in in interface outside",
    "access-list all permit ip any any",
    "access-group all global",
    "route outside 0 0 203.0.113.254",
)


def test_what_enters_by_the_nat_of_an_object() -> None:
    found = traced_by_objects("outside tcp 198.51.100.7 1024 203.0.113.5 smtp", *OBJECT_NAT)
    untranslated, route, access, _, _ = found
    assert untranslated[1:3] == ["Type: UN-NAT", "Subtype: static"]
    assert untranslated[5:7] == [
        "object network mail",
        "nat (inside,outside) static 203.0.113.5",
    ]
    assert untranslated[-2:] == [
        "NAT divert to egress interface inside",
        "Untranslate 203.0.113.5/25 to 10.1.1.5/25",
    ]
    assert route[1] == "Type: ROUTE-LOOKUP"
    assert access[5:7] == [OBJECT_NAT[4], OBJECT_NAT[3]]


def test_what_leaves_by_a_nat() -> None:
    found = traced_by_objects("inside tcp 10.1.1.7 1024 198.51.100.7 80", *OBJECT_NAT)
    access, translated = found[1:3]
    assert access[5:7] == [OBJECT_NAT[6], OBJECT_NAT[5]]
    assert translated[1:3] == ["Type: NAT", "Subtype: dynamic"]
    assert translated[-1] == "Dynamic translate 10.1.1.7/1024 to 203.0.113.1/1024"


def test_what_would_come_back_another_way() -> None:
    found = traced_by_objects("outside tcp 198.51.100.7 1024 10.1.1.5 smtp", *OBJECT_NAT)
    denied, result = found[-2:]
    assert denied[1:4] == ["Type: NAT", "Subtype: rpf-check", "Result: DROP"]
    assert result[-2:] == [
        "Drop-reason: (nat-rpf-failed) NAT reverse path failed",
        "Message: %ASA-5-305013: Asymmetric NAT rules matched for forward and reverse flows; "
        "Connection for tcp src outside:198.51.100.7/1024 dst inside:10.1.1.5/25 denied due to "
        "NAT reverse path failure",
    ]


def test_a_packet_that_passes() -> None:
    lines = printed("outside tcp 198.51.100.7 1024 203.0.113.5 smtp", STATIC, MAIL, BOUND)
    route, access, translation, inspection, result = phases(lines)
    assert route[:4] == ["Phase: 1", "Type: ROUTE-LOOKUP", "Subtype: input", "Result: ALLOW"]
    assert access == [
        "Phase: 2",
        "Type: ACCESS-LIST",
        "Subtype: ",
        "Result: ALLOW",
        "Config:",
        BOUND,
        MAIL,
        "Additional Information:",
        "test.conf:7:1: this rule of out permits it",
    ]
    assert translation[1:3] == ["Type: UN-NAT", "Subtype: static"]
    assert translation[-1] == "Untranslate 203.0.113.5/25 to 10.1.1.5/25"
    assert inspection[1:3] == ["Type: INSPECT", "Subtype: inspect-smtp"]
    assert result == [
        "Result:",
        "input-interface: outside",
        "input-status: up",
        "input-line-status: up",
        "output-interface: inside",
        "output-status: up",
        "output-line-status: up",
        "Action: allow",
    ]


def test_a_packet_that_no_line_permits() -> None:
    lines = printed("outside udp 198.51.100.7 1024 203.0.113.5 53", STATIC, MAIL, BOUND)
    *_, access, result = phases(lines)
    assert access[3:7] == ["Result: DROP", "Config:", BOUND, "Implicit Rule"]
    assert result[-3:] == [
        "Action: drop",
        "Drop-reason: (acl-drop) Flow is denied by configured rule",
        "Message: %PIX-4-106023: Deny udp src outside:198.51.100.7/1024 "
        'dst inside:203.0.113.5/53 by access-group "out"',
    ]


def test_levels_are_an_implicit_rule() -> None:
    lines = printed("inside tcp 10.1.1.5 1024 198.51.100.7 80", STATIC)
    _, levels, translation, result = phases(lines)
    assert levels[1:6] == [
        "Type: ACCESS-LIST",
        "Subtype: ",
        "Result: ALLOW",
        "Config:",
        "Implicit Rule",
    ]
    assert translation[1:3] == ["Type: NAT", "Subtype: static"]
    assert translation[-1] == "Translate 10.1.1.5/1024 to 203.0.113.5/1024"
    assert result[-1] == "Action: allow"


@pytest.mark.parametrize(
    ("words", "reason", "message"),
    [
        ("inside tcp 10.1.1.6 1 198.51.100.7 80", "(nat-xlate-failed) NAT failed", "305005"),
        ("outside tcp 198.51.100.7 1 203.0.113.1 25", "(sp-security-failed)", "710005"),
        ("outside tcp 198.51.100.7 1 203.0.113.5 26", "(acl-drop)", "106023"),
        ("outside icmp 198.51.100.7 8 0 203.0.113.5", "(acl-drop)", "106023"),
    ],
)
def test_reasons(words: str, reason: str, message: str) -> None:
    each, source = traced(words, STATIC, MAIL, BOUND)
    assert each.reason.startswith(reason)
    assert message in each.message
    found = as_object(each, source)
    assert (found["action"], found["reason"]) == ("drop", each.reason)


def test_an_interface_that_is_shut_down() -> None:
    lines = printed(
        "outside tcp 198.51.100.7 1 203.0.113.5 25", "interface ethernet0 auto shutdown", STATIC
    )
    assert "input-status: administratively down" not in lines  # it is not on the way
    assert "no interface outside is up" in lines
    assert "Drop-reason: (no-route) No route to host" in lines


@pytest.mark.parametrize("words", ["outside gre 198.51.100.7 203.0.113.5"])
def test_a_packet_in_a_line(words: str) -> None:
    assert described(traced(words, STATIC)[0].packet) == "gre 198.51.100.7 to 203.0.113.5"


packets = st.one_of(
    st.builds(
        lambda protocol, source, sport, destination, dport, ingress: Packet(
            Opening(protocol, source, sport, destination, dport, -1, ingress),
            0x02 if protocol == 6 else 0,
        ),
        st.sampled_from([6, 17]),
        addresses,
        ports,
        addresses,
        ports,
        st.sampled_from(["outside", "inside"]),
    ),
    st.builds(
        lambda source, destination, kind, code, ingress: Packet(
            Opening(1, source, 0, destination, 0, kind, ingress), kind << 8 | code
        ),
        addresses,
        addresses,
        st.integers(0, 255),
        st.integers(0, 255),
        st.sampled_from(["outside", "inside"]),
    ),
)


def with_rules(listed: list[Rule], conduits: list[Rule]) -> Configuration:
    return replace(
        STATICS,
        access_lists=(AccessList("out", tuple(RuleLine(each, (each,)) for each in listed)),)
        if listed
        else (),
        access_groups=(AccessGroup("out", "outside", PLACE),) if listed else (),
        conduits=tuple(RuleLine(each, (each,)) for each in conduits),
    )


@given(st.lists(rules, max_size=4), st.lists(rules, max_size=3), packets)
def test_a_trace_says_what_the_engine_does(
    listed: list[Rule], conduits: list[Rule], packet: Packet
) -> None:
    configuration = with_rules(listed, conduits)
    policy = Policy(configuration, DEFAULT)
    each = trace(packet, policy.decide(packet.opening), SYSLOG)
    source = Source(configuration, {})
    admission = policy.admit(packet.opening)
    shown = list(text(each, source))
    assert ("Action: allow" in shown) == (admission.denial is None)
    assert ("Action: drop" in shown) == (admission.denial is not None)
    drops = [line for line in shown if line.startswith("Result: ")]
    assert drops.count("Result: DROP") == (admission.denial is not None)
    assert "Result: DROP" not in drops[:-1]
    events: list[Event] = []
    firewall = Firewall(policy.admit, events.append)
    verdict = firewall.receive(wired(packet), 0.0, packet.opening.ingress)
    assert verdict.forward == (each.denied is None)
    reported = [event for event in events if isinstance(event, PacketDenied)]
    assert reported == ([each.denied] if each.denied else [])
    assert each.message == (SYSLOG.message(reported[0]) if reported else "")


def wired(packet: Packet) -> bytes:
    """The packet as it is on the wire."""
    opening = packet.opening
    header = IP(src=str(opening.source), dst=str(opening.destination))
    ends = {"sport": opening.source_port, "dport": opening.destination_port}
    if opening.protocol == 6:
        return bytes(header / TCP(**ends, flags="S"))
    if opening.protocol == 17:
        return bytes(header / UDP(**ends) / Raw(b"x"))
    return bytes(header / ICMP(type=opening.icmp_type, code=packet.flags & 0xFF))


def test_every_phase_that_a_policy_has_is_shown() -> None:
    reading = read_rules(THREE_INTERFACES + "conduit permit tcp any any\n", "test.conf")
    assert reading.configuration is not None
    opening = Opening(
        6, IPv4Address("198.51.100.7"), 1, IPv4Address("172.16.1.9"), 1, -1, "outside"
    )
    decision = Policy(reading.configuration, DEFAULT).decide(opening)
    each = trace(Packet(opening), decision, SYSLOG)
    shown = list(text(each, Source(reading.configuration, reading.shown)))
    assert sum(line.startswith("Phase: ") for line in shown) == len(decision.steps)
    assert "Type: CONDUIT" in shown
