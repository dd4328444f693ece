"""What becomes of mail that goes through an inspection map, and what is told and counted of it."""

from __future__ import annotations

from dataclasses import replace
from email.message import EmailMessage

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.events import Closing, ConnectionClosed, Direction, Inspected, Kind
from appliance.firewall import Firewall
from appliance.smtp.esmtp_map import (
    DEFAULT_MAP,
    OTHERS,
    Act,
    Action,
    Criterion,
    EsmtpClass,
    EsmtpMap,
    Relay,
    Row,
    Subject,
)
from appliance.smtp.expression import Expression
from appliance.smtp.release import RELEASES, Blocked
from appliance.syslog import Syslog
from tests.engine.mails import HOSTILE, MAILS, stuffed
from tests.wire import RST, Wire, inspecting

DROP, LOGGED_DROP = Action(Act.DROP_CONNECTION), Action(Act.DROP_CONNECTION, log=True)
LOG, RESET, MASK = Action(log=True), Action(Act.RESET), Action(Act.MASK)
LONG = b"x" * 999
EXE = (b'Content-Disposition: attachment; filename="a.exe"\r\n',)


def mapped(*rows: Row, **parameters: object) -> EsmtpMap:
    return EsmtpMap("m", rows=rows, **parameters)  # type: ignore[arg-type]


def asking(subject: Subject, action: Action = DROP, **asks: object) -> Row:
    """A row of one criterion."""
    return Row(Criterion(subject, **asks), action)  # type: ignore[arg-type]


def regex(text: str) -> dict[str, object]:
    return {"regex": "r", "expressions": (Expression("r", text),)}


def connected(esmtp_map: EsmtpMap | None = None, name: str = "8.4", **more: object) -> Wire:
    """A connection whose greeting is through."""
    release = replace(RELEASES[name], **more)  # type: ignore[arg-type]
    wire = Wire(release, esmtp_map=esmtp_map).handshake()
    wire.server(b"220 mx\r\n")
    return wire


def in_mail(esmtp_map: EsmtpMap | None = None, name: str = "8.4") -> Wire:
    """The same behind the server's 354."""
    wire = connected(esmtp_map, name)
    wire.client(b"MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\n")
    wire.server(b"250 ok\r\n250 ok\r\n354 go\r\n")
    return wire


def matches(wire: Wire) -> list[str]:
    """What matched, in order."""
    kinds = (Kind.MATCHED, Kind.PARAMETER)
    return [e.detail for e in wire.events if isinstance(e, Inspected) and e.kind in kinds]


def messages(wire: Wire, product: str = "ASA") -> list[str]:
    """Log lines of the connection, those of its beginning left out."""
    syslog = Syslog(product, RELEASES["8.4"])
    lines = (syslog.message(event) for event in wire.events)
    return [line for line in lines if line and "302013" not in line]


def closed(wire: Wire) -> bool:
    return any(isinstance(e, ConnectionClosed) for e in wire.events)


def counted(wire: Wire) -> list[int]:
    (tally,) = wire.firewall.tally
    return tally.rows


# ---- the default map ----


def test_a_long_header_line_drops_the_connection_and_says_so_as_an_asa_did():
    # A line that somebody published in a blog, with the ends of this connection.
    wire = in_mail()
    assert not wire.client(b"X: " + LONG + b"\r\n\r\n.\r\n").forward
    assert messages(wire)[:2] == [
        "%ASA-4-108004: ESMTP Classification: Dropped connection for ESMTP Request from "
        "outside:203.0.113.10/40000 to inside:10.1.1.5/25; matched Class 4: header line length "
        "gt 998",
        "%ASA-4-507003: tcp flow from outside:203.0.113.10/40000 to inside:10.1.1.5/25 "
        "terminated by inspection engine, reason - inspector disconnected, dropped packet.",
    ]
    assert "302014" in messages(wire)[2]
    assert messages(wire)[2].endswith("Flow closed by inspection")
    assert not wire.client(b"more").forward


@pytest.mark.parametrize(
    ("name", "drops"), [("6.3", False), ("7.0", False), ("7.1", False), ("7.2", True)]
)
def test_there_is_a_default_map_from_7_2_on(name, drops):
    wire = in_mail(name=name)
    assert wire.client(b"X: " + LONG + b"\r\n").forward is not drops


