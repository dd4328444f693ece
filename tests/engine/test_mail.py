"""Whole dialogues through the engine, as a release of 5.1 to 6.3 forwards them."""

from __future__ import annotations

import pytest

from appliance.events import Closing, ConnectionBuilt, ConnectionClosed, Inspected, Kind
from tests.engine.feeding import PLAIN, Case, Turn, client, every_way, feed, line, server
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

SESSION = (
    server(GREETING, MASKED),
    client(b"EHLO client.example\r\n", b"XXXX client.example\r\n"),
    server(b"500 5.3.3 Unrecognized command\r\n"),
    client(b"HELO client.example\r\n"),
    server(b"250-mail.acme.com\r\n250 Hello\r\n"),
    client(b"MAIL FROM:<a@client.example>\r\n"),
    server(b"250 ok\r\n"),
    client(b"rcpt to:<b@acme.com>\r\n"),
    server(b"250 ok\r\n"),
    client(b"data\r\n"),
    server(b"354 Start mail input\r\n"),
    client(b"Subject: VRFY\r\n\r\nVRFY root\r\n..\r\n.\n.\r.\r\nEHLO x\r\n.\r\n"),
    server(b"250 queued\r\n"),
    client(b"VRFY root\r\n", b"XXXX root\r\n"),
    server(b"500 what\r\n"),
    client(b"goodmorning\r\n", b"XXXXXXXXXXX\r\n"),
    server(b"500 what\r\n"),
    client(b"\r\n"),
    server(b"500 what\r\n"),
    client(b"QUIT\r\n"),
    server(b"221 bye\r\n"),
)


def dialogue(name: str, *turns: Turn) -> Case:
    """A case behind a greeting."""
    return Case(name, (server(PLAIN), *turns))


def mail(name: str, *turns: Turn) -> Case:
    """A case behind the server's 354; a blocked line follows it."""
    last = (client(b"VRFY\r\n", b"XXXX\r\n"), server(b"500 what\r\n"))
    data = (client(b"DATA\r\n"), server(b"354 go\r\n"))
    return Case(name, (server(PLAIN), *data, *turns, *last))


OK = server(b"250 ok\r\n")
WHAT = server(b"500 what\r\n")

