"""Fixed translations (`static`): from a mapped address to the real one, and back."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network

from appliance.config.model import Configuration, Static
from appliance.errors import Finding, FindingsError
from appliance.limits import UNLIMITED, Limits
from appliance.policy.routing import Routing
from appliance.protocol import TCP, UDP

MAX_STATICS = 0x7FFF
"""A translation's number is kept in 15 bits of the connection mark; 0 stands for none."""


@dataclass(frozen=True, slots=True)
class Translation:
    """A `static`, its mapped address known.

    Args:
        number: counts the statics of a configuration from 1.
        static: the command.
        mapped: what it maps to; for the `interface` form, the interface's own address.
        stands_in: whether routes lead to the mapped addresses on the mapped side, so that no host
            but the firewall answers to them. (Where a static maps addresses to themselves, or to
            others of the real side, they do not.)
    """

    number: int
    static: Static
    mapped: IPv4Network
    stands_in: bool

    def takes_mapped(self, protocol: int, address: IPv4Address, port: int) -> bool:
        """Whether it translates what is sent to this mapped address and port."""
        return address in self.mapped and self._takes(protocol, port, self.static.mapped_port)

    def takes_real(self, protocol: int, address: IPv4Address, port: int) -> bool:
        """Whether it translates what comes from (or goes to) this real address and port."""
        return address in self.static.real and self._takes(protocol, port, self.static.real_port)

    def _takes(self, protocol: int, port: int, own_port: int) -> bool:
        return self.static.protocol is None or (self.static.protocol, own_port) == (protocol, port)

    def to_real(self, address: IPv4Address, port: int) -> tuple[IPv4Address, int]:
        """The real address and port of a mapped address and port that it takes."""
        place = int(address) - int(self.mapped.network_address)
        return self.static.real[place], self.static.real_port or port

    def to_mapped(self, address: IPv4Address, port: int) -> tuple[IPv4Address, int]:
        """The mapped address and port of a real address and port that it takes."""
        place = int(address) - int(self.static.real.network_address)
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


class Translations:
    """All statics of a configuration; the first in the order of the file that fits is taken.

    (The order of the file, first match: the vendor's account of how 6.x and 7.x order statics.)

    Args:
        configuration: what the rule file says.
        routing: its routing table.

    Raises:
        FindingsError: a static that cannot translate anything as written.
    """

    def __init__(self, configuration: Configuration, routing: Routing) -> None:
        interfaces = {each.name: each for each in configuration.interfaces}
        findings: list[Finding] = []
        made: list[Translation] = []
        for number, static in enumerate(configuration.statics, 1):
            real, outer = interfaces[static.real_interface], interfaces[static.mapped_interface]
            mapped = static.mapped
            if mapped is None and outer.address:
                mapped = IPv4Network(outer.address)
            if real.level <= outer.level:
                problem = f"{real.name} is not more secure than {outer.name}"
                remedy = "the first interface of a static is the more secure one"
            elif mapped is None:
                problem = f"{outer.name} has no address to translate to"
                remedy = f"give it one: ip address {outer.name} ADDRESS MASK"
            elif mapped.prefixlen != static.real.prefixlen:
                problem = f"{mapped} and {static.real} differ in size"
                remedy = "one mask serves both networks of a static"
            elif static.protocol is not None and mapped.prefixlen != 32:
                problem = f"one port of all of {mapped} cannot be translated"
                remedy = "a static with a protocol and ports translates one host"
            elif number > MAX_STATICS:
                problem, remedy = "too many statics", f"there may be {MAX_STATICS}"
            else:
                outside = routing.towards(mapped.network_address) == outer
                stands_in = outside and mapped != static.real
                made.append(Translation(number, static, mapped, stands_in))
                continue
            findings.append(Finding(static.place, problem, remedy))
        if findings:
            raise FindingsError(tuple(findings))
        self._all = tuple(made)

    def between(self, interfaces: Container[str]) -> tuple[Translation, ...]:
        """The translations both of whose interfaces (nameif) are among some."""
        return tuple(
            each
            for each in self._all
            if each.static.real_interface in interfaces
            and each.static.mapped_interface in interfaces
        )

    def numbered(self, number: int) -> Translation | None:
        """The translation of that number, None if there is none."""
        return self._all[number - 1] if 1 <= number <= len(self._all) else None

    def of_destination(
        self, ingress: str, protocol: int, address: IPv4Address, port: int
    ) -> Translation | None:
        """What translates the destination of a packet that enters by the interface `ingress`."""
        for each in self._all:
            if each.static.mapped_interface == ingress and each.takes_mapped(
                protocol, address, port
            ):
                return each
        return None

    def standing_in(self, address: IPv4Address) -> Translation | None:
        """The translation whose mapped address only the firewall answers to, if it is one."""
        return next((each for each in self._all if each.stands_in and address in each.mapped), None)

    def of_source(
        self, ingress: str, egress: str, protocol: int, address: IPv4Address, port: int
    ) -> Translation | None:
        """What translates the source of a packet that goes from `ingress` to `egress`."""
        for each in self._all:
            pair = (each.static.real_interface, each.static.mapped_interface)
            if pair == (ingress, egress) and each.takes_real(protocol, address, port):
                return each
        return None
