"""Where what comes in by an interface may go: the order in which translations and routes say it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from appliance.config.model import Configuration, Interface, Rule
from appliance.convert.crossing import equal, shape
from appliance.policy.routing import Routing
from appliance.policy.translation import Translation, Translations


@dataclass(frozen=True, slots=True)
class Compiled:
    """A configuration of a version before 8.3 with its routes and translations.

    Args:
        configuration: the whole.
        routing: its routes.
        translations: its translations.
    """

    configuration: Configuration
    routing: Routing
    translations: Translations

    @staticmethod
    def of(configuration: Configuration) -> Compiled:
        """Compile a configuration.

        Raises:
            FindingsError: a static that cannot translate anything as written.
        """
        routing = Routing(configuration)
        return Compiled(configuration, routing, Translations(configuration, routing))


def mapped_side(static: Translation) -> Rule:
    """What is sent to the mapped address of a static."""
    port = equal(static.static.mapped_port) if static.static.protocol else None
    return shape(
        static.place,
        source=static.peers,
        destination=static.mapped,
        protocol=static.static.protocol,
        destination_ports=port,
    )


def real_side(static: Translation) -> Rule:
    """The same as it arrives at the real address."""
    port = equal(static.real_port) if static.static.protocol else None
    return shape(
        static.place,
        source=static.peers,
        destination=static.real,
        protocol=static.static.protocol,
        destination_ports=port,
    )


def leaving_side(static: Translation) -> Rule:
    """What comes from the real address of a static."""
    port = equal(static.real_port) if static.static.protocol else None
    return shape(
        static.place,
        source=static.real,
        destination=static.peers,
        protocol=static.static.protocol,
        source_ports=port,
    )


def towards(compiled: Compiled, interface: Interface) -> Iterator[tuple[Rule, Interface]]:
    """The packets that come in by an interface, by the one that they go out by, first match first.

    Args:
        compiled: the configuration.
        interface: where they come in.
    """
    for static in compiled.translations.statics:
        real = compiled.routing.interface(static.static.real_interface)
        if static.static.mapped_interface == interface.name and real:
            yield mapped_side(static), real
    yield from routed(compiled.routing, interface)


def routed(routing: Routing, interface: Interface) -> Iterator[tuple[Rule, Interface]]:
    """The same by routes alone, without those that change nothing."""
    entries = tuple(routing.entries())
    for number, (network, egress) in enumerate(entries):
        wider = (other for n, other in entries[number + 1 :] if network.subnet_of(n))
        if next(wider, None) == egress:
            continue
        yield shape(interface.place, destination=network), egress
