"""Names for several things at once: `object-group`, from 6.2 on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from ipaddress import IPv4Network
from typing import TypeAlias

from appliance.config.command import GLOBAL, Command, Handler, Mode, accepted
from appliance.config.draft import Draft, GroupEntry
from appliance.config.expansion import reached
from appliance.config.grammar import (
    Argument,
    Arguments,
    Keyword,
    Labelled,
    OneOf,
    Options,
    Piece,
    Sequence,
    Text,
)
from appliance.config.kinds import ADDRESS, NETMASK, Mismatch, Port, Word
from appliance.config.language import OBJECTS, SEVEN, Language
from appliance.config.line import Refusal
from appliance.config.model import (
    Configuration,
    GroupKind,
    Member,
    Nested,
    ObjectGroup,
    ObjectName,
    Operator,
    Ports,
    Service,
    ServiceObject,
)
from appliance.config.objects import NetworkObject
from appliance.config.rules import (
    GROUP,
    ICMP_TYPE,
    OBJECT,
    PROTOCOL,
    network_of,
    no_group,
    no_object,
    ports_form,
    printed_icmp_type,
    printed_ports,
    printed_protocol,
)
from appliance.errors import Place
from appliance.protocol import ICMP, TCP, UDP

SINCE: Language = (6, 2)
UNTYPED: Language = (8, 0)
"""From here on a service group may leave it to its members which protocols they are of."""

_Read: TypeAlias = Callable[[Draft, Arguments], list[Member]]

_MODES = {kind: Mode(f"object-group {kind.value}", GLOBAL) for kind in GroupKind}


def users(draft: Draft, name: str) -> Iterator[str]:
    """What names a group or an object: access lists, conduits, groups, translations."""
    lists = {f"access-list {each}": lines for each, lines in draft.access_lists.items()}
    lists["a conduit"] = draft.conduits
    for user, lines in lists.items():
        if any(use.name == name for line in lines for _, use in line.groups):
            yield user
    for group in draft.object_groups.values():
        if Nested(name) in group.members or ObjectName(name) in group.members:
            yield f"object-group {group.name}"
    for entry in draft.objects.values():
        named = entry.named
        if isinstance(named, NetworkObject) and named.nat and named.nat.mapped.name == name:
            yield named.heading
    for twice in draft.twice_nats:
        nat = twice.nat
        if name in (nat.real, nat.mapped.name, *(nat.destination or ()), *(nat.services or ())):
            yield "`nat`"


def heading_of(draft: Draft, name: str) -> tuple[str, Place] | None:
    """The line that defines a group or an object of a name, and where it stands."""
    entry = draft.object_groups.get(name) or draft.objects.get(name)
    return (entry.heading, entry.place) if entry else None


def name_taken(arguments: Arguments, heading: str, place: Place) -> Refusal:
    """The error of a name that another group or object has."""
    return arguments.refusal(
        "name",
        f"`{heading}` has that name (line {place.line})",
        "no two groups may have the same name, nor a group and an object, whatever they are of",
    )


def _opening(kind: GroupKind) -> tuple[Handler, Handler]:
    def enter(draft: Draft, arguments: Arguments) -> GroupEntry:
        name = arguments.need("name", str)
        protocol = arguments.get("protocol", str) or ""
        made = GroupEntry(kind, name, protocol, arguments.place)
        known = heading_of(draft, name)
        if known and known[0] != made.heading:
            raise name_taken(arguments, *known)
        return draft.object_groups.setdefault(name, made)

    def undo(draft: Draft, arguments: Arguments) -> None:
        name = arguments.need("name", str)
        group = draft.object_groups.get(name)
        if group is None or group.kind is not kind:
            raise arguments.refusal("name", "there is no such group", "remove what is defined")
        used = next(users(draft, name), None)
        if used:
            raise being_used(arguments, "name", f"object-group ({name})", used)
        del draft.object_groups[name]
        draft.kept.close((group.heading,))

    return enter, undo


def clear_groups(draft: Draft, arguments: Arguments) -> None:
    """Remove all groups, or those of one kind; none of them where something else names one."""
    kind = arguments.get("kind", GroupKind)
    doomed = [g.name for g in draft.object_groups.values() if kind in (None, g.kind)]
    removed = {f"object-group {name}" for name in doomed}
    for name in doomed:
        if left := next((user for user in users(draft, name) if user not in removed), None):
            raise being_used(arguments, "", f"object-group ({name})", left)
    for name in doomed:
        draft.kept.close((draft.object_groups.pop(name).heading,))


def being_used(arguments: Arguments, key: str, what: str, user: str) -> Refusal:
    """The error of a command that would remove what something else names.

    Args:
        arguments: of the command.
        key: the argument that it is about.
        what: what would be removed.
        user: what names it.
    """
    return arguments.refusal(
        key,
        f"Removing {what} not allowed, it is being used",
        f"remove it from {user} first",
    )


def _read_network(draft: Draft, arguments: Arguments) -> list[Member]:
    return [network_of(draft, arguments)]


def _read_port(draft: Draft, arguments: Arguments) -> list[Member]:
    group = arguments.subject(GroupEntry)
    if not group.protocol:
        raise arguments.refusal(
            "", f"`{group.heading}` names no protocol", "write `service-object PROTOCOL ...`"
        )
    low = _port(group, arguments, "low")
    if not arguments.get("range", bool):
        return [Service(destination_ports=Ports(Operator.EQ, low, low))]
    high = _port(group, arguments, "high")
    if low > high:
        raise arguments.refusal(
            "high", "the range ends before it starts", f"write `range {high} {low}`"
        )
    return [Service(destination_ports=Ports(Operator.RANGE, low, high))]


def _port(group: GroupEntry, arguments: Arguments, key: str) -> int:
    """A port by a name of the group's protocol, which the form of the line does not know."""
    kind = Port(group.protocol)
    try:
        return kind.parse(arguments.need(key, str), {})
    except Mismatch as mismatch:
        raise arguments.refusal(key, str(mismatch), f"expected: {kind.expects}") from None


