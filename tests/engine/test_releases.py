"""What each release does to greetings, commands and replies.

The inputs and outputs are retyped from published examples; each names its source.
"""

from __future__ import annotations

import re
from dataclasses import replace

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
from tests.wire import RST, Wire

EXCHANGE = (
    b"220 mail.acme.com Microsoft ESMTP MAIL Service, Version: 5.0.2195.4905 "
    b"ready at  Thu, 4 Apr 2002 14:33:27 -0700\r\n"
)
"""The server's line behind the greeting that Microsoft KB 320027 prints."""

GREETINGS = {
    EXCHANGE: {
        "4.0": b"220 SMTP/cmap ready" + b"_" * 92 + b"\r\n",
        "4.4": b"220 " + b"*" * 107 + b"\r\n",
        "5.1": b"220 " + b"*" * 55 + b"0*2******0" + b"*" * 23 + b"2002*******2***0*00\r\n",
        "7.0": b"220 " + b"*" * 107 + b"\r\n",
    },
    b"220 mail2.nwtraders.msft Microsoft ESMTP Mail Service\r\n": {
        "4.0": b"220 SMTP/cmap ready" + b"_" * 34 + b"\r\n",
        "4.4": b"220 " + b"*" * 49 + b"\r\n",
        "5.1": b"220 ****2" + b"*" * 44 + b"\r\n",
        "7.0": b"220 " + b"*" * 49 + b"\r\n",
    },
    # Gordano's knowledge base prints 82 stars for these 82 characters.
    b"220 server.gordano.com NTMail (v7.00.0018/AA0000.00.b1a028f6) ready for ESMTP transfer\r\n": {
        "4.0": b"220 SMTP/cmap ready" + b"_" * 67 + b"\r\n",
        "4.4": b"220 " + b"*" * 82 + b"\r\n",
        "5.1": b"220 " + b"*" * 30 + b"00*00*****0000*00****02" + b"*" * 29 + b"\r\n",
        "7.0": b"220 " + b"*" * 82 + b"\r\n",
    },
    # zimmerman.io, 2014: 36 stars.
    b"220 metagross ESMTP Postfix (Debian/GNU)\r\n": {
        "4.0": b"220 SMTP/cmap ready" + b"_" * 21 + b"\r\n",
        "4.4": b"220 " + b"*" * 36 + b"\r\n",
        "5.1": b"220 " + b"*" * 36 + b"\r\n",
        "7.0": b"220 " + b"*" * 36 + b"\r\n",
    },
    b"220 mx20 Mail 8.12.0 ready 10 \r\n": {
        "4.0": b"220 SMTP/cmap ready" + b"_" * 11 + b"\r\n",
        "4.4": b"220 " + b"*" * 26 + b"\r\n",
        "5.1": b"220 **20 ********2*0 *******0 \r\n",
        "7.0": b"220 " + b"*" * 26 + b"\r\n",
    },
    b"220-first line 2002\r\n220 second 20 line\r\n": {
        "4.0": b"220-SMTP/cmap ready\r\n220 SMTP/cmap read\r\n",
        "4.4": b"220-" + b"*" * 15 + b"\r\n" + b"*" * 18 + b"\r\n",
        "5.1": b"220-***********2002\r\n220 *******20 ****\r\n",
        "7.0": b"220-" + b"*" * 15 + b"\r\n220 " + b"*" * 14 + b"\r\n",
    },
}

SAME_GREETING = {
    "4.0": ["4.0", "4.1", "4.2", "4.3"],
    "4.4": ["4.4", "5.0"],
    "5.1": ["5.1", "5.2", "5.3", "6.0", "6.1", "6.2", "6.3", "fwsm-3"],
    "7.0": ["7.0", "7.1", "7.2", "8.0", "8.4", "9.x"],
}


def greeted(name: str, **traits: object) -> Wire:
    """A connection whose greeting is through."""
    wire = Wire(replace(RELEASES[name], **traits)).handshake()
    wire.server(b"220 x\r\n")
    return wire


def said(wire: Wire, from_client: bool, *pieces: bytes) -> bytes:
    """What arrives of bytes that one end sends in these segments."""
    before = len(wire.received(from_client))
    for piece in pieces:
        (wire.client if from_client else wire.server)(piece)
    return wire.received(from_client)[before:]


def every_cut(text: bytes) -> list[tuple[bytes, ...]]:
    """Whole, byte by byte, and cut in two at every position."""
    cuts = [(text[:at], text[at:]) for at in range(1, len(text))]
    return [(text,), tuple(text[at : at + 1] for at in range(len(text))), *cuts]


