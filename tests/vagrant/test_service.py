"""The systemd units, against what the program takes and needs."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from pathlib import Path

import click
import pytest

from appliance.cli import main
from appliance.live.privileges import CHANGE_OF_USER, SUPERVISOR, WORKER

PACKAGING = Path(__file__).parents[2] / "packaging"
UNITS = sorted(PACKAGING.glob("*.service"))
UNIT = PACKAGING / "pixguard.service"
PROGRAM = "/usr/local/bin/pixguard"

every_unit = pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
needs_systemd = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="there is no systemd here"
)


def settings(unit: Path, name: str) -> list[str]:
    lines = unit.read_text().splitlines()
    return [line.split("=", 1)[1] for line in lines if line.startswith(f"{name}=")]


def commands(unit: Path) -> list[list[str]]:
    """The arguments of each call of pixguard."""
    lines = re.findall(r"^Exec\w+=(.*)$", unit.read_text(), re.MULTILINE)
    called = [shlex.split(line) for line in lines]
    return [words[1:] for words in called if words[0] == PROGRAM]


@every_unit
def test_each_command_line_is_one_that_pixguard_takes(unit: Path) -> None:
    called = commands(unit)
    assert called
    for command, *arguments in called:
        main.commands[command].make_context(command, arguments)


def test_the_rule_file_that_is_run_is_the_one_that_is_checked() -> None:
    assert settings(UNIT, "ExecStartPre") == settings(UNIT, "ExecReload")[:1]
    [_, run] = [words for words in commands(UNIT) if words[0] in ("run", "check")][:2]
    assert run[run.index("--config") + 1] == "/etc/pixguard/pixguard.conf"
    assert all(words[-1] == "/etc/pixguard/pixguard.conf" for words in commands(UNIT)[::2])


def test_a_command_line_that_pixguard_does_not_take_would_be_noticed() -> None:
    with pytest.raises(click.UsageError):
        main.commands["run"].make_context("run", ["--configuration", "x"])


@every_unit
def test_no_unit_runs_as_root_or_can_become_another_user(unit: Path) -> None:
    [user] = settings(unit, "User")
    assert f"u {user} " in (PACKAGING / "pixguard.sysusers").read_text()
    [bound] = settings(unit, "CapabilityBoundingSet")
    assert settings(unit, "AmbientCapabilities") == [bound]
    assert not set(bound.split()) & set(CHANGE_OF_USER)


def test_the_capabilities_that_the_appliance_asks_for_are_left_to_it() -> None:
    [bound] = settings(UNIT, "CapabilityBoundingSet")
    assert set(bound.split()) == {*SUPERVISOR, *WORKER}


@needs_systemd
@every_unit
def test_systemd_knows_every_setting(unit: Path, tmp_path: Path) -> None:
    copy = tmp_path / unit.name
    copy.write_text(unit.read_text().replace(PROGRAM, "/bin/true"))
    result = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(copy)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


@needs_systemd
@every_unit
def test_systemd_finds_little_that_a_unit_could_be_kept_from(unit: Path) -> None:
    command = ["systemd-analyze", "security", "--offline=yes", "--threshold=29", "--no-pager"]
    result = subprocess.run(
        [*command, str(unit)], capture_output=True, text=True, timeout=120, check=False
    )
    assert result.returncode == 0, result.stdout + result.stderr
    [exposure] = re.findall(r"Overall exposure level for \S+: ([\d.]+)", result.stdout)
    assert float(exposure) < 3


@needs_systemd
def test_a_unit_without_bounds_would_be_noticed(tmp_path: Path) -> None:
    copy = tmp_path / "bare.service"
    copy.write_text("[Service]\nExecStart=/bin/true\n")
    command = ["systemd-analyze", "security", "--offline=yes", "--threshold=29", "--no-pager"]
    result = subprocess.run([*command, str(copy)], capture_output=True, check=False)
    assert result.returncode == 1


def test_the_modules_and_parameters_are_named_as_the_kernel_does() -> None:
    modules = (PACKAGING / "pixguard.modules").read_text().splitlines()
    assert all(re.fullmatch(r"#.*|nf[a-z_]+", line) for line in modules)
    parameters = (PACKAGING / "pixguard.sysctl").read_text().splitlines()
    assert all(re.fullmatch(r"#.*|-net(\.\w+)+ = \d+", line) for line in parameters)
