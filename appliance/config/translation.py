"""Translations: `static`, and `mailhost`, which is one with a permit and inspection."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network

from appliance.config.command import Command
from appliance.config.draft import Claim, Draft, Entry, StaticEntry, Use
from appliance.config.grammar import (
    Argument,
    Arguments,
    Keyword,
    OneOf,
    Options,
    Piece,
    Sequence,
)
from appliance.config.interfaces import class_prefix
from appliance.config.kinds import ACCESS_LIST, ADDRESS, NETMASK, Integer, InterfacePair, Port
from appliance.config.language import OBJECTS, SEVEN, Language
from appliance.config.model import ANY, Configuration, Operator, Ports, Rule, RuleLine, Static
from appliance.config.rules import printed_rule
from appliance.config.services import port_names
from appliance.protocol import SMTP, TCP, UDP

_LIMIT = 65535
_SMTP = Ports(Operator.EQ, SMTP, SMTP)


def _pair(draft: Draft, arguments: Arguments) -> tuple[Use, Use]:
    place = arguments.where("pair")
    pair = arguments.get("pair", tuple)
    if pair:
        real, mapped = (
            Use(name, replace(place, column=place.column + offset)) for name, offset in pair
        )
        return real, mapped
    # Older releases leave the pair out where there is only one way to fill it in.
    by_level = sorted(draft.interface_names, key=lambda name: draft.interface_names[name].level)
    if len(by_level) != 2:
        raise arguments.refusal(
            "",
            f"which interfaces are meant is not clear: there are {len(by_level)}",
            "write (REAL_INTERFACE,MAPPED_INTERFACE) after `static`, "
            "or name two interfaces with `nameif` before it",
        )
    return Use(by_level[1], place), Use(by_level[0], place)


def _prefix(arguments: Arguments, real: IPv4Address, mapped: IPv4Address | None) -> int:
    """The prefix length of a static, as its netmask says or as its addresses' class says."""
    addresses = [("real", real)] + ([("mapped", mapped)] if mapped is not None else [])
    given = arguments.get("netmask", int)
    if given is None:
        prefix = class_prefix(addresses[-1][1])
        is_network = all(int(a) << prefix & 0xFFFFFFFF == 0 for _, a in addresses)
        return prefix if is_network and mapped is not None else 32
    for key, address in addresses:
        if int(address) << given & 0xFFFFFFFF:
            network = IPv4Network((address, given), strict=False)
            raise arguments.refusal(
                key,
                f"{address} is not the address of a network under {network.netmask}",
                f"write {network.network_address} for the network, "
                "or netmask 255.255.255.255 for the host",
            )
    return given


def _static(draft: Draft, arguments: Arguments) -> StaticEntry:
    real_use, mapped_use = _pair(draft, arguments)
    access_list = arguments.get("list", str) or ""
    # What the lines of an access list say is seen when it is whole.
    real = arguments.get("real", IPv4Address) or IPv4Address(0)
    mapped = arguments.get("mapped", IPv4Address)
    prefix = 32 if access_list else _prefix(arguments, real, mapped)
    protocol = arguments.get("protocol", int)
    if prefix != 32 and (protocol is not None or mapped is None):
        raise arguments.refusal(
            "netmask",
            "only one host can be translated to an interface's address or by its port",
            "write netmask 255.255.255.255",
        )
    for key, address in (("real", None if access_list else real), ("mapped", mapped)):
        if address is not None and (int(address) == 0 or address.is_multicast):
            raise arguments.refusal(
                key, f"{address} cannot be translated", "expected: the address of a host or network"
            )
    static = Static(
        real_interface=real_use.name,
        mapped_interface=mapped_use.name,
        real=IPv4Network((real, prefix)),
        mapped=None if mapped is None else IPv4Network((mapped, prefix)),
        protocol=protocol,
        real_port=arguments.get("real_port", int) or 0,
        mapped_port=arguments.get("mapped_port", int) or 0,
        max_connections=arguments.get("max_connections", int) or 0,
        embryonic_limit=arguments.get("embryonic_limit", int) or 0,
        udp_connections=arguments.get("udp_connections", int) or 0,
        norandomseq=arguments.get("norandomseq", bool) or False,
        dns=arguments.get("dns", bool) or False,
        place=arguments.place,
        access_list=access_list,
    )
    list_use = Use(access_list, arguments.where("list")) if access_list else None
    return StaticEntry(static, real_use, mapped_use, list_use)


