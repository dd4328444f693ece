"""`nat` and `global`."""

from __future__ import annotations

from dataclasses import replace

import pytest

from appliance.config.language import SEVEN
from appliance.config.load import read_rules
from appliance.config.model import Global, Nat
from appliance.config.printing import printed
from appliance.errors import Place
from tests.config.reading import address, error_of, network, read, warning_of
from tests.config.seven import good

PLACE = Place("test.conf", 5)
NAT = Nat("inside", 1, network("10.1.1.0/24"), "", False, False, False, 0, 0, 0, PLACE)
POOL = Global("outside", 1, address("203.0.113.10"), None, None, PLACE)
OWN = "global (outside) 1 interface"


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("nat (inside) 1 10.1.1.0 255.255.255.0", NAT),
        ("nat 1 10.1.1.0 255.255.255.0 0 0", NAT),
        ("nat (inside) 1 10.1.1.7 255.255.255.255", replace(NAT, network=network("10.1.1.7/32"))),
        ("nat (inside) 1 10.1.1.7", replace(NAT, network=network("10.1.1.7/32"))),
        ("nat (inside) 1 10.0.0.0", replace(NAT, network=network("10.0.0.0/8"))),
        ("nat (inside) 1 0 0", replace(NAT, network=network("0.0.0.0/0"))),
        ("nat (inside) 1 0.0.0.0", replace(NAT, network=network("0.0.0.0/0"))),
        ("nat (inside) 0 10.1.1.0 255.255.255.0", replace(NAT, number=0)),
        (
            "nat (inside) 1 10.1.1.0 255.255.255.0 100 20 norandomseq",
            replace(NAT, max_connections=100, embryonic_limit=20, norandomseq=True),
        ),
        (
            "nat (inside) 1 10.1.1.0 255.255.255.0 tcp 100 20 udp 7",
            replace(NAT, max_connections=100, embryonic_limit=20, udp_connections=7),
        ),
        (
            "nat (outside) 1 198.18.0.0 255.255.0.0 outside",
            replace(NAT, interface="outside", network=network("198.18.0.0/16"), outside=True),
        ),
    ],
)
def test_nat(line: str, expected: Nat) -> None:
    assert read(line, OWN).nats == (expected,)
    assert read(OWN, line, f"no {line}").nats == ()


def test_nat_with_an_access_list() -> None:
    listed = "access-list vpn permit ip 10.1.1.0 255.255.255.0 172.16.0.0 255.255.0.0"
    (nat,) = read(listed, "nat (inside) 0 access-list vpn").nats
    assert (nat.number, nat.network, nat.access_list) == (0, None, "vpn")
    assert "access-list vpn does not exist" in error_of("nat (inside) 0 access-list vpn").problem


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("global (outside) 1 203.0.113.10", POOL),
        ("global 1 203.0.113.10", POOL),
        ("global (outside) 1 203.0.113.10 netmask 255.255.255.0", replace(POOL, netmask=24)),
        (
            "global (outside) 2 203.0.113.10-203.0.113.20",
            replace(POOL, number=2, last=address("203.0.113.20")),
        ),
        ("global (outside) 1 interface", replace(POOL, first=None)),
    ],
)
def test_global(line: str, expected: Global) -> None:
    assert read(line).globals == (expected,)
    assert read(line, f"no {line}").globals == ()


@pytest.mark.parametrize(
    ("line", "column", "problem"),
    [
        ("nat (insde) 0 0 0", 5, "no interface named `insde`"),
        ("nat inside 1 0 0", 5, "is not a number"),
        ("nat (inside) x 0 0", 14, "is not a number"),
        ("nat (inside) 1", 16, "incomplete"),
        ("no nat (inside) 1 0 0", 1, "no such nat"),
        ("global (outside) 0 203.0.113.10", 18, "is not a number from 1"),
        ("global (outside) 1 203.0.113.20-203.0.113.10", 20, "end is before its start"),
        ("global (outside) 1 10.0.0.0-10.255.255.255", 20, "more than 65536 addresses"),
        ("global (outside) 1 224.0.0.5", 20, "no address of a host"),
        ("no global (outside) 1 interface", 1, "no such global"),
    ],
)
def test_wrong_ones(line: str, column: int, problem: str) -> None:
    error = error_of(line)
    assert error.place == Place("test.conf", 5, column)
    assert problem in error.problem


def test_a_nat_without_its_global_is_told() -> None:
    assert "no `global` has the number 7" in warning_of("nat (inside) 7 0 0").problem


def test_dns_is_told_to_be_without_effect() -> None:
    line = "nat (inside) 1 0.0.0.0 0.0.0.0 dns 0 0"
    assert "`dns`" in warning_of(OWN, line).problem


def test_they_are_printed_as_6_3_does_and_as_7_2_does() -> None:
    six = (
        "global (outside) 1 203.0.113.10-203.0.113.20 netmask 255.255.255.0",
        "global (outside) 1 interface",
        "nat (inside) 1 10.1.1.0 255.255.255.0 0 0",
    )
    assert [line for line in printed(read(*six)) if line.startswith(("nat", "glob"))] == list(six)
    seven = good(*six)
    assert seven.language >= SEVEN
    lines = [line for line in printed(seven) if line.startswith(("nat (", "glob"))]
    assert lines == [*six[:2], "nat (inside) 1 10.1.1.0 255.255.255.0"]


def test_clear_takes_them_all_back() -> None:
    cleared = read(OWN, "nat (inside) 1 0 0", "clear nat", "clear global")
    assert (cleared.nats, cleared.globals) == ((), ())


def test_without_an_interface_there_must_be_two() -> None:
    reading = read_rules("nameif ethernet0 outside security0\nnat 1 0 0\n", "f")
    assert "which interface" in reading.findings[0].problem