@pytest.mark.parametrize(
    ("said", "row", "dropped"),
    [
        (b"NOOP " + b"x" * 505 + b"\r\n", 0, False),
        (b"NOOP " + b"x" * 506 + b"\r\n", 0, True),
        (b"NOOP " + b"x" * 508, 0, True),  # without an end
        (b"XYZW " + b"x" * 506 + b"\r\n", 0, True),  # of a verb that is masked
        (b"MAIL FROM:<a>\r\n" + b"RCPT TO:<b>\r\n" * 100, 1, False),
        (b"MAIL FROM:<a>\r\n" + b"RCPT TO:<b>\r\n" * 101, 1, True),
        (b"MAIL FROM:<" + b"x" * 320 + b"> SIZE=1\r\n", 4, False),
        (b"MAIL FROM:<" + b"x" * 321 + b"> SIZE=1\r\n", 4, True),
        (b"MAIL FROM:<" + b"x" * 321, 4, True),
        (b"MAIL FROM: " + b"x" * 321, 4, True),
        (b'SOML FROM:<"' + b">" * 320 + b'"@x>\r\n', 4, True),
        (b"RCPT TO:<" + b"x" * 321 + b">\r\n", 4, False),
    ],
)
def test_commands(said, row, dropped):
    wire = connected()
    assert wire.client(said).forward is not dropped
    assert counted(wire) == [int(dropped and n == row) for n in range(7)]
    assert closed(wire) is dropped


@pytest.mark.parametrize(
    ("said", "row", "dropped"),
    [
        (b"X: " + b"x" * 995 + b"\r\n\r\n.\r\n", 3, False),
        (b"X: " + b"x" * 996, 3, True),
        (b"\r\n" + b"x" * 998 + b"\r\n.\r\n", 2, False),
        (b'Content-Type: a/b; name="' + b"x" * 255 + b'"\r\n\r\n.\r\n', 5, False),
        (b'Content-Type: a/b; name="' + b"x" * 256 + b'"\r\n\r\n', 5, True),
    ],
)
def test_contents(said, row, dropped):
    wire = in_mail()
    assert wire.client(said).forward is not dropped
    assert counted(wire) == [int(dropped and n == row) for n in range(7)]


def test_a_long_body_line_is_told_of_once_a_mail_and_passes():
    wire = in_mail()
    text = b"\r\n" + (LONG + b"\r\n") * 3 + b".\r\n"
    assert wire.client(text).forward
    assert messages(wire) == [
        "%ASA-6-108005: ESMTP Classification: Received ESMTP Request from "
        "outside:203.0.113.10/40000 to inside:10.1.1.5/25; matched Class 3: body line length "
        "gt 998"
    ]
    wire.server(b"250 ok\r\n")
    wire.client(b"MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\n")
    wire.server(b"250 ok\r\n250 ok\r\n354 go\r\n")
    wire.client(text)
    assert counted(wire)[2] == 2
    assert wire.received(True).count(LONG) == 6


def test_other_service_extensions_are_masked_and_counted_and_nothing_is_said():
    wire = connected()
    wire.client(b"EHLO x\r\n")
    wire.server(b"250-mx\r\n250-SIZE 1\r\n250-STARTTLS\r\n250 HELP\r\n")
    assert wire.received(False).endswith(b"250-mx\r\n250-SIZE 1\r\n250-XXXXXXXA\r\n250 XXXB\r\n")
    assert counted(wire) == [0, 0, 0, 0, 0, 0, 2]
    assert messages(wire) == []


def test_counters_are_printed_as_a_device_does():
    # The counters that somebody published have these lines; the numbers are of this connection.
    wire = in_mail()
    wire.client(b"X: " + LONG + b"\r\n\r\n.\r\n")
    (tally,) = wire.firewall.tally
    assert list(tally.lines()) == [
        "Inspect: esmtp _default_esmtp_map, packet 7, drop 1, reset-drop 0",
        "  mask-banner, count 1",
        "  match cmd line length gt 512",
        "    drop-connection log, packet 0",
        "  match cmd RCPT count gt 100",
        "    drop-connection log, packet 0",
        "  match body line length gt 998",
        "    log, packet 0",
        "  match header line length gt 998",
        "    drop-connection log, packet 1",
        "  match sender-address length gt 320",
        "    drop-connection log, packet 0",
        "  match MIME filename length gt 255",
        "    drop-connection log, packet 0",
        "  match ehlo-reply-parameter others",
        "    mask, packet 0",
    ]


def test_bytes_that_have_gone_stay():
    wire = in_mail()
    for byte in b"X: " + LONG:
        wire.client(bytes((byte,)))
    assert wire.received(True).endswith(b"DATA\r\nX: " + b"x" * 995)
    offset = len(b"MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\n") + 998
    told = [e for e in wire.events if isinstance(e, Inspected) and e.kind is Kind.MATCHED]
    assert [(each.offset, each.direction) for each in told] == [(offset, Direction.TO_SERVER)]


