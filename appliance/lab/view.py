"""What the two ends of a connection sent and received, side by side."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby, zip_longest

from rich.box import ASCII
from rich.console import Console, Group, RenderableType
from rich.table import Column, Table
from rich.text import Text

from appliance.events import Direction
from appliance.replay.transcript import Conversation, Transcript

WIDTH = 100
"""Columns of plain text."""

LONGEST = 80
"""Lines of a conversation that are shown; a mail with a picture has thousands."""

FRAME = 12
"""Columns that the frame and the arrows take."""

MASKED = "bold red"


@dataclass(frozen=True, slots=True)
class Row:
    """A line that one end sent, and what the other received in its place.

    Args:
        direction: which way it went.
        sent: the line as it was sent, without CRLF; None if only the other end knows of it.
        received: the line as it was received; None if it was not.
    """

    direction: Direction
    sent: bytes | None
    received: bytes | None

    @property
    def edited(self) -> bool:
        """Whether it was changed in passing."""
        return self.sent != self.received

    @property
    def at_client(self) -> bytes | None:
        """The line as the client knows it."""
        return self.sent if self.direction is Direction.TO_SERVER else self.received

    @property
    def at_server(self) -> bytes | None:
        """The line as the server knows it."""
        return self.received if self.direction is Direction.TO_SERVER else self.sent


@dataclass(frozen=True, slots=True)
class Exchange:
    """One connection, seen at both ends.

    Args:
        client: as seen where the client is.
        server: as seen where the server is; None if nothing of it came there.
    """

    client: Conversation
    server: Conversation | None

    def rows(self) -> tuple[Row, ...]:
        """The dialogue line by line, in the order in which the client saw it."""
        if self.server is None:
            return ()
        order = [
            (turn.direction, line)
            for turn in self.client.turns()
            for line in turn.data.splitlines(keepends=True)
        ]
        # Edits keep sizes, so a line stands at the same place of the stream at both ends.
        others = {
            Direction.TO_SERVER: self.server.to_server.data,
            Direction.TO_CLIENT: self.server.to_client.data,
        }
        at = dict.fromkeys(Direction, 0)
        rows = []
        for direction, line in order:
            start = at[direction]
            at[direction] += len(line)
            here = _bare(line)
            there = _bare(others[direction][start : at[direction]]) or (here and None)
            sent, received = (here, there) if direction is Direction.TO_SERVER else (there, here)
            rows.append(Row(direction, sent, received))
        for direction in Direction:  # what the server alone knows of
            for line in others[direction][at[direction] :].splitlines(keepends=True):
                known = _bare(line)
                came = direction is Direction.TO_SERVER
                rows.append(Row(direction, None if came else known, known if came else None))
        return tuple(rows)


def exchanges(near: Transcript, far: Transcript) -> tuple[Exchange, ...]:
    """Put together what was seen of connections at their two ends.

    Args:
        near: what was seen where the client is.
        far: what was seen where the server is.

    Returns:
        the connections that were opened at the near end, in the order in which they began.
    """
    left = list(far.conversations)
    found = []
    for conversation in near.conversations:
        # Translation changes addresses and keeps ports.
        ports = (conversation.client.port, conversation.server.port)
        match = next((o for o in left if (o.client.port, o.server.port) == ports), None)
        if match is not None:
            left.remove(match)
        found.append(Exchange(conversation, match))
    return tuple(found)


def show_exchange(console: Console, title: str, exchange: Exchange) -> None:
    """Print a connection, and under it every line that was edited in full.

    Args:
        console: where to.
        title: what it is about.
        exchange: the connection.
    """
    server = exchange.server.server if exchange.server else "server"
    width = max((console.width - FRAME) // 2, 20)
    table = Table(
        Column(f"client {exchange.client.client}", width=width, no_wrap=True),
        Column(width=2),
        Column(f"server {server}", width=width, no_wrap=True),
        box=ASCII,
    )
    rows = exchange.rows()
    for row in rows[:LONGEST]:
        arrow = ">" if row.direction is Direction.TO_SERVER else "<"
        arrow += "*" if row.edited else " "
        left, right = (_folded(_cell(row, data), width) for data in (row.at_client, row.at_server))
        table.add_row(left, arrow, right)
    parts: list[RenderableType] = [Text(title, style="bold"), table]
    if len(rows) > LONGEST:
        parts.append(Text(f"... and {len(rows) - LONGEST} more lines"))
    console.print(Group(*parts))
    edited = tuple(row for row in rows if row.edited)
    if edited:
        console.print("Edited in passing, in full:")
        for row in edited[:LONGEST]:
            for line in _in_full(row, console.is_terminal):
                console.print(Text("  ") + line, soft_wrap=True)
    console.print()


def _in_full(row: Row, coloured: bool) -> Iterator[Text]:
    to_server = row.direction is Direction.TO_SERVER
    sender, receiver = ("client sent", "server got") if to_server else ("server sent", "client got")
    yield Text(f"{sender}  ") + escaped(row.sent)
    yield Text(f"{receiver:<{len(sender)}}  ") + _cell(row, row.received)
    if not coloured and row.sent and row.received:
        marks = "".join(
            "^" * len(_escape(new)) if old != new else " " * len(_escape(new))
            for old, new in zip(row.sent, row.received, strict=False)
        )
        yield Text(" " * (len(sender) + 2) + marks.rstrip())


def _folded(text: Text, width: int) -> Text:
    """A text in lines of equal length, so that what was sent and received stays aligned."""
    return Text("\n").join(text.divide(range(width, len(text), width)))


def _cell(row: Row, data: bytes | None) -> Text:
    """A line as one end knows it, what was edited in it coloured at the end that received it."""
    if data is None:
        return Text("(nothing)", style="dim")
    if data is not row.received or row.sent is None:
        return escaped(data)
    cell = Text()
    marked = zip_longest(data, row.sent[: len(data)])
    for kept, run in groupby(marked, lambda pair: pair[0] == pair[1]):
        text = "".join(_escape(byte) for byte, _ in run)
        cell.append(text, None if kept else MASKED)
    return cell


def escaped(data: bytes | None) -> Text:
    """Bytes as text that does nothing to a terminal.

    Args:
        data: the bytes; None for what is not there.
    """
    return Text("(nothing)" if data is None else "".join(map(_escape, data)))


def _escape(byte: int) -> str:
    return chr(byte) if 0x20 <= byte < 0x7F else f"\\x{byte:02x}"


def _bare(line: bytes) -> bytes:
    return line.removesuffix(b"\n").removesuffix(b"\r")
