"""Inspection: `fixup protocol`."""

from __future__ import annotations

from appliance.config.command import Command, accepted, unimplemented
from appliance.config.draft import DEFAULT_SMTP_PORTS, Draft
from appliance.config.grammar import Argument, Arguments, Options
from appliance.config.kinds import PortRange


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


_OTHERS = (
    "ctiqbe",
    "dns",
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

COMMANDS = (
    Command(
        "fixup protocol smtp",
        "inspect mail (Mailguard) on these ports",
        _enter_smtp,
        Options(Argument("ports", PortRange())),
        _undo_smtp,
    ),
    *(
        unimplemented(
            f"fixup protocol {name}",
            f"inspect {name}",
            f"{name} passes as the rules say, and no other connection is opened for it",
        )
        for name in _OTHERS
    ),
    accepted("fixup protocol http", "log web addresses"),
)