# ---- recipients ----


def test_recipients_are_those_of_one_mail():
    few = mapped(asking(Subject.RECIPIENTS, limit=2))
    wire = in_mail(few)
    wire.client(b"\r\n.\r\nMAIL FROM:<a>\r\nRCPT TO:<b>\r\nRCPT TO:<b>\r\nRSET\r\n")
    wire.server(b"250 ok\r\n" * 5)
    wire.client(b"MAIL FROM:<a>\r\nRCPT TO:<b>\r\nRCPT TO:<b>\r\n")
    assert not closed(wire)
    wire.client(b"rcpt to:<b>\r\n")
    assert closed(wire)


@pytest.mark.parametrize("between", [b"MAIL FROM:<x>\r\n", b"RSET x\r\n", b"DATA\r\n", b"EHLO\r\n"])
def test_a_command_that_the_server_refuses_begins_no_mail(between):
    wire = connected(mapped(asking(Subject.RECIPIENTS, limit=2)))
    wire.client(b"MAIL FROM:<a>\r\nRCPT TO:<b>\r\n" + between)
    wire.server(b"250 ok\r\n250 ok\r\n503 no\r\n")
    wire.client(b"RCPT TO:<b>\r\n")
    assert not closed(wire)
    wire.client(b"RCPT TO:<b>\r\n")
    assert closed(wire)


def test_recipients_that_the_server_refuses():
    wire = connected(mapped(asking(Subject.INVALID_RECIPIENTS, LOGGED_DROP, limit=1)))
    wire.client(b"MAIL FROM:<a>\r\n" + b"RCPT TO:<b>\r\n" * 4 + b"NOOP\r\n")
    wire.server(b"250 ok\r\n550 no\r\n450 later\r\n250 ok\r\n")
    assert not closed(wire)
    assert not wire.server(b"551-no\r\n551 no\r\n").forward
    assert messages(wire)[0] == (
        "%ASA-4-108004: ESMTP Classification: Dropped connection for ESMTP Response from "
        "inside:10.1.1.5/25 to outside:203.0.113.10/40000; matched Class 1: "
        "invalid-recipients count gt 1"
    )


def test_refused_recipients_are_those_of_one_mail():
    wire = connected(mapped(asking(Subject.INVALID_RECIPIENTS, limit=1)))
    for _ in range(3):
        wire.client(b"MAIL FROM:<a>\r\nRCPT TO:<b>\r\nRSET\r\n")
        wire.server(b"250 ok\r\n550 no\r\n250 ok\r\n")
    assert not closed(wire)


# ---- senders ----


@pytest.mark.parametrize(
    ("sender", "found"),
    [
        (b"<spam@x.example>", True),
        (b"<@relay.example:spam@x.example>", True),
        (b'<"spam"@x.example>', True),
        (b"<s\\pam@x.example>", True),
        (b"spam@x.example", True),
        (b"<ham@x.example>", False),
        (b"<>", False),
        (b"<ham@x.example> AUTH=spam@x.example", False),
    ],
)
@pytest.mark.parametrize("negated", [False, True])
def test_senders_by_expression(sender, found, negated):
    asked = asking(Subject.SENDER, negated=negated, **regex("^spam@"))
    wire = connected(mapped(asked))
    wire.client(b"MAIL FROM:" + sender + b"\r\n")
    assert closed(wire) is (found is not negated)


# ---- contents ----


