"""Tiny configurations, each with what it means: `alias`."""

from __future__ import annotations

import pytest

from appliance.config.load import read_rules
from appliance.config.model import Alias
from appliance.config.printing import saved
from appliance.errors import Place
from appliance.policy.review import review
from tests.config.reading import findings_of, network, read, warning_of
from tests.config.seven import SEVEN

LINE = "alias (inside) 192.168.1.0 198.51.100.0 255.255.255.0"


@pytest.mark.parametrize(
    ("line", "alternate", "foreign"),
    [
        (LINE, "192.168.1.0/24", "198.51.100.0/24"),
        ("alias (inside) 192.0.2.9 198.51.100.9", "192.0.2.9/32", "198.51.100.9/32"),
        ("ali 192.0.2.9 198.51.100.9 255.255.255.255", "192.0.2.9/32", "198.51.100.9/32"),
    ],
)
def test_alias(line: str, alternate: str, foreign: str) -> None:
    place = Place("test.conf", 5, 1)
    expected = Alias("inside", network(alternate), network(foreign), place)
    assert read(line, warnings=1).aliases == (expected,)


def test_dns_answers_stay_as_they_are() -> None:
    warning = warning_of(LINE)
    assert warning.place == Place("test.conf", 5, 1)
    assert warning.problem == "`alias` changes no DNS answers here"


@pytest.mark.parametrize(
    "undone", [f"no {LINE}", "no alias 192.168.1.0 198.51.100.0 255.255.255.0"]
)
def test_no_alias_takes_it_back(undone: str) -> None:
    assert read(LINE, undone, warnings=1).aliases == ()


def test_clear_alias_takes_all_back() -> None:
    assert read(LINE, "alias 192.0.2.9 198.51.100.9", "clear alias", warnings=2).aliases == ()
    configured = read_rules(f"{SEVEN}{LINE}\nclear configure alias\n", "test.conf").configuration
    assert configured is not None
    assert configured.aliases == ()


def test_the_same_line_twice_is_one_alias() -> None:
    assert len(read(LINE, LINE, warnings=1).aliases) == 1


@pytest.mark.parametrize(
    ("lines", "place", "problem"),
    [
        (("alias (dmz) 192.0.2.9 198.51.100.9",), (5, 7), "no interface named `dmz`"),
        (("alias (inside) 192.0.2.9",), (5, 26), "expected"),
        (("alias (inside) 192.0.2.9 198.51.100.9 255.0.255.0",), (5, 39), "netmask"),
        (("alias (inside) 0.0.0.0 198.51.100.9",), (5, 16), "cannot be translated"),
        (("alias (inside) 192.0.2.9 224.0.0.5",), (5, 26), "cannot be translated"),
        ((LINE, "alias (inside) 192.168.1.7 203.0.113.9"), (6, 16), "line 5 says already"),
        (("no alias (inside) 192.0.2.9 198.51.100.9",), (5, 1), "no such alias"),
        (("nameif ethernet2 dmz security50", "alias 192.0.2.9 198.51.100.9"), (6, 1), "3"),
    ],
)
def test_what_is_wrong(lines: tuple[str, ...], place: tuple[int, int], problem: str) -> None:
    error = next(each for each in findings_of(*lines) if "DNS" not in each.problem)
    assert (error.place.line, error.place.column) == place
    assert problem in f"{error.problem} {error.remedy}"


def test_a_netmask_hides_no_bits() -> None:
    (host_bits, _) = findings_of("alias (inside) 192.168.1.7 198.51.100.0 255.255.255.0")
    assert "192.168.1.7 has host bits" in host_bits.problem


@pytest.mark.parametrize("before", ["", SEVEN])
def test_it_is_printed_as_it_is_read(before: str) -> None:
    once = saved(read(LINE, "alias 192.0.2.9 198.51.100.9", warnings=2))
    if before:
        reading = read_rules(before + LINE + "\n", "test.conf")
        assert reading.configuration is not None
        once = saved(reading.configuration)
    again = read_rules(once, "test.conf").configuration
    assert again is not None
    assert saved(again) == once
    assert f"\n{LINE}\n" in once


def test_what_it_leads_to_must_be_somewhere() -> None:
    (finding,) = review(read("alias (inside) 192.0.2.9 198.51.100.9", warnings=1))
    assert finding.problem == "no interface that is up leads to 198.51.100.9/32"


def test_an_alias_for_dns_answers_alone_does_nothing() -> None:
    found = review(
        read(
            "route outside 0 0 203.0.113.254",
            "static (inside,outside) 203.0.113.9 10.1.1.9 netmask 255.255.255.255",
            "alias (inside) 10.1.1.9 203.0.113.9 255.255.255.255",
            warnings=1,
        )
    )
    (finding,) = (each for each in found if each.place.line == 7)
    assert "nothing is done for this alias" in finding.problem
    assert "line 6" in finding.problem


def test_what_a_more_secure_interface_sends_needs_no_permit() -> None:
    assert review(read("route outside 0 0 203.0.113.254", LINE, warnings=1)) == ()
