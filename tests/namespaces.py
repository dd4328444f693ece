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

import itertools
import os
import re
import socket
import subprocess
from functools import cache
from pathlib import Path
from types import TracebackType

import pytest

from appliance.errors import PixguardError
from appliance.lab import namespace
from appliance.live.command import ip

NAMES = re.compile(r"^pxt(\d+)-\d+-\S+")

_numbers = itertools.count(1)


class Namespace(namespace.Namespace):
    """A network namespace made at once, and what tests start and open in it.

    Args:
        name: its name, as `ip netns` knows it.
    """

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self._sockets: list[socket.socket] = []
        self._processes: list[subprocess.Popen[str]] = []
        self.create()

    def address(self, interface: str, address: str) -> None:
        """Give an interface an address ("192.0.2.1/24")."""
        self.ip("address", "add", address, "dev", interface)

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
        ip("netns", "delete", self.name)


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
    for line in ip("netns", "list").splitlines():
        found = NAMES.match(line)
        if found and not Path("/proc", found[1]).exists():
            ip("netns", "delete", found[0])


@cache
def obstacle() -> str:
    """Why this machine cannot make namespaces and load rules in them, "" if it can."""
    if os.geteuid() != 0:
        return "needs root and network namespaces: not root"
    try:
        _remove_leftovers()
        with Network() as network:
            network.namespace("probe").run("iptables", "-t", "nat", "-S")
    except (AssertionError, PixguardError, OSError, subprocess.SubprocessError) as error:
        return f"needs root and network namespaces: {error}"
    return ""


needs_namespaces = pytest.mark.skipif(bool(obstacle()), reason=obstacle())
