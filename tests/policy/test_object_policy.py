"""Each rule of the policy of 8.3 and later on the smallest configuration that shows it."""

from __future__ import annotations

from ipaddress import IPv4Address

import pytest

from appliance.admission import Opening
from appliance.config.helpers import FTP
from appliance.errors import FindingsError
from appliance.events import Denial
from appliance.policy.judgement import policy_of
from appliance.policy.policy import Decision, Phase
from appliance.policy.review import review
from appliance.smtp.release import DEFAULT
from tests.policy.rules import configuration

THREE = """\
ASA Version 8.4(1)
interface Ethernet0
 nameif outside
 ip address 203.0.113.1 255.255.255.0
interface Ethernet1
 nameif inside
 ip address 10.1.1.1 255.255.255.0
interface Ethernet2
 nameif dmz
 security-level 50
 ip address 172.16.1.1 255.255.255.0
route outside 0 0 203.0.113.254
class-map inspection_default
 match default-inspection-traffic
policy-map global_policy
 class inspection_default
  inspect esmtp
service-policy global_policy global
object network mail
 host 10.1.1.5
object network lan
 subnet 10.1.1.0 255.255.255.0
object network mapped
 host 203.0.113.5
object network pool
 range 203.0.113.20 203.0.113.29
object network two
 range 203.0.113.6 203.0.113.7
object network partner
 subnet 198.51.100.0 255.255.255.0
object network alias
 host 10.1.1.200
object network server
 host 198.51.100.80
object service smtp
 service tcp source eq smtp
object service alternative
 service tcp source eq 2525
object service www
 service tcp destination eq www
object service proxy
 service tcp destination eq 8080
access-list all permit ip any any
access-group all global
"""
MAIL = "object network mail\n nat (inside,outside) static 203.0.113.5"
LAN = "object network lan\n nat (inside,outside) dynamic interface"
CLIENT, PARTNER = "198.18.0.1", "198.51.100.7"


def decide(words: str, *lines: str) -> Decision:
    """What becomes of a packet, "outside tcp SOURCE SPORT DESTINATION DPORT".

    Args:
        words: the packet.
        lines: what follows THREE.
    """
    ingress, protocol, source, sport, destination, port = words.split()
    number = {"tcp": 6, "udp": 17, "gre": 47}[protocol]
    return policy_of(configuration(THREE, *lines), DEFAULT).decide(
        Opening(
            number,
            IPv4Address(source),
            int(sport),
            IPv4Address(destination),
            int(port),
            ingress=ingress,
        )
    )


def ends(words: str, *lines: str) -> str:
    """The ends of a packet that passes: as it came, and as it leaves."""
    admission = decide(words, *lines).admission
    assert admission.denial is None, admission
    client, server = admission.client, admission.server
    return f"{client.mapped}:{client.mapped_port} {server.interface} {server.address}:{server.port}"


def denial(words: str, *lines: str) -> Denial | None:
    return decide(words, *lines).admission.denial


def test_what_nothing_translates_passes_as_it_is() -> None:
    assert ends(f"inside tcp 10.1.1.5 9 {CLIENT} 80") == f"10.1.1.5:9 outside {CLIENT}:80"
    assert ends(f"outside tcp {CLIENT} 9 10.1.1.5 80") == f"{CLIENT}:9 inside 10.1.1.5:80"


def test_a_static_object_both_ways() -> None:
    found = decide(f"outside tcp {CLIENT} 9 203.0.113.5 25", MAIL)
    assert [step.phase for step in found.steps] == [
        Phase.UNTRANSLATION,
        Phase.ROUTE,
        Phase.ACCESS_LIST,
        Phase.FIXUP,
    ]
    assert found.admission.inspection is DEFAULT
    server = found.admission.server
    assert (str(server.address), str(server.mapped)) == ("10.1.1.5", "203.0.113.5")
    assert ends(f"inside tcp 10.1.1.5 9 {CLIENT} 80", MAIL) == f"203.0.113.5:9 outside {CLIENT}:80"


