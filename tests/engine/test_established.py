"""`established` in replay: the engine knows which connections live."""

from __future__ import annotations

import struct

from appliance.events import Event
from appliance.firewall import Firewall
from appliance.policy.policy import Policy
from appliance.smtp.release import DEFAULT
from tests.policy.rules import TWO_INTERFACES, configuration
from tests.replay.packets import RST, SYN, ipv4, tcp

STATIC = "static (inside,outside) 203.0.113.5 10.1.1.5"
LINES = (
    "established tcp 4000 0 permitto tcp 6000",
    "established udp 177 0 permitto tcp 6001",
)
HOST, MAPPED, SERVER = "10.1.1.5", "203.0.113.5", "198.51.100.7"


class Site:
    """A firewall between an inside host and the world."""

    def __init__(self) -> None:
        rules = configuration(TWO_INTERFACES, STATIC, *LINES)
        self.events: list[Event] = []
        self.firewall = Firewall(Policy(rules, DEFAULT).admit, self.events.append)

    def passes(self, packet: bytes, ingress: str, now: float = 1.0) -> bool:
        return self.firewall.receive(packet, now, ingress).forward

    def comes_back(self, port: int, now: float = 1.0, number: int = 0) -> bool:
        packet = tcp((SERVER, 3000 + number), (MAPPED, port), 1, 0, SYN)
        return self.passes(packet, "outside", now)


def udp(source: str, sport: int, destination: str, dport: int) -> bytes:
    return ipv4(source, destination, struct.pack("!HHHH", sport, dport, 8, 0), protocol=17)


def test_who_is_connected_to_comes_back_until_the_connection_ends() -> None:
    site = Site()
    assert not site.comes_back(6000)
    assert site.passes(tcp((HOST, 2000), (SERVER, 4000), 1, 0, SYN), "inside")
    assert site.comes_back(6000)
    assert not site.comes_back(6001)
    reset = tcp((HOST, 2000), (SERVER, 4000), 2, 0, RST)
    assert site.passes(reset, "inside")
    assert not site.comes_back(6000, number=1)


def test_an_idle_connection_lets_nobody_back() -> None:
    site = Site()
    assert site.passes(udp(HOST, 2000, SERVER, 177), "inside")
    assert site.comes_back(6001)
    site.firewall.expire(1000.0)
    assert not site.comes_back(6001, 1000.0, number=1)


def test_what_came_back_lets_nothing_more_back() -> None:
    """It is no connection that the host began."""
    site = Site()
    assert site.passes(udp(HOST, 2000, SERVER, 177), "inside")
    assert site.comes_back(6001)
    assert not site.comes_back(6000, number=1)
