"""Inspection maps of mail: what the commands make, how they are printed, what is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from appliance.config.check import check_files
from appliance.config.load import Reading, read_rules
from appliance.config.model import Configuration, Inspection
from appliance.config.printing import printed
from appliance.errors import Finding, Severity
from appliance.policy.review import review
from appliance.smtp.esmtp_map import (
    DEFAULT_MAP,
    Act,
    Action,
    Criterion,
    EsmtpMap,
    Relay,
    Row,
    Subject,
)
from appliance.smtp.expression import Expression
from tests.config.seven import INSPECTION, SEVEN, error, good, reading

MAP = "policy-map type inspect esmtp mine"
FORCE = ("policy-map global_policy", " class inspection_default", "  inspect esmtp mine")
DROP_AND_LOG = Action(Act.DROP_CONNECTION, log=True)


def made(*lines: str) -> EsmtpMap:
    """The map `mine` that some lines make, in force."""
    (esmtp_map,) = good(MAP, *lines, *FORCE).esmtp_maps
    return esmtp_map


def matched(line: str) -> Criterion:
    (row,) = made(line, "log").rows
    assert isinstance(row.asked, Criterion)
    return row.asked


def of_version(version: str, *lines: str) -> Reading:
    text = SEVEN.replace("PIX Version 7.2(1)", version)
    return read_rules(text + INSPECTION + "\n".join(lines), "test.conf")


def errors_of(version: str, *lines: str) -> list[Finding]:
    return [f for f in of_version(version, *lines).findings if f.severity is Severity.ERROR]


@pytest.mark.parametrize(
    ("line", "criterion", "text"),
    [
        ("match body length gt 9", Criterion(Subject.BODY_LENGTH, limit=9), "body length gt 9"),
        (
            "match body line length gt 998",
            Criterion(Subject.BODY_LINE_LENGTH, limit=998),
            "body line length gt 998",
        ),
        (
            "match cmd verb vrfy HELP",
            Criterion(Subject.VERB, words=("HELP", "VRFY")),
            "cmd verb HELP VRFY",
        ),
        (
            "match cmd line length gt 512",
            Criterion(Subject.COMMAND_LINE_LENGTH, limit=512),
            "cmd line length gt 512",
        ),
        (
            "match cmd rcpt count gt 100",
            Criterion(Subject.RECIPIENTS, limit=100),
            "cmd RCPT count gt 100",
        ),
        (
            "match not ehlo-reply-parameter size others",
            Criterion(Subject.EHLO_PARAMETER, negated=True, words=("others", "size")),
            "not ehlo-reply-parameter others size",
        ),
        (
            "match header length gt 65535",
            Criterion(Subject.HEADER_LENGTH, limit=65535),
            "header length gt 65535",
        ),
        (
            "mat hea li le gt 998",
            Criterion(Subject.HEADER_LINE_LENGTH, limit=998),
            "header line length gt 998",
        ),
        (
            "match header to-fields count gt 20",
            Criterion(Subject.TO_FIELDS, limit=20),
            "header to-fields count gt 20",
        ),
        (
            "match invalid-recipients count gt 3",
            Criterion(Subject.INVALID_RECIPIENTS, limit=3),
            "invalid-recipients count gt 3",
        ),
        (
            "match mime filename length gt 255",
            Criterion(Subject.FILE_NAME_LENGTH, limit=255),
            "MIME filename length gt 255",
        ),
        (
            "match MIME encoding quoted-printable 7bit",
            Criterion(Subject.ENCODING, words=("7bit", "quoted-printable")),
            "MIME encoding 7bit quoted-printable",
        ),
        (
            "match sender-address length gt 320",
            Criterion(Subject.SENDER_LENGTH, limit=320),
            "sender-address length gt 320",
        ),
    ],
)
def test_criteria(line: str, criterion: Criterion, text: str) -> None:
    assert matched(line) == criterion
    assert criterion.text == text
    assert matched(f"match {text}") == criterion


def test_every_subject_is_tested() -> None:
    (mark,) = test_criteria.pytestmark  # type: ignore[attr-defined]
    named = {criterion.subject for _, criterion, _ in mark.args[1]}
    assert named | {Subject.SENDER, Subject.FILE_TYPE} == set(Subject)


def test_criteria_with_expressions() -> None:
    regexes = ('regex a "one two"', "regex b three?", "class-map type regex match-any both")
    lines = ("match regex a", "match regex b")
    one, two = Expression("a", "one two"), Expression("b", "three?")
    configuration = good(
        *regexes,
        *lines,
        MAP,
        "match sender-address regex a",
        "reset",
        "match not mime filetype regex class both",
        "reset log",
        *FORCE,
    )
    assert configuration.regexes == (one, two)
    (esmtp_map,) = configuration.esmtp_maps
    first = Criterion(Subject.SENDER, regex="a", expressions=(one,))
    second = Criterion(
        Subject.FILE_TYPE, negated=True, regex="both", regex_class=True, expressions=(one, two)
    )
    assert esmtp_map.rows == (
        Row(first, Action(Act.RESET)),
        Row(second, Action(Act.RESET, log=True)),
    )
    assert [row.text for row in esmtp_map.rows] == [
        "sender-address regex a",
        "not MIME filetype regex class both",
    ]


@pytest.mark.parametrize(
    ("line", "action"),
    [
        ("drop-connection", Action(Act.DROP_CONNECTION)),
        ("drop-connection log", DROP_AND_LOG),
        ("reset log", Action(Act.RESET, log=True)),
        ("mask log", Action(Act.MASK, log=True)),
        ("log", Action(log=True)),
        ("rate-limit 5", Action(Act.RATE_LIMIT, rate=5)),
    ],
)
def test_actions(line: str, action: Action) -> None:
    esmtp_map = made("match cmd verb VRFY", line)
    assert [row.action for row in esmtp_map.rows] == [action]
    assert action.text == line
    again = ("match cmd verb VRFY", "reset", line)
    assert made(*again).rows == esmtp_map.rows


def test_rows_apply_in_the_order_in_which_they_stand() -> None:
    lines = ("match cmd verb VRFY", "reset", "match body length gt 9", "log")
    again = ("match cmd verb VRFY", "log", "no match body length gt 9")
    assert [row.text for row in made(*lines).rows] == ["cmd verb VRFY", "body length gt 9"]
    assert [row.text for row in made(*lines, *again).rows] == ["cmd verb VRFY"]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("mask-banner", EsmtpMap("mine")),
        ("no mask-banner", EsmtpMap("mine", mask_banner=False)),
        ("allow-tls", EsmtpMap("mine", allow_tls=True)),
        ("allow-tls action log", EsmtpMap("mine", allow_tls=True, tls_log=True)),
        (
            "special-character action drop-connection log",
            EsmtpMap("mine", special_character=DROP_AND_LOG),
        ),
        ("special-character action log", EsmtpMap("mine", special_character=Action(log=True))),
        (
            "mail-relay example.com action drop-connection",
            EsmtpMap("mine", mail_relay=Relay("example.com", Action(Act.DROP_CONNECTION))),
        ),
        (
            "mail-relay example.com action log",
            EsmtpMap("mine", mail_relay=Relay("example.com", Action(log=True))),
        ),
    ],
)
def test_parameters(line: str, expected: EsmtpMap) -> None:
    def read(*lines: str) -> Configuration | None:
        return of_version("PIX Version 8.0(3)", MAP, " parameters", *lines, *FORCE).configuration

    configuration = read(line)
    assert configuration is not None
    assert configuration.esmtp_maps == (expected,)
    if not line.startswith("no "):
        without = read(line, f"no {line}")
        assert without is not None
        fresh = EsmtpMap("mine", mask_banner=line != "mask-banner")
        assert without.esmtp_maps == (fresh,)
        name = line.partition(" ")[0]
        assert read(line, f"no {name}") == without
        removed = read(line, f"{MAP}", "no parameters")
        assert removed is not None
        assert removed.esmtp_maps == (EsmtpMap("mine"),)


def test_a_map_of_a_class() -> None:
    configuration = good(
        "class-map type inspect esmtp match-any bad",
        " match cmd verb VRFY",
        " match not MIME encoding 7bit",
        " no match not MIME encoding 7bit",
        " match body length gt 9",
        " description what is bad",
        MAP,
        " class bad",
        "  drop-connection log",
        *FORCE,
    )
    (bad,) = configuration.esmtp_classes
    verb = Criterion(Subject.VERB, words=("VRFY",))
    assert (bad.any, bad.criteria) == (True, (verb, Criterion(Subject.BODY_LENGTH, limit=9)))
    (esmtp_map,) = configuration.esmtp_maps
    (row,) = esmtp_map.rows
    assert (row.asked, row.text, row.heading) == (bad, "bad", "class bad")
    assert row.criteria == bad.criteria
    assert row.action == DROP_AND_LOG


def test_what_is_in_force() -> None:
    assert good().inspections == (Inspection("", ((25, 25),), DEFAULT_MAP),)
    named = (*FORCE[:2], f"inspect esmtp {DEFAULT_MAP.name}")
    assert good(*named).inspections == good().inspections
    configuration = good(MAP, *FORCE)
    assert configuration.inspections == (Inspection("", ((25, 25),), EsmtpMap("mine")),)
    assert good(MAP, *FORCE, "no inspect esmtp", "inspect esmtp").inspections == good().inspections


def test_before_7_2_there_are_no_maps() -> None:
    old = of_version("PIX Version 7.1(2)").configuration
    assert old is not None
    assert old.inspections == (Inspection("", ((25, 25),)),)
    assert old.esmtp_map(25, ("outside", "inside")) is None
    (found,) = errors_of("PIX Version 7.1(2)", "regex a b")
    assert "exists from 7.2 on only" in found.problem
    (found,) = errors_of("PIX Version 7.1(2)", MAP)
    assert "`policy-map type inspect esmtp` exists from 7.2 on only" in found.problem
    (found,) = errors_of("PIX Version 7.1(2)", *FORCE)
    assert "`mine` is not expected here" in found.problem


@pytest.mark.parametrize("version", ["PIX Version 7.2(2)", "ASA Version 8.0(2)"])
def test_allow_tls_came_with_a_maintenance_release(version: str) -> None:
    (found,) = errors_of(version, MAP, "parameters", "allow-tls")
    assert "from 7.2(3) and 8.0(3) on" in found.problem
    later = version.replace("(2)", "(3)")
    assert not errors_of(later, MAP, "parameters", "allow-tls")
    assert not errors_of(version, MAP, "parameters", "no allow-tls")


def test_the_map_of_a_connection_is_that_of_its_interface_and_first_class() -> None:
    configuration = good(
        "class-map all",
        "match port tcp range 20 3000",
        *(
            line
            for name in ("one", "two", "three")
            for line in (f"policy-map type inspect esmtp {name}", f"description {name}")
        ),
        "policy-map global_policy",
        "class inspection_default",
        "inspect esmtp one",
        "class all",
        "inspect esmtp two",
        "policy-map edge",
        "class inspection_default",
        "inspect esmtp three",
        "service-policy edge interface outside",
    )

    def name(port: int, *interfaces: str) -> str | None:
        found = configuration.esmtp_map(port, interfaces)
        return found.name if found else None

    assert name(25, "inside", "dmz") == "one"
    assert name(2525, "inside", "dmz") == "two"
    assert name(25, "outside", "inside") == name(25, "inside", "outside") == "three"
    assert name(2525, "outside", "inside") == "two"
    assert name(4000, "inside", "dmz") is None
    both = replace(
        configuration,
        inspections=tuple(
            Inspection(interface, ((25, 25),), EsmtpMap(interface))
            for interface in ("outside", "inside")
        ),
    )
    for way in (("outside", "inside"), ("inside", "outside")):
        first = both.esmtp_map(25, way)
        assert first is not None and first.name == way[0]
    assert configuration.smtp_ports == ((20, 3000), (25, 25))


def test_the_default_map_is_printed_whole() -> None:
    lines = DEFAULT_MAP.lines(complete=True)
    assert (
        lines
        == """\