@pytest.mark.parametrize("cut", [None, 1])
@pytest.mark.parametrize(
    ("row", "said", "matching"),
    [
        (asking(Subject.TO_FIELDS, limit=1), b"To: a\r\nto: b\r\n\r\n.\r\n", True),
        (asking(Subject.TO_FIELDS, limit=1, negated=True), b"To: a\r\n\r\n.\r\n", True),
        (asking(Subject.TO_FIELDS, limit=1, negated=True), b"To: a\r\nTo: b\r\n\r\n.\r\n", False),
        (asking(Subject.HEADER_LENGTH, limit=20), b"A: b\r\n" * 3 + b"\r\n.\r\n", False),
        (asking(Subject.HEADER_LENGTH, limit=20), b"A: b\r\n" * 4 + b"\r\n.\r\n", True),
        (asking(Subject.BODY_LENGTH, limit=20), b"\r\n" + b"A: b\r\n" * 3 + b".\r\n", False),
        (asking(Subject.BODY_LENGTH, limit=20), b"\r\n" + b"A: b\r\n" * 4 + b".\r\n", True),
        (asking(Subject.BODY_LENGTH, limit=9, negated=True), b"\r\n" + b"A: b\r\n.\r\n", True),
        (asking(Subject.BODY_LINE_LENGTH, limit=9, negated=True), b"\r\nA: b\r\n.\r\n", True),
        (asking(Subject.FILE_TYPE, **regex(r"\.exe")), b"%s\r\n.\r\n" % EXE, True),
        (asking(Subject.FILE_TYPE, **regex(r"\.com")), b"%s\r\n.\r\n" % EXE, False),
        (
            asking(Subject.FILE_TYPE, **regex("^image/")),
            b"Content-Type: IMAGE/x\r\n\r\n.\r\n",
            True,
        ),
        (asking(Subject.FILE_TYPE, negated=True, **regex("^text/")), b"A: b\r\n\r\n.\r\n", False),
        (asking(Subject.FILE_TYPE, negated=True, **regex("^a/")), b"A: b\r\n\r\n.\r\n", True),
        (asking(Subject.ENCODING, words=("7bit",)), b"A: b\r\n\r\n.\r\n", True),
        (
            asking(Subject.ENCODING, words=("base64", "binary")),
            b"Content-Transfer-Encoding: Base64\r\n\r\n.\r\n",
            True,
        ),
        (
            asking(Subject.ENCODING, words=(OTHERS,)),
            b"Content-Transfer-Encoding: base64\r\n\r\n.\r\n",
            False,
        ),
        (
            asking(Subject.ENCODING, words=(OTHERS,)),
            b"Content-Transfer-Encoding: x-uue\r\n\r\n.\r\n",
            True,
        ),
        (
            asking(Subject.ENCODING, words=("7bit", "8bit"), negated=True),
            b"Content-Transfer-Encoding: 8bit\r\n\r\n.\r\n",
            False,
        ),
    ],
)
def test_contents_by_row(row, said, matching, cut):
    wire = in_mail(mapped(row))
    for at in range(0, len(said), cut or len(said)):
        wire.client(said[at : at + (cut or len(said))])
    assert closed(wire) is matching
    assert counted(wire) == [int(matching)]


# ---- verbs and service extensions ----


def test_a_verb_is_masked_and_said_so():
    row = asking(Subject.VERB, Action(Act.MASK, log=True), words=("VRFY", "HELP"))
    wire = connected(mapped(row))
    wire.client(b"VRFY root\r\nNOOP\r\nhelp\r\nEXPN x\r\n")
    assert wire.received(True) == b"XXXX root\r\nNOOP\r\nXXXX\r\nXXXX x\r\n"
    assert (
        messages(wire)
        == [
            "%ASA-4-108004: ESMTP Classification: Masked header flags for ESMTP Request from "
            "outside:203.0.113.10/40000 to inside:10.1.1.5/25; matched Class 1: cmd verb VRFY HELP"
        ]
        * 2
    )


def test_verbs_that_are_not_named_are_masked():
    named = ("EHLO", "MAIL", "RCPT", "DATA", "QUIT")
    wire = connected(mapped(asking(Subject.VERB, MASK, words=named, negated=True)))
    wire.client(b"EHLO x\r\nMAIL FROM:<a>\r\nNOOP\r\nRSET\r\n")
    assert wire.received(True) == b"EHLO x\r\nMAIL FROM:<a>\r\nXXXX\r\nXXXX\r\n"


@pytest.mark.parametrize(("action", "resets"), [(DROP, 0), (RESET, 2)])
def test_a_verb_ends_the_connection(action, resets):
    wire = connected(mapped(asking(Subject.VERB, action, words=("VRFY",))))
    wire.client(b"NOOP\r\nVRFY root\r\n")
    assert len([seen for seen in wire.seen if seen.flags & RST]) == resets
    assert [e.closing for e in wire.events if isinstance(e, ConnectionClosed)] == [Closing.DROPPED]
    (tally,) = wire.firewall.tally
    assert (tally.drops, tally.resets) == ((0, 1) if resets else (1, 0))


def test_a_masked_verb_is_answered_where_blocked_lines_are():
    row = asking(Subject.VERB, MASK, words=("VRFY",))
    wire = connected(mapped(row), blocked=Blocked.ANSWER_500)
    wire.client(b"VRFY root\r\nNOOP\r\n")
    assert wire.received(True) == b"NOOP\r\n"
    assert wire.received(False).endswith(b"500 Command unrecognized\r\n")
    assert counted(wire) == [1]


