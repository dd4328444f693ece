"""Tiny configurations, each with what it means: `established`."""

from __future__ import annotations

import pytest

from appliance.config.load import read_rules
from appliance.config.model import Established, PortsOf
from appliance.config.printing import saved
from appliance.errors import Place, Severity
from appliance.policy.review import review
from tests.config.reading import error_of, findings_of, read, warning_of
from tests.config.seven import SEVEN

TCP, UDP = 6, 17
X11 = "established tcp 4000 0 permitto tcp 6000-6063 permitfrom tcp 1024-65535"


@pytest.mark.parametrize(
    ("line", "printed", "expected"),
    [
        (X11, X11, (TCP, 4000, 0, PortsOf(TCP, 6000, 6063), PortsOf(TCP, 1024, 65535))),
        (
            "established udp 177 permitto tcp 6000",
            "established udp 177 0 permitto tcp 6000",
            (UDP, 177, 0, PortsOf(TCP, 6000, 6000), None),
        ),
        (
            "est tcp smtp 2000 permitf u 0",
            "established tcp 25 2000 permitfrom udp 0",
            (TCP, 25, 2000, None, PortsOf(UDP, 0, 0)),
        ),
        (
            "established tcp 0 0 permitfrom tcp 53 permitto tcp 0",
            "established tcp 0 0 permitto tcp 0 permitfrom tcp 53",
            (TCP, 0, 0, PortsOf(TCP, 0, 0), PortsOf(TCP, 53, 53)),
        ),
    ],
)
def test_established(line: str, printed: str, expected: tuple[object, ...]) -> None:
    found = read(line)
    assert found.established == (Established(*expected, Place("test.conf", 5, 1)),)
    assert f"\n{printed}\n" in saved(found)
    again = read_rules(saved(found), "test.conf").configuration
    assert again is not None
    assert again.established == found.established


def test_it_is_the_same_from_7_0_on() -> None:
    found = read_rules(f"{SEVEN}{X11}\n", "test.conf").configuration
    assert found is not None
    assert f"\n{X11}\n" in saved(found)
    cleared = read_rules(f"{SEVEN}{X11}\nclear configure established\n", "test.conf")
    assert cleared.configuration is not None
    assert cleared.configuration.established == ()


def test_without_permits_anything_comes_back() -> None:
    warning = warning_of("established tcp 4000 0")
    assert warning.place == Place("test.conf", 5, 1)
    assert "anything back in" in warning.problem


@pytest.mark.parametrize(
    "undone",
    [
        f"no {X11}",
        "no established tcp 4000 permitfrom tcp 1024-65535 permitto tcp 6000-6063",
        "clear established",
    ],
)
def test_no_and_clear_take_it_back(undone: str) -> None:
    assert read(X11, undone).established == ()


def test_the_same_line_twice_is_one() -> None:
    assert len(read(X11, X11).established) == 1


@pytest.mark.parametrize(
    ("line", "column", "problem"),
    [
        ("established icmp 0", 13, "icmp"),
        ("established tcp", 17, "expected"),
        ("established tcp 65536", 17, "65536"),
        ("established tcp 4000 0 permitto tcp", 37, "expected"),
        ("established tcp 4000 0 permitto tcp 6063-6000", 37, "end is before its start"),
        ("established tcp 4000 0 permitto tcp 1 permitfrom udp 1", 50, "of one protocol"),
        ("no established tcp 4000 0", 1, "no such established"),
    ],
)
def test_what_is_wrong(line: str, column: int, problem: str) -> None:
    error = error_of(line)
    assert error.place == Place("test.conf", 5, column)
    assert problem in f"{error.problem} {error.remedy}"


def test_hosts_of_a_range_cannot_be_come_back_to() -> None:
    route = "route outside 0 0 203.0.113.254"
    pool = ("nat (inside) 1 0 0", "global (outside) 1 203.0.113.20-203.0.113.29")
    (finding,) = review(read(route, *pool, X11))
    assert finding.severity is Severity.WARNING
    assert finding.place.line == 8
    assert "line 7" in finding.problem
    shared = ("nat (inside) 1 0 0", "global (outside) 1 interface")
    (finding,) = review(read(route, *shared, X11))
    assert "line 7" in finding.problem
    assert review(read(route, "nat (inside) 0 0 0", X11)) == ()


def test_findings_are_one_each() -> None:
    assert len(findings_of("established tcp 1 0", "established tcp 2 0")) == 2
