"""Each rule of the policy on the smallest configuration that shows it."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network

import pytest

from appliance.admission import Admission, Opening
from appliance.config.helpers import FTP
from appliance.config.model import Static
from appliance.errors import FindingsError
from appliance.events import Denial, Endpoint
from appliance.policy.policy import Phase, Policy
from appliance.smtp.release import DEFAULT
from tests.policy.rules import THREE_INTERFACES, TWO_INTERFACES, configuration

STATIC = "static (inside,outside) 203.0.113.5 10.1.1.5 netmask 255.255.255.255 0 0"
CLIENT = "198.51.100.7"


def policy(*parts: str) -> Policy:
    return Policy(configuration(*parts), DEFAULT)


def tcp(ingress: str, source: str, destination: str, port: int = 25, sport: int = 1024) -> Opening:
    return Opening(6, IPv4Address(source), sport, IPv4Address(destination), port, ingress=ingress)


def packet(protocol: int, source: str, destination: str, icmp_type: int = -1) -> Opening:
    port = 53 if protocol == 17 else 0
    return Opening(
        protocol, IPv4Address(source), port, IPv4Address(destination), port, icmp_type, "outside"
    )


def end(interface: str, real: str, port: int, mapped: str = "", mapped_port: int = 0) -> Endpoint:
    return Endpoint(
        interface, IPv4Address(real), port, IPv4Address(mapped or real), mapped_port or port
    )


def test_inbound_mail_is_permitted_translated_and_inspected() -> None:
    judge = policy(
        TWO_INTERFACES,
        STATIC,
        "access-list mail permit tcp any host 203.0.113.5 eq smtp",
        "access-group mail in interface outside",
    )
    assert judge.admit(tcp("outside", CLIENT, "203.0.113.5")) == Admission(
        client=end("outside", CLIENT, 1024),
        server=end("inside", "10.1.1.5", 25, "203.0.113.5"),
        inbound=True,
        inspection=DEFAULT,
    )


def test_outbound_passes_without_a_rule_and_leaves_as_its_mapped_address() -> None:
    assert policy(TWO_INTERFACES, STATIC).admit(tcp("inside", "10.1.1.5", CLIENT)) == Admission(
        client=end("inside", "10.1.1.5", 1024, "203.0.113.5"),
        server=end("outside", CLIENT, 25),
        inbound=False,
        inspection=DEFAULT,
    )


def test_outbound_without_a_translation_is_denied() -> None:
    admission = policy(TWO_INTERFACES, STATIC).admit(tcp("inside", "10.1.1.6", CLIENT))
    assert admission.denial is Denial.NO_TRANSLATION


@pytest.mark.parametrize(
    ("opening", "denial"),
    [
        (tcp("outside", CLIENT, "203.0.113.5"), Denial.NO_PERMIT),
        (packet(17, CLIENT, "203.0.113.5"), Denial.NO_PERMIT_UDP),
        (packet(1, CLIENT, "203.0.113.5", 8), Denial.NO_PERMIT_ICMP),
        (packet(47, CLIENT, "203.0.113.5"), Denial.NO_PERMIT_OTHER),
    ],
)
def test_inbound_without_an_access_list_or_conduit(opening: Opening, denial: Denial) -> None:
    admission = policy(TWO_INTERFACES, STATIC).admit(opening)
    assert (admission.denial, admission.inbound) == (denial, True)


def test_denied_packets_are_told_as_addressed() -> None:
    admission = policy(TWO_INTERFACES, STATIC).admit(tcp("outside", CLIENT, "203.0.113.5"))
    assert admission.server == end("inside", "203.0.113.5", 25)


def test_a_conduit_permits_inbound_mail() -> None:
    judge = policy(TWO_INTERFACES, STATIC, "conduit permit tcp host 203.0.113.5 eq smtp any")
    assert judge.admit(tcp("outside", CLIENT, "203.0.113.5")).denial is None
    assert judge.admit(tcp("outside", CLIENT, "203.0.113.5", 80)).denial is Denial.NO_PERMIT


def test_the_first_conduit_that_matches_decides() -> None:
    judge = policy(
        TWO_INTERFACES,
        STATIC,
        "conduit deny tcp host 203.0.113.5 eq smtp host 198.51.100.7",
        "conduit permit tcp host 203.0.113.5 eq smtp any",
    )
    decision = judge.decide(tcp("outside", CLIENT, "203.0.113.5"))
    assert decision.admission.denial is Denial.NO_PERMIT
    place = decision.steps[-1].place
    assert place is not None and place.line == 7
    assert judge.admit(tcp("outside", "198.51.100.8", "203.0.113.5")).denial is None


def test_conduits_are_ignored_where_an_access_list_is_bound() -> None:
    judge = policy(
        TWO_INTERFACES,
        STATIC,
        "conduit permit tcp host 203.0.113.5 eq smtp any",
        "access-list web permit tcp any host 203.0.113.5 eq www",
        "access-group web in interface outside",
    )
    admission = judge.admit(tcp("outside", CLIENT, "203.0.113.5"))
    assert (admission.denial, admission.access_list) == (Denial.ACCESS_LIST, "web")


def test_an_access_list_replaces_the_level_default() -> None:
    judge = policy(
        TWO_INTERFACES,
        STATIC,
        "access-list out deny tcp any any eq smtp",
        "access-list out permit tcp any any",
        "access-group out in interface inside",
    )
    assert judge.admit(tcp("inside", "10.1.1.5", CLIENT)).denial is Denial.ACCESS_LIST
    assert judge.admit(tcp("inside", "10.1.1.5", CLIENT, 80)).denial is None
    udp = Opening(17, IPv4Address("10.1.1.5"), 1, IPv4Address(CLIENT), 1, ingress="inside")
    assert judge.admit(udp).denial is Denial.ACCESS_LIST


def test_an_access_list_matches_the_mapped_address() -> None:
    judge = policy(
        TWO_INTERFACES,
        STATIC,
        "access-list real permit tcp any host 10.1.1.5 eq smtp",
        "access-group real in interface outside",
    )
    assert judge.admit(tcp("outside", CLIENT, "203.0.113.5")).denial is Denial.ACCESS_LIST


@pytest.mark.parametrize("destination", ["10.1.1.5", "203.0.113.77"])
def test_inbound_to_what_no_static_maps(destination: str) -> None:
    judge = policy(TWO_INTERFACES, STATIC, "conduit permit tcp any any")
    admission = judge.admit(tcp("outside", CLIENT, destination))
    assert admission.denial is Denial.NO_TRANSLATION_INBOUND


def test_a_mapped_address_is_one_only_on_its_interface() -> None:
    judge = policy(
        THREE_INTERFACES,
        STATIC,
        "static (dmz,outside) 203.0.113.9 172.16.1.9 netmask 255.255.255.255 0 0",
        "conduit permit tcp any any",
    )
    assert judge.admit(tcp("dmz", "172.16.1.9", CLIENT)).denial is None
    admission = judge.admit(tcp("dmz", "172.16.1.9", "203.0.113.5"))
    assert admission.denial is Denial.NO_TRANSLATION_INBOUND


def test_equal_levels_never_talk() -> None:
    judge = policy(
        THREE_INTERFACES,
        "nameif ethernet3 lab security50",
        "ip address lab 172.16.2.1 255.255.255.0",
        "access-list all permit ip any any",
        "access-group all in interface dmz",
    )
    admission = judge.admit(tcp("dmz", "172.16.1.9", "172.16.2.9"))
    assert admission.denial is Denial.NO_TRANSLATION_INBOUND
    admission = judge.admit(tcp("lab", "172.16.2.9", "172.16.1.9"))
    assert admission.denial is Denial.NO_PERMIT


def test_the_firewalls_own_address_is_not_forwarded_to() -> None:
    judge = policy(TWO_INTERFACES, STATIC, "conduit permit tcp any any")
    for own in ("203.0.113.1", "10.1.1.1", "203.0.113.255", "255.255.255.255", "224.0.0.5"):
        assert judge.admit(tcp("outside", CLIENT, own)).denial is Denial.OWN_ADDRESS


def test_no_route() -> None:
    judge = policy(
        TWO_INTERFACES.replace("route outside 0 0", "route outside 192.0.2.0 255.255.255.0")
    )
    assert judge.admit(tcp("inside", "10.1.1.5", CLIENT)).denial is Denial.NO_ROUTE
    assert judge.admit(tcp("", CLIENT, "10.1.1.5")).denial is Denial.NO_ROUTE
    assert judge.admit(tcp("lobby", CLIENT, "10.1.1.5")).denial is Denial.NO_ROUTE


def test_the_longest_prefix_and_then_the_least_metric_leads() -> None:
    judge = policy(
        THREE_INTERFACES,
        "route dmz 198.51.100.0 255.255.255.0 172.16.1.254 2",
        "route inside 198.51.100.0 255.255.255.0 10.1.1.254 1",
        "route dmz 198.51.100.128 255.255.255.128 172.16.1.254 9",
    )
    opening = tcp("outside", "192.0.2.1", "198.51.100.1")
    assert judge.admit(opening).server.interface == "inside"
    opening = tcp("outside", "192.0.2.1", "198.51.100.129")
    assert judge.admit(opening).server.interface == "dmz"


def test_the_port_form_of_the_interface_address_is_inspected_by_the_real_port() -> None:
    judge = policy(
        TWO_INTERFACES,
        "static (inside,outside) tcp interface 2525 10.1.1.5 25 netmask 255.255.255.255 0 0",
        "static (inside,outside) tcp interface 25 10.1.1.6 8025 netmask 255.255.255.255 0 0",
        "conduit permit tcp any any",
    )
    redirected = judge.admit(tcp("outside", CLIENT, "203.0.113.1", 2525))
    assert redirected.server == end("inside", "10.1.1.5", 25, "203.0.113.1", 2525)
    assert redirected.inspection is DEFAULT
    other = judge.admit(tcp("outside", CLIENT, "203.0.113.1", 25))
    assert other.server == end("inside", "10.1.1.6", 8025, "203.0.113.1", 25)
    assert other.inspection is None
    assert judge.admit(tcp("outside", CLIENT, "203.0.113.1", 26)).denial is Denial.OWN_ADDRESS


def test_the_port_form_serves_outbound_only_from_its_real_port() -> None:
    judge = policy(
        TWO_INTERFACES,
        "static (inside,outside) tcp 203.0.113.5 2525 10.1.1.5 25 netmask 255.255.255.255 0 0",
    )
    passed = judge.admit(tcp("inside", "10.1.1.5", CLIENT, 80, sport=25))
    assert passed.client == end("inside", "10.1.1.5", 25, "203.0.113.5", 2525)
    assert judge.admit(tcp("inside", "10.1.1.5", CLIENT)).denial is Denial.NO_TRANSLATION


def test_the_network_form_keeps_the_host_part() -> None:
    judge = policy(
        TWO_INTERFACES,
        "static (inside,outside) 198.51.100.0 10.1.1.0 netmask 255.255.255.0 0 0",
        "conduit permit tcp any any",
    )
    server = judge.admit(tcp("outside", "192.0.2.1", "198.51.100.77")).server
    assert server == end("inside", "10.1.1.77", 25, "198.51.100.77")


def test_the_first_static_in_the_file_is_taken() -> None:
    host = "static (inside,outside) 203.0.113.5 10.1.1.5 netmask 255.255.255.255 0 0"
    network = "static (inside,outside) 198.51.100.0 10.1.1.0 netmask 255.255.255.0 0 0"
    for first, second, mapped in (
        (host, network, "203.0.113.5"),
        (network, host, "198.51.100.5"),
    ):
        judge = policy(TWO_INTERFACES, first, second)
        client = judge.admit(tcp("inside", "10.1.1.5", "192.0.2.1")).client
        assert client.mapped == IPv4Address(mapped)


def test_without_the_fixup_mail_is_not_inspected() -> None:
    judge = policy(TWO_INTERFACES, STATIC, "no fixup protocol smtp 25")
    admission = judge.admit(tcp("inside", "10.1.1.5", CLIENT))
    assert (admission.denial, admission.inspection) == (None, None)


def test_udp_to_the_mail_port_is_not_inspected() -> None:
    opening = Opening(17, IPv4Address("10.1.1.5"), 9, IPv4Address(CLIENT), 25, ingress="inside")
    admission = policy(TWO_INTERFACES, STATIC).admit(opening)
    assert (admission.denial, admission.inspection) == (None, None)


def test_an_interface_that_is_shut_down_leads_nowhere() -> None:
    judge = policy(TWO_INTERFACES, STATIC, "interface ethernet0 auto shutdown")
    assert judge.admit(tcp("inside", "10.1.1.5", CLIENT)).denial is Denial.NO_ROUTE


class TestWithoutAnInterfaceName:
    """A capture does not tell interfaces, nor on which side of the firewall it was taken."""

    judge = policy(TWO_INTERFACES, STATIC, "conduit permit tcp host 203.0.113.5 eq smtp any")

    @pytest.mark.parametrize("destination", ["203.0.113.5", "10.1.1.5"])
    def test_inbound_seen_outside_or_inside(self, destination: str) -> None:
        admission = self.judge.admit(tcp("", CLIENT, destination))
        assert admission == Admission(
            client=end("outside", CLIENT, 1024),
            server=end("inside", "10.1.1.5", 25, "203.0.113.5"),
            inbound=True,
            inspection=DEFAULT,
        )

    @pytest.mark.parametrize("source", ["203.0.113.5", "10.1.1.5"])
    def test_outbound_seen_outside_or_inside(self, source: str) -> None:
        admission = self.judge.admit(tcp("", source, CLIENT))
        assert admission == Admission(
            client=end("inside", "10.1.1.5", 1024, "203.0.113.5"),
            server=end("outside", CLIENT, 25),
            inbound=False,
            inspection=DEFAULT,
        )

    def test_rules_still_decide(self) -> None:
        assert self.judge.admit(tcp("", CLIENT, "10.1.1.5", 80)).denial is Denial.NO_PERMIT
        admission = self.judge.admit(tcp("", CLIENT, "10.1.1.6"))
        assert admission.denial is Denial.NO_PERMIT

    def test_a_named_interface_is_believed(self) -> None:
        admission = self.judge.admit(tcp("outside", CLIENT, "10.1.1.5"))
        assert admission.denial is Denial.NO_PERMIT


def test_a_decision_tells_its_steps() -> None:
    judge = policy(TWO_INTERFACES, STATIC, "conduit permit tcp host 203.0.113.5 eq smtp any")
    steps = judge.decide(tcp("outside", CLIENT, "203.0.113.5")).steps
    assert [(step.phase, step.place.line if step.place else 0) for step in steps] == [
        (Phase.ROUTE, 0),
        (Phase.CONDUIT, 7),
        (Phase.TRANSLATION, 6),
        (Phase.FIXUP, 0),
    ]
    assert all(step.why and step.denial is None for step in steps)


def test_what_a_helper_reads_is_told_with_its_line() -> None:
    """By the port that the server has, and nothing else than what it opens passes."""
    static = "static (inside,outside) tcp 203.0.113.5 2121 10.1.1.5 21 netmask 255.255.255.255"
    conduit = "conduit permit ip host 203.0.113.5 any"
    judge = policy(TWO_INTERFACES, static, conduit, "fixup protocol ftp 21")
    decision = judge.decide(tcp("outside", CLIENT, "203.0.113.5", 2121))
    step = decision.steps[-1]
    assert (step.phase, step.place and step.place.line) == (Phase.HELPER, 8)
    assert decision.helped
    assert decision.helped.helped is FTP
    off = policy(TWO_INTERFACES, static, conduit, "no fixup protocol ftp 21")
    assert off.decide(tcp("outside", CLIENT, "203.0.113.5", 2121)).helped is None


def refused(*statics: Static) -> str:
    with pytest.raises(FindingsError) as caught:
        Policy(replace(configuration(TWO_INTERFACES), statics=statics), DEFAULT)
    return str(caught.value)


def test_statics_that_can_translate_nothing() -> None:
    """The parser lets none of them through; what else makes a configuration must not either."""
    static = configuration(TWO_INTERFACES, STATIC).statics[0]
    wide = replace(static, real=IPv4Network("10.1.1.0/24"))
    assert "test.conf:6:1: 203.0.113.5/32 and 10.1.1.0/24 differ in size" in refused(wide)
    ports = replace(wide, mapped=IPv4Network("198.51.100.0/24"), protocol=6)
    assert "one port of all of 198.51.100.0/24" in refused(ports)
    assert len(refused(ports, wide).splitlines()) == 4
    assert "too many translations" in refused(*([static] * 65536))
