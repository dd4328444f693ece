"""Rules that no packet reaches, since an earlier one of the list takes all that they match."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import groupby
from typing import NamedTuple, TypeAlias

from appliance.config.model import Ports, Rule, TimeRange
from appliance.protocol import ICMP, TCP, UDP

_Ranges: TypeAlias = tuple[tuple[int, int], ...]

_ALL_PORTS = ((0, 65535),)


@dataclass(frozen=True, slots=True)
class Shadow:
    """A line of a list that no packet reaches.

    Args:
        rules: the rules that the line states.
        by: the earlier rules that take what these match.
    """

    rules: tuple[Rule, ...]
    by: tuple[Rule, ...]


class _Match(NamedTuple):
    """What a rule matches; two that match the same are equal, whatever words they are written in.

    Args:
        protocol: IP protocol number, None for any.
        source: the address of its network, and the length of the prefix.
        destination: likewise.
        source_ports: ports in ascending ranges, None for any, or where there are none.
        destination_ports: likewise.
        icmp_type: ICMP type, None for any.
        times: when it is in force, None for always.
    """

    protocol: int | None
    source: tuple[int, int]
    destination: tuple[int, int]
    source_ports: _Ranges | None
    destination_ports: _Ranges | None
    icmp_type: int | None
    times: TimeRange | None

    def takes_ends_of(self, other: _Match) -> bool:
        """Whether it takes all ports and types of another match, whenever that is in force."""
        return (
            _take(self.source_ports, other.source_ports)
            and _take(self.destination_ports, other.destination_ports)
            and self.icmp_type in (None, other.icmp_type)
            and self.times in (None, other.times)
        )


def _take(wide: _Ranges | None, narrow: _Ranges | None) -> bool:
    if wide is None:
        return True
    if narrow is None:
        return False
    return all(any(low <= a and b <= high for low, high in wide) for a, b in narrow)


def _match(rule: Rule) -> _Match | None:
    """What a rule matches; None if no packet is like that."""
    protocol = rule.protocol
    if rule.icmp_type is not None:
        if protocol not in (None, ICMP):
            return None
        protocol = ICMP
    compared = (rule.source_ports, rule.destination_ports)
    if any(compared) and protocol not in (None, TCP, UDP):
        return None
    if any(ports and not ports.ranges() for ports in compared):
        return None
    sources, destinations = (_ranges(ports, protocol) for ports in compared)
    return _Match(
        protocol,
        (int(rule.source.network_address), rule.source.prefixlen),
        (int(rule.destination.network_address), rule.destination.prefixlen),
        sources,
        destinations,
        rule.icmp_type,
        rule.times,
    )


def _ranges(ports: Ports | None, protocol: int | None) -> _Ranges | None:
    if ports is None:
        return None
    ranges = ports.ranges()
    return None if ranges == _ALL_PORTS and protocol in (TCP, UDP) else ranges


def _network(address: int, length: int) -> tuple[int, int]:
    return address >> (32 - length) << (32 - length), length


_Numbered: TypeAlias = tuple[int, _Match, Rule]


class _Reach:
    """How far up the ranges of ports go that begin at or below a port (a Fenwick tree)."""

    def __init__(self) -> None:
        self._highest: dict[int, int] = {}

    def add(self, low: int, high: int) -> None:
        """Add a range."""
        at = low + 1
        while at <= _ALL_PORTS[0][1] + 1:
            self._highest[at] = max(high, self._highest.get(at, 0))
            at += at & -at

    def holds(self, low: int, high: int) -> bool:
        """Whether a range that was added holds all of this one."""
        at = low + 1
        while at:
            if self._highest.get(at, -1) >= high:
                return True
            at &= at - 1
        return False


@dataclass(slots=True)
class _Shelf:
    """Rules of the same protocol and networks, each row in order.

    Args:
        by_port: those of one destination port, by it.
        of_ports: those of several, and `reach` their ranges.
        of_all: those without.
    """

    by_port: dict[int, list[_Numbered]] = field(default_factory=dict)
    of_ports: list[_Numbered] = field(default_factory=list)
    of_all: list[_Numbered] = field(default_factory=list)
    reach: _Reach = field(default_factory=_Reach)

    def add(self, each: _Numbered) -> None:
        """Add a rule behind all others."""
        ports = each[1].destination_ports
        port = _one_port(each[1])
        if ports is None:
            self.of_all.append(each)
        elif port is not None:
            self.by_port.setdefault(port, []).append(each)
        else:
            self.of_ports.append(each)
            for low, high in ports:
                self.reach.add(low, high)

    def candidates(self, match: _Match) -> Iterator[list[_Numbered]]:
        """Rows with the rules that may take a match."""
        yield self.of_all
        ports = match.destination_ports
        if ports is None:
            return
        port = _one_port(match)
        if port is not None and port in self.by_port:
            yield self.by_port[port]
        if self.of_ports and all(self.reach.holds(low, high) for low, high in ports):
            yield self.of_ports


def _one_port(match: _Match) -> int | None:
    ports = match.destination_ports
    return ports[0][0] if ports and len(ports) == 1 and ports[0][0] == ports[0][1] else None


class _Index:
    """Rules, so that those which may take what another one matches are found without a search."""

    def __init__(self) -> None:
        self._shelves: dict[tuple[int | None, tuple[int, int], tuple[int, int]], _Shelf] = {}
        self._lengths: dict[tuple[int, int], None] = {}
        self._count = 0

    def add(self, match: _Match, rule: Rule) -> None:
        """Add a rule behind all others."""
        self._lengths[match.source[1], match.destination[1]] = None
        key = (match.protocol, match.source, match.destination)
        self._shelves.setdefault(key, _Shelf()).add((self._count, match, rule))
        self._count += 1

    def first_covering(self, match: _Match) -> Rule | None:
        """The first rule that takes all of a match; None if none does."""
        found: _Numbered | None = None
        for row in self._rows(match):
            for each in row:
                if found and found[0] < each[0]:
                    break
                if each[1].takes_ends_of(match):
                    found = each
                    break
        return found[2] if found else None

    def _rows(self, match: _Match) -> Iterator[list[_Numbered]]:
        protocols = (None,) if match.protocol is None else (None, match.protocol)
        for source_length, destination_length in self._lengths:
            if source_length > match.source[1] or destination_length > match.destination[1]:
                continue
            source = _network(match.source[0], source_length)
            destination = _network(match.destination[0], destination_length)
            for protocol in protocols:
                shelf = self._shelves.get((protocol, source, destination))
                if shelf:
                    yield from shelf.candidates(match)


def shadows(rules: Iterable[Rule]) -> Iterator[Shadow]:
    """The lines of a list that no packet reaches, because one rule before takes all of each rule.

    What several rules take only together is not looked for; a rule that no packet is like is
    left out.

    Args:
        rules: the list's, in order; those of one line have the same place.
    """
    index = _Index()
    for _, line in groupby(rules, key=lambda rule: rule.place):
        matches = [(match, rule) for rule in line if (match := _match(rule))]
        covering = [index.first_covering(match) for match, _ in matches]
        by = tuple({rule.place: rule for rule in covering if rule}.values())
        if matches and None not in covering:
            yield Shadow(tuple(rule for _, rule in matches), by)
        for match, rule in matches:
            index.add(match, rule)
