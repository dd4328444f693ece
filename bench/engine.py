"""Memory and growth of the engine, without a network: one process for each number."""

from __future__ import annotations

import gc
import sys
import time
from pathlib import Path

from appliance.admission import Admission, Opening
from appliance.events import Endpoint, Event
from appliance.firewall import Firewall
from appliance.smtp.release import RELEASES, Release
from bench.dialogue import LINE, Session, State

PACKETS = 60_000
"""Packets whose cost is measured, at least."""


def permitting(release: Release) -> Firewall:
    """An engine that lets everything in and inspects it.

    Args:
        release: as which.
    """

    def admit(opening: Opening) -> Admission:
        ends = (
            Endpoint("outside", opening.source, opening.source_port, opening.source, 0),
            Endpoint("inside", opening.destination, opening.destination_port, opening.source, 0),
        )
        return Admission(*ends, inbound=True, inspection=release)

    return Firewall(admit, _ignore)


def _ignore(event: Event) -> None:
    pass


def memory(release: str, state: State, connections: int) -> float:
    """Bytes that an idle connection takes.

    Args:
        release: as which it is inspected.
        state: how far it has come.
        connections: how many there are.
    """
    firewall = permitting(RELEASES[release])
    gc.collect()
    before = _resident()
    for number in range(connections):
        for packet in Session(number).until(state):
            firewall.receive(packet, 0.0, "", "")
    gc.collect()
    return (_resident() - before) / firewall.flows


def packet_cost(release: str, connections: int) -> float:
    """Microseconds of CPU for a packet of a short mail, with so many connections in turn.

    Args:
        release: as which they are inspected.
        connections: how many there are.
    """
    firewall = permitting(RELEASES[release])
    sessions = [Session(number) for number in range(connections)]
    for session in sessions:
        for packet in session.until(State.DATA):
            firewall.receive(packet, 0.0, "", "")
    rounds = max(PACKETS // connections // 2, 1)
    took, count = 0.0, 0
    for _ in range(rounds):
        for first in range(0, connections, 5000):
            packets = []
            for session in sessions[first : first + 5000]:
                packets += [session.packet(True, 16, LINE * 13), session.packet(False, 16)]
            began = time.process_time()
            for packet in packets:
                firewall.receive(packet, 0.0, "", "")
            took += time.process_time() - began
            count += len(packets)
    return took / count * 1e6


def _resident() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096


def main() -> None:
    """Print the number that argv asks for."""
    match sys.argv[1:]:
        case ["memory", release, state, connections]:
            print(memory(release, State[state], int(connections)))
        case ["packet", release, connections]:
            print(packet_cost(release, int(connections)))


if __name__ == "__main__":
    main()
