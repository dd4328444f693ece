"""Versions and modes: which commands there are, where a line belongs, what is said of others."""

import pytest

from appliance.config.load import read_rules
from appliance.config.model import Version
from appliance.errors import Place, Severity
from tests.config.reading import reading_of
from tests.config.seven import INSPECTION, SEVEN, error, good, reading


def test_the_version_line_decides_wherever_it_stands() -> None:
    text = "hostname fw\ninterface Ethernet0\n nameif outside\nASA Version 8.0(4)\nnat-control\n"
    configuration = read_rules(text, "f").configuration
    assert configuration is not None
    assert configuration.language == (8, 0)
    assert [each.name for each in configuration.interfaces] == ["outside"]


def test_a_second_version_line_must_not_contradict_the_first() -> None:
    text = "PIX Version 6.3(5)\nPIX Version 7.0(1)\n"
    (finding,) = read_rules(text, "f").findings
    assert finding.place == Place("f", 2, 13)
    assert "one of 6.3" in finding.problem
    assert read_rules("PIX Version 6.3(5)\nPIX Version 6.3(1)\n", "f").configuration


@pytest.mark.parametrize(
    ("line", "problem", "remedy"),
    [
        ("conduit permit ip any any", "`conduit` exists before 7.0 only", "an `access-list`"),
        ("fixup protocol ftp 21", "`fixup protocol ftp` exists before 7.0", "`inspect ftp`"),
        ("ip address inside 10.1.1.1", "`ip address` does not stand here", "below `interface`"),
        ("nameif outside", "`nameif` does not stand here", "it stands below `interface`"),
        ("inspect esmtp", "`inspect esmtp` does not stand here", "it stands below `class`"),
        ("interface", "incomplete command", "a hardware interface"),
    ],
)
def test_what_another_version_or_mode_has_is_told(line: str, problem: str, remedy: str) -> None:
    found = error(line)
    assert (found.place.line, found.place.column) == (15, 11 if line == "interface" else 1)
    assert problem in found.problem
    assert remedy in found.remedy


@pytest.mark.parametrize("line", ["class-map", "policy-map", "logging enable"])
def test_a_command_of_7_in_a_file_of_6_is_told(line: str) -> None:
    (finding,) = reading_of(f"{line} mail").findings
    told = f"`{line}` exists from 7.0 on only, and this file is of 6.3"
    assert finding.problem == told


def test_a_file_without_a_version_line_that_has_commands_of_7_is_of_8_4() -> None:
    found = read_rules("hostname fw\nclass-map mail\n match any\n", "f")
    assert found.configuration is not None
    assert found.configuration.version == Version("ASA", "8.4(1)")
    finding = next(f for f in found.findings if "no version line" in f.problem)
    assert finding.severity is Severity.WARNING
    assert finding.place == Place("f", 2)


@pytest.mark.parametrize(
    ("line", "number"),
    [
        ("static (inside,outside) 203.0.113.5 10.1.1.5", "8.2(1)"),
        ("nat (inside) 1 0 0", "8.2(1)"),
        ("nat (inside) 0 access-list a", "8.2(1)"),
        ("no nat-control", "8.2(1)"),
        ("nat (inside,outside) source static any any", "8.4(1)"),
    ],
)
def test_translations_tell_the_version_of_a_file_without_a_version_line(
    line: str, number: str
) -> None:
    interfaces = SEVEN.split("\n", 1)[1].replace("nat-control\n", "")
    reading = read_rules(f"{interfaces}{INSPECTION}access-list a permit ip any any\n{line}", "f")
    assert reading.configuration is not None, reading.findings
    assert reading.configuration.version == Version("ASA", number)


def test_indentation_and_separators_do_not_matter() -> None:
    flat = "\n".join(line.strip() + "\n!" for line in SEVEN.splitlines())
    assert read_rules(flat, "f").configuration == read_rules(SEVEN, "f").configuration


