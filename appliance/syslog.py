"""The log line that an event draws, as the device words it.

Texts and severities: docs/evidence.md, after the vendor's message guide and lines that people
published.
"""

from __future__ import annotations

import re

from appliance.events import (
    AccessListHit,
    Closing,
    ConnectionBuilt,
    ConnectionClosed,
    Denial,
    DeniedFlowsFull,
    Direction,
    Endpoint,
    Event,
    Flow,
    Inspected,
    Kind,
    PacketDenied,
    Phase,
)
from appliance.smtp.esmtp_map import Act, Action
from appliance.smtp.release import Blocked, ConnectionMessages, Release

_PROTOCOLS = {1: "icmp", 6: "tcp", 17: "udp"}

_FLAGS = ("FIN", "SYN", "RST", "PSH", "ACK", "URG")
"""Names of the TCP flags, lowest bit first (RFC 793, section 3.1)."""

_REASONS = {
    Closing.FIN: "TCP FINs",
    Closing.DROPPED: "Deny",
}

_MODERN_REASONS = {
    **_REASONS,
    Closing.DROPPED: "Flow closed by inspection",
}
"""The same from 7.0 on."""


_TIMEOUTS = {
    Phase.EMBRYONIC: "SYN Timeout",
    Phase.ESTABLISHED: "Conn-timeout",
    Phase.HALF_CLOSED: "FIN Timeout",
}

_UNTRANSLATED = {
    Denial.NO_TRANSLATION_INBOUND: "3-106011: Deny inbound (No xlate) {}",
    Denial.NO_TRANSLATION: "3-305005: No translation group found for {}",
    Denial.TRANSLATION_FAILED: "3-305006: portmap translation creation failed for {}",
    Denial.ASYMMETRIC: "5-305013: Asymmetric NAT rules matched for forward and reverse flows; "
    "Connection for {} denied due to NAT reverse path failure",
}
"""What a message says around the ends of a packet."""

_TERMINATIONS = {
    Kind.CONNECTION_DROPPED: "inspector disconnected, dropped packet",
    Kind.CONNECTION_RESET: "inspector reset unconditionally",
    Kind.INCONSISTENT_RETRANSMISSION: "failed to consolidate new buffer data with original",
}
"""Reasons of 507003, which is of 7.0 and later; they are printed in lower case."""


_CLASSIFIED = {
    Act.NONE: ("6-108005", "Received"),
    Act.DROP_CONNECTION: ("4-108004", "Dropped connection for"),
    Act.RESET: ("4-108004", "Reset connection for"),
    Act.MASK: ("4-108004", "Masked header flags for"),
    Act.RATE_LIMIT: ("4-108004", "Dropped"),
}
"""What a message says of a match: its severity and number, and what was done."""


