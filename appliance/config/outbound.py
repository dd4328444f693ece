"""Lists of what may not go out, before access lists: `outbound` and `apply`."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Address

from appliance.config.command import Command
from appliance.config.draft import Bound, Draft
from appliance.config.dynamic import INTERFACE_OF, use_of
from appliance.config.grammar import Argument, Arguments, Keyword, OneOf, Options, Sequence
from appliance.config.kinds import ADDRESS, NETMASK, Choice, Integer, PortsOrAll
from appliance.config.language import SEVEN
from appliance.config.model import Action, Apply, Configuration, Outbound
from appliance.protocol import ICMP, TCP, UDP

_PROTOCOLS = {"ip": 0, "icmp": ICMP, "tcp": TCP, "udp": UDP}
_NAMES = {number: name for name, number in _PROTOCOLS.items()}


def _outbound(draft: Draft, arguments: Arguments) -> Outbound:
    address = arguments.need("address", IPv4Address)
    prefix = arguments.get("netmask", int)
    if prefix is None:
        prefix = 32 if int(address) else 0
    network = draft.network(arguments.where("address"), address, prefix)
    ports = arguments.get("ports", tuple)
    return Outbound(
        arguments.need("number", int),
        arguments.need("action", Action),
        network,
        ports if ports and ports != (0, 0) else None,
        arguments.get("protocol", int) or None,
        arguments.place,
    )


def _enter_outbound(draft: Draft, arguments: Arguments) -> None:
    line = _outbound(draft, arguments)
    if line not in draft.outbounds:
        draft.outbounds.append(line)


def _undo_outbound(draft: Draft, arguments: Arguments) -> None:
    number = arguments.need("number", int)
    written = None if arguments.get("action", Action) is None else _outbound(draft, arguments)

    def is_doomed(line: Outbound) -> bool:
        return line == written if written else line.number == number

    draft.outbounds = arguments.without(draft.outbounds, is_doomed, "line")


def _apply(draft: Draft, arguments: Arguments) -> Bound[Apply]:
    use = use_of(draft, arguments, secure=True)
    by_destination = arguments.need("by_destination", bool)
    number = arguments.need("number", int)
    return Bound(Apply(use.name, number, by_destination, arguments.place), use)


def _enter_apply(draft: Draft, arguments: Arguments) -> None:
    entry = _apply(draft, arguments)
    if entry.item not in [each.item for each in draft.applied]:
        draft.applied.append(entry)


def _undo_apply(draft: Draft, arguments: Arguments) -> None:
    doomed = _apply(draft, arguments).item
    draft.applied = arguments.without(draft.applied, lambda each: each.item == doomed, "apply")


def _print_outbounds(configuration: Configuration) -> Iterator[str]:
    for each in configuration.outbounds:
        low, high = each.ports or (0, 0)
        ports = f"{low}" if low == high else f"{low}-{high}"
        yield (
            f"outbound {each.number} {each.action.value} {each.network.network_address} "
            f"{each.network.netmask} {ports} {_NAMES[each.protocol or 0]}"
        )


def _print_applied(configuration: Configuration) -> Iterator[str]:
    for each in configuration.applied:
        direction = "outgoing_dest" if each.by_destination else "outgoing_src"
        yield f"apply ({each.interface}) {each.number} {direction}"


_NUMBER = Argument("number", Integer(1, 1299, "LIST"))
_LINE = Sequence(
    OneOf(*(Keyword(action.value, "action", action) for action in Action)),
    Argument("address", ADDRESS),
    Options(Argument("netmask", NETMASK)),
    Options(Argument("ports", PortsOrAll())),
    Options(Argument("protocol", Choice("PROTOCOL", "a protocol", _PROTOCOLS, (0, 255)))),
)

COMMANDS = (
    Command(
        "outbound",
        "add a line to an outbound list, which denies what goes out",
        _enter_outbound,
        Sequence(_NUMBER, _LINE),
        _undo_outbound,
        Sequence(_NUMBER, Options(_LINE)),
        until=SEVEN,
        instead="an `access-list` and `access-group`",
        printed=_print_outbounds,
        detail=(
            "Of the lines that fit, the one with the longest mask decides, then one with a port; "
            "what none fits passes. `except` turns that round for what it fits by its other end."
        ),
    ),
    Command(
        "apply",
        "bind an outbound list to the interface that connections come in by",
        _enter_apply,
        Sequence(
            INTERFACE_OF,
            _NUMBER,
            OneOf(
                Keyword("outgoing_src", "by_destination", False),
                Keyword("outgoing_dest", "by_destination", True),
            ),
        ),
        _undo_apply,
        until=SEVEN,
        instead="`access-group`",
        printed=_print_applied,
        detail=(
            "The list goes by the source or the destination of what passes to a less secure "
            "interface. Not asked where the interface has an access-group."
        ),
    ),
)
