"""Configurations that other people published: how they are mended, and what stays unreadable.

What made their names unrecognisable also replaced some keywords, which are put back, and addresses
one by one, so that networks overlap and netmasks fit no longer.
"""

from __future__ import annotations

import re
from pathlib import Path

from appliance.config.load import Reading, read_rules, read_text
from appliance.errors import Severity

SHARED = Path(__file__).parents[3] / "shared"
FOREIGN = [
    path
    for folder in ("reference/examples/configs", "corpus/configs")
    for path in sorted((SHARED / folder).rglob("*"))
    if path.is_file()
]

_KEYWORDS = (
    (r"^(no )?example8-(list|group)\b", r"\1access-\2"),
    (r"^(no )?logging user\d\b", r"\1logging monitor"),
    (r"^(no )?user3-interface\b", r"\1monitor-interface"),
    (r"^(no )?user2\b", r"\1asdm"),
)

_UNREADABLE = {
    "addresses that were replaced one by one": (
        r"overlaps that of",
        r"is not the address of a network under",
        r"existing static",
        r"`(192\.0\.2|198\.51\.100)\.\d+` is not a netmask",
        r"interface `(intf4|dmz)` has no address",
        r"access-list intf4_access_in does not exist",
        r"`test.*ing` is not the name of an access list",
    ),
    "notes and prompts of those who copied them": (
        r"unknown command `#`",
        r"unknown command `fw-14#`",
        r"unknown command `firewall#`",
        r"`p` is ambiguous",
        r"^incomplete command$",  # a line that a terminal wrapped
        r"`!` is not expected here",
    ),
    "errors that are meant as such, in tests of other programs": (
        r"unknown command `(foo|biz)`",
        r"`foo` is not a tcp port",
        r"unknown keyword `group` after `object-group`",
        r"cause a loop in grp hierarchy",
        r"is a standard list, which says nothing",
        r"access-list FILTER_UNDEF does not exist",
        r"object-group `(UNDEFINED_GROUP(_MIXED)?|OGS_UNDEFINED|drawbridge_hosts)` does not exist",
        r"`(1|192\.168\.1\.254)` is not (a netmask|an IPv4 address)",
        r"0\.0\.0\.0 cannot be a gateway",
        r"there is no interface named `(inside|outside|dmz|mgmt)`",
        r"object `(source-mapped-undef|OS_UNDEFINED|net1|pool|service1|source-mapped|WORD)` does",
        r"object `(source-net|icmp)` does not exist",
        r"object \(source-real\) is empty",
        r"`sctp` is not expected here",
        r"which interface's address is meant is not said",
        r"`(tcp|udp)` is not a protocol and a port",
        r"interface `outside` has no address",
        r"`parameters` does not stand here",
    ),
    "services that ASDM has names for, and no line defines": (
        r"object `(icmp-\S+|ospf)` does not exist",
    ),
    "lines of a compiler that no device takes": (
        r"`tcp` is not expected here",
        r"object network ext_subnet.0 is a `subnet`",
    ),
    "IPv6": (r"`[0-9a-f:]+` is neither an address nor a name",),
    "netmasks whose ones are not all on the left": (r"`191\.255\.255\.128` is not a netmask",),
}


def mended(path: Path) -> str:
    """The text of a file, its keywords put back."""
    text = read_text(path)
    for pattern, keyword in _KEYWORDS:
        text = re.sub(pattern, keyword, text, flags=re.MULTILINE)
    return text


def unexplained(reading: Reading) -> list[str]:
    """The errors of a file that the file is not known to be to blame for."""
    known = [pattern for patterns in _UNREADABLE.values() for pattern in patterns]
    return [
        str(finding)
        for finding in reading.findings
        if finding.severity is Severity.ERROR
        and not any(re.search(pattern, finding.problem) for pattern in known)
    ]


def without_errors(path: Path) -> Reading:
    """A file, read without the lines that are known to be unreadable.

    Raises:
        AssertionError: another line has an error.
    """
    lines = mended(path).split("\n")
    while True:
        reading = read_rules("\n".join(lines), path.name)
        unknown = unexplained(reading)
        assert not unknown, "\n".join(unknown)
        if reading.configuration:
            return reading
        for finding in reading.findings:
            if finding.severity is Severity.ERROR:
                lines[finding.place.line - 1] = ""