def test_a_mail_that_begins_in_a_line_taken_in_is_read_from_its_first_byte():
    release = replace(RELEASES["8.4"], blocked=Blocked.ANSWER_OK)
    wire = Wire(release, esmtp_map=mapped(asking(Subject.HEADER_LENGTH, LOG, limit=4))).handshake()
    wire.server(b"220 mx\r\n")
    wire.client(b"DATA\r\nAB")
    wire.server(b"354 go\r\n")
    wire.client(b": cd\r\n\r\n.\r\n")
    told = [e.offset for e in wire.events if isinstance(e, Inspected) and e.kind is Kind.MATCHED]
    assert told == [len(b"DATA\r\nAB: ")]
    assert wire.received(True) == b"DATA\r\nAB: cd\r\n\r\n.\r\n"


@pytest.mark.parametrize(
    ("words", "negated", "reply"),
    [
        (("pipelining", "size"), False, b"250-XXXA\r\n250-HELP\r\n250-XXXXXXXXXB\r\n250 DSN\r\n"),
        (("size", "dsn"), True, b"250-SIZE\r\n250-XXXA\r\n250-XXXXXXXXXB\r\n250 DSN\r\n"),
        ((OTHERS,), True, b"250-XXXA\r\n250-HELP\r\n250-XXXXXXXXXB\r\n250 XXC\r\n"),
        ((), False, b"250-SIZE\r\n250-HELP\r\n250-PIPELINING\r\n250 DSN\r\n"),
    ],
)
def test_service_extensions(words, negated, reply):
    rows = [asking(Subject.EHLO_PARAMETER, MASK, words=words, negated=negated)] if words else []
    wire = connected(mapped(*rows))
    wire.client(b"EHLO x\r\n")
    wire.server(b"250-mx\r\n250-SIZE\r\n250-HELP\r\n250-PIPELINING\r\n250 DSN\r\n")
    assert wire.received(False).endswith(b"250-mx\r\n" + reply)


def test_starttls_is_masked_whatever_else_is_not():
    for cut in (None, 1):
        wire = connected(mapped())
        wire.client(b"EHLO x\r\n")
        said = b"250-mx\r\n250-STARTTLS\r\n250 X\r\n"
        for at in range(0, len(said), cut or len(said)):
            wire.server(said[at : at + (cut or len(said))])
        got = wire.received(False).split(b"\r\n")
        assert got[2] == (b"250-STARTTLX" if cut else b"250-XXXXXXXA")
        assert got[3] == b"250 X"
        wire.client(b"STARTTLS\r\n")
        assert wire.received(True).endswith(b"XXXXXXXX\r\n")


@pytest.mark.parametrize("log", [False, True])
def test_allow_tls(log):
    others = asking(Subject.EHLO_PARAMETER, MASK, words=(OTHERS,))
    wire = connected(mapped(others, allow_tls=True, tls_log=log))
    wire.client(b"EHLO x\r\n")
    wire.server(b"250-mx\r\n250-STARTTLS\r\n250 HELP\r\n")
    wire.client(b"STARTTLS\r\n")
    wire.server(b"220 go\r\n")
    assert wire.received(False).endswith(b"250-mx\r\n250-STARTTLS\r\n250 XXXA\r\n220 go\r\n")
    assert wire.client(b"NOOP " + LONG + b"\r\n").forward
    assert ["108007" in line for line in messages(wire)] == [True] * log


# ---- parameters ----


def test_no_mask_banner():
    wire = Wire(RELEASES["8.4"], esmtp_map=mapped(mask_banner=False)).handshake()
    wire.server(b"220 mx.example ESMTP\r\n")
    assert wire.received(False) == b"220 mx.example ESMTP\r\n"


@pytest.mark.parametrize(
    ("recipient", "local"),
    [
        (b"<a@here.example>", True),
        (b"<a@HERE.example>", True),
        (b"<postmaster>", True),
        (b"<a@there.example>", False),
        (b"<a@x.here.example>", False),
        (b"<@here.example:a@there.example>", False),
        (b"<a%there.example@here.example>", False),
        (b"<there.example!a@here.example>", False),
        (b'<"a@there.example"@here.example>', False),
        (b"a@there.example", False),
    ],
)
def test_mail_relay(recipient, local):
    esmtp_map = mapped(mail_relay=Relay("here.example", LOGGED_DROP))
    wire = connected(esmtp_map)
    wire.client(b"MAIL FROM:<a@elsewhere.example>\r\nRCPT TO:" + recipient + b"\r\n")
    assert closed(wire) is not local
    if not local:
        assert messages(wire)[0] == (
            "%ASA-4-108004: ESMTP Parameter: Dropped connection for ESMTP Request from "
            "outside:203.0.113.10/40000 to inside:10.1.1.5/25; mail-relay: No Mail Relay allowed"
        )
        (tally,) = wire.firewall.tally
        assert list(tally.lines())[2:] == [
            "  mail-relay here.example",
            "    drop-connection log, packet 1",
        ]


