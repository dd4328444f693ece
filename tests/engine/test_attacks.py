"""Attacks: what a hostile client, a third party or a strange network can send, and what then holds.

The claim: no server that ends lines and mail at CRLF only ever takes a command whose verb the
release blocks, whatever its TCP makes of copies that differ; no honest connection is harmed; and
no packet makes the engine raise or remember without bound.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.events import Closing, ConnectionBuilt, ConnectionClosed, Kind
from appliance.firewall import Firewall
from appliance.smtp.release import DEFAULT, RELEASES, Blocked, Release, ShortSegment
from appliance.tcp.room import HELD_IN_ALL
from appliance.verdict import DROP, Verdict
from tests.wire import (
    ACK,
    CLIENT_START,
    FIN,
    PSH,
    RST,
    SERVER_START,
    SYN,
    URG,
    Seen,
    Wire,
    inspecting,
    packet,
    take_apart,
)

INCONSISTENT = Kind.INCONSISTENT_RETRANSMISSION
STREAM = replace(DEFAULT, short_segment=ShortSegment.STREAM)
BOTH = pytest.mark.parametrize("release", [DEFAULT, STREAM], ids=["row", "stream"])
ANSWERING = replace(RELEASES["4.0"], short_segment=ShortSegment.STREAM)
WAYS = {
    "row": DEFAULT,
    "stream": STREAM,
    "line": replace(STREAM, blocked=Blocked.MASK_LINE),
    "noop, row": RELEASES["fwsm-2"],
    "noop, stream": replace(RELEASES["fwsm-2"], short_segment=ShortSegment.STREAM),
    "answer-ok, row": RELEASES["4.0"],
    "answer-ok, mask row": replace(RELEASES["4.0"], short_segment=ShortSegment.MASK),
    "answer-ok, stream": ANSWERING,
    "answer-500, stream": replace(STREAM, blocked=Blocked.ANSWER_500),
}

SEVEN = (b"HELO", b"MAIL", b"RCPT", b"DATA", b"RSET", b"NOOP", b"QUIT")
BLOCKED = frozenset(
    b"EHLO HELP VRFY EXPN AUTH ETRN STARTTLS BDAT TURN ATRN SEND SOML SAML XCLIENT XFORWARD "
    b"XEXCH50 VERB ONEX LHLO".split()
)


@dataclass
class Server:
    """A mail server that ends lines and mail at CRLF only, behind a TCP that keeps first copies.

    Args:
        accepts: asked at each DATA whether mail may come.
    """

    accepts: Callable[[], bool]
    received: bytearray = field(default_factory=bytearray)
    replies: bytearray = field(default_factory=bytearray)
    commands: list[bytes] = field(default_factory=list)
    _early: dict[int, int] = field(default_factory=dict)
    _line: bytearray = field(default_factory=bytearray)
    _mail: bytearray | None = None
    fin: int | None = None

    def __post_init__(self) -> None:
        self.replies += b"220 mx ready\r\n"

    def take(self, offset: int, payload: bytes) -> None:
        for index, byte in enumerate(payload):
            self._early.setdefault(offset + index, byte)
        while len(self.received) in self._early:
            byte = self._early[len(self.received)]
            self.received.append(byte)
            self._read(byte)

    def _read(self, byte: int) -> None:
        if self._mail is not None:
            self._mail.append(byte)
            if self._mail.endswith(b"\r\n.\r\n"):
                self._mail = None
                self.replies += b"250 queued\r\n"
            return
        self._line.append(byte)
        if not self._line.endswith(b"\r\n"):
            return
        line = bytes(self._line[:-2])
        self._line.clear()
        self.commands.append(line)
        verb = re.split(rb"[\s:]", line.strip(b" \t"))[0].upper()
        if verb == b"DATA":
            if self.accepts():
                self._mail = bytearray(b"\r\n")
                self.replies += b"354 go\r\n"
            else:
                self.replies += b"503 no\r\n"
        elif verb in SEVEN:
            self.replies += b"250-yes\r\n250 ok\r\n"
        else:
            self.replies += b"500 what\r\n"

    def assert_unharmed(self) -> None:
        for line in self.commands:
            # However much a server strips, and wherever it thinks that a verb ends.
            words = re.split(rb"[^A-Za-z0-9]+", line.strip())
            first = next((word for word in words if word), b"")
            assert first.upper() not in BLOCKED, line


class Path:
    """Firewall and server, with a network behind the firewall that loses what it is told to."""

    def __init__(self, release: Release, accepts: Callable[[], bool]) -> None:
        self.wire = Wire(release).handshake()
        self.server = Server(accepts)
        self.shown = 0  # bytes of the server's replies that the firewall has been handed
        self.copies: dict[tuple[bool, int], int] = {}
        self.sent = {True: 0, False: 0}  # offset behind all that came, by whether from the client

    def client(
        self,
        offset: int,
        payload: bytes,
        flags: int = PSH | ACK,
        lost: bool = False,
        ack: int | None = None,
        urgent: int = 0,
    ) -> Verdict:
        acknowledged = self.shown if ack is None else ack
        return self._give(
            packet(
                True,
                CLIENT_START + 1 + offset,
                SERVER_START + 1 + acknowledged,
                flags,
                payload,
                urgent=urgent,
            ),
            lost,
        )

    def serve(self, size: int) -> None:
        """The server's next bytes pass, with an acknowledgement of all that it has."""
        payload = bytes(self.server.replies[self.shown : self.shown + size])
        self._give(
            packet(
                False,
                SERVER_START + 1 + self.shown,
                CLIENT_START + 1 + len(self.server.received),
                PSH | ACK,
                payload,
            ),
            False,
        )
        self.shown += len(payload)

    def wait(self, seconds: float) -> None:
        """Time goes by, and the firewall sends again what is its own to deliver."""
        self.wire.now += seconds
        again = [take_apart(data) for data in self.wire.firewall.expire(self.wire.now)]
        self.wire.seen += again
        self._leave(again, False)

    def _give(self, data: bytes, lost: bool) -> Verdict:
        given = take_apart(data)
        end = _offset(given) + len(given.payload) + bool(given.flags & FIN)
        self.sent[given.from_client] = max(self.sent[given.from_client], end)
        before = len(self.wire.seen)
        verdict = self.wire.give(data)
        self._leave(self.wire.seen[before:], lost)
        return verdict

    def _leave(self, packets: list[Seen], lost: bool) -> None:
        for seen in packets:
            self._agree(seen)
            if seen.from_client and not seen.flags & (SYN | RST) and not lost:
                self.server.take(_offset(seen), seen.payload)

    def _agree(self, seen: Seen) -> None:
        """All copies of a byte that ever leave are equal: then no receiver's choice matters."""
        assert not (seen.flags & (SYN | RST) and seen.payload)
        for index, byte in enumerate(seen.payload):
            at = (seen.from_client, _offset(seen) + index)
            assert self.copies.setdefault(at, byte) == byte
        if seen.flags & (SYN | RST | ACK) == ACK:
            own = SERVER_START if seen.from_client else CLIENT_START
            acknowledged = (seen.ack - own - 1 + (1 << 31)) % (1 << 32) - (1 << 31)
            assert acknowledged <= self.sent[not seen.from_client], "bytes that were never sent"


