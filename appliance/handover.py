"""Connections written down by one process and taken up by another.

The form is a pickle of the engine's own objects, read by an unpickler that knows these classes and
no others, and only if they have the same layout as where it was written; why, says
docs/decisions/handover.md.
"""

from __future__ import annotations

import hashlib
import io
import pickle
from collections.abc import Iterable
from dataclasses import fields, is_dataclass
from enum import Enum
from ipaddress import IPv4Address
from typing import Any

from appliance.attributes import attribute_names
from appliance.errors import PixguardError
from appliance.events import Closing, Endpoint, Flow, Kind, Phase, Report
from appliance.flows import AnyFlow, Key
from appliance.packet.segment import Segment
from appliance.smtp import (
    address,
    command,
    dialogue,
    ehlo,
    envelope,
    esmtp_map,
    greeting,
    header,
    line,
    mail,
    matching,
    message,
    observation,
    parameter,
    reading,
    release,
    reply,
)
from appliance.smtp.esmtp_map import EsmtpMap
from appliance.smtp.expression import Expression
from appliance.smtp.inspector import Inspector
from appliance.smtp.ruling import Refusal, Remark
from appliance.smtp.tally import MapTally, Tally
from appliance.tcp.connection import Connection
from appliance.tcp.own import OwnPacket, OwnPackets
from appliance.tcp.room import Room
from appliance.tcp.stream import Held, Piece, Stream
from appliance.tcp.timeouts import Idle
from appliance.tcp.uninspected import Uninspected

_CLASSES: tuple[type, ...] = (
    IPv4Address,
    Closing,
    Connection,
    Endpoint,
    Flow,
    Held,
    Idle,
    Inspector,
    Kind,
    OwnPacket,
    OwnPackets,
    Phase,
    Piece,
    Refusal,
    Remark,
    Segment,
    Stream,
    Uninspected,
    address.Path,
    command.Commands,
    command.Position,
    dialogue.Dialogue,
    dialogue.Due,
    dialogue.Phase,
    ehlo.EhloMask,
    envelope.Envelope,
    esmtp_map.Act,
    esmtp_map.Action,
    esmtp_map.Criterion,
    esmtp_map.EsmtpClass,
    esmtp_map.EsmtpMap,
    esmtp_map.Relay,
    esmtp_map.Row,
    esmtp_map.Subject,
    Expression,
    greeting.GreetingMask,
    header._Continued,
    header._Line,
    header._Reader,
    header.Header,
    line.Lines,
    mail.Mail,
    matching.Matching,
    message._Level,
    message.Message,
    message.View,
    observation.Gauge,
    observation.Observation,
    parameter._Part,
    parameter.Found,
    parameter.Parameters,
    reading.Reading,
    release.Addresses,
    release.Blocked,
    release.Bug,
    release.ConnectionMessages,
    release.Extensions,
    release.Greeting,
    release.Release,
    release.ShortSegment,
    reply.Replies,
)
"""All that a connection consists of, but for plain values."""

_REPORT, _ROOM, _TALLY = "report", "room", "tally"
"""What connections share and find anew in another process."""

_TITLE = b"pixguard connections"


def write(flows: Iterable[tuple[Key, AnyFlow]], report: Report) -> bytes:
    """Write down flows, with all that is known of them.

    Args:
        flows: the flows, each with the key of its client's packets.
        report: what is called with their events.
    """
    out = io.BytesIO()
    _Pickler(out, report).dump(list(flows))
    body = out.getvalue()
    return b"%s %s %s\n%s" % (_TITLE, _layout(), _digest(body), body)


def read(text: bytes, report: Report, room: Room, tally: Tally) -> list[tuple[Key, AnyFlow]]:
    """Take up flows that `write` wrote down.

    Args:
        text: what it wrote.
        report: is called with their events from now on.
        room: what they take of memory is counted here from now on.
        tally: what inspection maps match in them is counted here from now on.

    Raises:
        PixguardError: it is not whole, or an engine of another make wrote it.
    """
    head, _, body = text.partition(b"\n")
    if head.split()[:-2] != _TITLE.split():
        raise PixguardError("not connections that were handed over")
    layout, digest = head.split()[-2:]
    if digest != _digest(body):
        raise PixguardError("the connections handed over are not whole")
    if layout != _layout():
        raise PixguardError("the connections handed over are of an engine of another make")
    try:
        flows: list[tuple[Key, AnyFlow]] = _Unpickler(io.BytesIO(body), report, room, tally).load()
        for _, flow in flows:
            if isinstance(flow, Connection):
                flow.take_room()
    except Exception as error:
        raise PixguardError(f"the connections handed over make no sense: {error}") from error
    return flows


class _Pickler(pickle.Pickler):
    def __init__(self, file: io.BytesIO, report: Report) -> None:
        super().__init__(file, pickle.HIGHEST_PROTOCOL)
        self._report = report

    def persistent_id(self, obj: object) -> object:
        if obj is self._report:
            return _REPORT
        if isinstance(obj, MapTally):
            return _TALLY, obj.esmtp_map
        return _ROOM if isinstance(obj, Room) else None

    def reducer_override(self, obj: object) -> Any:
        kind = type(obj)
        if isinstance(obj, Enum):
            return kind, (obj.value,)  # some versions of Python call getattr for it
        if kind in _CLASSES and is_dataclass(kind):
            # Compiled or not, a frozen one takes its values from its constructor alone.
            return kind, tuple(getattr(obj, each.name) for each in fields(kind) if each.init)
        return NotImplemented


class _Unpickler(pickle.Unpickler):
    def __init__(self, file: io.BytesIO, report: Report, room: Room, tally: Tally) -> None:
        super().__init__(file)
        self._shared = {_REPORT: report, _ROOM: room}
        self._tally = tally
        self._known = {(each.__module__, each.__qualname__): each for each in _CLASSES}

    def persistent_load(self, pid: str | tuple[str, EsmtpMap]) -> object:
        return self._shared[pid] if isinstance(pid, str) else self._tally.of(pid[1])

    def find_class(self, module: str, name: str) -> type:
        if (module, name) not in self._known:
            raise pickle.UnpicklingError(f"{module}.{name} is no part of a connection")
        return self._known[module, name]


def _digest(body: bytes) -> bytes:
    return hashlib.sha256(body).hexdigest().encode()


def _layout() -> bytes:
    """What the classes have, so that another version is known by it."""
    return _digest("\n".join(f"{each.__qualname__} {_parts(each)}" for each in _CLASSES).encode())


def _parts(of: type) -> list[str]:
    if issubclass(of, Enum):
        return [f"{member.name}={member.value}" for member in of]
    if is_dataclass(of):
        return [field.name for field in fields(of)]
    return sorted(attribute_names(of))
