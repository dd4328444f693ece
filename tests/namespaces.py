"""Network namespaces for tests: made under unique names, joined by veth pairs, always removed.

    @needs_namespaces
    def test_a_connection_passes() -> None:
        with Network() as network:
            client, server = network.namespace("client"), network.namespace("server")
            network.link(client, "eth0", server, "eth0")
            client.address("eth0", "192.0.2.1/24")
            server.address("eth0", "192.0.2.2/24")
            listener = server.socket(socket.SOCK_STREAM)      # lives in the namespace
            client.run("nc", "-z", "192.0.2.2", "25")         # a command inside
            client.call(some_function, "an argument")         # a function inside

A name holds the process that made it, so that what a killed test run left behind is removed by
the next one.
"""

from __future__ import annotations

import ctypes
import itertools
import os
import re
import socket
import subprocess
import threading
from collections.abc import Callable
from concurrent.futures import Future
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import ParamSpec, TypeVar

import pytest

P = ParamSpec("P")
T = TypeVar("T")

CLONE_NEWNET = 0x40000000  # linux/sched.h
NAMES = re.compile(r"^pxt(\d+)-\d+-\S+")

_libc = ctypes.CDLL(None, use_errno=True)
_numbers = itertools.count(1)


def _ip(*arguments: str) -> str:
    done = subprocess.run(
        ["ip", *arguments], check=False, capture_output=True, text=True, timeout=30
    )
    if done.returncode:
        raise AssertionError(f"ip {' '.join(arguments)}: {done.stderr.strip()}")
    return done.stdout


class Namespace:
    """A network namespace with its loopback interface up.

    Args:
        name: its name, as `ip netns` knows it.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.path = Path("/run/netns") / name
        self._sockets: list[socket.socket] = []
        self._processes: list[subprocess.Popen[str]] = []
        _ip("netns", "add", name)
        self.ip("link", "set", "lo", "up")

    def ip(self, *arguments: str) -> str:
        """Run `ip` inside and return what it prints."""
        return _ip("-n", self.name, *arguments)

    def address(self, interface: str, address: str) -> None:
        """Give an interface an address ("192.0.2.1/24")."""
        self.ip("address", "add", address, "dev", interface)

    def call(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a function in a thread inside the namespace; return or raise what it does.

        Sockets it opens, processes it starts and what it reads of /proc/sys/net are the
        namespace's. (/proc/self/ns/net is the test process's own; /proc/thread-self/ns/net is
        the namespace's.)
        """
        future: Future[T] = Future()

        def enter() -> None:
            try:
                handle = os.open(self.path, os.O_RDONLY)
                try:
                    if _libc.setns(handle, CLONE_NEWNET):
                        raise OSError(ctypes.get_errno(), f"cannot enter {self.name}")
                finally:
                    os.close(handle)
                future.set_result(function(*args, **kwargs))
            except BaseException as error:
                future.set_exception(error)

        thread = threading.Thread(target=enter, daemon=True)
        thread.start()
        thread.join()
        return future.result()

    def run(
        self, *command: str, check: bool = True, stdin: str | None = None, timeout: float = 60
    ) -> subprocess.CompletedProcess[str]:
        """Run a command inside to its end; an exit code other than 0 fails the test."""
        done = self.call(
            lambda: subprocess.run(
                command,
                check=False,
                capture_output=True,
                text=True,
                input=stdin,
                timeout=timeout,
            )
        )
        assert not check or done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        return done

    def start(self, *command: str) -> subprocess.Popen[str]:
        """Start a command inside, with pipes; it is killed when the network ends."""
        pipe = subprocess.PIPE
        process = self.call(
            lambda: subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True)
        )
        self._processes.append(process)
        return process

    def socket(
        self, kind: int, protocol: int = 0, timeout: float = 5, family: int = socket.AF_INET
    ) -> socket.socket:
        """A socket that lives inside; it is closed when the network ends."""
        made = self.call(socket.socket, family, kind, protocol)
        made.settimeout(timeout)
        self._sockets.append(made)
        return made

    def close(self) -> None:
        """Kill, close and remove all that is in it, and the namespace itself."""
        for process in self._processes:
            process.kill()
            process.wait()
            for stream in (process.stdin, process.stdout, process.stderr):
                if stream:
                    stream.close()
        for opened in self._sockets:
            opened.close()
        _ip("netns", "delete", self.name)


class Network:
    """Namespaces and the links between them, for the length of a `with` block."""

    def __init__(self) -> None:
        self._namespaces: list[Namespace] = []

    def namespace(self, label: str) -> Namespace:
        """Make a namespace whose name ends in `label`."""
        made = Namespace(f"pxt{os.getpid()}-{next(_numbers)}-{label}")
        self._namespaces.append(made)
        return made

    def link(self, one: Namespace, interface: str, other: Namespace, peer: str) -> None:
        """Join two namespaces by a veth pair, up on both sides, without addresses."""
        one.ip(
            *("link", "add", "name", interface, "type", "veth"),
            *("peer", "name", peer, "netns", other.name),
        )
        one.ip("link", "set", interface, "up")
        other.ip("link", "set", peer, "up")

    def __enter__(self) -> Network:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        while self._namespaces:
            self._namespaces.pop().close()


def _remove_leftovers() -> None:
    for line in _ip("netns", "list").splitlines():
        found = NAMES.match(line)
        if found and not Path("/proc", found[1]).exists():
            _ip("netns", "delete", found[0])


@cache
def obstacle() -> str:
    """Why this machine cannot make namespaces and load rules in them, "" if it can."""
    if os.geteuid() != 0:
        return "needs root and network namespaces: not root"
    try:
        _remove_leftovers()
        with Network() as network:
            network.namespace("probe").run("iptables", "-t", "nat", "-S")
    except (AssertionError, OSError, subprocess.SubprocessError) as error:
        return f"needs root and network namespaces: {error}"
    return ""


needs_namespaces = pytest.mark.skipif(bool(obstacle()), reason=obstacle())
