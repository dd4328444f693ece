from dataclasses import replace

import pytest

from appliance.config.helpers import FTP, H225, PPTP, RAS, SIP, SIP_UDP, TFTP, Helped
from appliance.config.load import read_rules
from appliance.config.model import Fixup
from appliance.config.printing import printed
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


OFF = tuple(
    f"no fixup protocol {each}"
    for each in ("ftp 21", "h323 h225 1720", "h323 ras 1718-1719", "sip 5060", "sip udp", "tftp")
)


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        ("PIX Version 4.1(3)", (FTP,)),
        ("PIX Version 4.2(3)", (FTP, H225)),
        ("PIX Version 4.4(5)", (FTP, H225)),
        ("PIX Version 5.3(1)", (FTP, H225, SIP)),
        ("PIX Version 6.1(1)", (FTP, H225, SIP)),
        ("PIX Version 6.2(2)", (FTP, H225, RAS, SIP)),
        ("PIX Version 6.3(3)", (FTP, H225, RAS, SIP, SIP_UDP, TFTP)),
        ("PIX Version 7.0(1)", ()),
    ],
)
def test_what_the_kernel_helps_with_from_the_start(
    version: str, expected: tuple[Helped, ...]
) -> None:
    reading = read_rules(version, "test.conf")
    assert reading.configuration
    assert [each.helped for each in reading.configuration.fixups] == list(expected)
    assert all(each.ports == each.helped.ports for each in reading.configuration.fixups)


def test_an_old_version_prints_the_fixup_in_its_own_words() -> None:
    reading = read_rules("PIX Version 5.3(1)\nno fixup protocol h323 1720", "test.conf")
    assert reading.configuration
    lines = [each for each in printed(reading.configuration) if "h323" in each]
    assert lines == ["no fixup protocol h323 1720"]


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ((), ()),
        (("fixup protocol ftp",), (Fixup(FTP, (21, 21)),)),
        (
            ("fixup protocol ftp 21", "fixup protocol ftp 2121"),
            (Fixup(FTP, (21, 21)), Fixup(FTP, (2121, 2121))),
        ),
        (("fixup protocol ftp 2121", "no fixup protocol ftp"), ()),
        (("fixup protocol ftp 2121", "no fixup protocol ftp 21"), (Fixup(FTP, (2121, 2121)),)),
        (("fixup protocol tftp",), (Fixup(TFTP, (69, 69)),)),
        (("fixup protocol tftp tftp",), (Fixup(TFTP, (69, 69)),)),
        (("fixup protocol pptp 1723",), (Fixup(PPTP, (1723, 1723)),)),
        (("fixup protocol sip 5062",), (Fixup(SIP, (5062, 5062)),)),
        (("fixup protocol sip udp 5060",), (Fixup(SIP_UDP, (5060, 5060)),)),
        (("fixup protocol h323 1720",), (Fixup(H225, (1720, 1720)),)),
        (("fixup protocol h323 h225 1720-1722",), (Fixup(H225, (1720, 1722)),)),
        (("fixup protocol h323 ras 1718-1719",), (Fixup(RAS, (1718, 1719)),)),
    ],
)
def test_what_the_kernel_helps_with(lines: tuple[str, ...], expected: tuple[Fixup, ...]) -> None:
    found = read(*OFF, *lines)
    assert found.fixups == expected
    assert read(*(each for each in printed(found) if "fixup" in each)).fixups == expected


def test_clear_fixup_sets_back_what_is_on_from_the_start() -> None:
    assert read(*OFF, "fixup protocol pptp", "clear fixup").fixups == read().fixups


def test_a_fixup_knows_its_line() -> None:
    by_helped = {each.helped: each for each in read("fixup protocol ftp 21").fixups}
    assert by_helped[FTP].place == Place("test.conf", 5, 1)
    assert by_helped[SIP].place is None


def test_strict_is_kept_and_not_done() -> None:
    assert "`strict` is not implemented" in warning_of("fixup protocol ftp strict 21").problem
    found = read("fixup protocol ftp strict 21", warnings=1)
    assert found.fixups[0] == Fixup(FTP, (21, 21), strict=True)
    assert "fixup protocol ftp strict 21" in printed(found)


@pytest.mark.parametrize("name", ["rsh 514", "skinny 2000", "sqlnet 1521", "dns maximum-len 9"])
def test_other_fixups_are_not_implemented(name: str) -> None:
    assert "is not implemented" in warning_of(f"fixup protocol {name}").problem
    assert replace(read(f"no fixup protocol {name}"), kept=()) == read()


def test_the_http_fixup_changes_nothing_that_passes() -> None:
    assert replace(read("fixup protocol http 80"), kept=()) == read()