def _offset(seen: Seen) -> int:
    start = (CLIENT_START if seen.from_client else SERVER_START) + 1
    return (seen.seq - start + (1 << 31)) % (1 << 32) - (1 << 31)


token = st.sampled_from(
    [
        *[b"DATA\r\n", b".\r\n", b"\r\n.\r\n", b"VRFY x\r\n"] * 2,
        *[b"DATA x\r\n", b"EHLO y\r\n", b"NOOP\r\n", b"QUIT\r\n", b"\r\nVRFY", b"NOOP x", b"HELO"],
        *[b"\r\n", b"\r", b"\n", b".", b" ", b"\0", b"\xc4", b"text", b"MAIL FROM:<", b"|>"],
        *[b"D", b"ATA", b"E", b"VR", b"FY"],
    ]
)
script = st.lists(token, min_size=4, max_size=24).map(b"".join)


@pytest.mark.parametrize("release", WAYS.values(), ids=list(WAYS))
@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_no_blocked_verb_reaches_a_server(release, data):
    contents = (data.draw(script), data.draw(script))
    rng = data.draw(st.randoms(use_true_random=True))
    path = Path(release, lambda: rng.random() < 0.7)
    at = 0
    for _ in range(rng.randrange(10, 60)):
        match rng.randrange(9):
            case 0 | 1 | 2:  # on
                size = rng.choice((1, 2, 3, 5, 8, 20))
                path.client(at, contents[0][at : at + size])
                at = min(at + size, len(contents[0]))
            case 3 | 4:  # astray, with either content, some of it lost behind the firewall
                start = max(-3, at + rng.randrange(-12, 12))
                content = b"???" + rng.choice(contents)
                payload = content[start + 3 : start + 3 + rng.choice((1, 2, 4, 9, 30))]
                flags = rng.choice((ACK, PSH | ACK, PSH | ACK, PSH | ACK | URG, 0))
                path.client(start, payload, flags, lost=rng.random() < 0.4, urgent=rng.randrange(9))
            case 5 | 6:
                path.serve(rng.choice((1, 4, 7, 8, 14, 100)))
            case 7:
                strange = rng.choice((FIN | ACK, SYN | ACK, SYN, RST, RST | ACK, 0xFF, 0))
                shift = rng.choice((1, 2, 5, 70000, -1, -4))
                path.client(at + shift, b"VRFY\r\n"[: rng.randrange(7)], strange, lost=True)
            case 8:
                path.wait(rng.choice((0.5, 3, 40)))
        at = max(at, min(len(path.server.received), len(contents[0])))
    # The sender's TCP sends all that is not acknowledged once more, in pieces of its own.
    path.serve(1000)
    while at < len(contents[0]):
        path.client(at, contents[0][at : at + 40])
        at += 40
        path.serve(1000)
    path.server.assert_unharmed()