def printed(static: Static, language: Language) -> str:
    """A `static` as a device prints it.

    The limits always, and what stands before and behind them: configurations of 6.x that people
    published. Limits on UDP, which few have, as 7.x prints them.

    Args:
        static: the command.
        language: the version.
    """
    mapped = "interface" if static.mapped is None else str(static.mapped.network_address)
    real = str(static.real.network_address)
    if static.protocol is not None:
        protocol = "tcp" if static.protocol == TCP else "udp"
        names = port_names(protocol, language)
        mapped = f"{protocol} {mapped} {names.get(static.mapped_port, static.mapped_port)}"
        real = f"{real} {names.get(static.real_port, static.real_port)}"
    if static.access_list:
        real = f"access-list {static.access_list}"
    limits = f"{static.max_connections} {static.embryonic_limit}"
    if static.udp_connections:
        limits = f"tcp {limits} udp {static.udp_connections}"
    return (
        f"static ({static.real_interface},{static.mapped_interface}) {mapped} {real}"
        f"{' dns' if static.dns else ''}"
        f"{'' if static.access_list else f' netmask {static.real.netmask}'} {limits} "
        f"{'norandomseq' if static.norandomseq else ''}"
    )


def _is_of(line: RuleLine, static: Static) -> bool:
    """Whether a conduit is the one that a `mailhost` is besides its translation."""
    return (
        static.mapped is not None
        and not line.groups
        and line.rule == Rule(True, TCP, ANY, None, static.mapped, _SMTP, None, static.place)
    )


def conduits_of_mailhosts(configuration: Configuration) -> int:
    """How many conduits there are up to the last one that a `mailhost` makes."""
    return max(
        (
            number + 1
            for number, line in enumerate(configuration.conduits)
            for static in _mail_hosts(configuration)
            if _is_of(line, static)
        ),
        default=0,
    )


def _mail_hosts(configuration: Configuration) -> list[Static]:
    return [
        static
        for static in configuration.statics
        if static.real.network_address in configuration.mail_hosts
        and any(_is_of(line, static) for line in configuration.conduits)
    ]


def _print(configuration: Configuration) -> Iterator[str]:
    conduits = iter(configuration.conduits[: conduits_of_mailhosts(configuration)])
    hosts = _mail_hosts(configuration)
    for static in configuration.statics:
        if static not in hosts:
            yield printed(static, configuration.language)
            continue
        # What stands before its own conduit must do so when this is read.
        for line in conduits:
            if _is_of(line, static):
                break
            yield f"conduit {printed_rule(line, configuration, destination_first=True)}"
        limits = f"{static.max_connections} {static.embryonic_limit}"
        mapped = static.mapped.network_address if static.mapped else "interface"
        yield (
            f"mailhost ({static.real_interface},{static.mapped_interface}) {mapped} "
            f"{static.real.network_address} {limits}"
        )


def _enter_static(draft: Draft, arguments: Arguments) -> None:
    if arguments.get("dns", bool):
        draft.warn(
            arguments.where("dns"),
            "`dns` after a `static` is not implemented",
            "addresses in DNS answers stay as they are",
        )
    entry = _static(draft, arguments)
    other = draft.statics.setdefault(_claim(entry), entry)
    if other is not entry:
        same = other.static == entry.static
        raise arguments.refusal(
            "",
            ("duplicate of" if same else "mapped-address conflict with")
            + f" existing static (line {other.static.place.line})",
            "each mapped address, or port of it, belongs to one static",
        )


def _claim(entry: StaticEntry) -> Claim:
    static = entry.static
    return (
        static.mapped_interface,
        static.mapped,
        static.protocol,
        static.mapped_port,
        static.access_list,
    )


def _undo_static(draft: Draft, arguments: Arguments) -> None:
    if draft.statics.pop(_claim(_static(draft, arguments)), None) is None:
        raise arguments.refusal("", "there is no such static", "remove what is defined above")


def _permit(entry: StaticEntry) -> Entry:
    """The conduit that a `mailhost` is besides."""
    mapped = entry.static.mapped or IPv4Network(0)
    return Entry(Rule(True, TCP, ANY, None, mapped, _SMTP, None, entry.static.place))


def _enter_mailhost(draft: Draft, arguments: Arguments) -> None:
    _enter_static(draft, arguments)
    entry = _static(draft, arguments)
    draft.conduits.append(_permit(entry))
    draft.mail_hosts.append(arguments.need("real", IPv4Address))


