"""Blocked lines that the firewall answers itself: numbers translated, answers in their turn."""

from __future__ import annotations

import struct
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.events import Closing, ConnectionClosed, Kind
from appliance.smtp.line import LONGEST
from appliance.smtp.release import ANSWERS, RELEASES, Blocked, ShortSegment
from appliance.verdict import DROP
from tests.engine.feeding import PLAIN, Case, Turn, client, every_way, feed, line, server
from tests.engine.hosts import Host, Network
from tests.wire import (
    ACK,
    CLIENT_START,
    FIN,
    PSH,
    RST,
    SERVER_START,
    Wire,
    packet,
    take_apart,
)

OK = ANSWERS[Blocked.ANSWER_OK]
RELEASE = RELEASES["4.0"]
M = 1 << 32


def greeted(**traits: object) -> Wire:
    wire = Wire(replace(RELEASE, **traits)).handshake()
    wire.server(b"220 x\r\n")
    return wire


GREETING = b"220 S\r\n"


def test_blocked_line_never_reaches_the_server():
    wire = greeted()
    wire.client(b"EHLO me\r\n")
    assert wire.received(True) == b""
    assert wire.received(False) == GREETING + OK
    answer = wire.seen[-1]
    assert answer.ack == (CLIENT_START + 1 + 9) % M, "it acknowledges what was taken in"
    assert Kind.COMMAND_ANSWERED in wire.kinds()


def test_numbers_are_translated_from_there_on():
    wire = greeted()
    wire.client(b"EHLO me\r\n")
    wire.client(b"HELO me\r\n")
    seen = wire.seen[-1]
    assert (seen.payload, seen.seq) == (b"HELO me\r\n", (CLIENT_START + 1) % M)
    assert seen.ack == SERVER_START + 1 + 7, "the server never sent the answer"
    wire.server(b"250 hi\r\n")
    seen = wire.seen[-1]
    assert seen.seq == SERVER_START + 1 + 7 + len(OK)
    assert seen.ack == (CLIENT_START + 1 + 18) % M
    assert wire.received(False) == GREETING + OK + b"250 hi\r\n"


def test_answer_waits_its_turn():
    wire = greeted()
    wire.client(b"HELO me\r\nEHLO me\r\nNOOP\r\nVRFY x\r\n")
    assert wire.received(True) == b"HELO me\r\nNOOP\r\n"
    assert wire.received(False) == GREETING
    wire.server(b"250-hi\r\n250 h")
    assert wire.received(False) == GREETING + b"250-hi\r\n250 h"
    wire.server(b"i\r\n250 noop\r\n")
    assert wire.received(False) == GREETING + (b"250-hi\r\n250 hi\r\n" + OK + b"250 noop\r\n" + OK)


def test_answer_waits_for_the_greeting():
    wire = Wire(RELEASE).handshake()
    wire.client(b"EHLO me\r\n")
    assert wire.received(False) == b""
    wire.server(b"220 x\r\n")
    assert wire.received(False) == GREETING + OK


@pytest.mark.parametrize("cut", range(1, 8))
def test_line_in_two_segments(cut):
    for line, arrives in ((b"NOOP x\r\n", b"NOOP x\r\n"), (b"VRFY x\r\n", b"")):
        wire = greeted(short_segment=ShortSegment.STREAM)
        wire.client(line[:cut])
        assert wire.received(True) == b""
        acknowledged = wire.seen[-1]
        assert acknowledged.from_client is False
        assert acknowledged.ack == (CLIENT_START + 1 + cut) % M
        wire.client(line[cut:])
        assert wire.received(True) == arrives
        assert wire.received(False) == GREETING + (b"" if arrives else OK)


def test_retransmission_of_what_was_taken_in_is_acknowledged():
    wire = greeted()
    wire.client(b"EHLO me\r\n")
    wire.seen.clear()
    wire.segment(True, 0, b"EHLO me\r\n", ack=SERVER_START + 8)
    assert [(s.from_client, s.payload) for s in wire.seen] == [(True, b""), (False, b"")]
    assert wire.seen[-1].ack == (CLIENT_START + 1 + 9) % M
    assert Kind.INCONSISTENT_RETRANSMISSION not in wire.kinds()


