"""What a `nat` of 8.3 and later does to packets that go one way.

A static line is two ways, one the mirror of the other: what the one makes of a packet, the other
makes undone of the packet that answers it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network

from appliance.admission import Opening
from appliance.config.model import ANY, Operator, Ports, Service
from appliance.errors import Place
from appliance.policy.pool import Pool
from appliance.protocol import TCP, UDP

MAX_BLOCKS = 1024
"""Of one line: networks as large as one step of the kernel can translate."""

MAX_PORTS = 128
"""Of a range that becomes another one, for each port of which the kernel has rules of its own."""


class Untranslatable(Exception):
    """A `nat` that cannot translate as written.

    Args:
        problem: what is wrong.
        remedy: what would be right.
    """

    def __init__(self, problem: str, remedy: str) -> None:
        super().__init__(problem)
        self.problem = problem
        self.remedy = remedy


@dataclass(frozen=True, slots=True)
class Block:
    """Addresses that become as many others, one by one."""

    before: IPv4Network
    after: IPv4Network

    @property
    def keeps(self) -> bool:
        """Whether they stay as they are."""
        return self.before == self.after

    @property
    def mirror(self) -> Block:
        """The way back."""
        return Block(self.after, self.before)

    def changed(self, address: IPv4Address) -> IPv4Address:
        """What one of its addresses becomes."""
        return self.after[int(address) - int(self.before.network_address)]


@dataclass(frozen=True, slots=True)
class PortChange:
    """Ports that a way is of, and what becomes of them.

    Args:
        protocol: 6 or 17.
        source: the source port before and after, None for any as it is.
        destination: the destination port before and after.
    """

    protocol: int
    source: tuple[Ports, Ports] | None
    destination: tuple[Ports, Ports] | None

    @property
    def mirror(self) -> PortChange:
        """The way back."""

        def turned(ports: tuple[Ports, Ports] | None) -> tuple[Ports, Ports] | None:
            return (ports[1], ports[0]) if ports else None

        return PortChange(self.protocol, turned(self.destination), turned(self.source))

    def takes(self, protocol: int, source: int, destination: int) -> bool:
        """Whether it is of a packet with these ports."""
        return protocol == self.protocol and all(
            ports is None or port in ports[0]
            for ports, port in ((self.source, source), (self.destination, destination))
        )


def changed_port(ports: tuple[Ports, Ports] | None) -> int:
    """The port that another becomes, 0 where it stays.

    Args:
        ports: before and after.
    """
    return ports[1].low if ports and ports[0] != ports[1] else 0


def is_any_changed(changes: Iterable[tuple[Ports, Ports] | None]) -> bool:
    """Whether any of some ports, before and after, become others."""
    return any(changed_port(each) for each in changes)


@dataclass(frozen=True, slots=True)
class Way:
    """A `nat` for packets from one interface to another.

    Args:
        number: counts the ways of a configuration from 1.
        rank: counts its lines, in the order in which they are tried.
        place: where the line stands.
        line: what stands there, as a device prints it.
        ingress: the interface that packets come in by.
        egress: the interface that they leave by.
        outward: whether it goes from the real to the mapped interface.
        sources: the sources that it is of, and what they become; none for any as it is.
        pools: the addresses that the sources share instead, in the order in which they serve.
        dynamic: whether the line translates to such addresses, even if there are none.
        destinations: the destinations that it is of, and what they become; none for any as it is.
        changes: the ports that it is of, by protocol; none for any packet.
        answers: whether the firewall answers ARP for mapped addresses.
    """

    number: int
    rank: int
    place: Place
    line: str
    ingress: str
    egress: str
    outward: bool
    sources: tuple[Block, ...]
    pools: tuple[Pool, ...]
    dynamic: bool
    destinations: tuple[Block, ...]
    changes: tuple[PortChange, ...]
    answers: bool

    def change(self, packet: Opening) -> PortChange | None:
        """What becomes of a packet's ports; None for nothing, or where it is of other ports."""
        return next((each for each in self.changes if each.takes(*_ports(packet))), None)

    def takes(self, packet: Opening) -> bool:
        """Whether it is of a packet, as it is where it enters."""
        return (
            (not self.changes or self.change(packet) is not None)
            and (not self.sources or block_of(self.sources, packet.source) is not None)
            and (
                not self.destinations or block_of(self.destinations, packet.destination) is not None
            )
        )

    def block(self, destination: IPv4Address) -> Block | None:
        """The block of a destination, None for one that it does not translate."""
        return block_of(self.destinations, destination)

    def destination(self, packet: Opening) -> tuple[IPv4Address, int]:
        """What the destination of a packet becomes that it takes."""
        block = self.block(packet.destination)
        address = block.changed(packet.destination) if block else packet.destination
        change = self.change(packet)
        return address, changed_port(change.destination if change else None) or (
            packet.destination_port
        )

    def source(self, packet: Opening) -> tuple[IPv4Address, int]:
        """What the source of a packet becomes that it takes."""
        change = self.change(packet)
        port = changed_port(change.source if change else None) or packet.source_port
        if self.dynamic:
            pool = self.pool(packet.protocol, packet.icmp_type)
            return (pool.address(packet.source) if pool else packet.source), port
        block = block_of(self.sources, packet.source)
        return (block.changed(packet.source) if block else packet.source), port

    def pool(self, protocol: int, icmp_type: int) -> Pool | None:
        """The addresses that serve a packet; None for none."""
        return next((each for each in self.pools if each.serves(protocol, icmp_type)), None)

    def keeps_destination(self, packet: Opening) -> bool:
        """Whether the destination of a packet that it takes stays as it is."""
        return self.destination(packet) == (packet.destination, packet.destination_port)

    def addressed(self, protocol: int, address: IPv4Address, port: int) -> tuple[IPv4Address, int]:
        """How a destination was addressed that it has translated; unchanged if it has not.

        Args:
            protocol: IP protocol number.
            address: the destination after translation.
            port: its port.
        """
        block = block_of(tuple(each.mirror for each in self.destinations), address)
        if block is None:
            return address, port
        for change in self.changes:
            if change.protocol == protocol and change.destination:
                before, after = change.destination
                if port in after and before != after:
                    return block.changed(address), before.low
        return block.changed(address), port


