"""What translates addresses: `static` and `alias`, one to one, and `nat`, to those of `global`."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv4Network
from typing import TypeAlias

from appliance.admission import Opening
from appliance.config.model import (
    ANY,
    Configuration,
    Global,
    Interface,
    Nat,
    Operator,
    Rule,
    Static,
)
from appliance.errors import Finding, FindingsError, Place
from appliance.limits import UNLIMITED, Limits
from appliance.policy.access_list import matches
from appliance.policy.alias import as_static, naming
from appliance.policy.pool import Pool
from appliance.policy.routing import Routing
from appliance.protocol import TCP, UDP

MAX_TRANSLATIONS = 0x3FFF
"""A translation's number is kept in 14 bits of the connection mark; 0 stands for none."""


@dataclass(frozen=True, slots=True)
class Translation:
    """A `static`, one line of the access list of one, or an `alias`, its addresses known.

    Args:
        number: counts the translations of a configuration from 1.
        static: the command, or what does the same as it.
        real: what is translated.
        real_port: port of the form with ports, else 0.
        mapped: what it maps to; for the `interface` form, the interface's own address.
        peers: the other ends that it is for.
        stands_in: whether routes lead to the mapped addresses on the mapped side, so that no host
            but the firewall answers to them. (Where a static maps addresses to themselves, or to
            others of the real side, they do not.)
        place: where the line stands that says it.
        command: what it is, "static".
    """

    number: int
    static: Static
    real: IPv4Network
    real_port: int
    mapped: IPv4Network
    peers: IPv4Network
    stands_in: bool
    place: Place
    command: str = "static"

    keeps = False

    def takes_mapped(self, protocol: int, address: IPv4Address, port: int) -> bool:
        """Whether it translates what is sent to this mapped address and port."""
        return address in self.mapped and self._takes(protocol, port, self.static.mapped_port)

    def takes_real(self, protocol: int, address: IPv4Address, port: int) -> bool:
        """Whether it translates what comes from (or goes to) this real address and port."""
        return address in self.real and self._takes(protocol, port, self.real_port)

    def _takes(self, protocol: int, port: int, own_port: int) -> bool:
        return self.static.protocol is None or (self.static.protocol, own_port) == (protocol, port)

    def to_real(self, address: IPv4Address, port: int) -> tuple[IPv4Address, int]:
        """The real address and port of a mapped address and port that it takes."""
        place = int(address) - int(self.mapped.network_address)
        return self.real[place], self.real_port or port

    def to_mapped(self, address: IPv4Address, port: int) -> tuple[IPv4Address, int]:
        """The mapped address and port of a real address and port that it takes."""
        place = int(address) - int(self.real.network_address)
        return self.mapped[place], self.static.mapped_port or port

    def limits(self, protocol: int, mapped: IPv4Address) -> Limits:
        """The limits on connections that begin on the mapped side.

        They hold for each address by itself (message 201002 names a global address).

        Args:
            protocol: IP protocol number.
            mapped: the mapped address that they go to.
        """
        static = self.static
        target = (static.mapped_interface, mapped, protocol, static.mapped_port)
        limits = UNLIMITED
        if protocol == TCP:
            limits = Limits(target, static.max_connections, static.embryonic_limit)
        elif protocol == UDP:
            limits = Limits(target, static.udp_connections)
        return limits or UNLIMITED


