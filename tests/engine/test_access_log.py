"""Lines of access lists with `log`: which messages a flow's packets draw, and when."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from appliance import access_log
from appliance.events import Event
from appliance.firewall import Firewall
from appliance.policy.policy import Policy
from appliance.smtp.release import RELEASES
from appliance.syslog import Syslog
from tests.config.seven import SEVEN
from tests.policy.rules import TWO_INTERFACES, configuration
from tests.replay.packets import SYN, ipv4, tcp

STATIC = "static (inside,outside) 203.0.113.5 10.1.1.5 netmask 255.255.255.255 0 0"
BIND = "access-group mail in interface outside"
CLIENT = ("198.51.100.7", 4000)
SERVER = ("203.0.113.5", 25)
NAMED = "tcp outside/198.51.100.7(4000) -> inside/203.0.113.5(25)"


class Log:
    """A firewall, and the lines that it has drawn."""

    def __init__(self, *rules: str, release: str = "6.3", base: str = TWO_INTERFACES) -> None:
        syslog = Syslog("PIX", RELEASES[release])
        self.events: list[Event] = []
        self._word: Callable[[Event], str | None] = syslog.message
        rule_file = configuration(base, STATIC, *rules, BIND)
        self._policy = Policy(rule_file, RELEASES[release])
        self.firewall = Firewall(self._policy.admit, self.events.append)

    def give(self, packet: bytes, now: float, ingress: str = "outside") -> list[str]:
        """The lines that a packet draws."""
        self.events.clear()
        self.firewall.receive(packet, now, ingress)
        return self._lines()

    def wait(self, now: float) -> list[str]:
        """The lines that time draws."""
        self.events.clear()
        self.firewall.expire(now)
        return self._lines()

    def _lines(self) -> list[str]:
        return [line for event in self.events if (line := self._word(event))]


def syn(port: int = CLIENT[1]) -> bytes:
    return tcp((CLIENT[0], port), SERVER, 1, 0, SYN)


def test_a_denied_flow_is_told_at_once_and_then_once_an_interval() -> None:
    log = Log("access-list mail deny tcp any any log 4 interval 60")
    denied = f"%PIX-4-106100: access-list mail denied {NAMED} hit-cnt"
    assert log.give(syn(), 100) == [f"{denied} 1 (first hit)"]
    assert [log.give(syn(), 101 + number) for number in range(20)] == [[]] * 20
    assert log.wait(159) == []
    assert log.wait(160) == [f"{denied} 21 (60-second interval)"]
    assert log.give(syn(), 170) == []
    assert log.wait(220) == [f"{denied} 1 (60-second interval)"]
    assert log.wait(280) == []
    # An interval without a packet has ended it.
    assert log.give(syn(), 281) == [f"{denied} 1 (first hit)"]


def test_a_long_silence_is_one_interval_and_the_end() -> None:
    log = Log("access-list mail deny tcp any any log")
    first, again = log.give(syn(), 0), log.give(syn(), 10_000)
    assert [line.split(" hit-cnt ")[1] for line in first] == ["1 (first hit)"]
    assert [line.split(" hit-cnt ")[1] for line in again] == [
        "1 (300-second interval)",
        "1 (first hit)",
    ]


def test_the_form_from_7_0_on() -> None:
    log = Log("access-list mail extended deny tcp any any log", release="8.2")
    (line,) = log.give(syn(), 0)
    assert line == f"%PIX-6-106100: access-list mail denied {NAMED} hit-cnt 1 first hit [0x0, 0x0]"


def test_a_permitted_connection_counts_once() -> None:
    log = Log("access-list mail permit tcp any any log")
    first, built = log.give(syn(), 0)
    assert first == f"%PIX-6-106100: access-list mail permitted {NAMED} hit-cnt 1 (first hit)"
    assert "302013" in built
    assert log.give(syn(), 1) == []
    assert [line for line in log.wait(300) if "106100" in line] == [
        f"%PIX-6-106100: access-list mail permitted {NAMED} hit-cnt 1 (300-second interval)"
    ]


def test_what_is_permitted_and_has_no_translation_draws_both() -> None:
    log = Log("access-list mail permit tcp any any log")
    lines = log.give(tcp(CLIENT, ("203.0.113.6", 25), 1, 0, SYN), 0)
    assert [line.split(":")[0] for line in lines] == ["%PIX-6-106100", "%PIX-3-106011"]


LEAVING = "access-group leaving out interface inside"


@pytest.mark.parametrize(
    ("entering", "leaving", "drawn"),
    [
        ("permit tcp any any", "permit tcp any any log", ["leaving permitted"]),
        (
            "permit tcp any any log",
            "permit tcp any any log",
            ["mail permitted", "leaving permitted"],
        ),
        ("permit tcp any any", "deny tcp any any log", ["leaving denied"]),
        ("permit tcp any any log", "deny tcp any any log", ["mail permitted", "leaving denied"]),
        ("permit tcp any any log", "deny tcp any any", ["mail permitted", "106023"]),
        ("permit tcp any any log", "deny tcp any any log disable", ["mail permitted"]),
        ("permit tcp any any log disable", "deny tcp any any", ["106023"]),
        ("deny tcp any any log", "permit tcp any any log", ["mail denied"]),
    ],
)
def test_each_list_on_the_way_has_its_own_log(
    entering: str, leaving: str, drawn: list[str]
) -> None:
    """106023 tells of what the list of what leaves denies, whatever the other one logs."""
    log = Log(
        f"access-list mail extended {entering}",
        f"access-list leaving extended {leaving}",
        LEAVING,
        release="7.2",
        base=SEVEN,
    )
    lines = [line for line in log.give(syn(), 0) if "302013" not in line]
    assert [
        re.sub(r".*106100: access-list (\w+ \w+) .*|.*-(106023): .*", r"\1\2", line)
        for line in lines
    ] == drawn
    assert all(NAMED in line for line in lines if "106100" in line)
    again = [line for line in log.wait(300) if "106100" in line]
    assert [line.split()[2:4] for line in again] == [name.split() for name in drawn if " " in name]


@pytest.mark.parametrize("ending", ["", " log default"])
def test_without_log_a_denial_is_106023(ending: str) -> None:
    log = Log(f"access-list mail deny tcp any any{ending}")
    (line,) = log.give(syn(), 0)
    assert line.startswith("%PIX-4-106023: ")


@pytest.mark.parametrize("action", ["permit", "deny"])
def test_log_disable_draws_nothing(action: str) -> None:
    log = Log(f"access-list mail {action} tcp any any log disable")
    assert not [line for line in log.give(syn(), 0) if "302013" not in line]
    assert not [line for line in log.wait(300) if "302014" not in line]


def test_the_end_of_a_list_has_no_log() -> None:
    log = Log("access-list mail permit udp any any log")
    (line,) = log.give(syn(), 0)
    assert line.startswith("%PIX-4-106023: ")


@pytest.mark.parametrize(
    ("protocol", "transport", "named"),
    [
        (17, b"\0\x35\0\x36\0\x08\0\0", "udp outside/198.51.100.7(53) -> inside/203.0.113.5(54)"),
        (1, b"\x08\0\0\0\0\0\0\0", "icmp outside/198.51.100.7(0) -> inside/203.0.113.5(8)"),
        (47, bytes(8), "47 outside/198.51.100.7(0) -> inside/203.0.113.5(0)"),
    ],
)
def test_other_protocols(protocol: int, transport: bytes, named: str) -> None:
    log = Log("access-list mail deny ip any any log")
    (line,) = log.give(ipv4(CLIENT[0], SERVER[0], transport, protocol), 0)
    assert line == f"%PIX-6-106100: access-list mail denied {named} hit-cnt 1 (first hit)"


def test_so_many_denied_flows_are_remembered_and_no_more() -> None:
    log = Log(
        "access-list deny-flow-max 2",
        "access-list alert-interval 60",
        "access-list mail deny tcp any any log interval 600",
    )
    full = "%PIX-1-106101: Number of cached deny-flows for ACL log has reached limit (2)"
    assert [len(log.give(syn(port), 0)) for port in (1, 2)] == [1, 1]
    assert log.give(syn(3), 1) == [full]
    assert log.give(syn(4), 60) == []
    assert log.give(syn(4), 61) == [full]
    assert log.give(syn(1), 61) == []  # one of those that are known
    assert log.give(syn(5), 1500)[-1].endswith("(first hit)")  # these two are forgotten


def test_permitted_flows_have_a_bound_past_which_each_is_a_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(access_log, "PERMITTED", 1)
    log = Log("access-list mail permit tcp any any log")
    hits = [log.give(syn(port), 0)[0].split(" hit-cnt ")[1] for port in (1, 2)]
    assert hits == ["1 (first hit)"] * 2
    assert len([line for line in log.wait(300) if "106100" in line]) == 1