def _ports(packet: Opening) -> tuple[int, int, int]:
    return packet.protocol, packet.source_port, packet.destination_port


def block_of(blocks: Sequence[Block], address: IPv4Address) -> Block | None:
    """The first block that has an address before translation."""
    return next((each for each in blocks if address in each.before), None)


def blocks(before: Iterable[IPv4Network], after: Iterable[IPv4Network]) -> tuple[Block, ...]:
    """Addresses in their order, each with what it becomes.

    Where there are more of those to become, the others begin again.

    Args:
        before: the ones.
        after: the others.

    Raises:
        Untranslatable: there are too few of the others, or more than can be told apart.
    """
    ones, others = tuple(before), tuple(after)
    if ones == others:
        return tuple(Block(each, each) for each in ones)
    size, wanted = (sum(each.num_addresses for each in both) for both in (ones, others))
    if wanted < size:
        raise Untranslatable(
            f"{size} addresses cannot each become one of {wanted}",
            "name as many mapped addresses as there are real ones",
        )
    found: list[Block] = []
    sources = _repeated(ones)
    start, left = 0, 0
    for network in others:
        at, remaining = int(network.network_address), network.num_addresses
        while remaining:
            if not left:
                one = next(sources)
                start, left = int(one.network_address), one.num_addresses
            bits = min(_alignment(start), _alignment(at))
            step = 1 << min(bits, left.bit_length() - 1, remaining.bit_length() - 1)
            length = 32 - (step.bit_length() - 1)
            found.append(Block(IPv4Network((start, length)), IPv4Network((at, length))))
            if len(found) > MAX_BLOCKS:
                raise Untranslatable(
                    "these addresses do not become each other network by network",
                    f"name networks or ranges that begin alike; {MAX_BLOCKS} pieces are possible",
                )
            start, at = start + step, at + step
            left, remaining = left - step, remaining - step
    return tuple(found)


