"""The table as a whole: abbreviations, states, forms, secrets."""

from itertools import combinations
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.config.command import Command, State
from appliance.config.grammar import Cursor
from appliance.config.line import Line, Refusal
from appliance.config.load import read_rules
from appliance.config.table import TABLE
from tests.config.reading import error_of, findings_of, read

COMMANDS = st.sampled_from(TABLE.commands)


def siblings(command: Command, depth: int) -> set[str]:
    """The keywords among which the one at that depth has to be told."""
    before = command.words.split()[:depth]
    others = (other.words.split() for other in TABLE.commands)
    return {o[depth] for o in others if o[:depth] == before}


@given(COMMANDS, st.data())
def test_any_unique_prefix_finds_the_command_and_no_other_does(
    command: Command, data: st.DataObject
) -> None:
    words = command.words.split()
    typed = [w[: data.draw(st.integers(1, len(w)))] for w in words]
    meant = True
    for depth, (word, prefix) in enumerate(zip(words, typed, strict=True)):
        fits = {other for other in siblings(command, depth) if other.startswith(prefix)}
        # A keyword that is itself the beginning of another one is meant when it is typed whole.
        meant = meant and (fits == {word} if prefix not in fits else prefix == word)
    cursor = Cursor(Line.split(" ".join(typed)), {})
    if meant:
        assert TABLE.find(cursor) is command
        assert cursor.token is None
        return
    try:
        assert TABLE.find(cursor) is not command
    except Refusal as refusal:
        assert "ambiguous" in refusal.problem or "incomplete" in refusal.problem


def test_no_command_begins_another() -> None:
    for one, other in combinations((c.words.split() for c in TABLE.commands), 2):
        assert one[: len(other)] != other[: len(one)]


def test_every_command_says_what_it_does_and_how_far_it_is_done() -> None:
    for command in TABLE.commands:
        assert command.help and "\n" not in command.help
        assert (command.state is State.NOT_IMPLEMENTED) == bool(command.gap)
        assert command.usage().removeprefix("[no] ").startswith(command.words)


def test_the_users_page_has_every_command_that_is_done() -> None:
    page = (Path(__file__).parents[2] / "docs" / "rule-file.md").read_text().lower()
    for command in TABLE.commands:
        if command.state is State.DONE:
            assert all(word in page for word in command.words.split()), command.words


@pytest.mark.parametrize("command", [c for c in TABLE.commands if c.state is not State.DONE])
def test_what_is_not_done_takes_anything_and_shows_nothing_of_it(command: Command) -> None:
    for line in (f"{command.words} Xyzzy (plugh", f"no {command.words} Xyzzy (plugh"):
        findings = findings_of(line)
        assert len(findings) <= 1
        assert not any("yzzy" in str(f) or "plugh" in str(f) for f in findings)
        if not line.startswith("no"):
            assert len(findings) == (command.state is State.NOT_IMPLEMENTED)


@pytest.mark.parametrize(
    "line",
    [
        "enable password Xyzzy encrypted",
        "enable pasword Xyzzy",
        "enabel password Xyzzy",
        "no enabel password Xyzzy",
        "passwd Xyzzy encrypted",
        "paswd Xyzzy",
        "p Xyzzy",
        "username root password Xyzzy",
        "snmp-server community Xyzzy",
        "snmp-servr community Xyzzy",
        "isakmp key Xyzzy address 192.0.2.1",
        "vpngroup users password Xyzzy",
        "failover key Xyzzy",
        "aaa-server radius (inside) host 10.1.1.9 Xyzzy timeout 10",
        "enable\x00password Xyzzy",
        "enable password Xyzzy\x1b",
        "enable password " + "Xyzzy" * 400,
    ],
)
def test_secrets_are_never_shown(line: str) -> None:
    assert not any("yzzy" in str(f) or "yzzy" in f.text for f in findings_of(line))


def test_the_wrong_word_itself_is_shown_and_the_right_one_proposed() -> None:
    error = error_of("enabel password x")
    assert error.problem == "unknown command `enabel`"
    assert "`enable`" in error.remedy
    assert "fixup" in error_of("fixpu protocol smtp 25").remedy


def test_no_forms_exist_only_where_the_table_has_them() -> None:
    error = error_of("no interface ethernet0 auto")
    assert error.place.column == 4
    assert error.problem == "`interface` has no `no` form"
    assert error.remedy == "usage: interface HARDWARE SPEED [shutdown]"
    assert error_of("no").place.column == 4


def test_keywords_are_case_insensitive_and_blanks_do_not_count() -> None:
    plain = read("access-list 101 permit tcp any any eq smtp")
    assert read("  ACCESS-LIST\t101   Permit TCP any ANY eq SMTP  ") == plain


def test_kelvin_sign_is_no_k() -> None:
    reading = read_rules("loo\u212a\n", "f")
    assert reading.configuration is None and len(reading.findings) == 1