@pytest.mark.parametrize("greeting", GREETINGS)
@pytest.mark.parametrize(
    ("style", "name"), [(style, name) for style, names in SAME_GREETING.items() for name in names]
)
def test_greeting(greeting, style, name):
    for pieces in every_cut(greeting):
        wire = Wire(RELEASES[name]).handshake()
        assert said(wire, False, *pieces) == GREETINGS[greeting][style]


def test_greeting_of_argosoft_in_two_lines_as_nmap_knows_it():
    text = b"220-ArGoSoft Mail Server Pro for WinNT/2000/XP, Version 1.8 (1.8.9.4)".ljust(93, b".")
    wire = Wire(RELEASES["8.4"]).handshake()
    seen = said(
        wire, False, text + b"\r\n220 " + b"Mon, 4 Jan 2010 10:20:30 -0800".ljust(32) + b"\r\n"
    )
    assert re.fullmatch(rb"220-\*{89}\r\n220 \*{32}\r\n", seen)


@pytest.mark.parametrize("greeting", [g for g in GREETINGS if g.count(b"\n") == 1])
def test_patterns_by_which_others_recognise_the_firewall(greeting):
    seen = {name: said(Wire(RELEASES[name]).handshake(), False, greeting) for name in RELEASES}
    for name, got in seen.items():
        text = got[4:-2]
        if name in SAME_GREETING["4.0"]:
            assert re.fullmatch(rb"SMTP/cmap ready_+", text)  # recog
            assert got.replace(b"\r\n", b"\n").strip(b"20 *\t\n")  # no PIX to Postfix
        elif name != "fwsm-2":
            assert re.match(rb"220 [*\d ]{2,300}\r\n", got)  # nmap
            assert re.fullmatch(rb"[*20 ]{1,1000}", text)  # recog
            assert not got.replace(b"\r\n", b"\n").strip(b"20 *\t\n")  # Postfix, smtp_proto.c
        else:
            assert got == greeting


def test_greeting_with_another_code_passes():
    for name in RELEASES:
        wire = Wire(RELEASES[name]).handshake()
        assert said(wire, False, b"554 no 2 mail 0 here\r\n") == b"554 no 2 mail 0 here\r\n"


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
    for line in through:
        assert said(greeted(name), True, line + b"\r\n") == line + b"\r\n"
        assert said(greeted(name), True, line.lower() + b"\r\n") == line.lower() + b"\r\n"
    for line in blocked:
        arrived = said(greeted(name), True, line + b"\r\n")
        verb, blank, rest = line.partition(b" ")
        match release.blocked:
            case Blocked.MASK:
                assert arrived == b"X" * len(verb) + blank + rest + b"\r\n"
            case Blocked.NOOP:
                assert arrived == b"NOOP".ljust(len(line)) + b"\r\n"
            case Blocked.ANSWER_OK:
                assert arrived == b""


@pytest.mark.parametrize("name", RELEASES)
def test_helo_without_a_blank(name):
    """smtpscan's T2: 500 behind 5.0 to 6.3, the server's own code behind the others."""
    blocked = name in ("5.0", *SAME_GREETING["5.1"], "fwsm-2")
    arrived = said(greeted(name), True, b"HELO\r\n")
    assert (arrived != b"HELO\r\n") is blocked


# Who printed it: the sendmail of a Go survey, Exim's FAQ Q0078, Cisco 118550 and KB 320027.
@pytest.mark.parametrize(
    ("line", "arrives"),
    [
        (b"EHLO ME\r\n", b"XXXX ME\r\n"),
        (b"EHLO\r\n", b"XXXX\r\n"),
        (b"VRFY root\r\n", b"XXXX root\r\n"),
        (b"HELP\r\n", b"XXXX\r\n"),
    ],
)
def test_what_servers_behind_a_fixup_saw(line, arrives):
    assert said(greeted("6.3"), True, line) == arrives


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