def _read_service(draft: Draft, arguments: Arguments) -> list[Member]:
    group = arguments.subject(GroupEntry)
    if group.protocol:
        raise arguments.refusal(
            "", f"`{group.heading}` is of ports alone", "write `port-object eq PORT`"
        )
    return [*services_of(arguments)]


def services_of(arguments: Arguments) -> tuple[Service, ...]:
    """The services that the form `SERVICE` states: two for `tcp-udp`, else one."""
    protocols = (TCP, UDP) if arguments.get("both", bool) else (arguments.get("protocol", int),)
    return tuple(
        Service(
            protocol,
            arguments.get("source_ports", Ports),
            arguments.get("destination_ports", Ports),
            arguments.get("icmp_type", int),
        )
        for protocol in protocols
    )


def _read_object(wanted: type[NetworkObject] | type[ServiceObject]) -> _Read:
    def read(draft: Draft, arguments: Arguments) -> list[Member]:
        group, name = arguments.subject(GroupEntry), arguments.get("object", str)
        if name is None:
            return (_read_network if wanted is NetworkObject else _read_service)(draft, arguments)
        entry = draft.objects.get(name)
        if entry is None:
            raise no_object(name, arguments.where("object").column)
        if not isinstance(entry.named, wanted) or group.protocol:
            raise arguments.refusal(
                "object",
                f"`{entry.heading}` does not stand in `{group.heading}`",
                "networks stand in a group of networks, services in one of services without a "
                "protocol",
            )
        return [ObjectName(name)]

    return read


def _read_protocol(draft: Draft, arguments: Arguments) -> list[Member]:
    return [Service(arguments.get("protocol", int))]


def _read_icmp_type(draft: Draft, arguments: Arguments) -> list[Member]:
    return [Service(ICMP, icmp_type=arguments.need("icmp_type", int))]


def _protocols(group: GroupEntry) -> set[str]:
    return set(group.protocol.split("-"))


def _read_nested(draft: Draft, arguments: Arguments) -> list[Member]:
    group, name = arguments.subject(GroupEntry), arguments.need("name", str)
    other = draft.object_groups.get(name)
    if other is None:
        raise no_group(name, arguments.where("name").column)
    failed = f"Adding obj (group-object {name}) to grp ({group.name}) failed"
    if other.kind is not group.kind or not _protocols(group) <= _protocols(other):
        raise arguments.refusal(
            "name", f"{failed}; it is `{other.heading}`", f"name a group like `{group.heading}`"
        )
    if group.name in reached(draft.object_groups, name):
        raise arguments.refusal(
            "name", f"{failed}; cause a loop in grp hierarchy", f"{name} contains {group.name}"
        )
    return [Nested(name)]


