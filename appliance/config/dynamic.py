"""Translation to addresses of a pool: `nat` and `global`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv4Network

from appliance.config.command import Command
from appliance.config.draft import Bound, Draft, NatEntry, Use
from appliance.config.grammar import (
    Argument,
    Arguments,
    Combined,
    Keyword,
    Labelled,
    OneOf,
    Options,
    Sequence,
)
from appliance.config.interfaces import class_prefix
from appliance.config.kinds import (
    ACCESS_LIST,
    ADDRESS,
    INTERFACE,
    NETMASK,
    Integer,
    InterfacePair,
    Mismatch,
    Names,
)
from appliance.config.language import OBJECTS, SEVEN
from appliance.config.line import quoted
from appliance.config.model import Configuration, Global, Nat
from appliance.config.translation import limit_kind, limits_form

_NUMBER = 2**31 - 1
_POOL = 65536
"""Addresses of a range, which are all answered for."""


@dataclass(frozen=True, slots=True)
class Parenthesised:
    """`(inside)`; the value is the name."""

    label = "(INTERFACE)"
    expects = "an interface name in parentheses, such as (inside)"

    def parse(self, word: str, names: Names) -> str:
        """Read one word, see `Kind`."""
        if not re.fullmatch(r"\([^()]+\)", word):
            raise Mismatch(f"{quoted(word)} is not an interface name in parentheses")
        return INTERFACE.parse(word[1:-1], names)


@dataclass(frozen=True, slots=True)
class _Range:
    """An address, or two with `-` between; the value is the first one and, of two, the last one."""

    label = "ADDRESS[-ADDRESS]"
    expects = "an address or a range, such as 203.0.113.10 or 203.0.113.10-203.0.113.20"

    def parse(self, word: str, names: Names) -> tuple[IPv4Address, IPv4Address | None]:
        """Read one word, see `Kind`."""
        if word in names or "-" not in word:
            return ADDRESS.parse(word, names), None
        first, last = (ADDRESS.parse(part, names) for part in word.split("-", 1))
        if last < first:
            raise Mismatch(f"{quoted(word)} is a range whose end is before its start")
        if int(last) - int(first) >= _POOL:
            raise Mismatch(f"{quoted(word)} has more than {_POOL} addresses")
        return first, last


INTERFACE_OF = Options(Argument("interface", Parenthesised()))
"""Older releases leave it out where there are two interfaces."""


def use_of(draft: Draft, arguments: Arguments, secure: bool) -> Use:
    """The interface that a command names, or the one that it need not name.

    Args:
        draft: what has been read.
        arguments: of the command.
        secure: whether that is the more secure one of two.

    Raises:
        Refusal: there are not two.
    """
    name = arguments.get("interface", str)
    if name is None:
        names = sorted(draft.interface_names, key=lambda each: draft.interface_names[each].level)
        if len(names) != 2:
            raise arguments.refusal(
                "",
                f"which interface is meant is not clear: there are {len(names)}",
                "write (INTERFACE) first, or name two interfaces with `nameif` before it",
            )
        return Use(names[1 if secure else 0], arguments.place)
    place = arguments.where("interface")
    return Use(name, place)


def _nat(draft: Draft, arguments: Arguments) -> NatEntry:
    use = use_of(draft, arguments, secure=True)
    name = arguments.get("list", str)
    return NatEntry(
        Nat(
            use.name,
            arguments.need("number", int),
            None if name else _network(draft, arguments),
            name or "",
            arguments.get("outside", bool) or False,
            arguments.get("dns", bool) or False,
            arguments.get("norandomseq", bool) or False,
            arguments.get("max_connections", int) or 0,
            arguments.get("embryonic_limit", int) or 0,
            arguments.get("udp_connections", int) or 0,
            arguments.place,
        ),
        use,
        Use(name, arguments.where("list")) if name else None,
    )


def _network(draft: Draft, arguments: Arguments) -> IPv4Network:
    address = arguments.need("address", IPv4Address)
    prefix = arguments.get("netmask", int)
    if prefix is None:
        by_class = class_prefix(address)
        is_network = not int(address) << by_class & 0xFFFFFFFF
        prefix = 0 if not int(address) else by_class if is_network else 32
    return draft.network(arguments.where("address"), address, prefix)


def _same(one: Nat, other: Nat) -> bool:
    return (one.interface, one.number, one.network, one.access_list, one.outside) == (
        other.interface,
        other.number,
        other.network,
        other.access_list,
        other.outside,
    )


def _enter_nat(draft: Draft, arguments: Arguments) -> None:
    if arguments.get("dns", bool):
        draft.warn(
            arguments.where("dns"),
            "`dns` after a `nat` is not implemented",
            "addresses in DNS answers stay as they are",
        )
    entry = _nat(draft, arguments)
    draft.nats = [each for each in draft.nats if not _same(each.nat, entry.nat)]
    draft.nats.append(entry)


def _undo_nat(draft: Draft, arguments: Arguments) -> None:
    doomed = _nat(draft, arguments).nat
    draft.nats = arguments.without(draft.nats, lambda each: _same(each.nat, doomed), "nat")


def _global(draft: Draft, arguments: Arguments) -> Bound[Global]:
    use = use_of(draft, arguments, secure=False)
    first, last = arguments.get("range", tuple) or (None, None)
    if first is not None and (not int(first) or first.is_multicast):
        raise arguments.refusal(
            "range", f"{first} is no address of a host", "expected: addresses of hosts"
        )
    number, netmask = arguments.need("number", int), arguments.get("netmask", int)
    return Bound(Global(use.name, number, first, last, netmask, arguments.place), use)


def _enter_global(draft: Draft, arguments: Arguments) -> None:
    entry = _global(draft, arguments)
    if entry not in draft.globals:
        draft.globals.append(entry)


def _undo_global(draft: Draft, arguments: Arguments) -> None:
    doomed = _global(draft, arguments).item

    def is_doomed(each: Bound[Global]) -> bool:
        return replace(each.item, netmask=doomed.netmask) == doomed

    draft.globals = arguments.without(draft.globals, is_doomed, "global")


def _print_nats(configuration: Configuration) -> Iterator[str]:
    seven = configuration.language >= SEVEN
    for each in configuration.nats:
        what = f"access-list {each.access_list}"
        if each.network is not None:
            what = each.network.with_netmask.replace("/", " ")
        words = [f"nat ({each.interface}) {each.number} {what}"]
        words += [word for word, said in (("dns", each.dns), ("outside", each.outside)) if said]
        limits = f"{each.max_connections} {each.embryonic_limit}"
        if each.udp_connections:
            words.append(f"tcp {limits} udp {each.udp_connections}")
        elif limits != "0 0" or not seven:
            words.append(limits)
        words += ["norandomseq"] if each.norandomseq else []
        yield " ".join(words)


def _print_globals(configuration: Configuration) -> Iterator[str]:
    for each in configuration.globals:
        addresses = "interface" if each.first is None else f"{each.first}"
        if each.last is not None:
            addresses += f"-{each.last}"
        if each.netmask is not None:
            addresses += f" netmask {IPv4Network((0, each.netmask)).netmask}"
        yield f"global ({each.interface}) {each.number} {addresses}"


def _refuse_new(arguments: Arguments) -> object:
    raise arguments.refusal(
        "pair",
        "this form of `nat` is of 8.3 and later",
        "write `static`, or `nat (INTERFACE) NUMBER ...` and `global (INTERFACE) NUMBER ...`",
    )


_INTERFACE_OR_PAIR = Labelled(
    INTERFACE_OF.usage(),
    Options(
        OneOf(*INTERFACE_OF.pieces, Combined("new", Argument("pair", InterfacePair()), _refuse_new))
    ),
)
_TAIL = (
    Keyword("dns", "dns"),
    Keyword("outside", "outside"),
    OneOf(limits_form(), Sequence(Keyword("tcp"), limits_form())),
    Sequence(Keyword("udp"), Argument("udp_connections", limit_kind("MAX"))),
    Keyword("norandomseq", "norandomseq"),
)

COMMANDS = (
    Command(
        "global",
        "addresses that `nat` translates to",
        _enter_global,
        Sequence(
            INTERFACE_OF,
            Argument("number", Integer(1, _NUMBER, "NUMBER")),
            OneOf(
                Keyword("interface", "own"),
                Sequence(
                    Argument("range", _Range()),
                    Options(Sequence(Keyword("netmask"), Argument("netmask", NETMASK))),
                ),
            ),
        ),
        _undo_global,
        until=OBJECTS,
        instead="`nat (INSIDE,OUTSIDE) dynamic ...` below `object network`",
        printed=_print_globals,
        detail=(
            "A range gives each host an address; one address, or `interface` for the interface's "
            "own, serves all of them by ports. [How](rule-file.md#nat-and-global)."
        ),
    ),
    Command(
        "nat",
        "translate what comes from a network to the `global` of the same number",
        _enter_nat,
        Sequence(
            _INTERFACE_OR_PAIR,
            Argument("number", Integer(0, _NUMBER, "NUMBER")),
            OneOf(
                Sequence(Keyword("access-list"), Argument("list", ACCESS_LIST), Options(*_TAIL)),
                Sequence(
                    Argument("address", ADDRESS),
                    Options(Argument("netmask", NETMASK)),
                    Options(*_TAIL),
                ),
            ),
        ),
        _undo_nat,
        until=OBJECTS,
        printed=_print_nats,
        detail=(
            "Number 0 leaves addresses as they are; `nat 0 access-list` does so for what either "
            "side begins. With another number and an access list, what the list permits is "
            "translated. MAX and EMBRYONIC are limits for all of it together. "
            "[The order](rule-file.md#nat-and-global). `norandomseq` has no effect. Not "
            "implemented, with a warning: `dns`."
        ),
    ),
)