@pytest.mark.parametrize("recorded", [False, True])
@settings(max_examples=300, deadline=None)
@given(rng=st.randoms(use_true_random=True))
def test_no_packet_makes_the_engine_raise(recorded, rng):
    firewall = Firewall(inspecting(DEFAULT, adopts=recorded), lambda event: None, recorded)
    valid = [
        packet(True, CLIENT_START, 0, SYN, options=b"\x02\x04\x05\xb4\x03\x03\x0e"),
        packet(False, SERVER_START, CLIENT_START + 1, SYN | ACK, options=b"\x03\x03\x07"),
        packet(True, CLIENT_START + 1, SERVER_START + 1, ACK),
        packet(False, SERVER_START + 1, CLIENT_START + 1, PSH | ACK, b"220 x\r\n"),
        packet(True, CLIENT_START + 1, SERVER_START + 8, PSH | ACK, b"DATA\r\nVRFY\r\n"),
        packet(True, CLIENT_START + 9, SERVER_START + 8, PSH | ACK | FIN, b"text"),
        packet(False, SERVER_START + 8, CLIENT_START + 13, PSH | ACK | URG, b"354 x\r\n"),
        packet(False, SERVER_START + 15, CLIENT_START + 13, FIN | ACK),
        packet(True, CLIENT_START + 1, SERVER_START + 8, RST),
    ]
    now = 0.0
    for each in valid * 3:
        data = bytearray(each)
        for _ in range(rng.choice((0, 0, 1, 1, 2, 20))):
            at = rng.choice((0, 1, 2, 3, 6, 7, 9, 24, 28, 32, 33, 40, 41, rng.randrange(len(data))))
            if at < len(data):
                data[at] = rng.choice((0, 1, 6, 17, 0x40, 0x45, 0x4F, 0x50, 0xF0, 0xFF))
        if rng.random() < 0.1:
            del data[rng.randrange(len(data)) :]
        now += 0.5
        firewall.receive(bytes(data), now)
        firewall.expire(now)
    firewall.close(now)


