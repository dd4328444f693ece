"""Inspection: `fixup protocol`, before 7.0; `conversion` has what becomes of it later."""

from __future__ import annotations

from collections.abc import Iterator

from appliance.config.command import Command, Printer, accepted, unimplemented
from appliance.config.draft import DEFAULT_SMTP_PORTS, Draft
from appliance.config.grammar import Argument, Arguments, Keyword, OneOf, Options, Piece
from appliance.config.helpers import FTP, H225, PPTP, RAS, SIP, SIP_UDP, TFTP, Helped, defaults
from appliance.config.kinds import PortRange
from appliance.config.language import SEVEN, Language
from appliance.config.model import Configuration, Fixup
from appliance.protocol import SMTP

_FIRST = (4, 2)
"""Before that, only mail to a `mailhost` was inspected."""

_SINCE_H225 = (6, 2)
"""Before that, `fixup protocol h323` is of H.225 and says no more."""


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
        yield f"fixup protocol smtp {_range((low, high))}"


def warn_of_strict(draft: Draft, arguments: Arguments) -> None:
    """Say that `strict` of FTP does nothing here."""
    draft.warn(
        arguments.where("strict"),
        "`strict` is not implemented",
        "FTP is inspected as without it",
    )


def _print_helped(configuration: Configuration) -> Iterator[str]:
    language = configuration.language
    in_force = {(each.helped, each.ports) for each in configuration.fixups}
    usual = [Fixup(each, each.ports) for each in defaults(language)]
    for each in usual:
        if (each.helped, each.ports) not in in_force:
            yield f"no {_shown(each, language)}"
    for each in configuration.fixups:
        if language >= _FIRST or each not in usual:
            yield _shown(each, language)


def _shown(fixup: Fixup, language: Language) -> str:
    words = "h323" if fixup.helped == H225 and language < _SINCE_H225 else fixup.helped.words
    return f"fixup protocol {words} {'strict ' if fixup.strict else ''}{_range(fixup.ports)}"


def _range(ports: tuple[int, int]) -> str:
    low, high = ports
    return f"{low}" if low == high else f"{low}-{high}"


def _helped(
    words: str,
    default: Helped,
    form: Piece,
    printed: Printer | None = None,
    detail: str = "",
) -> Command:
    """`fixup protocol` of what a helper of the kernel reads."""

    def enter(draft: Draft, arguments: Arguments) -> None:
        helped = arguments.get("helped", Helped) or default
        ports = arguments.get("ports", tuple) or helped.ports
        strict = arguments.get("strict", bool) or False
        if strict:
            warn_of_strict(draft, arguments)
        draft.fixups[helped, ports] = Fixup(helped, ports, strict, place=arguments.place)

    def undo(draft: Draft, arguments: Arguments) -> None:
        # A later version has more from the start: the line may stand where nothing is in force.
        helped = arguments.get("helped", Helped) or default
        ports = arguments.get("ports", tuple)
        for each in list(draft.fixups):
            if each[0] == helped and ports in (None, each[1]):
                del draft.fixups[each]

    return Command(
        f"fixup protocol {words}",
        f"permit the connections that {words} opens, by the kernel's helper",
        enter,
        form,
        undo,
        until=SEVEN,
        instead=f"`inspect {words}` below a `class` of a `policy-map`",
        printed=printed,
        detail=detail,
    )


_OTHERS = (
    "ctiqbe",
    "dns",
    "domain",
    "esp-ike",
    "icmp",
    "ils",
    "mgcp",
    "rsh",
    "rtsp",
    "skinny",
    "snmp",
    "sqlnet",
)

_PORTS = Argument("ports", PortRange())

COMMANDS = (
    Command(
        "fixup protocol smtp",
        "inspect mail (Mailguard) on these ports",
        _enter_smtp,
        Options(Argument("ports", PortRange())),
        _undo_smtp,
        until=SEVEN,
        printed=_print_smtp,
        detail=(
            "Port 25 is inspected from the start: `no fixup protocol smtp 25` stops that. "
            "Without a port, the `no` form sets port 25 back."
        ),
    ),
    _helped(
        "ftp",
        FTP,
        Options(Keyword("strict", "strict"), _PORTS),
        _print_helped,
        "Port 21 is on from the start. `strict` is not implemented, with a warning. Without a "
        "port, the `no` form removes all ports.",
    ),
    _helped(
        "h323",
        H225,
        Options(
            OneOf(Keyword("h225", "helped", H225), Keyword("ras", "helped", RAS)),
            _PORTS,
        ),
        detail="H.225, port 1720, is on from the start from 4.2 on, RAS, ports 1718 and 1719, from "
        "6.2 on.",
    ),
    _helped("pptp", PPTP, Options(_PORTS), detail="Off unless written."),
    _helped(
        "sip",
        SIP,
        Options(Keyword("udp", "helped", SIP_UDP), _PORTS),
        detail="Port 5060 is on from the start, over TCP from 5.3 on and over UDP in 6.3.",
    ),
    _helped(
        "tftp",
        TFTP,
        Options(Argument("ports", PortRange("udp"))),
        detail="Port 69 is on from the start in 6.3.",
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