DIALOGUES = [
    Case("session", SESSION),
    dialogue(
        "commands pipelined in one turn",
        client(
            b"HELO x\r\nMAIL FROM:<a@b>\r\nSIZE\r\nRCPT TO:<c@d>\r\nDATA\r\n",
            b"HELO x\r\nMAIL FROM:<a@b>\r\nXXXX\r\nRCPT TO:<c@d>\r\nDATA\r\n",
        ),
        server(b"250 x\r\n250 ok\r\n500 no\r\n250 ok\r\n354 go\r\n"),
        client(b"VRFY\r\n.\r\nVRFY root\r\nQUIT\r\n", b"VRFY\r\n.\r\nXXXX root\r\nQUIT\r\n"),
        server(b"250 ok\r\n500 what\r\n221 bye\r\n"),
    ),
    dialogue(
        "no mail begins with a DATA that is refused",
        client(b"DATA\r\n"),
        server(b"503-no\r\n503 recipients\r\n"),
        client(b"VRFY root\r\n", b"XXXX root\r\n"),
        WHAT,
        client(b".\r\n", b"X\r\n"),
        WHAT,
    ),
    dialogue(
        "no mail begins with a 354 to no DATA",
        client(b"NOOP\r\n"),
        server(b"354 go\r\n"),
        client(b"VRFY root\r\n", b"XXXX root\r\n"),
        WHAT,
    ),
    dialogue(
        "a 354 is the oldest DATA's",
        client(b"RSET\r\nDATA\r\n"),
        server(b"354 the reply to RSET never came\r\n"),
        client(b"VRFY\r\n.\r\nVRFY\r\n", b"VRFY\r\n.\r\nXXXX\r\n"),
        server(b"250 ok\r\n500 what\r\n"),
    ),
    dialogue(
        "two mails",
        client(b"DATA\r\n"),
        server(b"354 go\r\n"),
        client(b"EHLO x\r\n.\r\nRSET\r\nDATA\r\n"),
        server(b"250 ok\r\n250 ok\r\n354 go\r\n"),
        client(b".\r\nEHLO x\r\n", b".\r\nXXXX x\r\n"),
        server(b"250 ok\r\n500 what\r\n"),
    ),
    dialogue(
        "what looks like a greeting or a mail's beginning in the middle of a reply",
        client(b"HELO x\r\n"),
        server(b"250-220 mail 2\r\n250-354 go\r\n250 220 mail 2\r\n"),
        client(b"EHLO x\r\n", b"XXXX x\r\n"),
        server(b"220 mail 2\r\n"),
        client(b"DATA2\r\n", b"XXXXX\r\n", b"DATAX\r\n"),
        WHAT,
    ),
    dialogue(
        "a server that speaks unasked",
        server(b"250 for nobody\r\n"),
        client(b"VRFY x\r\n", b"XXXX x\r\n"),
        server(b"421 4.3.2 closing\r\n"),
        client(b"VRFY x\r\nNOOP\r\n", b"XXXX x\r\nNOOP\r\n"),
        server(b"221 bye\r\n"),
    ),
    dialogue(
        "bytes behind QUIT",
        client(b"QUIT\r\n"),
        server(b"221 bye\r\n"),
        client(b"VRFY x\r\nEHLO y\r\n", b"XXXX x\r\nXXXX y\r\n"),
        server(b"500 what\r\n500 what\r\n"),
    ),
    dialogue(
        "AUTH, stripped",
        client(b"AUTH LOGIN\r\n", b"XXXX LOGIN\r\n"),
        server(b"334 VXNlcm5hbWU6\r\n"),
        client(b"VRFY\r\n", b"XXXX\r\n"),
        WHAT,
    ),
    mail("a mail of one dot", client(b".\r\n"), OK),
    mail("an empty line", client(b"\r\n.\r\n"), OK),
    mail("dots", client(b"..\r\n.x\r\n...\r\nx.\r\n. \r\n.\r\n"), OK),
    mail("bytes that no command may hold", client(b"\0\xff|<>\r\r\n\n\n\0.\r\n.\r\n"), OK),
    mail(
        "a reply in a mail does not end it",
        client(b"x\r\nVRFY\r\n"),
        server(b"421 4.4.2 timeout\r\n"),
        client(b"VRFY\r\n.\r\n"),
        OK,
    ),
    *(
        mail(f"{ascii(end)[2:-1]} is text", client(b"text" + end + b"VRFY\r\n.\r\n"), OK)
        for end in (b"\n.\n", b"\n.\r\n", b"\r\n.\n", b"\r.\r", b"\r.\r\n", b"\n\r.\r\n")
    ),
]

