"""What the workers did, counted."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

QUEUES = Path("/proc/self/net/netfilter/nfnetlink_queue")
"""One line a queue that somebody listens to, in this process's network namespace."""


TIMES = (5e-5, 1e-4, 2.5e-4, 5e-4, 1e-3, 2.5e-3, 5e-3, 1e-2, 2.5e-2, 1e-1)
"""Seconds: bounds of the classes that the time spent on a packet is counted in; above is one more.

A short packet takes some 100 µs, an edited one of 64 KiB a millisecond."""


@dataclass(slots=True)
class Counters:
    """What one worker did, or several together.

    Args:
        packets: taken from the queue.
        octets: bytes in them.
        forwarded: packets that went on as they came.
        edited: packets that went on edited.
        dropped: packets that did not go on, at least not at once.
        released: packets sent by the firewall itself: held ones, or its own.
        unsent: packets that it could not send.
        faults: packets dropped because judging them failed.
        lost_lines: log lines that found no room.
        suppressed_lines: log lines that were one too many of their message.
        events: number of events, by kind.
        denials: number of denied packets that were told of, by the message that they draw.
        seconds: spent on packets.
        times: number of packets, by the class of TIMES that the time spent on them is in.
    """

    packets: int = 0
    octets: int = 0
    forwarded: int = 0
    edited: int = 0
    dropped: int = 0
    released: int = 0
    unsent: int = 0
    faults: int = 0
    lost_lines: int = 0
    suppressed_lines: int = 0
    events: dict[str, int] = field(default_factory=dict)
    denials: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0
    times: list[int] = field(default_factory=lambda: [0] * (len(TIMES) + 1))

    def count_event(self, kind: str) -> None:
        """Count an event.

        Args:
            kind: what happened.
        """
        self.events[kind] = self.events.get(kind, 0) + 1

    def count_denial(self, message: str) -> None:
        """Count a denied packet that is told of.

        Args:
            message: number of the message that it draws.
        """
        self.denials[message] = self.denials.get(message, 0) + 1

    def __add__(self, other: Counters) -> Counters:
        own, others = asdict(self), asdict(other)
        sums: dict[str, Any] = {name: own[name] + others[name] for name in own.keys() - _COMPOUND}
        for name in ("events", "denials"):
            counted = Counter(own[name])
            counted.update(others[name])
            sums[name] = dict(counted)
        sums["times"] = [one + more for one, more in zip(self.times, other.times, strict=True)]
        return Counters(**sums)


_COMPOUND = {"events", "denials", "times"}


@dataclass(frozen=True, slots=True)
class Usage:
    """What a worker's engine takes of memory now; the bounds: docs/limits.md.

    Args:
        connections: that are known, those just closed included.
        held: bytes of packets held out of order.
        remembered: bytes remembered of what was forwarded.
    """

    connections: int = 0
    held: int = 0
    remembered: int = 0


@dataclass(frozen=True, slots=True)
class QueueState:
    """What the kernel says of a queue.

    Args:
        number: the queue's number.
        waiting: packets in it.
        dropped: packets dropped because it was full.
        overflowed: packets dropped because the worker's socket was full.
    """

    number: int
    waiting: int
    dropped: int
    overflowed: int


def read_queues() -> tuple[QueueState, ...]:
    """What the kernel says of the queues of this network namespace; root alone may read it."""
    states = []
    # Where nobody has ever listened to a queue, the kernel may not have loaded that part of it.
    text = QUEUES.read_text() if QUEUES.exists() else ""
    for line in text.splitlines():
        # number, listener, waiting, copy mode, copy range, dropped, overflowed, last id, 1
        fields = [int(each) for each in line.split()]
        states.append(QueueState(fields[0], fields[2], fields[5], fields[6]))
    return tuple(states)
