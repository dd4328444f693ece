"""What each release does to greetings, commands and replies.

What people published of it is in `tests.examples`.
"""

from __future__ import annotations

import pytest

from appliance.events import Closing, ConnectionClosed, Inspected, Kind
from appliance.smtp.release import (
    RELEASES,
    Blocked,
    Bug,
    ShortSegment,
    choose,
    find,
    historic_bugs,
)
from appliance.verdict import DROP
from tests.engine.feeding import (
    PLAIN,
    ROWS,
    Case,
    Turn,
    client,
    every_way,
    feed,
    greeted,
    line,
    said,
    server,
)
from tests.wire import RST, Wire

SAME_GREETING = {
    "4.0": ["4.0", "4.1", "4.2", "4.3"],
    "4.4": ["4.4", "5.0"],
    "5.1": ["5.1", "5.2", "5.3", "6.0", "6.1", "6.2", "6.3", "fwsm-3"],
    "7.0": ["7.0", "7.1", "7.2", "8.0", "8.4", "9.x"],
}


SEVEN = [b"HELO x", b"MAIL FROM:<a@b>", b"RCPT TO:<a@b>", b"RSET", b"NOOP", b"QUIT", b"DATA"]
EIGHT = [
    b"EHLO x",
    b"ETRN x",
    b"HELP",
    b"SAML FROM:<a>",
    b"SEND FROM:<a>",
    b"SOML FROM:<a>",
    b"VRFY x",
    b"AUTH PLAIN x",
]
OTHERS = [
    b"ATRN",
    b"ONEX",
    b"VERB",
    b"EXPN list",
    b"TURN",
    b"BDAT 4 LAST",
    b"STARTTLS",
    b"XEXCH50 1 2",
    b"X-LINK2STATE FIRST CHUNK={0}",
    b"goodmorning",
]


@pytest.mark.parametrize("name", RELEASES)
def test_verbs_let_through(name):
    release = RELEASES[name]
    through = SEVEN + (EIGHT if release.ehlo_keywords else [])
    blocked = OTHERS + ([] if release.ehlo_keywords else EIGHT)
    for verb in through:
        assert said(greeted(name), True, verb + b"\r\n") == verb + b"\r\n"
        assert said(greeted(name), True, verb.lower() + b"\r\n") == verb.lower() + b"\r\n"
    for command in blocked:
        arrived = said(greeted(name), True, command + b"\r\n")
        verb, blank, rest = command.partition(b" ")
        match release.blocked:
            case Blocked.MASK:
                assert arrived == b"X" * len(verb) + blank + rest + b"\r\n"
            case Blocked.NOOP:
                assert arrived == b"NOOP".ljust(len(command)) + b"\r\n"
            case Blocked.ANSWER_OK:
                assert arrived == b""


@pytest.mark.parametrize("name", RELEASES)
def test_helo_without_a_blank(name):
    """smtpscan's T2: 500 behind 5.0 to 6.3, the server's own code behind the others."""
    blocked = name in ("5.0", *SAME_GREETING["5.1"], "fwsm-2")
    arrived = said(greeted(name), True, b"HELO\r\n")
    assert (arrived != b"HELO\r\n") is blocked


@pytest.mark.parametrize(
    ("action", "line", "arrives"),
    [
        (Blocked.MASK, b"VRFY root\r\n", b"XXXX root\r\n"),
        (Blocked.MASK_LINE, b"VRFY root\r\n", b"XXXXXXXXX\r\n"),
        (Blocked.MASK_LINE, b" VRFY\r\n", b"XXXXX\r\n"),
        (Blocked.NOOP, b"VRFY root\r\n", b"NOOP     \r\n"),
        (Blocked.NOOP, b"VRFY\r\n", b"NOOP\r\n"),
        (Blocked.NOOP, b"WIZ\r\n", b"XXX\r\n"),
        (Blocked.NOOP, b"AB cd\r\n", b"NOOP \r\n"),
        (Blocked.NOOP, b"NOOP\nVRFY x\r\n", b"NOOP\n      \r\n"),
        (Blocked.ANSWER_OK, b"VRFY root\r\n", b""),
        (Blocked.ANSWER_500, b"VRFY root\r\n", b""),
    ],
)
def test_actions(action, line, arrives):
    wire = greeted("6.3", blocked=action)
    assert said(wire, True, line) == arrives
    answer = {Blocked.ANSWER_OK: b"250 OK\r\n", Blocked.ANSWER_500: b"500 Command unrecognized\r\n"}
    assert wire.received(False)[7:] == answer.get(action, b"")
    assert said(wire, True, b"NOOP\r\n") == b"NOOP\r\n"


