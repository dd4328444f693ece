"""What stands between client and server: the kernel alone, a null firewall, or pixguard."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path

from appliance.errors import PixguardError
from appliance.lab.topology import INTERFACES, SERVER, SERVER_MAPPED, Topology
from bench.network import PATIENCE, call, family, python, running

QUEUE = 77
"""Number of the null firewall's queue."""

_LIST = "bench"
_FIRST_CLIENT = IPv4Address("203.0.113.100")


@dataclass(frozen=True, slots=True)
class Mode:
    """Something to measure.

    Args:
        name: what the table calls it.
        release: the release that pixguard imitates; "" for what is not pixguard.
        workers: its processes for packets.
        null: whether it is the null firewall.
        lines: lines in the access list, for pixguard.
        compiled: whether it is pixguard with its engine compiled.
        clients: addresses that connections come from in turn; 1 for the client's own.
    """

    name: str
    release: str = ""
    workers: int = 1
    null: bool = False
    lines: int = 1
    compiled: bool = False
    clients: int = 1

    @property
    def alone(self) -> Mode:
        """The same with one worker, one client and one line."""
        name = f"{self.release} compiled" if self.compiled else self.release
        return Mode(name, self.release, compiled=self.compiled)

    @contextmanager
    def standing(self, topology: Topology) -> Iterator[tuple[int, ...]]:
        """Have it stand between client and server for the length of a `with` block.

        Yields the numbers of its processes.

        Args:
            topology: the network; nothing else stands there.
        """
        if self.release:
            with _clients(self.clients, topology), _pixguard(self, topology) as processes:
                yield processes
            return
        with _forwarding(topology):
            if not self.null:
                yield ()
                return
            with _null(topology) as processes:
                yield processes


PLAIN = Mode("plain")
NULL = Mode("null", null=True)
PIX = Mode("6.3", release="6.3")
ASA = Mode("8.4", release="8.4")
PIX_TWO = Mode("6.3, 2 workers", release="6.3", workers=2)
ASA_TWO = Mode("8.4, 2 workers", release="8.4", workers=2)
PIX_LONG = Mode("6.3, 5,000 lines", release="6.3", lines=5000)

PIX_MANY = Mode("6.3, 2 workers, 16 clients", release="6.3", workers=2, clients=16)
PIX_COMPILED = Mode("6.3 compiled", release="6.3", compiled=True)
ASA_COMPILED = Mode("8.4 compiled", release="8.4", compiled=True)
PIX_COMPILED_TWO = Mode("6.3 compiled, 2 workers", release="6.3", workers=2, compiled=True)

MODES = (
    PLAIN,
    NULL,
    PIX,
    ASA,
    PIX_TWO,
    ASA_TWO,
    PIX_MANY,
    PIX_LONG,
    PIX_COMPILED,
    ASA_COMPILED,
    PIX_COMPILED_TWO,
)


def rules(lines: int) -> str:
    """A rule file that permits mail to the server from outside, and from it.

    Args:
        lines: of its access list; the last one is for the server.
    """
    others = (
        f"access-list {_LIST} permit tcp host 198.18.{number >> 8}.{number & 255} "
        f"host {SERVER_MAPPED} eq 143"
        for number in range(lines - 1)
    )
    return "\n".join(
        (
            "PIX Version 6.3(5)",
            "nameif ethernet0 outside security0",
            "nameif ethernet1 inside security100",
            "fixup protocol smtp 25",
            *others,
            f"access-list {_LIST} permit tcp any host {SERVER_MAPPED} eq smtp",
            "ip address outside 203.0.113.1 255.255.255.0",
            "ip address inside 10.1.1.1 255.255.255.0",
            f"static (inside,outside) {SERVER_MAPPED} {SERVER} netmask 255.255.255.255 0 0",
            f"access-group {_LIST} in interface outside",
            "",
        )
    )


