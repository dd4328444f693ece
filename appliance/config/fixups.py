"""Inspection: `fixup protocol`."""

from __future__ import annotations

from collections.abc import Iterator

from appliance.config.command import Command, accepted, unimplemented
from appliance.config.draft import DEFAULT_SMTP_PORTS, Draft
from appliance.config.grammar import Argument, Arguments, Options
from appliance.config.kinds import PortRange
from appliance.config.language import SEVEN
from appliance.config.model import Configuration
from appliance.protocol import SMTP

_FIRST = (4, 2)
"""Before that, only mail to a `mailhost` was inspected."""


def _enter_smtp(draft: Draft, arguments: Arguments) -> None:
    low, high = arguments.get("ports", tuple) or DEFAULT_SMTP_PORTS[0]
    if (low, high) not in draft.smtp_ports:
        draft.smtp_ports = (*draft.smtp_ports, (low, high))


def _undo_smtp(draft: Draft, arguments: Arguments) -> None:
    ports = arguments.get("ports", tuple)
    if ports is None:
        # Not off: all lines are cleared and the default comes back (docs/evidence.md).
        draft.smtp_ports = DEFAULT_SMTP_PORTS
        draft.warn(
            arguments.place,
            "`no fixup protocol smtp` without a port sets port 25 back, as on the device",
            "write `no fixup protocol smtp 25` to switch Mailguard off",
        )
        return
    if ports not in draft.smtp_ports:
        lines = " and ".join(f"{a}-{b}" if a != b else str(a) for a, b in draft.smtp_ports)
        raise arguments.refusal(
            "ports",
            "there is no such fixup",
            f"in force here: {lines or 'none'}; a range is removed as it was entered",
        )
    draft.smtp_ports = tuple(entry for entry in draft.smtp_ports if entry != ports)


def _print_smtp(configuration: Configuration) -> Iterator[str]:
    if DEFAULT_SMTP_PORTS[0] not in configuration.smtp_ports and configuration.language >= _FIRST:
        yield f"no fixup protocol smtp {SMTP}"
    for low, high in configuration.smtp_ports:
        yield f"fixup protocol smtp {low}{f'-{high}' if high != low else ''}"


_OTHERS = (
    "ctiqbe",
    "dns",
    "domain",
    "esp-ike",
    "ftp",
    "h323",
    "icmp",
    "ils",
    "mgcp",
    "pptp",
    "rsh",
    "rtsp",
    "sip",
    "skinny",
    "snmp",
    "sqlnet",
    "tftp",
)

_INSTEAD = "`inspect esmtp` below a `class` of a `policy-map`"

COMMANDS = (
    Command(
        "fixup protocol smtp",
        "inspect mail (Mailguard) on these ports",
        _enter_smtp,
        Options(Argument("ports", PortRange())),
        _undo_smtp,
        until=SEVEN,
        instead=_INSTEAD,
        printed=_print_smtp,
        detail=(
            "Port 25 is inspected from the start: `no fixup protocol smtp 25` stops that. "
            "Without a port, the `no` form sets port 25 back."
        ),
    ),
    *(
        unimplemented(
            f"fixup protocol {name}",
            f"inspect {name}",
            f"{name} passes as the rules say, and no other connection is opened for it",
            until=SEVEN,
        )
        for name in _OTHERS
    ),
    accepted("fixup protocol http", "log web addresses", until=SEVEN),
)
