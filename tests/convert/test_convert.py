"""`pixguard convert`: what each thing becomes, and that packets fare as before."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from appliance.admission import Opening
from appliance.cli import main
from appliance.config.load import read_rules
from appliance.config.model import Configuration
from appliance.config.printing import printed
from appliance.convert import conversion
from appliance.convert.conversion import TARGETS
from appliance.convert.loss import Loss
from appliance.convert.packets import between
from appliance.convert.proof import Proven, proven, unlike
from appliance.errors import FindingsError
from appliance.policy.judgement import policy_of
from appliance.smtp.release import choose
from tests.config.foreign import FOREIGN, without_errors
from tests.live.dice import Dice
from tests.live.object_dice import ObjectDice
from tests.policy.rules import configuration

RULES = Path(__file__).parents[2] / "rules"
SEEDS = range(1, 13)
OTHERS = 500
"""Packets, not those of the report, that both files judge."""
LONGEST = 100_000
"""Bytes of a configuration of others whose report is made, which takes minutes for a longer one."""

SIX = """\
PIX Version 6.3(5)
nameif ethernet0 outside security0
nameif ethernet1 inside security100
ip address outside 203.0.113.1 255.255.255.0
ip address inside 10.1.1.1 255.255.255.0
route outside 0 0 203.0.113.254 1
"""

EIGHT = """\
ASA Version 8.4(7)
interface Ethernet0
 nameif outside
 security-level 0
 ip address 203.0.113.1 255.255.255.0
interface Ethernet1
 nameif inside
 security-level 100
 ip address 10.1.1.1 255.255.255.0
route outside 0.0.0.0 0.0.0.0 203.0.113.254 1
"""


def made(text: str, target: str) -> Proven:
    return proven(configuration(text), target)


def of_packets(losses: tuple[Loss, ...]) -> list[Loss]:
    """Those that are about packets, and not about how mail is inspected."""
    return [each for each in losses if not each.what.startswith("mail as")]


@pytest.mark.parametrize(
    ("text", "target", "lines"),
    [
        pytest.param(
            SIX
            + """\
static (inside,outside) 203.0.113.5 10.1.1.5 netmask 255.255.255.255 0 0
access-list in permit tcp any host 203.0.113.5 eq smtp
access-group in in interface outside
""",
            "8.4",
            (
                " nat (inside,outside) static 203.0.113.5",
                "access-list in extended permit tcp any host 10.1.1.5 eq smtp ",
                "  inspect esmtp ",
            ),
            id="a static, and a list of mapped addresses",
        ),
        pytest.param(
            SIX
            + """\
static (inside,outside) tcp interface smtp 10.1.1.5 2525 netmask 255.255.255.255 0 0
access-list in permit tcp any host 203.0.113.1 eq smtp
access-group in in interface outside
""",
            "8.4",
            (
                " nat (inside,outside) static interface service tcp 2525 smtp ",
                "access-list in extended permit tcp any host 10.1.1.5 eq 2525 ",
            ),
            id="a static of a port",
        ),
        pytest.param(
            SIX + "nat (inside) 1 10.1.1.0 255.255.255.0 0 0\nglobal (outside) 1 interface\n",
            "8.4",
            (" nat (inside,outside) dynamic interface",),
            id="nat and global",
        ),
        pytest.param(
            SIX.replace("6.3(5)", "5.1(2)")
            + """\
static (inside,outside) 203.0.113.5 10.1.1.5 netmask 255.255.255.255 0 0
conduit permit tcp host 203.0.113.5 eq smtp any
""",
            "8.2",
            ("access-group outside_access_in in interface outside",),
            id="a conduit",
        ),
        pytest.param(
            SIX + "fixup protocol smtp 2525\n",
            "8.2",
            (" match port tcp eq 2525", "  inspect esmtp "),
            id="a fixup on another port",
        ),
        pytest.param(
            EIGHT
            + """\
object network mail
 host 10.1.1.5
 nat (inside,outside) static 203.0.113.5
access-list in extended permit tcp any object mail eq smtp
access-group in in interface outside
""",
            "6.3",
            (
                "static (inside,outside) 203.0.113.5 10.1.1.5 netmask 255.255.255.255 0 0 ",
                "access-list in permit tcp any host 203.0.113.5 eq smtp ",
                "access-group in in interface outside",
            ),
            id="an object's nat, and a list of real addresses",
        ),
    ],
)
def test_what_it_becomes(text: str, target: str, lines: tuple[str, ...]) -> None:
    result = made(text, target)
    for line in lines:
        assert line.rstrip() in [each.rstrip() for each in result.lines], "\n".join(result.lines)
    assert not of_packets(result.losses)


def test_a_map_of_mail_that_6_3_lacks_is_told() -> None:
    text = (
        EIGHT
        + """\
regex spam "buy now"
policy-map type inspect esmtp strict
 match sender-address regex spam
  drop-connection log
