"""What a worker may not ask of the kernel, once it has all that it needs.

A filter of system calls (seccomp(2)): it can be made stricter, never looser, and covers whatever
the process starts. What is refused fails with EPERM. Everything else passes, since the list of
what an interpreter asks for changes with every version.
"""

from __future__ import annotations

import os
import socket
from errno import EPERM

from appliance.errors import PixguardError

try:
    import pyseccomp
except RuntimeError:  # it is there, and libseccomp.so.2 is not
    pyseccomp = None

_REFUSED = (
    # Other programs, other processes and threads.
    *("execve", "execveat", "fork", "vfork", "clone", "clone3"),
    *("ptrace", "process_vm_readv", "process_vm_writev", "pidfd_getfd"),
    *("kill", "tkill", "pidfd_send_signal", "rt_sigqueueinfo", "rt_tgsigqueueinfo"),
    *("setpriority", "ioprio_set", "sched_setscheduler", "sched_setattr", "sched_setparam"),
    *("sched_setaffinity", "process_madvise", "process_mrelease", "kcmp"),
    # Files: made, emptied, removed, renamed; how they are opened is looked at below.
    *("creat", "openat2", "truncate"),
    *("mkdir", "mkdirat", "mknod", "mknodat", "rmdir", "unlink", "unlinkat"),
    *("link", "linkat", "symlink", "symlinkat", "rename", "renameat", "renameat2"),
    # Files: whose they are, and who may read them.
    *("chmod", "fchmod", "fchmodat", "chown", "lchown", "fchown", "fchownat"),
    *("setxattr", "lsetxattr", "fsetxattr", "utime", "utimes", "utimensat", "futimesat"),
    # Sockets that others could reach.
    *("bind", "listen"),
    # Ways around this filter, and parts of the kernel in which capabilities are worth more.
    *("io_uring_setup", "unshare", "setns", "bpf", "perf_event_open", "userfaultfd"),
    *("add_key", "request_key", "keyctl"),
)
"""System calls that are refused whatever their arguments."""

_OPENS = (("open", 1), ("openat", 2))
"""System calls that open a file, and where their flags are."""

_WRITES = (os.O_WRONLY, os.O_RDWR, os.O_CREAT, os.O_TRUNC)
"""Flags of which each lets a file be changed; their bits are distinct."""

_SOCKET_TYPE = 0xF  # linux/net.h, SOCK_TYPE_MASK


def enter() -> None:
    """From now on, have the kernel refuse this process what a worker never does.

    It can start no program, process or thread, signal, look into or slow down no other process,
    make, remove, rename or give away no file and open one only to read it, and open no socket but
    for datagrams of UDP or within the machine. Open files and sockets stay usable.

    Raises:
        PixguardError: this machine cannot do that; nothing has changed.
    """
    if pyseccomp is None:
        raise PixguardError("libseccomp.so.2, which filters system calls, is missing")
    # By prctl(2): systemd's @system-service ends a process that calls seccomp(2).
    pyseccomp.set_api(1)
    refuse = pyseccomp.ERRNO(EPERM)
    calls = pyseccomp.SyscallFilter(pyseccomp.ALLOW)
    for name in _REFUSED:
        calls.add_rule(refuse, name)
    for name, place in _OPENS:
        for flag in _WRITES:
            calls.add_rule(refuse, name, pyseccomp.Arg(place, pyseccomp.MASKED_EQ, flag, flag))
    # To end itself, as abort(3) does.
    calls.add_rule(refuse, "tgkill", pyseccomp.Arg(0, pyseccomp.NE, os.getpid()))
    # Another process's limits; its own are read by the same call.
    calls.add_rule(refuse, "prlimit64", pyseccomp.Arg(0, pyseccomp.NE, 0))
    # The name of an interface and the MTU of a route are asked for by such a socket.
    calls.add_rule(refuse, "socket", pyseccomp.Arg(0, pyseccomp.GT, socket.AF_INET))
    for kind in set(range(_SOCKET_TYPE + 1)) - {socket.SOCK_DGRAM}:
        calls.add_rule(refuse, "socket", pyseccomp.Arg(1, pyseccomp.MASKED_EQ, _SOCKET_TYPE, kind))
    try:
        calls.load()
    except OSError as error:
        raise PixguardError("the kernel does not filter system calls (seccomp)") from error