class Host:
    """An honest TCP of an honest mailer, on a network that loses, doubles and reorders.

    Args:
        wire: where the firewall is.
        from_client: which end it is.
    """

    def __init__(self, wire: Wire, from_client: bool) -> None:
        self.wire, self.from_client = wire, from_client
        self.own, self.other = CLIENT_START + 1, SERVER_START + 1
        if not from_client:
            self.own, self.other = self.other, self.own
        self.to_send = b""
        self.unacknowledged = 0
        self.finished = False  # its FIN follows what is to be sent
        self.early: dict[int, int] = {}
        self.received = bytearray()
        self.fin: int | None = None

    @property
    def expected(self) -> int:
        return len(self.received) + (self.fin == len(self.received))

    def segments(self, rng: random.Random) -> list[bytes]:
        """All that is not acknowledged, cut anew, or an acknowledgement."""
        at, out = min(self.unacknowledged, len(self.to_send)), []
        while at < len(self.to_send):
            end = min(len(self.to_send), at + rng.choice((3, 40, 200)))
            out.append(self._packet(at, self.to_send[at:end], PSH | ACK))
            at = end
        if self.finished:
            out.append(self._packet(len(self.to_send), b"", FIN | ACK))
        return out or [self._packet(self.unacknowledged, b"", ACK)]

    def _packet(self, at: int, payload: bytes, flags: int) -> bytes:
        ack = self.other + self.expected
        return packet(self.from_client, self.own + at, ack, flags, payload)

    def take(self, seen: Seen) -> None:
        acknowledged = (seen.ack - self.own) % (1 << 32)
        if acknowledged <= len(self.to_send) + self.finished:
            self.unacknowledged = max(self.unacknowledged, acknowledged)
        for index, byte in enumerate(seen.payload):
            self.early.setdefault(_offset(seen) + index, byte)
        if seen.flags & FIN:
            self.fin = _offset(seen) + len(seen.payload)
        while len(self.received) in self.early:
            self.received.append(self.early[len(self.received)])


@settings(max_examples=100, deadline=None)
@given(rng=st.randoms(use_true_random=True))
def test_honest_connection_gets_through_a_bad_network(rng):
    wire = Wire(STREAM).handshake()
    client, server = Host(wire, True), Host(wire, False)
    body = b"".join(b"line %d\r\n" % number for number in range(120))
    script = [
        (server, b"220 mx\r\n"),
        (client, b"HELO client.example\r\n"),
        (server, b"250 mx\r\n"),
        (client, b"MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\n"),
        (server, b"250 ok\r\n250 ok\r\n354 go\r\n"),
        (client, body + b".\r\nQUIT\r\n"),
        (server, b"250 queued\r\n221 bye\r\n"),
    ]
    for speaker, text in script:
        listener = server if speaker is client else client
        speaker.to_send += text
        speaker.finished = text.endswith((b"QUIT\r\n", b"bye\r\n"))
        for _ in range(400):
            packets = speaker.segments(rng) + listener.segments(rng)
            packets += rng.sample(packets, rng.randrange(len(packets)))
            if rng.random() < 0.6:
                rng.shuffle(packets)
            for data in packets:
                if rng.random() < 0.15:
                    continue  # lost before the firewall
                before = len(wire.seen)
                wire.give(data)
                for seen in wire.seen[before:]:
                    if rng.random() > 0.15:  # or behind it
                        (server if seen.from_client else client).take(seen)
            wire.seen.clear()
            if speaker.unacknowledged == len(speaker.to_send) + speaker.finished:
                break
        assert speaker.unacknowledged == len(speaker.to_send) + speaker.finished
    assert server.received == client.to_send
    assert client.received == b"220 **\r\n" + server.to_send[8:]
    assert INCONSISTENT not in wire.kinds()
    for end in (client, server, client):
        for data in end.segments(rng):
            wire.give(data)
    (closed,) = [e for e in wire.events if isinstance(e, ConnectionClosed)]
    assert closed.closing is Closing.FIN


# What particular attacks meet.


def command_phase() -> Wire:
    wire = Wire().handshake()
    wire.server(b"220 x\r\n")
    return wire


@pytest.mark.parametrize("order", [(0, 1, 2), (1, 0, 2), (2, 1, 0), (1, 2, 0), (2, 0, 1)])
def test_overlaps_that_would_make_a_verb_of_two(order):
    segments = [(0, b"NOOP\r\nNO"), (4, b"\r\nVRFY\r\n"), (6, b"NOOP x\r\n")]
    path = Path(STREAM, lambda: True)
    path.serve(100)
    for index in order:
        path.client(*segments[index])
    for index in range(3):
        path.client(*segments[index])
    path.server.assert_unharmed()
    assert len(path.server.received) == 14


def test_bytes_before_the_first_are_cut_off():
    wire = command_phase()
    wire.segment(True, -5, b"VRFY VRFY x\r\n")
    assert wire.received(True) == b"XXXX x\r\n"
    assert (wire.seen[-1].seq - CLIENT_START) % (1 << 32) == 1


