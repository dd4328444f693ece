"""What the policy says of one packet, put as a device's `packet-tracer` puts it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from appliance.config.language import OBJECTS
from appliance.config.model import AccessGroup, Configuration, Interface
from appliance.config.objects import NetworkObject
from appliance.config.services import ICMP_TYPES, PROTOCOLS
from appliance.errors import Place, printable
from appliance.events import Denial, Endpoint, PacketDenied
from appliance.policy.policy import Decision, Phase, Step
from appliance.protocol import ICMP, TCP, UDP
from appliance.syslog import Syslog
from appliance.trace.packet import Packet

_PROTOCOL_NAMES = {number: name for name, number in reversed(PROTOCOLS.items())} | {
    TCP: "tcp",
    UDP: "udp",
    ICMP: "icmp",
}
_ICMP_NAMES = {number: name for name, number in ICMP_TYPES.items()}

_TYPES = {
    Phase.UNTRANSLATION: ("UN-NAT", "static"),
    Phase.ROUTE: ("ROUTE-LOOKUP", "input"),
    Phase.REVERSE_PATH: ("RPF-CHECK", ""),
    Phase.ACCESS_LIST: ("ACCESS-LIST", ""),
    Phase.ACCESS_LIST_OUT: ("ACCESS-LIST", ""),
    Phase.LEVELS: ("ACCESS-LIST", ""),
    Phase.CONDUIT: ("CONDUIT", ""),
}
"""Type and subtype of a phase; others are called as the policy calls them."""

_IMPLICIT = frozenset((Phase.LEVELS, Phase.CONDUIT, Phase.ACCESS_LIST, Phase.ACCESS_LIST_OUT))
"""Phases in which a device has an answer where no line gives one."""

_DENIED_BY_RULE = "(acl-drop) Flow is denied by configured rule"
_NOT_TRANSLATED = "(nat-xlate-failed) NAT failed"
_BEYOND_LIMIT = "(conn-limit) Connection limit reached"

_REASONS = {
    Denial.NO_TRANSLATION_INBOUND: _NOT_TRANSLATED,
    Denial.NO_TRANSLATION: _NOT_TRANSLATED,
    Denial.TRANSLATION_FAILED: _NOT_TRANSLATED,
    Denial.ASYMMETRIC: "(nat-rpf-failed) NAT reverse path failed",
    Denial.REVERSE_PATH: "(rpf-violated) Reverse-path verify failed",
    Denial.NO_CONNECTION: "(tcp-not-syn) First TCP packet not SYN",
    Denial.OWN_ADDRESS: "(sp-security-failed) Slowpath security checks failed",
    Denial.TOO_MANY: _BEYOND_LIMIT,
    Denial.TOO_MANY_EMBRYONIC: _BEYOND_LIMIT,
    Denial.TOO_MANY_UDP: _BEYOND_LIMIT,
    Denial.NO_ROOM: "(unable-to-create-flow) Flow denied due to resource limitation",
    Denial.NO_ROUTE: "(no-route) No route to host",
}
"""The name that a device has for a reason, where no rule denies."""


@dataclass(frozen=True, slots=True)
class Source:
    """The rule file, as a trace quotes it.

    Args:
        configuration: what it says.
        lines: its lines by their numbers, as much as may be shown.
    """

    configuration: Configuration
    lines: Mapping[int, str]

    def quote(self, place: Place | None) -> str:
        """The line at a place, fit for any terminal; "" for none."""
        return printable(self.lines.get(place.line, "").strip()) if place else ""

    @property
    def is_of_objects(self) -> bool:
        """Whether objects are translated in it, as from 8.3 on."""
        return self.configuration.language >= OBJECTS

    def interface(self, name: str) -> Interface | None:
        """The interface of that name."""
        return next((each for each in self.configuration.interfaces if each.name == name), None)


@dataclass(frozen=True, slots=True)
class Trace:
    """A packet and what became of it.

    Args:
        packet: the packet.
        decision: what the policy says.
        denied: the report of its denial, None if it passes.
        message: the log line that it draws if it is denied, "" for none.
        number: its number in a capture, 0 for a packet that is in none.
    """

    packet: Packet
    decision: Decision
    denied: PacketDenied | None
    message: str
    number: int = 0

    @property
    def ends(self) -> tuple[Endpoint, Endpoint]:
        """The sender's end and the one addressed, with their interfaces."""
        return self.decision.admission.client, self.decision.admission.server

    @property
    def reason(self) -> str:
        """Why it is dropped, as a device names that; "" if it passes."""
        return _REASONS.get(self.denied.reason, _DENIED_BY_RULE) if self.denied else ""


