"""A named network namespace: made, entered, emptied, removed."""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path
from typing import ParamSpec, TypeVar

from appliance.live.command import ip

P = ParamSpec("P")
T = TypeVar("T")

DIRECTORY = Path("/run/netns")
"""Where `ip netns` keeps its names (ip-netns(8))."""

_CLONE_NEWNET = 0x40000000  # linux/sched.h

_libc = ctypes.CDLL(None, use_errno=True)


class Namespace:
    """A network namespace, which need not exist yet.

    Args:
        name: what `ip netns` calls it.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.path = DIRECTORY / name

    @property
    def exists(self) -> bool:
        """Whether somebody has made it."""
        return self.path.exists()

    def create(self) -> None:
        """Make it, with its loopback interface up."""
        ip("netns", "add", self.name)
        self.ip("link", "set", "lo", "up")

    def ip(self, *arguments: str) -> str:
        """Run the `ip` command inside.

        Args:
            arguments: what comes after `ip`.
        """
        return ip("-n", self.name, *arguments)

    def command(self, *arguments: str, outlive: bool = False) -> list[str]:
        """A command line that runs a command inside.

        Args:
            arguments: the command.
            outlive: whether it goes on when the process that starts it ends; otherwise the
                kernel kills it.
        """
        inside = ["ip", "netns", "exec", self.name, *arguments]
        return inside if outlive else ["setpriv", "--pdeathsig", "KILL", *inside]

    def call(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call a function in a thread inside, and return or raise what it does.

        Sockets that it opens stay inside, processes that it starts run there, and what it reads of
        /proc/sys/net and /proc/thread-self is the namespace's (/proc/self is the caller's).

        Args:
            function: what to call.
            args: its arguments.
            kwargs: likewise.
        """
        future: Future[T] = Future()

        def enter() -> None:
            try:
                handle = os.open(self.path, os.O_RDONLY)
                try:
                    if _libc.setns(handle, _CLONE_NEWNET):
                        raise OSError(ctypes.get_errno(), f"cannot enter {self.name}")
                finally:
                    os.close(handle)
                future.set_result(function(*args, **kwargs))
            except BaseException as error:
                future.set_exception(error)

        # The thread alone enters, and it ends; the process stays where it is.
        thread = threading.Thread(target=enter, daemon=True)
        thread.start()
        thread.join()
        return future.result()

    def connection(self, timeout: float) -> socket.socket:
        """A TCP socket that lives inside.

        Args:
            timeout: seconds that each of its operations may take.
        """
        made = self.call(socket.socket, socket.AF_INET, socket.SOCK_STREAM)
        made.settimeout(timeout)
        return made

    def listens(self, port: int) -> bool:
        """Whether something inside takes TCP connections to a port.

        Args:
            port: the port.
        """
        tables = self.call(lambda: "".join(map(Path.read_text, _TCP_TABLES)))
        for line in tables.splitlines():
            fields = line.split()
            if fields[3] == _LISTEN and int(fields[1].rsplit(":", 1)[1], 16) == port:
                return True
        return False

    def processes(self) -> tuple[int, ...]:
        """Numbers of the processes inside."""
        return tuple(map(int, ip("netns", "pids", self.name).split()))

    def remove(self) -> None:
        """Kill what runs inside and remove it; nothing happens if it does not exist."""
        if not self.exists:
            return
        deadline = time.monotonic() + 5
        while (inside := self.processes()) and time.monotonic() < deadline:
            for number in inside:
                with suppress(ProcessLookupError):
                    os.kill(number, signal.SIGKILL)
            time.sleep(0.01)
        ip("netns", "delete", self.name)


# The thread's, since /proc/self is the main thread's.
_TCP_TABLES = (Path("/proc/thread-self/net/tcp"), Path("/proc/thread-self/net/tcp6"))
_LISTEN = "0A"  # TCP_LISTEN as /proc/net/tcp prints it