@pytest.mark.parametrize(
    ("line", "special"),
    [
        (b"MAIL FROM:<a|b@c>\r\n", True),
        (b"RCPT TO:<a`b@c>\r\n", True),
        (b"RCPT TO:<a\0b@c>\r\n", True),
        (b"RCPT TO:<a|", True),
        (b"RCPT TO:<a@b>\r\n", False),
        (b"NOOP a|b\r\n", False),
    ],
)
@pytest.mark.parametrize("action", [LOG, DROP])
def test_special_character(line, special, action):
    wire = connected(mapped(special_character=action))
    wire.client(line)
    assert bool(matches(wire)) is special
    assert closed(wire) is (special and action is DROP)


def test_a_mail_larger_than_declared():
    for size, text, violated in (
        (9, b"A: b\r\n\r\n.\r\n", False),
        (8, b"A: b\r\n\r\n.\r\n", False),
        (7, b"A: b\r\n\r\n.\r\n", True),
        (7, b"\r\n..a\r\n.\r\n", False),
        (5, b"\r\n..a\r\n.\r\n", True),
        (0, b".\r\n", False),
    ):
        for cut in (1, 3, len(text)):
            wire = connected()
            wire.client(b"MAIL FROM:<a@b> size=%d\r\nRCPT TO:<c@d>\r\nDATA\r\n" % size)
            wire.server(b"250 ok\r\n250 ok\r\n354 go\r\n")
            for at in range(0, len(text), cut):
                wire.client(text[at : at + cut])
            said = [line for line in messages(wire) if "108006" in line]
            assert bool(said) is violated, (size, text, cut)
            if size == 7 and violated:
                assert said == [
                    "%ASA-7-108006: Detected ESMTP size violation from "
                    "outside:203.0.113.10/40000 to inside:10.1.1.5/25; declared size is: 7, "
                    "actual size is 8"
                ]


# ---- rows together ----


def test_rows_of_one_subject_apply_in_their_order_until_one_ends_the_connection():
    rows = (
        asking(Subject.COMMAND_LINE_LENGTH, LOG, limit=10),
        asking(Subject.COMMAND_LINE_LENGTH, LOGGED_DROP, limit=10),
        asking(Subject.COMMAND_LINE_LENGTH, LOG, limit=10),
    )
    wire = connected(mapped(*rows))
    wire.client(b"NOOP " + b"x" * 20 + b"\r\n")
    assert matches(wire) == [f"matched Class {n}: cmd line length gt 10" for n in (1, 2)]
    assert counted(wire) == [1, 1, 0]


SENDER = Criterion(Subject.SENDER, **regex("spam"))
NAMED = Criterion(Subject.FILE_TYPE, **regex("exe"))
NOT_TO = Criterion(Subject.TO_FIELDS, negated=True)


@pytest.mark.parametrize(
    ("criteria", "any_", "sender", "mail", "matching"),
    [
        ((SENDER, NAMED), False, b"spam", b"%s\r\n.\r\n" % EXE, True),
        ((NAMED, SENDER), False, b"spam", b"%s\r\n.\r\n" % EXE, True),
        ((SENDER, NAMED), False, b"ham", b"%s\r\n.\r\n" % EXE, False),
        ((SENDER, NAMED), False, b"spam", b"\r\n.\r\n", False),
        ((SENDER, NAMED), True, b"ham", b"%s\r\n.\r\n" % EXE, True),
        ((SENDER, NAMED), True, b"spam", b"", True),
        ((SENDER, NOT_TO), False, b"spam", b"\r\n.\r\n", True),
        ((SENDER, NOT_TO), False, b"spam", b"To: x\r\n\r\n.\r\n", False),
        ((), False, b"spam", b"\r\n.\r\n", False),
        ((), True, b"spam", b"\r\n.\r\n", False),
    ],
)
def test_classes(criteria, any_, sender, mail, matching):
    wire = connected(mapped(Row(EsmtpClass("bad", criteria, any_), LOGGED_DROP)))
    wire.client(b"MAIL FROM:<" + sender + b">\r\nRCPT TO:<c@d>\r\nDATA\r\n")
    wire.server(b"250 ok\r\n250 ok\r\n354 go\r\n")
    wire.client(mail)
    assert closed(wire) is matching
    assert matches(wire) == ["matched Class 1: bad"] * matching


