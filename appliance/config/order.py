"""The order in which a device prints its configuration, by the words that lines begin with.

From configurations that people published: of 6.x, those of pix2asa and fwbuilder, and the factory
defaults of 4.4(5) and 5.3(1); of 7.x, fwbuilder's and the default of 7.2(1).
"""

from __future__ import annotations

from collections.abc import Sequence

from appliance.config.language import DEFAULT, OBJECTS, SEVEN, Language

SEPARATOR = "!"
"""A line of its own in 7.x, which only the eye sees."""

OBJECT_NAT = "!object nat"
"""Of the `nat` of objects, apart from what else is said of them; in separators if there is any."""
AFTER_OBJECTS = "after-auto nat"

_SIX = (
    "pix version",
    "asa version",
    "interface",
    "nameif",
    "enable",
    "passwd",
    "password",
    "hostname",
    "domain-name",
    "clock",
    "fixup protocol",
    "names",
    "name",
    "object-group",
    "access-list",
    "pager",
    "logging",
    "icmp",
    "mtu",
    "ip address",
    "ip verify",
    "ip audit",
    "ip local",
    "failover",
    "pdm",
    "arp",
    "global",
    "nat",
    "alias",
    "static",
    "mailhost",
    "access-group",
    "conduit",
    "outbound",
    "apply",
    "established",
    "rip",
    "router",
    "route",
    "timeout",
    "aaa-server",
    "aaa",
    "ntp",
    "url-server",
    "url-cache",
    "filter",
    "http",
    "snmp-server",
    "tftp-server",
    "floodguard",
    "fragment",
    "sysopt",
    "service",
    "auth-prompt",
    "virtual",
    "crypto",
    "isakmp",
    "ca",
    "vpngroup",
    "telnet",
    "ssh",
    "management-access",
    "console",
    "vpdn",
    "dhcpd",
    "username",
    "privilege",
    "terminal",
    "banner",
)

_SEVEN = (
    "pix version",
    "asa version",
    SEPARATOR,
    "terminal",
    "hostname",
    "domain-name",
    "enable",
    "names",
    "name",
    "mac-address",
    SEPARATOR,
    "interface",
    "passwd",
    "password",
    "dns-guard",
    "regex",
    "time-range",
    "banner",
    "boot",
    "ftp",
    "clock",
    "dns",
    "same-security-traffic",
    "object-group",
    "access-list",
    "pager",
    "logging",
    "mtu",
    "ip verify",
    "ip audit",
    "ip local",
    "failover",
    "icmp",
    "asdm",
    "arp",
    "nat-control",
    "global",
    "nat",
    "alias",
    "static",
    "access-group",
    "established",
    "router",
    "route",
    "timeout",
    "aaa-server",
    "username",
    "aaa",
    "url-server",
    "url-cache",
    "filter",
    "http",
    "snmp-server",
    "fragment",
    "sysopt",
    "service",
    "auth-prompt",
    "virtual",
    "crypto",
    "group-policy",
    "tunnel-group",
    "telnet",
    "ssh",
    "management-access",
    "console",
    "dhcpd",
    "ntp",
    "privilege",
    SEPARATOR,
    "class-map type",
    "class-map",
    SEPARATOR,
    "policy-map type",
    "policy-map",
    "service-policy",
    "prompt",
)


_EIGHT_THREE = tuple(
    new
    for section in _SEVEN
    if section not in ("nat-control", "global", "alias", "static")
    for new in {
        "enable": ("enable", "xlate"),
        "object-group": ("object", "object-group"),
        "nat": ("nat", OBJECT_NAT, AFTER_OBJECTS),
    }.get(section, (section,))
)


def _moved(sections: tuple[str, ...], section: str, after: str) -> tuple[str, ...]:
    others = [each for each in sections if each != section]
    others.insert(others.index(after) + 1, section)
    return tuple(others)


_BEFORE_6_3 = _moved(_SIX, "interface", "logging")

# Before 6.3; from then on they are sorted by name.
_FIXUPS = ("ftp", "http", "h323", "ils", "rsh", "rtsp", "smtp", "sqlnet", "sip", "skinny")


def order(language: Language) -> tuple[str, ...]:
    """What lines begin with, in the order of a version."""
    if language < DEFAULT:
        return _BEFORE_6_3
    if language < SEVEN:
        return _SIX
    return _SEVEN if language < OBJECTS else _EIGHT_THREE


def section_of(block: Sequence[str]) -> str:
    """What lines that stand together are placed by: the first one, but for `nat` from 8.3 on.

    Args:
        block: the lines.
    """
    words = block[0].split()
    if words[0] == "nat" and "after-auto" in words[1:3]:
        return AFTER_OBJECTS
    if words[:2] == ["object", "network"] and block[-1].startswith(" nat "):
        return OBJECT_NAT
    return block[0]


def position(line: str, language: Language) -> tuple[int, int, str]:
    """Where a line stands in the order of a version: its section, and its place in there.

    Args:
        line: the line, or the keywords of a command.
        language: the version.
    """
    words = line.lower().removeprefix("no ").split()
    sections = [section.split() for section in order(language)]
    number = next((n for n, s in enumerate(sections) if words[: len(s)] == s), len(sections))
    if words[:2] != ["fixup", "protocol"]:
        return number, 0, ""
    name = (*words[2:], "")[0]
    if language >= (6, 3):
        return number, 0, name
    return number, _FIXUPS.index(name) if name in _FIXUPS else len(_FIXUPS), ""