def _adding(read: _Read) -> tuple[Handler, Handler]:
    def enter(draft: Draft, arguments: Arguments) -> None:
        group = arguments.subject(GroupEntry)
        for member in read(draft, arguments):
            if member in group.members:
                draft.warn(
                    arguments.place, f"{group.name} has that object already", "it stays there once"
                )
            group.members[member] = None

    def undo(draft: Draft, arguments: Arguments) -> None:
        group = arguments.subject(GroupEntry)
        for member in read(draft, arguments):
            if member not in group.members:
                raise arguments.refusal("", "there is no such object", "remove what is defined")
            del group.members[member]

    return enter, undo


def _enter_description(draft: Draft, arguments: Arguments) -> None:
    arguments.subject(GroupEntry).description = arguments.get("text", str) or ""


def _undo_description(draft: Draft, arguments: Arguments) -> None:
    arguments.subject(GroupEntry).description = ""


_HOST_OR_NETWORK = OneOf(
    Sequence(Keyword("host"), Argument("address", ADDRESS)),
    Sequence(Argument("address", ADDRESS), Argument("netmask", NETMASK)),
)
_OBJECT = Sequence(Keyword("object"), Argument("object", OBJECT))
_PORT = Word("PORT", "a port", r"[!-~]{1,20}", "a number or a name")
_PORTS = OneOf(
    Sequence(Keyword("eq"), Argument("low", _PORT)),
    Sequence(Keyword("range", "range"), Argument("low", _PORT), Argument("high", _PORT)),
)


def _service(protocol: str, *start: Piece) -> Sequence:
    return Sequence(
        *start,
        Options(
            Sequence(Keyword("source"), ports_form("source_ports", protocol)),
            Sequence(Keyword("destination"), ports_form("destination_ports", protocol)),
            ports_form("destination_ports", protocol),
        ),
    )


SERVICE = Labelled(
    "PROTOCOL [source PORTS] [[destination] PORTS | ICMP_TYPE]",
    OneOf(
        _service("tcp", Keyword("tcp", "protocol", TCP, also=(str(TCP),))),
        _service("udp", Keyword("udp", "protocol", UDP, also=(str(UDP),))),
        _service("tcp-udp", Keyword("tcp-udp", "both")),
        Sequence(
            Keyword("icmp", "protocol", ICMP, also=(str(ICMP),)),
            Options(Argument("icmp_type", ICMP_TYPE)),
        ),
        Keyword("ip"),
        Argument("protocol", PROTOCOL),
    ),
)
_ONE_PROTOCOL = OneOf(
    Keyword("tcp", "protocol", TCP, also=(str(TCP),)),
    Keyword("udp", "protocol", UDP, also=(str(UDP),)),
    Keyword("icmp", "protocol", ICMP, also=(str(ICMP),)),
    Keyword("ip"),
    Argument("protocol", PROTOCOL),
)


def _printed_member(member: Member, group: ObjectGroup, language: Language) -> str:
    if isinstance(member, Nested):
        return f"group-object {member.name}"
    if isinstance(member, ObjectName):
        words = "network-object" if group.kind is GroupKind.NETWORK else "service-object"
        return f"{words} object {member.object_name}"
    if isinstance(member, IPv4Network):
        if member.prefixlen == 32:
            return f"network-object host {member.network_address}"
        return f"network-object {member.with_netmask.replace('/', ' ')}"
    if group.kind is GroupKind.PROTOCOL:
        return f"protocol-object {printed_protocol(member.protocol)}"
    if group.kind is GroupKind.ICMP_TYPE:
        return f"icmp-object {printed_icmp_type(member.icmp_type or 0)}"
    if group.protocol:
        return f"port-object {printed_ports(member.destination_ports, group.protocol, language)}"
    return f"service-object {printed_service(member, language)}"


