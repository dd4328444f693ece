from dataclasses import replace

import pytest

from appliance.errors import Place
from tests.config.reading import error_of, read, warning_of


@pytest.mark.parametrize(
    ("lines", "ports"),
    [
        ((), ((25, 25),)),
        (("fixup protocol smtp 25",), ((25, 25),)),
        (("fixup protocol smtp",), ((25, 25),)),
        (("no fixup protocol smtp 25",), ()),
        (("fixup protocol smtp 2525",), ((25, 25), (2525, 2525))),
        (("no fixup protocol smtp 25", "fixup protocol smtp 25-30"), ((25, 30),)),
        (("fixup protocol smtp 26", "no fixup protocol smtp 26"), ((25, 25),)),
        (("no fixup protocol smtp 25", "clear fixup"), ((25, 25),)),
        (("no fixup protocol smtp smtp",), ()),
        (("no fixup pro sm 25",), ()),
    ],
)
def test_ports(lines: tuple[str, ...], ports: tuple[tuple[int, int], ...]) -> None:
    assert read(*lines).smtp_ports == ports


def test_no_fixup_without_a_port_sets_the_default_back_and_says_so() -> None:
    lines = ("fixup protocol smtp 2525", "no fixup protocol smtp")
    assert read(*lines, warnings=1).smtp_ports == ((25, 25),)
    assert "no fixup protocol smtp 25" in warning_of(*lines).remedy


@pytest.mark.parametrize(
    ("line", "column", "problem"),
    [
        ("fixup protocol smtp 30-25", 21, "end is before its start"),
        ("fixup protocol smtp 25-", 21, "not a tcp port"),
        ("fixup protocol smtp 0", 21, "ports begin at 1"),
        ("fixup protocol smtp 65536", 21, "not a tcp port"),
        ("fixup protocol smtp 25 26", 24, "`26` is not expected"),
        ("fixup protocol esmtp 25", 16, "unknown keyword `esmtp`"),
        ("fixup smtp 25", 7, "unknown keyword `smtp`"),
        ("fixup", 7, "incomplete"),
        ("no fixup protocol smtp 2525", 24, "no such fixup"),
    ],
)
def test_wrong_fixups(line: str, column: int, problem: str) -> None:
    error = error_of(line)
    assert error.place == Place("test.conf", 5, column)
    assert problem in error.problem


def test_a_range_is_removed_as_it_was_entered() -> None:
    error = error_of("fixup protocol smtp 26-30", "no fixup protocol smtp 27")
    assert error.place == Place("test.conf", 6, 24)
    assert "26-30" in error.remedy


@pytest.mark.parametrize("name", ["ftp 21", "h323 h225 1720", "sip udp 5060", "dns maximum-len 9"])
def test_other_fixups_are_not_implemented(name: str) -> None:
    assert "is not implemented" in warning_of(f"fixup protocol {name}").problem
    assert replace(read(f"no fixup protocol {name}"), kept=()) == read()


def test_the_http_fixup_changes_nothing_that_passes() -> None:
    assert replace(read("fixup protocol http 80"), kept=()) == read()