def test_answer_is_sent_again_with_back_off_until_it_is_acknowledged():
    wire = greeted()
    wire.client(b"EHLO me\r\n")
    sent = [at for at in range(1, 80) if wire.firewall.expire(wire.now + at / 10)]
    gaps = [b - a for a, b in zip([0, *sent], sent, strict=False)]
    assert gaps[:3] == [
        pytest.approx(10, abs=1),
        pytest.approx(20, abs=1),
        pytest.approx(40, abs=1),
    ]
    wire.now += 10
    (again,) = wire.firewall.expire(wire.now + 60) or (b"",)
    assert again.endswith(OK)
    wire.segment(True, 9, b"", ACK, ack=SERVER_START + 8 + len(OK))
    assert not wire.firewall.expire(wire.now + 600)


def test_own_bytes_stay_within_the_window():
    wire = Wire(RELEASE).handshake()
    wire.server(b"220 x\r\n")
    full = SERVER_START + 1 + 7
    wire.give(packet(True, CLIENT_START + 1, full, ACK, b"", window=3))
    wire.seen.clear()
    # The right edge of a window does not move back, so let the first one be full.
    _, connection = next(iter(wire.firewall._flows))
    connection._server.out_limit = 10
    wire.give(packet(True, CLIENT_START + 1, full, PSH | ACK, b"EHLO\r\n", window=3))
    assert not [s for s in wire.seen if s.payload == OK]
    wire.give(packet(True, CLIENT_START + 7, full, ACK, b"", window=500))
    (own,) = wire.firewall.expire(wire.now + 2)
    assert own.endswith(OK)


def test_window_shown_to_the_server_ends_where_the_client_put_it():
    wire = greeted()
    wire.client(b"EHLO me\r\n")  # 8 bytes of ours are on their way
    wire.give(packet(True, CLIENT_START + 10, SERVER_START + 8, ACK, b"", window=100))
    assert int.from_bytes(wire.seen[-1].packet[34:36], "big") == 100 - len(OK)
    wire.give(packet(True, CLIENT_START + 10, SERVER_START + 8 + len(OK), ACK, b"", window=100))
    assert int.from_bytes(wire.seen[-1].packet[34:36], "big") == 100


def test_sack_blocks_are_translated():
    wire = greeted()
    wire.client(b"EHLO me\r\n")
    base = SERVER_START + 8 + len(OK)
    wire.server(b"250 a\r\n")
    wire.server(b"250 b\r\n")
    sack = b"\x01\x01\x05\x0a" + struct.pack("!II", base + 7, base + 14)
    wire.give(packet(True, CLIENT_START + 10, base, ACK, b"", options=sack))
    left, right = struct.unpack("!II", wire.seen[-1].packet[44:52])
    assert (left, right) == (SERVER_START + 8 + 7, SERVER_START + 8 + 14)
    # A block that lies in the answer says nothing to the server.
    sack = b"\x01\x01\x05\x0a" + struct.pack("!II", base - 4, base - 1)
    wire.give(packet(True, CLIENT_START + 10, base - 8, ACK, b"", options=sack))
    assert wire.seen[-1].packet[40:52] == b"\x01" * 12


def test_keep_alive_still_draws_an_answer():
    wire = greeted()
    wire.client(b"NOOP\r\n")
    wire.server(b"250 ok\r\n")
    wire.client(b"EHLO me\r\n")
    wire.segment(True, 14, b"\0", ACK)
    seen = next(s for s in reversed(wire.seen) if s.from_client)
    assert seen.seq == (CLIENT_START + 1 + 6 - 1) % M
    assert seen.payload == b""


