"""All translations of a configuration of 8.3 or later, and which of them a packet gets."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv4Network
from itertools import chain

from appliance.admission import Opening
from appliance.config.model import (
    Configuration,
    Nested,
    ObjectName,
    Operator,
    Ports,
    Service,
    ServiceObject,
)
from appliance.config.object_nat import OWN, printed_twice
from appliance.config.objects import (
    ANYTHING,
    AddressRange,
    Mapped,
    NetworkObject,
    ObjectNat,
    TwiceNat,
    networks,
)
from appliance.errors import Finding, FindingsError, Place
from appliance.events import Endpoint
from appliance.policy.pool import Pool
from appliance.policy.routing import Routing
from appliance.policy.translation import MAX_TRANSLATIONS
from appliance.policy.ways import (
    ANY_BLOCK,
    Block,
    PortChange,
    Untranslatable,
    Way,
    block_of,
    blocks,
    changed_port,
    is_any_changed,
    layers,
    port_changes,
    single_hosts,
)


@dataclass(frozen=True, slots=True)
class StandIn:
    """Addresses that only the firewall answers to.

    Args:
        first: the first one.
        last: the last one.
        interface: the interface that leads to them.
        inner: the interface that they are translated for.
        place: where the line stands that says so.
        answers: whether ARP is answered for them.
    """

    first: IPv4Address
    last: IPv4Address
    interface: str
    inner: str
    place: Place
    answers: bool

    def __contains__(self, address: IPv4Address) -> bool:
        return self.first <= address <= self.last


class ObjectTranslations:
    """The `nat` of objects and of sources, as ways in the order in which they are tried.

    Args:
        configuration: what the rule file says.
        routing: its routing table.

    Raises:
        FindingsError: a line that cannot translate anything as written.
    """

    def __init__(self, configuration: Configuration, routing: Routing) -> None:
        self._routing = routing
        self._objects = {each.name: each for each in configuration.objects}
        self._groups = {each.name: each for each in configuration.object_groups}
        self._names = tuple(
            each.name for each in configuration.interfaces if routing.interface(each.name)
        )
        ways: list[Way] = []
        findings: list[Finding] = []
        for rank, (place, line, nat, real) in enumerate(_ranked(configuration), 1):
            try:
                ways += self._ways(len(ways), rank, place, line, nat, real)
            except Untranslatable as wrong:
                findings.append(Finding(place, wrong.problem, wrong.remedy))
            if len(ways) > MAX_TRANSLATIONS:
                problem, remedy = "too many translations", f"there may be {MAX_TRANSLATIONS}"
                findings.append(Finding(place, problem, remedy))
                break
        if findings:
            raise FindingsError(tuple(findings))
        self.ways = tuple(ways)
        """In the order in which they are tried."""
        self._numbered = {each.number: each for each in ways}
        self._between: dict[tuple[str, str], tuple[Way, ...]] = {}
        for way in ways:
            pair = (way.ingress, way.egress)
            self._between[pair] = (*self._between.get(pair, ()), way)
        self.stand_ins = tuple(dict.fromkeys(chain.from_iterable(map(self._stand_ins, ways))))
        """Addresses that only the firewall answers to."""

    def numbered(self, number: int) -> Way | None:
        """The way of that number, None if there is none."""
        return self._numbered.get(number)

    def between(self, ingress: str, egress: str) -> tuple[Way, ...]:
        """The ways of what goes from one interface to another, in their order."""
        return self._between.get((ingress, egress), ())

    def entering(self, ingress: str) -> Iterator[Way]:
        """The ways that look at the destination of what comes in by an interface, in order."""
        for way in self.ways:
            if way.ingress == ingress and way.destinations:
                yield way

    def of_destination(self, packet: Opening) -> Way | None:
        """The way that translates the destination of a packet as it enters.

        The first line that knows the destination, even if it leaves it as it is; the interface
        that the packet leaves by picks the way of a line that is of several.
        """
        kept = False
        found: Way | None = None
        for way in self.entering(packet.ingress):
            if found and way.rank != found.rank:
                break
            if not way.takes(packet) or (
                found and way.destination(packet) != found.destination(packet)
            ):
                continue
            address, _ = way.destination(packet)
            leads = self._routing.towards(address)
            fits = leads is not None and leads.name == way.egress
            if way.keeps_destination(packet):
                if fits:
                    return way
                kept = True
            elif not kept:
                if fits:
                    return way
                found = found or way
        return found

    def of_source(self, packet: Opening, egress: str, destination: Way | None) -> Way | None:
        """The way that translates the source of a packet.

        Args:
            packet: as it enters.
            egress: the interface that it leaves by.
            destination: the way that translates its destination.
        """
        for way in self.between(packet.ingress, egress):
            if way.outward and way.takes(packet):
                return way
            if way is destination and not way.outward and way.sources:
                return way
        return None

    def of_answers(self, packet: Opening, egress: str) -> Way | None:
        """The way that would translate the source of the packets that answer one.

        Args:
            packet: as it is after its destination has been translated.
            egress: the interface that it leaves by.
        """
        for way in self.between(egress, packet.ingress):
            if way.outward and _takes_answers(way, packet):
                return way
        return None

    def as_addressed(self, packet: Opening, number: int) -> Opening:
        """A packet with the destination that it had on the wire.

        Args:
            packet: with its real destination.
            number: of the way that the kernel has applied, 0 for none.
        """
        way = self.numbered(number)
        if way is None or not way.destinations:
            return packet
        port = packet.destination_port
        address, port = way.addressed(packet.protocol, packet.destination, port)
        return replace(packet, destination=address, destination_port=port)

    def ends(self, packet: Opening, number: int) -> tuple[Endpoint, Endpoint]:
        """The ends of a connection, of which the kernel has translated the destination.

        Args:
            packet: its first one, with its real destination.
            number: of the way that the connection mark has.
        """
        addressed = self.as_addressed(packet, number)
        way = self.of_source(addressed, packet.egress, self.numbered(number))
        client = (packet.source, packet.source_port)
        mapped = way.source(addressed) if way else client
        server = (packet.destination, packet.destination_port)
        return (
            Endpoint(packet.ingress, *client, *mapped),
            Endpoint(packet.egress, *server, addressed.destination, addressed.destination_port),
        )

    def standing_in(self, address: IPv4Address) -> StandIn | None:
        """What the firewall alone answers to, if an address is of it."""
        return next((each for each in self.stand_ins if address in each), None)

    def real_of(self, address: IPv4Address, port: int, protocol: int) -> tuple[IPv4Address, int]:
        """The real address of a mapped one that the firewall alone answers to."""
        for way in self.ways:
            block = block_of(way.destinations, address)
            if way.outward or block is None or not self._stands_in(way, block):
                continue
            if not way.changes:
                return block.changed(address), port
            for change in way.changes:
                ports = change.destination
                if change.protocol == protocol and (ports is None or port in ports[0]):
                    return block.changed(address), changed_port(ports) or port
        return address, port

    def mapped_of(
        self, address: IPv4Address, port: int, protocol: int, ingress: str, egress: str
    ) -> tuple[IPv4Address, int]:
        """How a real destination is addressed by what goes from one interface to another."""
        for way in self.between(ingress, egress):
            if not way.outward and not way.sources:
                addressed = way.addressed(protocol, address, port)
                if addressed != (address, port):
                    return addressed
        return address, port

    def _stands_in(self, way: Way, block: Block) -> bool:
        leads = self._routing.towards(block.before.network_address)
        return not block.keeps and leads is not None and leads.name == way.ingress

    def _stand_ins(self, way: Way) -> Iterator[StandIn]:
        for block in way.destinations:
            if self._stands_in(way, block):
                first, last = block.before[0], block.before[-1]
                yield StandIn(first, last, way.ingress, way.egress, way.place, way.answers)
        for pool in way.pools:
            leads = self._routing.towards(pool.first)
            if leads and leads.name == way.egress and not self._routing.owner(pool.first):
                yield StandIn(
                    pool.first, pool.last, way.egress, way.ingress, way.place, way.answers
                )

    def _ways(
        self, count: int, rank: int, place: Place, line: str, nat: ObjectNat | TwiceNat, real: str
    ) -> Iterator[Way]:
        """The ways of a line, for each pair of interfaces that it is of."""
        destination = nat.destination if isinstance(nat, TwiceNat) else None
        changes = self._changes(nat)
        for one in self._sides(nat.real_interface):
            for other in self._sides(nat.mapped_interface):
                sources, pools = self._sources(nat, real, other)
                behind = self._destinations(destination, one)
                if sources is None or behind is None:
                    continue  # an interface that has no address to translate to
                _check_ports(changes, behind, nat)
                sources = single_hosts(sources, is_any_changed(c.source for c in changes))
                behind = single_hosts(behind, is_any_changed(c.destination for c in changes))
                way = Way(
                    count + 1,
                    rank,
                    place,
                    line,
                    one,
                    other,
                    True,
                    layers(sources)[0],
                    pools,
                    nat.dynamic,
                    behind,
                    changes,
                    "no-proxy-arp" not in nat.flags,
                )
                count += 1
                yield way
                if nat.dynamic or "unidirectional" in nat.flags:
                    continue
                # Each by a number of its own, which tells how something was addressed.
                for layer in layers(sources):
                    count += 1
                    yield replace(
                        way,
                        number=count,
                        ingress=other,
                        egress=one,
                        outward=False,
                        sources=tuple(each.mirror for each in behind),
                        destinations=tuple(each.mirror for each in layer),
                        changes=tuple(each.mirror for each in changes),
                    )

    def _sides(self, name: str) -> tuple[str, ...]:
        if name == ANYTHING:
            return self._names
        return (name,) if name in self._names else ()

    def _own(self, interface: str) -> IPv4Address | None:
        found = self._routing.interface(interface)
        return found.address if found else None

    def _sources(
        self, nat: ObjectNat | TwiceNat, real: str, interface: str
    ) -> tuple[tuple[Block, ...] | None, tuple[Pool, ...]]:
        """What the sources become, block by block, or the pools that they share."""
        before = (ANY_BLOCK.before,) if real == ANYTHING else self._networks(real)
        mapped = nat.mapped
        if nat.dynamic:
            return tuple(Block(each, each) for each in before), self._pools(mapped, interface)
        if mapped.own:
            own = self._own(interface)
            return (blocks(before, (IPv4Network(own),)) if own else None), ()
        if mapped.address:
            return blocks(before, self._from(mapped.address, real, before)), ()
        after = (ANY_BLOCK.before,) if mapped.name == ANYTHING else self._networks(mapped.name)
        return blocks(before, after), ()

    def _from(
        self, first: IPv4Address, real: str, before: tuple[IPv4Network, ...]
    ) -> tuple[IPv4Network, ...]:
        """As many addresses as an object has: the network of its mask, or from the first one on."""
        named = self._objects[real]
        if isinstance(named, NetworkObject) and isinstance(named.value, IPv4Network):
            return (IPv4Network((first, named.value.prefixlen), strict=False),)
        size = sum(each.num_addresses for each in before)
        if int(first) + size > 1 << 32:
            problem = f"there are not {size} addresses from {first} on"
            raise Untranslatable(problem, "name a lower one")
        return networks(AddressRange(first, first + (size - 1)))

    def _destinations(
        self, destination: tuple[str, str] | None, interface: str
    ) -> tuple[Block, ...] | None:
        if destination is None or ANYTHING in destination:
            return ()
        addressed, behind = destination
        real = self._networks(behind)
        if addressed == OWN:
            own = self._own(interface)
            if own is None:
                return None
            before: tuple[IPv4Network, ...] = (IPv4Network(own),)
        else:
            before = self._networks(addressed)
        sizes = [sum(each.num_addresses for each in both) for both in (before, real)]
        if sizes[0] != sizes[1]:
            raise Untranslatable(
                f"{sizes[0]} destinations cannot become {sizes[1]} others",
                "name as many real destinations as there are addressed ones",
            )
        return blocks(before, real)

    def _pools(self, mapped: Mapped, interface: str) -> tuple[Pool, ...]:
        pools = [Pool(mapped.address, mapped.address, True)] if mapped.address else []
        if mapped.name:
            spans = list(self._spans(mapped.name))
            pools += [Pool(first, last, mapped.pooled or first == last) for first, last in spans]
            pools.sort(key=lambda each: each.first == each.last)
        own = self._own(interface)
        if mapped.own and own:
            pools.append(Pool(own, own, True))
        return tuple(pools)

    def _spans(self, name: str) -> Iterator[tuple[IPv4Address, IPv4Address]]:
        """The addresses of an object or a group, from first to last of each of its members."""
        for value in self._values(name):
            if isinstance(value, AddressRange):
                yield value.first, value.last
            else:
                if value.prefixlen < 32:
                    raise Untranslatable(
                        f"{value} is a network, whose addresses are not given to hosts in turn",
                        "name an object with `range FIRST LAST` in its place",
                    )
                yield value[0], value[0]

    def _networks(self, name: str) -> tuple[IPv4Network, ...]:
        return tuple(each for value in self._values(name) for each in networks(value))

    def _values(self, name: str) -> Iterator[IPv4Network | AddressRange]:
        named = self._objects.get(name)
        if isinstance(named, NetworkObject) and isinstance(named.value, IPv4Network | AddressRange):
            yield named.value
        group = self._groups.get(name)
        for member in group.members if group else ():
            if isinstance(member, IPv4Network):
                yield member
            elif isinstance(member, Nested):
                yield from self._values(member.name)
            elif isinstance(member, ObjectName):
                yield from self._values(member.object_name)

    def _changes(self, nat: ObjectNat | TwiceNat) -> tuple[PortChange, ...]:
        if isinstance(nat, ObjectNat):
            if nat.protocol is None:
                return ()
            before, after = (
                Ports(Operator.EQ, port, port) for port in (nat.real_port, nat.mapped_port)
            )
            return (PortChange(nat.protocol, (before, after), None),)
        if nat.services is None or nat.services == (ANYTHING, ANYTHING):
            return ()
        return port_changes(*(self._services(each) for each in nat.services))

    def _services(self, name: str) -> tuple[Service, ...]:
        named = self._objects.get(name)
        if isinstance(named, ServiceObject):
            return named.services
        raise Untranslatable("`any` service cannot become another", "name a service twice")


def _takes_answers(way: Way, packet: Opening) -> bool:
    """Whether an outward way is of the packets that answer one, by real addresses of both ends."""
    if way.sources and block_of(way.sources, packet.destination) is None:
        return False
    behind = way.destinations
    if behind and block_of([each.mirror for each in behind], packet.source) is None:
        return False
    ports = packet.protocol, packet.source_port, packet.destination_port
    return not way.changes or any(_answers(each, *ports) for each in way.changes)


def _answers(change: PortChange, protocol: int, source: int, destination: int) -> bool:
    """Whether a change is of what answers a packet with these ports, its destination a real one."""
    return protocol == change.protocol and all(
        ports is None or port in ports[which]
        for ports, port, which in ((change.source, destination, 0), (change.destination, source, 1))
    )


def _check_ports(
    changes: tuple[PortChange, ...], behind: tuple[Block, ...], nat: ObjectNat | TwiceNat
) -> None:
    for each in changes:
        if changed_port(each.destination) and not behind:
            raise Untranslatable(
                "the port of a destination is translated with the destination alone",
                "write `destination static ADDRESSED REAL`",
            )
        if nat.dynamic and changed_port(each.source):
            raise Untranslatable(
                "hosts that share addresses cannot all have the same source port",
                "write `source static`, or the same service twice",
            )


def _ranked(
    configuration: Configuration,
) -> Iterator[tuple[Place, str, ObjectNat | TwiceNat, str]]:
    """The lines that are in force, in the order in which they are tried, and their real ends."""
    active = [each for each in configuration.twice_nats if each.is_active]
    for nat in active:
        if not nat.after_objects:
            yield nat.place, printed_twice(nat), nat, nat.real
    translated = [
        each for each in configuration.objects if isinstance(each, NetworkObject) and each.nat
    ]
    for each in sorted(translated, key=_precedence):
        assert each.nat is not None  # noqa: S101  picked above
        yield each.nat.place, each.heading, each.nat, each.name
    for nat in active:
        if nat.after_objects:
            yield nat.place, printed_twice(nat), nat, nat.real


def _precedence(named: NetworkObject) -> tuple[bool, int, int, str]:
    """Static before dynamic, fewest addresses first, then the lowest one, then by name."""
    found = networks(named.value)
    return (
        bool(named.nat and named.nat.dynamic),
        sum(each.num_addresses for each in found),
        int(found[0].network_address) if found else 0,
        named.name,
    )
