"""How long a flow may be idle: what the rules said when it began."""

from __future__ import annotations

import pytest

from appliance.events import ConnectionClosed
from appliance.firewall import Firewall
from appliance.policy.policy import Policy
from tests.engine.test_limits import HOST, PERMIT, RELEASE, Gate
from tests.policy.rules import TWO_INTERFACES, configuration


def closings(gate: Gate) -> int:
    return sum(isinstance(event, ConnectionClosed) for event in gate.events)


@pytest.mark.parametrize("to", [25, 80])
@pytest.mark.parametrize(
    ("timeout", "seconds"), [("", 3600), ("timeout conn 0:10:00", 600), ("timeout conn 0", 0)]
)
def test_an_established_connection_ends_when_it_has_been_idle_for_so_long(
    to: int, timeout: str, seconds: int
) -> None:
    gate = Gate(HOST, timeout)
    assert gate.open(1001, to)
    gate.establish(1001, to)
    gate.wait((seconds or 10_000_000) - 1)
    assert closings(gate) == 0
    gate.wait(60)
    assert closings(gate) == bool(seconds)


def test_it_keeps_the_time_of_the_rules_that_it_began_under() -> None:
    gate = Gate(HOST, "timeout conn 0:10:00")
    assert gate.open(1001)
    gate.establish(1001)
    # As a reload does: the same engine, other rules.
    other = Policy(configuration(TWO_INTERFACES, *PERMIT, HOST), RELEASE)
    gate.firewall._admit = other.admit
    assert gate.open(1002)
    gate.establish(1002)
    gate.wait(700)
    assert (closings(gate), gate.firewall.flows) == (1, 1)


def test_it_keeps_it_in_another_process() -> None:
    gate = Gate(HOST, "timeout conn 0:10:00")
    assert gate.open(1001)
    gate.establish(1001)
    taker = Firewall(lambda opening: pytest.fail("nothing begins"), gate.events.append)
    taker.take_over(gate.firewall.hand_over(), gate.now)
    taker.expire(500)
    assert closings(gate) == 0
    taker.expire(700)
    assert closings(gate) == 1
