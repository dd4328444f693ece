"""Packets between all that two configurations translate, whatever their rules single out."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Network
from itertools import product
from random import Random

from appliance.admission import Opening
from appliance.config.language import OBJECTS
from appliance.config.model import ANY, Configuration
from appliance.policy.object_nat import ObjectTranslations
from appliance.policy.routing import Routing
from appliance.policy.translation import Translations
from appliance.protocol import ICMP, SMTP, TCP, UDP

_MOST_ENDS = 60
_CLIENT_PORT, _GRE, _ECHO = 40_000, 47, 8
_OF_SPOOFED = 4
"""One packet of so many may come in where its source is not."""
_ELSEWHERE = IPv4Address("192.0.2.7")  # of a network for documentation (RFC 5737)


def between(configuration: Configuration, most: int) -> tuple[Opening, ...]:
    """Packets from and to real and mapped addresses, by the ports that are translated.

    Args:
        configuration: what translates.
        most: how many packets, chosen the same way each time.

    Raises:
        FindingsError: a translation that cannot translate anything as written.
    """
    choice = Random(most)  # noqa: S311  a choice of examples
    ends = list(dict.fromkeys(_ends(configuration)))
    ends = choice.sample(ends, min(len(ends), _MOST_ENDS))
    ports = sorted(set(_ports(configuration)) | {SMTP})
    ports = choice.sample(ports, min(len(ports), _MOST_ENDS))
    kinds = [(ICMP, 0, 0), (_GRE, 0, 0)]
    for protocol, port in product((TCP, UDP), ports):
        kinds += [(protocol, _CLIENT_PORT, port), (protocol, port, _CLIENT_PORT)]
    names = [each.name for each in configuration.interfaces]
    if not names:
        return ()
    routing = Routing(configuration)
    made = dict.fromkeys(_neighbours(configuration))
    for number in range(most):
        protocol, source_port, port = choice.choice(kinds)
        source = choice.choice(ends)
        home = routing.towards(source)
        opening = Opening(
            protocol,
            source,
            source_port,
            choice.choice(ends),
            port,
            _ECHO if protocol == ICMP else -1,
            home.name if home and number % _OF_SPOOFED else choice.choice(names),
        )
        made[opening] = None
    return tuple(made)


def _neighbours(configuration: Configuration) -> Iterator[Opening]:
    """A host of each network, to one of each, its own among them."""
    networks = [(each.name, each.network) for each in configuration.interfaces if each.network]
    for (name, network), (_, other), port in product(networks, networks, (SMTP, 80)):
        source, destination = _host(network, 9), _host(other, 10)
        for protocol in (TCP, UDP):
            yield Opening(protocol, source, _CLIENT_PORT, destination, port, -1, name)
        yield Opening(ICMP, source, 0, destination, 0, _ECHO, name)


def _host(network: IPv4Network, number: int) -> IPv4Address:
    return network[min(number, network.num_addresses - 1)]


def _ends(configuration: Configuration) -> Iterator[IPv4Address]:
    yield _ELSEWHERE
    for interface in configuration.interfaces:
        if interface.network:
            yield from _some(interface.network)
    for network in _translated(configuration):
        yield from _some(network)


def _translated(configuration: Configuration) -> Iterator[IPv4Network]:
    routing = Routing(configuration)
    if configuration.language >= OBJECTS:
        for way in ObjectTranslations(configuration, routing).ways:
            for block in (*way.sources, *way.destinations):
                yield from (block.before, block.after)
            yield from (IPv4Network(pool.first) for pool in way.pools)
        return
    translations = Translations(configuration, routing)
    for static in translations.statics:
        yield from (static.real, static.mapped, static.peers)
    for nat in translations.nats:
        if nat.nat.network:
            yield nat.nat.network
        for rule in nat.rules or ():
            yield from (rule.source, rule.destination)
        for _, pools in nat.pools:
            yield from (IPv4Network(pool.first) for pool in pools)


def _some(network: IPv4Network) -> Iterator[IPv4Address]:
    if network != ANY:
        yield _host(network, 9)
        yield network[0]


def _ports(configuration: Configuration) -> Iterator[int]:
    if configuration.language >= OBJECTS:
        for way in ObjectTranslations(configuration, Routing(configuration)).ways:
            for change in way.changes:
                for both in (change.source, change.destination):
                    yield from (ports.low for ports in both or ())
    for static in configuration.statics:
        if static.protocol is not None:
            yield from (static.mapped_port, static.real_port)
    for access_list in configuration.access_lists:
        for rule in access_list.rules:
            for ports in (rule.source_ports, rule.destination_ports):
                if ports:
                    yield ports.low
