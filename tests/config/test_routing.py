import pytest

from appliance.config.model import Route
from appliance.errors import Place
from tests.config.reading import address, error_of, network, read, warning_of

DEFAULT = Route(
    "outside", network("0.0.0.0/0"), address("203.0.113.2"), 1, Place("test.conf", 5, 1)
)


@pytest.mark.parametrize(
    "line",
    [
        "route outside 0.0.0.0 0.0.0.0 203.0.113.2 1",
        "route outside 0 0 203.0.113.2",
        "ROUTE outside 0 0 203.0.113.2 1 ",
    ],
)
def test_default_route(line: str) -> None:
    assert read(line).routes == (DEFAULT,)


def test_route_with_a_metric() -> None:
    (route,) = read("route inside 10.9.0.0 255.255.0.0 10.1.1.254 7").routes
    assert (route.network, route.metric) == (network("10.9.0.0/16"), 7)


@pytest.mark.parametrize(
    "line", ["no route outside 0 0", "no route outside 0 0 203.0.113.2 1", "clear route"]
)
def test_a_route_removed(line: str) -> None:
    assert read("route outside 0 0 203.0.113.2", line).routes == ()


def test_a_route_twice_is_one_and_host_bits_are_masked() -> None:
    twice = ("route outside 0 0 203.0.113.2", "route outside 0 0 203.0.113.2 1")
    assert read(*twice, warnings=1).routes == (DEFAULT,)
    line = "route inside 10.9.0.7 255.255.0.0 10.1.1.254"
    assert read(line, warnings=1).routes[0].network == network("10.9.0.0/16")
    assert warning_of(line).place == Place("test.conf", 5, 14)


@pytest.mark.parametrize(
    ("line", "column", "problem"),
    [
        ("route outsde 0 0 203.0.113.2", 7, "no interface named `outsde`"),
        ("route outside 0 0", 19, "incomplete"),
        ("route outside 0 0 0", 19, "cannot be a gateway"),
        ("route outside 0 0 203.0.113.2 0", 31, "not a number from 1 to 255"),
        ("route outside 0 0 203.0.113.2 1 2", 33, "`2` is not expected"),
        ("route outside 0 255 203.0.113.2", 17, "not a netmask"),
        ("no route outside 0 0 203.0.113.2", 1, "no such route"),
    ],
)
def test_wrong_routes(line: str, column: int, problem: str) -> None:
    error = error_of(line)
    assert error.place == Place("test.conf", 5, column)
    assert problem in error.problem