def _undo_mailhost(draft: Draft, arguments: Arguments) -> None:
    real = arguments.need("real", IPv4Address)
    if real not in draft.mail_hosts:
        raise arguments.refusal("", "there is no such mailhost", "remove what is defined above")
    _undo_static(draft, arguments)
    draft.conduits.remove(_permit(_static(draft, arguments)))
    draft.mail_hosts.remove(real)


def clear_mailhosts(draft: Draft, arguments: Arguments) -> None:
    """Remove what `mailhost` has made: statics, and the conduits to them."""
    for claim, entry in list(draft.statics.items()):
        permit = _permit(entry)
        if entry.static.real.network_address in draft.mail_hosts and permit in draft.conduits:
            draft.conduits.remove(permit)
            del draft.statics[claim]
    draft.mail_hosts.clear()


def _enter_nat_control(draft: Draft, arguments: Arguments) -> None:
    draft.nat_control = True


def _undo_nat_control(draft: Draft, arguments: Arguments) -> None:
    draft.nat_control = False


def _print_nat_control(configuration: Configuration) -> Iterator[str]:
    if configuration.nat_control:
        yield "nat-control"


def limit_kind(label: str) -> Integer:
    """A limit on connections."""
    return Integer(0, _LIMIT, label)


def limits_form() -> Sequence:
    """The limits on TCP connections."""
    return Sequence(
        Argument("max_connections", limit_kind("MAX")),
        Options(Argument("embryonic_limit", limit_kind("EMBRYONIC"))),
    )


def _mapped() -> OneOf:
    return OneOf(Keyword("interface", "interface"), Argument("mapped", ADDRESS))


def _real(*port: Piece) -> OneOf:
    limits = (
        OneOf(limits_form(), Sequence(Keyword("tcp"), limits_form())),
        Sequence(Keyword("udp"), Argument("udp_connections", limit_kind("MAX"))),
        Keyword("norandomseq", "norandomseq"),
    )
    return OneOf(
        Sequence(
            Keyword("access-list"),
            Argument("list", ACCESS_LIST),
            Options(Keyword("dns", "dns"), *limits),
        ),
        Sequence(
            Argument("real", ADDRESS),
            *port,
            Options(
                Keyword("dns", "dns"),
                Sequence(Keyword("netmask"), Argument("netmask", NETMASK)),
                *limits,
            ),
        ),
    )


def _port_form(protocol: str, number: int) -> Sequence:
    return Sequence(
        Keyword(protocol, "protocol", number),
        _mapped(),
        Argument("mapped_port", Port(protocol)),
        _real(Argument("real_port", Port(protocol))),
    )


COMMANDS = (
    Command(
        "static",
        "translate an address, a network or a port to another, both ways",
        _enter_static,
        Sequence(
            Options(Argument("pair", InterfacePair())),
            OneOf(_port_form("tcp", TCP), _port_form("udp", UDP), Sequence(_mapped(), _real())),
        ),
        _undo_static,
        until=OBJECTS,
        instead="`nat (REAL,MAPPED) static MAPPED` below `object network`",
        printed=_print,
        detail=(
            "REAL on the first interface is MAPPED on the other; `interface` as MAPPED is "
            "the interface's own address. The pair may be left out where there are two "
            "interfaces. MAX and EMBRYONIC are [limits](rule-file.md#limits-of-a-static-or-a-nat), "
            "0 for none. `norandomseq` has no effect: sequence numbers always stay as they "
            "are. With `access-list`, each line of the list (`permit ip`, or of the form with "
            "ports `permit tcp HOST eq PORT`) says what is translated, its source, and towards "
            "whom, its destination. Not implemented, with a warning: `dns`."
        ),
    ),
    Command(
        "mailhost",
        "translate a mail server, permit mail to it and inspect it (4.0 and 4.1)",
        _enter_mailhost,
        Sequence(
            Options(Argument("pair", InterfacePair())),
            Argument("mapped", ADDRESS),
            Argument("real", ADDRESS),
            Options(limits_form()),
        ),
        _undo_mailhost,
        until=OBJECTS,
        instead="`nat (REAL,MAPPED) static MAPPED` below `object network`, and an `access-list`",
        detail="A `static`, a `conduit` that permits mail to it, and Mailguard for mail to it.",
    ),
    Command(
        "nat-control",
        "let only pass what is translated",
        _enter_nat_control,
        undo=_undo_nat_control,
        since=SEVEN,
        until=OBJECTS,
        instead="an access list; nothing needs a translation there",
        printed=_print_nat_control,
        detail=(
            "Before 7.0 that is always so. From 7.0 on, what nothing translates passes as it is "
            "without this line."
        ),
    ),
)
