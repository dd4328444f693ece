"""The table as a whole: abbreviations, states, forms, secrets."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.config.command import GLOBAL, Command, State
from appliance.config.grammar import Cursor
from appliance.config.language import SEVEN
from appliance.config.line import Line, Refusal
from appliance.config.load import read_rules
from appliance.config.printing import saved
from appliance.config.table import TABLE
from tests.config.reading import error_of, findings_of, read

LANGUAGE = (6, 3)
COMMANDS = st.sampled_from(TABLE.of(GLOBAL, LANGUAGE))


def siblings(command: Command, depth: int) -> set[str]:
    """The keywords among which the one at that depth has to be told."""
    before = command.words.split()[:depth]
    others = (other.words.split() for other in TABLE.of(GLOBAL, LANGUAGE))
    return {o[depth] for o in others if o[:depth] == before and len(o) > depth}


@given(COMMANDS, st.data())
def test_any_unique_prefix_finds_the_command_and_no_other_does(
    command: Command, data: st.DataObject
) -> None:
    words = command.words.split()
    shorter = {other.words for other in TABLE.of(GLOBAL, LANGUAGE)}
    typed = [w[: data.draw(st.integers(1, len(w)))] for w in words]
    meant = True
    for depth, (word, prefix) in enumerate(zip(words, typed, strict=True)):
        fits = {other for other in siblings(command, depth) if other.startswith(prefix)}
        # A keyword that is itself the beginning of another one is meant when it is typed whole.
        meant = meant and (fits == {word} if prefix not in fits else prefix == word)
        # Behind a command that is whole already, it is meant when it is typed whole, too.
        meant = meant and (prefix == word or " ".join(words[:depth]) not in shorter)
    cursor = Cursor(Line.split(" ".join(typed)), {})
    if meant:
        assert TABLE.find(cursor, LANGUAGE) == (command, 0)
        assert cursor.token is None
        return
    try:
        assert TABLE.find(cursor, LANGUAGE) != (command, 0)
    except Refusal as refusal:
        assert "ambiguous" in refusal.problem or "incomplete" in refusal.problem


def test_no_two_commands_of_a_mode_have_the_same_keywords() -> None:
    for mode in TABLE.modes:
        for language in TABLE.languages:
            words = [command.words for command in TABLE.of(mode, language)]
            assert len(words) == len(set(words))


def test_every_command_says_what_it_does_and_how_far_it_is_done() -> None:
    for command in TABLE.commands:
        assert command.help and "\n" not in command.help
        assert (command.state is State.NOT_IMPLEMENTED) == bool(command.gap)
        assert command.usage().removeprefix("[no] ").startswith(command.words)


OPENERS = {
    "global": [],
    "interface": ["interface Ethernet0"],
    "class-map": ["class-map mail"],
    "policy-map": ["policy-map global_policy"],
    "class": ["policy-map global_policy", "class class-default"],
    "object-group": ["object-group network servers"],
    "object network": ["object network server"],
    "object service": ["object service mail"],
}
"""What opens each mode."""


def before(command: Command) -> list[str]:
    """The lines after which a command may stand."""
    version = []
    if command.since >= SEVEN:
        version = ["ASA Version 9.1(2)" if command.since > (8, 0) else "PIX Version 8.0(4)"]
    return [*version, *OPENERS[command.mode.name]]


@pytest.mark.parametrize(
    "command",
    [c for c in TABLE.commands if c.state is not State.DONE],
    ids=lambda c: f"{c.mode.name} {c.words}",
)
def test_what_is_not_done_takes_anything_and_shows_nothing_of_it(command: Command) -> None:
    told = {f.problem for f in read_rules("\n".join(before(command)), "f").findings}
    for line in (f"{command.words} Xyzzy (plugh", f"no {command.words} Xyzzy (plugh"):
        reading = read_rules("\n".join((*before(command), line)), "f")
        findings = [f for f in reading.findings if f.problem not in told]
        assert len(findings) <= 1
        assert not any("yzzy" in str(f) or "plugh" in str(f) for f in findings)
        if not line.startswith("no"):
            assert len(findings) == (command.state is State.NOT_IMPLEMENTED)
            assert (command.words in {note.words for note in reading.notes}) == (
                command.state is State.NO_EFFECT
            )


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
    for version in ("6.3(5)", "8.0(4)"):
        reading = read_rules(f"PIX Version {version}\n{line}", "f", lenient=True)
        if reading.configuration is not None:
            assert "yzzy" not in saved(reading.configuration)


@pytest.mark.parametrize(
    ("lines", "printed"),
    [
        (["enable password Xyzzy level 7 encrypted"], ["enable password *** level 7 encrypted"]),
        (["enable passw Xyzzy"], ["enable ***"]),
        (["passwd Xyzzy encrypted"], ["passwd *** encrypted"]),
        (["username a pass Xyzzy"], ["username ***"]),
        (["username a password Xyzzy encrypted"], ["username a password *** encrypted"]),
        (["snmp-server community Xyzzy"], ["snmp-server community ***"]),
        (
            ["snmp-server host inside 10.1.1.9 community Xyzzy"],
            ["snmp-server host inside 10.1.1.9 community ***"],
        ),
        (["snmp-server host inside 10.1.1.9 Xyzzy"], ["snmp-server ***"]),
        (
            ["aaa-server radius (inside) host 10.1.1.9 Xyzzy timeout 10"],
            ["aaa-server radius (inside) host 10.1.1.9 *** timeout 10"],
        ),
        (
            ["isakmp key Xyzzy address 192.0.2.1 netmask 255.255.255.255"],
            ["isakmp key *** address 192.0.2.1 netmask 255.255.255.255"],
        ),
        (["failover lan key Xyzzy"], ["failover lan key ***"]),
        (["vpngroup users password Xyzzy"], ["vpngroup users password ***"]),
        (["vpdn username a password Xyzzy"], ["vpdn username a password ***"]),
        (["ntp authentication-key 1 md5 Xyzzy"], ["ntp authentication-key 1 md5 ***"]),
        (["crypto map m 1 set session-key inbound ah 300 Xyzzy"], ["crypto ***"]),
        (
            ["rip inside default version 2 authentication md5 Xyzzy 1"],
            ["rip inside default version 2 authentication md5 *** 1"],
        ),
        (
            [
                "PIX Version 8.0(4)",
                "tunnel-group t ipsec-attributes",
                " pre-shared-key Xyzzy",
                "aaa-server radius protocol radius",
                "aaa-server radius host 10.1.1.9",
                " key Xyzzy",
                "crypto isakmp policy 10",
                " hash md5",
            ],
            [
                "aaa-server radius protocol radius",
                "aaa-server radius host 10.1.1.9",
                " key ***",
                "crypto isakmp policy 10",
                " hash md5",
                "tunnel-group t ipsec-attributes",
                " pre-shared-key ***",
            ],
        ),
    ],
)
def test_secrets_are_printed_masked(lines: list[str], printed: list[str]) -> None:
    configuration = read_rules("\n".join(lines), "f").configuration
    assert configuration is not None
    text = saved(configuration)
    assert "yzzy" not in text
    kept = {line for line in text.splitlines() if line in printed}
    assert kept == set(printed)
    assert read_rules(text, "f").configuration == configuration


def test_the_wrong_word_itself_is_shown_and_the_right_one_proposed() -> None:
    error = error_of("enabel password x")
    assert error.problem == "unknown command `enabel`"
    assert "`enable`" in error.remedy
    assert "fixup" in error_of("fixpu protocol smtp 25").remedy


def test_no_forms_exist_only_where_the_table_has_them() -> None:
    error = error_of("no interface ethernet0 auto")
    assert error.place.column == 4
    assert error.problem == "`interface` has no `no` form"
    assert error.remedy == (
        "usage: interface HARDWARE {vlanN {logical | physical} | SPEED} [shutdown]"
    )
    assert error_of("no").place.column == 4


def test_keywords_are_case_insensitive_and_blanks_do_not_count() -> None:
    plain = read("access-list 101 permit tcp any any eq smtp")
    assert read("  ACCESS-LIST\t101   Permit TCP any ANY eq SMTP  ") == plain


def test_kelvin_sign_is_no_k() -> None:
    reading = read_rules("loo\u212a\n", "f")
    assert reading.configuration is None and len(reading.findings) == 1