def test_character_mode():
    """Cisco 113423: `HELO` typed reaches the server behind an ASA as `XXXX`."""
    assert (
        said(greeted("7.0"), True, *(b"HELO me\r\n"[i : i + 1] for i in range(9))) == b"XXXX me\r\n"
    )
    wire = greeted("6.3")
    assert said(wire, True, b"H", b"E", b"L", b"O", b" ") == b""
    for name in RELEASES:
        wire = greeted(name, short_segment=ShortSegment.STREAM)
        typed = [b"HELO me\r\n"[i : i + 1] for i in range(9)]
        assert said(wire, True, *typed) == b"HELO me\r\n"


def test_reply_to_ehlo_cut_into_segments():
    wire = greeted("8.4")
    wire.client(b"EHLO me\r\n")
    # The letter needs the line's CR in its segment; a keyword's beginning that has gone stays.
    assert said(
        wire, False, b"250-h\r\n250-STAR", b"TTLS", b"\r\n250-DELIVERBY\r\n250 DSN\r\n"
    ) == (b"250-h\r\n250-SXXXXXXX\r\n250-XXXXXXXXB\r\n250 DSN\r\n")


def test_letters_go_round():
    wire = greeted("8.4")
    wire.client(b"EHLO me\r\n")
    reply = b"250-h\r\n" + b"250-XYZZY\r\n" * 27 + b"250 XYZZY\r\n"
    letters = bytes(line[-1] for line in said(wire, False, reply).split(b"\r\n")[1:-1])
    assert letters == b"ABCDEFGHIJKLMNOPQRSTUVWXYZAB"


@pytest.mark.parametrize("name", RELEASES)
def test_special_characters_in_addresses(name):
    wire = greeted(name)
    line = b"MAIL FROM:<a|b@c>\r\n"
    if name in ("7.0", "7.1"):
        assert said(wire, True, line) == b""
        *_, refused, dropped, closed = wire.events
        assert isinstance(refused, Inspected)
        assert (refused.kind, refused.detail) == (Kind.ADDRESS_REFUSED, "<a|b@c>")
        assert isinstance(dropped, Inspected)
        assert dropped.kind is Kind.CONNECTION_DROPPED
        assert isinstance(closed, ConnectionClosed)
        assert closed.closing is Closing.DROPPED
        assert wire.client(b"NOOP\r\n") is DROP
    elif RELEASES[name].ehlo_keywords:
        assert said(wire, True, line) == line
    else:
        assert said(wire, True, line) == b"MAIL FROM:<a b@c>\r\n"


OK = server(b"250 ok\r\n")
WHAT = server(b"500 what\r\n")
LAST = (client(b"NOOP x\r\n"), OK)
TWO_LINES = b"220-first line 2002\r\n220 second 20 line\r\n"
OTHER_CODE = b"554-no 220 mail 0\r\n554 here 2\r\n"


def greeting(release: str, sent: bytes, arrives: bytes) -> Case:
    """A case of a greeting; one that comes again is a reply like any other."""
    again = (client(b"NOOP\r\n"), server(sent))
    return Case(f"greets {ascii(sent)[2:-1]}", (server(sent, arrives), *again, *LAST), release)


GREETINGS_CUT = [
    *(greeting(name, OTHER_CODE, OTHER_CODE) for name in ROWS),
    *(
        greeting(name, TWO_LINES, b"220-SMTP/cmap ready\r\n220 SMTP/cmap read\r\n")
        for name in ("4.0", "4.2")
    ),
    *(
        greeting(name, TWO_LINES, b"220-" + b"*" * 15 + b"\r\n" + b"*" * 18 + b"\r\n")
        for name in ("4.4", "5.0")
    ),
    *(
        greeting(name, TWO_LINES, b"220-***********2002\r\n220 *******20 ****\r\n")
        for name in ("5.1", "6.3", "fwsm-3")
    ),
    *(
        greeting(name, TWO_LINES, b"220-" + b"*" * 15 + b"\r\n220 " + b"*" * 14 + b"\r\n")
        for name in ("7.0", "7.2", "9.x")
    ),
    greeting("fwsm-2", TWO_LINES, TWO_LINES),
    greeting("6.3", b"220 a\r\n", b"220 *\r\n"),
    greeting("6.3", b"220\r\n", b"220\r\n"),
    greeting("6.3", b"220 mx 0 \r\n", b"220 ***0 \r\n"),
    greeting("7.0", b"220 a\r\n", b"220 *\r\n"),
]

