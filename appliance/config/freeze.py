"""The end of a rule file: the draft is checked as a whole and frozen."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Network

from appliance.config.draft import DeviceId, Draft, Entry, Use
from appliance.config.language import SEVEN
from appliance.config.model import (
    DESTINATIONS,
    AccessList,
    Configuration,
    Definition,
    Interface,
    Kept,
    Logging,
    Remark,
    Rule,
    Static,
)
from appliance.config.order import position
from appliance.config.policies import freeze_policies
from appliance.protocol import UDP


def freeze(draft: Draft) -> Configuration:
    """Make the configuration; what is wrong with it as a whole is added to the draft's findings.

    Args:
        draft: all that the file's commands have said.
    """
    _tell_missing(draft)
    if draft.language >= SEVEN and not draft.nat_control and draft.version_place:
        draft.warn(
            draft.version_place,
            "without `nat-control`, a device lets pass what nothing translates; this is not "
            "implemented",
            "it does not pass: write a `static` for what should, and `nat-control` for this to be "
            "as on the device",
        )
    interfaces = _interfaces(draft)
    policy_maps, inspections = freeze_policies(draft)
    for entry in draft.service_policies.values():
        if entry.interface_use:
            _check_interface(draft, entry.interface_use)
    for _, use in draft.routes:
        _check_interface(draft, use)
    for group, list_use, interface_use in draft.access_groups.values():
        _check_interface(draft, interface_use)
        name = group.access_list
        if name not in draft.access_lists and not draft.is_excused("access-list", name):
            draft.refuse(
                list_use.place,
                f"access-list {name} does not exist",
                f"define it: `access-list {name} ...`",
            )
    return Configuration(
        hostname=draft.hostname,
        version=draft.version,
        names_enabled=draft.names_enabled,
        names=tuple(draft.names.values()),
        interfaces=interfaces,
        statics=_statics(draft),
        access_lists=tuple(
            _access_list(draft, name, entries) for name, entries in draft.access_lists.items()
        ),
        access_groups=tuple(group for group, _, _ in draft.access_groups.values()),
        conduits=_rules(draft, draft.conduits),
        smtp_ports=tuple(sorted(draft.smtp_ports)),
        mail_hosts=tuple(draft.mail_hosts),
        routes=tuple(route for route, _ in draft.routes),
        logging=_logging(draft),
        hardware=tuple(written.hardware for written in draft.hardware.values()),
        nat_control=draft.nat_control or draft.language < SEVEN,
        class_maps=tuple(entry.map for entry in draft.class_maps.values()),
        policy_maps=policy_maps,
        service_policies=tuple(entry.policy for entry in draft.service_policies.values()),
        inspections=inspections,
        kept=_kept(draft),
        unmentioned=tuple(
            Definition(words, name, place)
            for (words, name), place in draft.definitions.items()
            if name not in draft.mentions
        ),
    )


def _tell_missing(draft: Draft) -> None:
    """One warning a command that is not implemented, though a file may have a hundred of it."""
    for words, gap in draft.gaps.items():
        places = [
            kept.place
            for kept in draft.kept
            if kept.words == words and not kept.text.startswith("no ")
        ]
        if not places:
            continue
        lines = [str(place.line) for place in places]
        also = f" (nor in {'line' if len(lines) == 2 else 'lines'} {', '.join(lines[1:])})"
        draft.warn(places[0], f"`{words}` is not implemented{also if len(lines) > 1 else ''}", gap)


def _kept(draft: Draft) -> tuple[Kept, ...]:
    """The lines kept, each once, in the order in which they are printed."""

    def place(kept: Kept) -> tuple[tuple[int, int, str], list[float]]:
        root = (*kept.under, kept.text)[0]
        path = (kept.under[: depth + 1] for depth in range(len(kept.under)))
        return position(root, draft.language), [draft.kept.place(each) for each in path]

    return tuple(sorted(draft.kept, key=place))


def _check_interface(draft: Draft, use: Use) -> bool:
    known = use.name in draft.interface_names
    # A `nameif` with an error may lack the very name, so it excuses every name that is missing.
    excused = draft.is_any_refused("nameif") or draft.is_excused("nameif", use.name)
    if not known and not excused:
        named = ", ".join(draft.interface_names) or "none"
        draft.refuse(
            use.place,
            f"there is no interface named `{use.name}`",
            f"interfaces named by `nameif`: {named}",
        )
    return known


def _interfaces(draft: Draft) -> tuple[Interface, ...]:
    hardware_names = {entry.hardware for entry in draft.interface_names.values()}
    for hardware, written in draft.hardware.items():
        place = written.place
        if hardware in hardware_names or draft.is_excused("nameif", hardware):
            continue
        if draft.language >= SEVEN:
            continue
        if not written.hardware.shutdown:
            draft.warn(place, f"no `nameif` names {hardware}", "the line has no effect")
        else:
            draft.refuse(
                place,
                f"no `nameif` names {hardware}, so nothing is shut down",
                f"write `nameif {hardware} NAME securityN`, or leave the line out",
            )
    shut = {key for key, written in draft.hardware.items() if written.hardware.shutdown}
    networks: dict[str, IPv4Network] = {}
    for name, entry in draft.addresses.items():
        if not _check_interface(draft, entry.use) or entry.address is None:
            continue
        network = entry.address.network
        for other, others in networks.items():
            if network.overlaps(others):
                draft.refuse(
                    entry.use.place,
                    f"the network of `{name}` overlaps that of `{other}`",
                    "each interface needs a network of its own",
                )
        networks[name] = network
    named = list(draft.interface_names.items())
    if draft.language >= SEVEN:
        order = list(draft.hardware)
        named.sort(key=lambda each: order.index(each[1].hardware.lower()))
    return tuple(
        Interface(
            name=name,
            hardware=entry.hardware,
            level=entry.level,
            address=address.address.ip if address and address.address else None,
            network=networks.get(name),
            shutdown=entry.hardware.lower() in shut,
            place=entry.place,
            acquires=address.acquires if address else "",
            standby=address.standby if address else None,
        )
        for name, entry in named
        for address in (draft.addresses.get(name),)
    )


def _own_network(draft: Draft, use: Use) -> IPv4Network | None:
    """The address of an interface as a network of one host; None, with a finding, for none."""
    if not _check_interface(draft, use):
        return None
    entry = draft.addresses.get(use.name)
    if entry is None or entry.address is None:
        if not draft.is_excused("ip address", use.name):
            draft.refuse(
                use.place,
                f"interface `{use.name}` has no address",
                f"write `ip address {use.name} ADDRESS NETMASK`",
            )
        return None
    return IPv4Network(entry.address.ip)


def _access_list(draft: Draft, name: str, entries: list[Entry]) -> AccessList:
    rules, remarks = _rules(draft, entries), []
    places = {rule.place: number for number, rule in enumerate(rules)}
    before = 0
    for entry in entries:
        if entry.rule is None:
            remarks.append(Remark(before, entry.remark))
        elif entry.rule.place in places:
            before = places[entry.rule.place] + 1
    return AccessList(name, rules, tuple(remarks))


def _rules(draft: Draft, entries: list[Entry]) -> tuple[Rule, ...]:
    """The rules of a list, each once: a second one like it could match nothing."""
    rules: dict[Rule, Rule] = {}
    for entry in entries:
        rule = entry.rule
        if rule is None:
            continue
        if entry.source_interface:
            rule = replace(rule, source=_own_network(draft, entry.source_interface) or rule.source)
        if entry.destination_interface:
            own = _own_network(draft, entry.destination_interface)
            rule = replace(rule, destination=own or rule.destination)
        first = rules.setdefault(rule, rule)
        if first is not rule:
            draft.warn(
                rule.place, f"the same as line {first.place.line}", "the second one changes nothing"
            )
    return tuple(rules)


def _logging(draft: Draft) -> Logging:
    levels = draft.logging_levels
    for entry in draft.log_hosts.values():
        if entry.interface:
            _check_interface(draft, entry.interface)
        if entry.host and "trap" not in draft.logging_levels:
            draft.warn(
                entry.place,
                "no message is sent to it without `logging trap`",
                "write `logging trap LEVEL`, or leave the line out",
            )
    return Logging(
        on=draft.logging_on,
        levels=tuple((d, levels[d]) for d in DESTINATIONS if d in levels),
        hosts=tuple(entry.host for entry in draft.log_hosts.values() if entry.host),
        facility=draft.log_facility,
        timestamp=draft.log_timestamp,
        device_id=_device_id(draft),
        device_id_form=_device_id_form(draft),
        disabled=tuple(sorted(draft.log_disabled)),
        severities=tuple(sorted(draft.log_severities.items())),
    )


def _device_id(draft: Draft) -> str:
    match draft.log_device_id:
        case None:
            return ""
        case DeviceId.HOSTNAME, _:
            return draft.hostname
        case DeviceId.ADDRESS, use:
            own = _own_network(draft, use)
            return str(own.network_address) if own else ""
        case _, use:
            return use.name


def _device_id_form(draft: Draft) -> str:
    if draft.log_device_id is None:
        return ""
    kind, use = draft.log_device_id
    return f"{kind.value} {use.name}".rstrip()


def _statics(draft: Draft) -> tuple[Static, ...]:
    kept = []
    for entry in draft.statics.values():
        static, names = entry.static, draft.interface_names
        known = [_check_interface(draft, use) for use in (entry.real_use, entry.mapped_use)]
        if not all(known):
            continue
        if names[static.real_interface].level <= names[static.mapped_interface].level:
            # Outside translation would have to be judged by rules that are not there yet.
            draft.warn(
                entry.real_use.place,
                f"`{static.real_interface}` is not more secure than `{static.mapped_interface}`: "
                "outside translation is not implemented",
                "nothing is translated by it; the more secure interface is written first",
            )
            continue
        if static.mapped is None:
            _own_network(draft, entry.mapped_use)
        if static.embryonic_limit and not _is_read_whole(draft, static):
            draft.warn(
                static.place,
                "the limit on half-open connections holds for inspected ports alone",
                "connections that pass unread are limited by the number before it",
            )
        kept.append(static)
    return tuple(kept)


def _is_read_whole(draft: Draft, static: Static) -> bool:
    """Whether all TCP connections that a static translates are inspected, by their real port."""
    port = static.real_port
    return (static.protocol == UDP) or any(low <= port <= high for low, high in draft.smtp_ports)