@dataclass(frozen=True, slots=True)
class Dynamic:
    """A `nat`, its access list and its pools known.

    Args:
        number: counts the translations of a configuration from 1.
        nat: the command.
        rules: its access list, None where it has a network.
        pools: the addresses of its number on each interface, in the order in which they serve.
    """

    number: int
    nat: Nat
    rules: tuple[Rule, ...] | None
    pools: tuple[tuple[str, tuple[Pool, ...]], ...]

    @property
    def place(self) -> Place:
        """Where it stands."""
        return self.nat.place

    @property
    def keeps(self) -> bool:
        """Whether addresses stay as they are."""
        return self.nat.number == 0

    @property
    def exempts(self) -> bool:
        """Whether it is a `nat 0 access-list`, which is for what either side begins."""
        return self.keeps and self.rules is not None

    def takes(self, packet: Opening) -> bool:
        """Whether it speaks of a packet that comes from its side."""
        if self.rules is None:
            return self.nat.network is not None and packet.source in self.nat.network
        rule = next((each for each in self.rules if matches(each, packet)), None)
        return rule is not None and rule.permit

    def pools_on(self, interface: str) -> tuple[Pool, ...]:
        """The addresses that it has on an interface, in the order in which they serve."""
        return next((pools for name, pools in self.pools if name == interface), ())

    def pool(self, interface: str, protocol: int, icmp_type: int) -> Pool | None:
        """The addresses that serve a packet which leaves by an interface; None for none."""
        return next(
            (each for each in self.pools_on(interface) if each.serves(protocol, icmp_type)), None
        )

    def limits(self, protocol: int) -> Limits:
        """The limits on connections that it translates, all of them together.

        Args:
            protocol: IP protocol number.
        """
        if protocol != TCP:
            return UNLIMITED
        limits = Limits(
            ("nat", self.number), self.nat.max_connections, self.nat.embryonic_limit, True
        )
        return limits or UNLIMITED


AnyTranslation: TypeAlias = Translation | Dynamic


