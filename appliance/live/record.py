"""An event as the fields of a JSON object, for programs that read the log."""

from __future__ import annotations

from typing import TypeAlias

from appliance.events import (
    AccessListHit,
    Closing,
    ConnectionBuilt,
    ConnectionClosed,
    Denial,
    DeniedFlowsFull,
    Endpoint,
    Event,
    Fault,
    Flow,
    Inspected,
    Kind,
    PacketDenied,
)
from appliance.live.framing import Message

Record: TypeAlias = dict[str, str | int | float]

Source: TypeAlias = Closing | Denial | Kind | int | type[Event]
"""What decides which message an event draws, while release and rule file are the same."""

_LOG_ON = (b"AUTH", b"X-EXPS")
"""Verbs behind which a password may stand (RFC 4954, section 4; Exchange's own)."""

_KINDS = {
    ConnectionBuilt: "connection-built",
    ConnectionClosed: "connection-closed",
    PacketDenied: "packet-denied",
    AccessListHit: "access-list-hit",
    DeniedFlowsFull: "denied-flows-full",
    Fault: "fault",
}


def kind(event: Event) -> str:
    """What kind of event it is, one word.

    Args:
        event: the event.
    """
    return event.kind.value if isinstance(event, Inspected) else _KINDS[type(event)]


def source(event: Event) -> Source:
    """What decides which message an event draws.

    Args:
        event: the event.
    """
    match event:
        case Inspected():
            return event.kind
        case PacketDenied(quiet=False):
            return event.reason
        case AccessListHit():
            return event.level
        case ConnectionClosed():
            return event.closing
        case _:
            return type(event)


def record(event: Event, message: Message | None) -> Record:
    """An event's fields; those that it does not have are absent.

    Args:
        event: the event.
        message: the message that it draws, None if it draws none.
    """
    fields: Record = {"time": event.time, "kind": kind(event)}
    match event:
        case ConnectionBuilt():
            fields |= _flow(event.flow)
        case ConnectionClosed():
            fields |= _flow(event.flow)
            fields |= {
                "closed": event.closing.value,
                "duration": event.duration,
                "octets": event.octets,
            }
        case Fault():
            fields |= _flow(event.flow)
        case PacketDenied():
            fields |= {
                "protocol": event.protocol,
                "source": _end(event.source),
                "destination": _end(event.destination),
            }
        case AccessListHit():
            fields |= {
                "access-list": event.access_list,
                "permitted": event.permitted,
                "protocol": event.protocol,
                "source": _end(event.source),
                "destination": f"{event.destination.mapped}:{event.destination.mapped_port}",
                "hits": event.hits,
                "interval": event.interval,
            }
        case DeniedFlowsFull():
            fields |= {"flows": event.most}
        case Inspected():
            fields |= _flow(event.flow)
            fields |= {
                "direction": event.direction.value,
                "offset": event.offset,
                "original": _without_secrets(event, event.original),
                "rewritten": _without_secrets(event, event.rewritten),
            }
    if message:
        fields |= {
            "severity": message.severity,
            "number": message.number,
            "message": str(message),
        }
    return fields


def _without_secrets(event: Inspected, text: bytes) -> str:
    """Bytes of a mail session as they may be kept: no passwords, and nothing out of a mail."""
    if event.kind is Kind.SEGMENT_DROPPED:
        return ""
    verb, _, _ = event.original.partition(b" ")
    if verb.upper() in _LOG_ON:
        text = text[: len(verb)]
    return text.decode("latin-1")


def _flow(flow: Flow) -> Record:
    return {
        "connection": flow.number,
        "client": _end(flow.client),
        "server": _end(flow.server),
        "release": flow.inspected,
    }


def _end(end: Endpoint) -> str:
    return f"{end.address}:{end.port}"