# The replies as seen, with the server's own lines put back.
EHLO_REPLIES = {
    # Ubuntu forums, 2013, sendmail
    b"250-mx Hello\r\n250-ENHANCEDSTATUSCODES\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-SIZE\r\n"
    b"250-DSN\r\n250-ETRN\r\n250-AUTH DIGEST-MD5 CRAM-MD5\r\n250-DELIVERBY\r\n250 HELP\r\n": [
        b"250-AUTH DIGEST-MD5 CRAM-MD5",
        b"250-XXXXXXXXA",
        b"250 XXXB",
    ],
    # zimmerman.io, 2014, Postfix
    b"250-metagross\r\n250-PIPELINING\r\n250-SIZE 10240000\r\n250-VRFY\r\n250-ETRN\r\n"
    b"250-STARTTLS\r\n250-ENHANCEDSTATUSCODES\r\n250-8BITMIME\r\n250 DSN\r\n": [
        b"250-XXXXXXXA",
        b"250-ENHANCEDSTATUSCODES",
        b"250-8BITMIME",
        b"250 DSN",
    ],
    # nibbler.de, 2006
    b"250-mx\r\n250-PIPELINING\r\n250-STARTTLS\r\n250 HELP\r\n": [b"250-XXXXXXXA", b"250 XXXB"],
    # nmap, 2010, ArGoSoft
    b"250-Welcome [h]\r\n250-AUTH=LOGIN\r\n250-AUTH LOGIN\r\n250-SIZE 1\r\n250-DSN\r\n"
    b"250-ETRN\r\n250 HELP\r\n": [b"250-ETRN", b"250 XXXA"],
    # Cisco 118550
    b"250-mx\r\n250-8BITMIME\r\n250-SIZE 14680064\r\n250 STARTTLS\r\n": [
        b"250-SIZE 14680064",
        b"250 XXXXXXXA",
    ],
    b"250-h\r\n250-SIZE 10485760\r\n250-STARTTLS\r\n250-X-ANONYMOUSTLS\r\n250-AUTH NTLM\r\n"
    b"250-X-EXPS GSSAPI NTLM\r\n250-8BITMIME\r\n250-BINARYMIME\r\n250-CHUNKING\r\n"
    b"250-XEXCH50\r\n250 XRDST\r\n": [
        b"250-XXXXXXXA",
        b"250-XXXXXXXXXXXXXB",
        b"250-AUTH NTLM",
        b"250-XXXXXXXXXXXXXXXXXC",
        b"250-8BITMIME",
        b"250-BINARYMIME",
        b"250-XXXXXXXD",
        b"250-XXXXXXE",
        b"250 XXXXF",
    ],
}


@pytest.mark.parametrize("reply", EHLO_REPLIES)
@pytest.mark.parametrize("name", ["7.0", "7.2", "8.4", "9.x"])
def test_reply_to_ehlo(name, reply):
    wire = greeted(name)
    wire.client(b"EHLO me\r\n")
    got = said(wire, False, reply)
    lines = reply.split(b"\r\n")
    shown = EHLO_REPLIES[reply]
    assert got.split(b"\r\n")[:1] == lines[:1]
    kept = [line for line in got.split(b"\r\n") if line in shown]
    assert kept == shown
    for sent, seen in zip(lines, got.split(b"\r\n"), strict=True):
        assert seen == sent or re.fullmatch(rb"250[ -]X*[A-Z]", seen)
        assert len(seen) == len(sent)
    # Another reply later is no reply to EHLO.
    wire.client(b"NOOP\r\n")
    assert said(wire, False, b"250-HELP\r\n250 STARTTLS\r\n") == b"250-HELP\r\n250 STARTTLS\r\n"


def test_reply_to_ehlo_with_tls_allowed():
    """GitHub notes, an ASA with `allow-tls`: `250-STARTTLS` stays, `250 HELP` is masked."""
    wire = Wire(RELEASES["8.4"].allowing_tls()).handshake()
    wire.server(b"220 x\r\n")
    wire.client(b"EHLO me\r\n")
    assert said(wire, False, b"250-h\r\n250-STARTTLS\r\n250 HELP\r\n") == (
        b"250-h\r\n250-STARTTLS\r\n250 XXXA\r\n"
    )


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


def test_refused_ehlo_is_not_masked():
    wire = greeted("8.4")
    wire.client(b"EHLO me\r\n")
    assert said(wire, False, b"502-HELP\r\n502 STARTTLS\r\n") == b"502-HELP\r\n502 STARTTLS\r\n"


def test_auth_dialogue():
    wire = greeted("8.4")
    wire.client(b"AUTH LOGIN\r\n")
    wire.server(b"334 VXNlcm5hbWU6\r\n")
    assert said(wire, True, b"dnJmeQ==\r\nVRFYX root\r\n") == b"dnJmeQ==\r\nXXXXX root\r\n"
    wire.server(b"334 UGFzc3dvcmQ6\r\n")  # for VRFYX, as the server sees it: nothing is opaque now
    wire = greeted("8.4")
    wire.client(b"AUTH LOGIN\r\n")
    wire.server(b"334 VXNlcm5hbWU6\r\n")
    assert said(wire, True, b"BDAT\r", b"\n") == b"BDAT\r\n"
    wire.server(b"334 UGFzc3dvcmQ6\r\n")
    assert said(wire, True, b"EXPN\r\n") == b"EXPN\r\n"
    wire.server(b"235 ok\r\n")
    assert said(wire, True, b"EXPN x\r\n") == b"XXXX x\r\n"


def test_334_without_auth_makes_nothing_opaque():
    wire = greeted("8.4")
    wire.client(b"NOOP\r\n")
    wire.server(b"334 x\r\n")
    assert said(wire, True, b"EXPN x\r\n") == b"XXXX x\r\n"
    assert Kind.UNEXPECTED_REPLY in wire.kinds()


