"""A packet in the words of `packet-tracer`, and what is told of words that are none."""

from __future__ import annotations

from ipaddress import IPv4Address

import click
import pytest

from appliance.admission import Opening
from appliance.trace.packet import Packet, read_packet
from tests.policy.rules import TWO_INTERFACES, configuration

RULES = configuration(TWO_INTERFACES, "name 10.1.1.5 mail")
CLIENT, MAIL = IPv4Address("198.51.100.7"), IPv4Address("10.1.1.5")


@pytest.mark.parametrize(
    ("words", "packet"),
    [
        (
            "outside tcp 198.51.100.7 1024 mail smtp",
            Packet(Opening(6, CLIENT, 1024, MAIL, 25, -1, "outside"), 0x02),
        ),
        (
            "outside TCP 198.51.100.7 1024 mail 25",
            Packet(Opening(6, CLIENT, 1024, MAIL, 25, -1, "outside"), 0x02),
        ),
        (
            "inside udp mail domain 198.51.100.7 53",
            Packet(Opening(17, MAIL, 53, CLIENT, 53, -1, "inside")),
        ),
        (
            "outside icmp 198.51.100.7 unreachable 4 10.1.1.5",
            Packet(Opening(1, CLIENT, 0, MAIL, 0, 3, "outside"), 0x0304),
        ),
        ("outside gre 198.51.100.7 mail", Packet(Opening(47, CLIENT, 0, MAIL, 0, -1, "outside"))),
        ("outside 89 198.51.100.7 mail", Packet(Opening(89, CLIENT, 0, MAIL, 0, -1, "outside"))),
    ],
)
def test_packets(words: str, packet: Packet) -> None:
    assert read_packet(["input", *words.split()], RULES) == packet


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("", "`input` is missing"),
        ("from outside", "'from' stands where `input` should"),
        ("input", "the interface is missing"),
        ("input dmz tcp", "there is no interface 'dmz'; the rule file names outside, inside"),
        ("input outside", "a protocol (ah, eigrp"),
        ("input outside tpc", "`tpc` is not a protocol"),
        ("input outside tcp 10.1.1.300", "`10.1.1.300` is not an IPv4 address"),
        ("input outside tcp web", "`web` is neither an address nor a name"),
        ("input outside tcp mail 65536", "`65536` is not a tcp port"),
        ("input outside udp mail 1 10.1.1.1 smtp", "`smtp` is not a udp port"),
        ("input outside icmp mail pong", "`pong` is not an ICMP type"),
        ("input outside icmp mail echo 256", "`256` is not a number from 0 to 255"),
        ("input outside gre mail 10.1.1.1 5", "'5' is one word too many"),
        ("input outside tcp mail 1 10.1.1.1", "a tcp port: a number from 0 to 65535"),
    ],
)
def test_words_that_are_no_packet(words: str, told: str) -> None:
    with pytest.raises(click.UsageError) as error:
        read_packet(words.split(), RULES)
    assert error.value.message.startswith(told)
    assert "input INTERFACE icmp SOURCE TYPE CODE DESTINATION" in error.value.message