@pytest.mark.parametrize("flags", [FIN | ACK, FIN | PSH | ACK])
def test_held_fin_is_released_at_its_place_and_ends_the_stream(flags):
    wire = command_phase()
    assert not wire.segment(True, 6, b"QUIT\r\n", flags).forward
    assert not wire.segment(True, 12, b"VRFY\r\n").forward
    wire.segment(True, 0, b"NOOP\r\n")
    assert wire.received(True) == b"NOOP\r\nQUIT\r\n"
    assert wire.seen[-1].flags & FIN
    assert not wire.segment(True, 12, b"VRFY\r\n").forward
    assert wire.segment(True, 6, b"QUIT\r\n", flags).forward  # sent again


def test_held_fin_that_bytes_overtake_is_dropped():
    wire = command_phase()
    wire.segment(True, 6, b"", FIN | ACK)
    wire.segment(True, 0, b"NOOP\r\nNOOP\r\n")
    assert wire.received(True) == b"NOOP\r\nNOOP\r\n"
    assert not any(seen.flags & FIN for seen in wire.seen)


@BOTH
@pytest.mark.parametrize("between", [b"", b".\r\n", b"NOOP x\r\n.\r\n", b"NOOP \r", b"DATA\r\n"])
def test_what_is_pipelined_behind_data_cannot_end_the_mail(release, between):
    path = Path(release, lambda: True)
    path.serve(100)
    path.client(0, b"DATA\r\n" + between)
    path.serve(100)
    end = b"\n" if between.endswith(b"\r") else b""
    path.client(6 + len(between), end + b"VRFY mail\r\n.\r\nVRFY root\r\n")
    assert path.server.commands == [b"DATA", b"XXXX root"]


@BOTH
def test_mail_that_is_one_dot_comes_with_the_354_s_acknowledgement(release):
    path = Path(release, lambda: True)
    path.serve(100)
    path.client(0, b"DATA\r\n")
    path.serve(100)
    path.client(6, b".\r\nVRFY a\r\nDATA\r\n.\r\nVRFY b\r\n")
    path.serve(100)
    path.client(33, b".\r\nVRFY c\r\n")
    path.server.assert_unharmed()


@pytest.mark.parametrize(
    "replies",
    [
        b"220-x\r\n354 go\r\n",  # within the greeting
        b"220 x\r\n354 go\r\n",  # before any DATA
        b"220 x\r\n354-go\r\n",  # unfinished
        b"220 x\r\n250-354 go\r\n250 354 go\r\n",
        b"220 x\r\n503 no\r\n354 go\r\n",
    ],
)
def test_354_in_odd_places_begins_no_mail(replies):
    wire = Wire().handshake()
    if b"503" in replies:
        wire.server(b"220 x\r\n")
        wire.client(b"DATA\r\n")
        wire.server(replies[7:])
    else:
        wire.server(replies)
        wire.client(b"NOOP\r\n")
    wire.client(b"VRFY root\r\n")
    assert wire.received(True).endswith(b"XXXX root\r\n")


def test_zero_window_probe_and_keep_alive_do_no_harm():
    wire = command_phase()
    wire.client(b"NOOP x\r\n")
    wire.segment(False, 7, b"", ACK, window=0)
    wire.client(b"RSET\r\n"[:1])  # a probe that starts a command: dropped without a trace
    wire.segment(True, 8, b"RSET\r\n")
    assert wire.received(True) == b"NOOP x\r\nRSET\r\n"


def test_discarded_segment_leaves_no_trace_whatever_follows():
    wire = command_phase()
    assert wire.segment(True, 0, b"NOOP") is DROP
    assert wire.segment(True, 4, b"\r\nNOOP\r\n") is DROP
    assert wire.segment(True, 2, b"OP\r\n", FIN | ACK) is DROP
    wire.segment(True, 0, b"VRFY x\r\n")
    assert wire.received(True) == b"XXXX x\r\n"
    wire.client_sent = 8
    wire.client(b"RSET\r\n")
    assert wire.received(True) == b"XXXX x\r\nRSET\r\n"


