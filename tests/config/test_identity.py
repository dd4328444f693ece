import pytest

from appliance.config.model import Version
from tests.config.reading import error_of, read, warning_of


@pytest.mark.parametrize("number", ["6.3(5)", "6.3", "4.2(3)207", "5.1(2)"])
def test_pix_version(number: str) -> None:
    assert read(f"PIX Version {number} ").version == Version("PIX", number)


def test_asa_version_is_read_and_its_language_is_said_to_be_missing() -> None:
    assert read("ASA Version 8.3(2) ", warnings=1).version == Version("ASA", "8.3(2)")
    assert "7.0 and later" in warning_of("PIX Version 7.0(1)").problem


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