def test_access_lists_name_real_addresses() -> None:
    lists = "no access-group all global\naccess-list in permit tcp any host {} eq 25\n"
    lists += "access-group in in interface outside"
    words = f"outside tcp {CLIENT} 9 203.0.113.5 25"
    assert denial(words, MAIL, lists.format("10.1.1.5")) is None
    assert denial(words, MAIL, lists.format("203.0.113.5")) is Denial.ACCESS_LIST
    out = "access-list out deny ip host 10.1.1.5 any\naccess-list out permit ip any any\n"
    out += "access-group out out interface outside"
    assert denial(f"inside tcp 10.1.1.5 9 {CLIENT} 80", MAIL, out) is Denial.ACCESS_LIST
    assert denial(f"inside tcp 10.1.1.6 9 {CLIENT} 80", MAIL, out) is None


def test_the_global_list_comes_after_that_of_the_interface() -> None:
    lines = "access-list all line 1 deny tcp any any range 80 81"
    bound = "access-list in permit tcp any any eq 80\naccess-group in in interface inside"
    assert denial(f"inside tcp 10.1.1.5 9 {CLIENT} 80", lines) is Denial.ACCESS_LIST
    assert denial(f"inside tcp 10.1.1.5 9 {CLIENT} 80", lines, bound) is None
    assert denial(f"inside tcp 10.1.1.5 9 {CLIENT} 81", lines, bound) is Denial.ACCESS_LIST
    assert denial(f"inside tcp 10.1.1.5 9 {CLIENT} 82", lines, bound) is None
    nothing = "clear configure access-list all\naccess-list all permit tcp any any eq 99"
    assert denial(f"inside tcp 10.1.1.5 9 {CLIENT} 80", nothing) is Denial.ACCESS_LIST


def test_without_a_list_the_levels_decide() -> None:
    none = "no access-group all global"
    assert denial(f"inside tcp 10.1.1.5 9 {CLIENT} 80", none) is None
    assert denial(f"outside tcp {CLIENT} 9 203.0.113.5 80", none, MAIL) is Denial.NO_PERMIT


def test_what_would_come_back_another_way_is_dropped() -> None:
    found = decide(f"outside tcp {CLIENT} 9 10.1.1.5 25", MAIL)
    assert found.admission.denial is Denial.ASYMMETRIC
    assert found.steps[-1].place is not None
    assert denial(f"outside tcp {CLIENT} 9 10.1.1.7 25", LAN) is Denial.ASYMMETRIC
    assert denial("dmz tcp 172.16.1.5 9 10.1.1.7 25", LAN) is None
    exempt = "nat (inside,outside) source static lan lan destination static partner partner"
    words = f"outside tcp {PARTNER} 9 10.1.1.7 25"
    assert ends(words, LAN, exempt) == f"{PARTNER}:9 inside 10.1.1.7:25"
    assert ends(f"inside tcp 10.1.1.7 9 {PARTNER} 80", LAN, exempt).startswith("10.1.1.7:9")
    assert ends(f"inside tcp 10.1.1.7 9 {CLIENT} 80", LAN, exempt).startswith("203.0.113.1:9")