LINES = [
    line(b"HELO\r\n", b"XXXX\r\n", b"HELO\r\n"),  # smtpscan, test T2: the code of an unknown verb
    line(b"HELO \r\n"),
    line(b"MAIL\r\n", b"XXXX\r\n", b"MAIL\r\n"),
    line(b"RCPT\r\n", b"XXXX\r\n", b"RCPT\r\n"),
    line(b"DATA\r\n"),
    line(b"noop\r\n"),
    line(b"QuIt\r\n"),
    line(b"HELOX me\r\n", b"XXXXX me\r\n", b"HELOX XX\r\n"),
    line(b"HEL me\r\n", b"XXX me\r\n", b"HEL XX\r\n"),
    line(b"R\r\n", b"X\r\n", b"R\r\n"),
    line(b"DATUM\r\n", b"XXXXX\r\n", b"DATXX\r\n"),
    line(b"STARTTLS\r\n", b"XXXXXXXX\r\n"),
    line(b" NOOP\r\n", b" XXXX\r\n"),
    line(b"\tNOOP x\r\n", b"XXXXX x\r\n"),
    line(b"NOOP\tx y\r\n", b"XXXXXX y\r\n", b"NOOPXX X\r\n"),
    line(b"NO\xd6P x\r\n", b"XXXX X\r\n", b"NOXX X\r\n"),
    line(b"\xd6OOP x\r\n", b"XXXX X\r\n"),
    line(b"VRF\xd6 x\r\n", b"XXXX X\r\n"),
    line(b"NO\0P x\r\n", b"XXXX X\r\n", b"NOXX X\r\n"),
    line(b"\0\r\n", b"X\r\n"),
    line(b"NOOP x\0y z\r\n", b"NOOP xXX X\r\n"),
    line(b"NOOP\0\r\n", b"XXXXX\r\n", b"NOOPX\r\n"),
    line(b"NOOP\nVRFY root\r\n", b"XXXX\nXXXX XXXX\r\n", b"NOOP\nXXXX XXXX\r\n"),
    line(b"NOOP x\nVRFY root\r\nNOOP\r\n", b"NOOP x\nXXXX XXXX\r\nNOOP\r\n"),
    line(b"NOOP\rVRFY root\r\nNOOP\r\n", b"NOOP\rXXXX XXXX\r\nNOOP\r\n"),
    line(b"VRFY a\nVRFY\r\n", b"XXXX a\nXXXX\r\n"),
    line(b"VRFY\rNOOP a\r\n", b"XXXX\rXXXX X\r\n"),
    line(b"DATA\n.\nVRFY\r\n", b"XXXX\nX\nXXXX\r\n", b"DATA\nX\nXXXX\r\n"),
    line(b"NOOP\r\r\nNOOP\r\n"),
    line(b"NOOP a\n\r\nVRFY\r\n", b"NOOP a\n\r\nXXXX\r\n"),
    line(b"\nVRFY\r\n", b"\nXXXX\r\n"),
    line(b"\rVRFY\r\n", b"\rXXXX\r\n"),
    line(b"\r\n"),
    line(b"\r\n\r\nVRFY\r\n\r\n", b"\r\n\r\nXXXX\r\n\r\n"),
    line(b"  \r\n"),
    line(b"MAIL FROM:<a|b@c>\r\n", b"MAIL FROM:<a b@c>\r\n"),
    line(b"MAIL FROM:<<a@b>>\r\n", b"MAIL FROM:< a@b> \r\n"),
    line(b"MAIL FROM:a>b\r\n", b"MAIL FROM:a b\r\n"),
    line(b"MAIL FROM:<> SIZE=1 |x<y>\r\n", b"MAIL FROM:<> SIZE=1  x y \r\n"),
    line(b"RCPT TO:<a@b\r\n"),
    line(b"RCPT TO:<|>\r\nRCPT TO:<b>\r\n", b"RCPT TO:< >\r\nRCPT TO:<b>\r\n"),
    line(b"rcpt to:<a|b>\nRCPT TO:<c|d>\r\n", b"rcpt to:<a b>\nXXXX XXXXXXXX\r\n"),
    line(b"HELO a|b<c>>\r\n"),
    line(b"VRFY a|b<c>>\r\n", b"XXXX a|b<c>>\r\n"),
]


@every_way([*DIALOGUES, *LINES])
def test_dialogue(case, pace, cut, stream):
    feed(case, pace, cut, stream)


def test_events_of_a_session():
    wire = Wire().handshake()
    for turn in SESSION:
        (wire.client if turn.from_client else wire.server)(turn.sent)
    assert wire.kinds() == [
        Kind.GREETING_MASKED,
        Kind.COMMAND_BLOCKED,
        Kind.COMMAND_BLOCKED,
        Kind.COMMAND_BLOCKED,
    ]
    greeting, ehlo, *_ = [event for event in wire.events if isinstance(event, Inspected)]
    assert (greeting.original, greeting.rewritten) == (GREETING, MASKED)
    assert (ehlo.offset, ehlo.original[:4], ehlo.rewritten[:4]) == (0, b"EHLO", b"XXXX")


def test_354_without_data_is_unexpected():
    wire = Wire().handshake()
    wire.server(b"220 x\r\n")
    wire.client(b"NOOP\r\n")
    wire.server(b"354 go\r\n")
    assert Kind.UNEXPECTED_REPLY in wire.kinds()


@pytest.mark.parametrize("end", [b".\r\n", b"x\r\n.\r\n"], ids=["first line", "later line"])
def test_end_of_data_in_three_segments(end):
    for first in range(1, len(end)):
        for second in range(first + 1, len(end)):
            wire = Wire().handshake()
            wire.server(b"220 x\r\n")
            wire.client(b"DATA\r\n")
            wire.server(b"354 go\r\n")
            for piece in (end[:first], end[first:second], end[second:]):
                wire.client(piece)
            wire.client(b"VRFY\r\n")
            assert wire.received(True) == b"DATA\r\n" + end + b"XXXX\r\n"


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
