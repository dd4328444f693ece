"""What a draft's service policies have inspected."""

from __future__ import annotations

from collections.abc import Iterator

from appliance.config.draft import ClassMapEntry, Draft, PolicyMapEntry
from appliance.config.expansion import expanded, members
from appliance.config.language import SEVEN, Language
from appliance.config.model import ANY, Inspection, Match, PolicyMap, Traffic
from appliance.config.services import port_names
from appliance.errors import Place
from appliance.protocol import SMTP, TCP

CLASS_DEFAULT = "class-default"
"""The class of all traffic, which needs no class map."""

_ALL_PORTS = ((1, 65535),)


def freeze_policies(draft: Draft) -> tuple[tuple[PolicyMap, ...], tuple[Inspection, ...]]:
    """The policy maps, and what the service policies make of them; ports that are inspected
    whatever the interface become the draft's.

    Args:
        draft: all that the file's commands have said.
    """
    for entry in draft.class_maps.values():
        for use in entry.uses.values():
            if use.name not in draft.access_lists and not draft.is_excused("access-list", use.name):
                draft.refuse(
                    use.place,
                    f"access-list {use.name} does not exist",
                    f"define it: `access-list {use.name} ...`",
                )
    for policy_map in draft.policy_maps.values():
        _check_classes(draft, policy_map)
    inspections = tuple(_inspections(draft))
    if draft.language >= SEVEN:
        draft.smtp_ports = tuple(
            dict.fromkeys(
                ports for each in inspections if not each.interface for ports in each.ports
            )
        )
        if not draft.policy_maps and draft.version_place:
            draft.warn(
                draft.version_place,
                "no `policy-map` has anything inspected: mail passes unread",
                "from 7.0 on, what is inspected must be written: `inspect esmtp` below a `class` "
                "of a `policy-map`, and a `service-policy` for that",
            )
    return (
        tuple(
            PolicyMap(
                each.name, tuple(c.policy_class for c in each.classes.values()), each.description
            )
            for each in draft.policy_maps.values()
        ),
        inspections,
    )


def _check_classes(draft: Draft, policy_map: PolicyMapEntry) -> None:
    for name, entry in policy_map.classes.items():
        known = name == CLASS_DEFAULT or name in draft.class_maps
        if not known and not draft.is_excused("class-map", name):
            draft.refuse(
                entry.use.place,
                f"class-map {name} does not exist",
                f"define it: `class-map {name}`",
            )


def _inspections(draft: Draft) -> Iterator[Inspection]:
    for entry in draft.service_policies.values():
        policy = entry.policy
        policy_map = draft.policy_maps.get(policy.policy_map)
        if policy_map is None:
            if not draft.is_excused("policy-map", policy.policy_map):
                draft.refuse(
                    entry.map_use.place,
                    f"policy-map {policy.policy_map} does not exist",
                    f"define it: `policy-map {policy.policy_map}`",
                )
            continue
        ports: list[tuple[int, int]] = []
        for each in policy_map.classes.values():
            if each.policy_class.esmtp:
                ports += _ports(draft, each.policy_class.name, each.use.place)
        if ports:
            yield Inspection(policy.interface, tuple(sorted(set(ports))))


def _ports(draft: Draft, name: str, place: Place) -> tuple[tuple[int, int], ...]:
    """The ports of the mail servers that a class takes."""
    if name == CLASS_DEFAULT:
        return _ALL_PORTS
    entry = draft.class_maps.get(name)
    if entry is None or not entry.map.matches:
        return ()
    traffic = {match.traffic for match in entry.map.matches}
    if traffic == {Traffic.ANY}:
        return _ALL_PORTS
    if traffic == {Traffic.DEFAULT}:
        return ((SMTP, SMTP),)
    if traffic == {Traffic.PORT}:
        return tuple((m.low, m.high) for m in entry.map.matches if m.protocol == TCP)
    listed = _listed(draft, entry)
    if listed is None or len(entry.map.matches) > 1:
        draft.warn(
            place,
            f"`inspect esmtp` for class {name}, which an access list tells, is not implemented",
            "its mail passes unread; write `match port tcp eq PORT`, or a list of `permit tcp any "
            "any` with ports of the destination alone",
        )
        return ()
    return listed


def _listed(draft: Draft, entry: ClassMapEntry) -> tuple[tuple[int, int], ...] | None:
    """The ports that a class map's access list permits; None where it tells more than ports."""
    ports: list[tuple[int, int]] = []
    (match,) = [m for m in entry.map.matches if m.traffic is Traffic.ACCESS_LIST]
    for line in draft.access_lists.get(match.access_list, ()):
        rule = line.rule
        if rule is None:
            continue
        if line.interfaces or line.times:
            return None
        groups = {part: members(draft.object_groups, use.name) for part, use in line.groups}
        for each in expanded(rule, groups) if not line.inactive else ():
            if (
                not each.permit
                or each.protocol != TCP
                or (each.source, each.destination) != (ANY, ANY)
                or each.source_ports
                or each.destination_ports is None
            ):
                return None
            ports += each.destination_ports.ranges()
    return tuple(ports)


def printed_match(match: Match, language: Language) -> str:
    """A `match` as a device prints it.

    Args:
        match: the command.
        language: the version.
    """
    match match.traffic:
        case Traffic.PORT:
            protocol = "tcp" if match.protocol == TCP else "udp"
            names = port_names(protocol, language)
            low, high = (names.get(p, str(p)) for p in (match.low, match.high))
            span = f"eq {low}" if match.low == match.high else f"range {low} {high}"
            return f"match port {protocol} {span}"
        case Traffic.ACCESS_LIST:
            return f"match access-list {match.access_list}"
        case _:
            return f"match {match.traffic.value}"
