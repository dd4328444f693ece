"""Where messages go, and what stands before them: `logging`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address

from appliance.config.command import Command, accepted
from appliance.config.draft import DeviceId, Draft, LogHostEntry, Use
from appliance.config.grammar import (
    ANYTHING,
    Argument,
    Arguments,
    Keyword,
    OneOf,
    Options,
    Sequence,
)
from appliance.config.kinds import ADDRESS, INTERFACE, SEVERITY, Integer, Mismatch, Names, Word
from appliance.config.language import SEVEN
from appliance.config.line import quoted
from appliance.config.model import DEFAULT_FACILITY, DESTINATIONS, Configuration, LogHost
from appliance.config.services import SEVERITIES
from appliance.protocol import TCP, UDP

SYSLOG_PORT = 514
"""UDP port of a syslog server that the rule file gives none of."""

_SEVERITY_NAMES = {number: name for name, number in SEVERITIES.items()}
_FACILITY = Integer(16, 23, "FACILITY")
_MESSAGE = Word("NUMBER", "the number of a message", r"[1-9][0-9]{5}", "six digits")
_TEXT = Word(
    "TEXT",
    "a device ID",
    r"""[!#-%(-;=@-~]{1,16}""",
    "1 to 16 characters, no blanks, none of &'\"<>?",
)


@dataclass(frozen=True, slots=True)
class _Side:
    """The name of an interface where an address may stand instead."""

    label = INTERFACE.label
    expects = "an interface name"

    def parse(self, word: str, names: Names) -> str:
        """Read one word, see `Kind`."""
        if word in names or re.fullmatch(r"[0-9.]+", word):
            raise Mismatch(f"{quoted(word)} is not an interface name")
        return INTERFACE.parse(word, names)


@dataclass(frozen=True, slots=True)
class _Transport:
    """`udp/514`, as the device prints it `17/514`; the value is the protocol and the port."""

    label = "{udp|tcp}/PORT"
    expects = "a protocol and a port such as udp/514"

    def parse(self, word: str, names: Names) -> tuple[str, int]:
        """Read one word, see `Kind`."""
        found = re.fullmatch(r"(udp|17|tcp|6)/([0-9]{1,5})", word.lower())
        if not found:
            raise Mismatch(f"{quoted(word)} is not a protocol and a port")
        if not 1 <= int(found[2]) <= 65535:
            raise Mismatch(f"{found[2]} is not a port from 1 to 65535")
        return "udp" if found[1] in ("udp", "17") else "tcp", int(found[2])


def _enter_on(draft: Draft, arguments: Arguments) -> None:
    draft.logging_on = True


def _undo_on(draft: Draft, arguments: Arguments) -> None:
    draft.logging_on = False


def _level(destination: str, meaning: str) -> Command:
    def enter(draft: Draft, arguments: Arguments) -> None:
        draft.logging_levels[destination] = arguments.need("level", int)

    def undo(draft: Draft, arguments: Arguments) -> None:
        draft.logging_levels.pop(destination, None)

    return Command(
        f"logging {destination}",
        f"send messages of a severity and all graver ones to {meaning}",
        enter,
        Argument("level", SEVERITY),
        undo,
        ANYTHING,
        detail=(
            "0 to 7 or a name. [The log file](live.md#log) stands for all syslog servers."
            if destination == "trap"
            else "0 to 7 or a name."
        ),
    )


def _enter_host(draft: Draft, arguments: Arguments) -> None:
    address = arguments.need("address", IPv4Address)
    if int(address) == 0 or address.is_multicast or int(address) == 0xFFFFFFFF:
        raise arguments.refusal(
            "address", f"{address} is not the address of a host", "expected: a syslog server"
        )
    name = arguments.get("interface", str)
    protocol, port = arguments.get("transport", tuple) or ("udp", SYSLOG_PORT)
    emblem = arguments.get("emblem", bool) or False
    draft.log_hosts[address] = LogHostEntry(
        LogHost(address, port, emblem, name or "", protocol == "tcp"),
        Use(name, arguments.where("interface")) if name else None,
        arguments.place,
    )


def _undo_host(draft: Draft, arguments: Arguments) -> None:
    address = arguments.need("address", IPv4Address)
    if draft.log_hosts.pop(address, None) is None:
        raise arguments.refusal(
            "address", f"{address} is no syslog server", "remove what is defined above"
        )


def _enter_facility(draft: Draft, arguments: Arguments) -> None:
    draft.log_facility = arguments.need("facility", int)


def _undo_facility(draft: Draft, arguments: Arguments) -> None:
    draft.log_facility = DEFAULT_FACILITY


def _enter_timestamp(draft: Draft, arguments: Arguments) -> None:
    draft.log_timestamp = True


def _undo_timestamp(draft: Draft, arguments: Arguments) -> None:
    draft.log_timestamp = False


def _enter_permit(draft: Draft, arguments: Arguments) -> None:
    draft.log_permit_host_down = True


