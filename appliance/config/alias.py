"""Destinations translated for the hosts behind an interface: `alias`."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Address

from appliance.config.command import Command
from appliance.config.draft import Bound, Draft
from appliance.config.dynamic import INTERFACE_OF, use_of
from appliance.config.grammar import Argument, Arguments, Options, Sequence
from appliance.config.kinds import ADDRESS, NETMASK
from appliance.config.language import OBJECTS
from appliance.config.model import Alias, Configuration


def _alias(draft: Draft, arguments: Arguments) -> Bound[Alias]:
    use = use_of(draft, arguments, secure=True)
    prefix = arguments.get("netmask", int)
    alternate, foreign = (
        draft.network(
            arguments.where(key),
            arguments.need(key, IPv4Address),
            32 if prefix is None else prefix,
        )
        for key in ("alternate", "foreign")
    )
    for key, network in (("alternate", alternate), ("foreign", foreign)):
        if int(network.network_address) == 0 or network.is_multicast:
            raise arguments.refusal(
                key, f"{network} cannot be translated", "expected: the address of a host or network"
            )
    return Bound(Alias(use.name, alternate, foreign, arguments.place), use)


def _enter(draft: Draft, arguments: Arguments) -> None:
    entry = _alias(draft, arguments)
    for other in draft.aliases:
        if other.item == entry.item:
            return
        if other.use == entry.use and other.item.alternate.overlaps(entry.item.alternate):
            raise arguments.refusal(
                "alternate",
                f"line {other.item.place.line} says already where {other.item.alternate} leads",
                "each address has one alias on an interface",
            )
    draft.warn(
        arguments.place,
        "`alias` changes no DNS answers here",
        "addresses in DNS answers stay as they are",
    )
    draft.aliases.append(entry)


def _undo(draft: Draft, arguments: Arguments) -> None:
    doomed = _alias(draft, arguments).item
    draft.aliases = arguments.without(draft.aliases, lambda each: each.item == doomed, "alias")


def _print(configuration: Configuration) -> Iterator[str]:
    for each in configuration.aliases:
        yield (
            f"alias ({each.interface}) {each.alternate.network_address} "
            f"{each.foreign.network_address} {each.foreign.netmask}"
        )


COMMANDS = (
    Command(
        "alias",
        "translate where hosts behind an interface send to, for addresses that exist twice",
        _enter,
        Sequence(
            INTERFACE_OF,
            Argument("alternate", ADDRESS),
            Argument("foreign", ADDRESS),
            Options(Argument("netmask", NETMASK)),
        ),
        _undo,
        until=OBJECTS,
        instead="`nat (REAL,MAPPED) static MAPPED dns` below `object network`",
        printed=_print,
        detail=(
            "What comes in by the interface for the first address goes to the second one, and "
            "what comes from the second one leaves by the interface as if from the first. "
            "[How](rule-file.md#alias). The netmask is for both; without it they are hosts. "
            "Not implemented, with a warning: changing addresses in DNS answers."
        ),
    ),
)
