"""Whole dialogues through the engine, as a release of 5.1 to 6.3 forwards them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from appliance.events import Closing, ConnectionBuilt, ConnectionClosed, Inspected, Kind
from appliance.smtp.release import DEFAULT, ShortSegment
from tests.wire import ACK, FIN, PSH, Wire

# Microsoft KB 320027, the greeting put together again: the server's line and what clients saw.
GREETING = (
    b"220 mail.acme.com Microsoft ESMTP MAIL Service, Version: 5.0.2195.4905 "
    b"ready at  Thu, 4 Apr 2002 14:33:27 -0700\r\n"
)
MASKED = (
    b"220 *******************************************************0*2******0"
    b"***********************2002*******2***0*00\r\n"
)

STREAM = replace(DEFAULT, short_segment=ShortSegment.STREAM)

# Who speaks, what is sent, what arrives.
DIALOGUE = [
    ("S", GREETING, MASKED),
    ("C", b"EHLO client.example\r\n", b"XXXX client.example\r\n"),
    ("S", b"500 5.3.3 Unrecognized command\r\n", None),
    ("C", b"HELO client.example\r\n", None),
    ("S", b"250 mail.acme.com Hello\r\n", None),
    ("C", b"MAIL FROM:<a@client.example>\r\n", None),
    ("S", b"250 ok\r\n", None),
    ("C", b"rcpt to:<b@acme.com>\r\n", None),
    ("S", b"250 ok\r\n", None),
    ("C", b"data\r\n", None),
    ("S", b"354 Start mail input\r\n", None),
    ("C", b"Subject: VRFY\r\n\r\nVRFY root\r\n..\r\n.\n.\r.\r\nEHLO x\r\n.\r\n", None),
    ("S", b"250 queued\r\n", None),
    ("C", b"VRFY root\r\n", b"XXXX root\r\n"),
    ("S", b"500 what\r\n", None),
    ("C", b"goodmorning\r\n", b"XXXXXXXXXXX\r\n"),
    ("S", b"500 what\r\n", None),
    ("C", b"\r\n", None),
    ("S", b"500 what\r\n", None),
    ("C", b"QUIT\r\n", None),
    ("S", b"221 bye\r\n", None),
]


def play(wire: Wire, dialogue) -> None:
    for who, sent, arrives in dialogue:
        from_client = who == "C"
        before = len(wire.received(from_client))
        (wire.client if from_client else wire.server)(sent)
        assert wire.received(from_client)[before:] == (sent if arrives is None else arrives)


@pytest.mark.parametrize("release", [DEFAULT, STREAM], ids=["row", "stream"])
def test_dialogue_whole_lines(release):
    wire = Wire(release).handshake()
    play(wire, DIALOGUE)
    assert wire.kinds() == [
        Kind.GREETING_MASKED,
        Kind.COMMAND_BLOCKED,
        Kind.COMMAND_BLOCKED,
        Kind.COMMAND_BLOCKED,
    ]
    greeting, ehlo, *_ = [event for event in wire.events if isinstance(event, Inspected)]
    assert (greeting.original, greeting.rewritten) == (GREETING, MASKED)
    assert (ehlo.offset, ehlo.original[:4], ehlo.rewritten[:4]) == (0, b"EHLO", b"XXXX")


def test_dialogue_byte_by_byte_under_stream():
    wire = Wire(STREAM).handshake()
    for who, sent, arrives in DIALOGUE:
        from_client = who == "C"
        before = len(wire.received(from_client))
        for index in range(len(sent)):
            (wire.client if from_client else wire.server)(sent[index : index + 1])
        assert wire.received(from_client)[before:] == (sent if arrives is None else arrives)


def test_dialogue_pipelined():
    wire = Wire().handshake()
    wire.server(GREETING)
    wire.client(b"HELO x\r\nMAIL FROM:<a@b>\r\nSIZE\r\nRCPT TO:<c@d>\r\nDATA\r\n")
    wire.server(b"250 x\r\n250 ok\r\n500 no\r\n250 ok\r\n354 go\r\n")
    wire.client(b"VRFY\r\n.\r\nVRFY root\r\nQUIT\r\n")
    assert wire.received(True).endswith(
        b"\r\nXXXX\r\nRCPT TO:<c@d>\r\nDATA\r\nVRFY\r\n.\r\nXXXX root\r\nQUIT\r\n"
    )


def test_data_phase_begins_with_354_not_with_data():
    wire = Wire().handshake()
    wire.server(b"220 x\r\n")
    wire.client(b"DATA\r\n")
    wire.server(b"503 no recipients\r\n")
    wire.client(b"VRFY root\r\n")
    assert wire.received(True) == b"DATA\r\nXXXX root\r\n"


def test_354_without_data_is_unexpected():
    wire = Wire().handshake()
    wire.server(b"220 x\r\n")
    wire.client(b"NOOP\r\n")
    wire.server(b"354 go\r\n")
    wire.client(b"VRFY root\r\n")
    assert wire.received(True) == b"NOOP\r\nXXXX root\r\n"
    assert Kind.UNEXPECTED_REPLY in wire.kinds()


def test_354_belongs_to_the_oldest_data():
    wire = Wire().handshake()
    wire.server(b"220 x\r\n")
    wire.client(b"RSET\r\nDATA\r\n")
    wire.server(b"354 go\r\n")  # the reply to RSET never came
    wire.client(b"VRFY\r\n.\r\nVRFY\r\n")
    assert wire.received(True) == b"RSET\r\nDATA\r\nVRFY\r\n.\r\nXXXX\r\n"


@pytest.mark.parametrize("end", [b".\r\n", b"x\r\n.\r\n"], ids=["first line", "later line"])
def test_end_of_data_cut_everywhere(end):
    for first in range(1, len(end)):
        for second in range(first, len(end)):
            wire = Wire().handshake()
            wire.server(b"220 x\r\n")
            wire.client(b"DATA\r\n")
            wire.server(b"354 go\r\n")
            for piece in (end[:first], end[first:second], end[second:]):
                if piece:
                    wire.client(piece)
            wire.client(b"VRFY\r\n")
            assert wire.received(True) == b"DATA\r\n" + end + b"XXXX\r\n"


@pytest.mark.parametrize("end", [b"\n.\n", b"\n.\r\n", b"\r\n.\n", b"\r.\r"])
def test_ambiguous_ends_of_data_are_text(end):
    wire = Wire().handshake()
    wire.server(b"220 x\r\n")
    wire.client(b"DATA\r\n")
    wire.server(b"354 go\r\n")
    wire.client(b"text" + end + b"VRFY\r\n.\r\nVRFY\r\n")
    assert wire.received(True) == b"DATA\r\ntext" + end + b"VRFY\r\n.\r\nXXXX\r\n"


@pytest.mark.parametrize(
    ("line", "arrives"),
    [
        (b"HELO\r\n", b"XXXX\r\n"),  # smtpscan, test T2: it draws the code of an unknown verb
        (b"HELO \r\n", b"HELO \r\n"),
        (b"MAIL\r\n", b"XXXX\r\n"),
        (b"RCPT\r\n", b"XXXX\r\n"),
        (b"DATA\r\n", b"DATA\r\n"),
        (b"noop\r\n", b"noop\r\n"),
        (b"HELOX me\r\n", b"XXXXX me\r\n"),
        (b"HEL me\r\n", b"XXX me\r\n"),
        (b"STARTTLS\r\n", b"XXXXXXXX\r\n"),
        (b" NOOP\r\n", b" XXXX\r\n"),
        (b"NOOP\tx y\r\n", b"XXXXXX y\r\n"),
        (b"NO\xd6P x\r\n", b"XXXX X\r\n"),
        (b"NO\0P x\r\n", b"XXXX X\r\n"),
        (b"NOOP x\0y z\r\n", b"NOOP xXX X\r\n"),
        (b"NOOP\nVRFY root\r\n", b"XXXX\nXXXX XXXX\r\n"),
        (b"NOOP x\nVRFY root\r\nNOOP\r\n", b"NOOP x\nXXXX XXXX\r\nNOOP\r\n"),
        (b"NOOP\rVRFY root\r\nNOOP\r\n", b"NOOP\rXXXX XXXX\r\nNOOP\r\n"),
        (b"VRFY a\nVRFY\r\n", b"XXXX a\nXXXX\r\n"),
        (b"NOOP\r\r\nNOOP\r\n", b"NOOP\r\r\nNOOP\r\n"),
        (b"\nVRFY\r\n", b"\nXXXX\r\n"),
        (b"MAIL FROM:<a|b@c>\r\n", b"MAIL FROM:<a b@c>\r\n"),
        (b"MAIL FROM:<<a@b>>\r\n", b"MAIL FROM:< a@b> \r\n"),
        (b"MAIL FROM:a>b\r\n", b"MAIL FROM:a b\r\n"),
        (b"RCPT TO:<a@b\r\n", b"RCPT TO:<a@b\r\n"),
        (b"HELO a|b<c>>\r\n", b"HELO a|b<c>>\r\n"),
    ],
)
def test_line(line, arrives):
    wire = Wire().handshake()
    wire.server(b"220 x\r\n")
    wire.client(line)
    assert wire.received(True) == arrives


def test_address_event_names_the_address():
    wire = Wire().handshake()
    wire.server(b"220 x\r\n")
    wire.client(b"MAIL FROM:<a|")
    wire.client(b"b@c>\r\n")
    (event,) = [
        e for e in wire.events if isinstance(e, Inspected) and e.kind is Kind.ADDRESS_EDITED
    ]
    assert event.detail == "<a|b@c>"
    assert (event.offset, event.original, event.rewritten) == (
        4,
        b" FROM:<a|b@c>",
        b" FROM:<a b@c>",
    )


@pytest.mark.parametrize(
    ("greeting", "arrives"),
    [
        (b"220 mx20 Mail 8.12.0 ready 10 \r\n", b"220 **20 ********2*0 *******0 \r\n"),
        (
            b"220-first line 2002\r\n220 second 20 line\r\n",
            b"220-***********2002\r\n220 *******20 ****\r\n",
        ),
        (b"554 5.7.1 no 220 here\r\n", b"554 5.7.1 no 220 here\r\n"),
        (b"421 closing\r\n", b"421 closing\r\n"),
    ],
)
def test_greeting_cut_everywhere(greeting, arrives):
    for cut in range(len(greeting)):
        wire = Wire().handshake()
        if cut:
            wire.server(greeting[:cut])
        wire.server(greeting[cut:])
        wire.client(b"NOOP\r\n")
        wire.server(b"250 this is 220 mail\r\n")
        assert wire.received(False) == arrives + b"250 this is 220 mail\r\n"


def test_character_mode_is_dropped_until_it_comes_in_one_piece():
    wire = Wire().handshake()
    wire.server(b"220 x\r\n")
    for at, byte in enumerate(b"HELO"):
        assert not wire.segment(True, at, bytes((byte,))).forward
    assert wire.segment(True, 0, b"HELO x\r\n").forward  # sent again in one piece
    assert wire.received(True) == b"HELO x\r\n"
    assert wire.kinds().count(Kind.SEGMENT_DROPPED) == 4


def test_tail_behind_a_command_is_no_short_segment():
    wire = Wire().handshake()
    wire.server(b"220 x\r\n")
    wire.client(b"NOOP\r\nMA")
    wire.client(b"IL FROM:<a@b>\r\nQ")
    wire.client(b"UIZ x\r\n")
    assert wire.received(True) == b"NOOP\r\nMAIL FROM:<a@b>\r\nQUIX X\r\n"


def test_short_new_end_of_a_retransmission_is_no_short_segment():
    wire = Wire().handshake()
    wire.server(b"220 x\r\n")
    wire.client(b"NOOP\r\n")
    wire.segment(True, 0, b"NOOP\r\nMA")  # the server may need its first part
    assert wire.received(True) == b"NOOP\r\nMA"


def test_connection_events():
    wire = Wire().handshake()
    wire.server(b"220 x\r\n")
    wire.client(b"QUIT\r\n")
    wire.server(b"221 x\r\n", flags=PSH | ACK | FIN)
    wire.client(b"", flags=ACK | FIN, ack=5000 + 1 + 14 + 1)
    wire.server(b"", flags=ACK, ack=0xFFFFFF00 + 1 + 6 + 1)
    built, *_, closed = wire.events
    assert isinstance(built, ConnectionBuilt)
    assert isinstance(closed, ConnectionClosed)
    assert (closed.closing, closed.octets) == (Closing.FIN, 20)
