"""The systemd unit, against what the program takes and needs."""

from __future__ import annotations

import shlex
import shutil
import subprocess
from pathlib import Path

import click
import pytest

from appliance.cli import main
from appliance.live.privileges import SUPERVISOR, WORKER

UNIT = Path(__file__).parents[2] / "packaging" / "pixguard.service"


def settings(name: str) -> list[str]:
    lines = UNIT.read_text().splitlines()
    return [line.split("=", 1)[1] for line in lines if line.startswith(f"{name}=")]


@pytest.mark.parametrize("name", ["ExecStartPre", "ExecStart"])
def test_the_command_line_is_one_that_pixguard_takes(name: str) -> None:
    [line] = settings(name)
    program, command, *arguments = shlex.split(line)
    assert program == "/usr/local/bin/pixguard"
    context = main.commands[command].make_context(command, arguments)
    assert Path("/etc/pixguard/pixguard.conf") in (
        context.params.get("config"),
        *context.params.get("files", ()),
    )


def test_a_command_line_that_pixguard_does_not_take_would_be_noticed() -> None:
    with pytest.raises(click.UsageError):
        main.commands["run"].make_context("run", ["--configuration", "x"])


def test_the_capabilities_that_the_appliance_asks_for_are_left_to_it() -> None:
    [bound] = settings("CapabilityBoundingSet")
    assert {*SUPERVISOR, *WORKER} <= set(bound.split())


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="there is no systemd here")
def test_systemd_knows_every_setting(tmp_path: Path) -> None:
    copy = tmp_path / UNIT.name
    copy.write_text(UNIT.read_text().replace("/usr/local/bin/pixguard", "/bin/true"))
    result = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(copy)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
