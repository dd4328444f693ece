"""`static`, `nat` and `global` as the `nat` of objects and of sources, of 8.3 and later."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from ipaddress import IPv4Network

from appliance.config.model import ANY, Configuration, Global, Interface, Nat, Rule, Service, Static
from appliance.config.objects import ANYTHING, AddressRange, Mapped, ObjectNat, TwiceNat
from appliance.convert.crossing import equal
from appliance.convert.loss import Loss
from appliance.convert.naming import Namer, Value
from appliance.convert.ways import Compiled
from appliance.errors import Place
from appliance.policy.translation import Dynamic, Translation
from appliance.protocol import TCP, UDP


class ObjectNats:
    """All translations of a configuration before 8.3, as from 8.3 on.

    What must be tried before something else that would take the same packets is a `nat` of a
    source, in its order; all else is the `nat` of an object.

    Args:
        compiled: the configuration.
    """

    def __init__(self, compiled: Compiled) -> None:
        self._compiled = compiled
        self._configuration = compiled.configuration
        self._translations = compiled.translations
        groups = [each.name for each in self._configuration.object_groups]
        self.namer = Namer(groups)
        self.twice: list[TwiceNat] = []
        self.losses: list[Loss] = []
        self._make()

    def _make(self) -> None:
        nats = self._translations.nats
        for nat in nats:
            if nat.exempts:
                self._listed(nat)
        for static in self._translations.statics:
            self._static(static)
        for nat in nats:
            if nat.rules is not None and not nat.exempts:
                self._listed(nat)
        last = any(one.keeps and self._is_crossed(one, nats) for one in nats if one.rules is None)
        for nat in nats:
            if nat.rules is None:
                self._of_network(nat, last)
        for static_line in self._configuration.statics:
            self._limits(static_line)
        for nat_line in self._configuration.nats:
            self._limits(nat_line)

    def _is_crossed(self, nat: Dynamic, nats: tuple[Dynamic, ...]) -> bool:
        return any(
            other is not nat
            and other.nat.interface == nat.nat.interface
            and other.rules is None
            and other.nat.network is not None
            and nat.nat.network is not None
            and other.nat.network.overlaps(nat.nat.network)
            for other in nats
        )

    def _limits(self, line: Static | Nat) -> None:
        words = "static" if isinstance(line, Static) else "nat"
        if line.max_connections or line.embryonic_limit or line.udp_connections:
            self.losses.append(
                Loss(line.place, f"the limits on connections of this {words}", "there are none")
            )
        if line.norandomseq:
            self.losses.append(Loss(line.place, f"norandomseq of this {words}", "left out"))

    def _egresses(self, nat: Dynamic) -> Iterator[Interface]:
        """The interfaces that a `nat` is for."""
        own = self._compiled.routing.interface(nat.nat.interface)
        for each in self._configuration.interfaces:
            if own is None or self._compiled.routing.interface(each.name) is None:
                continue
            if self._may_pass(own, each) and nat.nat.outside == (own.level < each.level):
                yield each

    def _may_pass(self, one: Interface, other: Interface) -> bool:
        if one == other:
            return self._configuration.hairpins_pass
        return one.level != other.level or self._configuration.equals_pass

    def _listed(self, nat: Dynamic) -> None:
        """A `nat` whose access list says what it translates."""
        rules = nat.rules or ()
        for number, rule in enumerate(rules):
            if not rule.permit:
                if any(later.permit and _meet(rule, later) for later in rules[number + 1 :]):
                    self._lost_line(rule, nat, "what it excludes is translated all the same")
                continue
            if rule.protocol not in (None, TCP, UDP):
                self._lost_line(rule, nat, "such packets stay as they are")
                continue
            for egress in self._egresses(nat):
                real = self.namer.of(rule.source)
                mapped: Mapped | None = Mapped(real)
                if not nat.keeps:
                    mapped = self._mapped(nat, egress, named=True)
                if mapped:
                    self._twice(nat.place, (nat.nat.interface, egress.name), rule, mapped, nat)

    def _lost_line(self, rule: Rule, nat: Dynamic, becomes: str) -> None:
        self.losses.append(
            Loss(rule.place, f"this line in the access list of `nat {nat.nat.number}`", becomes)
        )

    def _twice(
        self, place: Place, pair: tuple[str, str], rule: Rule, mapped: Mapped, nat: Dynamic
    ) -> None:
        behind = self.namer.of(rule.destination)
        services = None
        if rule.protocol is not None:
            service = Service(rule.protocol, rule.source_ports, rule.destination_ports)
            name = self.namer.service(service)
            services = (name, name)
        self.twice.append(
            TwiceNat(
                *pair,
                after_objects=False,
                dynamic=not nat.keeps,
                real=self.namer.of(rule.source),
                mapped=mapped,
                destination=None if behind == ANYTHING else (behind, behind),
                services=services,
                flags=("dns",) if nat.nat.dns and behind == ANYTHING else (),
                description="",
                place=place,
            )
        )

    def _mapped(self, nat: Dynamic, egress: Interface, named: bool) -> Mapped | None:
        """What sources become that leave by an interface; None where there is no `global`.

        Args:
            nat: what translates them.
            egress: the interface.
            named: whether an address needs an object.
        """
        pools = [
            each
            for each in self._configuration.globals
            if (each.number, each.interface) == (nat.nat.number, egress.name)
            and (each.first is not None or egress.address)
        ]
        own = any(each.first is None for each in pools)
        values = [_addresses(each) for each in pools if each.first is not None]
        if not values:
            return Mapped(own=True) if own else None
        if len(values) > 1:
            return Mapped(self.namer.group(tuple(values)), own=own)
        (value,) = values
        if isinstance(value, IPv4Network) and not named:
            return Mapped(address=value.network_address, own=own)
        return Mapped(self.namer.of(value), own=own)

    def _static(self, static: Translation) -> None:
        line = static.static
        flags = ("dns",) if line.dns else ()
        pair = (line.real_interface, line.mapped_interface)
        if line.mapped is None:
            mapped = Mapped(own=True)
        else:
            mapped = Mapped(address=static.mapped.network_address)
        if not self._is_ordered(static):
            nat = ObjectNat(
                *pair,
                False,
                mapped,
                line.protocol,
                static.real_port,
                line.mapped_port,
                flags,
                static.place,
            )
            self.namer.translated(static.real, nat)
            return
        services = None
        if line.protocol is not None:
            services = (
                self.namer.service(Service(line.protocol, equal(static.real_port))),
                self.namer.service(Service(line.protocol, equal(line.mapped_port))),
            )
        behind = self.namer.of(static.peers)
        self.twice.append(
            TwiceNat(
                *pair,
                after_objects=False,
                dynamic=False,
                real=self.namer.of(static.real),
                mapped=mapped if line.mapped is None else Mapped(self.namer.of(static.mapped)),
                destination=None if behind == ANYTHING else (behind, behind),
                services=services,
                flags=flags if behind == ANYTHING else (),
                description="",
                place=static.place,
            )
        )

    def _is_ordered(self, static: Translation) -> bool:
        """Whether a static must stand before or after another line that takes the same."""
        if static.static.access_list or ANY in (static.real, static.mapped):
            return True
        for other in self._translations.statics:
            if other is not static and _collide(static, other):
                return True
        return any(
            rule.source.overlaps(static.real)
            for nat in self._translations.nats
            if nat.rules is not None
            and not nat.exempts
            and nat.nat.interface == static.static.real_interface
            for rule in nat.rules
        )

    def _of_network(self, nat: Dynamic, last: bool) -> None:
        network = nat.nat.network or ANY
        if nat.keeps and not self._is_crossed(nat, self._translations.nats):
            return
        for egress in self._egresses(nat):
            pair = (nat.nat.interface, egress.name)
            mapped = None if nat.keeps else self._mapped(nat, egress, named=last)
            flags = ("dns",) if nat.nat.dns else ()
            if not nat.keeps and mapped is None:
                continue
            if last:
                real = self.namer.of(network)
                self.twice.append(
                    TwiceNat(
                        *pair,
                        True,
                        not nat.keeps,
                        real,
                        mapped or Mapped(real),
                        None,
                        None,
                        flags,
                        "",
                        nat.place,
                    )
                )
            elif mapped:
                nat_line = ObjectNat(*pair, True, mapped, None, 0, 0, flags, nat.place)
                self.namer.translated(network, nat_line)


def _addresses(pool: Global) -> Value:
    assert pool.first is not None  # noqa: S101  the interface's own is left out
    if pool.last is None:
        return IPv4Network(pool.first)
    return AddressRange(pool.first, pool.last)


def _meet(one: Rule, other: Rule) -> bool:
    return one.source.overlaps(other.source) and one.destination.overlaps(other.destination)


def _collide(one: Translation, other: Translation) -> bool:
    """Whether two statics might take the same packets on either side."""
    ones, others = one.static, other.static
    if (ones.real_interface, ones.mapped_interface) != (
        others.real_interface,
        others.mapped_interface,
    ):
        return False
    protocols = (ones.protocol, others.protocol)
    if None not in protocols and protocols[0] != protocols[1]:
        return False
    is_both = None not in protocols
    reals = one.real.overlaps(other.real) and (not is_both or one.real_port == other.real_port)
    mapped = one.mapped.overlaps(other.mapped) and (
        not is_both or ones.mapped_port == others.mapped_port
    )
    return reals or mapped


def with_objects(configuration: Configuration, made: ObjectNats) -> Configuration:
    """A configuration with the `nat` of objects in place of its translations."""
    return replace(
        configuration,
        statics=(),
        nats=(),
        globals=(),
        aliases=(),
        nat_control=False,
        objects=tuple(made.namer.objects),
        object_groups=(*configuration.object_groups, *made.namer.groups),
        twice_nats=tuple(sorted(made.twice, key=lambda each: each.after_objects)),
    )