@pytest.mark.parametrize(
    ("lines", "mapped"),
    [
        ([MAIL, LAN], "203.0.113.5"),
        (["nat (inside,outside) source static mail mapped", LAN], "203.0.113.5"),
        (["nat (inside,outside) source dynamic lan interface", MAIL], "203.0.113.1"),
        (["nat (inside,outside) after-auto source dynamic any interface", MAIL], "203.0.113.5"),
        (
            [
                "nat (inside,outside) source dynamic lan interface",
                "nat (inside,outside) 1 source static mail mapped",
            ],
            "203.0.113.5",
        ),
        (["nat (inside,outside) source static mail mapped inactive"], "10.1.1.5"),
        (["nat (inside,dmz) source static mail mapped"], "10.1.1.5"),
        (["nat (any,outside) source static mail mapped"], "203.0.113.5"),
        (["nat source static mail mapped"], "203.0.113.5"),
        # Of objects: static first, then the smaller one, then the lower one, then by name.
        (
            [
                "object network b\n host 10.1.1.5\n nat (inside,outside) static 203.0.113.9",
                "object network a\n host 10.1.1.5\n nat (inside,outside) static 203.0.113.8",
            ],
            "203.0.113.8",
        ),
        (
            [
                "object network a\n host 10.1.1.5\n nat (inside,outside) dynamic interface",
                "object network b\n subnet 10.1.1.0 255.255.255.0\n"
                " nat (inside,outside) static 198.51.100.0",
            ],
            "198.51.100.5",
        ),
    ],
)
def test_the_first_line_that_fits_is_taken(lines: list[str], mapped: str) -> None:
    assert ends(f"inside tcp 10.1.1.5 9 {CLIENT} 80", *lines).startswith(f"{mapped}:9 ")


def test_a_destination_is_translated_with_its_line() -> None:
    nat = "nat (inside,outside) source static mail mapped destination static alias server"
    words = "inside tcp 10.1.1.5 9 10.1.1.200 80"
    assert ends(words, nat) == "203.0.113.5:9 outside 198.51.100.80:80"
    back = "outside tcp 198.51.100.80 9 203.0.113.5 25"
    assert ends(back, nat) == "10.1.1.200:9 inside 10.1.1.5:25"
    assert denial(f"outside tcp {CLIENT} 9 203.0.113.5 25", nat) is not None
    assert ends(f"inside tcp 10.1.1.5 9 {CLIENT} 80", nat).startswith("10.1.1.5:9")


def test_ports_of_the_source_and_of_the_destination() -> None:
    source = "nat (inside,outside) source static mail interface service smtp alternative"
    assert (
        ends(f"outside tcp {CLIENT} 9 203.0.113.1 2525", source) == f"{CLIENT}:9 inside 10.1.1.5:25"
    )
    assert (
        ends(f"inside tcp 10.1.1.5 25 {CLIENT} 9", source) == f"203.0.113.1:2525 outside {CLIENT}:9"
    )
    assert denial(f"outside tcp {CLIENT} 9 203.0.113.1 25", source) is Denial.OWN_ADDRESS
    destination = "nat (inside,outside) source static lan lan destination static alias server "
    destination += "service www proxy"
    words = "inside tcp 10.1.1.7 9 10.1.1.200 80"
    assert ends(words, destination) == "10.1.1.7:9 outside 198.51.100.80:8080"
    of_object = "object network mail\n nat (inside,outside) static mapped service tcp 25 26"
    assert (
        ends(f"outside tcp {CLIENT} 9 203.0.113.5 26", of_object)
        == f"{CLIENT}:9 inside 10.1.1.5:25"
    )


def test_unidirectional_lets_nobody_in() -> None:
    nat = "nat (inside,outside) source static mail mapped unidirectional"
    assert ends(f"inside tcp 10.1.1.5 9 {CLIENT} 80", nat).startswith("203.0.113.5:9")
    assert denial(f"outside tcp {CLIENT} 9 203.0.113.5 25", nat) is not None


def test_pools() -> None:
    pool = "nat (inside,outside) source dynamic lan pool interface"
    mapped = ends(f"inside tcp 10.1.1.7 9 {CLIENT} 80", pool).split(":")[0]
    assert IPv4Address("203.0.113.20") <= IPv4Address(mapped) <= IPv4Address("203.0.113.29")
    assert denial(f"inside gre 10.1.1.7 0 {CLIENT} 0", pool) is None
    shared = pool.replace("pool", "pat-pool pool")
    assert denial(f"inside gre 10.1.1.7 0 {CLIENT} 0", shared) is Denial.TRANSLATION_FAILED
    assert denial(f"outside tcp {CLIENT} 9 203.0.113.21 25", pool) is Denial.NO_TRANSLATION_INBOUND


