"""Object groups and objects in rules: what a rule that names them means, written out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from ipaddress import IPv4Network
from math import prod

from appliance.config.draft import GroupEntry, ObjectEntry
from appliance.config.model import Nested, ObjectName, Part, Ports, Rule, Service, ServiceObject
from appliance.config.objects import networks

MAX_RULES = 100_000
"""That one line may stand for; about as many as a large device has room for in all."""


def reached(groups: Mapping[str, GroupEntry], name: str) -> Iterator[str]:
    """A group and those within it, each once, in the order in which their members count."""
    seen: set[str] = set()
    waiting = [name]
    while waiting:
        group = waiting.pop()
        if group in groups and group not in seen:
            seen.add(group)
            yield group
            nested = [m.name for m in groups[group].members if isinstance(m, Nested)]
            waiting += reversed(nested)


def named_objects(
    groups: Mapping[str, GroupEntry], objects: Mapping[str, ObjectEntry], name: str
) -> Iterator[ObjectEntry]:
    """The objects that a name stands for: its own, or those of a group.

    Args:
        groups: all groups.
        objects: all objects.
        name: the name of a group or an object.
    """
    if name in objects:
        yield objects[name]
    for group in reached(groups, name):
        for member in groups[group].members:
            if isinstance(member, ObjectName) and member.object_name in objects:
                yield objects[member.object_name]


def members(
    groups: Mapping[str, GroupEntry], objects: Mapping[str, ObjectEntry], name: str
) -> tuple[IPv4Network | Service, ...]:
    """What a group or an object contains in the end, each once.

    Args:
        groups: all groups.
        objects: all objects.
        name: the name of one.
    """
    if name in objects:
        return contents(objects[name])
    found: dict[IPv4Network | Service, None] = {}
    for group in reached(groups, name):
        for member in groups[group].members:
            if isinstance(member, ObjectName):
                found |= dict.fromkeys(contents(objects[member.object_name]))
            elif not isinstance(member, Nested):
                found[member] = None
    return tuple(found)


def contents(entry: ObjectEntry) -> tuple[IPv4Network | Service, ...]:
    """What an object is in a rule.

    Args:
        entry: the object.
    """
    if isinstance(entry.named, ServiceObject):
        return entry.named.services
    return networks(entry.named.value)


def product(groups: Mapping[Part, tuple[IPv4Network | Service, ...]]) -> int:
    """How many rules a rule with groups stands for.

    Args:
        groups: the members of the groups, by the part that each is.
    """
    return prod(len(found) for found in groups.values())


def expanded(
    rule: Rule, groups: Mapping[Part, tuple[IPv4Network | Service, ...]]
) -> tuple[Rule, ...]:
    """The rules that a rule with groups means, each once; none where it would be too many.

    Args:
        rule: what is written out of it.
        groups: the members of the groups, by the part that each is.
    """
    if not groups:
        return (rule,)
    if not 0 < product(groups) <= MAX_RULES:
        return ()
    services = _services(groups, Part.PROTOCOL) or [Service(rule.protocol)]
    types = _services(groups, Part.ICMP_TYPE) or [Service(icmp_type=rule.icmp_type)]
    sources = _networks(groups, Part.SOURCE) or [rule.source]
    destinations = _networks(groups, Part.DESTINATION) or [rule.destination]
    source_ports = _ports(groups, Part.SOURCE_PORTS) or [rule.source_ports]
    destination_ports = _ports(groups, Part.DESTINATION_PORTS) or [rule.destination_ports]
    made = (
        replace(
            rule,
            protocol=service.protocol,
            source=source,
            source_ports=service.source_ports or of_source,
            destination=destination,
            destination_ports=service.destination_ports or of_destination,
            icmp_type=each.icmp_type if service.icmp_type is None else service.icmp_type,
        )
        for service in services
        for source in sources
        for of_source in source_ports
        for destination in destinations
        for of_destination in destination_ports
        for each in types
    )
    return tuple(dict.fromkeys(made))


def _services(
    groups: Mapping[Part, tuple[IPv4Network | Service, ...]], part: Part
) -> list[Service]:
    return [each for each in groups.get(part, ()) if isinstance(each, Service)]


def _networks(
    groups: Mapping[Part, tuple[IPv4Network | Service, ...]], part: Part
) -> list[IPv4Network]:
    return [each for each in groups.get(part, ()) if isinstance(each, IPv4Network)]


def _ports(
    groups: Mapping[Part, tuple[IPv4Network | Service, ...]], part: Part
) -> list[Ports | None]:
    return [each.destination_ports for each in _services(groups, part)]