def test_reset_that_never_arrives_lets_nothing_through():
    wire = command_phase()
    wire.client(b"DATA\r\n")
    wire.server(b"354 go\r\n")
    wire.client(b"", flags=RST)  # with a time to live that ends before the server
    assert wire.client(b"VRFY\r\n") is DROP
    wire.give(packet(True, CLIENT_START, 0, SYN))
    challenge = packet(False, SERVER_START + 16, CLIENT_START + 7, ACK)
    assert wire.give(challenge) is DROP
    assert wire.client(b"VRFY\r\n") is DROP


@pytest.mark.parametrize("shift", [-1, 1, 100])
def test_syn_ack_of_other_numbers_is_dropped(shift):
    wire = command_phase()
    number = SERVER_START + shift
    assert wire.give(packet(False, number, CLIENT_START + 1, SYN | ACK)) is DROP
    number = CLIENT_START + 1 + shift
    assert wire.give(packet(False, SERVER_START, number, SYN | ACK)) is DROP


def test_acknowledgements_of_the_past_and_of_the_future_change_nothing():
    wire = command_phase()
    wire.client(b"NOOP x\r\n")
    for ack, forwarded in ((-3, True), (3, True), (8, True), (9, False), (1 << 20, False)):
        verdict = wire.segment(False, 7, b"", ACK, ack=CLIENT_START + 1 + ack)
        assert verdict.forward is forwarded
    wire.segment(True, 0, b"VRFY y\r\n")
    assert wire.received(True) == wire.received(True, last_wins=True) == b"NOOP x\r\n"


@pytest.mark.parametrize("cut", range(1, 40))
def test_copies_cut_anew_across_answered_lines(cut):
    text = b"NOOP 1\r\nEXPN a\r\nNOOP 2\r\nVRFY b\r\nEXPN c\r\nRSET\r\n"
    path = Path(ANSWERING, lambda: True)
    path.serve(100)
    path.client(0, text[:20])
    path.client(20, text[20:])
    for piece in range(0, len(text), cut):
        path.client(piece, text[piece : piece + cut])
        path.client(piece, (b"VRFY d\r\n" * 7)[: len(text) - piece])
    path.wait(2)
    assert path.server.commands == [b"NOOP 1", b"NOOP 2", b"RSET"]


@pytest.mark.parametrize("cut", range(1, 21))
def test_numbers_wrap_inside_a_line_that_is_answered(cut):
    path = Path(ANSWERING, lambda: True)
    path.serve(100)
    first = b"NOOP " + b"x" * 238 + b"\r\n"  # the number of the 256th byte is 0
    text = first + b"EXPN " + b"y" * 14 + b"\r\nRSET\r\n"
    path.client(0, first)
    path.client(len(first), text[len(first) : len(first) + cut])
    path.client(len(first) + cut, text[len(first) + cut :])
    path.client(len(first) - 3, text[len(first) - 3 :])
    assert path.server.commands == [first[:-2], b"RSET"]


def test_bytes_of_an_answered_line_cannot_come_again_as_others():
    path = Path(ANSWERING, lambda: True)
    path.serve(100)
    path.client(0, b"EXPN a\r\nNO")
    path.client(0, b"NOOP\r\n\r\nEX")
    path.client(8, b"EXPN\r\n")
    path.wait(2)
    assert path.server.received == b""  # what came last is EXPN; its line is NOPN


@pytest.mark.parametrize("short_segment", ShortSegment)
def test_mail_that_is_one_dot_where_a_short_segment_was_taken_in(short_segment):
    path = Path(replace(RELEASES["4.0"], short_segment=short_segment), lambda: True)
    path.serve(100)
    path.client(0, b"E")
    path.client(0, b"EXPN a\r\nDATA\r\n")
    path.serve(100)
    path.client(14, b".\r\nEXPN b\r\n")
    assert path.server.commands == [b"DATA"]


# The holes that this campaign found.


def test_slow_greeting_is_waited_for():
    """RFC 5321, section 4.5.3.2.1: a client waits five minutes for it."""
    wire = Wire().handshake()
    wire.firewall.expire(wire.now + 100)
    wire.now += 100
    assert wire.server(b"220 x\r\n").forward


