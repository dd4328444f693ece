"""Two ends of a connection put side by side."""

from __future__ import annotations

import io
import struct
from ipaddress import IPv4Address

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from appliance.events import Direction
from appliance.lab.view import Row, exchanges, show_exchange
from appliance.replay.transcript import Transcript

CLIENT, SERVER, MAPPED = "203.0.113.10", "10.1.1.5", "203.0.113.5"


class Talk:
    """Packets of one connection as one tap sees them."""

    def __init__(self, client: str, server: str, port: int = 4000) -> None:
        self._ends = {True: (client, port), False: (server, 25)}
        self._next = {True: 100, False: 900}
        self.transcript = Transcript()
        self._send(True, b"", 0x02)
        self._send(False, b"", 0x12)

    def _send(self, from_client: bool, payload: bytes, flags: int = 0x18) -> None:
        (source, sport), (destination, dport) = self._ends[from_client], self._ends[not from_client]
        numbers = self._next[from_client], self._next[not from_client]
        tcp = struct.pack("!HHIIBBHHH", sport, dport, *numbers, 0x50, flags, 9000, 0, 0)
        addresses = IPv4Address(source).packed + IPv4Address(destination).packed
        head = struct.pack("!BBHHHBBH", 0x45, 0, 40 + len(payload), 0, 0, 64, 6, 0)
        self.transcript.add(head + addresses + tcp + payload, 0.0)
        self._next[from_client] += len(payload) + bool(flags & 2)

    def client(self, payload: bytes) -> None:
        self._send(True, payload)

    def server(self, payload: bytes) -> None:
        self._send(False, payload)


def printed(near: Transcript, far: Transcript, terminal: bool = False) -> str:
    output = io.StringIO()
    console = Console(
        file=output,
        width=100,
        force_terminal=terminal,
        highlight=False,
        markup=False,
        # Or TERM, NO_COLOR and their like decide.
        color_system="standard" if terminal else None,
        no_color=False,
    )
    for exchange in exchanges(near, far):
        show_exchange(console, "Title", exchange)
    return output.getvalue()


def test_lines_that_were_edited_stand_beside_what_they_were() -> None:
    near, far = Talk(CLIENT, MAPPED), Talk(CLIENT, SERVER)
    near.server(b"220 ***\r\n")
    far.server(b"220 abc\r\n")
    near.client(b"EHLO me\r\n")
    far.client(b"XXXX me\r\n")
    (exchange,) = exchanges(near.transcript, far.transcript)
    assert exchange.rows() == (
        Row(Direction.TO_CLIENT, sent=b"220 abc", received=b"220 ***"),
        Row(Direction.TO_SERVER, sent=b"EHLO me", received=b"XXXX me"),
    )
    assert all(row.edited for row in exchange.rows())


def test_the_order_is_that_of_the_dialogue() -> None:
    near, far = Talk(CLIENT, MAPPED), Talk(CLIENT, SERVER)
    for side in (near, far):
        side.server(b"220 a\r\n220-b\r\n")
        side.client(b"HELO c\r\n")
        side.server(b"250 d\r\n")
    (exchange,) = exchanges(near.transcript, far.transcript)
    assert [row.sent for row in exchange.rows()] == [b"220 a", b"220-b", b"HELO c", b"250 d"]


def test_lines_that_one_end_alone_knows_are_shown_as_such() -> None:
    near, far = Talk(CLIENT, MAPPED), Talk(CLIENT, SERVER)
    near.client(b"NOOP\r\n")
    far.server(b"421 bye\r\n")
    (exchange,) = exchanges(near.transcript, far.transcript)
    assert exchange.rows() == (
        Row(Direction.TO_SERVER, sent=b"NOOP", received=None),
        Row(Direction.TO_CLIENT, sent=b"421 bye", received=None),
    )
    assert "(nothing)" in printed(near.transcript, far.transcript)


def test_a_connection_that_reached_nobody_has_no_rows() -> None:
    near = Talk(CLIENT, MAPPED)
    (exchange,) = exchanges(near.transcript, Transcript())
    assert exchange.server is None
    assert exchange.rows() == ()


def test_two_connections_from_one_port_are_kept_apart() -> None:
    near, far = Transcript(), Transcript()
    for transcript, server in ((near, MAPPED), (far, SERVER)):
        for port, text in ((4000, b"first\r\n"), (4001, b"second\r\n")):
            talk = Talk(CLIENT, server, port)
            talk.client(text)
            transcript.conversations += talk.transcript.conversations
    assert [each.rows()[0].received for each in exchanges(near, far)] == [b"first", b"second"]


def test_plain_text_has_long_lines_whole_and_carets_under_what_changed() -> None:
    near, far = Talk(CLIENT, MAPPED), Talk(CLIENT, SERVER)
    near.server(b"220 " + b"*" * 150 + b"2\r\n")
    far.server(b"220 " + b"a" * 150 + b"2\r\n")
    text = printed(near.transcript, far.transcript)
    assert "220 " + "*" * 150 + "2\n" in text
    lines = text.splitlines()
    (at,) = (number for number, line in enumerate(lines) if line.startswith("  client got"))
    assert lines[at + 1] == " " * lines[at].index("*") + "^" * 150
    table = [line for line in lines if line.startswith(("|", "+"))]
    assert {len(line) for line in table} == {100}
    assert "\x1b" not in text


@pytest.mark.parametrize(("name", "value"), [("TERM", "dumb"), ("NO_COLOR", "1"), ("TERM", "")])
def test_a_terminal_gets_colour(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    near, far = Talk(CLIENT, MAPPED), Talk(CLIENT, SERVER)
    near.client(b"VRFY a\r\n")
    far.client(b"XXXX a\r\n")
    assert "\x1b[1;31mXXXX" in printed(near.transcript, far.transcript, terminal=True)


@given(st.binary(min_size=1, max_size=300), st.binary(min_size=1, max_size=300))
def test_no_bytes_reach_the_terminal_raw(one: bytes, other: bytes) -> None:
    near, far = Talk(CLIENT, MAPPED), Talk(CLIENT, SERVER)
    near.client(one)
    far.client(other)
    near.server(other)
    text = printed(near.transcript, far.transcript)
    assert all(" " <= character <= "~" or character == "\n" for character in text)


@pytest.mark.parametrize("lines", [80, 81, 500])
def test_long_conversations_are_cut_and_say_so(lines: int) -> None:
    near, far = Talk(CLIENT, MAPPED), Talk(CLIENT, SERVER)
    for side in (near, far):
        side.client(b"".join(b"line %d\r\n" % number for number in range(lines)))
    text = printed(near.transcript, far.transcript)
    assert ("more lines" in text) == (lines > 80)
