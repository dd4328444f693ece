"""Which interface an address is behind, by connected networks and `route` commands."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Network

from appliance.config.model import Configuration, Interface

BROADCAST = IPv4Address("255.255.255.255")


class Routing:
    """The routing table that a configuration states.

    An interface that is shut down has no part in it.

    Args:
        configuration: what the rule file says.
    """

    def __init__(self, configuration: Configuration) -> None:
        up = [each for each in configuration.interfaces if not each.shutdown]
        self._names = {each.name: each for each in up}
        self._owners = {each.address: each for each in up if each.address}
        self._broadcasts = {
            each.network.broadcast_address
            for each in up
            if each.network and each.network.prefixlen < 31
        }
        entries = [(each.network, 0, each) for each in up if each.network]
        entries += [
            (route.network, route.metric, self._names[route.interface])
            for route in configuration.routes
            if route.interface in self._names
        ]
        # Longest prefix first, then least metric; the sort is stable, so then order of the file.
        entries.sort(key=lambda entry: (-entry[0].prefixlen, entry[1]))
        self._entries: tuple[tuple[IPv4Network, int, Interface], ...] = tuple(entries)

    def interface(self, name: str) -> Interface | None:
        """The interface of that name (nameif); None if there is none that is up."""
        return self._names.get(name)

    def towards(self, address: IPv4Address) -> Interface | None:
        """The interface that leads to an address; None if no route does."""
        for network, _, interface in self._entries:
            if address in network:
                return interface
        return None

    def entries(self) -> Iterator[tuple[IPv4Network, Interface]]:
        """The routes, the one that is asked first in front."""
        for network, _, interface in self._entries:
            yield network, interface

    def owner(self, address: IPv4Address) -> Interface | None:
        """The interface whose own address it is; None if it is no address of the firewall."""
        return self._owners.get(address)

    def ends_here(self, address: IPv4Address) -> bool:
        """Whether what is sent to an address is never forwarded: our own, broadcast, multicast."""
        return (
            address in self._owners
            or address in self._broadcasts
            or address == BROADCAST
            or address.is_multicast
        )
