"""Objects made for addresses and services, each once, under names that nothing else has."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Network
from typing import TypeAlias

from appliance.config.model import (
    ANY,
    GroupKind,
    NamedObject,
    ObjectGroup,
    ObjectName,
    Ports,
    Service,
    ServiceObject,
)
from appliance.config.objects import ANYTHING, AddressRange, NetworkObject, ObjectNat

Value: TypeAlias = IPv4Network | AddressRange


class Namer:
    """The objects and groups that translations need.

    Args:
        taken: names that there are already.
    """

    def __init__(self, taken: Iterable[str]) -> None:
        self._taken = set(taken)
        self._plain: dict[Value, str] = {}
        self._services: dict[Service, str] = {}
        self._groups: dict[tuple[str, ...], str] = {}
        self.objects: list[NamedObject] = []
        self.groups: list[ObjectGroup] = []

    def _unused(self, name: str) -> str:
        found, number = name, 1
        while found in self._taken:
            found, number = f"{name}-{number:02}", number + 1
        self._taken.add(found)
        return found

    def of(self, value: Value) -> str:
        """The name of an object of some addresses; `any` for all."""
        if value == ANY:
            return ANYTHING
        if value not in self._plain:
            self._plain[value] = self._add(value, None)
        return self._plain[value]

    def translated(self, value: Value, nat: ObjectNat) -> None:
        """Add an object that is translated."""
        self._add(value, nat)

    def _add(self, value: Value, nat: ObjectNat | None) -> str:
        name = self._unused(_name(value))
        self.objects.append(NetworkObject(name, value, "", nat))
        return name

    def group(self, values: tuple[Value, ...]) -> str:
        """The name of a group of addresses."""
        names = tuple(map(self.of, values))
        if names not in self._groups:
            name = self._unused(f"pool-{names[0].removeprefix('obj-')}")
            members = tuple(map(ObjectName, names))
            self.groups.append(ObjectGroup(GroupKind.NETWORK, name, "", members))
            self._groups[names] = name
        return self._groups[names]

    def service(self, service: Service) -> str:
        """The name of a service object."""
        if service not in self._services:
            name = self._unused(_service_name(service))
            self.objects.append(ServiceObject(name, (service,)))
            self._services[service] = name
        return self._services[service]


def _name(value: Value) -> str:
    if isinstance(value, AddressRange):
        return f"obj-{value.first}-{value.last}"
    if value == ANY:
        return "obj_any"
    return f"obj-{value.network_address}"


def _service_name(service: Service) -> str:
    protocol = {6: "tcp", 17: "udp"}.get(service.protocol or 0, str(service.protocol))
    words = ["svc", protocol]
    for word, ports in (("from", service.source_ports), ("to", service.destination_ports)):
        words += [f"{word}-{_ports(ports)}"] if ports else []
    return "-".join(words)


def _ports(ports: Ports) -> str:
    return f"{ports.operator.value}-{ports.low}" + (
        f"-{ports.high}" if ports.high != ports.low else ""
    )
