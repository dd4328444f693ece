"""How many connections may live to an address at once, and how many do (`static ... MAX EMB`)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits on the connections to one target.

    Args:
        target: what they are counted for.
        connections: how many may live at once, 0 for any number.
        embryonic: how many of them may not be established yet, 0 for any number.
        of_source: whether they are of what translates the source, and not the destination.
        sharers: how many count connections side by side, each up to its part of the limits.
    """

    target: Hashable = None
    connections: int = 0
    embryonic: int = 0
    of_source: bool = False
    sharers: int = 1

    def __bool__(self) -> bool:
        return bool(self.connections or self.embryonic)

    def part(self, limit: int) -> int:
        """What one of the sharers may let live of a limit, rounded up."""
        return -(-limit // self.sharers)


UNLIMITED = Limits()


class Census:
    """Counts the connections that live to each target that has limits."""

    def __init__(self) -> None:
        self._living: dict[Hashable, Hashable] = {}  # their targets
        self._embryonic: dict[Hashable, Hashable] = {}
        self._per_target: Counter[Hashable] = Counter()
        self._embryonic_per_target: Counter[Hashable] = Counter()

    def begin(self, connection: Hashable, limits: Limits) -> None:
        """Count a connection, if its target has limits; it is embryonic.

        Args:
            connection: tells it from others that live.
            limits: those of its target.
        """
        if limits:
            self.end(connection)
            self._living[connection] = self._embryonic[connection] = limits.target
            self._per_target[limits.target] += 1
            self._embryonic_per_target[limits.target] += 1

    def establish(self, connection: Hashable) -> None:
        """A connection is embryonic no more."""
        _remove(connection, self._embryonic, self._embryonic_per_target)

    def end(self, connection: Hashable) -> None:
        """A connection has ended."""
        _remove(connection, self._living, self._per_target)
        self.establish(connection)

    def are_full(self, limits: Limits) -> bool:
        """Whether as many live as may."""
        return 0 < limits.part(limits.connections) <= self._per_target[limits.target]

    def are_full_of_embryonic(self, limits: Limits) -> bool:
        """Whether as many are embryonic as may be."""
        return 0 < limits.part(limits.embryonic) <= self._embryonic_per_target[limits.target]

    def __bool__(self) -> bool:
        return bool(self._living)


def _remove(
    connection: Hashable, targets: dict[Hashable, Hashable], counts: Counter[Hashable]
) -> None:
    if connection in targets:
        target = targets.pop(connection)
        counts[target] -= 1
        if not counts[target]:
            del counts[target]
