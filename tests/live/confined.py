"""Runs a command as packaging/pixguard.service would have systemd run it.

    unshare --mount python -m tests.live.confined UNIT USER COMMAND...

Of the unit's settings: the capabilities, the system calls, the address families, memory that is
written or run but not both, and which of the kernel's parameters can be set. USER takes the place
of the unit's.
"""

from __future__ import annotations

import ctypes
import os
import pwd
import subprocess
import sys
from errno import EAFNOSUPPORT, EPERM
from pathlib import Path

import pyseccomp

_PR_SET_MDWE = 65  # linux/prctl.h
_FAMILIES = {"AF_UNIX": 1, "AF_INET": 2, "AF_INET6": 10, "AF_NETLINK": 16}
_FAMILIES_END = 46  # linux/socket.h, AF_MAX

# setpriv itself calls what the unit forbids, so the filter comes after it.
_LOADER = """\
import os, sys
from pathlib import Path
from tests.live.confined import load_filter
load_filter(Path(sys.argv[1]))
os.execv(sys.argv[2], sys.argv[2:])
"""


def values(unit: Path, name: str) -> list[str]:
    """What the unit's lines of a setting say, in order."""
    lines = unit.read_text().splitlines()
    return [line.split("=", 1)[1] for line in lines if line.startswith(f"{name}=")]


def members(name: str) -> set[str]:
    """The system calls of a systemd set, or the one call."""
    if not name.startswith("@"):
        return {name}
    command = ["systemd-analyze", "syscall-filter", name]
    listed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    calls = [line.strip() for line in listed.splitlines()[1:] if not line.strip().startswith("#")]
    return {call for each in calls if each for call in members(each)}


def permitted_calls(unit: Path) -> set[str]:
    """The system calls that the unit leaves; @default is always among them."""
    calls = members("@default")
    for line in values(unit, "SystemCallFilter"):
        named = {call for name in line.lstrip("~").split() for call in members(name)}
        calls = calls - named if line.startswith("~") else calls | named
    return calls


def load_filter(unit: Path) -> None:
    """Have the kernel refuse this process what the unit does not leave it."""
    calls = pyseccomp.SyscallFilter(pyseccomp.ERRNO(EPERM))
    families = {_FAMILIES[name] for name in values(unit, "RestrictAddressFamilies")[0].split()}
    for family in range(_FAMILIES_END):
        action = pyseccomp.ALLOW if family in families else pyseccomp.ERRNO(EAFNOSUPPORT)
        calls.add_rule(action, "socket", pyseccomp.Arg(0, pyseccomp.EQ, family))
    for name in permitted_calls(unit) - {"socket"}:
        try:
            calls.add_rule(pyseccomp.ALLOW, name)
        except (OSError, ValueError):
            continue  # of another architecture, or newer than the library
    calls.load()


def main() -> None:
    """Confine this process, then become the command."""
    path, user, *command = Path(sys.argv[1]), *sys.argv[2:]
    if values(path, "ProtectKernelTunables") == ["yes"]:
        subprocess.run(["mount", "--make-rprivate", "/"], check=True)
        for place in ("/proc/sys", *values(path, "ReadWritePaths")):
            subprocess.run(["mount", "--bind", place, place], check=True)
        subprocess.run(["mount", "-o", "remount,bind,ro", "/proc/sys"], check=True)
    if values(path, "MemoryDenyWriteExecute") == ["yes"]:
        # From Linux 6.3 on; it holds for what this process starts, too.
        ctypes.CDLL(None).prctl(_PR_SET_MDWE, 1, 0, 0, 0)
    kept = values(path, "CapabilityBoundingSet")[0].split()
    assert kept == values(path, "AmbientCapabilities")[0].split()
    listed = ",".join(["-all", *(f"+{each.removeprefix('CAP_').lower()}" for each in kept)])
    entry = pwd.getpwnam(user)
    become = ["setpriv", f"--reuid={entry.pw_uid}", f"--regid={entry.pw_gid}", "--clear-groups"]
    become += ["--no-new-privs", f"--bounding-set={listed}"]
    become += [f"--inh-caps={listed}", f"--ambient-caps={listed}"]
    os.execvp(  # noqa: S606
        become[0], [*become, sys.executable, "-c", _LOADER, str(path), *command]
    )


if __name__ == "__main__":
    main()
