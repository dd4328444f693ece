"""Events as JSON: every kind has its fields, and a message that can be taken apart."""

from __future__ import annotations

from ipaddress import IPv4Address

import pytest

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
from appliance.live.framing import Message
from appliance.live.record import Record, record
from appliance.smtp.release import RELEASES
from appliance.syslog import Syslog

OUTSIDE = Endpoint(
    "outside", IPv4Address("203.0.113.10"), 40000, IPv4Address("203.0.113.10"), 40000
)
INSIDE = Endpoint("inside", IPv4Address("10.1.1.5"), 25, IPv4Address("203.0.113.5"), 25)
FLOW = Flow(7, OUTSIDE, INSIDE, inbound=True, inspected="6.3")
OF_FLOW: Record = {
    "connection": 7,
    "client": "203.0.113.10:40000",
    "server": "10.1.1.5:25",
    "release": "6.3",
}
BLOCKED = Inspected(
    9.25, Kind.COMMAND_BLOCKED, FLOW, Direction.TO_SERVER, 57, b"VRFY \xff\r\n", b"XXXX \xff\r\n"
)


@pytest.mark.parametrize(
    ("event", "fields"),
    [
        (ConnectionBuilt(1.5, FLOW), {"time": 1.5, "kind": "connection-built", **OF_FLOW}),
        (
            ConnectionClosed(2.5, FLOW, Closing.FIN, False, 1.25, 100),
            {
                "time": 2.5,
                "kind": "connection-closed",
                **OF_FLOW,
                "closed": "fin",
                "duration": 1.25,
                "octets": 100,
            },
        ),
        (
            PacketDenied(3.5, Denial.NO_CONNECTION, 6, OUTSIDE, INSIDE, flags=2),
            {
                "time": 3.5,
                "kind": "packet-denied",
                "protocol": 6,
                "source": "203.0.113.10:40000",
                "destination": "10.1.1.5:25",
            },
        ),
        (
            BLOCKED,
            {
                "time": 9.25,
                "kind": "command-blocked",
                **OF_FLOW,
                "direction": "to-server",
                "offset": 57,
                "original": "VRFY \xff\r\n",
                "rewritten": "XXXX \xff\r\n",
            },
        ),
    ],
)
def test_each_event_has_its_fields(event: Event, fields: Record) -> None:
    assert record(event, None) == fields
    message = Message("PIX", 6, 302013, "Built")
    assert record(event, message) == {
        **fields,
        "severity": 6,
        "number": 302013,
        "message": "%PIX-6-302013: Built",
    }


@pytest.mark.parametrize(
    ("kind", "original", "rewritten", "shown"),
    [
        (Kind.COMMAND_BLOCKED, b"auth PLAIN AGEAYg==\r\n", b"XXXX PLAIN AGEAYg==\r\n", "auth"),
        (Kind.COMMAND_BLOCKED, b"X-EXPS LOGIN Yg==\r\n", b"XXXXXX LOGIN Yg==\r\n", "X-EXPS"),
        (Kind.SEGMENT_DROPPED, b"AGEAYg==\r\n", b"", ""),
    ],
)
def test_no_password_is_kept(kind: Kind, original: bytes, rewritten: bytes, shown: str) -> None:
    event = Inspected(1, kind, FLOW, Direction.TO_SERVER, 0, original, rewritten)
    fields = record(event, None)
    assert fields["original"] == shown
    assert "Yg==" not in str(fields)


@pytest.mark.parametrize("release", RELEASES)
@pytest.mark.parametrize("product", ["PIX", "ASA"])
def test_every_message_can_be_taken_apart(product: str, release: str) -> None:
    syslog = Syslog(product, RELEASES[release])
    events: list[Event] = [
        ConnectionBuilt(0, FLOW),
        *(ConnectionClosed(0, FLOW, closing, True, 1, 2) for closing in Closing),
        *(
            PacketDenied(0, reason, protocol, OUTSIDE, INSIDE, "list", 2)
            for reason in Denial
            for protocol in (1, 6, 17, 47)
        ),
        *(Inspected(0, kind, FLOW, Direction.TO_SERVER, 0, detail="a\r\nb") for kind in Kind),
    ]
    texts = [text for text in map(syslog.message, events) if text is not None]
    assert len(texts) > len(Denial)
    assert [str(Message.parse(text)) for text in texts] == texts
