"""Log lines, to the blank."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address

import pytest

from appliance.events import (
    Closing,
    ConnectionBuilt,
    ConnectionClosed,
    Denial,
    Direction,
    Endpoint,
    Flow,
    Inspected,
    Kind,
    PacketDenied,
    Phase,
)
from appliance.limits import Limits
from appliance.smtp.release import RELEASES, Blocked
from appliance.syslog import Syslog, flag_names
from tests.wire import Wire

OUTSIDE = Endpoint(
    "outside", IPv4Address("203.0.113.10"), 40000, IPv4Address("203.0.113.10"), 40000
)
INSIDE = Endpoint("inside", IPv4Address("10.1.1.5"), 25, IPv4Address("203.0.113.5"), 25)
INBOUND = Flow(7, OUTSIDE, INSIDE, inbound=True, inspected="6.3")
OUTBOUND = Flow(8, INSIDE, OUTSIDE, inbound=False, inspected="6.3")

NEW = Syslog("PIX", RELEASES["6.3"])
OLD = Syslog("PIX", RELEASES["6.1"])


def test_connection_built_names_the_less_secure_side_first():
    assert NEW.message(ConnectionBuilt(0, INBOUND)) == (
        "%PIX-6-302013: Built inbound TCP connection 7 "
        "for outside:203.0.113.10/40000 (203.0.113.10/40000) "
        "to inside:10.1.1.5/25 (203.0.113.5/25)"
    )
    assert NEW.message(ConnectionBuilt(0, OUTBOUND)) == (
        "%PIX-6-302013: Built outbound TCP connection 8 "
        "for outside:203.0.113.10/40000 (203.0.113.10/40000) "
        "to inside:10.1.1.5/25 (203.0.113.5/25)"
    )


def test_connection_built_before_6_2():
    assert OLD.message(ConnectionBuilt(0, INBOUND)) == (
        "%PIX-6-302001: Built inbound TCP connection 7 for faddr 203.0.113.10/40000 "
        "gaddr 203.0.113.5/25 laddr 10.1.1.5/25"
    )


@pytest.mark.parametrize(
    ("flow", "closing", "by_client", "reason"),
    [
        (INBOUND, Closing.FIN, False, "TCP FINs"),
        (INBOUND, Closing.RESET, True, "Reset-O"),
        (INBOUND, Closing.RESET, False, "Reset-I"),
        (OUTBOUND, Closing.RESET, True, "Reset-I"),
        (OUTBOUND, Closing.RESET, False, "Reset-O"),
        (INBOUND, Closing.TIMEOUT, False, "Conn-timeout"),
        (INBOUND, Closing.DROPPED, False, "Deny"),
    ],
)
def test_connection_closed(flow, closing, by_client, reason):
    event = ConnectionClosed(0, flow, closing, by_client, 3725.9, 1234)
    assert NEW.message(event) == (
        f"%PIX-6-302014: Teardown TCP connection {flow.number} for outside:203.0.113.10/40000 "
        f"to inside:10.1.1.5/25 duration 1:02:05 bytes 1234 {reason}"
    )


@pytest.mark.parametrize(
    ("phase", "reason"),
    [
        (Phase.EMBRYONIC, "SYN Timeout"),
        (Phase.ESTABLISHED, "Conn-timeout"),
        (Phase.HALF_CLOSED, "FIN Timeout"),
    ],
)
def test_connection_timed_out(phase, reason):
    event = ConnectionClosed(0, INBOUND, Closing.TIMEOUT, False, 1, 2, phase)
    assert (NEW.message(event) or "").endswith(f" bytes 2 {reason}")


def test_connection_closed_before_6_2():
    assert OLD.message(ConnectionClosed(0, INBOUND, Closing.FIN, False, 0.4, 9)) == (
        "%PIX-6-302002: Teardown TCP connection 7 faddr 203.0.113.10/40000 "
        "gaddr 203.0.113.5/25 laddr 10.1.1.5/25 duration 0:00:00 bytes 9 (TCP FINs)"
    )


def test_what_is_open_at_the_end_of_a_capture_draws_no_line():
    assert NEW.message(ConnectionClosed(0, INBOUND, Closing.OPEN, False, 1, 1)) is None


@pytest.mark.parametrize(
    ("denial", "protocol", "flags", "line"),
    [
        (
            Denial.NO_PERMIT,
            6,
            2,
            "2-106001: Inbound TCP connection denied from 203.0.113.10/40000 to 10.1.1.5/25 "
            "flags SYN on interface outside",
        ),
        (
            Denial.NO_PERMIT_UDP,
            17,
            0,
            "2-106006: Deny inbound UDP from 203.0.113.10/40000 to 10.1.1.5/25 "
            "on interface outside",
        ),
        (
            Denial.NO_PERMIT_OTHER,
            47,
            0,
            "3-106010: Deny inbound protocol 47 src outside:203.0.113.10 dst inside:10.1.1.5",
        ),
        (
            Denial.NO_PERMIT_ICMP,
            1,
            0x800,
            "3-106014: Deny inbound icmp src outside:203.0.113.10 dst inside:10.1.1.5 "
            "(type 8, code 0)",
        ),
        (
            Denial.NO_CONNECTION,
            6,
            0x14,
            "6-106015: Deny TCP (no connection) from 203.0.113.10/40000 to 10.1.1.5/25 "
            "flags RST ACK on interface outside",
        ),
        (
            Denial.ACCESS_LIST,
            6,
            2,
            "4-106023: Deny tcp src outside:203.0.113.10/40000 dst inside:10.1.1.5/25 "
            'by access-group "from-outside"',
        ),
        (
            Denial.NO_TRANSLATION_INBOUND,
            17,
            0,
            "3-106011: Deny inbound (No xlate) udp src outside:203.0.113.10/40000 "
            "dst inside:10.1.1.5/25",
        ),
        (
            Denial.NO_TRANSLATION,
            1,
            0x0303,
            "3-305005: No translation group found for icmp src outside:203.0.113.10 "
            "dst inside:10.1.1.5 (type 3, code 3)",
        ),
        (
            Denial.TRANSLATION_FAILED,
            47,
            0,
            "3-305006: portmap translation creation failed for protocol 47 "
            "src outside:203.0.113.10 dst inside:10.1.1.5",
        ),
        (
            Denial.OUTBOUND_LIST,
            6,
            2,
            "2-106002: tcp connection denied by outbound list from-outside "
            "src 203.0.113.10 40000 dest 10.1.1.5 25",
        ),
        (
            Denial.REVERSE_PATH,
            17,
            0,
            "1-106021: Deny UDP reverse path check from 203.0.113.10 to 10.1.1.5 "
            "on interface outside",
        ),
        (Denial.NO_ROUTE, 6, 2, "6-110001: No route to 10.1.1.5 from 203.0.113.10"),
    ],
)
def test_denied(denial, protocol, flags, line):
    listed = (Denial.ACCESS_LIST, Denial.OUTBOUND_LIST)
    lists = "from-outside" if denial in listed else ""
    event = PacketDenied(0, denial, protocol, OUTSIDE, INSIDE, lists, flags)
    assert NEW.message(event) == f"%PIX-{line}"


@pytest.mark.parametrize(
    ("denial", "protocol", "old", "new"),
    [
        (
            Denial.TOO_MANY,
            6,
            "3-201002: Too many connections on static 203.0.113.5! 20 100",
            "3-201002: Too many TCP connections on static 203.0.113.5! 20 100",
        ),
        (
            Denial.TOO_MANY_EMBRYONIC,
            6,
            "2-201003: Embryonic limit exceeded 21/20 for 203.0.113.10/40000 (203.0.113.5) "
            "10.1.1.5/25 on interface outside",
            "",
        ),
        (
            Denial.TOO_MANY_UDP,
            17,
            "3-201004: Too many udp connections on static 203.0.113.5! 100",
            "",
        ),
    ],
)
def test_beyond_a_limit(denial, protocol, old, new):
    limits = Limits("target", 100, 20)
    event = PacketDenied(0, denial, protocol, OUTSIDE, INSIDE, limits=limits)
    assert OLD.message(event) == NEW.message(event) == f"%PIX-{old}"
    assert ASA.message(event) == f"%ASA-{new or old}"


def test_beyond_a_limit_of_a_nat():
    limits = Limits("target", 100, 20, of_source=True)
    event = PacketDenied(0, Denial.TOO_MANY, 6, OUTSIDE, INSIDE, limits=limits)
    assert OLD.message(event) == "%PIX-3-201002: Too many connections on xlate 203.0.113.10! 20 100"


def test_every_denial_has_a_message():
    for denial in Denial:
        event = PacketDenied(0, denial, 6, OUTSIDE, INSIDE, "x", 2)
        assert f"-{denial.value}: " in (NEW.message(event) or "")


def test_address_edited():
    event = Inspected(
        0, Kind.ADDRESS_EDITED, INBOUND, Direction.TO_SERVER, 0, detail="<a|b@example.net>"
    )
    assert NEW.message(event) == (
        "%PIX-2-108002: SMTP replaced string: out 203.0.113.10 in 10.1.1.5 data: <a|b@example.net>"
    )
    assert NEW.message(replace(event, kind=Kind.COMMAND_BLOCKED)) is None


ASA = Syslog("ASA", RELEASES["8.4"])


def test_messages_of_7_0_and_later():
    """An ASA's forms, in lines that others published (elastic, ossec) and Cisco's guide."""
    ends = "outside:203.0.113.10/40000 to inside:10.1.1.5/25"
    denied = PacketDenied(0, Denial.ACCESS_LIST, 6, OUTSIDE, INSIDE, "in", 2)
    assert ASA.message(denied) == (
        "%ASA-4-106023: Deny tcp src outside:203.0.113.10/40000 dst inside:10.1.1.5/25 "
        'by access-group "in" [0x0, 0x0]'
    )
    dropped = ConnectionClosed(0, INBOUND, Closing.DROPPED, False, 1, 2)
    assert ASA.message(dropped) == (
        f"%ASA-6-302014: Teardown TCP connection 7 for {ends} duration 0:00:01 bytes 2 "
        "Flow closed by inspection"
    )
    reset = ConnectionClosed(0, INBOUND, Closing.RESET, False, 1, 2)
    assert (ASA.message(reset) or "").endswith(" bytes 2 TCP Reset-I")
    said = Inspected(0, Kind.ADDRESS_REFUSED, INBOUND, Direction.TO_SERVER, 0, detail="<a|b>")
    assert ASA.message(said) == (
        "%ASA-2-108003: Terminating ESMTP/SMTP connection; malicious pattern detected in the mail "
        f"address from {ends}. Data:<a|b>"
    )
    for kind, reason in (
        (Kind.CONNECTION_DROPPED, "inspector disconnected, dropped packet"),
        (Kind.CONNECTION_RESET, "inspector reset unconditionally"),
        (
            Kind.INCONSISTENT_RETRANSMISSION,
            "failed to consolidate new buffer data with original",
        ),
    ):
        terminated = Inspected(0, kind, INBOUND, Direction.TO_SERVER, 0)
        assert ASA.message(terminated) == (
            f"%ASA-4-507003: tcp flow from {ends} terminated by inspection engine, "
            f"reason - {reason}."
        )
        assert NEW.message(terminated) is None
    tls = Inspected(0, Kind.OPAQUE, INBOUND, Direction.TO_CLIENT, 0)
    assert ASA.message(tls) == (
        "%ASA-6-108007: TLS started on ESMTP session between client outside:203.0.113.10/40000 "
        "and server inside:10.1.1.5/25"
    )


def test_a_dropped_connection_draws_its_messages_in_order():
    wire = Wire(RELEASES["7.0"]).handshake()
    wire.server(b"220 x\r\n")
    wire.client(b"MAIL FROM:<a|b@c>\r\n")
    wire.client(b"NOOP\r\n")
    lines = [ASA.message(event) or "" for event in wire.events]
    numbers = [line.split(":")[0] for line in lines if line]
    assert numbers == [
        "%ASA-6-302013",
        "%ASA-2-108003",
        "%ASA-4-507003",
        "%ASA-6-302014",
        "%ASA-6-106015",
    ]


def test_what_was_made_noop_is_told_before_6_2():
    event = Inspected(
        0,
        Kind.COMMAND_BLOCKED,
        INBOUND,
        Direction.TO_SERVER,
        0,
        b"AUTH PLAIN AGEAYg==\r\n",
        b"NOOP               \r\n",
    )
    noop = {name: replace(RELEASES[name], blocked=Blocked.NOOP) for name in ("5.1", "6.3")}
    assert Syslog("PIX", noop["5.1"]).message(event) == (
        "%PIX-2-108001: SMTP made noop: out 203.0.113.10 in 10.1.1.5 data: AUTH"
    )
    assert Syslog("PIX", noop["6.3"]).message(event) is None
    assert OLD.message(event) is None


def test_flag_names_lowest_bit_first():
    assert flag_names(0x3F) == "FIN SYN RST PSH ACK URG"
    assert flag_names(0) == ""