def test_fin_and_its_acknowledgement():
    wire = greeted()
    wire.client(b"EHLO me\r\n")
    wire.client(b"QUIT\r\n", flags=PSH | ACK | FIN)
    seen = wire.seen[-1]
    assert (seen.seq, seen.payload, seen.flags & FIN) == ((CLIENT_START + 1) % M, b"QUIT\r\n", FIN)
    wire.server(b"221 x\r\n", flags=PSH | ACK | FIN, ack=CLIENT_START + 1 + 6 + 1)
    seen = wire.seen[-1]
    assert seen.ack == (CLIENT_START + 1 + 15 + 1) % M
    assert seen.seq == SERVER_START + 8 + len(OK)
    wire.segment(True, 16, b"", ACK, ack=SERVER_START + 1 + 14 + len(OK) + 1)
    assert wire.seen[-1].ack == SERVER_START + 1 + 14 + 1
    assert [e.closing for e in wire.events if isinstance(e, ConnectionClosed)] == [Closing.FIN]


def test_blocked_line_with_fin():
    wire = greeted()
    wire.client(b"EHLO me\r\n", flags=PSH | ACK | FIN)
    seen = [s for s in wire.seen if s.from_client][-1]
    assert (seen.seq, seen.payload, seen.flags & FIN) == ((CLIENT_START + 1) % M, b"", FIN)


def test_reset_carries_the_number_that_the_server_expects():
    wire = greeted()
    wire.client(b"EHLO me\r\n")
    wire.segment(True, 9, b"", RST)
    assert wire.seen[-1].seq == (CLIENT_START + 1) % M


def test_reset_acknowledges_what_its_receiver_sent():
    wire = greeted()
    wire.client(b"EXPN x\r\n")
    # The client has had "250 OK" from the firewall; the server knows nothing of it.
    heard = SERVER_START + 1 + wire.server_sent + len("250 OK\r\n")
    wire.segment(True, wire.client_sent, b"", RST | ACK, ack=heard)
    assert wire.seen[-1].seq == (CLIENT_START + 1) % M
    assert wire.seen[-1].ack == SERVER_START + 1 + wire.server_sent


def test_line_left_out_behind_the_servers_fin_is_acknowledged():
    wire = greeted()
    wire.server(b"", flags=FIN | ACK)
    fin = SERVER_START + 1 + wire.server_sent + 1
    verdict = wire.client(b"EXPN x\r\n", ack=fin)
    (said,) = map(take_apart, verdict.released)
    assert (said.payload, said.seq) == (b"", fin)
    assert said.ack == (CLIENT_START + 1 + wire.client_sent) % M


def test_many_answers_go_in_packets_that_any_host_takes():
    wire = greeted()
    wire.client(b"NOOP\r\n" + b"V\r\n" * 5000)
    verdict = wire.server(b"250 o\r\n")
    assert max(len(take_apart(packet).payload) for packet in verdict.released) == 536
    assert wire.received(False).endswith(b"250 o\r\n" + OK * 5000)


def test_refused_segment_acknowledges_nothing():
    wire = greeted()
    wire.client(b"EXPN x\r\n")
    heard = SERVER_START + 1 + wire.server_sent + len(OK)
    assert wire.segment(True, 1_000_000, b"far off", ack=heard) is DROP
    assert wire.firewall.expire(wire.now + 2)
    wire.segment(True, wire.client_sent, b"", ACK, ack=heard)
    assert not wire.firewall.expire(wire.now + 10)


