"""The text of a rule file, and what it becomes: a policy, netfilter rules and a review."""

from __future__ import annotations

from ipaddress import IPv4Address
from itertools import permutations

from appliance.admission import Opening
from appliance.box import Box
from appliance.config.load import read_rules, read_text
from appliance.config.model import Configuration
from appliance.config.table import TABLE
from appliance.diff.comparison import compare
from appliance.diff.packets import sample
from appliance.errors import PixguardError, Severity
from appliance.live.compilation import compile_rules
from appliance.policy.policy import Policy
from appliance.policy.review import review
from appliance.protocol import ICMP, TCP
from appliance.smtp.release import choose
from tests.fuzz.files import in_memory
from tests.fuzz.messages import check_findings

LONGEST = 4096
WORDS = (
    *sorted({word.encode() for command in TABLE.commands for word in command.words.split()}),
    *b"no permit deny tcp udp icmp ip any host eq range gt lt neq smtp www echo in out".split(),
    *b"interface netmask outside inside dmz security0 security100 log timeout remark".split(),
    *b"255.255.255.255 255.255.255.0 0.0.0.0 10.1.1.5 203.0.113.5 0:05:00 25-26 53".split(),
)

_ADDRESSES = tuple(map(IPv4Address, (0, "10.1.1.5", "203.0.113.5", 0xFFFFFFFF)))
_PROTOCOLS = ((TCP, 25, -1), (ICMP, 0, 8), (47, 0, -1))


def one_input(data: bytes) -> None:
    """Read a rule file; a good one is compiled in both ways."""
    with in_memory(data) as path:
        text = read_text(path)
    reading = read_rules(text, "pixguard.conf")
    check_findings(reading.findings, text.split("\n"))
    bad = any(finding.severity is Severity.ERROR for finding in reading.findings)
    assert (reading.configuration is None) is bad
    if reading.configuration is not None:
        _compile(reading.configuration)
        _review(reading.configuration)


def _review(configuration: Configuration) -> None:
    """Look for what can do nothing, and for differences from itself, of which there are none."""
    for finding in review(configuration):
        assert finding.place.line >= 1
        assert finding.problem
    packets = sample(configuration, configuration, 50).packets
    try:
        policy = Policy(configuration, choose(configuration.version, None))
    except PixguardError:
        return
    assert compare(policy, policy, packets) == ()


def _compile(configuration: Configuration) -> None:
    interfaces = tuple(
        (interface.name, f"eth{number}")
        for number, interface in enumerate(configuration.interfaces)
    )
    try:
        policy = Policy(configuration, choose(configuration.version, None))
        rules = compile_rules(configuration, Box(interfaces))
    except PixguardError:
        return
    for table in (rules.filter, rules.nat, rules.filter6):
        for chain in table.chains:
            assert all(rule.isprintable() for rule in chain.rules), chain
    sides = [name for name, _ in interfaces[:3]] + [""]
    for protocol, port, icmp_type in _PROTOCOLS:
        for ingress in sides:
            for source, destination in permutations(_ADDRESSES, 2):
                policy.admit(
                    Opening(protocol, source, port, destination, port, icmp_type, ingress, "")
                )
