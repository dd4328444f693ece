"""Published log lines and what stands before them, to the blank."""

from __future__ import annotations

import re
from collections.abc import Iterable
from ipaddress import IPv4Address

import pytest

from appliance.config.model import Logging, LogHost
from appliance.events import Denial, Event, Kind
from appliance.live.framing import Message, datagram
from appliance.protocol import TCP
from appliance.smtp.esmtp_map import Act, Action
from appliance.smtp.release import RELEASES
from appliance.syslog import Syslog
from tests.examples.absent import ABSENT, UNPUBLISHED, Absent
from tests.examples.messages import (
    FRAMED,
    LINES,
    PRODUCTS,
    VARIANTS,
    Framed,
    Line,
    Variant,
    built,
    closed,
    denied,
    end,
    inspected,
)

OSSEC = re.compile(r"%(PIX|ASA|FWSM)-|[A-Za-z0-9@_-]{3} \d{2} \d{4} \d{2}:\d{2}:\d{2}: %(PIX|ASA)-")
"""By which OSSEC's decoder knows a line of these devices."""


def named(example: Line | Framed | Absent) -> str:
    return example.name


def worded(example: Line, release: str) -> str:
    message = Syslog(example.product, RELEASES[release]).message(example.event)
    return "" if message is None else example.as_printed(message)


@pytest.mark.parametrize("example", LINES, ids=named)
def test_line(example: Line) -> None:
    for release in PRODUCTS[example.product]:
        made = worded(example, release) == example.printed
        assert made is (release in example.releases), worded(example, release)


@pytest.mark.parametrize("example", VARIANTS, ids=named)
def test_variant(example: Variant) -> None:
    assert example.ours != example.printed
    for release in example.releases:
        assert worded(example, release) == example.ours


@pytest.mark.parametrize("example", FRAMED, ids=named)
def test_framed(example: Framed) -> None:
    message = Message.parse(example.message)
    assert message
    settings = Logging(
        True, (), facility=example.facility, timestamp=True, device_id=example.device_id
    )
    host = LogHost(IPv4Address("192.0.2.1"), 514, emblem=False)
    sent = datagram(message, settings, host, example.when).decode()
    if not example.lead.startswith("<"):
        sent = sent.partition(">")[2]
    assert sent == example.lead + example.message


@pytest.mark.parametrize("example", LINES, ids=named)
def test_line_is_known_to_ossec(example: Line) -> None:
    for release in PRODUCTS[example.product]:
        message = Syslog(example.product, RELEASES[release]).message(example.event)
        assert message is None or OSSEC.match(message)


@pytest.mark.parametrize("example", [each for each in FRAMED if not each.device_id], ids=named)
def test_frame_is_known_to_ossec(example: Framed) -> None:
    line = re.sub(r"^<\d+>", "", example.lead) + example.message
    assert OSSEC.match(line)


def numbers(product: str, releases: Iterable[str], *events: Event) -> set[str]:
    """The numbers of the messages that events draw on a device with these releases."""
    drawn = (
        Syslog(product, RELEASES[release]).message(event)
        for release in releases
        for event in events
    )
    return {message.partition(": ")[0][-6:] for message in drawn if message}


def every_number() -> set[str]:
    """The numbers of all messages that can be drawn."""
    ends = ("outside:192.0.2.1/1", "inside:192.0.2.2/25")
    events = (
        built(1, *map(end, ends), inbound=True),
        closed(1, *ends, 0, 0),
        *(inspected(kind, *ends, action=Action(act, True)) for kind in Kind for act in Act),
        *(denied(reason, TCP, *ends) for reason in Denial),
    )
    return set().union(*(numbers(*device, *events) for device in PRODUCTS.items()))


def test_every_message_has_its_sample_or_is_said_to_have_none() -> None:
    sampled: set[str] = set()
    for example in (*LINES, *VARIANTS):
        sampled |= numbers(example.product, example.releases, example.event)
    assert sampled.isdisjoint(UNPUBLISHED)
    assert every_number() - sampled <= UNPUBLISHED.keys()


@pytest.mark.parametrize("example", [each for each in ABSENT if each.numbers], ids=named)
def test_no_message_is_said_to_be_absent_that_is_there(example: Absent) -> None:
    assert not set(example.numbers) & every_number()