def test_server_s_segments_cannot_be_forged_from_the_client_s_side():
    wire = command_phase()
    wire.client(b"DATA\r\n")  # refused, say; the client then sends the server's 354 itself
    forged = packet(False, SERVER_START + 8, CLIENT_START + 7, PSH | ACK, b"354 go\r\n")
    assert wire.firewall.receive(forged, wire.now, "outside", "outside") is DROP
    wire.client(b"VRFY root\r\n")
    assert wire.received(True) == b"DATA\r\nXXXX root\r\n"


def test_forged_354_cannot_wait_for_its_place():
    """As above, without a race: it is held ready behind the reply to the first of two DATA."""
    wire = command_phase()
    refusal = b"503 Error: send HELO first\r\n"
    at = SERVER_START + 8 + len(refusal)
    forged = packet(False, at, CLIENT_START + 1, PSH | ACK, b"354 go\r\n")
    wire.firewall.receive(forged, wire.now, "outside", "outside")
    wire.client(b"DATA\r\nDATA\r\n")
    wire.server(refusal)
    wire.client(b"VRFY root\r\n")
    assert wire.received(True).endswith(b"XXXX root\r\n")


@pytest.mark.parametrize("ingress", ["inside", "dmz"])
def test_client_s_segments_cannot_be_forged_from_another_side(ingress):
    wire = command_phase()
    forged = packet(True, CLIENT_START + 1, SERVER_START + 8, PSH | ACK, b"RSET\r\n")
    assert wire.firewall.receive(forged, wire.now, ingress, "inside") is DROP
    wire.client(b"NOOP\r\n")
    assert wire.received(True) == b"NOOP\r\n"


def test_segments_of_a_connection_pass_by_its_own_interfaces():
    wire = command_phase()
    sent = packet(True, CLIENT_START + 1, SERVER_START + 8, PSH | ACK, b"RSET\r\n")
    assert wire.firewall.receive(sent, wire.now, "outside", "inside").forward
    reply = packet(False, SERVER_START + 8, CLIENT_START + 7, PSH | ACK, b"250 x\r\n")
    assert wire.firewall.receive(reply, wire.now, "inside", "outside").forward


def test_server_s_segment_beyond_the_client_s_window_is_dropped():
    wire = command_phase()
    assert wire.segment(False, 1 << 20, b"250 x\r\n") is DROP
    assert wire.kinds()[-1] is Kind.SEGMENT_DROPPED


@pytest.mark.parametrize("by", ["fin", "reset"])
def test_closed_connection_is_forgotten_soon_however_long_it_lived(by):
    wire = command_phase()
    wire.client(b"NOOP\r\n")
    wire.now += 40
    wire.firewall.expire(wire.now)
    if by == "reset":
        wire.client(b"", flags=RST)
    else:
        wire.client(b"QUIT\r\n", flags=FIN | PSH | ACK)
        wire.segment(False, 7, b"", FIN | ACK, ack=CLIENT_START + 1 + 13)
        wire.segment(True, 13, b"", ACK, ack=SERVER_START + 1 + 8)
    (closed,) = [e for e in wire.events if isinstance(e, ConnectionClosed)]
    assert closed.closing is Closing(by)
    wire.firewall.expire(wire.now + 40)
    assert wire.firewall.flows == 0
    assert not any(wire.firewall._flows._deadlines.values())


def test_half_closed_connection_ends_after_its_own_time():
    wire = command_phase()
    wire.client(b"NOOP\r\n")
    wire.now += 40
    wire.firewall.expire(wire.now)
    wire.client(b"", flags=FIN | ACK)
    wire.firewall.expire(wire.now + 640)
    assert wire.firewall.flows == 0


def test_one_byte_segments_are_remembered_at_small_cost():
    wire = command_phase()
    wire.client(b"DATA\r\n")
    wire.server(b"354 go\r\n")
    for _ in range(4000):
        wire.firewall.receive(
            packet(True, CLIENT_START + 1 + wire.client_sent, SERVER_START + 16, ACK, b"x"),
            wire.now,
        )
        wire.client_sent += 1
    _, connection = next(iter(wire.firewall._flows))
    assert len(connection._client._pieces) < 400


def test_replies_that_never_come_are_counted_within_a_bound():
    wire = command_phase()
    lines = b"\r\n" * 30000
    for _ in range(40):
        wire.firewall.receive(
            packet(True, CLIENT_START + 1 + wire.client_sent, SERVER_START + 8, ACK, lines),
            wire.now,
        )
        wire.client_sent += len(lines)
        wire.firewall.receive(
            packet(False, SERVER_START + 8, CLIENT_START + 1 + wire.client_sent, ACK), wire.now
        )
    _, connection = next(iter(wire.firewall._flows))
    assert len(connection._inspector._dialogue._due) <= 1 << 20