def test_line_without_an_end_resets():
    wire = greeted()
    wire.client(b"NOOP ")
    for _ in range(LONGEST // 512 + 1):
        verdict = wire.client(b"x" * 512)
    assert not verdict.forward
    assert [s.flags & RST for s in wire.seen[-2:]] == [RST, RST]
    assert wire.client(b"\r\n") is DROP


def test_replay_leaves_out_the_recorded_reply():
    wire = Wire(RELEASE, recorded=True).handshake()
    wire.server(b"220 x\r\n")
    wire.client(b"EHLO me\r\n")
    wire.segment(False, 7, b"250-real\r\n250 HELP\r\n", ack=CLIENT_START + 10)
    wire.server_sent = 7 + 20
    wire.segment(True, 9, b"NOOP\r\n", ack=SERVER_START + 8 + 20)
    wire.segment(False, 27, b"250 noop\r\n", ack=CLIENT_START + 16)
    assert wire.received(True) == b"NOOP\r\n"
    assert wire.received(False) == GREETING + OK + b"250 noop\r\n"
    assert Kind.REPLY_TO_UNSENT in wire.kinds()


def test_mail_passes_uneven_numbers_unread():
    wire = greeted()
    wire.client(b"VRFY x\r\nDATA\r\n")
    wire.server(b"354 go\r\n")
    wire.client(b"VRFY\r\n" * 500 + b".\r\nEXPN x\r\n")
    assert wire.received(True) == b"DATA\r\n" + b"VRFY\r\n" * 500 + b".\r\n"


# ---- every way to cut ----

NO = ANSWERS[Blocked.ANSWER_500]
HI = server(b"250-hi\r\n250 hi\r\n")
WELL = server(b"250 well\r\n")


def answered(sent: bytes, answer: bytes = OK) -> Turn:
    """The client's turn, a line that the firewall answers."""
    return client(sent, b"", answered=answer)


def dialogue(name: str, *turns: Turn, release: str = "4.0", **traits: object) -> Case:
    """A case behind a greeting."""
    return Case(name, (server(PLAIN), *turns), release, **traits)  # type: ignore[arg-type]


BLOCKED_LINES = [
    b"EHLO me\r\n",
    b"vrfy root\r\n",
    b"goodmorning\r\n",
    b"HELOX me\r\n",
    b"HEL me\r\n",
    b" NOOP\r\n",
    b"  \r\n",
    b"NOOP\tx\r\n",
    b"NO\0P x\r\n",
    b"NOOP \0\r\n",
    b"\xceOOP x\r\n",
    b"NOOP x\nVRFY y\r\n",
    b"NOOP\rVRFY y\r\n",
    b"NOOP\r\r\n",
    b"\nNOOP\r\n",
]
PERMITTED_LINES = [
    b"HELO me\r\n",
    b"HELO\r\n",
    b"noop\r\n",
    b"\r\n",
    b"RSET x\r\n",
    b"QUIT \xce\r\n",
]
ADDRESSES = {
    b"MAIL FROM:<a|b@c>\r\n": b"MAIL FROM:<a b@c>\r\n",
    b"rcpt to:<<a>> X=<\r\n": b"rcpt to:< a>  X= \r\n",
}

CASES = [
    *(line(sent, b"", answered=OK, release="4.0") for sent in BLOCKED_LINES),
    *(line(sent, release="4.0") for sent in PERMITTED_LINES),
    *(line(sent, arrives, release="4.0") for sent, arrives in ADDRESSES.items()),
    *(
        line(sent, b"", answered=NO, release="6.3", blocked=Blocked.ANSWER_500)
        for sent in (b"HELO\r\n", b"MAIL\r\n", b"EHLO x\r\n", b"STARTTLS\r\n")
    ),
    *(
        line(sent, b"", answered=OK, release="8.4", blocked=Blocked.ANSWER_OK)
        for sent in (b"EXPN x\r\n", b"STARTTLS\r\n", b"BDAT 0 LAST\r\n")
    ),
    *(
        line(sent, release="8.4", blocked=Blocked.ANSWER_OK)
        for sent in (b"VRFY x\r\n", b"HELO\r\n", b"MAIL FROM:<a|b<c>>\r\n")
    ),
    dialogue(
        "| in an address",
        client(b"NOOP\r\nMAIL FROM:<a|b>\r\n", b"NOOP\r\n"),
        release="7.0",
        blocked=Blocked.ANSWER_OK,
        cut_shows=True,
    ),
    dialogue(
        "a mail of one dot",
        client(b"DATA\r\n"),
        server(b"354 go\r\n"),
        client(b".\r\n"),
        WELL,
        answered(b"EXPN x\r\n"),
        client(b"NOOP\r\n"),
        WELL,
        release="8.4",
        blocked=Blocked.ANSWER_OK,
    ),
    dialogue(
        "answers in their turn",
        client(b"HELO me\r\n"),
        HI,
        answered(b"EHLO me\r\n"),
        answered(b"VRFY x\r\n"),
        client(b"NOOP\r\n"),
        WELL,
        answered(b"VRFY y\r\n"),
        client(b"\r\n"),
        WELL,
        client(b"QUIT\r\n"),
        server(b"221 bye\r\n"),
        answered(b"EXPN z\r\n"),
    ),
    Case(
        "an answer behind the greeting",
        (server(b"220-a 20\r\n220 b\r\n", b"220-SMTP\r\n220 S\r\n"), answered(b"EHLO me\r\n")),
        "4.0",
    ),
    dialogue(
        "mail",
        answered(b"BDAT 5\r\n"),
        client(b"MAIL FROM:<a>\r\n"),
        WELL,
        answered(b"EXPN x\r\n"),
        client(b"DATA\r\n"),
        server(b"354 go\r\n"),
        client(b"VRFY x\r\n..\r\n\n.\n\0|\r\n.\r\n"),
        WELL,
        answered(b"VRFY x\r\n"),
        client(b"NOOP\r\nDATA\r\n"),
        server(b"250 well\r\n354 go\r\n"),
        client(b".\r\n"),
        WELL,
        answered(b".\r\n"),
    ),
    dialogue(
        "DATA refused",
        client(b"DATA\r\n"),
        server(b"503-no\r\n503 no\r\n"),
        answered(b"VRFY x\r\n"),
        client(b"NOOP\r\n"),
        WELL,
    ),
    dialogue(
        "AUTH",
        answered(b"EXPN x\r\n", NO),
        client(b"AUTH LOGIN\r\n"),
        server(b"334 VXNlcm5hbWU6\r\n"),
        client(b"EXPN \0\n\r\n"),
        server(b"334 UGFzc3dvcmQ6\r\n"),
        client(b"BDAT\r\n"),
        server(b"235 ok\r\n"),
        answered(b"BDAT\r\n", NO),
        client(b"VRFY x\r\n"),
        WELL,
        release="8.4",
        blocked=Blocked.ANSWER_500,
    ),
    dialogue(
        "a reply to EHLO behind an answer",
        answered(b"STARTTLS\r\n"),
        client(b"EHLO me\r\n"),
        server(
            b"250-me\r\n250-STARTTLS\r\n250 SIZE\r\n", b"250-me\r\n250-XXXXXXXA\r\n250 SIZE\r\n"
        ),
        answered(b"EXPN x\r\n"),
        client(b"HELP\r\n"),
        server(b"250 STARTTLS\r\n"),
        release="8.4",
        blocked=Blocked.ANSWER_OK,
        cut_shows=True,
    ),
    dialogue(
        "STARTTLS",
        answered(b"EXPN x\r\n"),
        client(b"STARTTLS\r\n"),
        server(b"220 go\r\n"),
        client(b"\x16\x03EXPN x\r\n"),
        server(b"\x16\x03354 x\r\n"),
        release="8.4",
        blocked=Blocked.ANSWER_OK,
        tls=True,
    ),
]


@every_way(CASES)
def test_case(case, pace, cut, stream):
    feed(case, pace, cut, stream)


# ---- two hosts and a bad network ----

KNOWN = (b"HELO", b"MAIL", b"RCPT", b"DATA", b"RSET", b"NOOP", b"QUIT")


class Server:
    """An SMTP server that says of each line which one it was."""

    def __init__(self) -> None:
        self.read = 0
        self.lines: list[bytes] = []
        self.in_mail = False

    def hear(self, host: Host) -> None:
        while (end := host.heard.find(b"\r\n", self.read)) >= 0:
            line = bytes(host.heard[self.read : end])
            self.read = end + 2
            self.lines.append(line)
            if self.in_mail:
                if line == b".":
                    self.in_mail = False
                    host.say(b"250 mail\r\n")
                continue
            verb = line[:4].upper()
            assert verb in KNOWN or not line, line
            if verb == b"DATA":
                self.in_mail = True
                host.say(b"354 go\r\n")
            elif verb == b"QUIT":
                host.say(b"221 bye\r\n")
                host.closing = True
            else:
                host.say(b"250-more\r\n250 " + line[:20] + b"\r\n")


class Client:
    """A client that sends batches of lines and waits for as many replies."""

    def __init__(self, batches: list[list[bytes]]) -> None:
        self.batches = list(batches)
        self.missing = 1
        self.read = 0
        self.replies: list[bytes] = []

    def hear(self, host: Host) -> None:
        while (end := host.heard.find(b"\r\n", self.read)) >= 0:
            line = bytes(host.heard[self.read : end])
            self.read = end + 2
            if line[3:4] != b"-":
                self.replies.append(line)
                self.missing -= 1
        if self.missing == 0:
            if self.batches:
                batch = self.batches.pop(0)
                self.missing = len(batch)
                host.say(b"".join(batch))
            else:
                host.closing = True


line = st.sampled_from(
    [
        b"HELO x\r\n",
        b"EHLO x\r\n",
        b"VRFY y\r\n",
        b"NOOP z\r\n",
        b"RSET\r\n",
        b"EXPN " + b"w" * 300 + b"\r\n",
    ]
)
batches = st.lists(st.lists(line, min_size=1, max_size=5), min_size=1, max_size=4)


@pytest.mark.parametrize("action", [Blocked.ANSWER_OK, Blocked.ANSWER_500, Blocked.MASK])
@settings(max_examples=40, deadline=None)
@given(
    plan=batches,
    mail=st.integers(0, 40),
    seed=st.integers(0, 2**32),
    badness=st.sampled_from([0.0, 0.2, 0.5]),
)
def test_dialogue_over_a_bad_network(action, plan, mail, seed, badness):
    text = b"".join(b"VRFY %d %s\r\n" % (number, b"t" * 60) for number in range(mail)) + b".\r\n"
    plan = [*plan, [b"DATA\r\n"], [text], [b"VRFY end\r\n", b"NOOP end\r\n"], [b"QUIT\r\n"]]
    server, client = Server(), Client(plan)
    release = replace(RELEASES["6.3"], blocked=action, argument_verbs=frozenset())
    hear = _lenient(server) if action is Blocked.MASK else server.hear
    network = Network(release, seed, badness, client.hear, hear)
    network.server.say(b"220 mx\r\n")
    network.run(lambda: network.client.fin_sent and network.server.fin_sent)
    expected = [b"220 **"]
    for batch in plan[:-4]:
        expected += [_reply(each, action) for each in batch]
    expected += [
        b"354 go",
        b"250 mail",
        _reply(b"VRFY end\r\n", action),
        b"250 NOOP end",
        b"221 bye",
    ]
    assert client.replies == expected
    arrived = [each for batch in plan for each in batch]
    passed = [each for each in arrived if each[:4] in KNOWN or each is text]
    if action is not Blocked.MASK:
        assert b"\r\n".join(server.lines) + b"\r\n" == b"".join(passed)


def _reply(text: bytes, action: Blocked) -> bytes:
    if text[:4] in KNOWN:
        return b"250 " + text[:-2][:20]
    return ANSWERS.get(action, b"500 no\r\n")[:-2]


def _lenient(server: Server):
    """A server that knows XXXX too."""

    def hear(host: Host) -> None:
        while (end := host.heard.find(b"\r\n", server.read)) >= 0:
            line = bytes(host.heard[server.read : end])
            if not server.in_mail and line.startswith(b"XXXX"):
                server.read = end + 2
                host.say(b"500 no\r\n")
                continue
            rest = host.heard[end + 2 :]
            del host.heard[end + 2 :]
            server.hear(host)
            host.heard += rest

    return hear
