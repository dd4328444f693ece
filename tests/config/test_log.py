import pytest

from appliance.config.model import Logging
from appliance.errors import Place
from tests.config.reading import error_of, read, warning_of


@pytest.mark.parametrize(
    ("lines", "logging"),
    [
        ((), Logging(False, ())),
        (("logging on",), Logging(True, ())),
        (("logging on", "no logging on"), Logging(False, ())),
        (
            ("logging on", "logging trap informational", "logging buffered 7"),
            Logging(True, (("trap", 6), ("buffered", 7))),
        ),
        (("logging trap 3", "logging trap deb"), Logging(False, (("trap", 7),))),
        (("logging trap 3", "no logging trap"), Logging(False, ())),
        (("logging console 0", "no logging console 0"), Logging(False, ())),
        (
            ("logging mon alerts", "logging hist 1"),
            Logging(False, (("monitor", 1), ("history", 1))),
        ),
    ],
)
def test_logging(lines: tuple[str, ...], logging: Logging) -> None:
    assert read(*lines).logging == logging


@pytest.mark.parametrize(
    ("line", "column", "problem"),
    [
        ("logging trap", 14, "incomplete"),
        ("logging trap 8", 14, "not a number from 0 to 7"),
        ("logging trap informationl", 14, "not a severity"),
        ("logging trap e", 14, "ambiguous: emergencies, errors"),
        ("logging enable", 9, "unknown keyword `enable` after `logging`"),
        ("logging on on", 12, "not expected"),
        ("logging", 9, "incomplete"),
    ],
)
def test_wrong_logging(line: str, column: int, problem: str) -> None:
    error = error_of(line)
    assert error.place == Place("test.conf", 5, column)
    assert problem in error.problem


@pytest.mark.parametrize("line", ["logging host inside 10.1.1.9", "no logging message 106011"])
def test_logging_that_is_not_implemented_is_told(line: str) -> None:
    assert "is not implemented" in warning_of(line).problem