def test_what_a_class_asks_must_be_found_in_one_mail():
    wire = connected(mapped(Row(EsmtpClass("bad", (SENDER, NAMED)), DROP)))
    for sender, mail in ((b"spam", b"\r\n.\r\n"), (b"ham", b"%s\r\n.\r\n" % EXE)):
        wire.client(b"MAIL FROM:<" + sender + b">\r\nRCPT TO:<c@d>\r\nDATA\r\n")
        wire.server(b"250 ok\r\n250 ok\r\n354 go\r\n")
        wire.client(mail)
        wire.server(b"250 ok\r\n")
    assert not closed(wire)


def test_what_a_class_asks_of_a_line_must_be_found_in_one_line():
    criteria = (
        Criterion(Subject.VERB, words=("NOOP",)),
        Criterion(Subject.COMMAND_LINE_LENGTH, limit=20),
    )
    wire = connected(mapped(Row(EsmtpClass("long", criteria), DROP)))
    wire.client(b"NOOP\r\nHELO " + b"x" * 20 + b"\r\nNOOP\r\n")
    assert not closed(wire)
    wire.client(b"NOOP " + b"x" * 20 + b"\r\n")
    assert closed(wire)


def test_a_verb_is_masked_in_the_mail_of_a_sender():
    criteria = (SENDER, Criterion(Subject.VERB, words=("DATA",)))
    wire = connected(mapped(Row(EsmtpClass("quiet", criteria), MASK)))
    wire.client(b"MAIL FROM:<spam>\r\nRCPT TO:<c>\r\nDATA\r\nRSET\r\nMAIL FROM:<ham>\r\nDATA\r\n")
    assert wire.received(True).split(b"\r\n")[2:] == [
        b"XXXX", b"RSET", b"MAIL FROM:<ham>", b"DATA", b"",
    ]  # fmt: skip


# ---- rates ----


def test_mails_beyond_a_rate_come_later():
    esmtp_map = mapped(asking(Subject.SENDER, Action(Act.RATE_LIMIT, True, 2), **regex("spam")))
    wire = connected(esmtp_map)
    line = b"MAIL FROM:<spam@x>\r\nRSET\r\n"
    for forwarded in (True, True, False, False):
        assert wire.segment(True, wire.client_sent, line).forward is forwarded
        wire.client_sent += len(line) * forwarded
    assert (
        messages(wire)
        == [
            "%ASA-4-108004: ESMTP Classification: Dropped ESMTP Request from "
            "outside:203.0.113.10/40000 to inside:10.1.1.5/25; matched Class 1: "
            "sender-address regex r"
        ]
        * 2
    )
    wire.now += 1
    assert wire.client(line).forward
    wire.server(b"250 ok\r\n" * 6)
    assert wire.received(True) == line * 3
    assert not closed(wire)


def test_what_is_beyond_a_rate_leaves_no_trace():
    rate = Action(Act.RATE_LIMIT, rate=1)
    rows = (
        asking(Subject.FILE_TYPE, rate, **regex("exe")),
        asking(Subject.BODY_LENGTH, LOG, limit=40),
    )
    wire = in_mail(mapped(*rows))
    wire.client(b"%s\r\n.\r\n" % EXE)
    wire.server(b"250 ok\r\n")
    wire.client(b"MAIL FROM:<a>\r\nRCPT TO:<c@d>\r\nDATA\r\n")
    wire.server(b"250 ok\r\n250 ok\r\n354 go\r\n")
    mail = b"%s\r\n" % EXE + b"x" * 30 + b"\r\n.\r\n"
    for _ in range(3):
        assert not wire.segment(True, wire.client_sent, mail).forward
    wire.now += 1
    assert wire.client(mail).forward
    assert counted(wire)[1] == 0
    wire.server(b"250 ok\r\n")
    wire.client(b"NOOP\r\n")
    assert wire.received(True).endswith(mail + b"NOOP\r\n")


