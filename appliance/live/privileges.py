"""Root given up, but for the two capabilities that packets need.

Sources: capabilities(7), prctl(2), linux/capability.h.
"""

from __future__ import annotations

import ctypes
import os
import pwd
from pathlib import Path
from signal import Signals

from appliance.errors import PixguardError

CAPABILITIES = {
    "CAP_SETGID": 6,
    "CAP_SETUID": 7,
    "CAP_NET_ADMIN": 12,
    "CAP_NET_RAW": 13,
    "CAP_SYS_ADMIN": 21,
}
"""Numbers of capabilities, by name."""

SUPERVISOR = ("CAP_SETGID", "CAP_SETUID", "CAP_NET_ADMIN", "CAP_NET_RAW")
"""Those that the appliance needs at its start."""

WORKER = ("CAP_NET_ADMIN", "CAP_NET_RAW")
"""Those that a worker keeps: verdicts need the one, packets of the engine's own the other."""

_PR_SET_PDEATHSIG, _PR_SET_KEEPCAPS, _PR_SET_NO_NEW_PRIVS = 1, 8, 38
_CAPABILITY_VERSION_3 = 0x20080522

_libc = ctypes.CDLL(None, use_errno=True)


def become(user: str) -> None:
    """Turn this process into an unprivileged one with the worker's capabilities alone.

    Args:
        user: name of the user to run as.

    Raises:
        PixguardError: there is no such user, or the kernel refuses.
    """
    entry = find_user(user)
    try:
        _prctl(_PR_SET_KEEPCAPS, 1)
        os.setgroups([])
        os.setresgid(entry.pw_gid, entry.pw_gid, entry.pw_gid)
        os.setresuid(entry.pw_uid, entry.pw_uid, entry.pw_uid)
        _set_capabilities(sum(1 << CAPABILITIES[name] for name in WORKER))
        _prctl(_PR_SET_NO_NEW_PRIVS, 1)
    except OSError as error:
        raise PixguardError(f"cannot become the user {user}: {error.strerror}") from error
    require_capabilities(*WORKER)


def find_user(name: str) -> pwd.struct_passwd:
    """Look up a user of this machine.

    Args:
        name: its name.

    Raises:
        PixguardError: there is no such user.
    """
    try:
        return pwd.getpwnam(name)
    except KeyError as error:
        raise PixguardError(
            f"this machine has no user {name}; `user` in the box file names the one that "
            "workers run as"
        ) from error


def require_capabilities(*names: str) -> None:
    """Check that this process may do what it has to: without, packets would just stop.

    Args:
        names: of capabilities, as in CAPABILITIES.

    Raises:
        PixguardError: one is missing.
    """
    status = Path("/proc/self/status").read_text()
    fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    effective = int(fields["CapEff"], 16)
    missing = [name for name in names if not effective >> CAPABILITIES[name] & 1]
    if missing:
        raise PixguardError(
            f"{', '.join(missing)} missing: this takes root, and in a container one that may do "
            "this (a privileged one); `pixguard replay` needs neither"
        )


def end_with(parent: int) -> None:
    """Have the kernel kill this process when its parent ends; to be called after `become`.

    Args:
        parent: process number of the parent.

    Raises:
        PixguardError: the parent has ended already.
    """
    # A change of user clears the setting, so it comes after (prctl(2), PR_SET_PDEATHSIG).
    _prctl(_PR_SET_PDEATHSIG, Signals.SIGKILL)
    if os.getppid() != parent:
        raise PixguardError("the supervisor has ended")


def _prctl(option: int, value: int) -> None:
    if _libc.prctl(option, ctypes.c_ulong(value), 0, 0, 0):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _set_capabilities(mask: int) -> None:
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    # Effective, permitted and inheritable; the lower 32 bits of each, then the upper.
    data = (ctypes.c_uint32 * 6)(mask, mask, 0, 0, 0, 0)
    if _libc.capset(header, data):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