def test_several_mapped_addresses_of_one_host() -> None:
    nat = "object network mail\n nat (inside,outside) static two"
    for mapped in ("203.0.113.6", "203.0.113.7"):
        words = f"outside tcp {CLIENT} 9 {mapped} 25"
        server = decide(words, nat).admission.server
        assert (str(server.address), str(server.mapped)) == ("10.1.1.5", mapped)
    assert ends(f"inside tcp 10.1.1.5 9 {CLIENT} 80", nat).startswith("203.0.113.6:9")


def test_what_leads_elsewhere_does_not_pass() -> None:
    nat = "nat (dmz,outside) source static mail mapped"
    found = decide(f"outside tcp {CLIENT} 9 203.0.113.5 25", nat)
    assert found.admission.denial is Denial.NO_ROUTE
    assert "this leads to dmz" in found.steps[-1].why


def test_what_leads_to_the_firewall_itself_is_not_forwarded() -> None:
    own = "object network own\n host 203.0.113.1\n nat (inside,outside) static 203.0.113.5"
    assert denial(f"outside tcp {CLIENT} 9 203.0.113.5 25", own) is Denial.OWN_ADDRESS


def test_a_capture_does_not_tell_the_side() -> None:
    policy = policy_of(configuration(THREE, MAIL), DEFAULT)
    for destination in ("203.0.113.5", "10.1.1.5"):
        found = policy.admit(Opening(6, IPv4Address(CLIENT), 9, IPv4Address(destination), 25))
        assert (found.denial, str(found.server.address)) == (None, "10.1.1.5")
    found = policy.admit(Opening(6, IPv4Address("203.0.113.5"), 9, IPv4Address(CLIENT), 25))
    assert (found.client.interface, str(found.client.address)) == ("inside", "10.1.1.5")


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("nat (inside,outside) source static lan mapped", "256 addresses cannot each become"),
        (
            "nat (inside,outside) source static lan lan destination static alias partner",
            "1 destinations cannot become 256 others",
        ),
        (
            "nat (inside,outside) source static mail mapped service www proxy",
            "with the destination",
        ),
        (
            "nat (inside,outside) source dynamic lan pool service smtp alternative",
            "same source port",
        ),
        ("nat (inside,outside) source static mail mapped service smtp any", "`any` service"),
    ],
)
def test_what_cannot_be_translated_is_an_error(line: str, problem: str) -> None:
    with pytest.raises(FindingsError, match=problem):
        policy_of(configuration(THREE, line), DEFAULT)
    assert any(problem in each.problem for each in review(configuration(THREE, line)))


def problems(*lines: str) -> list[str]:
    return [each.problem for each in review(configuration(THREE, *lines))]


def test_what_is_never_reached_is_told() -> None:
    used = "access-list all permit object www object pool object partner"
    dynamic = "nat (inside,outside) source dynamic lan interface"
    found = problems(used, dynamic, MAIL)
    assert any("no packet gets as far as this nat: line" in each for each in found)
    assert not any("this nat" in each for each in problems(used, MAIL, LAN))
    narrow = "nat (inside,outside) source dynamic lan interface destination static partner partner"
    assert not any("this nat" in each for each in problems(used, narrow, MAIL))


def test_objects_that_nothing_uses_are_told() -> None:
    found = problems(MAIL)
    assert "nothing uses object network pool" in found
    assert "nothing uses object service proxy" in found
    assert "nothing uses object network mail" not in found


def test_what_the_kernel_reads_is_told_as_before_8_3() -> None:
    ftp = "policy-map global_policy\n class inspection_default\n  inspect ftp"
    decision = decide("inside tcp 10.1.1.9 40000 198.51.100.7 21", ftp)
    assert decision.helped
    assert decision.helped.helped is FTP
    assert decision.steps[-1].phase is Phase.HELPER
    assert decide("inside tcp 10.1.1.9 40000 198.51.100.7 22", ftp).helped is None
