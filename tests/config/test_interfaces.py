import pytest

from appliance.config.load import read_rules
from appliance.config.model import Configuration, Interface
from appliance.config.printing import printed
from appliance.errors import Place
from tests.config.reading import address, error_of, findings_of, network, read, warning_of


def interface(configuration: Configuration, name: str) -> Interface:
    return next(i for i in configuration.interfaces if i.name == name)


def test_nameif_and_address_together() -> None:
    assert read().interfaces == (
        Interface(
            "outside",
            "ethernet0",
            0,
            address("203.0.113.1"),
            network("203.0.113.0/24"),
            False,
            Place("test.conf", 1, 1),
        ),
        Interface(
            "inside",
            "ethernet1",
            100,
            address("10.1.1.1"),
            network("10.1.1.0/24"),
            False,
            Place("test.conf", 2, 1),
        ),
    )
    assert read().interfaces[1].place == Place("test.conf", 2, 1)


def test_shutdown_holds_until_the_line_comes_without_it() -> None:
    assert interface(read("interface ethernet0 auto shutdown"), "outside").shutdown
    both = read("interface ethernet0 auto shutdown", "interface Ethernet0 100full")
    assert not interface(both, "outside").shutdown


def test_a_level_in_between_may_be_abbreviated() -> None:
    assert interface(read("nameif ethernet2 dmz sec50"), "dmz").level == 50


def test_a_hardware_interface_is_named_anew() -> None:
    renamed = read("nameif ethernet2 dmz security50", "nameif ethernet2 lab security40")
    assert [(i.name, i.level) for i in renamed.interfaces][2:] == [("lab", 40)]


@pytest.mark.parametrize(
    ("line", "column", "problem"),
    [
        ("nameif ethernet2 outside security50", 18, "reserved for interface with security0"),
        ("nameif ethernet2 dmz security0", 22, '"outside" is reserved'),
        ("nameif ethernet2 dmz security100", 22, '"inside" is reserved'),
        ("nameif ethernet2 outside security0", 18, "is the name of ethernet0 already (line 1)"),
        ("nameif ethernet2 dmz security101", 22, "not a security level"),
        ("nameif ethernet2 dmz 50", 22, "not a security level"),
        ("nameif ethernet2 dmz", 22, "incomplete"),
        ("interface ethernet0", 21, "incomplete"),
        ("interface ethernet0 auto shut down", 31, "`down` is not expected"),
        ("interface ethernet7 auto shutdown", 11, "nothing is shut down"),
    ],
)
def test_wrong_interfaces(line: str, column: int, problem: str) -> None:
    error = error_of(line)
    assert (error.place.line, error.place.column) == (5, column)
    assert problem in error.problem


def test_an_interface_line_for_hardware_without_a_name_is_told() -> None:
    assert warning_of("interface ethernet7 auto").place.column == 11


def test_a_later_address_replaces_the_first() -> None:
    found = interface(read("ip address inside 10.2.0.1 255.255.0.0"), "inside")
    assert (found.address, found.network) == (address("10.2.0.1"), network("10.2.0.0/16"))


def test_an_omitted_netmask_is_that_of_the_class() -> None:
    found = interface(read("ip address inside 172.16.1.1"), "inside")
    assert found.network == network("172.16.0.0/16")


@pytest.mark.parametrize(
    "line", ["no ip address inside", "ip address inside 127.0.0.1 255.255.255.255"]
)
def test_no_address(line: str) -> None:
    found = interface(read(line), "inside")
    assert (found.address, found.network) == (None, None)


def test_dhcp_is_not_implemented() -> None:
    warning = warning_of("ip address outside dhcp setroute retry 4")
    assert (warning.place.line, warning.place.column) == (5, 20)
    assert "not implemented" in warning.problem


@pytest.mark.parametrize(
    ("line", "column", "problem"),
    [
        ("ip address outsde 10.9.9.9 255.255.255.0", 12, "no interface named `outsde`"),
        ("ip address inside 10.9.9.0 255.255.255.0", 19, "network address"),
        ("ip address inside 10.9.9.255 255.255.255.0", 19, "broadcast address"),
        ("ip address inside 224.0.0.1 255.255.255.0", 19, "cannot be the address"),
        ("ip address inside 10.9.9.9 255.0.255.0", 28, "not all on the left"),
        ("ip address inside 10.9.9.9 0.0.0.255", 28, "the netmask is 255.255.255.0"),
        ("ip address inside 10.9.9.256 255.255.255.0", 19, "not an IPv4 address"),
        ("ip address inside", 19, "incomplete"),
        ("ip address", 12, "incomplete"),
        ("ip adress inside 10.9.9.9 255.255.255.0", 4, "unknown keyword `adress` after `ip`"),
        ("ip address inside 203.0.113.9 255.255.255.0", 12, "overlaps that of `outside`"),
    ],
)
def test_wrong_addresses(line: str, column: int, problem: str) -> None:
    error = error_of(line)
    assert (error.place.line, error.place.column) == (5, column)
    assert problem in error.problem


def test_interfaces_without_nameif_are_undefined_wherever_they_are_used() -> None:
    text = "ip address outside 203.0.113.1 255.255.255.0\nroute outside 0 0 203.0.113.2\n"
    reading = read_rules(text, "f")
    assert reading.configuration is None
    assert [(f.place.line, f.place.column) for f in reading.findings] == [(1, 12), (2, 7)]
    assert all("none" in f.remedy for f in reading.findings)


def test_no_findings_for_a_plain_pair() -> None:
    assert findings_of() == ()


def test_a_vlan_is_an_interface_of_its_own() -> None:
    lines = (
        "interface ethernet1 vlan10 logical",
        "nameif vlan10 dmz security50",
        "ip address dmz 10.2.2.2 255.255.255.0",
    )
    found = read("interface ethernet1 auto", *lines)
    assert interface(found, "dmz").hardware == "vlan10"
    assert "interface ethernet1 vlan10 logical" in printed(found)
    assert interface(read(*lines, f"{lines[0]} shutdown"), "dmz").shutdown
    assert not interface(read(*lines, f"{lines[0]} shutdown"), "inside").shutdown
