"""Names for one thing: `object network` and `object service`, from 8.3 on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network

from appliance.config.command import GLOBAL, Command, Handler, Mode
from appliance.config.draft import Draft, ObjectEntry
from appliance.config.grammar import Argument, Arguments, Keyword, OneOf, Options, Sequence, Text
from appliance.config.groups import (
    SERVICE,
    being_used,
    heading_of,
    name_taken,
    printed_service,
    services_of,
    users,
)
from appliance.config.kinds import ADDRESS, NETMASK, Word
from appliance.config.language import OBJECTS
from appliance.config.model import Configuration, NamedObject, ServiceObject
from appliance.config.objects import AddressRange, DomainName, NetworkObject
from appliance.config.rules import OBJECT, network_of
from appliance.protocol import TCP, UDP

NETWORK_MODE = Mode("object network", GLOBAL)
_SERVICE_MODE = Mode("object service", GLOBAL)
_INSTEAD = "`name`, `object-group` or the address itself"


def _opening(empty: NamedObject) -> tuple[Handler, Handler]:
    def enter(draft: Draft, arguments: Arguments) -> ObjectEntry:
        named = replace(empty, name=arguments.need("name", str))
        made = ObjectEntry(named, arguments.place)
        known = heading_of(draft, made.named.name)
        if known and known[0] != made.heading:
            raise name_taken(arguments, *known)
        return draft.objects.setdefault(made.named.name, made)

    def undo(draft: Draft, arguments: Arguments) -> None:
        name = arguments.need("name", str)
        entry = draft.objects.get(name)
        if entry is None or entry.heading != replace(empty, name=name).heading:
            raise arguments.refusal("name", "there is no such object", "remove what is defined")
        if used := next(users(draft, name), None):
            raise being_used(arguments, "name", f"object ({name})", used)
        del draft.objects[name]
        draft.kept.close((entry.heading,))

    return enter, undo


def clear_objects(draft: Draft, arguments: Arguments) -> None:
    """Remove all objects, or those of one kind; none of them where something else names one."""
    kind = arguments.get("object_kind", type)
    doomed = [e for e in draft.objects.values() if kind is None or isinstance(e.named, kind)]
    removed = {entry.heading for entry in doomed}
    for entry in doomed:
        name = entry.named.name
        if left := next((user for user in users(draft, name) if user not in removed), None):
            raise being_used(arguments, "", f"object ({name})", left)
    for entry in doomed:
        del draft.objects[entry.named.name]
        draft.kept.close((entry.heading,))


def network_object(arguments: Arguments) -> tuple[ObjectEntry, NetworkObject]:
    """The object that a line stands below."""
    entry = arguments.subject(ObjectEntry)
    assert isinstance(entry.named, NetworkObject)  # noqa: S101  so the mode says
    return entry, entry.named


def _range(arguments: Arguments) -> AddressRange:
    first, last = arguments.need("first", IPv4Address), arguments.need("last", IPv4Address)
    if last < first:
        raise arguments.refusal(
            "last", "the range ends before it starts", f"write `range {last} {first}`"
        )
    return AddressRange(first, last)


def _value(draft: Draft, arguments: Arguments) -> IPv4Network | AddressRange | DomainName:
    if arguments.get("first", IPv4Address):
        return _range(arguments)
    if text := arguments.get("domain", str):
        return DomainName(f"{arguments.get('family', str) or ''} {text}".strip())
    return network_of(draft, arguments)


def _enter_value(draft: Draft, arguments: Arguments) -> None:
    entry, named = network_object(arguments)
    value = _value(draft, arguments)
    if isinstance(value, DomainName):
        draft.warn(
            arguments.place,
            "`fqdn` is not implemented",
            "no name is looked up: a rule that permits what it stands for permits nothing",
        )
    entry.named = replace(named, value=value)


def _undo_value(draft: Draft, arguments: Arguments) -> None:
    entry, named = network_object(arguments)
    if named.value != _value(draft, arguments):
        raise arguments.refusal("", "the object is not that", "remove what is defined above")
    entry.named = replace(named, value=None)


def _enter_service(draft: Draft, arguments: Arguments) -> None:
    entry = arguments.subject(ObjectEntry)
    entry.named = replace(_service_object(entry), services=services_of(arguments))


def _undo_service(draft: Draft, arguments: Arguments) -> None:
    entry = arguments.subject(ObjectEntry)
    named = _service_object(entry)
    if named.services != services_of(arguments):
        raise arguments.refusal("", "the object is not that", "remove what is defined above")
    entry.named = replace(named, services=())


def _service_object(entry: ObjectEntry) -> ServiceObject:
    assert isinstance(entry.named, ServiceObject)  # noqa: S101  so the mode says
    return entry.named


def _enter_description(draft: Draft, arguments: Arguments) -> None:
    entry = arguments.subject(ObjectEntry)
    entry.named = replace(entry.named, description=arguments.get("text", str) or "")


def _undo_description(draft: Draft, arguments: Arguments) -> None:
    entry = arguments.subject(ObjectEntry)
    entry.named = replace(entry.named, description="")


def _print(configuration: Configuration) -> Iterator[str]:
    for each in configuration.objects:
        yield each.heading
        if isinstance(each, ServiceObject):
            yield from _printed_services(each, configuration)
        else:
            yield from _printed_value(each)
        if each.description:
            yield f" description {each.description}"


def _printed_services(each: ServiceObject, configuration: Configuration) -> Iterator[str]:
    if each.services:
        both = "tcp-udp" if {s.protocol for s in each.services} == {TCP, UDP} else ""
        printed = printed_service(each.services[0], configuration.language, both)
        yield f" service {printed} "


def _printed_value(each: NetworkObject) -> Iterator[str]:
    match each.value:
        case IPv4Network(prefixlen=32, network_address=address):
            yield f" host {address}"
        case IPv4Network():
            yield f" subnet {each.value.with_netmask.replace('/', ' ')}"
        case AddressRange(first, last):
            yield f" range {first} {last}"
        case DomainName(text):
            yield f" fqdn {text}"


def _object_command(empty: NamedObject, what: str, mode: Mode, help: str) -> Command:
    enter, undo = _opening(empty)
    return Command(
        f"object {what}",
        help,
        enter,
        Argument("name", OBJECT),
        undo,
        defines=(0,),
        since=OBJECTS,
        instead=_INSTEAD,
        opens=mode,
        printed=_print if mode is NETWORK_MODE else None,
        detail=(
            "It is defined above what names it, and while it is named, it can neither be removed "
            "nor be empty."
        ),
    )


def _value_command(words: str, help: str, form: Sequence, detail: str = "") -> Command:
    return Command(
        words,
        help,
        _enter_value,
        form,
        _undo_value,
        since=OBJECTS,
        mode=NETWORK_MODE,
        detail=detail,
    )


_DOMAIN = Word("NAME", "a domain name", r"[A-Za-z0-9_.-]{1,253}", "letters, digits, - and dots")

COMMANDS = (
    _object_command(
        NetworkObject("", None), "network", NETWORK_MODE, "name addresses, and translate them"
    ),
    _object_command(ServiceObject("", ()), "service", _SERVICE_MODE, "name a service"),
    _value_command("host", "the address of the object", Sequence(Argument("address", ADDRESS))),
    _value_command(
        "subnet",
        "the network of the object",
        Sequence(Argument("address", ADDRESS), Argument("netmask", NETMASK)),
    ),
    _value_command(
        "range",
        "the first and the last address of the object",
        Sequence(Argument("first", ADDRESS), Argument("last", ADDRESS)),
    ),
    _value_command(
        "fqdn",
        "the domain name of the object",
        Sequence(
            Options(OneOf(Keyword("v4", "family", "v4"), Keyword("v6", "family", "v6"))),
            Argument("domain", _DOMAIN),
        ),
        "Not implemented, with a warning: no name is looked up. A rule that permits it matches "
        "nothing; one that denies it is an error, and so is a translation of it.",
    ),
    Command(
        "service",
        "the service of the object",
        _enter_service,
        SERVICE,
        _undo_service,
        since=OBJECTS,
        mode=_SERVICE_MODE,
    ),
    *(
        Command(
            "description",
            "what the object is for",
            _enter_description,
            Text("text"),
            _undo_description,
            since=OBJECTS,
            mode=mode,
        )
        for mode in (NETWORK_MODE, _SERVICE_MODE)
    ),
)
