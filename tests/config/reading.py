"""Rule files in tests: read one that must be good, or the errors of one that must not."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network

from appliance.config.load import Reading, read_rules
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


def reading_of(*lines: str) -> Reading:
    """What interfaces and some lines are read as."""
    return read_rules(INTERFACES + "\n".join(lines), "test.conf")


def read(*lines: str, warnings: int = 0) -> Configuration:
    """The configuration of interfaces and some lines, which have no errors."""
    reading = reading_of(*lines)
    assert reading.configuration is not None, "\n".join(map(str, reading.findings))
    assert len(reading.findings) == warnings, "\n".join(map(str, reading.findings))
    return reading.configuration


def findings_of(*lines: str) -> tuple[Finding, ...]:
    """All findings of interfaces and some lines."""
    return reading_of(*lines).findings


def error_of(*lines: str) -> Finding:
    """The only finding of interfaces and some lines, an error."""
    reading = reading_of(*lines)
    assert reading.configuration is None
    (finding,) = reading.findings
    assert finding.severity is Severity.ERROR
    return finding


def warning_of(*lines: str) -> Finding:
    """The only finding of interfaces and some lines, a warning."""
    reading = reading_of(*lines)
    assert reading.configuration is not None, "\n".join(map(str, reading.findings))
    (finding,) = reading.findings
    assert finding.severity is Severity.WARNING
    return finding
