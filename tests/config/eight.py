"""Configurations of 8.4 in tests: one that must be good, or the errors of one that must not."""

from __future__ import annotations

from appliance.config.load import Reading, read_rules
from appliance.config.model import Configuration
from appliance.errors import Finding, Severity

EIGHT = """\
ASA Version 8.4(1)
interface Ethernet0
 nameif outside
 ip address 203.0.113.1 255.255.255.0
interface Ethernet1
 nameif inside
 ip address 10.1.1.1 255.255.255.0
class-map inspection_default
 match default-inspection-traffic
policy-map global_policy
 class inspection_default
  inspect esmtp
service-policy global_policy global
"""
"""Thirteen lines of a configuration of 8.4; what follows them begins at line 14."""

OBJECTS = """\
object network mail
 host 10.1.1.5
object network lan
 subnet 10.1.1.0 255.255.255.0
object network pool
 range 203.0.113.20 203.0.113.29
object network mapped
 host 203.0.113.5
object service smtp
 service tcp source eq smtp
object service alternative
 service tcp source eq 2525
"""
"""Twelve lines, so what follows both begins at line 26."""


def reading(*lines: str) -> Reading:
    return read_rules(EIGHT + OBJECTS + "\n".join(lines), "test.conf")


def good(*lines: str) -> Configuration:
    found = reading(*lines)
    assert found.findings == (), "\n".join(map(str, found.findings))
    assert found.configuration is not None
    return found.configuration


def error(*lines: str) -> Finding:
    """The only finding, an error."""
    found = reading(*lines)
    assert found.configuration is None
    (finding,) = found.findings
    assert finding.severity is Severity.ERROR
    return finding
