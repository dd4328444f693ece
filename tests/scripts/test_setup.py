"""scripts/setup.sh with an apt, a dpkg and a Python that only take notes."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

SETUP = Path(__file__).parents[2] / "scripts" / "setup.sh"

RUNS = ("iproute2", "iptables", "libnetfilter-queue1", "procps")
BUILDS = ("gcc", "libc6-dev", "libnetfilter-queue-dev")
TESTS = ("postfix", "swaks", "tshark")

# `python -m venv DIRECTORY` makes a .venv whose Python notes what pip is told.
PYTHON = """\
#!/bin/bash
case "$*" in
-V) echo Python 3.11.2 ;;
'-m venv --clear '*)
    mkdir -p "$4/bin"
    echo "command = python3 $*" >"$4/pyvenv.cfg"
    cp "$0" "$4/bin/python"
    ;;
'-m pip '*) echo "$*" >>"$NOTES" ;;
esac
"""


class Machine:
    """A tree with setup.sh in it, and the programs that it finds."""

    def __init__(self, folder: Path) -> None:
        self.tree = folder / "tree"
        self.programs = folder / "bin"
        self.notes = folder / "notes"
        (self.tree / "scripts").mkdir(parents=True)
        self.programs.mkdir()
        (self.tree / "scripts" / "setup.sh").write_bytes(SETUP.read_bytes())
        for name in ("setup.cfg", "pyproject.toml"):
            (self.tree / name).write_text(name)
        self.user(1000)
        self.program("python3", PYTHON)
        self.program("apt-get", '#!/bin/bash\necho "apt-get $*" >>"$NOTES"\nexit 1\n')

    def program(self, name: str, text: str) -> None:
        (self.programs / name).write_text(text)
        (self.programs / name).chmod(0o755)

    def user(self, number: int) -> None:
        self.program("id", f"#!/bin/bash\necho {number}\n")

    def installed(self, *packages: str) -> None:
        self.program(
            "dpkg-query",
            "#!/bin/bash\ncase ${*: -1} in\n"
            + f"{'|'.join(packages) or 'none'}) echo -n installed ;;\n*) exit 1 ;;\nesac\n",
        )

    def set_up(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        self.notes.write_text("")
        return subprocess.run(
            ["bash", str(self.tree / "scripts" / "setup.sh"), *arguments],
            env={"PATH": f"{self.programs}:{os.environ['PATH']}", "NOTES": str(self.notes)},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def installs(self) -> list[str]:
        """What pip was told to install."""
        lines = self.notes.read_text().splitlines()
        return [line.rsplit(" ", 1)[1] for line in lines if " install " in line]


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_without_root_the_missing_packages_are_named_and_apt_is_left_alone(
    machine: Machine,
) -> None:
    machine.installed("iproute2", "procps", *BUILDS)
    result = machine.set_up("run")
    assert result.returncode == 1
    assert "--no-install-recommends iptables libnetfilter-queue1\n" in result.stderr
    assert "replay" in result.stderr
    assert machine.notes.read_text() == ""
    assert not (machine.tree / ".venv").exists()


def test_what_is_done_is_not_done_again(machine: Machine) -> None:
    machine.installed(*RUNS, *BUILDS)
    first = machine.set_up("run")
    assert (first.returncode, first.stderr) == (0, "")
    assert machine.installs() == ["."]
    second = machine.set_up("run")
    assert (second.returncode, second.stdout, second.stderr) == (0, "", "")
    assert machine.notes.read_text() == ""


def test_what_it_takes_to_compile_is_needed_once(machine: Machine) -> None:
    machine.installed(*RUNS, *BUILDS)
    machine.set_up("run")
    machine.installed(*RUNS)
    assert machine.set_up("run").returncode == 0


def test_a_package_that_went_away_is_missed(machine: Machine) -> None:
    machine.installed(*RUNS, *BUILDS)
    machine.set_up("run")
    machine.installed("iproute2")
    assert machine.set_up("run").returncode == 1


@pytest.mark.parametrize("name", ["setup.cfg", "pyproject.toml", "scripts/setup.sh"])
def test_a_change_of_what_is_to_be_installed_installs_it(machine: Machine, name: str) -> None:
    machine.installed(*RUNS, *BUILDS)
    machine.set_up("run")
    with (machine.tree / name).open("a") as file:
        file.write("# changed\n")
    assert machine.set_up("run").returncode == 0
    assert machine.installs() == ["."]


def test_a_tree_that_was_moved_gets_a_new_environment(machine: Machine) -> None:
    machine.installed(*RUNS, *BUILDS)
    machine.set_up("run")
    machine.tree = machine.tree.rename(machine.tree.with_name("elsewhere"))
    result = machine.set_up("run")
    assert "making .venv" in result.stdout
    assert machine.installs() == ["."]


def test_the_tests_get_their_tools_and_then_running_needs_no_more(machine: Machine) -> None:
    machine.installed(*RUNS, *BUILDS, *TESTS, "vagrant", "vagrant-libvirt")
    assert machine.set_up("test").returncode == 0
    assert machine.installs() == [".[test]"]
    for purpose in ("test", "lint", "run"):
        assert machine.set_up(purpose).stdout == ""
        assert machine.installs() == []


def test_the_tests_find_the_tools_of_lint_there_but_want_their_programs(
    machine: Machine,
) -> None:
    machine.installed(*RUNS, *BUILDS)
    machine.set_up("lint")
    assert machine.set_up("run").stdout == ""
    result = machine.set_up("test")
    assert result.returncode == 1
    assert "postfix swaks tshark vagrant vagrant-libvirt" in result.stderr
    machine.installed(*RUNS, *TESTS, "vagrant", "vagrant-libvirt")
    assert machine.set_up("test").returncode == 0
    assert machine.installs() == []


def test_a_pip_that_fails_leaves_no_trace_of_success(machine: Machine) -> None:
    machine.installed(*RUNS, *BUILDS)
    machine.program("python3", PYTHON.replace('>>"$NOTES" ;;', '>>"$NOTES"; exit 1 ;;'))
    for _ in range(2):
        result = machine.set_up("run")
        assert result.returncode == 1
        assert "pip could not install" in result.stderr
        assert machine.installs() == ["."]


@pytest.mark.parametrize("arguments", [(), ("everything",)])
def test_an_unknown_purpose_is_refused(machine: Machine, arguments: tuple[str, ...]) -> None:
    machine.installed()
    result = machine.set_up(*arguments)
    assert result.returncode == 1
    assert "run, lint, test" in result.stderr
