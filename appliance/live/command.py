"""Commands of the system, run with a list of arguments."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from appliance.errors import PixguardError, printable

PATIENCE = 120
"""Seconds; the longest command loads some thousand rules, which takes less than one."""

_SIGNALS = (
    signal.SIGHUP,
    signal.SIGINT,
    signal.SIGTERM,
    signal.SIGUSR1,
    signal.SIGUSR2,
)


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Put off the signals that are the caller's to act upon; a child that starts is deaf to them.

    A process group of its own would not do: a signal to the caller's group can come before the
    child has left it.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def run(command: list[str], package: str, stdin: str = "") -> str:
    """Run a command to its end and return what it printed.

    Args:
        command: its name and arguments.
        package: the package that has it.
        stdin: what it reads.

    Raises:
        PixguardError: it is missing, or it failed; with what it said.
    """
    try:
        with _undisturbed():
            done = subprocess.run(
                command,
                input=stdin,
                capture_output=True,
                text=True,
                check=False,
                timeout=PATIENCE,
            )
    except FileNotFoundError:
        raise PixguardError(
            f"{command[0]} is not installed: install the package {package}"
        ) from None
    except (OSError, subprocess.TimeoutExpired) as error:
        raise PixguardError(f"{command[0]} does not run: {error}") from error
    if done.returncode:
        said = "; ".join(line.strip() for line in done.stderr.splitlines() if line.strip())
        if done.returncode < 0:
            said = f"ended by signal {-done.returncode}"
        raise PixguardError(f"{' '.join(command)} failed: {printable(said)}")
    return done.stdout


def ip(*arguments: str, stdin: str = "") -> str:
    """Run the `ip` command to its end and return what it printed.

    Args:
        arguments: what comes after `ip`.
        stdin: what it reads.

    Raises:
        PixguardError: it is missing, or it failed; with what it said.
    """
    return run(["ip", *arguments], "iproute2", stdin)