SEVEN_PASS = [line + b"\r\n" for line in SEVEN] + [
    b"mail from:<a@b>\r\n",
    b"Quit\r\n",
    b"rset x\r\n",
]
MASKED_BEFORE_ESMTP = {
    # what is sent, what arrives, what arrives under `segmentation: stream`
    b"EHLO x\r\n": (b"XXXX x\r\n", None),
    b"vrfy root\r\n": (b"XXXX root\r\n", None),
    b"ETRN @h\r\n": (b"XXXX @h\r\n", None),
    b"AUTH PLAIN x\r\n": (b"XXXX PLAIN x\r\n", None),
    b"HELP\r\n": (b"XXXX\r\n", b"HELX\r\n"),
    b"STARTTLS\r\n": (b"XXXXXXXX\r\n", None),
    b"BDAT 9 LAST\r\nEXPN x\r\nQUIT\r\n": (b"XXXX 9 LAST\r\nXXXX x\r\nQUIT\r\n", None),
    b"DEBUG\r\n": (b"XXXXX\r\n", b"DXXXX\r\n"),
}
ESMTP_PASS = [line + b"\r\n" for line in EIGHT] + [b"etrn @h\r\n", b"HELO\r\n", b"vrfy\r\n"]
MASKED_BY_ESMTP = {
    b"EXPN list\r\n": (b"XXXX list\r\n", b"EXXX XXXX\r\n"),
    b"STARTTLS\r\n": (b"XXXXXXXX\r\n", b"SXXXXXXX\r\n"),
    b"ATRN x\r\n": (b"XXXX x\r\n", b"AXXX X\r\n"),
    b"TURN\r\n": (b"XXXX\r\n", None),
    b"BDAT 9 LAST\r\nEXPN x\r\nQUIT\r\n": (
        b"XXXX 9 LAST\r\nXXXX x\r\nQUIT\r\n",
        b"XXXX 9 LAST\r\nEXXX X\r\nQUIT\r\n",
    ),
    b"X-LINK2STATE FIRST CHUNK={0}\r\n": (b"XXXXXXXXXXXX FIRST CHUNK={0}\r\n", None),
    b"EHLOX me\r\n": (b"XXXXX me\r\n", b"EHLOX XX\r\n"),
    b"EHLO\nEXPN x\r\n": (b"XXXX\nXXXX X\r\n", b"EHLO\nXXXX X\r\n"),
    b"RCPT TO:<a>\rSEND x\r\n": (b"RCPT TO:<a>\rXXXX X\r\n", None),
    b"S\xc4ND x\r\n": (b"XXXX X\r\n", b"SXXX X\r\n"),
}
BY_NOOP = {
    b"VRFY root\r\n": (b"NOOP     \r\n", None),
    b"STARTTLS\r\n": (b"NOOP    \r\n", None),
    b"AB cd\r\n": (b"NOOP \r\n", None),
    b"WIZ\r\n": (b"XXX\r\n", b"NOO\r\n"),  # in a stream its end is not in sight
    b" NOOP\r\n": (b"NOOP \r\n", None),
    b"HELO\r\n": (b"NOOP\r\n", b"HELO\r\n"),
    b"HELOX me\r\n": (b"NOOP    \r\n", b"HELOX XX\r\n"),
    b"NOOP\nVRFY x\r\n": (b"NOOP\n      \r\n", b"NOOP\nXXXX X\r\n"),
    b"VRFY\nVRFY x\r\n": (b"NOOP\n      \r\n", None),
    b"VRFY \0a\rb\r\n": (b"NOOP   \r \r\n", None),
    b"NOOP a\nVRFY\r\n": (b"NOOP a\nXXXX\r\n", None),
}
BY_MASK_LINE = {
    b"VRFY root\r\n": (b"XXXXXXXXX\r\n", None),
    b" VRFY\r\n": (b"XXXXX\r\n", None),
    b"HELOX me\r\n": (b"XXXXXXXX\r\n", b"HELOXXXX\r\n"),
    b"HEL me\r\n": (b"XXXXXX\r\n", b"HELXXX\r\n"),
    b"NOOP a\nVRFY x\r\n": (b"NOOP a\nXXXXXX\r\n", None),
    b"VRFY a\nb c\r\n": (b"XXXXXX\nXXX\r\n", None),
}

