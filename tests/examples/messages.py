"""Log lines that people published, and the events that draw them here."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from ipaddress import IPv4Address

from appliance.config.model import DEFAULT_FACILITY
from appliance.events import (
    Closing,
    ConnectionBuilt,
    ConnectionClosed,
    Denial,
    Direction,
    Endpoint,
    Event,
    Flow,
    Inspected,
    Kind,
    PacketDenied,
)
from appliance.protocol import ICMP, TCP, UDP
from appliance.smtp.esmtp_map import Act, Action
from tests.examples.releases import ASA, BEFORE_7, FROM_7, MAPPED, NEW_NAMES, PIX

PRODUCTS = {"PIX": PIX, "ASA": ASA}
"""The releases that ran on each."""

SYN, RST, ACK = 0x02, 0x04, 0x10
ECHO = 0x0800
TIME_EXCEEDED = 0x0B00
UNREACHABLE = 0x0300
"""ICMP type times 256, plus the code."""

OSSEC = "OSSEC, PIX samples"
ELASTIC = "elastic/integrations, tests for the ASA"


@dataclass(frozen=True, slots=True)
class Line:
    """A log line, and an event that draws it.

    Args:
        name: what tests and docs/published.md call it.
        source: where it was published.
        shows: what is to be learnt from it.
        printed: the line from its `%` on, or its text alone where no more was published.
        event: what draws it here.
        product: "PIX" or "ASA".
        releases: those of the product that word it so; its others do not.
        removed: what stands in the print for an address that its publisher removed, by the
            address that stands there here.
    """

    name: str
    source: str
    shows: str
    printed: str
    event: Event
    product: str = "PIX"
    releases: tuple[str, ...] = PIX
    removed: dict[str, str] = field(default_factory=dict)

    def as_printed(self, message: str) -> str:
        """A message with those addresses removed, from its `%` or its text on."""
        for address, mark in self.removed.items():
            message = message.replace(address, mark)
        return message if self.printed.startswith("%") else message.partition(": ")[2]


@dataclass(frozen=True, slots=True)
class Variant(Line):
    """A log line that is printed otherwise here.

    Args:
        ours: what is printed here for the same event.
    """

    ours: str = ""


def end(text: str, mapped: str = "") -> Endpoint:
    """An end of a flow.

    Args:
        text: "INTERFACE:ADDRESS/PORT", as a message names it.
        mapped: "ADDRESS/PORT" by which the other side sees it; the same if untranslated.
    """
    interface, _, real = text.rpartition(":")
    address, _, port = real.partition("/")
    to, _, to_port = (mapped or real).partition("/")
    return Endpoint(
        interface, IPv4Address(address), int(port or 0), IPv4Address(to), int(to_port or 0)
    )


def built(number: int, outer: Endpoint, inner: Endpoint, *, inbound: bool) -> ConnectionBuilt:
    """A connection between a less and a more secure end began."""
    client, server = (outer, inner) if inbound else (inner, outer)
    return ConnectionBuilt(0, Flow(number, client, server, inbound, ""))


def closed(number: int, outer: str, inner: str, seconds: int, octets: int) -> ConnectionClosed:
    """A connection between a less and a more secure end was closed by both."""
    flow = Flow(number, end(outer), end(inner), True, "")
    return ConnectionClosed(0, flow, Closing.FIN, True, seconds, octets)


def denied(
    reason: Denial, protocol: int, source: str, destination: str, flags: int = 0, by: str = ""
) -> PacketDenied:
    """A packet was not let through."""
    return PacketDenied(0, reason, protocol, end(source), end(destination), by, flags)


def inspected(
    kind: Kind, client: str, server: str, detail: str = "", action: Action | None = None
) -> Inspected:
    """Inspection of an inbound connection noticed something."""
    flow = Flow(1, end(client), end(server), True, "")
    return Inspected(0, kind, flow, Direction.TO_SERVER, 0, detail=detail, action=action)


def dropped_for_a_header(client: str, server: str) -> Inspected:
    """A mail has met the fourth match of the default map."""
    action = Action(Act.DROP_CONNECTION, log=True)
    detail = "matched Class 4: header line length gt 998"
    return inspected(Kind.MATCHED, client, server, detail, action)


LINES: tuple[Line, ...] = (
    Line(
        "302013-inbound",
        "a PIX log importer, GitHub",
        "Inbound: the less secure end first.",
        "%PIX-6-302013: Built inbound TCP connection 323796 for outside:192.168.0.1/40532 "
        "(192.168.0.1/40532) to inside:192.168.3.1/21 (192.168.3.1/21)",
        built(323796, end("outside:192.168.0.1/40532"), end("inside:192.168.3.1/21"), inbound=True),
        releases=NEW_NAMES,
    ),
    Line(
        "302013-outbound",
        "a PIX log importer, GitHub",
        "Outbound: the less secure end first, too.",
        "%PIX-6-302013: Built outbound TCP connection 1084734 for outside:192.168.3.1/20 "
        "(192.168.3.1/20) to inside:192.168.0.1/63076 (192.168.0.1/63076)",
        built(
            1084734, end("outside:192.168.3.1/20"), end("inside:192.168.0.1/63076"), inbound=False
        ),
        releases=NEW_NAMES,
    ),
    Line(
        "302013-mapped-2007",
        "a report on a worm, 2007",
        "Outbound from a translated address: the mapped one in parentheses.",
        "%PIX-6-302013: Built outbound TCP connection 4506013 for outside:172.31.60.167/2967 "
        "(172.31.60.167/2967) to inside:172.31.5.58/4744 (139.223.23.125/3072)",
        built(
            4506013,
            end("outside:172.31.60.167/2967"),
            end("inside:172.31.5.58/4744", "139.223.23.125/3072"),
            inbound=False,
        ),
        releases=NEW_NAMES,
    ),
    Line(
        "302013-mapped-2013",
        ELASTIC,
        "The same on an ASA.",
        "%ASA-6-302013: Built outbound TCP connection 89743277 for outside:192.168.0.17/80 "
        "(192.168.0.17/80) to inside:192.168.3.42/4954 (10.0.0.130/10879)",
        built(
            89743277,
            end("outside:192.168.0.17/80"),
            end("inside:192.168.3.42/4954", "10.0.0.130/10879"),
            inbound=False,
        ),
        "ASA",
        ASA,
    ),
    Line(
        "302013-2025",
        "tests of a log parser, 2025",
        "A name other than outside for the less secure end.",
        "%ASA-6-302013: Built inbound TCP connection 1085592 for dmz:192.168.20.120/30117 "
        "(192.168.20.120/30117) to inside:192.168.10.100/1126 (192.168.10.100/1126)",
        built(
            1085592,
            end("dmz:192.168.20.120/30117"),
            end("inside:192.168.10.100/1126"),
            inbound=True,
        ),
        "ASA",
        ASA,
    ),
    Line(
        "302014-syslog-ng-2007",
        "tests of syslog-ng, 2007",
        "`TCP FINs` on a PIX.",
        "%PIX-6-302014: Teardown TCP connection 1688438 for bloomberg-net:1.2.3.4/8294 "
        "to inside:5.6.7.8/3639 duration 0:07:01 bytes 16975 TCP FINs",
        closed(1688438, "bloomberg-net:1.2.3.4/8294", "inside:5.6.7.8/3639", 421, 16975),
        releases=NEW_NAMES,
    ),
    Line(
        "302014-elastic-2018",
        ELASTIC,
        "The same on an ASA.",
        "%ASA-6-302014: Teardown TCP connection 447236 for outside:192.168.2.222/1234 "
        "to dmz:192.168.1.34/5678 duration 0:00:00 bytes 14804 TCP FINs",
        closed(447236, "outside:192.168.2.222/1234", "dmz:192.168.1.34/5678", 0, 14804),
        "ASA",
        ASA,
    ),
    Line(
        "106001-asa",
        "OSSEC, decoders",
        "TCP where nothing permits it.",
        "%ASA-2-106001: Inbound TCP connection denied from 1.2.3.4/1234 to 213.207.99.248/445 "
        "flags SYN on interface outside",
        denied(Denial.NO_PERMIT, TCP, "outside:1.2.3.4/1234", "inside:213.207.99.248/445", SYN),
        "ASA",
        ASA,
    ),
    Line(
        "106006-2013",
        ELASTIC,
        "UDP likewise.",
        "%ASA-2-106006: Deny inbound UDP from 192.168.2.66/137 to 10.1.2.42/137 "
        "on interface inside",
        denied(Denial.NO_PERMIT_UDP, UDP, "inside:192.168.2.66/137", "outside:10.1.2.42/137"),
        "ASA",
        ASA,
    ),
    Line(
        "106006-ossec",
        "OSSEC, decoders",
        "The same on a PIX, with one blank before `interface`; other samples there have two.",
        "%PIX-2-106006: Deny inbound UDP from ***/20031 to ***/20031 on interface vpn",
        denied(Denial.NO_PERMIT_UDP, UDP, "vpn:192.0.2.1/20031", "inside:192.0.2.2/20031"),
        removed={"192.0.2.1": "***", "192.0.2.2": "***"},
    ),
    Line(
        "106010-tcp",
        OSSEC,
        "The wording for TCP. Which message a packet draws here: TCP that nothing permits draws "
        "106001, and 106010 is for other protocols.",
        "%PIX-3-106010: Deny inbound tcp src outside:213.98.79.233/2620 dst dmz:213.98.254.145/135",
        denied(Denial.NO_PERMIT_OTHER, TCP, "outside:213.98.79.233/2620", "dmz:213.98.254.145/135"),
    ),
    Line(
        "106010-icmp",
        OSSEC,
        "The wording for ICMP, which draws 106014 here.",
        "%PIX-3-106010: Deny inbound icmp src outside:80.181.210.80 dst inside:10.107.96.229 "
        "(type 8, code 0)",
        denied(Denial.NO_PERMIT_OTHER, ICMP, "outside:80.181.210.80", "inside:10.107.96.229", ECHO),
    ),
    Line(
        "106002",
        "OSSEC, decoders",
        "An outbound list.",
        "%PIX-2-106002: udp connection denied by outbound list 30 src 216.53.120.62 138 dest "
        "169.132.10.82 138",
        denied(
            Denial.OUTBOUND_LIST,
            UDP,
            "inside:216.53.120.62/138",
            "outside:169.132.10.82/138",
            by="30",
        ),
    ),
    Line(
        "106011-2012",
        "request-log-analyzer, 2012",
        "An address that nothing translates: the destination's interface is the source's.",
        "%PIX-3-106011: Deny inbound (No xlate) udp src outside:211.79.36.208/6970 "
        "dst outside:199.253.247.63/21076",
        denied(
            Denial.NO_TRANSLATION_INBOUND,
            UDP,
            "outside:211.79.36.208/6970",
            "outside:199.253.247.63/21076",
        ),
    ),
    Line(
        "106011-udp",
        OSSEC,
        "Broken over two lines in a copy of it.",
        "%PIX-3-106011: Deny inbound (No xlate) udp src outside:192.168.2.1/137 "
        "dst outside:192.168.2.14/137",
        denied(
            Denial.NO_TRANSLATION_INBOUND,
            UDP,
            "outside:192.168.2.1/137",
            "outside:192.168.2.14/137",
        ),
    ),
    Line(
        "106011-tcp",
        OSSEC,
        "TCP, and inside.",
        "%PIX-3-106011: Deny inbound (No xlate) tcp src inside:10.100.7.43/80 "
        "dst inside:10.100.4.71/2285",
        denied(
            Denial.NO_TRANSLATION_INBOUND, TCP, "inside:10.100.7.43/80", "inside:10.100.4.71/2285"
        ),
    ),
    Line(
        "106014",
        "plusserver/syslog2faz, GitHub, text alone",
        "ICMP, with type and code.",
        "Deny inbound icmp src outside:2.2.2.2 dst inside:10.10.10.10 (type 8, code 0)",
        denied(Denial.NO_PERMIT_ICMP, ICMP, "outside:2.2.2.2", "inside:10.10.10.10", ECHO),
    ),
    Line(
        "106023-tcp",
        "OSSEC, decoders",
        "By an access list, before 7.0: nothing behind its name.",
        "%PIX-4-106023: Deny tcp src inside:111.11.11.1/2143 dst YYY:172.11.1.11/139 "
        'by access-group "inside_inbound"',
        denied(
            Denial.ACCESS_LIST,
            TCP,
            "inside:111.11.11.1/2143",
            "YYY:172.11.1.11/139",
            SYN,
            "inside_inbound",
        ),
        releases=BEFORE_7,
    ),
    Line(
        "106023-icmp",
        OSSEC,
        "The same for ICMP.",
        "%PIX-4-106023: Deny icmp src outside:128.9.160.165 dst inside:10.107.19.103 "
        '(type 8, code 0) by access-group "ACL-FROM-OUTSIDE"',
        denied(
            Denial.ACCESS_LIST,
            ICMP,
            "outside:128.9.160.165",
            "inside:10.107.19.103",
            ECHO,
            "ACL-FROM-OUTSIDE",
        ),
        releases=BEFORE_7,
    ),
    Line(
        "106023-protocol",
        OSSEC,
        "The same for a protocol without a name.",
        "%PIX-4-106023: Deny protocol 4 src outside:131.119.0.197 dst inside:10.107.16.135 "
        'by access-group "ACL-FROM-OUTSIDE"',
        denied(
            Denial.ACCESS_LIST,
            4,
            "outside:131.119.0.197",
            "inside:10.107.16.135",
            by="ACL-FROM-OUTSIDE",
        ),
        releases=BEFORE_7,
    ),
    Line(
        "106023-udp-7",
        OSSEC,
        "A PIX with 7.x: two numbers in brackets.",
        "%PIX-4-106023: Deny udp src outside:204.16.208.49/58939 dst dmz:10.0.0.158/1026 "
        'by access-group "acl_outside" [0x0, 0x0]',
        denied(
            Denial.ACCESS_LIST,
            UDP,
            "outside:204.16.208.49/58939",
            "dmz:10.0.0.158/1026",
            by="acl_outside",
        ),
        releases=FROM_7,
    ),
    Line(
        "106023-icmp-2020",
        ELASTIC,
        "An ASA, ICMP.",
        "%ASA-4-106023: Deny icmp src Inside:10.123.123.123 dst Outside:10.123.123.123 "
        '(type 11, code 0) by access-group "Inside_access_in" [0x0, 0x0]',
        denied(
            Denial.ACCESS_LIST,
            ICMP,
            "Inside:10.123.123.123",
            "Outside:10.123.123.123",
            TIME_EXCEEDED,
            "Inside_access_in",
        ),
        "ASA",
        ASA,
    ),
    Line(
        "106023-protocol-asa",
        "plusserver/syslog2faz, GitHub, text alone",
        "An ASA, a protocol without a name.",
        "Deny protocol 50 src outside:2.2.2.2 dst inside:10.10.10.10 "
        'by access-group "outside-in" [0x0, 0x0]',
        denied(
            Denial.ACCESS_LIST,
            50,
            "outside:2.2.2.2",
            "inside:10.10.10.10",
            by="outside-in",
        ),
        "ASA",
        ASA,
    ),
    Line(
        "106023-2022",
        "a syslog server's datagrams, 2022",
        "An ASA, TCP.",
        "%ASA-4-106023: Deny tcp src outside:123.93.187.190/63659 dst dmz-1:245.194.191.142/8827 "
        'by access-group "outside_access_in" [0x0, 0x0]',
        denied(
            Denial.ACCESS_LIST,
            TCP,
            "outside:123.93.187.190/63659",
            "dmz-1:245.194.191.142/8827",
            SYN,
            "outside_access_in",
        ),
        "ASA",
        ASA,
    ),
    Line(
        "110001",
        "notes on the ASA's order of operations, GitHub",
        "No interface leads there.",
        "No route to 111.111.11.11 from 10.0.5.5",
        denied(Denial.NO_ROUTE, TCP, "inside:10.0.5.5/40000", ":111.111.11.11/25", SYN),
        "ASA",
        ASA,
    ),
    Line(
        "305005",
        "OSSEC, decoders",
        "Nothing translates the source.",
        "%PIX-3-305005: No translation group found for icmp src outside:x.x.x.x "
        "dst inside:x.x.x.x (type 3, code 0)",
        denied(Denial.NO_TRANSLATION, ICMP, "outside:192.0.2.1", "inside:192.0.2.2", UNREACHABLE),
        removed={"192.0.2.1": "x.x.x.x", "192.0.2.2": "x.x.x.x"},
    ),
    Line(
        "507003",
        "a blog on mail that was dropped",
        "Severity 4, where the guide says 3.",
        "%ASA-4-507003: tcp flow from outside:75.75.75.75/35314 to PUBLIC_DMZ:10.0.25.101/25 "
        "terminated by inspection engine, reason - inspector disconnected, dropped packet.",
        inspected(
            Kind.CONNECTION_DROPPED, "outside:75.75.75.75/35314", "PUBLIC_DMZ:10.0.25.101/25"
        ),
        "ASA",
        ASA,
    ),
    Line(
        "710005-broadcast",
        OSSEC,
        "To all hosts.",
        "%PIX-7-710005: UDP request discarded from 0.0.0.0/68 to outside:255.255.255.255/67",
        denied(Denial.OWN_ADDRESS, UDP, "outside:0.0.0.0/68", "outside:255.255.255.255/67"),
    ),
    Line(
        "710005-own",
        "OSSEC, decoders",
        "To the firewall itself.",
        "%PIX-7-710005: UDP request discarded from <public IP of 525>/4500 "
        "to outside:192.168.69.137/4500",
        denied(Denial.OWN_ADDRESS, UDP, "outside:192.0.2.1/4500", "outside:192.168.69.137/4500"),
        removed={"192.0.2.1": "<public IP of 525>"},
    ),
    Line(
        "108002-guide",
        "Cisco's message guide",
        "The guide's words for addresses; `string` in the middle stands in every copy. From 7.0 on "
        "no release here edits addresses.",
        "SMTP replaced string: out source_address in inside_address data: string",
        inspected(Kind.ADDRESS_EDITED, "outside:192.0.2.1/1", "inside:192.0.2.2/25", "string"),
        removed={"192.0.2.1": "source_address", "192.0.2.2": "inside_address"},
    ),
    Line(
        "108003-guide",
        "Cisco's message guide, 7.x",
        "Newer copies say `ESMTP connection` and `Mail Address:string`.",
        "Terminating ESMTP/SMTP connection; malicious pattern detected in the mail address from "
        "source_interface:source_address/source_port to "
        "dest_interface:dest_address/dset_port. Data:string",
        inspected(
            Kind.ADDRESS_REFUSED,
            "source_interface:192.0.2.1/1",
            "dest_interface:192.0.2.2/25",
            "string",
        ),
        "ASA",
        ASA,
        {"192.0.2.1/1": "source_address/source_port", "192.0.2.2/25": "dest_address/dset_port"},
    ),
    Line(
        "108004-blog",
        "a blog on mail that was dropped",
        "The default map's matches are counted from 1.",
        "%ASA-4-108004: ESMTP Classification: Dropped connection for ESMTP Request from "
        "outside:75.75.75.75/35314 to DMZ:10.0.25.101/25; matched Class 4: header line length "
        "gt 998",
        dropped_for_a_header("outside:75.75.75.75/35314", "DMZ:10.0.25.101/25"),
        "ASA",
        MAPPED,
    ),
    Line(
        "108004-wazuh",
        "tests of Wazuh",
        "An inside client's mail to a server outside.",
        "%ASA-4-108004: ESMTP Classification: Dropped connection for ESMTP Request from "
        "WLC-LAN_inside:10.235.61.181/49536 to outside:217.76.146.62/25; matched Class 4: header "
        "line length gt 998",
        dropped_for_a_header("WLC-LAN_inside:10.235.61.181/49536", "outside:217.76.146.62/25"),
        "ASA",
        MAPPED,
    ),
    Line(
        "108007-guide",
        "Cisco's message guide",
        "With `allow-tls`.",
        "TLS started on ESMTP session between client client-side_interface-name:"
        "client_IP_address/client_port and server server-side_interface-name:"
        "server_IP_address/server_port",
        inspected(
            Kind.OPAQUE,
            "client-side_interface-name:192.0.2.1/1",
            "server-side_interface-name:192.0.2.2/25",
        ),
        "ASA",
        ASA,
        {
            "192.0.2.1/1": "client_IP_address/client_port",
            "192.0.2.2/25": "server_IP_address/server_port",
        },
    ),
)
"""Those whose event draws them here."""

VARIANTS: tuple[Variant, ...] = (
    Variant(
        "106015-two-blanks",
        ELASTIC,
        "Each flag is followed by a blank there, so two stand before `on`. The form with one is "
        "printed here, as on a PIX (`106015-one-blank`).",
        "%ASA-6-106015: Deny TCP (no connection) from 84.155.66.45/1215 to 98.1.33.51/443 "
        "flags ACK  on interface outside",
        denied(Denial.NO_CONNECTION, TCP, "outside:84.155.66.45/1215", ":98.1.33.51/443", ACK),
        "ASA",
        ASA,
        ours="%ASA-6-106015: Deny TCP (no connection) from 84.155.66.45/1215 to 98.1.33.51/443 "
        "flags ACK on interface outside",
    ),
    Variant(
        "106015-one-blank",
        OSSEC,
        "One blank before `on`; the destination was garbled by its publisher.",
        "%PIX-6-106015: Deny TCP (no connection) from 192.168.2.50/443 to 192.168.20/65 "
        "flags RST on interface outside",
        denied(Denial.NO_CONNECTION, TCP, "outside:192.168.2.50/443", ":192.168.2.20/65", RST),
        ours="%PIX-6-106015: Deny TCP (no connection) from 192.168.2.50/443 to 192.168.2.20/65 "
        "flags RST on interface outside",
    ),
    Variant(
        "106015-no-interface",
        "OSSEC, decoders",
        "It ends behind the flags, with the destination removed; the interface is printed here.",
        "%PIX-6-106015: Deny TCP (no connection) from 161.58.238.151/110 to a.b.c.d/3782 "
        "flags RST ACK",
        denied(
            Denial.NO_CONNECTION, TCP, "outside:161.58.238.151/110", ":192.0.2.1/3782", RST | ACK
        ),
        removed={"192.0.2.1": "a.b.c.d"},
        ours="%PIX-6-106015: Deny TCP (no connection) from 161.58.238.151/110 to a.b.c.d/3782 "
        "flags RST ACK on interface outside",
    ),
    Variant(
        "106001-no-flags",
        "OSSEC, decoders",
        "Cut off before the flags.",
        "%PIX-2-106001: Inbound TCP connection denied from 165.139.46.7/3854 "
        "to 165.189.27.70/139 flags",
        denied(Denial.NO_PERMIT, TCP, "outside:165.139.46.7/3854", "inside:165.189.27.70/139", SYN),
        ours="%PIX-2-106001: Inbound TCP connection denied from 165.139.46.7/3854 "
        "to 165.189.27.70/139 flags SYN on interface outside",
    ),
    Variant(
        "106001-repeated",
        "OSSEC, decoders",
        "The end in parentheses is a syslog server's.",
        "%ASA-2-106001: Inbound TCP connection denied from 1.2.3.4/1234 to 213.207.99.248/445 "
        "flags SYN on interface outside (Message repeated 2 times)",
        denied(Denial.NO_PERMIT, TCP, "outside:1.2.3.4/1234", "inside:213.207.99.248/445", SYN),
        "ASA",
        ASA,
        ours="%ASA-2-106001: Inbound TCP connection denied from 1.2.3.4/1234 "
        "to 213.207.99.248/445 flags SYN on interface outside",
    ),
    Variant(
        "106023-hash",
        ELASTIC,
        "The first number identifies the rule; it is always 0x0 here, as in other samples.",
        "%ASA-4-106023: Deny tcp src dmz:10.1.2.30/63016 dst outside:192.168.0.8/53 "
        'by access-group "acl_dmz" [0xe3aab522, 0x0]',
        denied(
            Denial.ACCESS_LIST,
            TCP,
            "dmz:10.1.2.30/63016",
            "outside:192.168.0.8/53",
            SYN,
            "acl_dmz",
        ),
        "ASA",
        ASA,
        ours="%ASA-4-106023: Deny tcp src dmz:10.1.2.30/63016 dst outside:192.168.0.8/53 "
        'by access-group "acl_dmz" [0x0, 0x0]',
    ),
    Variant(
        "710005-bootps",
        OSSEC,
        "Some print the service, some its number (`710005-broadcast`): the number here.",
        "%PIX-7-710005: UDP request discarded from 0.0.0.0/68 to outside:255.255.255.255/bootps",
        denied(Denial.OWN_ADDRESS, UDP, "outside:0.0.0.0/68", "outside:255.255.255.255/67"),
        ours="%PIX-7-710005: UDP request discarded from 0.0.0.0/68 to outside:255.255.255.255/67",
    ),
)
"""Those that come out otherwise here, and what is printed instead."""

_BY_NAME = {line.name: line.printed for line in LINES}


@dataclass(frozen=True, slots=True)
class Framed:
    """What stands before a message where a syslog server gets it.

    Args:
        name: what tests and docs/published.md call it.
        source: where it was published.
        shows: the `logging` commands.
        lead: what stands before the message; without `<PRIORITY>` where the server wrote the
            line into a file.
        message: the message, from its `%` on.
        when: the time.
        facility: `logging facility`.
        device_id: what `logging device-id` makes of it.
    """

    name: str
    source: str
    shows: str
    lead: str
    message: str
    when: datetime
    facility: int = DEFAULT_FACILITY
    device_id: str = ""


def at(*numbers: int) -> datetime:
    """Year, month, day, hour, minute, second."""
    year, month, day, hour, minute, second = numbers
    return datetime(year, month, day, hour, minute, second, tzinfo=UTC)


FRAMED = (
    Framed(
        "framed-2025",
        "tests of a log parser, 2025",
        "`logging timestamp`: 166 is facility 20, severity 6",
        "<166>Jul 23 2025 23:59:09: ",
        _BY_NAME["302013-2025"],
        at(2025, 7, 23, 23, 59, 9),
    ),
    Framed(
        "framed-2022",
        "a syslog server's datagrams, 2022",
        "the same, severity 4",
        "<164>Aug 28 2022 19:34:14: ",
        _BY_NAME["106023-2022"],
        at(2022, 8, 28, 19, 34, 14),
    ),
    Framed(
        "framed-2023",
        "a syslog server's datagrams, 2023",
        "`logging facility 21`; the message is left out in print",
        "<172>Feb 13 2023 02:31:56: ",
        "%ASA-4-106023: ...",
        at(2023, 2, 13, 2, 31, 56),
        facility=21,
    ),
    Framed(
        "framed-syslog-ng-2007",
        "tests of syslog-ng, 2007",
        "`logging facility 23`",
        "<190>Apr 15 2007 21:28:13: ",
        _BY_NAME["302014-syslog-ng-2007"],
        at(2007, 4, 15, 21, 28, 13),
        facility=23,
    ),
    Framed(
        "framed-2013",
        ELASTIC,
        "`logging timestamp`, in a file",
        "Apr 29 2013 12:59:50: ",
        _BY_NAME["302013-mapped-2013"],
        at(2013, 4, 29, 12, 59, 50),
    ),
    Framed(
        "framed-2013-106006",
        ELASTIC,
        "the same",
        "Apr 30 2013 09:23:02: ",
        _BY_NAME["106006-2013"],
        at(2013, 4, 30, 9, 23, 2),
    ),
    Framed(
        "framed-address-2007",
        "a report on a worm, 2007",
        "`logging device-id ipaddress`, in a file: a blank before the colon",
        "Jan 02 2007 08:41:55 172.31.254.1 : ",
        _BY_NAME["302013-mapped-2007"],
        at(2007, 1, 2, 8, 41, 55),
        device_id="172.31.254.1",
    ),
    Framed(
        "framed-hostname-2020",
        ELASTIC,
        "`logging device-id hostname`, in a file",
        "Apr 17 2020 14:00:31 SNL-ASA-VPN-A01 : ",
        _BY_NAME["106023-icmp-2020"],
        at(2020, 4, 17, 14, 0, 31),
        device_id="SNL-ASA-VPN-A01",
    ),
    Framed(
        "framed-hostname-2013",
        ELASTIC,
        "the same; what follows is 106100, whose hash codes are zeros here",
        "Apr 24 2013 16:00:28 INT-FW01 : ",
        "%ASA-6-106100: ...",
        at(2013, 4, 24, 16, 0, 28),
        device_id="INT-FW01",
    ),
)