class Syslog:
    """Words events as one device would.

    Args:
        product: "PIX" or "ASA", the name in front of each message.
        release: the release imitated.
    """

    def __init__(self, product: str, release: Release) -> None:
        self._product = product
        self._release = release
        self._tells_of_noop = (
            release.blocked is Blocked.NOOP
            and release.connection_messages is ConnectionMessages.FGL_ADDRESSES
        )

    def message(self, event: Event) -> str | None:
        """The log line for an event, without time or newline; None if it draws none."""
        match event:
            case ConnectionBuilt():
                body = self._built(event)
            case ConnectionClosed(closing=Closing.OPEN):
                return None
            case ConnectionClosed():
                body = self._closed(event)
            case PacketDenied(quiet=True):
                return None
            case PacketDenied():
                body = self._denied(event)
            case AccessListHit():
                body = self._hit(event)
            case DeniedFlowsFull():
                body = (
                    "1-106101: Number of cached deny-flows for ACL log has reached limit "
                    f"({event.most})"
                )
            case Inspected(kind=Kind.ADDRESS_EDITED):
                body = _address_edited(event)
            case Inspected(kind=Kind.COMMAND_BLOCKED) if self._tells_of_noop:
                body = _made_noop(event)
            case Inspected(kind=Kind.ADDRESS_REFUSED):
                body = _malicious_address(event)
            case Inspected() if event.kind in _TERMINATIONS and self._release.modern_messages:
                body = _terminated(event)
            case Inspected(kind=Kind.MATCHED | Kind.PARAMETER | Kind.SIZE_VIOLATION):
                found = _found_by_map(event) if self._release.has_maps else None
                if found is None:
                    return None
                body = found
            case Inspected(kind=Kind.OPAQUE) if event.action is None or event.action.log:
                body = _tls_started(event)
            case _:
                return None
        return f"%{self._product}-{body}"

    def _built(self, event: ConnectionBuilt) -> str:
        flow = event.flow
        way = "inbound" if flow.inbound else "outbound"
        if self._release.connection_messages is ConnectionMessages.FGL_ADDRESSES:
            return f"6-302001: Built {way} TCP connection {flow.number} for {_fgl(flow)}"
        outer, inner = _sides(flow)
        return (
            f"6-302013: Built {way} TCP connection {flow.number} "
            f"for {_named(outer)} ({outer.mapped}/{outer.mapped_port}) "
            f"to {_named(inner)} ({inner.mapped}/{inner.mapped_port})"
        )

    def _closed(self, event: ConnectionClosed) -> str:
        flow = event.flow
        if event.closing is Closing.RESET:
            # I and O tell which side reset: the inner, more secure one or the outer.
            side = "O" if event.by_client == flow.inbound else "I"
            reason = f"TCP Reset-{side}" if self._release.modern_messages else f"Reset-{side}"
        elif event.closing is Closing.TIMEOUT:
            reason = _TIMEOUTS[event.phase]
        else:
            reasons = _MODERN_REASONS if self._release.modern_messages else _REASONS
            reason = reasons[event.closing]
        minutes, seconds = divmod(int(event.duration), 60)
        hours, minutes = divmod(minutes, 60)
        lasted = f"duration {hours}:{minutes:02}:{seconds:02} bytes {event.octets}"
        if self._release.connection_messages is ConnectionMessages.FGL_ADDRESSES:
            return (
                f"6-302002: Teardown TCP connection {flow.number} {_fgl(flow)} {lasted} ({reason})"
            )
        outer, inner = _sides(flow)
        return (
            f"6-302014: Teardown TCP connection {flow.number} "
            f"for {_named(outer)} to {_named(inner)} {lasted} {reason}"
        )

    def _denied(self, event: PacketDenied) -> str:
        modern = self._release.modern_messages
        body = _denied(event, modern)
        return f"{body} [0x0, 0x0]" if modern and event.reason is Denial.ACCESS_LIST else body

    def _hit(self, event: AccessListHit) -> str:
        source, destination = event.source, event.destination
        when = f"{event.interval}-second interval" if event.interval else "first hit"
        return (
            f"{event.level}-106100: access-list {event.access_list} "
            f"{'permitted' if event.permitted else 'denied'} "
            f"{_PROTOCOLS.get(event.protocol, event.protocol)} "
            f"{source.interface}/{source.address}({source.port}) -> "
            f"{destination.interface}/{destination.mapped}({event.port}) hit-cnt {event.hits} "
            f"{f'{when} [0x0, 0x0]' if self._release.modern_messages else f'({when})'}"
        )


def _sides(flow: Flow) -> tuple[Endpoint, Endpoint]:
    """The less and the more secure end: the order in which a message names them."""
    return (flow.client, flow.server) if flow.inbound else (flow.server, flow.client)


def _named(end: Endpoint) -> str:
    return f"{end.interface}:{end.address}/{end.port}"


def _fgl(flow: Flow) -> str:
    """Foreign, global and local address: the outer end, and the inner one mapped and real."""
    outer, inner = _sides(flow)
    return (
        f"faddr {outer.mapped}/{outer.mapped_port} "
        f"gaddr {inner.mapped}/{inner.mapped_port} laddr {inner.address}/{inner.port}"
    )


def refusing_connections(release: Release) -> str:
    """The text of message 201008.

    Args:
        release: the release that is imitated.
    """
    return (
        "Disallowing new connections."
        if release.modern_messages
        else "The PIX is disallowing new connections."
    )


def flag_names(flags: int) -> str:
    """TCP flags as messages name them, "RST ACK".

    Args:
        flags: the flags byte of a TCP header.
    """
    return " ".join(name for bit, name in enumerate(_FLAGS) if flags >> bit & 1)


def _malicious_address(event: Inspected) -> str:
    client, server = event.flow.client, event.flow.server
    return (
        "2-108003: Terminating ESMTP/SMTP connection; malicious pattern detected in the mail "
        f"address from {_named(client)} to {_named(server)}. Data:{event.detail}"
    )


def _terminated(event: Inspected) -> str:
    client, server = event.flow.client, event.flow.server
    return (
        f"4-507003: tcp flow from {_named(client)} to {_named(server)} "
        f"terminated by inspection engine, reason - {_TERMINATIONS[event.kind]}."
    )


def _found_by_map(event: Inspected) -> str | None:
    if event.kind is Kind.SIZE_VIOLATION:
        return _size_violated(event)
    return _classified(event, event.action) if event.action and event.action.log else None


def _classified(event: Inspected, action: Action) -> str:
    asks = event.direction is Direction.TO_SERVER
    source, destination = event.flow.client, event.flow.server
    if not asks:
        source, destination = destination, source
    return (
        f"{_CLASSIFIED[action.act][0]}: "
        f"ESMTP {'Classification' if event.kind is Kind.MATCHED else 'Parameter'}: "
        f"{_CLASSIFIED[action.act][1]} ESMTP {'Request' if asks else 'Response'} "
        f"from {_named(source)} to {_named(destination)}; {event.detail}"
    )


