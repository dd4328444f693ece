"""The `nat` of objects and of sources as `static`, `nat` and `global` of versions before 8.3."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from ipaddress import IPv4Network, summarize_address_range

from appliance.config.model import (
    ANY,
    AccessList,
    Configuration,
    Global,
    Interface,
    Nat,
    Ports,
    Rule,
    Static,
)
from appliance.config.objects import NetworkObject, ObjectNat, TwiceNat
from appliance.convert.crossing import alone, shape
from appliance.convert.identities import identity, reached
from appliance.convert.loss import Loss
from appliance.convert.permits import unused
from appliance.policy.object_nat import ObjectTranslations
from appliance.policy.pool import Pool
from appliance.policy.routing import Routing
from appliance.policy.ways import Block, PortChange, Way

_MOST_SHARED = 64
"""Addresses of a pool that hosts share by ports: each becomes a `global` of its own."""


class Statics:
    """All translations of a configuration of 8.3 or later, as before.

    Args:
        configuration: the whole.

    Raises:
        FindingsError: a `nat` that cannot translate anything as written.
    """

    def __init__(self, configuration: Configuration) -> None:
        self._configuration = configuration
        self.routing = Routing(configuration)
        self.translations = ObjectTranslations(configuration, self.routing)
        self._levels = {each.name: each.level for each in configuration.interfaces}
        nats: list[ObjectNat | TwiceNat] = list(configuration.twice_nats)
        for each in configuration.objects:
            if isinstance(each, NetworkObject) and each.nat:
                nats.append(each.nat)
        self._with_dns = {each.place for each in nats if "dns" in each.flags}
        self._names = [each.name for each in configuration.access_lists]
        self._exempt: dict[tuple[str, bool], list[Rule]] = {}
        self._numbers: dict[tuple[object, ...], int] = {}
        self.statics: list[Static] = []
        self.nats: list[Nat] = []
        self.globals: list[Global] = []
        self.lists: list[AccessList] = []
        self.losses: list[Loss] = []
        self._sides: dict[int, set[str]] = {}
        for way in self.translations.ways:
            if way.outward:
                self._sides.setdefault(way.rank, set()).add(way.ingress)
        lost: set[int] = set()
        for way in self.translations.ways:
            if way.outward and self._may_come(way):
                reason = self._say(way)
                if reason and way.rank not in lost:
                    lost.add(way.rank)
                    self.losses.append(
                        Loss(
                            way.place, f"`{way.line}`, {reason}", "left out: it translates nothing"
                        )
                    )
        self.statics += tuple(self._untranslated())
        for (interface, outside), rules in self._exempt.items():
            name = self._list(f"{interface}_nat0_outbound", tuple(rules))
            place = rules[0].place
            self.nats.insert(
                0, Nat(interface, 0, None, name, outside, False, False, 0, 0, 0, place)
            )

    def _untranslated(self) -> Iterator[Static]:
        """What a `nat` without a `global` on some interface would keep from passing there.

        It passes as it is, which a translation to itself says.
        """
        pools = {(each.interface, each.number) for each in self.globals}
        for nat in self.nats:
            inner = self.routing.interface(nat.interface)
            if nat.network is None or inner is None:
                continue
            networks = [nat.network] if nat.network != ANY else reached(self.routing, inner)
            for network in networks:
                rivals = {
                    each.number
                    for each in self.nats
                    if each.interface == nat.interface
                    and (each.network is None or each.network.overlaps(network))
                }
                for egress in self._configuration.interfaces:
                    if (
                        nat.outside == (inner.level < egress.level)
                        and self._passes(inner, egress)
                        and not any((egress.name, number) in pools for number in rivals)
                    ):
                        yield identity(inner.name, egress.name, network, nat.place)

    def _passes(self, one: Interface, other: Interface) -> bool:
        if one == other:
            return self._configuration.hairpins_pass
        return one.level != other.level or self._configuration.equals_pass

    def _may_come(self, way: Way) -> bool:
        """Whether sources of a way that is of any interface may come in by the one it is of."""
        sides = self._sides[way.rank]
        if way.ingress == way.egress:
            return False
        return len(sides) == 1 or any(
            leads and leads.name == way.ingress
            for each in way.sources or (Block(ANY, ANY),)
            for leads in map(self.routing.towards, (each.before[0], each.before[-1]))
        )

    def _say(self, way: Way) -> str:
        """Say what a way does; why it cannot be said, "" if it can."""
        if any(not each.keeps for each in way.destinations) or any(
            each.destination and each.destination[0] != each.destination[1] for each in way.changes
        ):
            return "which translates the destination, too"
        if way.dynamic:
            return self._dynamic(way)
        if all(each.outward for each in self.translations.ways if each.rank == way.rank):
            return "which translates one way alone"
        sources = way.sources or (Block(ANY, ANY),)
        ports = [each.source for each in way.changes if each.source]
        changed = any(before != after for before, after in ports)
        if all(each.keeps for each in sources) and not changed:
            return self._identity(way, sources)
        if way.changes and not all(_is_one_port(each) for each in way.changes):
            return "which is of some ports alone"
        for block in sources:
            for change in way.changes or (None,):
                self._static(way, block, change)
        return ""

    def _identity(self, way: Way, sources: tuple[Block, ...]) -> str:
        if not way.destinations and not way.changes:
            for block in sources:
                if block.before == ANY:
                    self._exempt_rules(way, sources)
                else:
                    self._static(way, block, None)
            return ""
        self._exempt_rules(way, sources)
        return ""

    def _exempt_rules(self, way: Way, sources: tuple[Block, ...]) -> None:
        outside = self._levels[way.ingress] < self._levels[way.egress]
        rules = self._exempt.setdefault((way.ingress, outside), [])
        rules += [rule for rule in self._rules(way, sources) if rule not in rules]

    def _rules(self, way: Way, sources: tuple[Block, ...]) -> Iterator[Rule]:
        """What a way is of, as rules."""
        for block in sources:
            for behind in way.destinations or (Block(ANY, ANY),):
                for change in way.changes or (None,):
                    yield shape(
                        way.place,
                        block.before,
                        behind.before,
                        change.protocol if change else None,
                        change.source[0] if change and change.source else None,
                        change.destination[0] if change and change.destination else None,
                    )

    def _static(self, way: Way, block: Block, change: PortChange | None) -> None:
        protocol, ports = (change.protocol, change.source) if change else (None, None)
        name = ""
        if way.destinations:
            rules = [
                shape(way.place, block.before, each.before, protocol, ports[0] if ports else None)
                for each in way.destinations
            ]
            name = self._list(f"policy_nat_{way.egress}", tuple(rules))
        interface = self.routing.interface(way.egress)
        own = interface is not None and block.after == IPv4Network(f"{interface.address}/32")
        self.statics.append(
            Static(
                way.ingress,
                way.egress,
                IPv4Network("0.0.0.0/32") if name else block.before,
                None if own else block.after,
                protocol,
                0 if name or not ports else ports[0].low,
                ports[1].low if ports else 0,
                0,
                0,
                0,
                False,
                way.place in self._with_dns,
                way.place,
                name,
            )
        )

    def _dynamic(self, way: Way) -> str:
        outside = self._levels[way.ingress] < self._levels[way.egress]
        sources = tuple(each.before for each in way.sources) or (ANY,)
        if not way.pools:
            return "whose interface has no address"
        listed = bool(way.destinations or way.changes)
        rules = tuple(self._rules(way, way.sources or (Block(ANY, ANY),))) if listed else ()
        number = self._number((way.ingress, outside, sources, rules), way, rules, sources, outside)
        for pool in way.pools:
            if pool.shared and pool.first != pool.last:
                if int(pool.last) - int(pool.first) >= _MOST_SHARED:
                    return f"whose pool has more than {_MOST_SHARED} addresses to share"
                for network in summarize_address_range(pool.first, pool.last):
                    for address in network:
                        self._global(way, number, Pool(address, address, True))
            else:
                self._global(way, number, pool)
        return ""

    def _number(
        self,
        key: tuple[object, ...],
        way: Way,
        rules: tuple[Rule, ...],
        sources: tuple[IPv4Network, ...],
        outside: bool,
    ) -> int:
        """The number of the `nat` lines of some sources, which are written if they are not yet."""
        if key in self._numbers:
            return self._numbers[key]
        number = self._numbers[key] = 1 + len(self._numbers)
        dns = way.place in self._with_dns
        if rules:
            name = self._list(f"{way.ingress}_nat_outbound", rules)
            self.nats.append(
                Nat(way.ingress, number, None, name, outside, dns, False, 0, 0, 0, way.place)
            )
        else:
            self.nats += [
                Nat(way.ingress, number, each, "", outside, dns, False, 0, 0, 0, way.place)
                for each in sources
            ]
        return number

    def _global(self, way: Way, number: int, pool: Pool) -> None:
        interface = self.routing.interface(way.egress)
        own = interface is not None and pool.first == interface.address
        self.globals.append(
            Global(
                way.egress,
                number,
                None if own else pool.first,
                None if pool.shared else pool.last,
                None,
                way.place,
            )
        )

    def _list(self, name: str, rules: tuple[Rule, ...]) -> str:
        name = unused(name, self._names)
        self._names.append(name)
        self.lists.append(AccessList(name, tuple(map(alone, rules))))
        return name


def _is_one_port(change: PortChange) -> bool:
    return (
        change.destination is None
        and change.source is not None
        and all(isinstance(each, Ports) and each.low == each.high for each in change.source)
    )


def with_statics(configuration: Configuration, made: Statics) -> Configuration:
    """A configuration with `static`, `nat` and `global` in place of the `nat` of objects.

    Args:
        configuration: of 8.3 or later.
        made: its translations.
    """
    return replace(
        configuration,
        statics=tuple(made.statics),
        nats=tuple(made.nats),
        globals=tuple(made.globals),
        access_lists=(*configuration.access_lists, *made.lists),
        objects=(),
        twice_nats=(),
        nat_control=False,
    )