class Translations:
    """All translations of a configuration, and which of them a packet gets.

    The order is the vendor's: exemptions, then statics in the order of the file (and after them,
    which is our own choice, each `alias`), then `nat` with an
    access list in that order, then `nat` of the smallest network.

    Args:
        configuration: what the rule file says.
        routing: its routing table.

    Raises:
        FindingsError: a static that cannot translate anything as written.
    """

    def __init__(self, configuration: Configuration, routing: Routing) -> None:
        self._interfaces = {each.name: each for each in configuration.interfaces}
        self._routing = routing
        self._lists = {each.name: each.rules for each in configuration.access_lists}
        findings: list[Finding] = []
        made = self._made(configuration.statics, findings)
        self.statics = (*made, *self._aliased(configuration, len(made) + 1, findings))
        if findings:
            raise FindingsError(tuple(findings))
        pools = self._pools(configuration.globals)
        nats = [
            Dynamic(
                number,
                nat,
                self._lists[nat.access_list] if nat.access_list else None,
                tuple((name, each) for (own, name), each in pools.items() if own == nat.number),
            )
            for number, nat in enumerate(configuration.nats, len(self.statics) + 1)
        ]
        nats.sort(key=_precedence)
        self.nats = tuple(nats)
        """In the order in which they are tried."""
        self.stand_ins = tuple(
            (each, pool)
            for each in configuration.globals
            if (pool := self._pool(each)) and self._is_outside(each.interface, pool.first)
        )
        """Pools that the firewall answers to for others."""
        every: tuple[AnyTranslation, ...] = (*self.statics, *self.nats)
        self._all = {each.number: each for each in every}
        if len(self._all) > MAX_TRANSLATIONS:
            place = max((each.place for each in self._all.values()), key=lambda p: p.line)
            problem, remedy = "too many translations", f"there may be {MAX_TRANSLATIONS}"
            raise FindingsError((Finding(place, problem, remedy),))

    def _is_outside(self, interface: str, address: IPv4Address) -> bool:
        """Whether an address is one of a network on an interface, and not that of the interface."""
        leads = self._routing.towards(address)
        return leads is not None and leads.name == interface and not self._routing.owner(address)

    def _pool(self, written: Global) -> Pool | None:
        if written.first is not None:
            shared = written.last is None
            return Pool(written.first, written.last or written.first, shared)
        own = self._interfaces[written.interface].address
        return Pool(own, own, True) if own else None

    def _pools(self, written: Iterable[Global]) -> dict[tuple[int, str], tuple[Pool, ...]]:
        """The pools of each number and interface: ranges, then addresses, then the interface's."""

        def rank(each: Global) -> int:
            return 0 if each.last else 1 if each.first else 2

        pools: dict[tuple[int, str], tuple[Pool, ...]] = {}
        for each in sorted(written, key=rank):
            if pool := self._pool(each):
                key = (each.number, each.interface)
                pools[key] = (*pools.get(key, ()), pool)
        return pools

    def _made(self, statics: Iterable[Static], findings: list[Finding]) -> tuple[Translation, ...]:
        made: list[Translation] = []
        for static in statics:
            outer = self._interfaces[static.mapped_interface]
            mapped = static.mapped
            if mapped is None and outer.address:
                mapped = IPv4Network(outer.address)
            if mapped is None:
                problem = f"{outer.name} has no address to translate to"
                remedy = f"give it one: ip address {outer.name} ADDRESS MASK"
                findings.append(Finding(static.place, problem, remedy))
                continue
            if static.access_list:
                made += self._of_list(static, mapped, len(made) + 1, findings)
            elif mapped.prefixlen != static.real.prefixlen:
                problem = f"{mapped} and {static.real} differ in size"
                remedy = "one mask serves both networks of a static"
                findings.append(Finding(static.place, problem, remedy))
            elif static.protocol is not None and mapped.prefixlen != 32:
                problem = f"one port of all of {mapped} cannot be translated"
                remedy = "a static with a protocol and ports translates one host"
                findings.append(Finding(static.place, problem, remedy))
            else:
                ends = (static.real, static.real_port, mapped, ANY)
                made.append(self._translation(len(made) + 1, static, *ends, static.place))
        return tuple(made)

    def _aliased(
        self, configuration: Configuration, number: int, findings: list[Finding]
    ) -> Iterator[Translation]:
        """What each `alias` translates, but for those that are there for DNS answers alone."""
        for alias in configuration.aliases:
            if naming(alias, configuration):
                continue
            leads = self._routing.towards(alias.foreign.network_address)
            if leads is None:
                problem = f"no interface that is up leads to {alias.foreign}"
                findings.append(Finding(alias.place, problem, "write a `route` to it"))
                continue
            static = as_static(alias, leads.name)
            ends = (alias.foreign, 0, alias.alternate, ANY)
            made = self._translation(number, static, *ends, alias.place)
            yield replace(made, command="alias")
            number += 1

    def _of_list(
        self, static: Static, mapped: IPv4Network, number: int, findings: list[Finding]
    ) -> Iterator[Translation]:
        """The translations that the lines of a static's access list say."""
        for rule in self._lists[static.access_list]:
            ports = rule.source_ports
            problem = ""
            network = IPv4Network((mapped.network_address, rule.source.prefixlen), strict=False)
            if not rule.permit:
                problem = "a line of the access list of a static that denies"
            elif rule.protocol != static.protocol or rule.destination_ports or rule.icmp_type:
                problem = "the static does not translate what this line of its access list says"
            elif static.protocol is None and ports:
                problem = "a port in the access list of a static without ports"
            elif static.protocol is not None and (
                ports is None or ports.operator is not Operator.EQ or rule.source.prefixlen != 32
            ):
                problem = "a static with ports needs one host and one port in its access list"
            elif network.network_address != mapped.network_address:
                problem = f"{mapped.network_address} is no network as large as {rule.source}"
            elif static.mapped is None and rule.source.prefixlen != 32:
                problem = "only one host can be translated to an interface's address"
            if problem:
                remedy = "write lines of `permit ip HOST-OR-NETWORK PEERS`"
                if static.protocol is not None:
                    remedy = "write `permit tcp host HOST eq PORT PEERS`, or udp"
                findings.append(Finding(rule.place, problem, remedy))
                continue
            real_port = ports.low if ports else 0
            yield self._translation(
                number, static, rule.source, real_port, network, rule.destination, rule.place
            )
            number += 1

    def _translation(
        self,
        number: int,
        static: Static,
        real: IPv4Network,
        real_port: int,
        mapped: IPv4Network,
        peers: IPv4Network,
        place: Place,
    ) -> Translation:
        leads = self._routing.towards(mapped.network_address)
        outside = leads is not None and leads.name == static.mapped_interface
        stands_in = outside and mapped != real
        return Translation(number, static, real, real_port, mapped, peers, stands_in, place)

    def between(self, interfaces: Container[str]) -> tuple[Translation, ...]:
        """The statics both of whose interfaces (nameif) are among some."""
        return tuple(
            each
            for each in self.statics
            if each.static.real_interface in interfaces
            and each.static.mapped_interface in interfaces
        )

    def numbered(self, number: int) -> AnyTranslation | None:
        """The translation of that number, None if there is none."""
        return self._all.get(number)

    def static_of(self, packet: Opening) -> Translation | None:
        """The static that translates the destination of a packet, as it enters."""
        for each in self.statics:
            if (
                each.static.mapped_interface == packet.ingress
                and packet.source in each.peers
                and each.takes_mapped(packet.protocol, packet.destination, packet.destination_port)
            ):
                return each
        return None

    def exempting(self, packet: Opening, egress: Interface) -> Dynamic | None:
        """The exemption that lets a packet go to the real address of a host behind an interface."""
        back = turned(packet, egress.name)
        return next(
            (
                each
                for each in self.nats_between(egress.name, packet.ingress, exempt=True)
                if each.takes(back)
            ),
            None,
        )

    def of_source(self, packet: Opening, egress: str) -> AnyTranslation | None:
        """What translates the source of a packet that leaves by the interface `egress`."""
        for nat in self.nats_between(packet.ingress, egress, exempt=True):
            if nat.takes(packet):
                return nat
        for static in self.statics_between(packet.ingress, egress):
            if packet.destination in static.peers and static.takes_real(
                packet.protocol, packet.source, packet.source_port
            ):
                return static
        for nat in self.nats_between(packet.ingress, egress, exempt=False):
            if nat.takes(packet):
                return nat
        return None

    def statics_between(self, real: str, mapped: str) -> Iterator[Translation]:
        """The statics of what goes from one interface to another, in their order."""
        for each in self.statics:
            if (each.static.real_interface, each.static.mapped_interface) == (real, mapped):
                yield each

    def nats_between(self, ingress: str, egress: str, exempt: bool) -> Iterator[Dynamic]:
        """The `nat` lines of what goes from one interface to another, in their order.

        Those with `outside` are for what goes to a more secure interface, those without for all
        else.

        Args:
            ingress: the one interface.
            egress: the other.
            exempt: whether those are wanted that exempt from translation, or all others.
        """
        levels = self._interfaces[ingress].level, self._interfaces[egress].level
        for each in self.nats:
            if (
                each.nat.interface == ingress
                and each.nat.outside == (levels[0] < levels[1])
                and each.exempts == exempt
            ):
                yield each

    def standing_in(self, address: IPv4Address) -> Translation | None:
        """The static whose mapped address only the firewall answers to, if it is one."""
        return next(
            (each for each in self.statics if each.stands_in and address in each.mapped), None
        )

    def pooled(self, address: IPv4Address) -> Global | None:
        """The `global` whose address only the firewall answers to, if it is one."""
        return next((each for each, pool in self.stand_ins if address in pool), None)


def turned(packet: Opening, ingress: str) -> Opening:
    """The packet that would answer another.

    Args:
        packet: the one.
        ingress: the interface that the answer would come in by.
    """
    return replace(
        packet,
        source=packet.destination,
        source_port=packet.destination_port,
        destination=packet.source,
        destination_port=packet.source_port,
        ingress=ingress,
    )


def _precedence(nat: Dynamic) -> tuple[int, int]:
    if nat.nat.network is None:
        return (0, 0)
    return (1, -nat.nat.network.prefixlen)