BLOCKED_VERBS = [
    *(line(sent, release=name) for name in ("4.2", "4.4", "5.1", "fwsm-3") for sent in SEVEN_PASS),
    *(line(sent, release=name) for name in ("7.0", "9.x") for sent in SEVEN_PASS + ESMTP_PASS),
    *(line(sent, release="fwsm-2") for sent in SEVEN_PASS),
    *(
        line(sent, *arrives, release=name)
        for name in ("4.2", "5.0", "6.3")
        for sent, arrives in MASKED_BEFORE_ESMTP.items()
    ),
    *(
        line(sent, *arrives, release=name)
        for name in ("7.0", "8.4")
        for sent, arrives in MASKED_BY_ESMTP.items()
    ),
    *(line(sent, *arrives, release="fwsm-2") for sent, arrives in BY_NOOP.items()),
    *(
        line(sent, *arrives, release="6.3", blocked=Blocked.MASK_LINE)
        for sent, arrives in BY_MASK_LINE.items()
    ),
    line(
        b"EXPN a b\r\n", b"XXXXXXXX\r\n", b"EXXXXXXX\r\n", release="8.4", blocked=Blocked.MASK_LINE
    ),
    line(b"EXPN a b\r\n", b"NOOP    \r\n", b"EXXX X X\r\n", release="8.4", blocked=Blocked.NOOP),
    *(line(b"HELO\r\n", release=name) for name in ("4.2", "4.4", "7.0", "7.2")),
    *(
        line(b"HELO\r\nrcpt\r\n", b"XXXX\r\nXXXX\r\n", b"HELO\r\nrcpt\r\n", release=name)
        for name in ("5.0", "5.1", "fwsm-3")
    ),
]

ADDRESSES = [
    *(
        line(b"MAIL FROM:<a|b<c>> <\r\n", b"MAIL FROM:<a b c>   \r\n", release=name)
        for name in ("4.2", "5.0", "fwsm-2")
    ),
    line(b"MAIL FROM:<a|b<c>> <\r\n", release="7.2"),
    line(b"RCPT TO:<a@b> X=1\r\n", release="7.0"),
    *(
        Case(
            f"{stray.decode()} in an address",
            (server(PLAIN), client(b"NOOP\r\nMAIL FROM:<a@b>" + stray + b"c\r\n", b"NOOP\r\n")),
            "7.0",
            cut_shows=True,
        )
        for stray in (b"|", b"<", b">")
    ),
]


def dialogue(name: str, *turns: Turn, release: str = "8.4", **traits: object) -> Case:
    """A case behind a greeting, and a NOOP behind it."""
    return Case(name, (server(PLAIN), *turns, *LAST), release, **traits)  # type: ignore[arg-type]


EXPN = client(b"EXPN x\r\n", b"XXXX x\r\n", b"EXXX X\r\n")
USERNAME = server(b"334 VXNlcm5hbWU6\r\n")
PASSWORD = server(b"334 UGFzc3dvcmQ6\r\n")
EHLO = client(b"EHLO me\r\n")
MADE_OF_KNOWN = (
    b"250-mx Hello [x]\r\n250-SIZE 10240000\r\n250-8bitmime\r\n250-AUTH=LOGIN\r\n"
    b"250-AUTH LOGIN PLAIN\r\n250-ETRN\r\n250 DSN\r\n"
)

