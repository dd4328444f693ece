"""The end of a rule file: the draft is checked as a whole and frozen."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Network

from appliance.config.draft import DeviceId, Draft, Entry, Use
from appliance.config.esmtp_maps import freeze_classes, freeze_maps
from appliance.config.expansion import MAX_RULES, expanded, members, named_objects, product
from appliance.config.language import SEVEN
from appliance.config.model import (
    DESTINATIONS,
    AccessList,
    Configuration,
    Definition,
    Interface,
    Kept,
    Logging,
    NamedObject,
    ObjectGroup,
    Part,
    Remark,
    Rule,
    RuleLine,
    Service,
    Static,
    TimeRange,
)
from appliance.config.objects import ANYTHING, DomainName, NetworkObject
from appliance.config.order import position
from appliance.config.policies import freeze_policies
from appliance.config.translation import printed as printed_static
from appliance.protocol import TCP, UDP
from appliance.smtp.esmtp_map import DEFAULT_MAP

_MEMBERS = (
    "network-object",
    "port-object",
    "service-object",
    "protocol-object",
    "icmp-object",
    "group-object",
    "host",
    "subnet",
    "range",
    "fqdn",
    "service",
)


def freeze(draft: Draft) -> Configuration:
    """Make the configuration; what is wrong with it as a whole is added to the draft's findings.

    Args:
        draft: all that the file's commands have said.
    """
    _tell_missing(draft)
    interfaces = _interfaces(draft)
    esmtp_classes = freeze_classes(draft)
    esmtp_maps = freeze_maps(draft, esmtp_classes)
    policy_maps, inspections, fixups = freeze_policies(draft, esmtp_maps)
    for entry in draft.service_policies.values():
        if entry.interface_use:
            _check_interface(draft, entry.interface_use)
    for _, use in draft.routes:
        _check_interface(draft, use)
    for _, list_use, interface_use in draft.access_groups.values():
        if interface_use:
            _check_interface(draft, interface_use)
        _check_list(draft, list_use)
    _check_uses(draft)
    return Configuration(
        hostname=draft.hostname,
        version=draft.version,
        names_enabled=draft.names_enabled,
        names=tuple(draft.names.values()),
        interfaces=interfaces,
        statics=_statics(draft),
        access_lists=tuple(
            AccessList(name, _lines(draft, entries)) for name, entries in draft.access_lists.items()
        ),
        access_groups=tuple(group for group, _, _ in draft.access_groups.values()),
        conduits=tuple(
            line for line in _lines(draft, draft.conduits) if isinstance(line, RuleLine)
        ),
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
        fixups=(*draft.fixups.values(), *fixups),
        flow_log=draft.flow_log,
        kept=_kept(draft),
        unmentioned=tuple(
            Definition(words, name, place)
            for (words, name), place in draft.definitions.items()
            if name not in draft.mentions
        ),
        object_groups=tuple(
            ObjectGroup(each.kind, each.name, each.protocol, tuple(each.members), each.description)
            for each in draft.object_groups.values()
        ),
        standard_lists=tuple(
            (name, line) for name, lines in draft.standard_lists.items() for line in lines
        ),
        time_ranges=tuple(entry.times for entry in draft.time_ranges.values()),
        nats=tuple(entry.nat for entry in draft.nats),
        globals=tuple(entry.item for entry in draft.globals),
        outbounds=tuple(draft.outbounds),
        applied=tuple(entry.item for entry in draft.applied),
        icmp_rules=tuple(entry.item for entry in draft.icmp_rules),
        verified=tuple(draft.verified),
        silent=tuple(draft.silent),
        equals_pass=draft.equals_place is not None,
        hairpins_pass=draft.hairpins_place is not None,
        equals_place=draft.equals_place,
        hairpins_place=draft.hairpins_place,
        timeouts=tuple(sorted(draft.timeouts.values(), key=lambda each: (each.name, each.kind))),
        aliases=tuple(entry.item for entry in draft.aliases),
        established=tuple(draft.established),
        regexes=tuple(draft.regexes.values()),
        regex_classes=tuple(entry.regex_class for entry in draft.regex_classes.values()),
        esmtp_classes=tuple(esmtp_classes.values()),
        esmtp_maps=tuple(each for each in esmtp_maps.values() if each != DEFAULT_MAP),
        objects=_objects(draft),
        twice_nats=tuple(entry.nat for entry in draft.twice_nats),
    )


def _objects(draft: Draft) -> tuple[NamedObject, ...]:
    """The objects, and what their `nat` and that of others name, checked."""
    for entry in draft.objects.values():
        for use in entry.interfaces:
            _check_side(draft, use)
        if isinstance(entry.named, NetworkObject) and (nat := entry.named.nat):
            _check_addresses(draft, Use(entry.named.name, nat.place))
            if nat.mapped.name not in ("", ANYTHING):
                _check_addresses(draft, Use(nat.mapped.name, nat.place))
    for twice in draft.twice_nats:
        for use in twice.interfaces:
            _check_side(draft, use)
        named, place = twice.nat, twice.nat.place
        for name in (named.real, named.mapped.name, *(named.destination or ())):
            if name in draft.objects or name in draft.object_groups:
                _check_addresses(draft, Use(name, place))
        for name in named.services or ():
            if name in draft.objects:
                _members(draft, Use(name, place))
    return tuple(entry.named for entry in draft.objects.values())


def _check_side(draft: Draft, use: Use) -> None:
    if use.name != ANYTHING:
        _check_interface(draft, use)


def _check_addresses(draft: Draft, use: Use) -> None:
    """Make sure that what a `nat` names has addresses, and ones that are known."""
    if domain := _domain(draft, use):
        draft.refuse(
            use.place,
            f"`fqdn`, which {domain} has, is not implemented",
            "name addresses: nobody looks the name up",
        )
        return
    _members(draft, use)


def _domain(draft: Draft, use: Use) -> str:
    """The heading of the first object with a domain name that a name stands for, "" for none."""
    for entry in named_objects(draft.object_groups, draft.objects, use.name):
        if isinstance(entry.named, NetworkObject) and isinstance(entry.named.value, DomainName):
            return entry.heading
    return ""


def _check_uses(draft: Draft) -> None:
    """Check what `nat`, `global` and the like name."""
    for nat in draft.nats:
        _check_interface(draft, nat.use)
        if nat.list_use:
            _check_list(draft, nat.list_use)
        number = nat.nat.number
        if number and all(entry.item.number != number for entry in draft.globals):
            draft.warn(
                nat.nat.place,
                f"no `global` has the number {number}",
                f"what this translates passes nowhere; write `global (INTERFACE) {number} ADDRESS`",
            )
    for entry in draft.globals:
        if _check_interface(draft, entry.use) and entry.item.first is None:
            known = draft.addresses.get(entry.use.name)
            if not (known and known.address):
                draft.warn(
                    entry.use.place,
                    f"interface `{entry.use.name}` has no address in the file",
                    "what is to be translated to it does not pass",
                )
    listed = {line.number for line in draft.outbounds}
    for applied in draft.applied:
        _check_interface(draft, applied.use)
        if applied.item.number not in listed:
            number = applied.item.number
            draft.warn(
                applied.item.place,
                f"outbound list {number} does not exist",
                f"nothing is denied by it; define it: `outbound {number} deny ...`",
            )
    for use in (
        *(rule.use for rule in draft.icmp_rules),
        *draft.verified.values(),
        *draft.silent.values(),
        *(alias.use for alias in draft.aliases),
    ):
        _check_interface(draft, use)


def _check_list(draft: Draft, use: Use) -> None:
    name = use.name
    if name in draft.standard_lists:
        draft.refuse(
            use.place,
            f"access-list {name} is a standard list, which says nothing of a packet's source",
            "name an extended one",
        )
    elif name not in draft.access_lists and not draft.is_excused("access-list", name):
        draft.refuse(
            use.place,
            f"access-list {name} does not exist",
            f"define it: `access-list {name} ...`",
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


def _own_network(draft: Draft, use: Use, acquired: str = "") -> IPv4Network | None:
    """The address of an interface as a network of one host; None, with a finding, for none.

    Args:
        draft: all that the file's commands have said.
        use: where the interface is named.
        acquired: what happens where it gets its address by other means, which is a warning then;
            "" where that is an error.
    """
    if not _check_interface(draft, use):
        return None
    entry = draft.addresses.get(use.name)
    if acquired and entry is not None and entry.address is None:
        draft.warn(
            use.place,
            f"the address of interface `{use.name}` is not in the file (`{entry.acquires}`)",
            acquired,
        )
        return None
    if entry is None or entry.address is None:
        if not draft.is_excused("ip address", use.name):
            draft.refuse(
                use.place,
                f"interface `{use.name}` has no address",
                f"write `ip address {use.name} ADDRESS NETMASK`",
            )
        return None
    return IPv4Network(entry.address.ip)


def _lines(draft: Draft, entries: list[Entry]) -> tuple[RuleLine | Remark, ...]:
    """The lines of a list, each rule once: a second one like it could match nothing."""
    kept: list[Entry] = []
    known: dict[Entry, int] = {}
    for entry in entries:
        if entry.rule is None:
            kept.append(entry)
            continue
        number = known.setdefault(entry.matched, len(kept))
        if number == len(kept):
            kept.append(entry)
            continue
        first = kept[number]
        assert first.rule is not None  # noqa: S101  remarks are not in `known`
        if first != entry:
            # As on the device, it changes the first one where that stands: puts it out of force or
            # back in, or has it logged in another way.
            later = entry.rule.place.line > first.rule.place.line
            kept[number] = entry if later else first
        else:
            draft.warn(
                entry.rule.place,
                f"the same as line {first.rule.place.line}",
                "the second one changes nothing",
            )
    return tuple(
        _line(draft, entry, entry.rule) if entry.rule else Remark(entry.remark) for entry in kept
    )


def _line(draft: Draft, entry: Entry, rule: Rule) -> RuleLine:
    rule = replace(rule, times=_times(draft, entry.times))
    groups = {part: _members(draft, use) for part, use in entry.groups}
    for _, use in entry.groups:
        if not rule.permit and (domain := _domain(draft, use)):
            draft.refuse(
                use.place,
                f"`fqdn`, which {domain} has, is not implemented, and what this line denies "
                "would pass",
                "deny addresses: nobody looks the name up",
            )
    _check_protocols(draft, entry, rule, groups.get(Part.PROTOCOL))
    for part, use in entry.interfaces:
        own = _own_network(draft, use, acquired="the line matches nothing")
        groups[part] = (own,) if own else ()
    count = product(groups)
    if count > MAX_RULES:
        draft.refuse(
            rule.place,
            f"the line stands for {count} rules, and may for {MAX_RULES}",
            "write several lines, or networks in place of hosts",
        )
    return RuleLine(
        rule,
        () if entry.is_void else expanded(rule, groups),
        tuple((part, use.name) for part, use in entry.groups),
        tuple((part, use.name) for part, use in entry.interfaces),
        entry.inactive,
        entry.families,
    )


def _times(draft: Draft, use: Use | None) -> TimeRange | None:
    if use is None:
        return None
    entry = draft.time_ranges.get(use.name)
    if entry is None:
        if not draft.is_excused("time-range", use.name):
            draft.refuse(
                use.place,
                f"time-range {use.name} does not exist",
                f"define it: `time-range {use.name}`",
            )
        return None
    times = entry.times
    excused = draft.is_any_refused("absolute") or draft.is_any_refused("periodic")
    if not (times.start or times.end or times.periods or excused):
        draft.refuse(
            use.place, f"time-range {use.name} says no time", "write `absolute` or `periodic` in it"
        )
    return times


def _members(draft: Draft, use: Use) -> tuple[IPv4Network | Service, ...]:
    found = members(draft.object_groups, draft.objects, use.name)
    excused = any(draft.is_any_refused(words) for words in _MEMBERS)
    if not found and not excused and not _domain(draft, use):
        what = "object" if use.name in draft.objects else "object-group"
        draft.refuse(use.place, f"{what} ({use.name}) is empty", "write what it contains")
    return found


def _check_protocols(
    draft: Draft,
    entry: Entry,
    rule: Rule,
    protocols: tuple[IPv4Network | Service, ...] | None,
) -> None:
    """Make sure that what is compared with ports has such ports."""
    of_protocols = [each for each in protocols or () if isinstance(each, Service)]
    numbers = {each.protocol for each in of_protocols} or {rule.protocol}
    names = {{TCP: "tcp", UDP: "udp"}.get(number or 0, "") for number in numbers}
    uses = dict(entry.groups)
    for part, written in (
        (Part.SOURCE_PORTS, rule.source_ports),
        (Part.DESTINATION_PORTS, rule.destination_ports),
    ):
        use = uses.get(part)
        if use is None and (written is None or protocols is None):
            continue
        allowed = draft.object_groups[use.name].protocol.split("-") if use else ["tcp", "udp"]
        if not names.issubset(allowed):
            draft.refuse(
                use.place if use else rule.place,
                f"the rule's ports are of {' and '.join(allowed)}, and its protocols are others",
                "write a rule for protocols that have such ports, and another one for the rest",
            )


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
        hosts=tuple(entry.host for entry in draft.log_hosts.values()),
        facility=draft.log_facility,
        timestamp=draft.log_timestamp,
        permit_host_down=draft.log_permit_host_down,
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
        static = entry.static
        known = [_check_interface(draft, use) for use in (entry.real_use, entry.mapped_use)]
        if not all(known):
            continue
        if entry.list_use:
            _check_list(draft, entry.list_use)
        if static.mapped is None:
            own = _own_network(draft, entry.mapped_use, acquired="nothing is translated by it")
            if own is None:
                text = printed_static(static, draft.language).rstrip()
                draft.kept.add(Kept("static", text, (), static.place))
                continue
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