policy-map type inspect esmtp _default_esmtp_map
 description Default ESMTP policy-map
 parameters
  mask-banner
  no mail-relay
  no special-character
  no allow-tls
 match cmd line length gt 512
  drop-connection log
 match cmd RCPT count gt 100
  drop-connection log
 match body line length gt 998
  log
 match header line length gt 998
  drop-connection log
 match sender-address length gt 320
  drop-connection log
 match MIME filename length gt 255
  drop-connection log
 match ehlo-reply-parameter others
  mask""".splitlines()
    )
    # What `show running-config all` prints may stand in a file, and says nothing new.
    assert good(*lines) == good()
    assert "cannot be changed" in error(*lines[:-2]).problem


def test_maps_are_printed_as_they_are_written() -> None:
    text = """\
regex spam "buy (now|later)"
regex exe "\\.exe?"
class-map type regex match-any files
 description programs
 match regex exe
class-map type inspect esmtp match-all bad
 description what is bad
 match not MIME encoding 7bit base64
 match sender-address regex class files
policy-map type inspect esmtp mine
 description my map
 parameters
  no mask-banner
  mail-relay example.com action drop-connection log
  special-character action log
 match sender-address regex spam
  reset log
 match header to-fields count gt 20
  rate-limit 5
 class bad
  reset""".splitlines()
    lines = printed(good(*text, *FORCE))
    assert [line for line in lines if line in text] == text
    assert "  inspect esmtp mine " in lines


@pytest.mark.parametrize(
    ("lines", "column", "problem"),
    [
        (("regex a",), 9, "incomplete command"),
        (("regex a (b",), 9, "`(` is not closed"),
        (('regex a "b c(d"',), 13, "`(` is not closed"),
        (('regex a "b c',), 9, "quotes are not closed"),
        (("regex a b c",), 10, "has a blank"),
        (("regex a b\tc",), 10, "has a blank"),
        ((f"regex a {'b' * 101}",), 109, "longer than 100"),
        (("no regex a",), 10, "no such regex"),
        (("class-map type regex match-any a", "match regex b"), 13, "regex b does not exist"),
        (("class-map type regex match-any a", "no match regex b"), 16, "no such match"),
        (("class-map type regex a",), 22, "unknown keyword `a`"),
        (("class-map type regex match-any inspection_default",), 32, "of another type"),
        (("class-map type nothing",), 16, "unknown keyword `nothing`"),
        (("no class-map type regex match-any a",), 35, "no such class"),
        (("no class-map type inspect esmtp a",), 33, "no such class"),
        (("no policy-map type inspect esmtp a",), 34, "no such map"),
        ((MAP, "match cmd verb"), 16, "incomplete"),
        ((MAP, "match cmd verb expn"), 16, "`expn` is not expected here"),
        ((MAP, "match cmd verb hel"), 16, "`hel` is ambiguous"),
        ((MAP, "match cmd line length gt"), 26, "incomplete"),
        ((MAP, "match cmd line length lt 9"), 23, "`lt` is not expected here"),
        ((MAP, "match body length gt -1"), 22, "`-1` is not a number"),
        ((MAP, "match nothing"), 7, "`nothing` is not expected here"),
        ((MAP, "no match cmd verb VRFY"), 1, "no such line"),
        ((MAP, "no class a"), 1, "no such line"),
        ((MAP, "match sender-address regex a", "log"), None, "regex a does not exist"),
        (
            (MAP, "match sender-address regex class a", "log"),
            None,
            "class-map type regex match-any a does not exist",
        ),
        ((MAP, "class a", "log"), None, "class-map type inspect esmtp a does not exist"),
        ((MAP, "match body length gt 9", "mask"), 1, "can be masked"),
        ((MAP, "match body length gt 9", "rate-limit 0"), 12, "`0` is not a number"),
        ((MAP, "match body length gt 9", "log", "no reset"), 1, "no such action"),
        ((MAP, "mask"), 1, "does not stand here"),
        ((MAP, "parameters", "special-character action reset"), 26, "`reset` is not expected"),
        ((MAP, "parameters", "mail-relay a"), 14, "incomplete"),
        (("policy-map type inspect esmtp global_policy",), 31, "of another type"),
        ((MAP, "policy-map mine"), 12, "of another type"),
        (FORCE, 17, "policy-map type inspect esmtp mine does not exist"),
    ],
)
def test_wrong_maps(lines: tuple[str, ...], column: int | None, problem: str) -> None:
    found = error(*lines)
    assert problem in found.problem
    if column is not None:
        assert (found.place.line, found.place.column) == (14 + len(lines), column)


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        (("class-map type inspect esmtp a", MAP, "class a", "log"), "class a asks for nothing"),
        (
            ("class-map type inspect esmtp a", "match body length gt 9", MAP, "class a", "mask"),
            "can be masked",
        ),
        (
            ("class-map type regex match-any a", MAP, "match sender-address regex class a", "log"),
            "class a has no regex",
        ),
        (
            (
                "class-map type inspect esmtp match-any a",
                "match body length gt 9",
                "class-map type inspect esmtp match-all a",
            ),
            "is the other kind",
        ),
    ],
)
def test_wrong_classes(lines: tuple[str, ...], problem: str) -> None:
    assert problem in error(*lines).problem


def test_a_match_without_an_action_is_told() -> None:
    (found,) = reading(MAP, " match body length gt 9", *FORCE).findings
    assert (found.severity, found.place.line) == (Severity.WARNING, 16)
    assert "no action" in found.problem


def test_a_line_with_an_error_excuses_those_that_need_it() -> None:
    assert "not closed" in error("regex a (", MAP, "match sender-address regex a", "log").problem
    assert "ambiguous" in error(MAP, "match cmd verb hel", "log").problem
    assert "`x` is not" in error(MAP, "match body length gt 9", "rate-limit x").problem


@pytest.mark.parametrize(
    ("lines", "name"),
    [
        (("regex a b",), "regex a"),
        (("class-map type regex match-any a",), "class-map type regex match-any a"),
        (
            ("class-map type inspect esmtp match-any a", "match body length gt 9"),
            "class-map type inspect esmtp a",
        ),
        ((MAP,), "policy-map type inspect esmtp mine"),
    ],
)
def test_what_nothing_uses_is_told(lines: tuple[str, ...], name: str) -> None:
    assert f"nothing uses {name}" in [each.problem for each in review(good(*lines))]


def test_what_is_used_is_not_told() -> None:
    lines = (
        "regex a b",
        "class-map type regex match-any c",
        "match regex a",
        "class-map type inspect esmtp d",
        "match sender-address regex class c",
        MAP,
        "class d",
        "log",
    )
    assert not [e.problem for e in review(good(*lines, *FORCE)) if "nothing uses" in e.problem]


def test_clearing() -> None:
    lines = ("regex a b", "class-map type regex match-any c", "match regex a", MAP)
    cleared = ("regex", "class-map", "policy-map", "service-policy")
    commands = tuple(f"clear configure {what}" for what in cleared)
    found = read_rules("\n".join((SEVEN, INSPECTION, *lines, *commands)), "f").configuration
    bare = read_rules(SEVEN, "f").configuration
    assert found == bare


@pytest.mark.parametrize("name", ["dns preset_dns_map", "http web", "im chat"])
def test_maps_of_other_inspections_are_not_implemented(name: str) -> None:
    (found,) = reading(f"policy-map type inspect {name}", " parameters", "  anything").findings
    assert found.problem == "`policy-map type inspect` is not implemented"


def test_a_fixup_is_converted() -> None:
    found = read_rules(SEVEN + "fixup protocol smtp 25\nfixup protocol smtp 2525", "f")
    assert [str(each).splitlines()[0] for each in found.findings] == [
        "f:9:1: INFO: converting 'fixup protocol smtp 25 ' to MPF commands",
        "f:10:1: INFO: converting 'fixup protocol smtp 2525 ' to MPF commands",
    ]
    assert found.configuration is not None
    assert found.configuration.smtp_ports == ((25, 25), (2525, 2525))
    lines = printed(found.configuration)
    assert lines[lines.index("class-map class_smtp_2525") :] == [
        "class-map class_smtp_2525",
        " match port tcp eq 2525",
        "!",
        "!",
        "policy-map global_policy",
        " class inspection_default",
        "  inspect esmtp ",
        " class class_smtp_2525",
        "  inspect esmtp ",
        "!",
        "service-policy global_policy global",
    ]


def test_check_shows_what_is_converted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "rules.conf"
    file.write_text(f"{SEVEN}fixup protocol smtp 25\n")
    assert check_files([file]) == 0
    shown = capsys.readouterr().out
    assert "INFO: converting 'fixup protocol smtp 25 ' to MPF commands" in shown
    assert "good (9 commands)" in shown


@pytest.mark.parametrize(
    ("lines", "ports"),
    [
        (("fixup protocol smtp 25-30",), ((25, 25), (25, 30))),
        (("fixup protocol smtp",), ((25, 25),)),
        (("no fixup protocol smtp 25",), ()),
        (("no fixup protocol smtp", "fixup protocol smtp 2525"), ((2525, 2525),)),
        (("fixup protocol smtp 2525", "no fixup protocol smtp 2525"), ((25, 25),)),
    ],
)
def test_ports_of_converted_fixups(
    lines: tuple[str, ...], ports: tuple[tuple[int, int], ...]
) -> None:
    found = reading(*lines)
    assert {each.severity for each in found.findings} == {Severity.INFO}
    assert found.configuration is not None
    assert found.configuration.smtp_ports == ports


def test_a_fixup_keeps_the_map_that_is_in_force() -> None:
    found = reading(MAP, *FORCE, "fixup protocol smtp 25").configuration
    assert found is not None
    assert found.inspections == (Inspection("", ((25, 25),), EsmtpMap("mine")),)


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        (("no fixup protocol smtp 2525",), "no such fixup"),
        (("no fixup protocol smtp", "no fixup protocol smtp"), "no such fixup"),
        (
            (
                "no service-policy global_policy global",
                "policy-map other",
                "service-policy other global",
                "fixup protocol smtp 25",
            ),
            "and other is in force",
        ),
    ],
)
def test_wrong_fixups(lines: tuple[str, ...], problem: str) -> None:
    assert problem in error(*lines).problem