def trace(packet: Packet, decision: Decision, syslog: Syslog) -> Trace:
    """What became of a packet.

    Args:
        packet: the packet.
        decision: what the policy says.
        syslog: words the message.
    """
    admission, denied = decision.admission, None
    if admission.denial:
        denied = PacketDenied(
            0.0,
            admission.denial,
            packet.opening.protocol,
            admission.client,
            admission.server,
            admission.access_list,
            packet.flags,
        )
    return Trace(packet, decision, denied, (denied and syslog.message(denied)) or "")


def described(packet: Packet) -> str:
    """A packet in a line."""
    opening = packet.opening
    if opening.protocol in (TCP, UDP):
        ends = (
            f"{opening.source}/{opening.source_port} to "
            f"{opening.destination}/{opening.destination_port}"
        )
    else:
        ends = f"{opening.source} to {opening.destination}"
    if opening.protocol == ICMP:
        name = _ICMP_NAMES.get(opening.icmp_type, str(opening.icmp_type))
        ends += f" (type {name}, code {packet.flags & 0xFF})"
    return f"{protocol_name(opening.protocol)} {ends}"


def protocol_name(protocol: int) -> str:
    """A protocol as a rule names it."""
    return str(_PROTOCOL_NAMES.get(protocol, protocol))


def text(each: Trace, source: Source) -> Iterator[str]:
    """The lines that tell what became of a packet.

    Args:
        each: the packet.
        source: the rule file.
    """
    for number, step in enumerate(each.decision.steps, 1):
        kind, subtype = _type(each, step, source)
        yield f"Phase: {number}"
        yield f"Type: {kind}"
        yield f"Subtype: {subtype}"
        yield f"Result: {'DROP' if step.denial else 'ALLOW'}"
        yield "Config:"
        yield from _lines(each, step, source)
        yield "Additional Information:"
        yield from _information(each, step, source)
        yield ""
    yield "Result:"
    for way, end in zip(("input", "output"), each.ends, strict=True):
        interface = source.interface(end.interface)
        if interface:
            yield f"{way}-interface: {interface.name}"
            yield f"{way}-status: {_status(interface)}"
            yield f"{way}-line-status: {'down' if interface.shutdown else 'up'}"
    yield f"Action: {'drop' if each.denied else 'allow'}"
    if each.denied:
        yield f"Drop-reason: {each.reason}"
    if each.message:
        yield f"Message: {printable(each.message)}"


def _status(interface: Interface) -> str:
    return "administratively down" if interface.shutdown else "up"


def _type(each: Trace, step: Step, source: Source) -> tuple[str, str]:
    inspection = each.decision.admission.inspection
    if step.phase is Phase.TRANSLATION and source.is_of_objects:
        if step.denial is Denial.ASYMMETRIC:
            return "NAT", "rpf-check"
        return "NAT", _kind(source.quote(step.place)) if step.place else ""
    if step.phase is Phase.TRANSLATION:
        _, server = each.ends
        line = source.quote(step.place)
        subtype = ("static" if line.startswith(("static", "alias")) else "dynamic") if line else ""
        return ("NAT" if _real(server) == _mapped(server) else "UN-NAT"), subtype
    if step.phase is Phase.FIXUP and inspection:
        return "INSPECT", "inspect-esmtp" if inspection.modern_messages else "inspect-smtp"
    helped = each.decision.helped
    if step.phase is Phase.HELPER and helped:
        return "INSPECT", f"inspect-{helped.helped.words.replace(' ', '-')}"
    return _TYPES.get(step.phase, (step.phase.value.upper().replace(" ", "-"), ""))