def test_line_behind_auth_is_what_the_server_takes_for_the_answer():
    wire = greeted("8.4")
    wire.client(b"AUTH LOGIN\r\nNOOP\r\n")
    wire.server(b"334 x\r\n")
    assert said(wire, True, b"EXPN x\r\n") == b"XXXX x\r\n"
    wire = greeted("8.4")
    wire.client(b"AUTH LOGIN\r\nNOOP foo")
    wire.server(b"334 x\r\n")
    assert said(wire, True, b"bar\r\nEXPN x\r\n") == b"bar\r\nXXXX x\r\n"


def test_auth_is_stripped_by_a_fixup():
    assert said(greeted("6.3"), True, b"AUTH LOGIN\r\n") == b"XXXX LOGIN\r\n"


def test_starttls_hidden_or_let_through():
    assert said(greeted("8.4"), True, b"STARTTLS\r\n") == b"XXXXXXXX\r\n"
    wire = Wire(RELEASES["8.4"].allowing_tls()).handshake()
    wire.server(b"220 x\r\n")
    assert said(wire, True, b"STARTTLS\r\n") == b"STARTTLS\r\n"
    wire.server(b"220 go\r\n")
    assert said(wire, True, b"\x16\x03\x01EXPN x\r\n\0") == b"\x16\x03\x01EXPN x\r\n\0"
    assert said(wire, False, b"\x16220 STARTTLS\r\n") == b"\x16220 STARTTLS\r\n"
    assert Kind.OPAQUE in wire.kinds()


def test_refused_starttls_stays_readable():
    wire = Wire(RELEASES["8.4"].allowing_tls()).handshake()
    wire.server(b"220 x\r\n")
    wire.client(b"STARTTLS\r\n")
    wire.server(b"454 not now\r\n")
    assert said(wire, True, b"EXPN x\r\n") == b"XXXX x\r\n"


def test_bdat_is_blocked_and_what_follows_is_read_as_commands():
    wire = greeted("8.4")
    assert said(wire, True, b"BDAT 12 LAST\r\nEXPN x\r\nQUIT\r\n") == (
        b"XXXX 12 LAST\r\nXXXX x\r\nQUIT\r\n"
    )


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


def in_mail(name: str, **traits: object) -> Wire:
    wire = greeted(name, **traits)
    wire.client(b"DATA\r\n")
    wire.server(b"354 go\r\n")
    return wire


@pytest.mark.parametrize("end", [b"\n.\n", b"\n.\r\n", b"\r\n.\n", b"\r.\r"])
def test_smuggling_reset(end):
    for pieces in every_cut(b"text" + end):
        wire = in_mail("6.3", resets_smuggling=True)
        wire.seen.clear()
        for piece in pieces:
            verdict = wire.client(piece)
        assert not verdict.forward
        assert [seen.flags & RST for seen in wire.seen[-2:]] == [RST, RST]
        assert {seen.from_client for seen in wire.seen[-2:]} == {True, False}
        assert Kind.CONNECTION_RESET in wire.kinds()
        assert wire.client(b"x") is DROP


def test_honest_ends_are_no_smuggling():
    for pieces in every_cut(b"a\r\n..\r\n.\r\n"):
        wire = in_mail("6.3", resets_smuggling=True)
        assert said(wire, True, *pieces) == b"a\r\n..\r\n.\r\n"
        assert said(wire, True, b"NOOP\r\n") == b"NOOP\r\n"


def test_bug_split_terminator():
    """Microsoft KB 295725: where the dot and its CRLF part, the rest never arrives."""
    wire = in_mail("5.1", bugs=frozenset({Bug.SPLIT_TERMINATOR}))
    at = wire.client_sent
    assert said(wire, True, b"text\r\n.") == b"text\r\n."
    assert wire.segment(True, at + 7, b"\r\n") is DROP
    assert wire.segment(True, at + 7, b"\r\n") is DROP  # nor when it is sent again
    wire = in_mail("5.1", bugs=frozenset({Bug.SPLIT_TERMINATOR}))
    # Postfix's workaround: the whole of .CRLF in one packet.
    assert said(wire, True, b"text\r\n", b".\r\n") == b"text\r\n.\r\n"
    wire = in_mail("5.1")
    assert said(wire, True, b"text\r\n.", b"\r\n") == b"text\r\n.\r\n"


def test_bug_data_before_reply():
    """CVE-2000-1022."""
    wire = greeted("5.1", bugs=frozenset({Bug.DATA_BEFORE_REPLY}))
    assert said(wire, True, b"DATA\r\nEXPN x\r\n") == b"DATA\r\nEXPN x\r\n"
    wire.server(b"503 no\r\n")
    assert said(wire, True, b"VRFY x\r\n") == b"VRFY x\r\n"


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
