"""Configurations for tests, from the text of a rule file."""

from __future__ import annotations

from appliance.config.load import read_rules
from appliance.config.model import Configuration

TWO_INTERFACES = """\
nameif ethernet0 outside security0
nameif ethernet1 inside security100
ip address outside 203.0.113.1 255.255.255.0
ip address inside 10.1.1.1 255.255.255.0
route outside 0 0 203.0.113.254 1
"""

THREE_INTERFACES = (
    TWO_INTERFACES
    + """\
nameif ethernet2 dmz security50
ip address dmz 172.16.1.1 255.255.255.0
"""
)


def configuration(*parts: str) -> Configuration:
    """The configuration that the parts of a rule file state together.

    Args:
        parts: one or more lines each.
    """
    text = "\n".join(part.rstrip("\n") for part in parts) + "\n"
    reading = read_rules(text, "test.conf")
    assert reading.configuration is not None, "\n".join(map(str, reading.findings))
    return reading.configuration
