"""Files: their lines, their comments, their encodings, and every error of them."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.config.check import check_files
from appliance.config.load import MAX_ERRORS, MAX_FILE, load_configuration, read_rules, read_text
from appliance.config.model import Operator, elementary
from appliance.config.table import TABLE
from appliance.errors import Finding, FindingsError, PixguardError, Place, Severity
from tests.config.foreign import FOREIGN, without_errors
from tests.config.reading import (
    INTERFACES,
    error_of,
    findings_of,
    network,
    read,
    reading_of,
    warning_of,
)

ROOT = Path(__file__).parents[2]
KEYWORDS = sorted({word for command in TABLE.commands for word in command.words.split()})
GOOD = """\
PIX Version 6.3(5)
hostname fw
nameif ethernet2 dmz security50
interface ethernet2 auto shutdown
ip address dmz 10.2.2.2 255.255.255.0
names
name 10.1.1.9 other
static (inside,outside) 203.0.113.5 10.1.1.5 netmask 255.255.255.255 0 0
static (inside,outside) tcp interface 25 other smtp dns norandomseq
static (inside,outside) tcp interface www access-list 101 0 0
access-list 101 remark what comes in
access-list 101 line 1 permit tcp any gt 1023 host 203.0.113.5 range 25 26 log 7 interval 10
access-list 101 deny icmp 10.0.0.0 255.0.0.0 interface outside echo
access-list 101 permit 89 any any
access-group 101 in interface outside
conduit permit udp host 203.0.113.6 eq 0 0 0 neq domain
fixup protocol smtp 25-30
no fixup protocol smtp 25
logging trap informational
route outside 0 0 203.0.113.2 1
clear access-list 101
nat (inside) 1 0 0
object-group network servers
network-object host 203.0.113.5
object-group service mail tcp
port-object eq smtp
access-list 102 permit tcp any object-group servers object-group mail
conduit permit tcp object-group servers any
no access-list 102
""".splitlines()
WORDS = sorted({word for line in GOOD for word in line.split()} | set(KEYWORDS))
LINES = st.one_of(
    st.lists(st.one_of(st.sampled_from(WORDS), st.text(max_size=6)), max_size=12).map(" ".join),
    # A good line with some words left out or replaced gets further into its command.
    st.tuples(st.sampled_from(GOOD), st.dictionaries(st.integers(0, 12), st.sampled_from(WORDS)))
    .map(lambda drawn: [drawn[1].get(n, word) for n, word in enumerate(drawn[0].split())])
    .flatmap(lambda words: st.integers(1, 20).map(lambda n: " ".join(words[:n]))),
    st.sampled_from([*GOOD, *(f"no {line}" for line in GOOD)]),
)


def raises_nothing(text: str) -> None:
    reading = read_rules(text, "any.conf")
    findings = reading.findings
    errors = [f for f in findings if f.severity is Severity.ERROR]
    assert (reading.configuration is None) == bool(errors)
    count = text.count("\n") + 1
    assert [f.place.line for f in findings] == sorted(f.place.line for f in findings)
    for finding in findings:
        assert finding.place.file == "any.conf"
        assert 1 <= finding.place.line <= count
        shown = str(finding)
        assert all(" " <= c <= "~" or c in "\t\n" for c in shown)
        assert finding.problem


@given(st.text())
def test_any_text_draws_findings_and_nothing_worse(text: str) -> None:
    raises_nothing(text)


@given(st.lists(LINES, max_size=20).map("\n".join))
def test_any_words_of_the_language_draw_findings_and_nothing_worse(text: str) -> None:
    raises_nothing(INTERFACES + text)


def test_the_good_lines_are_good() -> None:
    reading = reading_of(*GOOD[:20])
    assert reading.configuration is not None, "\n".join(map(str, reading.findings))


@given(st.binary(max_size=300))
def test_any_bytes_can_be_read(content: bytes) -> None:
    try:
        text = content.decode()
    except UnicodeDecodeError:
        text = content.decode("latin-1")
    raises_nothing(text)


@given(st.lists(LINES, max_size=8))
def test_a_line_is_judged_alike_wherever_line_ends_come_from(lines: list[str]) -> None:
    clean = [line.replace("\r", "").replace("\n", "") for line in lines]
    unix = read_rules("\n".join(clean), "f")
    assert read_rules("\r\n".join(clean), "f") == unix


@given(st.text(st.characters(codec="utf-8"), max_size=30), st.integers(0, 40))
def test_the_caret_stands_under_its_column(text: str, extra: int) -> None:
    column = min(len(text), extra) + 1
    shown = str(Finding(Place("f", 1, column), "wrong", text=text + "$")).split("\n")
    assert len(shown) == 3
    line, caret = shown[1], shown[2]
    assert caret.strip("\t ") == "^"
    at = caret.index("^")
    expected = (text + "$")[column - 1]
    drawn = expected if " " <= expected <= "~" or expected == "\t" else ascii(expected)[1:-1]
    assert line[at:].startswith(drawn)
    assert [c == "\t" for c in line[:at]] == [c == "\t" for c in caret[:at]]


def test_all_errors_are_reported_in_the_order_of_the_file() -> None:
    findings = findings_of(
        "access-group 101 in interface outside",
        "fixup protocol smtp 25x",
        "hostname",
        "nat (inside) 1 0 0",
        "route dmz 0 0 10.1.1.2",
    )
    assert [(f.place.line, f.place.column) for f in findings] == [
        (5, 14),
        (6, 21),
        (7, 10),
        (8, 1),
        (9, 7),
    ]
    assert [f.severity.value for f in findings].count("warning") == 1


@pytest.mark.parametrize(
    "lines",
    [
        ("access-list 102 permit tcp any any eq smpt", "access-group 102 in interface outside"),
        ("access-list 102 remark a\u00a0b", "access-group 102 in interface outside"),
        ("nameif ethernet2 dmz security100", "ip address dmz 10.2.2.2 255.255.255.0"),
        ("nameif ethernet2 dmz", "interface ethernet2 auto shutdown"),
        ("nameif ethernet2 security50", "ip address dmz 10.2.2.2 255.255.255.0"),
        ("nameif dmz", "ip address dmz 10.2.2.2 255.255.255.0", "route dmz 0 0 10.2.2.3"),
        ("namif ethernet2 dmz security50", "ip address dmz 10.2.2.2 255.255.255.0"),
        ("nam ethernet2 dmz security50", "interface ethernet2 auto shutdown"),
        ("acess-list 102 permit ip any any", "access-group 102 in interface outside"),
        (
            "nameif ethernet2 dmz security50",
            "ip address dmz 10.2.2.0 255.255.255.0",
            "access-list 102 permit ip any interface dmz",
        ),
    ],
)
def test_what_an_erroneous_line_does_not_define_is_no_second_error(lines: tuple[str, ...]) -> None:
    assert error_of(*lines)


@pytest.mark.parametrize(
    "wrong",
    [
        "access-list 103 permit tcp any any eq smpt",
        "no access-list 102 permit tcp any any eq smpt",
        "nameif ethernet2 102 security100",
        "acess-list 103 permit ip any any",
    ],
)
def test_an_erroneous_line_about_something_else_excuses_nothing(wrong: str) -> None:
    _, missing = findings_of(wrong, "access-group 102 in interface outside")
    assert missing.problem == "access-list 102 does not exist"


def test_an_error_as_it_is_printed() -> None:
    assert str(error_of("access-list 101 permit tcp any any eq smpt")) == (
        "test.conf:5:39: `smpt` is not a tcp port\n"
        "    access-list 101 permit tcp any any eq smpt\n"
        "                                          ^\n"
        "    expected: a tcp port: a number from 0 to 65535 or a name such as smtp"
    )


def test_a_warning_as_it_is_printed() -> None:
    assert str(warning_of("filter java 80 0 0 0 0")) == (
        "test.conf:5:1: warning: `filter` is not implemented\n"
        "    what it blocks is not blocked here"
    )


def test_hostile_bytes_are_escaped_and_the_caret_still_stands_right() -> None:
    error = error_of("hostname \tfw\x1b[2J")
    assert error.place == Place("test.conf", 5, 13)
    assert "\x1b" not in str(error)
    line, caret = str(error).split("\n")[1:3]
    assert line == "    hostname \tfw\\x1b[2J"
    assert caret == "    " + " " * 9 + "\t  ^"


@pytest.mark.parametrize(
    ("character", "name"),
    [("\x00", "0x00"), ("\x0c", "0x0c"), ("\u00a0", "no-break space"), ("\u202e", "right-to-left")],
)
def test_what_no_eye_sees_is_an_error(character: str, name: str) -> None:
    error = error_of(f"access-list 1 remark a{character}b")
    assert error.place == Place("test.conf", 5, 23)
    assert name in error.problem


def test_comments_blank_lines_and_what_a_terminal_adds() -> None:
    text = (
        "Building configuration...\n: Saved\n:\n! fixup protocol smtp 26\n   \n"
        "hostname fw\n  : indented\nCryptochecksum:d41d8cd98f00b204e9800998ecf8427e\n: end\n[OK]\n"
    )
    reading = read_rules(text, "f")
    assert reading.configuration is not None
    assert reading.configuration.hostname == "fw"
    assert reading.commands == 1
    assert reading.findings == ()


def test_what_comes_after_the_end_is_not_read_and_that_is_told() -> None:
    text = "hostname fw\n: end\nfw-14# enable\npassword: Xyzzy\n"
    reading = read_rules(text, "f")
    (finding,) = reading.findings
    assert reading.configuration is not None
    assert (finding.severity, finding.place) == (Severity.WARNING, Place("f", 3, 1))
    assert "fw-14" not in str(finding)


def test_a_line_wrapped_by_a_terminal_is_recognised() -> None:
    wrapped = "timeout conn 1:00:00 half-closed 0:10:00 udp 0:02:00 rpc 0:10:00 h323 0:05:00 si"
    (_, error) = findings_of(wrapped, "p 0:30:00")
    assert error.place == Place("test.conf", 6, 1)
    assert "wrapped" in error.remedy
    assert "wrapped" not in error_of("p 0:30:00").remedy


def test_a_line_too_long_for_a_command() -> None:
    error = error_of("access-list 1 remark " + "x" * 1000)
    assert error.place == Place("test.conf", 5)
    assert len(str(error)) < 200


def test_a_long_line_is_told_at_once_however_long_it_is() -> None:
    error = error_of("# " * 4_000_000)
    assert error.problem == "the line is longer than 1000 characters"


def test_a_comment_of_another_language_is_told_how_to_begin() -> None:
    for line in ("# a comment", "#fixup protocol smtp 25", "  #"):
        assert error_of(line).remedy == "a comment begins with `!`"


def test_latin_1_is_read_where_it_is_not_utf_8(tmp_path: Path) -> None:
    path = tmp_path / "rules.conf"
    path.write_bytes(b"access-list 1 remark B\xfcro\naccess-list 1 permit ip any any\n")
    assert load_configuration(path).access_lists[0].rules
    path.write_bytes(b"\xef\xbb\xbfhostname fw\r\n")
    assert load_configuration(path).hostname == "fw"


def test_loading_a_bad_file_raises_all_its_findings(tmp_path: Path) -> None:
    path = tmp_path / "rules.conf"
    path.write_text("fixpu\nhostnam\n")
    with pytest.raises(FindingsError) as caught:
        load_configuration(path)
    assert [f.place.line for f in caught.value.findings] == [1, 2]
    assert str(path) in str(caught.value)


def test_loading_tells_warnings(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "rules.conf"
    path.write_text("filter java 80 0 0 0 0\n")
    load_configuration(path)
    assert "`filter` is not implemented" in capsys.readouterr().err


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none.conf"):
        with pytest.raises(PixguardError, match=str(path)):
            read_text(path)


def test_a_file_too_long_for_a_rule_file(tmp_path: Path) -> None:
    path = tmp_path / "rules.conf"
    path.write_bytes(b"\n" * MAX_FILE)
    assert len(read_text(path)) == MAX_FILE == 16 * 1024 * 1024
    with path.open("ab") as file:
        file.write(b"\n")
    for endless in (path, Path("/dev/zero")):
        with pytest.raises(PixguardError) as caught:
            read_text(endless)
        assert str(caught.value) == f"{endless}: is no rule file: longer than 16 MiB"


def test_a_rule_file_may_come_through_a_pipe(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    text = "hostname fw\n" + "! a comment that fills the pipe\n" * 10000
    writer = threading.Thread(target=fifo.write_text, args=(text,))
    writer.start()
    assert read_text(fifo) == text
    writer.join()
    command = [sys.executable, "-m", "appliance", "check", "/dev/stdin"]
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "/dev/stdin: good (1 command)\n")


def test_twenty_findings_are_shown_errors_before_warnings_and_the_others_counted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "rules.conf"
    rest = f"{path}: and {{}} more, which are not shown"

    def shown(*lines: str) -> list[str]:
        path.write_text("\n".join(lines))
        check_files([path])
        out = capsys.readouterr().out
        return [line for line in out.splitlines() if line.startswith(str(path))][:-1]

    places = [f"{path}:{number}:1: unknown command `x`" for number in range(1, 31)]
    assert shown(*["x"] * 20) == places[:20]
    assert shown(*["x"] * 21) == [*places[:20], rest.format(1)]
    with pytest.raises(FindingsError) as caught:
        load_configuration(path)
    assert str(caught.value).endswith(f"\n{rest.format(1)}")
    assert len(caught.value.findings) == 21

    host_bits = ["access-list 1 permit ip 10.0.0.1 255.0.0.0 any"] * 25
    mixed = shown(*host_bits, "x", "x")
    assert len(mixed) == 21
    assert mixed[-3:-1] == [f"{path}:{n}:1: unknown command `x`" for n in (26, 27)]
    assert all(": warning: " in line for line in mixed[:18])

    assert len(shown(*host_bits)) == 21
    load_configuration(path)
    assert rest.split("{}")[1] in capsys.readouterr().err


def test_what_is_no_rule_file_is_not_read_to_its_end() -> None:
    assert len(read_rules("x\n" * MAX_ERRORS, "f").findings) == MAX_ERRORS
    reading = read_rules("x\n" * 10 * MAX_ERRORS, "f")
    assert reading.commands == MAX_ERRORS
    assert len(reading.findings) == MAX_ERRORS + 1
    assert reading.findings[-1].place.line == MAX_ERRORS + 1
    assert reading.findings[-1].problem == "after 1000 errors, the rest is not read"


def test_check(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good, bad = tmp_path / "good.conf", tmp_path / "bad.conf"
    good.write_text("hostname fw\nnames\nfilter java 80 0 0 0 0\n")
    bad.write_text("hostname\n")
    assert check_files([good]) == 0
    assert capsys.readouterr().out.endswith(f"{good}: good (3 commands, 1 warning)\n")
    assert check_files([bad, good]) == 1
    assert f"{bad}: bad (1 command, 1 error)\n" in capsys.readouterr().out
    assert check_files([tmp_path / "none", good]) == 1
    out = capsys.readouterr().out
    assert "none: No such file or directory" in out
    assert "good (3 commands" in out


@pytest.mark.parametrize("path", sorted((ROOT / "rules").glob("*.conf")), ids=lambda p: p.name)
def test_the_ready_rule_files_are_good_without_a_warning(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert check_files([path]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 1


def test_the_ready_examples_differ_as_they_say() -> None:
    mailguard, without, conduit = (
        load_configuration(ROOT / "rules" / f"{name}.conf")
        for name in ("pix-6.3", "no-fixup", "pix-5.1-conduit")
    )
    assert mailguard.smtp_ports == ((25, 25),)
    assert without.smtp_ports == ()
    assert mailguard.statics == without.statics == conduit.statics
    assert mailguard.interfaces == without.interfaces == conduit.interfaces
    assert elementary(conduit.conduits) == mailguard.access_lists[0].rules
    mail = mailguard.access_lists[0].rules[0]
    assert mail.destination == network("203.0.113.5/32")
    assert mail.destination_ports is not None
    assert mail.destination_ports.operator is Operator.EQ
    assert read().smtp_ports == mailguard.smtp_ports


@pytest.mark.skipif(not FOREIGN, reason="no configurations of others are here to read")
@pytest.mark.parametrize("path", FOREIGN, ids=lambda path: path.name)
def test_configurations_of_others_are_read(path: Path) -> None:
    raises_nothing(read_text(path))
    assert without_errors(path).configuration