def test_small_held_segments_are_few():
    """Each is looked at for every segment that comes: 4,000 of them cost 1.4 ms a packet."""
    wire = command_phase()
    for number in range(3000):
        wire.firewall.receive(
            packet(True, CLIENT_START + 11 + 2 * number, SERVER_START + 8, ACK, b"x"), wire.now
        )
    _, connection = next(iter(wire.firewall._flows))
    assert len(connection._client.held) <= 512


def test_held_segments_are_bounded_in_all():
    """Within a bound per direction and in all."""
    wire = Wire()
    held = 0
    for port in range(2000, 2600):
        ports = (port, 25)
        give = wire.firewall.receive
        give(packet(True, 0, 0, SYN, ports=ports), wire.now)
        give(packet(False, 0, 1, SYN | ACK, ports=ports), wire.now)
        give(packet(True, 1, 1, ACK, ports=ports), wire.now)
        give(packet(True, 9, 1, ACK, b"x" * 60000, ports=ports), wire.now)
    for _, flow in wire.firewall._flows:
        held += flow._client._held_bytes
    assert held == wire.firewall.room.held <= HELD_IN_ALL


def test_opening_again_and_again_is_not_remembered():
    wire = Wire()
    for number in range(1000):
        wire.give(packet(True, number * 7, 0, SYN))
    assert sum(map(len, wire.firewall._flows._deadlines.values())) <= 10
    built = sum(isinstance(e, ConnectionBuilt) for e in wire.events)
    closed = sum(isinstance(e, ConnectionClosed) for e in wire.events)
    assert built - closed == 1  # each that gave way has ended


def test_fin_whose_bytes_are_forgotten_keeps_its_place():
    wire = command_phase()
    wire.client(b"DATA\r\n")
    wire.server(b"354 go\r\n")
    wire.client(b"x" * 1400)
    wire.segment(False, wire.server_sent, b"", ACK)
    wire.segment(True, 6, b"x" * 1400, FIN | ACK)
    seen = wire.seen[-1]
    assert (seen.payload, _offset(seen) if seen.payload == b"" else 0) == (b"", 1406)


@pytest.mark.parametrize("extra", [RST, FIN, RST | ACK])
def test_syn_with_flags_that_exclude_it_is_dropped(extra):
    """A server takes a SYN with RST for a reset; here the connection would go on."""
    assert Wire().give(packet(True, CLIENT_START, 0, SYN | extra)) is DROP
    wire = command_phase()
    assert wire.segment(True, 0, b"", SYN | extra) is DROP


def test_line_masked_from_a_segment_s_first_byte_is_told():
    wire = command_phase()
    wire.client(b"NOOP x\n")
    wire.client(b"VRFY root\r\n")
    assert wire.received(True) == b"NOOP x\nXXXX XXXX\r\n"
    assert Kind.COMMAND_BLOCKED in wire.kinds()


@pytest.mark.parametrize("held", [False, True])
def test_inconsistency_is_told_where_it_begins(held):
    wire = command_phase()
    at = 2 if held else 0
    for content in (b"NOOP x\r\n", b"NOOP y\r\n"):
        wire.segment(True, at, content)
    (event,) = [e for e in wire.events if getattr(e, "kind", None) is INCONSISTENT]
    assert event.offset == at + 5


def test_second_reset_in_a_capture_is_no_new_connection():
    wire = Wire(recorded=True).handshake()
    wire.server(b"220 x\r\n")
    wire.client(b"", flags=RST | ACK)
    wire.client(b"", flags=RST | ACK)
    assert sum(isinstance(e, ConnectionBuilt) for e in wire.events) == 1


def test_bytes_still_on_their_way_after_a_reset_are_no_new_connection():
    wire = Wire(recorded=True).handshake()
    wire.server(b"220 x\r\n")
    wire.client(b"NOOP\r\n")
    wire.client(b"", flags=RST)
    wire.server(b"250 ok\r\n")
    assert sum(isinstance(e, ConnectionBuilt) for e in wire.events) == 1