def test_replies_beyond_a_rate_come_later():
    rate = Action(Act.RATE_LIMIT, rate=1)
    wire = connected(mapped(asking(Subject.INVALID_RECIPIENTS, rate)))
    said, reply = b"MAIL FROM:<a>\r\nRCPT TO:<b>\r\nRSET\r\n", b"250 ok\r\n550 no\r\n250 ok\r\n"
    wire.client(said)
    assert wire.server(reply).forward
    wire.client(said)
    for _ in range(2):
        assert not wire.segment(False, wire.server_sent, reply).forward
    wire.client(b"NOOP\r\n")
    wire.now += 1
    assert wire.server(reply + b"250 ok\r\n").forward
    assert wire.received(True) == said * 2 + b"NOOP\r\n"
    assert not closed(wire)


# ---- others ----


def verdict(said: bytes, cuts: list[int]) -> tuple[list[tuple[Kind, int, str]], bool]:
    """What matches in a mail, and where, with every limit low."""
    rows = [
        asking(subject, LOG, limit=limit)
        for limit in (5, 20)
        for subject in Subject
        if subject.value.endswith((" length", " count"))
    ]
    rows += [asking(Subject.FILE_TYPE, LOG, **regex("exe|text"))]
    rows += [asking(Subject.ENCODING, LOG, words=(word,)) for word in ("7bit", "base64", OTHERS)]
    wire = in_mail(mapped(*rows))
    ends = [*cuts, len(said)]
    for start, end in zip([0, *ends], ends, strict=False):
        wire.client(said[start:end])
    told = [e for e in wire.events if isinstance(e, Inspected) and e.kind is Kind.MATCHED]
    return [(each.kind, each.offset, each.detail) for each in told], closed(wire)


@settings(max_examples=40, deadline=None)
@given(st.one_of(HOSTILE.map(lambda mail: mail + b".\r\n"), MAILS.map(stuffed)), st.data())
def test_a_mail_matches_alike_however_it_is_cut(said, data):
    whole = verdict(said, [])
    assert verdict(said, list(range(1, len(said)))) == whole
    cuts = data.draw(st.lists(st.integers(0, len(said)), max_size=3))
    assert verdict(said, sorted(cuts)) == whole


def test_a_mail_that_python_writes_is_read_as_python_means_it():
    mail = EmailMessage()
    mail["To"] = "b@mx.example"
    mail.set_content("text")
    mail.add_attachment(b"MZ", maintype="application", subtype="x-msdownload", filename="ä.exe")
    said = mail.as_bytes(policy=mail.policy.clone(linesep="\r\n")) + b".\r\n"
    wire = in_mail(mapped(asking(Subject.FILE_TYPE, LOG, **regex(r"^\xc3\xa4\.exe"))))
    wire.client(said)
    assert counted(wire) == [1]


def test_a_map_that_asks_for_no_content_has_none_read(monkeypatch):
    monkeypatch.setattr("appliance.smtp.inspector.Message", None)
    wire = in_mail(mapped(asking(Subject.COMMAND_LINE_LENGTH, limit=512)))
    assert wire.client(b"X: " + LONG + b"\r\n.\r\n").forward
    assert not closed(wire)


def test_the_map_is_that_of_the_connection_s_beginning_after_a_handover():
    esmtp_map = mapped(asking(Subject.SENDER, LOGGED_DROP, **regex("^spam")))
    wire = connected(esmtp_map)
    following = Firewall(inspecting(RELEASES["8.4"]), wire.events.append)
    following.take_over(wire.firewall.hand_over(), wire.now)
    wire.firewall = following
    wire.client(b"MAIL FROM:<spam>\r\n")
    assert counted(wire) == [1]
    assert matches(wire) == ["matched Class 1: sender-address regex r"]
    assert [tally.esmtp_map for tally in following.tally] == [esmtp_map]


def test_a_mail_goes_on_in_the_midst_of_a_part_after_a_handover():
    said = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n%s\r\n.\r\n" % EXE
    for at in range(1, len(said)):
        wire = in_mail(mapped(asking(Subject.FILE_TYPE, **regex("exe"))))
        wire.client(said[:at])
        if closed(wire):
            break
        following = Firewall(inspecting(RELEASES["8.4"]), wire.events.append)
        following.take_over(wire.firewall.hand_over(), wire.now)
        wire.firewall = following
        wire.client(said[at:])
        assert closed(wire), at


def test_an_adopted_connection_goes_through_its_map():
    wire = Wire(RELEASES["8.4"], adopts=True, esmtp_map=DEFAULT_MAP)
    wire.server(b"250 ok\r\n", ack=0xFFFFFF01)
    wire.client(b"NOOP\r\n")
    wire.server(b"250 ok\r\n")
    wire.client(b"NOOP\r\n")
    wire.client(b"NOOP " + b"x" * 600 + b"\r\n")
    assert matches(wire) == ["matched Class 1: cmd line length gt 512"]