class-map inspection_default
 match default-inspection-traffic
policy-map global_policy
 class inspection_default
  inspect esmtp strict
service-policy global_policy global
"""
    )
    down, across = made(text, "6.3"), made(text, "8.2")
    assert any("inspect esmtp strict" in each.what for each in down.losses)
    assert not any(line.startswith(("regex", "policy-map")) for line in down.lines)
    assert "policy-map type inspect esmtp strict" in across.lines
    assert not any("strict" in each.what for each in across.losses)


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("name", [each.name for each in sorted(RULES.glob("*.conf"))])
def test_the_examples_keep_the_fate_of_every_packet(name: str, target: str) -> None:
    result = made((RULES / name).read_text(), target)
    assert result.configuration.version == TARGETS[target]
    assert not of_packets(result.losses)


def change(loss: Loss) -> str:
    return loss.becomes.split(":")[0]


def untold(old: Configuration, result: Proven, packets: Iterable[Opening]) -> list[str]:
    """Packets that fare otherwise, where the report has no entry of the line to blame."""
    told = {(each.place, change(each)) for each in result.losses if each.place}
    return [
        each.shown("")
        for each in unlike(old, result.configuration, packets)
        if (each.place, change(each)) not in told
    ]


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("kind", [Dice, ObjectDice])
def test_packets_fare_as_before_but_for_what_is_told_of_their_line(
    kind: type[Dice], target: str
) -> None:
    for seed in SEEDS:
        dice = kind(seed)
        old = configuration(dice.text())
        assert not untold(old, proven(old, target), dice.openings(old, 200).values()), seed


@pytest.mark.skipif(not FOREIGN, reason="no configurations of others are here to read")
@pytest.mark.parametrize(
    "path",
    [each for each in FOREIGN if each.stat().st_size < LONGEST],
    ids=lambda path: path.name,
)
def test_configurations_of_others_are_converted_and_read_back(path: Path) -> None:
    old: Configuration | None = without_errors(path).configuration
    assert old is not None
    try:
        policy_of(old, choose(old.version, None))
    except FindingsError:
        with pytest.raises(FindingsError):  # a translation that can translate nothing
            proven(old, "8.4")
        return
    for target in TARGETS:
        result = proven(old, target)
        again = read_rules("".join(f"{line}\n" for line in result.lines), "f").configuration
        assert again == result.configuration
        assert not untold(old, result, between(old, OTHERS))


@pytest.mark.skipif(not FOREIGN, reason="no configurations of others are here to read")
@pytest.mark.parametrize("target", ["6.3", "8.2"])
@pytest.mark.parametrize(
    "path",
    [each for each in FOREIGN if each.stat().st_size >= LONGEST],
    ids=lambda path: path.name,
)
def test_in_a_long_configuration_packets_fare_as_before(path: Path, target: str) -> None:
    old = without_errors(path).configuration
    assert old is not None
    text = "".join(f"{line}\n" for line in printed(conversion.convert(old, target).configuration))
    new = read_rules(text, "f").configuration
    assert new is not None
    assert not [each.shown("") for each in unlike(old, new, between(old, OTHERS))]


def convert(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["convert", *arguments])


def test_the_command_prints_the_other_dialect_and_reports_beside_it(tmp_path: Path) -> None:
    source = str(RULES / "pix-6.3.conf")
    done = convert(source, "--to", "8.4")
    assert done.exit_code == 1
    assert "ASA Version 8.4(7)" in done.stdout
    assert "mail as 6.3 inspects it" in done.stderr
    same = convert(source, "--to", "6.3")
    assert (same.exit_code, same.stderr) == (0, "")
    out = tmp_path / "new.conf"
    written = convert(source, "--to", "8.4", "--write", str(out))
    assert written.stdout == ""
    assert out.read_text() == done.stdout
    assert [each.name for each in tmp_path.iterdir()] == ["new.conf"]
    told = json.loads(convert(source, "--to", "8.4", "--json").stdout)
    assert told["configuration"] == done.stdout
    assert [each["file"] for each in told["lost"]] == [source]


def test_a_bad_file_is_refused_with_its_errors(tmp_path: Path) -> None:
    bad = tmp_path / "bad.conf"
    bad.write_text("PIX Version 6.3(5)\nacces-list a permit ip any any\n")
    done = convert(str(bad), "--to", "8.4")
    assert done.exit_code == 2
    assert "bad.conf:2:1" in done.stderr
    assert convert(str(tmp_path / "none"), "--to", "8.4").exit_code == 2
    assert convert(str(bad), "--to", "7.0").exit_code == 2
    nowhere = convert(str(RULES / "pix-6.3.conf"), "--to", "8.4", "--write", str(tmp_path / "a/b"))
    assert nowhere.exit_code == 2
    assert "a/b" in nowhere.stderr
