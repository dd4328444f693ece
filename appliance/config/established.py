"""What may come back to a host from those that it has connections to: `established`."""

from __future__ import annotations

from collections.abc import Iterator

from appliance.config.command import Command, unimplemented
from appliance.config.draft import Draft
from appliance.config.grammar import (
    Argument,
    Arguments,
    Keyword,
    OneOf,
    Options,
    Sequence,
)
from appliance.config.kinds import Port, PortsOrAll
from appliance.config.language import OBJECTS
from appliance.config.model import Configuration, Established, PortsOf
from appliance.protocol import TCP, UDP

_PROTOCOLS = {"tcp": TCP, "udp": UDP}
_NAMES = {number: name for name, number in _PROTOCOLS.items()}


def _ports(arguments: Arguments, key: str) -> PortsOf | None:
    protocol = arguments.get(f"{key}_protocol", int)
    if protocol is None:
        return None
    return PortsOf(protocol, *arguments.need(f"{key}_ports", tuple))


def _line(arguments: Arguments) -> Established:
    line = Established(
        arguments.need("protocol", int),
        arguments.need("destination_port", int),
        arguments.get("source_port", int) or 0,
        _ports(arguments, "to"),
        _ports(arguments, "from"),
        arguments.place,
    )
    if line.permit_to and line.permit_from and line.permit_to.protocol != line.permit_from.protocol:
        raise arguments.refusal(
            "from_protocol",
            "nothing goes to a port of one protocol and comes from one of the other",
            "write the same protocol after `permitto` and `permitfrom`",
        )
    return line


def _enter(draft: Draft, arguments: Arguments) -> None:
    line = _line(arguments)
    if line not in draft.established:
        draft.established.append(line)
    if not (line.permit_to or line.permit_from):
        draft.warn(
            arguments.place,
            "this lets anything back in, of any protocol and to any port",
            "say what by `permitto` and `permitfrom`",
        )


def _undo(draft: Draft, arguments: Arguments) -> None:
    doomed = _line(arguments)
    draft.established = arguments.without(
        draft.established, lambda each: each == doomed, "established"
    )


def _print(configuration: Configuration) -> Iterator[str]:
    for each in configuration.established:
        words = [f"established {_NAMES[each.protocol]} {each.destination_port} {each.source_port}"]
        for keyword, ports in (("permitto", each.permit_to), ("permitfrom", each.permit_from)):
            if ports:
                span = f"-{ports.high}" if ports.high != ports.low else ""
                words.append(f"{keyword} {_NAMES[ports.protocol]} {ports.low}{span}")
        yield " ".join(words)


def _permitted(keyword: str, key: str) -> Sequence:
    protocols = (Keyword(name, f"{key}_protocol", number) for name, number in _PROTOCOLS.items())
    return Sequence(Keyword(keyword), OneOf(*protocols), Argument(f"{key}_ports", PortsOrAll()))


COMMANDS = (
    Command(
        "established",
        "let hosts come back to one that has a connection to them",
        _enter,
        Sequence(
            OneOf(
                *(
                    Sequence(
                        Keyword(name, "protocol", number),
                        Argument("destination_port", Port(name)),
                        Options(Argument("source_port", Port(name))),
                    )
                    for name, number in _PROTOCOLS.items()
                )
            ),
            Options(_permitted("permitto", "to"), _permitted("permitfrom", "from")),
        ),
        _undo,
        until=OBJECTS,
        printed=_print,
        detail=(
            "While a host has a connection of the protocol to (the first port) and from (the "
            "second port) a host behind a less secure interface, 0 for any, that host may begin "
            "connections to it, to the `permitto` ports and from the `permitfrom` ports, whatever "
            "lists and conduits say. [How](rule-file.md#established)."
        ),
    ),
    unimplemented(
        "established",
        "let hosts come back to one that has a connection to them",
        "it lets nothing in here from 8.3 on",
        since=OBJECTS,
    ),
)