ESMTP = [
    dialogue(
        "AUTH LOGIN",
        client(b"AUTH LOGIN\r\n"),
        USERNAME,
        client(b"BDAT\r\n"),
        PASSWORD,
        client(b"EXPN \0 \n|\r\n"),
        server(b"235 ok\r\n"),
        EXPN,
        WHAT,
    ),
    dialogue(
        "AUTH with all in one line",
        client(b"auth PLAIN AGEAYg==\r\n"),
        server(b"235-ok\r\n235 ok\r\n"),
        EXPN,
        WHAT,
    ),
    dialogue("AUTH refused", client(b"AUTH LOGIN\r\n"), server(b"504 no\r\n"), EXPN, WHAT),
    dialogue(
        "AUTH cancelled",
        client(b"AUTH LOGIN\r\n"),
        USERNAME,
        client(b"*\r\n"),
        server(b"501 ok\r\n"),
        EXPN,
        WHAT,
    ),
    dialogue(
        "AUTH with an empty answer",
        client(b"AUTH LOGIN\r\n"),
        USERNAME,
        client(b"\r\n"),
        server(b"501 ok\r\n"),
        EXPN,
        WHAT,
    ),
    dialogue("334 to no AUTH", client(b"NOOP\r\n"), USERNAME, EXPN, WHAT),
    dialogue(
        "one line for a 334",
        client(b"AUTH LOGIN\r\n"),
        USERNAME,
        client(b"dnJmeQ==\r\nEXPN x\r\n", b"dnJmeQ==\r\nXXXX x\r\n", b"dnJmeQ==\r\nEXXX X\r\n"),
        server(b"535 no\r\n500 what\r\n"),
    ),
    dialogue(
        "the line behind AUTH is what the server takes for the answer",
        client(b"AUTH LOGIN\r\nNOOP\r\n"),
        USERNAME,
        EXPN,
        server(b"535 no\r\n500 what\r\n"),
    ),
    dialogue("a reply to EHLO with nothing to mask", EHLO, server(MADE_OF_KNOWN)),
    dialogue(
        "a reply to EHLO",
        EHLO,
        server(
            b"250-mx HELP\r\n250-SIZE 1\r\n250-STARTTLS\r\n250-DSNX\r\n250-CHUNKING 2\r\n250 X\r\n",
            b"250-mx HELP\r\n250-SIZE 1\r\n250-XXXXXXXA\r\n250-XXXB\r\n250-XXXXXXXXXC\r\n250 D\r\n",
        ),
        cut_shows=True,
    ),
    dialogue(
        "replies to EHLO, counted anew, and to what is none",
        EHLO,
        server(b"250-mx\r\n250 X\r\n", b"250-mx\r\n250 A\r\n"),
        client(b"ehlo me\r\n"),
        server(b"250-mx\r\n250-SIZ\r\n250 VERB\r\n", b"250-mx\r\n250-XXA\r\n250 XXXB\r\n"),
        client(b"HELP\r\n"),
        server(b"250-HELP\r\n250 STARTTLS\r\n"),
        cut_shows=True,
    ),
    dialogue("EHLO refused", EHLO, server(b"502-HELP\r\n502 STARTTLS\r\n"), EXPN, WHAT),
    dialogue("ETRN", client(b"ETRN h\r\n"), server(b"253 pending\r\n"), EXPN, WHAT),
    dialogue(
        "STARTTLS hidden",
        client(b"STARTTLS\r\n", b"XXXXXXXX\r\n", b"SXXXXXXX\r\n"),
        server(b"220 go\r\n"),
        EXPN,
        WHAT,
    ),
    dialogue(
        "STARTTLS",
        client(b"STARTTLS\r\n"),
        server(b"220 go\r\n"),
        client(b"\x16\x03\x01EXPN x\r\n\0"),
        server(b"\x16\x03220 STARTTLS\r\n"),
        client(b"EXPN x\r\nH"),
        server(b"354 go\r\n"),
        tls=True,
    ),
    dialogue(
        "STARTTLS refused", client(b"starttls\r\n"), server(b"454 no\r\n"), EXPN, WHAT, tls=True
    ),
    dialogue(
        "STARTTLS in a reply to EHLO",
        EHLO,
        server(b"250-h\r\n250-STARTTLS\r\n250 HELP\r\n", b"250-h\r\n250-STARTTLS\r\n250 XXXA\r\n"),
        tls=True,
        cut_shows=True,
    ),
    dialogue(
        "mail",
        client(b"MAIL FROM:<a|b> AUTH=<>\r\nDATA\r\n"),
        server(b"250 ok\r\n354 go\r\n"),
        client(
            b"EXPN x\r\n.\r\nRSET\r\nEXPN x\r\n",
            b"EXPN x\r\n.\r\nRSET\r\nXXXX x\r\n",
            b"EXPN x\r\n.\r\nRSET\r\nEXXX X\r\n",
        ),
        server(b"250 ok\r\n250 ok\r\n500 what\r\n"),
    ),
]


def in_mail(name: str, *turns: Turn, release: str = "6.3", **traits: object) -> Case:
    """A case behind the server's 354."""
    data = (client(b"DATA\r\n"), server(b"354 go\r\n"))
    return dialogue(name, *data, *turns, release=release, **traits)


SPLIT = frozenset({Bug.SPLIT_TERMINATOR})
BEFORE_REPLY = frozenset({Bug.DATA_BEFORE_REPLY})

