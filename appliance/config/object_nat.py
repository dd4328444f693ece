"""Translation from 8.3 on: `nat` of an object, and `nat` of a source and a destination at once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network

from appliance.config.command import Command, accepted
from appliance.config.draft import Draft, TwiceEntry, Use
from appliance.config.dynamic import Parenthesised
from appliance.config.expansion import named_objects
from appliance.config.grammar import (
    Argument,
    Arguments,
    Combined,
    Keyword,
    Labelled,
    OneOf,
    Options,
    Piece,
    Sequence,
    Text,
)
from appliance.config.kinds import ADDRESS, Integer, InterfacePair, Mismatch, Names, Port, Word
from appliance.config.language import BOTH_FAMILIES, OBJECTS, Language
from appliance.config.line import Refusal
from appliance.config.model import Configuration, GroupKind, ServiceObject
from appliance.config.object_commands import NETWORK_MODE, network_object
from appliance.config.objects import (
    ANYTHING,
    DomainName,
    Mapped,
    NetworkObject,
    ObjectNat,
    TwiceNat,
)
from appliance.config.rules import OBJECT, no_object
from appliance.config.services import port_names
from appliance.protocol import TCP, UDP

OWN = "interface"
"""In place of an object: the address of the interface itself."""

_MOST_LINES = 65535
_POOL_OPTIONS = ("block-allocation", "round-robin", "extended", "flat", "include-reserve")
_ORDER = ("net-to-net", "dns", "unidirectional", "no-proxy-arp", "route-lookup", "inactive")
"""Of the words behind, as a device prints them."""


class _AddressOrObject(Word):
    """An address, or else the name of an object or a group."""

    def parse(self, word: str, names: Names) -> str | IPv4Address:  # type: ignore[override]
        """Read one word, see `Kind`."""
        try:
            return ADDRESS.parse(word, names)
        except Mismatch:
            return super().parse(word, names)


def _interfaces(arguments: Arguments) -> tuple[Use, Use]:
    place, pair = arguments.where("pair"), arguments.get("pair", tuple)
    if pair is None:
        return Use(ANYTHING, place), Use(ANYTHING, place)
    real, mapped = (
        Use(name, replace(place, column=place.column + offset)) for name, offset in pair
    )
    return real, mapped


def _known(draft: Draft, arguments: Arguments, key: str, name: str, dynamic: bool = False) -> str:
    """The name of a network object or a group of networks, which must be defined above."""
    column = arguments.where(key).column
    entry, group = draft.objects.get(name), draft.object_groups.get(name)
    if entry is None and group is None:
        raise no_object(name, column)
    if (group and group.kind is not GroupKind.NETWORK) or (
        entry and not isinstance(entry.named, NetworkObject)
    ):
        heading = group.heading if group else entry.heading if entry else ""
        raise Refusal(
            column, f"`{heading}` does not stand here", "name addresses: `object network ...`"
        )
    for each in named_objects(draft.object_groups, draft.objects, name):
        value = each.named.value if isinstance(each.named, NetworkObject) else None
        if isinstance(value, DomainName):
            raise Refusal(
                column,
                f"`fqdn`, which {each.heading} has, is not implemented",
                "name addresses: nobody looks the name up",
            )
        if dynamic and isinstance(value, IPv4Network) and value.prefixlen < 32:
            raise Refusal(
                column,
                f"{each.heading} is a `subnet`, whose addresses are not given to hosts in turn",
                "write `range FIRST LAST` in it",
            )
    return name


def _service_known(draft: Draft, arguments: Arguments, key: str) -> str:
    name = arguments.need(key, str)
    entry = draft.objects.get(name)
    if name == ANYTHING:
        return name
    if entry is None:
        raise no_object(name, arguments.where(key).column)
    if not isinstance(entry.named, ServiceObject):
        raise arguments.refusal(
            key, f"`{entry.heading}` does not stand here", "name a service: `object service ...`"
        )
    return name


def _mapped(draft: Draft, arguments: Arguments, dynamic: bool, mapped_interface: Use) -> Mapped:
    own = bool(arguments.get("own", bool) or arguments.get("fallback", bool))
    if own and mapped_interface.name == ANYTHING:
        raise arguments.refusal(
            "own" if arguments.get("own", bool) else "fallback",
            "which interface's address is meant is not said",
            "write (REAL_INTERFACE,MAPPED_INTERFACE) after `nat`",
        )
    options = tuple(each for each in _POOL_OPTIONS if arguments.get(each, bool))
    pooled = arguments.get("pooled", bool) or False
    found = arguments.get("mapped", object)
    if isinstance(found, IPv4Address):
        if int(found) == 0 or found.is_multicast:
            raise arguments.refusal(
                "mapped", f"{found} is no address of a host", "expected: an address or an object"
            )
        return Mapped(address=found, own=own)
    name = ""
    if isinstance(found, str):
        name = found
        if found != ANYTHING or dynamic:
            name = _known(draft, arguments, "mapped", found, dynamic)
    return Mapped(name, None, own, pooled, options)


def _flags(draft: Draft, arguments: Arguments) -> tuple[str, ...]:
    if arguments.get("dns", bool):
        draft.warn(
            arguments.where("dns"),
            "`dns` after a `nat` is not implemented",
            "addresses in DNS answers stay as they are",
        )
    return tuple(each for each in _ORDER if arguments.get(each, bool))


def _object_nat(draft: Draft, arguments: Arguments) -> tuple[ObjectNat, tuple[Use, Use]]:
    uses = _interfaces(arguments)
    dynamic = arguments.get("dynamic", bool) or False
    nat = ObjectNat(
        uses[0].name,
        uses[1].name,
        dynamic,
        _mapped(draft, arguments, dynamic, uses[1]),
        arguments.get("protocol", int),
        arguments.get("real_port", int) or 0,
        arguments.get("mapped_port", int) or 0,
        _flags(draft, arguments),
        arguments.place,
    )
    return nat, uses


def _twice_nat(draft: Draft, arguments: Arguments) -> TwiceEntry:
    uses = _interfaces(arguments)
    dynamic = arguments.get("dynamic", bool) or False
    real = arguments.need("real", str)
    if real != ANYTHING:
        real = _known(draft, arguments, "real", real)
    mapped = _mapped(draft, arguments, dynamic, uses[1])
    if not dynamic and ANYTHING in (real, mapped.name) and real != mapped.name:
        raise arguments.refusal(
            "real",
            "`any` is translated one to one to `any` alone",
            "write `source static any any`, or `source dynamic any ...`",
        )
    destination, services = None, None
    if addressed := arguments.get("addressed", str):
        if addressed == OWN and uses[0].name == ANYTHING:
            raise arguments.refusal(
                "addressed",
                "which interface's address is meant is not said",
                "write (REAL_INTERFACE,MAPPED_INTERFACE) after `nat`",
            )
        if addressed not in (OWN, ANYTHING):
            _known(draft, arguments, "addressed", addressed)
        behind = arguments.need("behind", str)
        if behind != ANYTHING:
            _known(draft, arguments, "behind", behind)
        if ANYTHING in (addressed, behind) and addressed != behind:
            raise arguments.refusal(
                "behind",
                "`any` as a destination stays as it is",
                "leave `destination` out, or name what it is translated to",
            )
        destination = (addressed, behind)
    if arguments.get("before", str):
        services = (
            _service_known(draft, arguments, "before"),
            _service_known(draft, arguments, "after"),
        )
    nat = TwiceNat(
        uses[0].name,
        uses[1].name,
        arguments.get("after_auto", bool) or False,
        dynamic,
        real,
        mapped,
        destination,
        services,
        _flags(draft, arguments),
        arguments.get("description", str) or "",
        arguments.place,
    )
    return TwiceEntry(nat, uses)


def _enter_twice(draft: Draft, arguments: Arguments) -> None:
    entry = _twice_nat(draft, arguments)
    if entry in draft.twice_nats:
        draft.warn(arguments.place, "this line is there already", "it stays where it is")
        return
    same = [e for e in draft.twice_nats if e.nat.after_objects == entry.nat.after_objects]
    others = [e for e in draft.twice_nats if e.nat.after_objects != entry.nat.after_objects]
    line = arguments.get("line", int)
    same.insert(len(same) if line is None else line - 1, entry)
    draft.twice_nats = others + same if entry.nat.after_objects else same + others


def _numbered(draft: Draft, arguments: Arguments) -> TwiceEntry:
    """The line of a number, before or after the `nat` of objects."""
    line = arguments.get("line", int)
    if line is None:
        raise arguments.refusal("", "which `nat` is not said", "name its line, or all that it says")
    after = arguments.get("after_auto", bool) or False
    section = [each for each in draft.twice_nats if each.nat.after_objects == after]
    if line > len(section):
        where = "after" if after else "before"
        raise arguments.refusal(
            "line",
            f"there is no line {line}: {len(section)} are {where} the `nat` of objects",
            "remove what is defined above",
        )
    found = section[line - 1]
    pair = tuple(each.name for each in _interfaces(arguments))
    if arguments.get("pair", tuple) and pair != (
        found.nat.real_interface,
        found.nat.mapped_interface,
    ):
        raise arguments.refusal(
            "pair", f"line {line} is `{printed_twice(found.nat)}`", "name its interfaces, or none"
        )
    return found


def _undo_twice(draft: Draft, arguments: Arguments) -> None:
    if arguments.get("real", str) is None:
        draft.twice_nats.remove(_numbered(draft, arguments))
        return
    doomed = _twice_nat(draft, arguments)
    draft.twice_nats = arguments.without(draft.twice_nats, lambda each: each == doomed, "nat")


def _enter_object_nat(draft: Draft, arguments: Arguments) -> None:
    if arguments.get("real", str):
        _enter_twice(draft, arguments)
        return
    entry, named = network_object(arguments)
    nat, entry.interfaces = _object_nat(draft, arguments)
    entry.named = replace(named, nat=nat)


def _undo_object_nat(draft: Draft, arguments: Arguments) -> None:
    if arguments.get("real", str) or arguments.get("line", int):
        _undo_twice(draft, arguments)
        return
    entry, named = network_object(arguments)
    if named.nat is None or named.nat != _object_nat(draft, arguments)[0]:
        raise arguments.refusal("", "there is no such nat", "remove what is defined above")
    entry.named, entry.interfaces = replace(named, nat=None), ()


def clear_nat(draft: Draft, arguments: Arguments) -> None:
    """Remove all translations, of objects and others."""
    draft.twice_nats.clear()
    for entry in draft.objects.values():
        if isinstance(entry.named, NetworkObject):
            entry.named, entry.interfaces = replace(entry.named, nat=None), ()


def _pair(nat: ObjectNat | TwiceNat) -> str:
    if nat.real_interface == nat.mapped_interface == ANYTHING:
        return ""
    return f"({nat.real_interface},{nat.mapped_interface})"


def printed_twice(nat: TwiceNat) -> str:
    """A `nat` outside of objects as a device prints it.

    Args:
        nat: the command.
    """
    words = ["nat", _pair(nat), "after-auto" if nat.after_objects else "", "source"]
    words += ["dynamic" if nat.dynamic else "static", nat.real, str(nat.mapped)]
    words += ["destination static", *nat.destination] if nat.destination else []
    words += ["service", *nat.services] if nat.services else []
    words += nat.flags
    words += ["description", nat.description] if nat.description else []
    return " ".join(filter(None, words))


def _printed_object_nat(nat: ObjectNat, language: Language) -> str:
    words = ["nat", _pair(nat), "dynamic" if nat.dynamic else "static", str(nat.mapped)]
    if nat.protocol is not None:
        protocol = "tcp" if nat.protocol == TCP else "udp"
        names = port_names(protocol, language)
        words += ["service", protocol]
        words += [names.get(port, str(port)) for port in (nat.real_port, nat.mapped_port)]
    return " ".join(filter(None, (*words, *nat.flags)))


def _print(configuration: Configuration) -> Iterator[str]:
    for nat in configuration.twice_nats:
        if not nat.after_objects:
            yield printed_twice(nat)
    for each in configuration.objects:
        if isinstance(each, NetworkObject) and each.nat:
            yield each.heading
            yield f" {_printed_object_nat(each.nat, configuration.language)}"
    for nat in configuration.twice_nats:
        if nat.after_objects:
            yield printed_twice(nat)


def _refuse_old(arguments: Arguments) -> object:
    name = arguments.need("interface", str)
    raise arguments.refusal(
        "interface",
        "this form of `nat` exists before 8.3 only",
        f"write `nat ({name},OUTSIDE) dynamic ...` below `object network`, in place of it and its "
        f"`global`; for `nat 0`, `nat ({name},OUTSIDE) source static A A destination static B B`",
    )


def _flag(word: str) -> Keyword:
    return Keyword(word, word)


_PAIR = Options(
    OneOf(
        Argument("pair", InterfacePair()),
        Combined("old", Argument("interface", Parenthesised()), _refuse_old),
    )
)
_LINE = Options(Argument("line", Integer(1, _MOST_LINES, "LINE")))
_PLACE = OneOf(
    Sequence(Keyword("after-auto", "after_auto"), _LINE),
    Argument("line", Integer(1, _MOST_LINES, "LINE")),
)
_TAIL = (
    _flag("net-to-net"),
    _flag("dns"),
    _flag("no-proxy-arp"),
    _flag("route-lookup"),
)


def _target(mapped: Argument, *tail: Piece) -> OneOf:
    """What a source becomes, for a time, and what may follow."""
    return OneOf(
        Sequence(
            Keyword("pat-pool", "pooled"),
            OneOf(Keyword(OWN, "own"), mapped),
            Options(*map(_flag, _POOL_OPTIONS), Keyword(OWN, "fallback"), *tail),
        ),
        Sequence(Keyword(OWN, "own"), Options(*tail)),
        Sequence(mapped, Options(Keyword(OWN, "fallback"), *tail)),
    )


_NAMED = Argument("mapped", OBJECT)
_TWICE_TAIL = (
    Sequence(
        Keyword("destination"),
        Keyword("static"),
        OneOf(Keyword(OWN, "addressed", OWN), Argument("addressed", OBJECT)),
        Argument("behind", OBJECT),
    ),
    Sequence(Keyword("service"), Argument("before", OBJECT), Argument("after", OBJECT)),
    *_TAIL,
    _flag("unidirectional"),
    _flag("inactive"),
    Sequence(Keyword("description"), Text("description")),
)
_TWICE = Sequence(
    Keyword("source"),
    OneOf(
        Sequence(
            Keyword("static"),
            Argument("real", OBJECT),
            OneOf(Keyword(OWN, "own"), _NAMED),
            Options(*_TWICE_TAIL),
        ),
        Sequence(
            Keyword("dynamic", "dynamic"),
            Argument("real", OBJECT),
            _target(_NAMED, *_TWICE_TAIL),
        ),
    ),
)
_ADDRESS_OR_OBJECT = Argument(
    "mapped",
    _AddressOrObject("ADDRESS | OBJECT", "an address or an object", r"[!-~]{1,64}", "or its name"),
)


def _ports(protocol: str, number: int) -> Sequence:
    return Sequence(
        Keyword(protocol, "protocol", number),
        Argument("real_port", Port(protocol)),
        Argument("mapped_port", Port(protocol)),
    )


_OF_OBJECT = (
    Sequence(
        Keyword("static"),
        OneOf(Keyword(OWN, "own"), _ADDRESS_OR_OBJECT),
        Options(
            *_TAIL,
            Sequence(Keyword("service"), OneOf(_ports("tcp", TCP), _ports("udp", UDP))),
        ),
    ),
    Sequence(Keyword("dynamic", "dynamic"), _target(_ADDRESS_OR_OBJECT, _flag("dns"))),
)


def _object_form(after_place: Piece) -> Labelled:
    """The `nat` of an object, or a line of the other form, which may follow it directly.

    Args:
        after_place: what follows the place of such a line.
    """
    return Labelled(
        Sequence(_PAIR, OneOf(*_OF_OBJECT)).usage(),
        Sequence(_PAIR, OneOf(*_OF_OBJECT, _TWICE, Sequence(_PLACE, after_place))),
    )


_INSTEAD = "`static`, or `nat (INTERFACE) NUMBER ...` and `global (INTERFACE) NUMBER ...`"

COMMANDS = (
    Command(
        "nat",
        "translate a source, and maybe the destination and ports with it",
        _enter_twice,
        Sequence(_PAIR, Options(_PLACE), _TWICE),
        _undo_twice,
        Sequence(_PAIR, Options(_PLACE), Options(_TWICE)),
        since=OBJECTS,
        instead=_INSTEAD,
        printed=_print,
        detail=(
            "Lines are tried in their order, LINE puts one before that of its number, and "
            "`after-auto` after the `nat` of objects; `no nat LINE` removes it. "
            "[How](rule-file.md#objects-and-their-nat). "
            "Not implemented, with a warning: `dns`."
        ),
    ),
    Command(
        "nat",
        "translate the object",
        _enter_object_nat,
        _object_form(_TWICE),
        _undo_object_nat,
        _object_form(Options(_TWICE)),
        since=OBJECTS,
        mode=NETWORK_MODE,
        detail=(
            "`static`: each address to one of its own, both ways. `dynamic`: to an address that "
            "hosts share by their ports, or to one of a range. "
            "[The order](rule-file.md#objects-and-their-nat). Not implemented, with a warning: "
            "`dns`."
        ),
    ),
    accepted("xlate per-session", "how long ports stay translated", since=BOTH_FAMILIES),
)
