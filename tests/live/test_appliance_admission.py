"""How a worker names the two ends of a connection that the kernel has let through."""

from __future__ import annotations

from ipaddress import IPv4Address
from pathlib import Path

import pytest

from appliance.admission import Opening
from appliance.config.load import load_configuration
from appliance.events import Denial, Endpoint
from appliance.live.admission import LiveAdmission
from appliance.live.connmark import PERMITTED
from appliance.smtp.release import RELEASES
from tests.policy.rules import TWO_INTERFACES, configuration

RULES = Path(__file__).parents[2] / "rules" / "pix-6.3.conf"
CLIENT, SERVER = IPv4Address("203.0.113.10"), IPv4Address("10.1.1.5")
MAPPED = IPv4Address("203.0.113.5")


@pytest.fixture
def live() -> LiveAdmission:
    configuration = load_configuration(RULES)
    return LiveAdmission(configuration, RELEASES["6.2"], adopts=False)


def inward() -> Opening:
    return Opening(6, CLIENT, 4000, SERVER, 25, ingress="outside", egress="inside")


def test_an_inbound_connection_has_a_mapped_server(live: LiveAdmission) -> None:
    admission = live.admit(inward(), PERMITTED | 1)
    assert admission.client == Endpoint("outside", CLIENT, 4000, CLIENT, 4000)
    assert admission.server == Endpoint("inside", SERVER, 25, MAPPED, 25)
    assert admission.inbound
    assert admission.inspection == RELEASES["6.2"]
    assert admission.denial is None


def test_an_outbound_connection_has_a_mapped_client(live: LiveAdmission) -> None:
    opening = Opening(6, SERVER, 4000, CLIENT, 25, ingress="inside", egress="outside")
    admission = live.admit(opening, PERMITTED | 1)
    assert admission.client == Endpoint("inside", SERVER, 4000, MAPPED, 4000)
    assert admission.server == Endpoint("outside", CLIENT, 25, CLIENT, 25)
    assert not admission.inbound


@pytest.mark.parametrize("number", [0, 2, 0x7FFF])
def test_no_such_translation_means_real_addresses(live: LiveAdmission, number: int) -> None:
    assert live.admit(inward(), PERMITTED | number).server.mapped == SERVER


def test_a_translation_of_another_address_is_not_taken(live: LiveAdmission) -> None:
    """The rules were reloaded between the kernel's decision and the worker's question."""
    other = IPv4Address("10.1.1.6")
    opening = Opening(6, CLIENT, 4000, other, 25, ingress="outside", egress="inside")
    assert live.admit(opening, PERMITTED | 1).server.mapped == other


def limited(options: str, workers: int) -> LiveAdmission:
    static = "static (inside,outside) 203.0.113.5 10.1.1.5 netmask 255.255.255.255"
    rules = configuration(TWO_INTERFACES, f"{static} {options}")
    return LiveAdmission(rules, RELEASES["6.2"], adopts=False, workers=workers)


@pytest.mark.parametrize(("workers", "share"), [(1, 5), (2, 3), (4, 2), (5, 1), (64, 1)])
def test_workers_share_the_limits(workers: int, share: int) -> None:
    limits = limited("7 5", workers).admit(inward(), PERMITTED | 1).limits
    assert (limits.connections, limits.embryonic) == (7, 5)
    assert limits.part(limits.embryonic) == share


def test_what_the_rules_do_not_permit_is_beyond_a_limit() -> None:
    admission = limited("tcp 7 0 udp 9", 1).admit(inward(), 1)
    assert admission.denial is Denial.TOO_MANY
    assert admission.inspection is None
    assert (admission.server.mapped, admission.limits.connections) == (MAPPED, 7)
    opening = Opening(17, CLIENT, 4000, SERVER, 53, ingress="outside", egress="inside")
    admission = limited("tcp 7 0 udp 9", 1).admit(opening, 1)
    assert admission.denial is Denial.TOO_MANY_UDP
    assert (admission.server.mapped, admission.limits.connections) == (MAPPED, 9)


def test_interfaces_that_are_gone_raise_nothing(live: LiveAdmission) -> None:
    admission = live.admit(Opening(6, CLIENT, 4000, SERVER, 25), 1)
    assert admission.client.interface == ""
