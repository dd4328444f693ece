"""`pixguard check`: what it prints, and where."""

import json
from pathlib import Path

import pytest

from appliance.config.check import Output, check_files
from tests.config.reading import INTERFACES

TEXT = f"{INTERFACES}mtu outside 1500\nmtu inside 1500\nenable password Xyzzy\nfilter java 80 0 0\n"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "rules.conf"
    path.write_text(TEXT)
    return path


def test_what_has_no_effect_is_noted_once_a_command(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert check_files([path]) == 0
    out = capsys.readouterr().out.splitlines()
    assert [line.split("has no effect")[0] for line in out if "note" in line] == [
        f"{path}:5:1: note: `mtu` ",
        f"{path}:7:1: note: `enable` ",
    ]
    assert out[-1] == f"{path}: good (8 commands, 1 warning)"


def test_json(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert check_files([path, path.parent / "none"], output=Output.JSON) == 1
    good, missing = map(json.loads, capsys.readouterr().out.splitlines())
    assert good == {
        "file": str(path),
        "good": True,
        "commands": 8,
        "findings": [
            {
                "severity": "warning",
                "line": 8,
                "column": 1,
                "problem": "`filter` is not implemented",
                "remedy": "what it blocks is not blocked here",
            }
        ],
        "without_effect": [{"line": 5, "command": "mtu"}, {"line": 7, "command": "enable"}],
    }
    assert (missing["good"], "No such file" in missing["problem"]) == (False, True)


def test_print_writes_the_configuration_and_nothing_else_to_standard_output(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert check_files([path], output=Output.CONFIGURATION) == 0
    captured = capsys.readouterr()
    assert captured.out.startswith(": Saved\n:\nnameif ethernet0 outside security0\n")
    assert captured.out.endswith("\n: end\n")
    assert "\nenable ***\n" not in captured.out
    assert "\nenable password ***\n" in captured.out
    assert "`filter` is not implemented" in captured.err
    path.write_text("hostnam\n")
    assert check_files([path], output=Output.CONFIGURATION) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.endswith("bad (1 command, 1 error)\n")


def test_lenient(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path.write_text("hostname fw\nfrobnicate\n")
    assert check_files([path]) == 1
    assert check_files([path], lenient=True) == 0
    out = capsys.readouterr().out
    assert "warning: unknown command `frobnicate`" in out
    assert out.endswith("good (2 commands, 1 warning)\n")


def test_what_has_no_effect_in_the_whole_is_a_warning_with_its_line(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path.write_text(f"{INTERFACES}mtu outside 1500\naccess-list old permit tcp any any\n")
    assert check_files([path]) == 0
    assert capsys.readouterr().out.startswith(
        f"{path}:6:13: warning: nothing uses access-list old\n"
        "    access-list old permit tcp any any\n"
        "                ^\n"
        "    what it says has no effect"
    )
    assert check_files([path], output=Output.JSON) == 0
    (finding,) = json.loads(capsys.readouterr().out)["findings"]
    assert (finding["severity"], finding["line"], finding["column"]) == ("warning", 6, 13)
