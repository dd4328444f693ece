"""Access lists on real addresses, as versions before 8.3 write them: on those of the wire."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from appliance.config.model import (
    AccessGroup,
    AccessList,
    Configuration,
    Member,
    ObjectGroup,
    ObjectName,
    Remark,
    RuleLine,
    ServiceObject,
)
from appliance.config.objects import NetworkObject, networks
from appliance.convert.crossing import alone, nonempty, shape
from appliance.convert.loss import Loss
from appliance.convert.permits import unused
from appliance.convert.rewriting import Lines, Rewrite, mirrored, rewritten
from appliance.convert.statics import Statics
from appliance.policy.ways import Block


def with_mapped_addresses(
    configuration: Configuration, statics: Statics
) -> tuple[Configuration, tuple[Loss, ...]]:
    """A configuration whose access lists name mapped addresses, one for each interface.

    Args:
        configuration: of 8.3 or later, its objects still in it.
        statics: its translations.
    """
    lists = {
        each.name: AccessList(each.name, tuple(_lines(each.lines, configuration)))
        for each in configuration.access_lists
    }
    groups: list[AccessGroup] = []
    used = [each.access_list for each in configuration.access_groups]
    everywhere = [each for each in configuration.access_groups if not each.interface]

    def put(name: str, lines: Lines) -> str:
        own = name if used.count(name) == 1 and not everywhere else unused(name, list(lists))
        if name in lists and lists[name].lines == lines:
            return name
        lists[own] = AccessList(own, lines)
        return own

    for interface in configuration.interfaces:
        bound = [
            each
            for each in configuration.access_groups
            if not each.out and each.interface == interface.name
        ]
        rewrites = tuple(_rewrites(statics, interface.name))
        whole = [line for each in (*bound, *everywhere) for line in lists[each.access_list].lines]
        if bound or everywhere:
            group = (bound or everywhere)[0]
            name = group.access_list if bound else f"{interface.name}_{group.access_list}"
            lines = nonempty(rewritten(tuple(_once(whole)), rewrites), group.place)
            groups.append(AccessGroup(put(name, lines), interface.name, group.place))
        for group in configuration.access_groups:
            if group.out and group.interface == interface.name:
                lines = mirrored(lists[group.access_list].lines, rewrites)
                lines = nonempty(lines, group.place)
                groups.append(replace(group, access_list=put(group.access_list, lines)))
    named = {each.access_list for each in groups}
    kept = [e for e in lists.values() if e.lines and (e.name in named or e.name not in used)]
    made = replace(
        configuration,
        access_lists=tuple(kept),
        access_groups=tuple(groups),
        object_groups=tuple(_group(each, configuration) for each in configuration.object_groups),
    )
    return made, tuple(_domains(configuration))


def _once(lines: list[RuleLine | Remark]) -> Iterator[RuleLine | Remark]:
    """Lines, of which a rule is there once: as a list is read."""
    seen: list[RuleLine] = []
    for line in lines:
        if isinstance(line, RuleLine):
            if line in seen:
                continue
            seen.append(line)
        yield line


def _rewrites(statics: Statics, interface: str) -> Iterator[Rewrite]:
    """Real destinations of what comes in by an interface, as they are addressed there."""
    for way in statics.translations.ways:
        if way.ingress != interface or way.outward:
            continue
        for block in way.destinations:
            for source in way.sources or (None,):
                for change in way.changes or (None,):
                    ports = change.destination if change else None
                    before = shape(
                        way.place,
                        destination=block.after,
                        protocol=change.protocol if change else None,
                        destination_ports=ports[1] if ports else None,
                    )
                    if isinstance(source, Block):
                        before = replace(before, source=source.before)
                    yield Rewrite(before, block.before, ports[0] if ports else None)


def _lines(lines: Lines, configuration: Configuration) -> Iterator[RuleLine | Remark]:
    """The lines of a list without objects."""
    objects = {each.name for each in configuration.objects}
    for line in lines:
        if isinstance(line, RuleLine) and not line.rules and not line.inactive:
            continue  # one of names that nobody looks up matches nothing
        if isinstance(line, RuleLine) and any(name in objects for _, name in line.groups):
            if line.inactive:
                continue
            yield from map(alone, line.rules)
        else:
            yield line


def _group(group: ObjectGroup, configuration: Configuration) -> ObjectGroup:
    """A group with the members of objects in place of these."""
    objects = {each.name: each for each in configuration.objects}
    members: list[Member] = []
    for member in group.members:
        named = objects.get(member.object_name) if isinstance(member, ObjectName) else None
        if isinstance(named, NetworkObject):
            members += list(networks(named.value))
        elif isinstance(named, ServiceObject):
            members += list(named.services)
        elif not isinstance(member, ObjectName):
            members.append(member)
    return replace(group, members=tuple(dict.fromkeys(members)))


def _domains(configuration: Configuration) -> Iterator[Loss]:
    """Names that nobody looks up, by the lines that have them."""
    becomes = "left out: nobody looks it up"
    for each in configuration.objects:
        if not isinstance(each, NetworkObject) or not each.value or networks(each.value):
            continue
        lines = [
            Loss(line.rule.place, f"{each.heading} in a line of access-list {named.name}", becomes)
            for named in configuration.access_lists
            for line in named.lines
            if isinstance(line, RuleLine) and each.name in [name for _, name in line.groups]
        ]
        yield from lines or [Loss(None, each.heading, becomes)]