def layers(found: Sequence[Block]) -> tuple[tuple[Block, ...], ...]:
    """Blocks apart, so that in each part what they become tells what they were.

    Args:
        found: blocks that begin again where there are more of those to become.
    """
    made: list[list[Block]] = []
    for each in found:
        if not made or each.before[0] == found[0].before[0]:
            made.append([])
        made[-1].append(each)
    return tuple(map(tuple, made))


def _repeated(networks: Sequence[IPv4Network]) -> Iterator[IPv4Network]:
    while True:
        yield from networks


def _alignment(address: int) -> int:
    """How many of the last bits of an address are 0."""
    return 32 if not address else (address & -address).bit_length() - 1


def port_changes(before: Sequence[Service], after: Sequence[Service]) -> tuple[PortChange, ...]:
    """What two service objects say of ports.

    Args:
        before: the services of the one.
        after: those of the other.

    Raises:
        Untranslatable: they differ in more than in ports, one or a range.
    """
    if [each.protocol for each in before] != [each.protocol for each in after]:
        raise Untranslatable(
            "the two service objects are of different protocols", "name services of one protocol"
        )
    return tuple(
        PortChange(one.protocol or 0, source, destination)
        for one, other in zip(before, after, strict=True)
        if _has_ports(one)
        for source in _pairs(one.source_ports, other.source_ports)
        for destination in _pairs(one.destination_ports, other.destination_ports)
    )


def _has_ports(service: Service) -> bool:
    if service.protocol not in (TCP, UDP):
        raise Untranslatable(
            "only services of TCP and UDP can be translated", "write `service tcp` or `udp`"
        )
    return True


def _pairs(before: Ports | None, after: Ports | None) -> tuple[tuple[Ports, Ports] | None, ...]:
    """Ports and what they become, a range that becomes another one port by port."""
    if before is None and after is None:
        return (None,)
    if before is None or after is None:
        raise Untranslatable(
            "one of the two service objects says a port that the other one does not",
            "write `source` in both, or `destination` in both",
        )
    if before == after or (before.operator, after.operator) == (Operator.EQ, Operator.EQ):
        return ((before, after),)
    if (before.operator, after.operator) != (Operator.RANGE, Operator.RANGE):
        raise Untranslatable(
            "only ports that are named one by one, or as a range, can become others",
            "write `eq PORT`, or `range FIRST LAST`, in both service objects",
        )
    sizes = [each.high - each.low + 1 for each in (before, after)]
    if sizes[0] != sizes[1]:
        raise Untranslatable(
            f"{sizes[0]} ports cannot become {sizes[1]} others", "name as many ports in both"
        )
    if sizes[0] > MAX_PORTS:
        raise Untranslatable(
            f"a range of more than {MAX_PORTS} ports cannot become another one",
            "name fewer ports, or the same range in both service objects",
        )
    return tuple(
        (
            Ports(Operator.EQ, before.low + number, before.low + number),
            Ports(Operator.EQ, after.low + number, after.low + number),
        )
        for number in range(sizes[0])
    )


def single_hosts(found: Sequence[Block], changes: bool) -> tuple[Block, ...]:
    """Blocks of one host each, where ports change: a network keeps its ports.

    Args:
        found: blocks.
        changes: whether ports change.

    Raises:
        Untranslatable: they would be too many.
    """
    if not changes or all(each.before.prefixlen == 32 for each in found):
        return tuple(found)
    if sum(each.before.num_addresses for each in found) > MAX_BLOCKS:
        raise Untranslatable(
            f"ports of more than {MAX_BLOCKS} hosts cannot be translated",
            "name fewer hosts, or the same port in both service objects",
        )
    return tuple(
        Block(IPv4Network(before), IPv4Network(each.changed(before)))
        for each in found
        for before in each.before
    )


ANY_BLOCK = Block(ANY, ANY)
