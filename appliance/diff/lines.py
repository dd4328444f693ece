"""The lines of a configuration that judge, translate or lead packets, by where those come in."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv4Network
from itertools import islice, product

from appliance.config.model import ANY, Action, Configuration, Operator, Ports, Rule, elementary
from appliance.errors import Place
from appliance.policy.routing import Routing
from appliance.policy.translation import Dynamic, Translation, Translations

MOST_GUISES = 8
"""Networks that may be translated to that of one line; there may be thousands of statics."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line that judges or translates what comes in by an interface.

    Args:
        ingress: the interface.
        rule: what it takes, as a rule.
        kind: what makes it another line than one that takes the same: the command that it is of,
            and what its meaning hangs on besides.
    """

    ingress: str
    rule: Rule
    kind: Hashable = ""


def anything(place: Place) -> Rule:
    """A rule that takes every packet.

    Args:
        place: where it stands.
    """
    return Rule(True, None, ANY, None, ANY, None, None, place)


def lines_of(configuration: Configuration) -> Iterator[Line]:
    """All that judges, translates or leads what comes in by each interface.

    Args:
        configuration: what a rule file says.
    """
    lists = {each.name: each.rules for each in configuration.access_lists}
    bound = {
        each.interface: lists[each.access_list]
        for each in configuration.access_groups
        if not each.out
    }
    conduits = elementary(configuration.conduits)
    for interface in configuration.interfaces:
        for rule in bound.get(interface.name, conduits):
            yield Line(interface.name, rule)
        networks = [each.network for each in configuration.routes]
        networks += [each.network for each in configuration.interfaces if each.network]
        for network in networks:
            yield Line(interface.name, replace(anything(interface.place), destination=network))
    translations = Translations(configuration, Routing(configuration))
    yield from _statics(translations)
    yield from _nats(configuration, translations)
    yield from _mapped(configuration, translations)
    yield from _outbounds(configuration)
    for group in configuration.access_groups:
        if group.out:
            rules = lists[group.access_list]
            yield from _leaving(configuration, translations, group.interface, rules)


def statics_of(configuration: Configuration) -> Iterator[Line]:
    """What each static and each alias takes, on either side.

    Args:
        configuration: what a rule file says.
    """
    yield from _statics(Translations(configuration, Routing(configuration)))


def _statics(translations: Translations) -> Iterator[Line]:
    for each in translations.statics:
        static = each.static
        taken = replace(anything(each.place), protocol=static.protocol)
        inward = replace(
            taken,
            source=each.peers,
            destination=each.mapped,
            destination_ports=_equal(static.mapped_port) if static.protocol else None,
        )
        yield Line(static.mapped_interface, inward, ("static", each.real, each.real_port))
        outward = replace(
            taken,
            source=each.real,
            source_ports=_equal(each.real_port) if static.protocol else None,
            destination=each.peers,
        )
        mapped = (static.mapped_interface, each.mapped, static.mapped_port)
        yield Line(static.real_interface, outward, ("static", *mapped))


def _nats(configuration: Configuration, translations: Translations) -> Iterator[Line]:
    """What each `nat` takes, and what the other sides send to the same hosts."""
    for each in translations.nats:
        kind = ("nat", each.nat.number, each.nat.outside, each.pools)
        for rule in _taken(each):
            yield Line(each.nat.interface, rule, kind)
            for interface in configuration.interfaces:
                if interface.name != each.nat.interface:
                    yield Line(interface.name, _turned(rule), kind)


def _taken(nat: Dynamic) -> tuple[Rule, ...]:
    """What a `nat` takes, as rules."""
    if nat.rules is not None:
        return nat.rules
    return (replace(anything(nat.place), source=nat.nat.network or ANY),)


def _turned(rule: Rule) -> Rule:
    """A rule for the packets that answer those of another."""
    return replace(
        rule,
        source=rule.destination,
        source_ports=rule.destination_ports,
        destination=rule.source,
        destination_ports=rule.source_ports,
    )


def _mapped(configuration: Configuration, translations: Translations) -> Iterator[Line]:
    """What is addressed, from anywhere, to the addresses that the firewall answers to for others:
    of a `global`, to the first and the last."""
    networks = [(each.place, each.mapped) for each in translations.statics]
    for each in configuration.globals:
        networks += [
            (each.place, IPv4Network(address)) for address in (each.first, each.last) if address
        ]
    for (place, network), interface in product(networks, configuration.interfaces):
        yield Line(interface.name, replace(anything(place), destination=network), "mapped")


def _outbounds(configuration: Configuration) -> Iterator[Line]:
    """What the lines of the outbound lists speak of that are applied."""
    for applied in configuration.applied:
        for line in configuration.outbounds:
            if line.number != applied.number:
                continue
            ports = Ports(Operator.RANGE, *line.ports) if line.ports else None
            rule = replace(anything(line.place), protocol=line.protocol, destination_ports=ports)
            # An exception has the other end.
            if applied.by_destination == (line.action is Action.EXCEPT):
                rule = replace(rule, source=line.network)
            else:
                rule = replace(rule, destination=line.network)
            yield Line(applied.interface, rule, ("outbound", line.action, applied.by_destination))


def _leaving(
    configuration: Configuration, translations: Translations, egress: str, rules: tuple[Rule, ...]
) -> Iterator[Line]:
    """The lines of an access list of what leaves, as packets are that come in for them."""
    for interface in configuration.interfaces:
        ingress = interface.name
        inward = tuple(translations.statics_between(egress, ingress))
        outward = tuple(translations.statics_between(ingress, egress))
        nats = tuple(translations.nats_between(ingress, egress, exempt=False))
        for rule in rules:
            destinations = _guises(rule.destination, _addressed(rule.destination, inward))
            sources = _guises(rule.source, _senders(rule.source, outward, nats, egress))
            for source, destination in product(sources, destinations):
                seen = replace(rule, source=source, destination=destination)
                yield Line(ingress, seen, ("out", egress))


def _guises(network: IPv4Network, others: Iterator[IPv4Network]) -> tuple[IPv4Network, ...]:
    """A network, and others that are translated to it."""
    if network == ANY:
        return (ANY,)
    return (network, *islice(dict.fromkeys(others), MOST_GUISES))


def _addressed(network: IPv4Network, statics: tuple[Translation, ...]) -> Iterator[IPv4Network]:
    """The mapped networks by which hosts of a network are addressed."""
    for each in statics:
        if each.real.overlaps(network):
            yield _counterpart(each.real, each.mapped, network)


def _senders(
    network: IPv4Network, statics: tuple[Translation, ...], nats: tuple[Dynamic, ...], egress: str
) -> Iterator[IPv4Network]:
    """The real networks whose hosts are seen as being of a network."""
    for each in statics:
        if each.mapped.overlaps(network):
            yield _counterpart(each.mapped, each.real, network)
    for nat in nats:
        if any(pool.meets(network) for pool in nat.pools_on(egress)):
            yield from (rule.source for rule in _taken(nat) if rule.permit)


def _counterpart(one: IPv4Network, other: IPv4Network, part: IPv4Network) -> IPv4Network:
    """What of one network is a part of it, or the whole, in another that is as large."""
    if part.prefixlen <= one.prefixlen:
        return other
    place = int(part.network_address) - int(one.network_address)
    return IPv4Network((IPv4Address(int(other.network_address) + place), part.prefixlen))


def _equal(port: int) -> Ports:
    return Ports(Operator.EQ, port, port)