def printed_service(service: Service, language: Language, protocol: str = "") -> str:
    """A service as a device prints it.

    Args:
        service: the service.
        language: the version.
        protocol: what is written for its protocol, "" for its own name.
    """
    name = protocol or printed_protocol(service.protocol)
    words = [name]
    if service.source_ports:
        words.append(f"source {printed_ports(service.source_ports, name, language)}")
    if service.destination_ports:
        word = "destination " if language >= OBJECTS else ""
        words.append(f"{word}{printed_ports(service.destination_ports, name, language)}")
    if service.icmp_type is not None:
        words.append(printed_icmp_type(service.icmp_type))
    return " ".join(words)


def _print(configuration: Configuration) -> Iterator[str]:
    # Blanks as in configurations of 6.3 and 7.2 that people published.
    before, after = ("  ", " ") if configuration.language < SEVEN else (" ", "")
    for group in configuration.object_groups:
        yield f"{group.heading}{after}"
        if group.description:
            yield f"{before}description {group.description}"
        for member in group.members:
            yield f"{before}{_printed_member(member, group, configuration.language)}{after}"


def _group_command(kind: GroupKind, form: Piece, help: str) -> Command:
    enter, undo = _opening(kind)
    return Command(
        f"object-group {kind.value}",
        help,
        enter,
        form,
        undo,
        defines=(0,),
        since=SINCE,
        opens=_MODES[kind],
        printed=_print if kind is GroupKind.NETWORK else None,
        detail=(
            "Rules that name it hold for each of its members. It is defined above what names it, "
            "and while a rule names it, it can be neither removed nor empty."
        ),
    )


def _member_command(
    words: str,
    help: str,
    kind: GroupKind,
    form: Piece,
    read: _Read,
    since: Language = SINCE,
    until: Language | None = None,
) -> Command:
    enter, undo = _adding(read)
    mode = _MODES[kind]
    return Command(
        words, help, enter, form, undo, defines=(0,), since=since, until=until, mode=mode
    )


_NAME = Argument("name", GROUP)
_TYPED = OneOf(*(Keyword(each, "protocol", each) for each in ("tcp", "udp", "tcp-udp")))

COMMANDS = (
    accepted("object-group-search", "how rules with groups are searched", since=SEVEN),
    _group_command(GroupKind.NETWORK, _NAME, "name hosts and networks"),
    _group_command(GroupKind.PROTOCOL, _NAME, "name protocols"),
    _group_command(GroupKind.ICMP_TYPE, _NAME, "name ICMP types"),
    _group_command(GroupKind.SERVICE, Sequence(_NAME, Options(_TYPED)), "name ports or services"),
    _member_command(
        "network-object",
        "a host or a network of the group",
        GroupKind.NETWORK,
        _HOST_OR_NETWORK,
        _read_network,
        until=OBJECTS,
    ),
    _member_command(
        "network-object",
        "a host, a network or an object of the group",
        GroupKind.NETWORK,
        OneOf(_OBJECT, *_HOST_OR_NETWORK.pieces),
        _read_object(NetworkObject),
        since=OBJECTS,
    ),
    _member_command(
        "protocol-object",
        "a protocol of the group",
        GroupKind.PROTOCOL,
        _ONE_PROTOCOL,
        _read_protocol,
    ),
    _member_command(
        "icmp-object",
        "an ICMP type of the group",
        GroupKind.ICMP_TYPE,
        Argument("icmp_type", ICMP_TYPE),
        _read_icmp_type,
    ),
    _member_command("port-object", "ports of the group", GroupKind.SERVICE, _PORTS, _read_port),
    _member_command(
        "service-object",
        "a protocol of the group, with its ports or its ICMP type",
        GroupKind.SERVICE,
        SERVICE,
        _read_service,
        since=UNTYPED,
        until=OBJECTS,
    ),
    _member_command(
        "service-object",
        "a protocol of the group, with its ports or its ICMP type, or an object",
        GroupKind.SERVICE,
        OneOf(_OBJECT, SERVICE),
        _read_object(ServiceObject),
        since=OBJECTS,
    ),
    *(
        _member_command(
            "group-object", "a group within the group, of the same kind", kind, _NAME, _read_nested
        )
        for kind in GroupKind
    ),
    *(
        Command(
            "description",
            "what the group is for",
            _enter_description,
            Text("text"),
            _undo_description,
            since=SINCE,
            mode=mode,
        )
        for mode in _MODES.values()
    ),
)
