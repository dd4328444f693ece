"""Packets as they stand, byte for byte, into an engine that inspects everything to port 25.

An input is three bytes that choose the release, one of switches, and packets; before each of them
stand its length in two bytes, what it is marked and where it enters in one, and how long after the
one before it comes in one.
"""

from __future__ import annotations

import re

from appliance.events import Event
from appliance.firewall import Firewall
from appliance.syslog import Syslog
from tests.fuzz.choices import Choices
from tests.fuzz.engine import check_end, check_events, check_room, check_verdict, with_checksums
from tests.fuzz.rows import row
from tests.wire import inspecting

LONGEST = 2048
WORDS = (
    b"\x45\0", b"\x4f\0", b"\x50\x02", b"\x50\x12", b"\x50\x18", b"\x50\x11", b"\x50\x14",
    b"\x80\x18", b"\x01\x01\x08\x0a", b"\x03\x03\x0e", b"\x05\x0a", b"\x22\x02", b"\x9c\x40\0\x19",
    b"\0\x19\x9c\x40", b"\xcb\x00\x71\x0a\x0a\x01\x01\x05", b"\x0a\x01\x01\x05\xcb\x00\x71\x0a",
    b"\r\n", b"\r\n.\r\n", b"220 x\r\n", b"250 x\r\n", b"354 x\r\n", b"334 x\r\n", b"DATA\r\n",
    b"VRFY x\r\n", b"EHLO x\r\n", b"MAIL FROM:<", b"RCPT TO:<",
)  # fmt: skip

_VERB_ALONE = re.compile(r"%PIX-2-108001: .* data: [^\x00-\x20]*")
_INTERFACES = ("", "outside", "inside", "dmz")


def one_input(data: bytes) -> None:
    """Hand the engine packets, and let its timers run in between."""
    choices = Choices(data)
    release = row(choices)
    recorded, checked = choices.of(((False, True), (True, True), (False, False), (True, False)))
    events: list[Event] = []
    firewall = Firewall(inspecting(release), events.append, recorded)
    now = 1000.0
    while choices:
        size, place, step = choices.number(), choices.byte(), choices.byte()
        packet = choices.bytes(size)
        if checked:
            packet = with_checksums(packet)
        now += step * step / 100
        ingress, egress = _INTERFACES[place & 3], _INTERFACES[place >> 2 & 3]
        verdict = firewall.receive(packet, now, ingress, egress, mark=place >> 6)
        if checked:
            check_verdict(verdict, packet)
        firewall.expire(now)
        check_room(firewall)
    check_events(events)
    syslog = Syslog("PIX", release)
    for event in events:
        message = syslog.message(event) or ""
        # What stands behind the verb may be a password.
        assert "-108001:" not in message or _VERB_ALONE.fullmatch(message), ascii(message)
    check_end(firewall, now)
