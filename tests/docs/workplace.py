"""Where the commands of the documentation are run: a copy of the project, and a root of its own.

A block is run as a reader would: line after line, in a checkout whose .venv is the tests' own.
Three things differ. Absolute paths of /opt, /etc and /usr/local are below a temporary directory;
`sudo` just runs the command; and the lines of ELSEWHERE are not run but checked.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import pytest

from tests.docs.markdown import ROOT, Block
from tests.namespaces import Network

PATIENCE = 180.0
"""Seconds for one block."""

BUSY = "another lab called pixguard is running"
ENVIRONMENT = ROOT / ".venv"
NEEDS_NAMESPACES = re.compile(r"\bpixguard (lab|run)\b|^(\$ )?make run\b|\bLab\(", re.MULTILINE)

_OWN_ROOT = re.compile(r"(?<![\w./])/(?=(?:opt|etc|usr/local)/)")
_MAKE_RUN = re.compile(r"^make run\b", re.MULTILINE)
_NOT_COPIED = shutil.ignore_patterns(".*", "*.egg-info", "__pycache__", "build", "dist")


class Workplace:
    """A copy of the project, and the directories that absolute paths lead to.

    Args:
        directory: an empty directory to make it in.
    """

    def __init__(self, directory: Path) -> None:
        self.root = directory / "root"
        self.tree = directory / "pixguard"
        programs = directory / "bin"
        for path in ("opt", "etc/systemd/system", "usr/local/bin"):
            (self.root / path).mkdir(parents=True)
        programs.mkdir()
        (programs / "sudo").write_text('#!/bin/sh\nexec "$@"\n')
        (programs / "sudo").chmod(0o755)
        shutil.copytree(ROOT, self.tree, ignore=_NOT_COPIED)
        (self.tree / ENVIRONMENT.name).symlink_to(sys.prefix)
        search = (str(programs), str(Path(sys.executable).parent), os.environ["PATH"])
        self._environment = os.environ | {"PATH": ":".join(search), "TERM": "dumb"}

    def localized(self, text: str) -> str:
        """A text with its absolute paths below this workplace's root."""
        return _OWN_ROOT.sub(f"{self.root}/", text)

    def provision(self) -> None:
        """Put the files into /etc that vagrant/provision.sh puts there."""
        etc = self.root / "etc" / "pixguard"
        etc.mkdir()
        shutil.copy(ROOT / "rules" / "pix-6.3.conf", etc / "pixguard.conf")
        shutil.copy(ROOT / "rules" / "box.yaml", etc)
        for unit in (ROOT / "packaging").glob("*.service"):
            shutil.copy(unit, self.root / "etc/systemd/system")

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a command in the copy; a lab waits until another one that has its name is gone."""
        deadline = time.monotonic() + PATIENCE
        while True:
            done = subprocess.run(
                command,
                cwd=self.tree,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                timeout=PATIENCE,
                check=False,
            )
            if BUSY not in done.stdout or time.monotonic() > deadline:
                break
            time.sleep(1)
        assert "Traceback" not in done.stdout, done.stdout
        return done

    def shell(self, script: str) -> subprocess.CompletedProcess[str]:
        """Run commands of a reader; the first that fails ends them."""
        if _MAKE_RUN.search(script):
            # In the project itself: a copy would have to get an environment of its own.
            if Path(sys.prefix) != ENVIRONMENT:
                pytest.skip(f"this Python is not {ENVIRONMENT}, which `make run` would make")
            make = f"make --no-print-directory -C {shlex.quote(str(ROOT))} run"
            script = _MAKE_RUN.sub(make, script)
        return self.run("bash", "-e", "-c", self.localized(script))


Check: TypeAlias = Callable[[Workplace, list[str]], None]


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """A command that cannot be run where the tests are.

    Args:
        words: what it begins with.
        reason: why it cannot be run.
        check: given the words of the command; checks what can be checked of it.
    """

    words: str
    reason: str
    check: Check

    def matches(self, line: str) -> bool:
        """Whether a line of a block is such a command."""
        return f"{line.removeprefix('sudo ')} ".startswith(f"{self.words} ")


def _clone(workplace: Workplace, words: list[str]) -> None:
    shutil.copytree(workplace.tree, words[-1], symlinks=True)


def _dry_make(workplace: Workplace, words: list[str]) -> None:
    done = workplace.run("make", "--dry-run", *words[1:])
    assert done.returncode == 0, done.stdout
    assert "scripts/setup.sh" in done.stdout
    for word in words[1:]:
        if word.startswith("ARGS="):
            tests = [sys.executable, "-m", "pytest", "--collect-only", "-q"]
            selected = workplace.run(*tests, *shlex.split(word.removeprefix("ARGS=")))
            assert selected.returncode == 0, selected.stdout


def _install(workplace: Workplace, words: list[str]) -> None:
    # The set-up, an old file to this make, may install packages.
    done = workplace.run("make", "--old-file=setup", *words[1:], f"DESTDIR={workplace.root}")
    assert done.returncode == 0, done.stdout


def _sysusers(workplace: Workplace, words: list[str]) -> None:
    assert words == ["systemd-sysusers"]
    assert "u pixguard " in (workplace.root / "etc/sysusers.d/pixguard.conf").read_text()


def _unit(workplace: Workplace, words: list[str]) -> None:
    installed, ours = workplace.root / "etc/systemd/system", workplace.tree / "packaging"
    match words[1:]:
        case ["daemon-reload"]:
            pass
        case ["restart", "systemd-modules-load", "systemd-sysctl"]:
            assert (workplace.root / "etc/modules-load.d/pixguard.conf").exists()
            assert (workplace.root / "etc/sysctl.d/60-pixguard.conf").exists()
        case ["enable", "--now", *services]:
            for service in services:
                unit = installed / f"{service}.service"
                unit = unit if unit.exists() else ours / unit.name  # a package has put it there
                assert "\n[Install]\n" in unit.read_text()
        case ["kill", "--kill-whom=main", "--signal=SIGUSR1", service]:
            # Or nothing would come after it.
            assert "\nRestart=always\n" in (ours / f"{service}.service").read_text()
        case ["reload", service]:
            assert "\nExecReload=" in (ours / f"{service}.service").read_text()
        case _:
            raise AssertionError(f"nothing is known of {shlex.join(words)}")


def _vagrant(workplace: Workplace, words: list[str]) -> None:
    machines = re.findall(
        r'^  "(\w+)" => \[\[', (workplace.tree / "vagrant/Vagrantfile").read_text(), re.MULTILINE
    )
    match words[1:]:
        case ["up"] | ["destroy", "-f"]:
            assert len(machines) == 3
        case ["ssh", machine] | ["ssh", machine, "-c", _]:
            assert machine in machines
        case _:
            raise AssertionError(f"nothing is known of {shlex.join(words)}")


def _provisioned(workplace: Workplace, words: list[str]) -> None:
    assert words[0] in (workplace.tree / "vagrant/provision.sh").read_text()


def _appliance(workplace: Workplace, words: list[str]) -> None:
    """Be the firewall of a namespace whose interfaces are called as rules/box.yaml says."""
    with Network() as network:
        router, peer = network.namespace("router"), network.namespace("peer")
        for interface in ("eth0", "eth1"):
            network.link(router, interface, peer, interface)
        program = shlex.join([str(Path(sys.executable).with_name(words[0])), *words[1:]])
        process = router.start("timeout", "60", "bash", "-c", f"exec {program} 2>&1")
        assert process.stdout is not None
        said = ""
        for line in process.stdout:
            said += line
            if "the firewall is up" in line:
                break
        process.terminate()
        said += process.stdout.read()
        assert process.wait(30) == 0, said
        assert "the firewall is withdrawn" in said


ELSEWHERE = (
    Elsewhere("git clone", "it fetches the project from where it is published", _clone),
    Elsewhere("make -C /opt/pixguard install", "it may install packages", _install),
    Elsewhere("systemd-sysusers", "it would make a user on the machine that tests", _sysusers),
    Elsewhere("make setup", "it may install packages", _dry_make),
    Elsewhere("make test", "the tests would run themselves", _dry_make),
    Elsewhere("make bench", "it measures for minutes", _dry_make),
    Elsewhere("make vagrant-test", "it makes virtual machines, for minutes", _dry_make),
    Elsewhere("pixguard run", "it makes a firewall of the machine until it is ended", _appliance),
    Elsewhere("systemctl", "it would start the service on the machine that tests", _unit),
    Elsewhere("vagrant", "it makes virtual machines, or enters them", _vagrant),
    Elsewhere("telnet", "its server is a virtual machine", _provisioned),
)
"""The only commands of the documentation that the tests do not run."""


def run_shell_block(workplace: Workplace, block: Block) -> None:
    """Run the commands of a block; each must succeed."""
    script: list[str] = []
    for line in block.text.replace("\\\n", "").splitlines():
        rows = [row for row in ELSEWHERE if row.matches(line)]
        if not rows:
            script.append(line)
            continue
        _run_script(workplace, block, script)
        words = shlex.split(workplace.localized(line.removeprefix("sudo ")), comments=True)
        rows[0].check(workplace, words)
    _run_script(workplace, block, script)


def _run_script(workplace: Workplace, block: Block, script: list[str]) -> None:
    done = workplace.shell("\n".join(script))
    assert done.returncode == 0, f"{block}: exit code {done.returncode}\n{done.stdout}"
    # Later lines of the block go on from here, in the directory where these have led.
    script[:] = [line for line in script if line.startswith("cd ")]


def run_console_block(workplace: Workplace, block: Block) -> None:
    """Run each command of a block, and compare what it prints."""
    for command, expected in session(block.text):
        printed = workplace.shell(command).stdout
        if not pattern(expected).fullmatch(printed):
            assert printed == expected, f"{block}: $ {command}"  # shows where they part


def session(text: str) -> list[tuple[str, str]]:
    """Pairs of a command (`$ ` before it) and its output."""
    pairs: list[tuple[str, str]] = []
    for line in text.splitlines(keepends=True):
        if line.startswith("$ "):
            pairs.append((line.removeprefix("$ "), ""))
        elif pairs and pairs[-1][0].endswith("\\\n"):
            pairs[-1] = (pairs[-1][0] + line, "")
        else:
            command, output = pairs[-1]
            pairs[-1] = (command, output + line)
    return pairs


def pattern(expected: str) -> re.Pattern[str]:
    """What output may be: `...` alone stands for any lines, in a line for anything."""
    parts = []
    for line in expected.splitlines(keepends=True):
        if line.strip() == "...":
            parts.append(r"(?:.*\n)*")
        else:
            parts.append(".*".join(map(re.escape, line.split("..."))))
    return re.compile("".join(parts))
