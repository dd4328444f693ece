"""Sessions, bulk and latency through the namespaces."""

from __future__ import annotations

import time
from dataclasses import dataclass
from statistics import median, quantiles

from appliance.lab.topology import CLIENT, SERVER, SERVER_MAPPED, Topology
from bench.mail import CHUNK
from bench.modes import Mode
from bench.network import Busy, await_listener, call, cpu, python, running

PORT = "25"
SENDERS = 20
BODY = 1024
"""Bytes of a short mail."""

STRANGERS = 0.15
"""CPUs that others may use while something is measured."""


@dataclass(frozen=True, slots=True)
class Size:
    """How much is sent in a round.

    Args:
        sessions: short mails, in sessions of their own, SENDERS at a time.
        chunks: pieces of 64 KiB in the long mail.
        alone: sessions one after another.
        patience: seconds to wait for the machine to be quiet before a round.
    """

    sessions: int
    chunks: int
    alone: int
    patience: float


@dataclass(frozen=True, slots=True)
class Sample:
    """What one round of one mode measured.

    Args:
        sessions: sessions a second, SENDERS at a time.
        session_cpu: microseconds of CPU of the firewall's processes for one of them.
        inward: MB/s of one long mail from outside.
        inward_cpu: milliseconds of CPU of the firewall's processes for a MB of it.
        outward: the same of a mail from inside.
        outward_cpu: likewise.
        latency: median milliseconds of a session alone.
        latency_99: its 99th percentile.
        busy: CPUs that were busy, on average, with sessions: those of the ends too.
        noisy: whether others used more than STRANGERS before the round began.
    """

    sessions: float
    session_cpu: float
    inward: float
    inward_cpu: float
    outward: float
    outward_cpu: float
    latency: float
    latency_99: float
    busy: float
    noisy: bool


def measure(mode: Mode, topology: Topology, size: Size) -> Sample:
    """One round of one mode.

    Args:
        mode: what stands between the ends.
        topology: the network.
        size: how much to send.
    """
    noisy = not _await_quiet(size.patience)
    with mode.standing(topology) as processes:
        sink = ("smtp-sink", "-u", "nobody", f"{SERVER}:{PORT}", "1000")
        output = topology.directory / "sink.log"
        with running(topology.server, sink, output):
            await_listener(topology.server, int(PORT), output)
            _sessions(topology, size.sessions // 10)  # what is done once is done by then
            before, used, began = Busy.now(), cpu(processes), time.monotonic()
            _sessions(topology, size.sessions)
            took = time.monotonic() - began
            session_cpu = (cpu(processes) - used) / size.sessions * 1e6
            busy = Busy.now().share_since(before)
            alone = _alone(topology, size.alone)
        bulk = {}
        for inward in (True, False):
            used = cpu(processes)
            megabytes = size.chunks * len(CHUNK) / 1e6
            seconds = _transfer(topology, inward, size.chunks)
            bulk[inward] = (megabytes / seconds, (cpu(processes) - used) / megabytes * 1e3)
    return Sample(
        size.sessions / took,
        session_cpu,
        *bulk[True],
        *bulk[False],
        median(alone),
        quantiles(alone, n=100)[98],
        busy,
        noisy,
    )


def _sessions(topology: Topology, number: int) -> None:
    command = ("smtp-source", "-s", str(SENDERS), "-l", str(BODY), "-m", str(number))
    call(topology.client, (*command, f"{SERVER_MAPPED}:{PORT}"))


def _alone(topology: Topology, number: int) -> list[float]:
    """Milliseconds of each session."""
    said = call(topology.client, python("bench.mail", "sessions", SERVER_MAPPED, PORT, str(number)))
    return [float(each) * 1e3 for each in said.split()]


def _transfer(topology: Topology, inward: bool, chunks: int) -> float:
    """Seconds that a long mail takes."""
    sender, receiver = topology.client, topology.server
    listens, called = SERVER, SERVER_MAPPED
    if not inward:
        sender, receiver, listens, called = receiver, sender, CLIENT, CLIENT
    output = topology.directory / "mail.log"
    with running(receiver, python("bench.mail", "serve", listens, PORT), output):
        await_listener(receiver, int(PORT), output)
        return float(call(sender, python("bench.mail", "transfer", called, PORT, str(chunks))))


def _await_quiet(patience: float) -> bool:
    """Wait until nobody else uses the machine much; whether that came to be."""
    deadline = time.monotonic() + patience
    while True:
        before = Busy.now()
        time.sleep(min(1.0, patience))
        if Busy.now().share_since(before) <= STRANGERS:
            return True
        if time.monotonic() >= deadline:
            return False