@contextmanager
def _forwarding(topology: Topology) -> Iterator[None]:
    """The kernel forwards, and translates as the rule file's `static` has it."""
    router = topology.router
    call(router, ("sysctl", "-qw", "net.ipv4.ip_forward=1"))
    inbound = ("PREROUTING", "-i", "outside", "-d", SERVER_MAPPED, "-j", "DNAT", "--to", SERVER)
    outbound = ("POSTROUTING", "-o", "outside", "-s", SERVER, "-j", "SNAT", "--to", SERVER_MAPPED)
    call(router, ("ip", "address", "add", f"{SERVER_MAPPED}/32", "dev", "outside"))
    for rule in (inbound, outbound):
        call(router, ("iptables", "-t", "nat", "-A", *rule))
    try:
        yield
    finally:
        for rule in (inbound, outbound):
            call(router, ("iptables", "-t", "nat", "-D", *rule))
        call(router, ("ip", "address", "del", f"{SERVER_MAPPED}/32", "dev", "outside"))


@contextmanager
def _null(topology: Topology) -> Iterator[tuple[int, ...]]:
    router = topology.router
    queued = [
        ("FORWARD", "-p", "tcp", side, "25", "-j", "NFQUEUE", "--queue-num", str(QUEUE))
        for side in ("--dport", "--sport")
    ]
    output = topology.directory / "null.log"
    with running(router, python("bench.accept", str(QUEUE)), output) as process:
        _await_text(output, "ready")
        for rule in queued:
            call(router, ("iptables", "-A", *rule))
        try:
            yield (process,)
        finally:
            for rule in queued:
                call(router, ("iptables", "-D", *rule))


@contextmanager
def _clients(number: int, topology: Topology) -> Iterator[None]:
    """The client's connections come from so many addresses in turn."""
    if number == 1:
        yield
        return
    client = topology.client
    rules = []
    for each in range(number):
        address = str(_FIRST_CLIENT + each)
        client.ip("address", "add", f"{address}/24", "dev", "eth0")
        turn = ("-m", "statistic", "--mode", "nth", "--every", str(number - each), "--packet", "0")
        others = turn if each < number - 1 else ()
        rules.append(("POSTROUTING", "-p", "tcp", *others, "-j", "SNAT", "--to", address))
    for rule in rules:
        call(client, ("iptables", "-t", "nat", "-A", *rule))
    try:
        yield
    finally:
        for each, rule in enumerate(rules):
            call(client, ("iptables", "-t", "nat", "-D", *rule))
            client.ip("address", "del", f"{_FIRST_CLIENT + each}/24", "dev", "eth0")


@contextmanager
def _pixguard(mode: Mode, topology: Topology) -> Iterator[tuple[int, ...]]:
    directory = topology.directory
    state = directory / "state"
    state.mkdir(exist_ok=True)
    rule_file, box_file, output = (directory / name for name in ("rules", "box.yaml", "log"))
    rule_file.write_text(rules(mode.lines))
    box_file.write_text(
        json.dumps(
            {
                "interfaces": {each: each for each in INTERFACES},
                "state": str(state),
                "release": mode.release,
                "workers": mode.workers,
            }
        )
    )
    notify = directory / "notify"
    notify.unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ready:
        ready.bind(str(notify))
        ready.settimeout(PATIENCE)
        command = (
            *("env", f"NOTIFY_SOCKET={notify}"),
            *python(
                *("appliance", "run", "--config", str(rule_file), "--box", str(box_file)),
                compiled=mode.compiled,
            ),
        )
        with running(topology.router, command, output) as process:
            try:
                ready.recv(1000)
            except TimeoutError:
                said = output.read_text("latin-1")[-2000:]
                raise PixguardError(f"the appliance does not come up; it said: {said}") from None
            yield family(process)


def _await_text(output: Path, text: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while text not in output.read_text("latin-1"):
        if time.monotonic() > deadline:
            raise PixguardError(f"the null firewall does not come up: {output.read_text()}")
        time.sleep(0.02)
