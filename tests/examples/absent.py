"""Published examples that no release here produces, and why."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Absent:
    """Examples that are not reproduced.

    Args:
        name: what tests and docs/published.md call them.
        source: where they were published.
        printed: one of them, as it was printed.
        why: the reason.
        numbers: the messages that they are, for log lines.
    """

    name: str
    source: str
    printed: str
    why: str
    numbers: tuple[str, ...] = ()


GARBLED = (
    Absent(
        "KB-320027-cmap",
        "Microsoft KB 320027",
        "220 SMTP/cmap" + "_" * 41 + " read",
        "A garbled form of `recog-cmap`: `ready` was cut and moved behind the `_`.",
    ),
    Absent(
        "dd277550-cmap",
        "TechNet dd277550, a copy at unifiedpeople.ru",
        "220 SMTP/cmap" + "_" * 37 + "read",
        "The same, shortened once more.",
    ),
    Absent(
        "dd277550",
        "TechNet dd277550, a copy at unifiedpeople.ru",
        "220" + "*" * 31 + "0*2" + "*" * 6 + "0" + "*" * 11 + "2002*******2***0*00",
        "A reprint of `KB-320027`; as it says itself, some asterisks were removed.",
    ),
)
"""Greetings."""

MESSAGES = (
    Absent(
        "106100",
        "elastic/integrations, three lines of 2013",
        "%ASA-6-106100: access-list inside denied udp inside/172.29.2.101(1039) -> "
        "outside/192.168.2.10(53) hit-cnt 1 first hit [0xd820e56a, 0x0]",
        "The same is printed, but for the hash code: both are zeros here.",
    ),
    Absent(
        "translations",
        "OSSEC, decoders",
        "%PIX-6-305011: Built dynamic TCP translation from inside:192.168.1.3/54946 to "
        "outside:192.168.2.14/1033",
        "That a translation is made draws no message.",
        ("305011", "305012"),
    ),
    Absent(
        "identity",
        "OSSEC, PIX samples",
        "%PIX-6-302013: Built inbound TCP connection 141968 for db:10.0.0.1/60749 "
        "(10.0.0.1/60749) to NP Identity Ifc: 10.0.0.2/22 (10.0.0.2/22)",
        "A connection to the firewall itself, not through it. (302013 of others is above.)",
    ),
    Absent(
        "console",
        "OSSEC; a device's line, 2002",
        "%PIX-6-605005: Login permitted from 192.168.1.2/2953 to inside:192.168.1.1/telnet for "
        'user ""',
        "About the firewall's own console.",
        ("111008", "308001", "605004", "605005", "710001", "710002", "710003"),
    ),
    Absent(
        "other-protocols",
        "OSSEC; elastic/integrations, 2011 and 2013",
        "%PIX-6-302015: Built outbound UDP connection 156 for outside:192.168.2.10/1514 "
        "(192.168.2.10/1514) to inside:192.168.1.2/1026 (192.168.2.14/1163)",
        "About UDP and ICMP flows, and hosts as such; TCP connections alone draw messages.",
        ("302015", "302016", "302020", "302021", "609001", "609002"),
    ),
    Absent(
        "intrusion",
        "OSSEC, decoders",
        "%PIX-4-400013 IDS:2003 ICMP redirect from 10.4.1.2 to 10.2.1.1 on interface dmz",
        "About intrusion detection.",
        ("400013",),
    ),
)
"""Log lines."""

FRAMES = (
    Absent(
        "zone-and-class",
        "elastic/integrations, 2014",
        "Apr 15 2014 09:34:34 EDT: %ASA-session-5-106100: ...",
        "The name of the time zone and the message class are printed where a device is told to; "
        "no command here tells it.",
    ),
    Absent(
        "server-lead",
        "OSSEC; request-log-analyzer, 2012; elastic/integrations, 2018",
        "Sep  7 06:26:49 PIXName %PIX-4-106023: ...",
        "A syslog server put the time and the name or address in front. The messages themselves "
        "are above.",
    ),
)
"""What stands before messages."""

ABSENT = GARBLED + MESSAGES + FRAMES

UNPUBLISHED = {
    "106021": "Cisco's message guide has its text",
    "108005": "likewise",
    "108006": "likewise",
    "201002": "likewise",
    "201003": "likewise",
    "201004": "likewise",
    "211001": "likewise",
    "302001": "its wording is from memory of Cisco's manuals of 4.x to 6.1",
    "302002": "likewise",
    "305006": "Cisco's message guide has its text",
    "305013": "likewise",
}
"""Messages that are drawn here and of which no line was found, by their numbers."""
