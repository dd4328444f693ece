"""Interfaces of 7.x: `interface` and what stands below it."""

import pytest

from appliance.config.load import read_rules
from appliance.config.model import Hardware, Interface
from appliance.errors import Place, Severity
from tests.config.reading import address, network
from tests.config.seven import INSPECTION, SEVEN, error, good, reading


def last(*lines: str) -> Interface:
    return good("interface Ethernet2.10", *lines).interfaces[-1]


def test_a_block_names_an_interface_and_gives_it_its_address() -> None:
    assert good().interfaces == (
        Interface(
            "outside",
            "Ethernet0",
            0,
            address("203.0.113.1"),
            network("203.0.113.0/24"),
            False,
            Place("test.conf", 3, 9),
        ),
        Interface(
            "inside",
            "Ethernet1",
            100,
            address("10.1.1.1"),
            network("10.1.1.0/24"),
            False,
            Place("test.conf", 6, 9),
        ),
    )


def test_the_order_of_the_lines_does_not_matter() -> None:
    lines = ("ip address 10.2.2.2 255.255.255.0 standby 10.2.2.3", "security-level 50", "shutdown")
    dmz = last(*lines, "nameif dmz")
    assert dmz == last("nameif dmz", *reversed(lines))
    assert (dmz.level, dmz.shutdown, dmz.standby) == (50, True, address("10.2.2.3"))
    assert dmz.network == network("10.2.2.0/24")


@pytest.mark.parametrize(
    ("lines", "level"),
    [
        (["nameif dmz"], 0),
        (["nameif dmz", "security-level 7"], 7),
        (["nameif dmz", "security-level 7", "no security-level"], 0),
        (["security-level 7", "nameif dmz", "no nameif", "nameif lab"], 7),
    ],
)
def test_security_levels(lines: list[str], level: int) -> None:
    assert last(*lines).level == level


def test_attributes_of_the_hardware() -> None:
    lines = ("description to the DMZ", "speed 100", "duplex full", "vlan 10", "shutdown")
    hardware = good("interface Ethernet2.10", *lines).hardware[-1]
    assert hardware == Hardware("Ethernet2.10", True, "100", "full", 10, "to the DMZ")
    undone = ("no description", "no speed", "no duplex 1", "no vlan", "no shutdown")
    assert good("interface Ethernet2.10", *lines, *undone).hardware[-1] == Hardware("Ethernet2.10")


def test_a_block_may_be_entered_again() -> None:
    configuration = good("interface ethernet0", "shutdown")
    assert [each.name for each in configuration.hardware] == ["Ethernet0", "Ethernet1"]
    assert configuration.interfaces[0].shutdown


def test_an_interface_removed_takes_its_name_with_it() -> None:
    configuration = good("no interface Ethernet1")
    assert [each.name for each in configuration.interfaces] == ["outside"]
    assert [each.name for each in configuration.hardware] == ["Ethernet0"]


def test_no_nameif_and_no_address() -> None:
    assert [each.name for each in good("interface Ethernet1", "no nameif").interfaces] == [
        "outside"
    ]
    assert good("interface Ethernet1", "no ip address").interfaces[1].address is None


def test_dhcp_is_not_implemented() -> None:
    (warning,) = reading("interface Ethernet1", " ip address dhcp setroute").findings
    assert (warning.severity, warning.place.column) == (Severity.WARNING, 13)
    assert "not implemented" in warning.problem


@pytest.mark.parametrize(
    ("line", "column", "problem"),
    [
        ("nameif outside", 8, '"outside" is the name of Ethernet0 already (line 3)'),
        ("security-level 101", 16, "is not a number from 0 to 100"),
        ("ip address 10.2.2.0 255.255.255.0", 12, "network address"),
        ("ip address 203.0.113.9 255.255.255.0", 1, "overlaps that of `outside`"),
        ("speed fast", 7, "`fast` is not a speed"),
        ("vlan 4095", 6, "is not a number"),
        ("frobnicate", 1, "unknown command `frobnicate`"),
    ],
)
def test_wrong_lines(line: str, column: int, problem: str) -> None:
    found = error("interface Ethernet2", "nameif dmz", line)
    assert (found.place.line, found.place.column) == (17, column)
    assert problem in found.problem


def test_what_is_kept_of_a_block_is_printed_in_it() -> None:
    found = reading("interface Ethernet1", "management-only")
    assert ["management-only" in f.problem for f in found.findings] == [True]
    assert found.configuration is not None
    assert found.configuration.kept[0].under == ("interface Ethernet1",)


def test_what_nothing_translates_passes_without_nat_control() -> None:
    assert good().nat_control
    without = read_rules(SEVEN.replace("nat-control\n", "") + INSPECTION, "f")
    assert without.configuration is not None and not without.configuration.nat_control
    assert good("no nat-control") == without.configuration
