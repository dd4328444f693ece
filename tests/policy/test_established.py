"""Tiny configurations, each with what it means: `established`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from ipaddress import IPv4Address

import pytest

from appliance.admission import Opening
from appliance.events import Denial, Endpoint, Flow
from appliance.policy.policy import Phase, Policy
from appliance.smtp.release import DEFAULT
from tests.policy.rules import THREE_INTERFACES, configuration

SERVER = IPv4Address("198.18.0.1")
HOST, MAPPED = IPv4Address("10.1.1.5"), IPv4Address("203.0.113.5")
STATIC = "static (inside,outside) 203.0.113.5 10.1.1.5"
LINE = "established tcp 4000 0 permitto tcp 6000-6063 permitfrom tcp 1024-65535"
BACK = Opening(6, SERVER, 1024, MAPPED, 6000, ingress="outside")
FLOW = Flow(
    1,
    Endpoint("inside", HOST, 2000, MAPPED, 2000),
    Endpoint("outside", SERVER, 4000, SERVER, 4000),
    inbound=False,
    inspected="",
)


def judge(*lines: str) -> Policy:
    return Policy(configuration(THREE_INTERFACES, STATIC, *lines), DEFAULT)


def with_flow(packet: Opening, flow: Flow = FLOW, of: int = 6) -> Opening:
    """A packet that comes while a connection lives."""

    def live(protocol: int, client: IPv4Address, server: IPv4Address) -> Iterable[Flow]:
        ends = (flow.client.address, flow.server.address)
        return (flow,) if (protocol, client, server) == (of, *ends) else ()

    return replace(packet, live=live)


def test_alone_a_packet_comes_back_to_nothing() -> None:
    assert judge(LINE).admit(BACK).denial is Denial.NO_PERMIT


def test_what_a_host_has_a_connection_to_comes_back() -> None:
    decision = judge(LINE).decide(with_flow(BACK))
    assert decision.admission.denial is None
    assert decision.admission.server.address == HOST
    step = next(step for step in decision.steps if step.phase is Phase.ESTABLISHED)
    assert step.why == "10.1.1.5 has a connection to 198.18.0.1"
    assert step.place is not None
    assert step.place.line == 9


@pytest.mark.parametrize(
    "changed",
    [
        {"source": IPv4Address("198.18.0.2")},
        {"source_port": 1023},
        {"destination_port": 5999},
        {"destination_port": 6064},
        {"protocol": 17},
        {"ingress": "dmz"},
    ],
    ids=str,
)
def test_nothing_else_comes_back(changed: dict[str, object]) -> None:
    assert judge(LINE).admit(replace(with_flow(BACK), **changed)).denial is not None


@pytest.mark.parametrize(
    ("line", "passes"),
    [
        ("established tcp 4000 2000 permitto tcp 0", True),
        ("established tcp 0 0 permitto tcp 0", True),
        ("established tcp 0 2001 permitto tcp 0", False),
        ("established tcp 4001 0 permitto tcp 0", False),
        ("established udp 4000 0 permitto tcp 0", False),
        ("established tcp 4000 0 permitfrom tcp 1024", True),
        ("established tcp 4000 0 permitfrom tcp 1025", False),
        ("established tcp 4000 0 permitto udp 6000", False),
    ],
)
def test_the_connection_must_be_the_one_that_the_line_says(line: str, passes: bool) -> None:
    assert (judge(line).admit(with_flow(BACK)).denial is None) is passes


def test_without_permits_any_protocol_comes_back() -> None:
    policy = judge("established tcp 4000 0")
    for protocol, icmp_type in ((6, -1), (17, -1), (47, -1), (1, 8)):
        packet = replace(BACK, protocol=protocol, icmp_type=icmp_type)
        assert policy.admit(with_flow(packet)).denial is None


def test_it_goes_before_lists() -> None:
    policy = judge(LINE, "access-list a deny ip any any", "access-group a in interface outside")
    assert policy.admit(with_flow(BACK)).denial is None
    assert policy.admit(BACK).denial is Denial.ACCESS_LIST


def test_the_host_must_be_addressed_as_it_is_translated() -> None:
    bare = replace(BACK, destination=HOST)
    assert judge(LINE).admit(with_flow(bare)).denial is Denial.NO_TRANSLATION_INBOUND


def test_it_lets_nothing_out() -> None:
    """Only what comes from a less secure interface comes back."""
    outwards = Opening(6, HOST, 2000, SERVER, 6000, ingress="inside")
    denied = ("access-list a deny ip any any", "access-group a in interface inside")
    turned = replace(FLOW, client=FLOW.server, server=FLOW.client, inbound=True)
    assert judge(LINE, *denied).admit(with_flow(outwards, turned)).denial is Denial.ACCESS_LIST
