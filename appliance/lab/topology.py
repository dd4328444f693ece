"""The lab's three namespaces, the links between them, and the directory that says they are ours.

    client 203.0.113.10 --- outside 203.0.113.1  router  10.1.1.1 inside --- 10.1.1.5 server

The firewall's `static` makes the server known outside as 203.0.113.5.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
from pathlib import Path

from appliance.errors import PixguardError
from appliance.lab.namespace import Namespace

CLIENT = "203.0.113.10"
OUTSIDE = "203.0.113.1"
INSIDE = "10.1.1.1"
SERVER = "10.1.1.5"
SERVER_MAPPED = "203.0.113.5"

INTERFACES = ("outside", "inside")
"""The firewall's, by the names of Linux and of the rule file alike."""

RUN = Path("/run")
PREFIX = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,31}")


class Topology:
    """The namespaces of one lab; at most one of the same prefix at a time.

    Args:
        prefix: what the names begin with.

    Raises:
        PixguardError: no names can begin so.
    """

    def __init__(self, prefix: str) -> None:
        if not PREFIX.fullmatch(prefix):
            raise PixguardError(
                f"{prefix!r} is no name for a lab: it takes 1 to 32 letters, digits and `-`, a "
                "letter first"
            )
        self._prefix = prefix
        self.directory = RUN / f"{prefix}-lab"
        self.client = Namespace(f"{prefix}-client")
        self.router = Namespace(f"{prefix}-router")
        self.server = Namespace(f"{prefix}-server")
        self._lock = -1

    @property
    def namespaces(self) -> tuple[Namespace, Namespace, Namespace]:
        """All of them."""
        return self.client, self.router, self.server

    def build(self) -> None:
        """Make everything; what is left of a lab whose maker is gone is removed first.

        Raises:
            PixguardError: another lab runs, or the kernel refuses.
        """
        self._acquire()
        for namespace in self.namespaces:
            namespace.create()
        self._link(self.client, "eth0", CLIENT, "outside", OUTSIDE)
        self._link(self.server, "eth0", SERVER, "inside", INSIDE)

    def _link(
        self, host: Namespace, interface: str, address: str, router_interface: str, gateway: str
    ) -> None:
        host.ip(
            *("link", "add", "name", interface, "type", "veth"),
            *("peer", "name", router_interface, "netns", self.router.name),
        )
        ends = ((host, interface, address), (self.router, router_interface, gateway))
        for namespace, name, own in ends:
            namespace.ip("address", "add", f"{own}/24", "dev", name)
            namespace.ip("link", "set", name, "up")
        host.ip("route", "add", "default", "via", gateway)

    def demolish(self) -> None:
        """Remove everything, and whatever runs inside; again if need be."""
        if self._lock < 0:
            return  # nothing is ours
        for namespace in self.namespaces:
            namespace.remove()
        # Last: while it is there, namespaces of these names are a lab's.
        shutil.rmtree(self.directory, ignore_errors=True)
        self.release()

    def release(self) -> None:
        """Let go of everything and leave it standing."""
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def _acquire(self) -> None:
        strangers = [each.name for each in self.namespaces if each.exists]
        if strangers and not self.directory.exists():
            raise PixguardError(
                f"there is a network namespace {strangers[0]} that no lab made; "
                f"remove it: ip netns delete {strangers[0]}"
            )
        while self._lock < 0:
            self.directory.mkdir(mode=0o700, exist_ok=True)
            handle = os.open(self.directory, os.O_RDONLY | os.O_DIRECTORY)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(handle)
                raise PixguardError(
                    f"another lab called {self._prefix} is running; `--name` gives this one "
                    "another name"
                ) from None
            # Another lab may have ended in between and taken the directory with it.
            if _is_at(self.directory, handle):
                self._lock = handle
            else:
                os.close(handle)
        for namespace in self.namespaces:
            namespace.remove()
        for left in self.directory.iterdir():
            if left.is_dir():
                shutil.rmtree(left)
            else:
                left.unlink()


def _is_at(path: Path, handle: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(handle))
    except FileNotFoundError:
        return False
