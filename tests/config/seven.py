"""Configurations of 7.2 in tests: one that must be good, or the errors of one that must not."""

from __future__ import annotations

from appliance.config.load import Reading, read_rules
from appliance.config.model import Configuration
from appliance.errors import Finding, Severity

SEVEN = """\
PIX Version 7.2(1)
interface Ethernet0
 nameif outside
 ip address 203.0.113.1 255.255.255.0
interface Ethernet1
 nameif inside
 ip address 10.1.1.1 255.255.255.0
nat-control
"""
"""Eight lines of a configuration of 7.2; what follows them begins at line 9."""

INSPECTION = """\
class-map inspection_default
 match default-inspection-traffic
policy-map global_policy
 class inspection_default
  inspect esmtp
service-policy global_policy global
"""
"""Mail to port 25 inspected everywhere: six lines, so what follows both begins at line 15."""


def reading(*lines: str) -> Reading:
    return read_rules(SEVEN + INSPECTION + "\n".join(lines), "test.conf")


def good(*lines: str) -> Configuration:
    found = reading(*lines)
    assert found.findings == (), "\n".join(map(str, found.findings))
    assert found.configuration is not None
    return found.configuration


def errors(*lines: str) -> list[Finding]:
    return [f for f in reading(*lines).findings if f.severity is Severity.ERROR]


def error(*lines: str) -> Finding:
    (only,) = errors(*lines)
    return only
