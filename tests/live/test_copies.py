"""Copies of packets for the log: of one packet the kernel makes one, whatever lines it matches."""

from __future__ import annotations

import select
from collections.abc import Iterator
from contextlib import closing
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from appliance.admission import Opening
from appliance.config.model import Configuration
from appliance.events import Event
from appliance.live import connmark
from appliance.live.conntrack import Conntrack
from appliance.live.denials import Denials
from appliance.live.packet_log import LoggedPacket, PacketLog
from appliance.smtp.release import RELEASES
from appliance.syslog import Syslog
from tests.live.dice import SEVEN
from tests.live.router import Router, put_in_force, running_router
from tests.namespaces import needs_namespaces
from tests.policy.rules import configuration

pytestmark = needs_namespaces

STATIC = "static (inside,outside) 203.0.113.5 10.1.1.5 netmask 255.255.255.255"
BASE = SEVEN.format(version="PIX Version 7.2(1)", level=50, where="global") + STATIC + "\n"
BOUND = "access-group in in interface outside\naccess-group out out interface inside\n"
RELEASE = RELEASES["7.2"]
ENDS = "udp outside/198.18.0.1(4000) -> inside/203.0.113.5(53) hit-cnt 1 first hit [0x0, 0x0]"


@pytest.fixture
def router(tmp_path: Path) -> Iterator[Router]:
    with running_router(tmp_path) as running:
        yield running


class Log:
    """What the kernel copies, and the lines that it draws."""

    def __init__(self, router: Router, rules: Configuration, log: PacketLog) -> None:
        self._router, self._log = router, log
        self._events: list[Event] = []
        conntrack = router.inner.call(Conntrack)
        self._denials = Denials(conntrack, self._events.append, rules, RELEASE)
        self.copies: list[LoggedPacket] = []

    def take(self) -> list[str]:
        """The lines of the packets that have been copied."""
        while select.select([self._log], [], [], 0.3)[0]:
            for copy in self._log.read():
                self.copies.append(copy)
                ends = map(self._router.named, (copy.indev, copy.outdev))
                self._denials.take(copy, *ends, 0.0)
        syslog = Syslog("PIX", RELEASE)
        return [line for event in self._events if (line := syslog.message(event))]


def drawn(router: Router, *lists: str) -> tuple[list[LoggedPacket], list[str], bool]:
    """The copies of one packet, the lines that it draws, and whether it passes."""
    rules = configuration(BASE, *lists, BOUND)
    put_in_force(router, rules)
    packet = Opening(
        17, IPv4Address("198.18.0.1"), 4000, IPv4Address("203.0.113.5"), 53, ingress="outside"
    )
    with closing(router.inner.call(PacketLog, router.box.queue)) as log:
        copied = Log(router, rules, log)
        router.send(packet, 1)
        seen = router.collect()
        lines = copied.take()
    return copied.copies, lines, 1 in seen


def hit(name: str, verb: str) -> str:
    return f"%PIX-6-106100: access-list {name} {verb} {ENDS}"


DENIED = (
    "%PIX-4-106023: Deny udp src outside:198.18.0.1/4000 dst inside:203.0.113.5/53 "
    'by access-group "out" [0x0, 0x0]'
)
PASSES, MAY_NOT = connmark.PERMITTED, 0


@pytest.mark.parametrize(
    ("entering", "leaving", "mark", "lines"),
    [
        ("permit ip any any log", "permit ip any any", PASSES, [hit("in", "permitted")]),
        ("permit ip any any", "permit ip any any log", PASSES, [hit("out", "permitted")]),
        (
            "permit ip any any log",
            "permit ip any any log",
            PASSES,
            [hit("in", "permitted"), hit("out", "permitted")],
        ),
        ("permit ip any any log", "deny ip any any", MAY_NOT, [hit("in", "permitted"), DENIED]),
        ("permit ip any any", "deny ip any any log", MAY_NOT, [hit("out", "denied")]),
        (
            "permit ip any any log",
            "deny ip any any log",
            MAY_NOT,
            [hit("in", "permitted"), hit("out", "denied")],
        ),
        (
            "permit ip any any log",
            "deny ip any any log disable",
            MAY_NOT,
            [hit("in", "permitted")],
        ),
    ],
)
def test_a_packet_is_copied_once_and_draws_what_each_list_says(
    router: Router, entering: str, leaving: str, mark: int, lines: list[str]
) -> None:
    lists = (f"access-list in extended {entering}", f"access-list out extended {leaving}")
    copies, told, passes = drawn(router, *lists)
    assert [copy.mark & connmark.PERMITTED for copy in copies] == [mark]
    assert told == lines
    assert passes == (mark == PASSES)


@pytest.mark.parametrize(
    ("entering", "leaving"),
    [
        ("permit ip any any", "permit ip any any"),
        ("permit ip any any log disable", "permit ip any any log disable"),
        ("permit ip any any", "deny ip any any log disable"),
        ("deny ip any any log disable", "permit ip any any log"),
    ],
)
def test_a_packet_that_draws_nothing_is_not_copied(
    router: Router, entering: str, leaving: str
) -> None:
    lists = (f"access-list in extended {entering}", f"access-list out extended {leaving}")
    copies, told, passes = drawn(router, *lists)
    assert (copies, told) == ([], [])
    assert passes == ("deny" not in entering + leaving)


def test_what_a_list_permits_and_nothing_translates_is_copied_once(router: Router) -> None:
    """It is denied after a line with `log` has permitted it."""
    copies, told, passes = drawn(
        router,
        f"no {STATIC}",
        "access-list in extended permit ip any any log",
        "access-list out extended permit ip any any",
    )
    assert (len(copies), passes) == (1, False)
    assert [line.split(":")[0] for line in told] == ["%PIX-6-106100", "%PIX-3-106011"]
