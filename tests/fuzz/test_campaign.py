"""`make fuzz`, for a second a target."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.fuzz import broken
from tests.fuzz.campaign import fuzz
from tests.fuzz.minimise import minimised
from tests.fuzz.target import HERE, TARGETS, Target

ROOT = HERE.parents[1]

needs_atheris = pytest.mark.skipif(
    find_spec("atheris") is None, reason="there is no atheris for this Python on this machine"
)


def campaign(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )


@needs_atheris
def test_every_target_is_fuzzed(tmp_path: Path) -> None:
    flags = ("--time", "1", "--seed", "7", "--work", str(tmp_path))
    done = campaign("-m", "tests.fuzz", *flags)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    for name in TARGETS:
        assert f"{name}: 1 s, seed 7\n" in done.stdout
        counted = re.search(rf"^{name}: (\d+) executions$", done.stdout, re.MULTILINE)
        assert counted
        assert int(counted[1]) > len(TARGETS[name].inputs())


@needs_atheris
def test_what_is_found_is_named(tmp_path: Path) -> None:
    outcome = fuzz(Target("broken", "tests.fuzz.broken"), 20, 1, tmp_path)
    assert not outcome.ended
    assert outcome.executions > 0
    (path,) = outcome.found
    assert path.parent == tmp_path / "found" / "broken"
    assert path.read_bytes().startswith(b"!")
    assert "AssertionError" in outcome.log


def test_what_is_found_becomes_shorter() -> None:
    assert minimised(broken.one_input, b"!" + b"abc" * 50) == b"!"
    assert minimised(broken.one_input, b"abc") == b"abc"


def test_without_atheris_it_says_so() -> None:
    without = "import sys, runpy; sys.path.insert(0, '.'); sys.modules['atheris'] = None; "
    done = campaign("-c", without + "runpy.run_module('tests.fuzz', run_name='__main__')")
    assert done.returncode == 2
    assert "no atheris for Python" in done.stderr
