"""Translations to themselves, by which versions before 8.3 let addresses pass as they are."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Network

from appliance.config.model import ANY, Interface, Static
from appliance.errors import Place
from appliance.policy.routing import Routing


def identity(inner: str, outer: str, network: IPv4Network, place: Place) -> Static:
    """The static that leaves a network as it is on the way between two interfaces.

    Args:
        inner: the interface that the network is behind.
        outer: the other one.
        network: the network.
        place: where the line stands that it is made for.
    """
    return Static(inner, outer, network, network, None, 0, 0, 0, 0, 0, False, False, place)


def reached(routing: Routing, interface: Interface) -> Iterator[IPv4Network]:
    """The networks that an interface leads to, but for the one of a default route."""
    for network, egress in routing.entries():
        if egress == interface and network != ANY:
            yield network