def _lines(each: Trace, step: Step, source: Source) -> Iterator[str]:
    if step.phase in (Phase.ACCESS_LIST, Phase.ACCESS_LIST_OUT):
        admission = each.decision.admission
        out = step.phase is Phase.ACCESS_LIST_OUT
        interface = (admission.server if out else admission.client).interface
        for group in source.configuration.access_groups:
            bound = group.interface in (interface, "") and group.out == out
            if bound and group.place != step.place and _is_of(step, group, source):
                yield source.quote(group.place)
    for named in source.configuration.objects:
        if isinstance(named, NetworkObject) and named.nat and named.nat.place == step.place:
            yield printable(named.heading)
    if step.place:
        yield source.quote(step.place)
    if step.phase in _IMPLICIT and (step.place is None or _is_group(step, source)):
        yield "Implicit Rule"


def _kind(line: str) -> str:
    """Whether a `nat` of 8.3 and later is static or dynamic."""
    return "dynamic" if "dynamic" in line.split()[:5] else "static"


def _is_of(step: Step, group: AccessGroup, source: Source) -> bool:
    """Whether a line of the list that a group binds decided."""
    return any(
        rule.place == step.place
        for each in source.configuration.access_lists
        if each.name == group.access_list
        for rule in each.rules
    )


def _is_group(step: Step, source: Source) -> bool:
    """Whether no line of a list decided, but the end of the list."""
    return any(group.place == step.place for group in source.configuration.access_groups)


def _information(each: Trace, step: Step, source: Source) -> Iterator[str]:
    yield f"{step.place}: {printable(step.why)}" if step.place else printable(step.why)
    client, server = each.ends
    if step.phase is Phase.UNTRANSLATION and not step.denial:
        yield f"NAT divert to egress interface {server.interface}"
        yield f"Untranslate {_mapped(server)} to {_real(server)}"
    elif step.phase is Phase.TRANSLATION and not step.denial and source.is_of_objects:
        if step.place:
            kind = _kind(source.quote(step.place)).capitalize()
            yield f"{kind} translate {_real(client)} to {_mapped(client)}"
    elif step.phase is Phase.TRANSLATION and not step.denial:
        if _mapped(server) != _real(server):
            yield f"Untranslate {_mapped(server)} to {_real(server)}"
        if _mapped(client) != _real(client):
            yield f"Translate {_real(client)} to {_mapped(client)}"


def _real(end: Endpoint) -> str:
    return f"{end.address}/{end.port}"


def _mapped(end: Endpoint) -> str:
    return f"{end.mapped}/{end.mapped_port}"


def as_object(each: Trace, source: Source) -> dict[str, object]:
    """The same as an object for JSON.

    Args:
        each: the packet.
        source: the rule file.
    """
    admission = each.decision.admission
    number = {"number": each.number} if each.number else {}
    return {
        **number,
        "packet": packet_object(each.packet),
        "phases": [
            {
                "type": _type(each, step, source)[0],
                "subtype": _type(each, step, source)[1],
                "phase": step.phase.value,
                "result": "drop" if step.denial else "allow",
                "config": list(_lines(each, step, source)),
                "file": step.place.file if step.place else "",
                "line": step.place.line if step.place else 0,
                "why": step.why,
            }
            for step in each.decision.steps
        ],
        "action": "drop" if each.denied else "allow",
        "reason": each.reason,
        "message": each.message,
        "client": end_object(admission.client),
        "server": end_object(admission.server),
        "inspected": admission.inspection.name if admission.inspection else "",
        "helped": each.decision.helped.helped.words if each.decision.helped else "",
    }


def packet_object(packet: Packet) -> dict[str, object]:
    """A packet as an object for JSON."""
    opening = packet.opening
    ports: dict[str, int] = {}
    icmp: dict[str, int] = {}
    if opening.protocol in (TCP, UDP):
        ports = {
            "source_port": opening.source_port,
            "destination_port": opening.destination_port,
        }
    if opening.protocol == ICMP:
        icmp = {"type": opening.icmp_type, "code": packet.flags & 0xFF}
    return {
        "input": opening.ingress,
        "protocol": protocol_name(opening.protocol),
        "source": str(opening.source),
        "destination": str(opening.destination),
        **ports,
        **icmp,
    }


def end_object(end: Endpoint) -> dict[str, object]:
    """An end as an object for JSON."""
    return {
        "interface": end.interface,
        "address": str(end.address),
        "port": end.port,
        "mapped": str(end.mapped),
        "mapped_port": end.mapped_port,
    }
