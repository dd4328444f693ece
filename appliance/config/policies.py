"""What a draft's service policies have inspected."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby

from appliance.config.draft import ClassMapEntry, Draft, PolicyClassEntry, PolicyMapEntry
from appliance.config.expansion import expanded, members
from appliance.config.helpers import INSPECTED
from appliance.config.language import MAPS, SEVEN, Language
from appliance.config.model import ANY, Fixup, Inspection, Match, PolicyMap, Traffic
from appliance.config.services import port_names
from appliance.protocol import SMTP, TCP
from appliance.smtp.esmtp_map import DEFAULT_MAP, EsmtpMap

CLASS_DEFAULT = "class-default"
"""The class of all traffic, which needs no class map."""

_ALL_PORTS = ((1, 65535),)
_ESMTP_MAP = "policy-map type inspect esmtp"


def freeze_policies(
    draft: Draft, maps: Mapping[str, EsmtpMap]
) -> tuple[tuple[PolicyMap, ...], tuple[Inspection, ...], tuple[Fixup, ...]]:
    """The policy maps, and what the service policies make of them: of mail, and of what the
    kernel helps with; ports of mail that are inspected whatever the interface become the draft's.

    Args:
        draft: all that the file's commands have said.
        maps: the inspection maps by their names.
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
        _check_classes(draft, policy_map, maps)
    in_force = tuple(_in_force(draft))
    inspections = tuple(_inspections(draft, in_force, maps))
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
        tuple(dict.fromkeys(_fixups(draft, in_force))),
    )


def _check_classes(draft: Draft, policy_map: PolicyMapEntry, maps: Mapping[str, EsmtpMap]) -> None:
    for name, entry in policy_map.classes.items():
        known = name == CLASS_DEFAULT or name in draft.class_maps
        if not known and not draft.is_excused("class-map", name):
            draft.refuse(
                entry.use.place,
                f"class-map {name} does not exist",
                f"define it: `class-map {name}`",
            )
        use = entry.map_use
        if use and use.name not in maps and not draft.is_excused(_ESMTP_MAP, use.name):
            draft.refuse(
                use.place,
                f"{_ESMTP_MAP} {use.name} does not exist",
                f"define it: `{_ESMTP_MAP} {use.name}`",
            )


def _in_force(draft: Draft) -> Iterator[tuple[str, PolicyMapEntry]]:
    """The policy maps in force, each with its interface, "" for everywhere."""
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
        yield policy.interface, policy_map


def _inspections(
    draft: Draft,
    in_force: Iterable[tuple[str, PolicyMapEntry]],
    maps: Mapping[str, EsmtpMap],
) -> Iterator[Inspection]:
    for interface, policy_map in in_force:
        known: set[tuple[int, int]] = set()
        inspecting = (each for each in policy_map.classes.values() if each.policy_class.esmtp)
        # The first class that has a port inspected decides how, so that only neighbours are joined.
        for esmtp_map, those in groupby(inspecting, lambda each: _map(draft, each, maps)):
            ports = {
                each
                for entry in those
                for each in _ports(draft, entry, TCP, (SMTP, SMTP), "inspect esmtp")
                if each not in known
            }
            known |= ports
            if ports:
                yield Inspection(interface, tuple(sorted(ports)), esmtp_map)


def _map(draft: Draft, entry: PolicyClassEntry, maps: Mapping[str, EsmtpMap]) -> EsmtpMap | None:
    if draft.language < MAPS:
        return None
    return maps.get(entry.policy_class.esmtp_map or DEFAULT_MAP.name)


def _fixups(draft: Draft, in_force: Iterable[tuple[str, PolicyMapEntry]]) -> Iterator[Fixup]:
    for interface, policy_map in in_force:
        for each in policy_map.classes.values():
            for inspected in each.policy_class.helped:
                command = f"inspect {inspected.name}"
                for helped in INSPECTED[inspected.name]:
                    for ports in _ports(draft, each, helped.protocol, helped.ports, command):
                        yield Fixup(helped, ports, inspected.strict, interface, inspected.place)


def _ports(
    draft: Draft,
    policy_class: PolicyClassEntry,
    protocol: int,
    usual: tuple[int, int],
    command: str,
) -> tuple[tuple[int, int], ...]:
    """The ports of the servers that a class takes.

    Args:
        draft: all that the file's commands have said.
        policy_class: the class.
        protocol: what carries that which is inspected.
        usual: its usual ports.
        command: what has it inspected.
    """
    name, place = policy_class.policy_class.name, policy_class.use.place
    if name == CLASS_DEFAULT:
        return _ALL_PORTS
    entry = draft.class_maps.get(name)
    if entry is None or not entry.map.matches:
        return ()
    traffic = {match.traffic for match in entry.map.matches}
    if traffic == {Traffic.ANY}:
        return _ALL_PORTS
    if traffic == {Traffic.DEFAULT}:
        return (usual,)
    if traffic == {Traffic.PORT}:
        return tuple((m.low, m.high) for m in entry.map.matches if m.protocol == protocol)
    listed = _listed(draft, entry, protocol)
    if listed is None or len(entry.map.matches) > 1:
        carrier = "tcp" if protocol == TCP else "udp"
        draft.warn(
            place,
            f"`{command}` for class {name}, which an access list tells, is not implemented",
            f"it passes unread; write `match port {carrier} eq PORT`, or a list of `permit "
            f"{carrier} any any` with ports of the destination alone",
        )
        return ()
    return listed


def _listed(
    draft: Draft, entry: ClassMapEntry, protocol: int
) -> tuple[tuple[int, int], ...] | None:
    """The ports that a class map's access list permits; None where it tells more than ports."""
    ports: list[tuple[int, int]] = []
    (match,) = [m for m in entry.map.matches if m.traffic is Traffic.ACCESS_LIST]
    for line in draft.access_lists.get(match.access_list, ()):
        rule = line.rule
        if rule is None:
            continue
        if line.interfaces or line.times:
            return None
        groups = {
            part: members(draft.object_groups, draft.objects, use.name) for part, use in line.groups
        }
        for each in expanded(rule, groups) if not line.is_void else ():
            if each.protocol not in (None, protocol):
                continue
            if (
                not each.permit
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
