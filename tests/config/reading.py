"""Rule files in tests: read one that must be good, or the errors of one that must not."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network

from appliance.config.load import parse_configuration
from appliance.config.model import Configuration
from appliance.errors import Finding, Severity

INTERFACES = """\
nameif ethernet0 outside security0
nameif ethernet1 inside security100
ip address outside 203.0.113.1 255.255.255.0
ip address inside 10.1.1.1 255.255.255.0
"""
"""Four lines that most configurations need; what follows them begins at line 5."""


def address(text: str) -> IPv4Address:
    return IPv4Address(text)


def network(text: str) -> IPv4Network:
    return IPv4Network(text)


def read(*lines: str, warnings: int = 0) -> Configuration:
    """The configuration of interfaces and some lines, which have no errors."""
    configuration, findings = parse_configuration(INTERFACES + "\n".join(lines), "test.conf")
    assert configuration is not None, "\n".join(map(str, findings))
    assert len(findings) == warnings, "\n".join(map(str, findings))
    return configuration


def findings_of(*lines: str) -> tuple[Finding, ...]:
    """All findings of interfaces and some lines."""
    return parse_configuration(INTERFACES + "\n".join(lines), "test.conf")[1]


def error_of(*lines: str) -> Finding:
    """The only finding of interfaces and some lines, an error."""
    configuration, findings = parse_configuration(INTERFACES + "\n".join(lines), "test.conf")
    assert configuration is None
    (finding,) = findings
    assert finding.severity is Severity.ERROR
    return finding


def warning_of(*lines: str) -> Finding:
    """The only finding of interfaces and some lines, a warning."""
    configuration, findings = parse_configuration(INTERFACES + "\n".join(lines), "test.conf")
    assert configuration is not None, "\n".join(map(str, findings))
    (finding,) = findings
    assert finding.severity is Severity.WARNING
    return finding
