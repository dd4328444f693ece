"""Wheel and source distribution: they build, and what they install works without this tree."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def run(*command: str | Path, cwd: Path) -> str:
    done = subprocess.run(
        list(map(str, command)), cwd=cwd, check=False, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def tracked() -> list[str]:
    listed = run("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", cwd=ROOT)
    return [name for name in listed.split("\0") if name and (ROOT / name).is_file()]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the source distribution, and the wheel that is made of it alone."""
    directory = tmp_path_factory.mktemp("built")
    source = directory / "source"
    for name in tracked():
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_bytes((ROOT / name).read_bytes())
    # The wheel is made of the source distribution, which is so as `python -m build` does it.
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", directory, cwd=source)
    return directory


def test_the_source_distribution_has_what_others_need(built: Path) -> None:
    (archive,) = built.glob("*.tar.gz")
    with tarfile.open(archive) as file:
        held = {name.partition("/")[2] for name in file.getnames()}
    wanted = {
        name
        for name in tracked()
        if name.split("/")[0] in ("appliance", "docs", "packaging", "rules", "scripts", "tests")
    }
    assert wanted - held == set()
    assert {"README.md", "LICENSE", "CHANGELOG.md", "Makefile", "setup.cfg"} <= held


def test_the_wheel_has_the_package_and_its_examples_and_no_tests(built: Path) -> None:
    (wheel,) = built.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    modules = {name for name in tracked() if name.startswith("appliance/")}
    assert modules <= set(names)
    assert any(name.endswith("share/pixguard/rules/pix-6.3.conf") for name in names)
    assert not [name for name in names if name.startswith("tests/")]


def test_what_the_wheel_installs_works_by_itself(built: Path, tmp_path: Path) -> None:
    (wheel,) = built.glob("*.whl")
    home = tmp_path / "venv"
    venv.create(home, with_pip=False)
    pip = [sys.executable, "-m", "pip", "--python", home / "bin" / "python", "install", "--quiet"]
    run(*pip, "--no-deps", wheel, cwd=tmp_path)
    # Of other packages, those of the tests; of this one, only what the wheel has brought.
    (library,) = home.glob("lib/python*/site-packages")
    others = Path(pytest.__file__).parents[1]
    for found in others.iterdir():
        if "pixguard" not in found.name and not (library / found.name).exists():
            (library / found.name).symlink_to(found)
    program = home / "bin" / "pixguard"
    assert run(program, "--version", cwd=tmp_path).startswith("pixguard, version ")
    where = "import appliance; print(appliance.__file__)"
    assert str(home) in run(home / "bin" / "python", "-c", where, cwd=tmp_path)
    example = home / "share" / "pixguard" / "rules" / "pix-6.3.conf"
    assert run(program, "check", example, cwd=tmp_path)
    box = example.with_name("box.yaml")
    assert "PIXGUARD" in run(program, "rules", "--config", example, "--box", box, cwd=tmp_path)