def _undo_permit(draft: Draft, arguments: Arguments) -> None:
    draft.log_permit_host_down = False


def _enter_device_id(draft: Draft, arguments: Arguments) -> None:
    kind = arguments.need("kind", DeviceId)
    name = arguments.get("name", str) or ""
    draft.log_device_id = kind, Use(name, arguments.where("name"))


def _undo_device_id(draft: Draft, arguments: Arguments) -> None:
    draft.log_device_id = None


def _enter_message(draft: Draft, arguments: Arguments) -> None:
    number = int(arguments.need("number", str))
    level = arguments.get("level", int)
    if level is None:
        draft.log_disabled.discard(number)
    else:
        draft.log_severities[number] = level


def _undo_message(draft: Draft, arguments: Arguments) -> None:
    number = int(arguments.need("number", str))
    if arguments.get("level", int) is None:
        draft.log_disabled.add(number)
    else:
        draft.log_severities.pop(number, None)


def _print(configuration: Configuration) -> Iterator[str]:
    logging = configuration.logging
    # Before 6.0 what is off is printed, too.
    told = configuration.language < (6, 0)
    levels = dict(logging.levels)
    if logging.on:
        yield "logging on" if configuration.language < SEVEN else "logging enable"
    if logging.timestamp or told:
        yield f"{'' if logging.timestamp else 'no '}logging timestamp"
    for destination in DESTINATIONS:
        if destination in levels:
            yield f"logging {destination} {_SEVERITY_NAMES[levels[destination]]}"
        elif told and (destination != "history" or configuration.language >= (5, 0)):
            yield f"no logging {destination}"
    if logging.facility != DEFAULT_FACILITY or told:
        yield f"logging facility {logging.facility}"
    if logging.device_id_form:
        yield f"logging device-id {logging.device_id_form}"
    for host in logging.hosts:
        port = f" {TCP if host.tcp else UDP}/{host.port}"
        if not host.tcp and host.port == SYSLOG_PORT:
            port = ""
        emblem = " format emblem" if host.emblem else ""
        side = f"{host.interface} " if host.interface else ""
        yield f"logging host {side}{host.address}{port}{emblem}"
    if logging.permit_host_down:
        yield "logging permit-hostdown"
    for number in logging.disabled:
        yield f"no logging message {number}"
    for number, level in logging.severities:
        yield f"logging message {number} level {_SEVERITY_NAMES[level]}"


COMMANDS = (
    Command("logging on", "log at all", _enter_on, undo=_undo_on, printed=_print),
    Command("logging enable", "log at all", _enter_on, undo=_undo_on, since=SEVEN),
    *(_level(*item) for item in DESTINATIONS.items()),
    Command(
        "logging host",
        "a syslog server",
        _enter_host,
        Sequence(
            Options(Argument("interface", _Side())),
            Argument("address", ADDRESS),
            Options(
                Argument("transport", _Transport()),
                Sequence(Keyword("format"), Keyword("emblem", "emblem")),
            ),
        ),
        _undo_host,
        Sequence(Options(Argument("interface", _Side())), Argument("address", ADDRESS), ANYTHING),
        detail=(
            "By UDP, on port 514 without a PORT. [While one by TCP is "
            "away](live.md#a-syslog-server-by-tcp), no connection may begin. Linux's routes "
            "decide how it is reached."
        ),
    ),
    Command(
        "logging permit-hostdown",
        "let connections begin while a syslog server by TCP is away",
        _enter_permit,
        undo=_undo_permit,
        since=SEVEN,
    ),
    Command(
        "logging facility",
        "syslog facility of messages to syslog servers",
        _enter_facility,
        Argument("facility", _FACILITY),
        _undo_facility,
        ANYTHING,
        detail="20 (local4) without it.",
    ),
    Command(
        "logging timestamp",
        "the time in messages to syslog servers",
        _enter_timestamp,
        undo=_undo_timestamp,
    ),
    Command(
        "logging device-id",
        "a name in messages to syslog servers",
        _enter_device_id,
        OneOf(
            Keyword("hostname", "kind", DeviceId.HOSTNAME),
            Sequence(Keyword("ipaddress", "kind", DeviceId.ADDRESS), Argument("name", INTERFACE)),
            Sequence(Keyword("string", "kind", DeviceId.TEXT), Argument("name", _TEXT)),
        ),
        _undo_device_id,
        ANYTHING,
        detail="The firewall's own, the address of an interface, or up to 16 characters.",
    ),
    Command(
        "logging message",
        "whether one message is logged, or its severity",
        _enter_message,
        Sequence(
            Argument("number", _MESSAGE),
            Options(Sequence(Keyword("level"), Argument("level", SEVERITY))),
        ),
        _undo_message,
        detail=(
            "`no logging message NUMBER` stops it; with a LEVEL, it has this severity "
            "instead of its own."
        ),
    ),
    accepted("logging queue", "how many messages may wait"),
    accepted("logging standby", "messages of a standby unit"),
)
