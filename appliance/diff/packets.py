"""Packets that stand for all others: from the edges of what two configurations say.

A packet fares differently under two configurations where one of them has a line that the other
lacks, and along the edges of what that line takes. So packets are made for each line: from the
first and last addresses of its networks and the ones beside them, its ports and the ones beside
them; what the line leaves open is filled in from what the interface has besides.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from itertools import islice, product
from random import Random
from typing import TypeVar

from appliance.admission import Opening
from appliance.config.language import OBJECTS
from appliance.config.model import ANY, Configuration, Ports, Rule
from appliance.diff.lines import Line, anything, lines_of, statics_of
from appliance.diff.object_lines import rules_of, ways_of
from appliance.policy.access_list import matches
from appliance.protocol import ICMP, SMTP, TCP, UDP

MOST = 10_000
"""Packets that are tried if nothing else is asked for."""

MOST_OF_A_LINE = 256
"""Packets that one line is tried with."""

_MOST_FILLED_IN = 24
"""Addresses or ports that are filled in where a line leaves them open."""

_MOST_CROSSINGS = 100_000
"""Pairs of lines that are looked at for packets that both take."""

_ANYWHERE = IPv4Address("192.0.2.7")  # of a network for documentation (RFC 5737)
_CLIENT_PORT = 40_000
_USUAL_PORTS = (SMTP, 80)
_GRE = 47
_ECHO_REPLY, _ECHO = 0, 8

_Value = TypeVar("_Value")


@dataclass(frozen=True, slots=True)
class Sample:
    """Packets to try.

    Args:
        packets: they, each once.
        whole: whether there are no more.
    """

    packets: tuple[Opening, ...]
    whole: bool


def sample(old: Configuration, new: Configuration, most: int = MOST) -> Sample:
    """Packets by which two configurations can be told apart.

    Those of lines that only one of them has, or has elsewhere, come first; if there are too many
    packets, they are chosen at even distances, and the same way each time.

    Args:
        old: one configuration.
        new: the other one.
        most: how many packets at most.
    """
    maker = _Maker(old, new)
    changed = list(dict.fromkeys(maker.of_changed()))
    if len(changed) > most:
        return Sample(
            tuple(changed[number * len(changed) // most] for number in range(most)), False
        )
    packets = dict.fromkeys(changed)
    for packet in maker.of_unchanged():
        if packet not in packets and len(packets) >= most:
            return Sample(tuple(packets), False)
        packets[packet] = None
    return Sample(tuple(packets), True)


def firsts(
    old: Configuration, new: Configuration, of_each: int, most: int = MOST
) -> tuple[Opening, ...]:
    """Packets that the lines of two configurations take, some of each.

    Args:
        old: one configuration.
        new: the other one.
        of_each: how many packets at most of each line.
        most: how many packets at most; for more, lines at even distances are left out.
    """
    return tuple(dict.fromkeys(_Maker(old, new).firsts(of_each, most)))


def edges(network: IPv4Network) -> tuple[IPv4Address, ...]:
    """The first and last address of a network, and the ones beside them."""
    first, last = int(network[0]), int(network[-1])
    numbers = (first, last, first - 1, last + 1)
    return tuple(IPv4Address(n) for n in dict.fromkeys(numbers) if 0 <= n < 1 << 32)


def port_edges(ports: Ports) -> tuple[int, ...]:
    """The first and last ports that a comparison takes, and the ones beside them."""
    numbers = [n for low, high in ports.ranges() for n in (low, high, low - 1, high + 1)]
    return tuple(n for n in dict.fromkeys(numbers) if 0 <= n <= 65535)


def _in_both(one: Rule, other: Rule, ingress: str, source: IPv4Address) -> Iterator[Opening]:
    """Packets that two rules take: of the first and the last addresses that both have.

    Args:
        one: a rule.
        other: another one.
        ingress: the interface that they come in by.
        source: a host there.
    """
    protocols = [each.protocol for each in (one, other) if each.protocol is not None]
    protocol = protocols[0] if protocols else TCP
    sources, destinations = (
        max(pair, key=lambda each: each.prefixlen)
        for pair in ((one.source, other.source), (one.destination, other.destination))
    )
    if not (one.source.overlaps(other.source) and one.destination.overlaps(other.destination)):
        return
    starts = (source, source) if sources == ANY else (sources[0], sources[-1])
    compared = [each.destination_ports for each in (one, other) if each.destination_ports]
    ports = [port for each in compared for port in port_edges(each)] or [SMTP]
    from_ports = [each.source_ports for each in (one, other) if each.source_ports]
    source_port = port_edges(from_ports[0])[0] if from_ports else _CLIENT_PORT
    types = [each.icmp_type for each in (one, other) if each.icmp_type is not None]
    icmp_type = (types[0] if types else _ECHO) if protocol == ICMP else -1
    has_ports = protocol in (TCP, UDP)
    for start, end in dict.fromkeys(zip(starts, (destinations[0], destinations[-1]), strict=True)):
        for port in ports if has_ports else (0,):
            opening = Opening(
                protocol, start, source_port if has_ports else 0, end, port, icmp_type, ingress
            )
            if matches(one, opening) and matches(other, opening):
                yield opening
                break


def _lines_of(configuration: Configuration) -> Iterator[Line]:
    yield from lines_of(configuration)
    if configuration.language >= OBJECTS:
        yield from rules_of(configuration)
        yield from ways_of(configuration)


class _Maker:
    """Makes packets for the lines of two configurations."""

    def __init__(self, old: Configuration, new: Configuration) -> None:
        self._both = (old, new)
        self._interfaces = {each.name: each for both in (new, old) for each in both.interfaces}
        self._lines = [tuple(_lines_of(each)) for each in self._both]
        self._open_ports: dict[str, tuple[int, ...]] = {}
        self._open_destinations: dict[str, tuple[IPv4Address, ...]] = {}

    def of_changed(self) -> Iterator[Opening]:
        """Packets of the interfaces, and of lines that are not the same in both."""
        yield from self._between_interfaces()
        changed = list(self._changed())
        for line in changed:
            yield from self._of(line)
        yield from self._crossings(changed)

    def of_unchanged(self) -> Iterator[Opening]:
        """Packets of all other lines, in an order that favours none."""
        lines = list(dict.fromkeys(line for lines in self._lines for line in lines))
        Random(len(lines)).shuffle(lines)  # noqa: S311  a choice of examples
        for line in lines:
            yield from self._of(line)

    def firsts(self, of_each: int, most: int) -> Iterator[Opening]:
        """Some packets of each line."""
        lines = list(dict.fromkeys(line for lines in self._lines for line in lines))
        for line in lines[:: max(1, -(-len(lines) * of_each // most))]:
            yield from islice(self._of(line), of_each)

    def _changed(self) -> Iterator[Line]:
        old, new = self._lines
        shared = set(old) & set(new)
        # Of those that both have, the ones between the first and the last that are out of order.
        kept = [[line for line in lines if line in shared] for lines in (old, new)]
        apart = [number for number, pair in enumerate(zip(*kept, strict=False)) if len({*pair}) > 1]
        moved = kept[1][apart[0] : apart[-1] + 1] if apart else []
        alone = [line for line in (*new, *old) if line not in shared]
        yield from dict.fromkeys((*alone, *moved))
        if _what_is_inspected(self._both[0]) != _what_is_inspected(self._both[1]):
            for each in self._both:
                yield from ways_of(each) if each.language >= OBJECTS else statics_of(each)

    def _crossings(self, changed: Sequence[Line]) -> Iterator[Opening]:
        """Packets that a changed line and another one take: there a change may come to bear."""
        others: dict[str, list[Line]] = {}
        for line in dict.fromkeys((*self._lines[0], *self._lines[1])):
            others.setdefault(line.ingress, []).append(line)
        number = sum(len(others[line.ingress]) for line in changed)
        apart = max(1, -(-number // _MOST_CROSSINGS))
        for line in changed:
            for other in others[line.ingress][::apart]:
                source = self._source(line.ingress)
                yield from _in_both(line.rule, other.rule, line.ingress, source)

    def _between_interfaces(self) -> Iterator[Opening]:
        """Packets from each interface to whatever may be behind the others."""
        for interface in self._interfaces.values():
            yield from self._of(Line(interface.name, anything(interface.place)))

    def _of(self, line: Line) -> Iterator[Opening]:
        """The packets of a line: those that it takes, and their neighbours."""
        rule = line.rule
        sources = edges(rule.source) if rule.source != ANY else ()
        inner = self._source(line.ingress)
        protocols = (TCP, UDP, ICMP, _GRE) if rule.protocol is None else (rule.protocol,)
        destinations = edges(rule.destination) if rule.destination != ANY else ()
        destinations = destinations or self._destinations(line.ingress)
        made: dict[Opening, None] = {}
        for protocol in protocols:
            ports = self._ports(line, protocol)
            source_ports: tuple[int, ...] = (_CLIENT_PORT if protocol in (TCP, UDP) else 0,)
            if rule.source_ports:
                source_ports = port_edges(rule.source_ports) or source_ports
            types = (rule.icmp_type,) if rule.icmp_type is not None else (_ECHO, _ECHO_REPLY)
            starts = (*sources, inner)
            ends = tuple(product(destinations, ports, types if protocol == ICMP else (-1,)))
            # What is addressed matters most: all of it from the first source, then the other
            # sources to some of it.
            pairs = [(starts[0], source_ports[0], end) for end in ends]
            pairs += [
                (source, source_port, end)
                for source, source_port in product(starts, source_ports)
                for end in ends[:: max(1, len(ends) // 4)]
            ]
            for source, source_port, (destination, port, icmp_type) in pairs:
                opening = Opening(
                    protocol, source, source_port, destination, port, icmp_type, line.ingress
                )
                made[opening] = None
        apart = max(1, -(-len(made) // MOST_OF_A_LINE))
        # Those that the line itself takes first, so that none of these is left out.
        ordered = sorted(made, key=lambda each: not matches(rule, each))
        yield from ordered if apart == 1 else ordered[::apart]

    def _ports(self, line: Line, protocol: int) -> tuple[int, ...]:
        if protocol not in (TCP, UDP):
            return (0,)
        if line.rule.destination_ports:
            return port_edges(line.rule.destination_ports) or (SMTP,)
        ingress = line.ingress
        if ingress not in self._open_ports:
            named = [
                port
                for lines in self._lines
                for each in lines
                if each.ingress == ingress and each.rule.destination_ports
                for port in port_edges(each.rule.destination_ports)
            ]
            self._open_ports[ingress] = _some((*_USUAL_PORTS, *self._inspected(), *named))
        return self._open_ports[ingress]

    def _inspected(self) -> Iterator[int]:
        """The edges of what is inspected."""
        for each in self._both:
            ranges = [*each.smtp_ports, *(r for i in each.inspections for r in i.ports)]
            ranges += [fixup.ports for fixup in each.fixups]
            for low, high in ranges:
                yield from (n for n in (low, high, low - 1, high + 1) if 0 < n <= 65535)

    def _source(self, ingress: str) -> IPv4Address:
        """A host on the side of an interface."""
        network = self._network(ingress)
        leads = any(
            _ANYWHERE in route.network and route.interface == ingress
            for each in self._both
            for route in each.routes
        )
        return _host(network) if network and not leads else _ANYWHERE

    def _destinations(self, ingress: str) -> tuple[IPv4Address, ...]:
        """Hosts that something which comes in by an interface may go to."""
        if ingress not in self._open_destinations:
            found = [_ANYWHERE]
            found += [
                each.rule.destination[0]
                for lines in self._lines
                for each in lines
                if each.ingress == ingress and each.rule.destination != ANY
            ]
            for name in self._interfaces:
                network = self._network(name)
                if network and name != ingress:
                    found.append(_host(network))
            for each in self._both:
                found += [route.network[0] for route in each.routes if route.network != ANY]
                found += [i.address for i in each.interfaces if i.address]
            self._open_destinations[ingress] = _some(found)
        return self._open_destinations[ingress]

    def _network(self, name: str) -> IPv4Network | None:
        return self._interfaces[name].network


def _what_is_inspected(configuration: Configuration) -> Hashable:
    """What decides what is inspected, and as what."""
    return (
        configuration.version,
        configuration.smtp_ports,
        configuration.inspections,
        configuration.mail_hosts,
        configuration.fixups,
    )


def _some(values: Iterable[_Value]) -> tuple[_Value, ...]:
    """Values, each once; where there are many, some at even distances."""
    unique = list(dict.fromkeys(values))
    if len(unique) <= _MOST_FILLED_IN:
        return tuple(unique)
    return tuple(
        unique[number * len(unique) // _MOST_FILLED_IN] for number in range(_MOST_FILLED_IN)
    )


def _host(network: IPv4Network) -> IPv4Address:
    """A host of a network that is not its first, which is often the firewall."""
    return network[min(9, network.num_addresses - 1)]
