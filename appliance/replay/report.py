"""What a replay tells: a summary as text, and each connection as a line of JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from ipaddress import IPv4Address

from appliance.errors import printable
from appliance.events import AccessListHit, Inspected
from appliance.replay.connections import Connection, Noted
from appliance.replay.passage import Tally
from appliance.replay.transcript import MAX_STREAM
from appliance.smtp.tally import MapTally

_MAX_SHOWN = 64
"""Bytes shown of a piece of mail in the text; the JSON has all."""


def json_line(connection: Connection) -> str:
    """A connection as one JSON object in printable ASCII; bytes are code points 0 to 255.

    Args:
        connection: the connection.
    """
    shape = {
        "client": str(connection.client),
        "server": str(connection.server),
        "release": connection.release,
        "permitted": connection.permitted,
        "to_server": connection.received.to_server.data.decode("latin-1"),
        "to_client": connection.received.to_client.data.decode("latin-1"),
        "from_client": connection.sent.to_server.data.decode("latin-1"),
        "from_server": connection.sent.to_client.data.decode("latin-1"),
        "events": [
            {
                "time": noted.event.time,
                "kind": noted.event.kind.value,
                "direction": noted.event.direction.value,
                "offset": noted.event.offset,
                "original": noted.event.original.decode("latin-1"),
                "rewritten": noted.event.rewritten.decode("latin-1"),
                "message": noted.message,
            }
            for noted in connection.events
            if isinstance(noted.event, Inspected)
        ],
        "closed": connection.closing.value,
    }
    # DEL is the one control character that JSON leaves as it is.
    return json.dumps(shape).replace("\x7f", "\\u007f")


def matched(maps: Iterable[MapTally]) -> Iterator[str]:
    """The lines that tell what inspection maps have matched, as a device prints them.

    Args:
        maps: the counters of each.
    """
    for each in maps:
        yield from (f"  {line}" for line in each.lines())


def summary(
    name: str, unreliable: frozenset[bytes], tally: Tally, connections: list[Connection]
) -> Iterator[str]:
    """The lines that tell what became of a capture.

    Args:
        name: what the capture is called.
        unreliable: senders, as four bytes, whose checksums were not looked at.
        tally: its packets.
        connections: its connections, in order.
    """
    dropped = sum(tally.dropped.values())
    counts = [f"{_count(tally.read, 'packet')} read", f"{tally.forwarded} forwarded"]
    if tally.edited:
        counts[-1] += f" ({tally.edited} edited)"
    if tally.held or tally.released:
        counts.append(f"{tally.held} held back, {tally.released} released")
    counts.append(f"{dropped} dropped")
    yield f"{printable(name)}: {', '.join(counts)}; {_count(len(connections), 'connection')}"
    for sender in sorted(unreliable):
        yield f"  checksums of {IPv4Address(sender)} are not looked at: most of them are wrong"
    width = len(str(max(tally.dropped.values(), default=0)))
    for reason, count in sorted(tally.dropped.items()):
        yield f"  dropped {count:>{width}}  {printable(reason)}"
    yield from _connections(connections)


def _connections(connections: list[Connection]) -> Iterator[str]:
    rows = [
        (
            str(number),
            f"{connection.client} > {connection.server}",
            _standing(connection),
            connection.closing.value,
            f"{connection.duration:.3f} s",
            f"{connection.octets} bytes",
        )
        for number, connection in enumerate(connections, 1)
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row, connection in zip(rows, connections, strict=True):
        number, ends, standing, closing, duration, octets = row
        yield (
            f"{number:>{widths[0]}}  {ends:<{widths[1]}}  {standing:<{widths[2]}}  "
            f"{closing:<{widths[3]}}  {duration:>{widths[4]}}  {octets:>{widths[5]}}"
        )
        for noted in connection.events:
            yield from _event(noted, connection.began)


def _standing(connection: Connection) -> str:
    if not connection.permitted:
        return "denied"
    standing = f"inspected as {connection.release}" if connection.release else "not inspected"
    if len(connection.seen) == 1:
        standing += ", one side only"
    if any(stream.truncated for stream in connection.streams):
        standing += f", cut at {MAX_STREAM >> 20} MiB in the JSON"
    return standing


def _event(noted: Noted, began: float) -> Iterator[str]:
    event = noted.event
    line = f"    {event.time - began:>9.3f} s"
    if isinstance(event, Inspected):
        line += f"  {event.direction.value:<9}  {event.kind.value:<26}  {event.offset:>6}"
        if event.original:
            line += f"  {_quoted(event.original)}"
        if event.rewritten:
            line += f" -> {_quoted(event.rewritten)}"
        if event.detail:
            line += f"  ({printable(event.detail)})"
    elif isinstance(event, AccessListHit):
        line += "  logged"
    else:
        line += "  denied"
    yield line
    if noted.message:
        yield f"                 {printable(noted.message)}"


def _quoted(data: bytes) -> str:
    """Bytes as ASCII between quotes, anything else than printable characters escaped."""
    shown = ascii(data[:_MAX_SHOWN].decode("latin-1"))
    return f"{shown}..." if len(data) > _MAX_SHOWN else shown


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("" if number == 1 else "s")
