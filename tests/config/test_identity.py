import pytest

from appliance.config.load import read_rules
from appliance.config.model import Version
from tests.config.reading import error_of, read


@pytest.mark.parametrize("number", ["6.3(5)", "6.3", "4.2(3)207", "5.1(2)"])
def test_pix_version(number: str) -> None:
    assert read(f"PIX Version {number} ").version == Version("PIX", number)


def test_the_language_is_that_of_the_version() -> None:
    reading = read_rules("ASA Version 9.1(2) \nobject network a\n host 10.1.1.5\n", "f")
    assert reading.configuration is not None
    assert reading.configuration.version == Version("ASA", "9.1(2)")
    assert reading.configuration.language == (9, 1)


def test_a_file_without_a_version() -> None:
    assert read().version is None


def test_a_version_that_is_none() -> None:
    error = error_of("PIX Version six")
    assert (error.place.line, error.place.column) == (5, 13)


def test_hostname() -> None:
    assert read().hostname == "pixfirewall"
    assert read("hostname fw-04").hostname == "fw-04"
    assert read("hostname fw-04", "no hostname fw-04").hostname == "pixfirewall"
    assert error_of("hostname fw_$").place.column == 10
