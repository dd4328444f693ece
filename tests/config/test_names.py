import pytest

from appliance.config.model import Name
from appliance.errors import Place
from tests.config.reading import address, error_of, network, read

MAIL = "name 10.1.1.5 mailserver"


def test_a_name() -> None:
    assert read(MAIL).names == (Name(address("10.1.1.5"), "mailserver", Place("test.conf", 5, 1)),)


@pytest.mark.parametrize(
    "line",
    [
        "static (inside,outside) 203.0.113.5 mailserver netmask 255.255.255.255",
        "access-list 101 permit tcp any host mailserver eq smtp",
        "conduit permit tcp host mailserver eq smtp any",
        "route inside 10.9.0.0 255.255.0.0 mailserver 1",
        "ip address inside mailserver 255.255.255.0",
    ],
)
def test_a_name_stands_wherever_an_address_may(line: str) -> None:
    assert read(MAIL, line) == read(MAIL, line.replace("mailserver", "10.1.1.5"))


def test_a_name_for_a_network() -> None:
    found = read("name 10.8.0.0 lab", "access-list 1 permit ip lab 255.255.0.0 any")
    assert found.access_lists[0].rules[0].source == network("10.8.0.0/16")


def test_a_later_name_replaces_the_first_and_leaves_what_used_it() -> None:
    found = read(MAIL, "conduit permit ip host mailserver any", "name 10.1.1.6 mailserver")
    assert [n.address for n in found.names] == [address("10.1.1.6")]
    assert found.conduits[0].rule.destination == network("10.1.1.5/32")


@pytest.mark.parametrize("line", ["no name 10.1.1.5", "no name 10.1.1.5 mailserver", "clear name"])
def test_a_name_removed(line: str) -> None:
    assert read(MAIL, line).names == ()


def test_names_switched_off() -> None:
    use = "conduit permit ip host mailserver any"
    assert not read(MAIL, "no names").names_enabled
    assert error_of(MAIL, "no names", use).place == Place("test.conf", 7, 24)
    assert read(MAIL, "no names", "names", use).conduits


def test_a_name_that_begins_like_a_keyword_is_the_name() -> None:
    found = read("name 10.1.1.7 an", "conduit permit ip host 203.0.113.5 an 255.255.255.255")
    assert found.conduits[0].rule.source == network("10.1.1.7/32")


@pytest.mark.parametrize(
    ("line", "column"),
    [
        ("name mailserver 10.1.1.5", 6),
        ("name 10.1.1.5", 15),
        ("name 10.1.1.5 10.1.1.6", 15),
        ("name 10.1.1.5 25", 15),
        ("name 10.1.1.5 any", 15),
        ("name 10.1.1.5 interface", 15),
        ("name 10.1.1.5 a,b", 15),
        ("no name 10.1.1.5", 9),
        ("conduit permit ip host nobody any", 24),
    ],
)
def test_wrong_names(line: str, column: int) -> None:
    assert error_of(line).place == Place("test.conf", 5, column)