FAULTS = [
    # Microsoft KB 295725: where the dot and its CRLF part, the rest never arrives. Postfix's
    # workaround: the whole of .CRLF in a packet of its own.
    in_mail(
        "split-terminator", client(b"text\r\n.\r\n"), OK, release="5.1", bugs=SPLIT, cut_shows=True
    ),
    in_mail("the same without the fault", client(b"text\r\n.\r\n"), OK, release="5.1"),
    # CVE-2000-1022.
    dialogue(
        "data-before-reply",
        client(b"DATA\r\nEXPN x\r\n"),
        server(b"503 no\r\n"),
        client(b"VRFY x\r\n.\r\nVRFY x\r\n", b"VRFY x\r\n.\r\nXXXX x\r\n"),
        server(b"500 what\r\n500 what\r\n500 what\r\n"),
        release="5.1",
        bugs=BEFORE_REPLY,
    ),
    in_mail(
        "data-before-reply, believed",
        client(b"VRFY\r\n.\r\nVRFY\r\n", b"VRFY\r\n.\r\nXXXX\r\n"),
        server(b"250 ok\r\n500 what\r\n"),
        release="5.1",
        bugs=BEFORE_REPLY,
    ),
    *(
        Case(
            f"smuggling by {ascii(end)[2:-1]}",
            (
                server(PLAIN),
                client(b"DATA\r\n"),
                server(b"354 go\r\n"),
                client(b"text" + end, arrives),
            ),
            resets=True,
            cut_shows=True,
        )
        for end, arrives in {
            b"\n.\n": b"",
            b"\n.\r\n": b"",
            b"\r\n.\n": b"text\r\n",
            b"\r.\r": b"",
        }.items()
    ),
    in_mail("no smuggling", client(b"a\r\n..\r\n\n..\r\n.\r\n"), OK, resets=True),
]


@every_way([*GREETINGS_CUT, *BLOCKED_VERBS, *ADDRESSES, *ESMTP, *FAULTS])
def test_case(case, pace, cut, stream):
    feed(case, pace, cut, stream)


def test_smuggling_reset_is_told():
    wire = greeted("6.3", resets_smuggling=True)
    wire.client(b"DATA\r\n")
    wire.server(b"354 go\r\n")
    assert wire.client(b"text\n.\n") is not DROP
    assert [seen.flags & RST for seen in wire.seen[-2:]] == [RST, RST]
    assert Kind.CONNECTION_RESET in wire.kinds()
    assert wire.client(b"x") is DROP


def test_starttls_is_told():
    wire = Wire(RELEASES["8.4"].allowing_tls()).handshake()
    wire.server(PLAIN)
    wire.client(b"STARTTLS\r\n")
    wire.server(b"220 go\r\n")
    assert Kind.OPAQUE in wire.kinds()


def test_answer_to_auth_that_began_before_it_was_asked_for():
    wire = greeted("8.4")
    wire.client(b"AUTH LOGIN\r\nNOOP foo")
    wire.server(b"334 x\r\n")
    assert said(wire, True, b"bar\r\nEXPN x\r\n") == b"bar\r\nXXXX x\r\n"


@pytest.mark.parametrize(
    ("name", "bugs"),
    [
        ("4.0", {Bug.DATA_BEFORE_REPLY}),
        ("4.4(6)", {Bug.DATA_BEFORE_REPLY, Bug.SPLIT_TERMINATOR}),
        ("4.4(7)", {Bug.SPLIT_TERMINATOR}),
        ("5.1(3)", {Bug.DATA_BEFORE_REPLY, Bug.SPLIT_TERMINATOR}),
        ("5.1(4)", {Bug.SPLIT_TERMINATOR}),
        ("5.2(2)", {Bug.DATA_BEFORE_REPLY}),
        ("5.2(3)", set()),
        ("5.2(5)", {Bug.DATA_BEFORE_REPLY}),
        ("6.0(1)", {Bug.DATA_BEFORE_REPLY}),
        ("6.3(5)", set()),
        ("8.4", set()),
        ("fwsm-2", set()),
    ],
)
def test_historic_bugs(name, bugs):
    assert historic_bugs(name) == bugs


@pytest.mark.parametrize(
    ("name", "row"),
    [
        ("6.3(5)", "6.3"),
        ("9.12(4)", "9.x"),
        ("8.4", "8.4"),
        ("4.2(3)207", "4.2"),
        ("3.1", None),
        ("x", None),
    ],
)
def test_names_of_releases(name, row):
    found = find(name)
    assert (found.name if found else None) == row


def test_choice_of_release():
    assert choose(None, None).name == "6.3"
    assert choose(None, "8.4").name == "8.4"
