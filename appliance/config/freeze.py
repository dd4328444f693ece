"""The end of a rule file: the draft is checked as a whole and frozen."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Network

from appliance.config.draft import DeviceId, Draft, Entry, Use
from appliance.config.model import (
    AccessList,
    Configuration,
    Interface,
    Logging,
    Rule,
    Static,
)


def freeze(draft: Draft) -> Configuration:
    """Make the configuration; what is wrong with it as a whole is added to the draft's findings.

    Args:
        draft: all that the file's commands have said.
    """
    _tell_missing(draft)
    interfaces = _interfaces(draft)
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
            AccessList(name, _rules(draft, entries)) for name, entries in draft.access_lists.items()
        ),
        access_groups=tuple(group for group, _, _ in draft.access_groups.values()),
        conduits=_rules(draft, draft.conduits),
        smtp_ports=draft.smtp_ports,
        mail_hosts=tuple(draft.mail_hosts),
        routes=tuple(route for route, _ in draft.routes),
        logging=_logging(draft),
    )


def _tell_missing(draft: Draft) -> None:
    """One warning a command that is not implemented, though a file may have a hundred of it."""
    for words, (gap, places) in draft.missing.items():
        lines = [str(place.line) for place in places]
        also = f" (nor in {'line' if len(lines) == 2 else 'lines'} {', '.join(lines[1:])})"
        draft.warn(places[0], f"`{words}` is not implemented{also if len(lines) > 1 else ''}", gap)


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
    for hardware, (shutdown, place) in draft.shutdowns.items():
        if hardware in hardware_names or draft.is_excused("nameif", hardware):
            continue
        if not shutdown:
            draft.warn(place, f"no `nameif` names {hardware}", "the line has no effect")
        else:
            draft.refuse(
                place,
                f"no `nameif` names {hardware}, so nothing is shut down",
                f"write `nameif {hardware} NAME securityN`, or leave the line out",
            )
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
    return tuple(
        Interface(
            name=name,
            hardware=entry.hardware,
            level=entry.level,
            address=address.address.ip if address and address.address else None,
            network=networks.get(name),
            shutdown=draft.shutdowns.get(entry.hardware, (False,))[0],
            place=entry.place,
        )
        for name, entry in draft.interface_names.items()
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
        levels=tuple(draft.logging_levels.items()),
        hosts=tuple(entry.host for entry in draft.log_hosts.values() if entry.host),
        facility=draft.log_facility,
        timestamp=draft.log_timestamp,
        device_id=_device_id(draft),
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
        kept.append(static)
    return tuple(kept)