def _size_violated(event: Inspected) -> str:
    client, server = event.flow.client, event.flow.server
    return (
        f"7-108006: Detected ESMTP size violation from {_named(client)} to {_named(server)}; "
        f"{event.detail}"
    )


def _tls_started(event: Inspected) -> str:
    client, server = event.flow.client, event.flow.server
    return (
        f"6-108007: TLS started on ESMTP session between client {_named(client)} "
        f"and server {_named(server)}"
    )


def _beyond_limits(event: PacketDenied, modern: bool) -> str:
    source, destination, limits = event.source, event.destination, event.limits
    translation = f"static {destination.mapped}"
    if limits.of_source:
        translation = f"xlate {source.mapped}"
    if event.reason is Denial.TOO_MANY:
        what = "TCP connections" if modern else "connections"
        return (
            f"3-201002: Too many {what} on {translation}! {limits.embryonic} {limits.connections}"
        )
    if event.reason is Denial.TOO_MANY_UDP:
        return f"3-201004: Too many udp connections on {translation}! {limits.connections}"
    return (
        f"2-201003: Embryonic limit exceeded {limits.embryonic + 1}/{limits.embryonic} "
        f"for {source.mapped}/{source.mapped_port} ({destination.mapped}) "
        f"{destination.address}/{destination.port} on interface {source.interface}"
    )


def _denied(event: PacketDenied, modern: bool) -> str:
    source, destination = event.source, event.destination
    protocol = _PROTOCOLS.get(event.protocol, f"protocol {event.protocol}")
    ends = f"{source.address}/{source.port} to {destination.address}/{destination.port}"
    if event.protocol == 1:
        named = (
            f"icmp src {source.interface}:{source.address} "
            f"dst {destination.interface}:{destination.address} "
            f"(type {event.flags >> 8}, code {event.flags & 0xFF})"
        )
    elif event.protocol in (6, 17):
        named = f"{protocol} src {_named(source)} dst {_named(destination)}"
    else:
        named = (
            f"{protocol} src {source.interface}:{source.address} "
            f"dst {destination.interface}:{destination.address}"
        )
    flags = flag_names(event.flags)
    match event.reason:
        case Denial.NO_PERMIT:
            return (
                f"2-106001: Inbound TCP connection denied from {ends} "
                f"flags {flags} on interface {source.interface}"
            )
        case Denial.NO_PERMIT_UDP:
            return f"2-106006: Deny inbound UDP from {ends} on interface {source.interface}"
        case Denial.NO_PERMIT_OTHER:
            return f"3-106010: Deny inbound {named}"
        case Denial.NO_PERMIT_ICMP:
            return f"3-106014: Deny inbound {named}"
        case Denial.OWN_ADDRESS:
            return (
                f"7-710005: {protocol.upper()} request discarded "
                f"from {source.address}/{source.port} to {_named(destination)}"
            )
        case Denial.NO_CONNECTION:
            return (
                f"6-106015: Deny TCP (no connection) from {ends} "
                f"flags {flags} on interface {source.interface}"
            )
        case Denial.ACCESS_LIST:
            return f'4-106023: Deny {named} by access-group "{event.access_list}"'
        case (
            Denial.NO_TRANSLATION_INBOUND
            | Denial.NO_TRANSLATION
            | Denial.TRANSLATION_FAILED
            | Denial.ASYMMETRIC
        ):
            return _UNTRANSLATED[event.reason].format(named)
        case Denial.OUTBOUND_LIST | Denial.REVERSE_PATH:
            return _refused(event, protocol)
        case Denial.TOO_MANY | Denial.TOO_MANY_EMBRYONIC | Denial.TOO_MANY_UDP:
            return _beyond_limits(event, modern)
        case Denial.NO_ROOM:
            return "3-211001: Memory allocation Error"
        case Denial.NO_ROUTE:
            return f"6-110001: No route to {destination.address} from {source.address}"


def _refused(event: PacketDenied, protocol: str) -> str:
    source, destination = event.source, event.destination
    name = protocol.upper() if event.protocol in _PROTOCOLS else protocol
    if event.reason is Denial.OUTBOUND_LIST:
        return (
            f"2-106002: {protocol} connection denied by outbound list {event.access_list} "
            f"src {source.address} {source.port} dest {destination.address} {destination.port}"
        )
    return (
        f"1-106021: Deny {name} reverse path check from {source.address} "
        f"to {destination.address} on interface {source.interface}"
    )


def _address_edited(event: Inspected) -> str:
    outer, inner = _sides(event.flow)
    return (
        f"2-108002: SMTP replaced string: out {outer.address} in {inner.address} "
        f"data: {event.detail}"
    )


def _made_noop(event: Inspected) -> str:
    outer, inner = _sides(event.flow)
    # The verb alone: what stands behind it may be a password.
    verb = re.split(rb"[\0- ]", event.original)[0].decode("latin-1")
    return f"2-108001: SMTP made noop: out {outer.address} in {inner.address} data: {verb}"
