"""Privileges: what the appliance needs of them, and what a worker keeps.

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
    "CAP_DAC_READ_SEARCH": 2,
    "CAP_SETGID": 6,
    "CAP_SETUID": 7,
    "CAP_NET_ADMIN": 12,
    "CAP_NET_RAW": 13,
    "CAP_SYS_ADMIN": 21,
}
"""Numbers of capabilities, by name."""

SUPERVISOR = ("CAP_DAC_READ_SEARCH", "CAP_NET_ADMIN", "CAP_NET_RAW")
"""Those that the appliance needs; the first for the counters of queues, which root may read."""

CHANGE_OF_USER = ("CAP_SETGID", "CAP_SETUID")
"""Those that it needs besides if workers run as another user."""

WORKER = ("CAP_NET_ADMIN", "CAP_NET_RAW")
"""Those that a worker keeps: verdicts need the one, packets of the engine's own the other."""

_NOBODY = "nobody"

_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_SET_KEEPCAPS, _PR_SET_NO_NEW_PRIVS = 1, 4, 8, 38
_CAPABILITY_VERSION_3 = 0x20080522

_libc = ctypes.CDLL(None, use_errno=True)


def become(user: str | None) -> bool:
    """Turn this process into an unprivileged one with the worker's capabilities alone.

    Args:
        user: name of the user to run as, None for nobody if this is root, else for who it is.

    Returns:
        whether it is another user than before.

    Raises:
        PixguardError: there is no such user, or the kernel refuses.
    """
    entry = find_user(user)
    other = entry.pw_uid != os.geteuid()
    try:
        if other:
            _prctl(_PR_SET_KEEPCAPS, 1)
            os.setgroups([])
            os.setresgid(entry.pw_gid, entry.pw_gid, entry.pw_gid)
            os.setresuid(entry.pw_uid, entry.pw_uid, entry.pw_uid)
        _set_capabilities(sum(1 << CAPABILITIES[name] for name in WORKER))
        _prctl(_PR_SET_NO_NEW_PRIVS, 1)
        # No other worker may read this one's memory; a change of user would see to that, too.
        _prctl(_PR_SET_DUMPABLE, 0)
    except OSError as error:
        raise PixguardError(f"cannot become the user {entry.pw_name}: {error.strerror}") from error
    require_capabilities(*WORKER)
    return other


def find_user(name: str | None) -> pwd.struct_passwd:
    """Look up the user that workers run as.

    Args:
        name: its name, None for nobody if this is root, else for who it is.

    Raises:
        PixguardError: there is no such user.
    """
    try:
        if name is None and os.geteuid():
            return pwd.getpwuid(os.geteuid())
        return pwd.getpwnam(name or _NOBODY)
    except KeyError as error:
        raise PixguardError(
            f"this machine has no user {name or os.geteuid() or _NOBODY}; `user` in the box file "
            "names the one that workers run as"
        ) from error


def require_privileges(user: str | None) -> None:
    """Check that this process may be the firewall.

    Args:
        user: the user that workers are to run as, as `find_user` takes it.

    Raises:
        PixguardError: there is no such user, or a capability is missing.
    """
    entry = find_user(user)
    require_capabilities(*SUPERVISOR)
    if entry.pw_uid == os.geteuid():
        return
    try:
        require_capabilities(*CHANGE_OF_USER)
    except PixguardError as error:
        raise PixguardError(
            f"workers cannot become the user {entry.pw_name}: {error}. Or leave `user` out of the "
            "box file, or start as that user with the other capabilities, as the service does"
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