def test_a_mode_ends_where_a_line_of_a_mode_around_it_comes() -> None:
    configuration = good(
        "policy-map global_policy",
        " class class-default",
        " class inspection_default",
        "  no inspect esmtp",
        "hostname fw",
    )
    assert [each.name for each in configuration.policy_maps[0].classes] == [
        "inspection_default",
        "class-default",
    ]
    assert configuration.hostname == "fw"
    assert configuration.smtp_ports == ()


def test_exit_and_quit_leave_one_mode() -> None:
    lines = ("policy-map global_policy", "class class-default", "exit", "class inspection_default")
    assert good(*lines, "quit", "exit", "hostname fw", "exit").hostname == "fw"
    assert error(*lines, "exit", "exit", "inspect esmtp").place.line == 21


def test_keywords_of_a_mode_may_be_abbreviated() -> None:
    configuration = good(
        "int Ethernet2", "namei dmz", "sec 50", "ip add 10.2.2.2 255.255.255.0", "sh"
    )
    dmz = configuration.interfaces[2]
    assert (dmz.name, dmz.level, str(dmz.address), dmz.shutdown) == ("dmz", 50, "10.2.2.2", True)


def test_a_command_written_out_is_not_an_abbreviation_of_one_of_the_mode() -> None:
    configuration = good("interface Ethernet2", "name 10.1.1.5 mail")
    assert [each.name for each in configuration.names] == ["mail"]


def test_a_line_that_goes_on_like_a_global_command_is_one() -> None:
    found = reading("interface Ethernet2", "ip audit info action alarm")
    (finding,) = found.findings
    assert finding.problem == "`ip audit` is not implemented"


def test_lines_below_one_with_an_error_are_no_errors_themselves() -> None:
    assert error("policy-map", " class inspection_default", "  inspect esmtp").place.line == 15
    assert error("polcy-map p", " match any", "  frobnicate").place.line == 15
    assert error("interface Ethernet2 up", " nameif dmz").place.line == 15


def test_what_is_below_a_block_without_effect_is_kept_and_not_read() -> None:
    found = reading("dns server-group DefaultDNS", " domain-name example.com", "frobnicate")
    assert [f.place.line for f in found.findings] == [17]
    configuration = good("dns server-group DefaultDNS", " domain-name example.com")
    assert [kept.text for kept in configuration.kept] == [
        "dns server-group DefaultDNS",
        "domain-name example.com",
    ]


def test_a_command_that_is_done_is_never_kept_unread_below_another() -> None:
    lines = ("dns server-group DefaultDNS", "  access-list 101 deny ip any any")
    assert [each.name for each in good(*lines).access_lists] == ["101"]


@pytest.mark.parametrize(
    "line",
    ["access-list 101 deny tcp any any eq smpt", "timeout conn never", "ip adress x", "no route"],
)
def test_a_mistake_in_a_command_that_is_done_is_told_below_another(line: str) -> None:
    assert error("dns server-group DefaultDNS", f"  {line}").place.line == 16


@pytest.mark.parametrize("line", ["timeout 1000", "no timeout 1000", "timeout 0:30"])
def test_a_word_of_a_command_that_is_done_may_mean_another_thing_below(line: str) -> None:
    configuration = good("dns server-group d", f" {line}")
    assert configuration.timeouts == ()
    assert [kept.text for kept in configuration.kept] == ["dns server-group d", line]


def test_lenience_leaves_out_what_nobody_knows_and_nothing_else() -> None:
    text = SEVEN + INSPECTION + "frobnicate all\n more of it\nhostname fw\n"
    lenient = read_rules(text, "f", lenient=True)
    assert lenient.configuration is not None
    assert lenient.configuration.hostname == "fw"
    (finding,) = lenient.findings
    assert (finding.severity, finding.place.line) == (Severity.WARNING, 15)
    assert read_rules(text, "f").configuration is None
    wrong = text + "access-list 101 permit tcp any any eq smpt\n"
    assert read_rules(wrong, "f", lenient=True).configuration is None


def test_lenience_does_not_excuse_what_is_missing() -> None:
    text = "namif ethernet0 outside security0\nroute outside 0 0 203.0.113.2\n"
    findings = read_rules(text, "f", lenient=True).findings
    assert [f.severity for f in findings] == [Severity.WARNING, Severity.ERROR]
