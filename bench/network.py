"""The namespaces that are measured in, and what a program inside them costs."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from appliance.errors import PixguardError
from appliance.lab.namespace import Namespace

PATIENCE = 30.0
"""Seconds that a program has to come up."""

_TICK = os.sysconf("SC_CLK_TCK")


COMPILED = Path(__file__).resolve().parents[1] / "build" / "compiled"
"""Where `scripts/compile.sh` puts a copy of everything, with the engine compiled."""


def python(module: str, *arguments: str, compiled: bool = False) -> tuple[str, ...]:
    """The command of a module of ours, in a Python of its own.

    Args:
        module: its name.
        arguments: its arguments.
        compiled: whether it is to use the compiled engine.
    """
    if not compiled:
        return (sys.executable, "-m", module, *arguments)
    # -P: not from the working directory, which comes before PYTHONPATH otherwise.
    return ("env", f"PYTHONPATH={COMPILED}", sys.executable, "-P", "-m", module, *arguments)


def require_compiled() -> None:
    """See that the compiled engine is there.

    Raises:
        PixguardError: it is not.
    """
    if not list((COMPILED / "appliance").glob("firewall.*.so")):
        raise PixguardError("the compiled engine is missing: scripts/compile.sh makes it")


@contextmanager
def running(namespace: Namespace, command: Sequence[str], output: Path) -> Iterator[int]:
    """Run a program in a namespace for the length of a `with` block; yields its process number.

    Args:
        namespace: where.
        command: the program and its arguments.
        output: the file that it writes to.
    """
    with output.open("wb") as file:
        process = subprocess.Popen(
            namespace.command(*command), stdin=subprocess.DEVNULL, stdout=file, stderr=file
        )
    try:
        yield process.pid
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def await_listener(namespace: Namespace, port: int, output: Path) -> None:
    """Wait until something takes connections to a port.

    Args:
        namespace: where.
        port: the port.
        output: what the program writes to, for a message.

    Raises:
        PixguardError: nothing does.
    """
    deadline = time.monotonic() + PATIENCE
    while not namespace.listens(port):
        if time.monotonic() > deadline:
            said = output.read_text("latin-1")[-2000:]
            raise PixguardError(f"nothing listens on port {port}; the program said: {said}")
        time.sleep(0.02)


def call(namespace: Namespace | None, command: Sequence[str]) -> str:
    """Run a program to its end; returns what it writes.

    Args:
        namespace: where; None for here.
        command: the program and its arguments.

    Raises:
        PixguardError: it fails; what it said.
    """
    inside = namespace.command(*command) if namespace else list(command)
    done = subprocess.run(inside, check=False, capture_output=True, timeout=600)
    if done.returncode:
        said = (done.stderr or done.stdout).decode("latin-1")[-2000:]
        raise PixguardError(f"{command[0]} ended with code {done.returncode}: {said}")
    return done.stdout.decode()


def family(root: int) -> tuple[int, ...]:
    """A process and all that descend from it."""
    parents: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and (fields := _stat(int(entry.name))):
            parents.setdefault(int(fields[1]), []).append(int(entry.name))
    found = [root]
    for each in found:
        found += parents.get(each, ())
    return tuple(found)


def cpu(processes: Sequence[int]) -> float:
    """Seconds of CPU that processes have used, in their own code and in the kernel."""
    ticks = 0
    for process in processes:
        if fields := _stat(process):
            ticks += int(fields[11]) + int(fields[12])
    return ticks / _TICK


def _stat(process: int) -> list[str]:
    """The fields of proc_pid_stat(5) from the state on, empty if the process is gone."""
    try:
        text = Path(f"/proc/{process}/stat").read_text()
    except OSError:
        return []
    return text.rpartition(")")[2].split()


@dataclass(frozen=True, slots=True)
class Busy:
    """How busy the machine has been.

    Args:
        time: the time, seconds.
        used: seconds of CPU used by anybody.
    """

    time: float
    used: float

    @classmethod
    def now(cls) -> Busy:
        """How busy it has been until now."""
        fields = [
            int(each) for each in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]
        ]
        user, nice, system, _, _, interrupt, soft = fields[:7]
        return cls(time.monotonic(), (user + nice + system + interrupt + soft) / _TICK)

    def share_since(self, earlier: Busy) -> float:
        """CPUs that were busy on average since an earlier look."""
        return (self.used - earlier.used) / max(self.time - earlier.time, 1e-9)
