"""Mailers and servers on TCPs of their own, and a watch over what passes the firewall between them.

Other than those of `tests.engine.hosts`, these TCPs live among attackers: what a real one would
not believe they ignore, a reset they take only with the number that they expect (RFC 5961).
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from random import Random

from appliance.smtp.release import Release
from tests.engine.feeding import Case
from tests.engine.model import Model
from tests.wire import ACK, CLIENT, FIN, PSH, RST, SYN, URG, Seen, checksums_right, packet

WINDOW = 3000
RESEND = 1.5
OWN_PAYLOAD = 536
"""Bytes that any host takes in a segment (RFC 1122, section 4.2.2.6)."""

KNOWN = frozenset(
    b"HELO MAIL RCPT DATA RSET NOOP QUIT EHLO HELP VRFY EXPN AUTH ETRN STARTTLS BDAT TURN ATRN "
    b"SEND SOML SAML XCLIENT XFORWARD XEXCH50 VERB ONEX LHLO".split()
)
"""Verbs that some server or other knows."""


def distance(number: int, start: int) -> int:
    """How far a sequence number lies behind another one, below zero if before it."""
    return (number - start + (1 << 31)) % (1 << 32) - (1 << 31)


def parse(data: bytes) -> tuple[Seen, int] | None:
    """A packet and its client's port; None if its headers do not fit into it."""
    header = (data[0] & 15) * 4 if data else 0
    if not 20 <= header <= len(data) - 20:
        return None
    end = struct.unpack("!H", data[2:4])[0]
    ports = struct.unpack("!HH", data[header : header + 4])
    seq, ack, offset, flags = struct.unpack("!IIBB", data[header + 4 : header + 14])
    at = header + (offset >> 4) * 4
    if not header + 20 <= at <= end <= len(data):
        return None
    from_client = data[12:16] == CLIENT.packed
    seen = Seen(data, from_client, seq, ack, flags, data[at:end])
    return seen, ports[0] if from_client else ports[1]


def options(data: bytes) -> dict[int, bytes]:
    """The TCP options of a packet, by kind."""
    at = (data[0] & 15) * 4
    found: dict[int, bytes] = {}
    text = data[at + 20 : at + (data[at + 12] >> 4) * 4]
    while text and text[0]:
        size = 1 if text[0] == 1 else int.from_bytes(text[1:2])
        if not size:
            break
        found[text[0]] = text[2:size]
        text = text[size:]
    return found


@dataclass
class Peer:
    """One end of a connection.

    Args:
        is_client: which end.
        port: the client's.
        start: its initial sequence number.
        hear: told of new bytes of the other end.
        whole_lines: whether its segments end where lines do, else anywhere.
        modern: whether it speaks RFC 7323 and RFC 2018: window scale, timestamps, SACK.
        alone: whether nobody else sends in its name, so that what it gets must make sense.
    """

    is_client: bool
    port: int
    start: int
    hear: Callable[[Peer], None]
    whole_lines: bool = False
    modern: bool = False
    alone: bool = True
    sent: bytearray = field(default_factory=bytearray)
    heard: bytearray = field(default_factory=bytearray)
    out: list[bytes] = field(default_factory=list)
    peer_start: int | None = None
    established: bool = False
    dead: bool = False
    closing: bool = False
    fin_heard: int | None = None
    acknowledged: int = 0
    next: int = 0
    furthest: int = 0  # behind all that was ever sent, the FIN included
    edge: int = 0  # behind all that the other end allows
    scale: int = 0
    peer_scale: int = 0
    recent: int = 0  # the other end's timestamp
    now: float = 0.0
    sent_at: float = -RESEND
    early: dict[int, int] = field(default_factory=dict)

    @property
    def received(self) -> int:
        """Bytes of the other end that came in order, its FIN included."""
        return len(self.heard) + (self.fin_heard == len(self.heard))

    @property
    def finished(self) -> bool:
        """Whether both FINs have come through, as far as it knows."""
        return self.acknowledged > len(self.sent) and self.received > len(self.heard)

    def say(self, text: bytes) -> None:
        if not self.closing:
            self.sent += text

    def emit(self, flags: int, offset: int, payload: bytes = b"") -> None:
        acknowledgement = 0 if self.peer_start is None else self.peer_start + 1 + self.received
        self.out.append(
            packet(
                self.is_client,
                self.start + 1 + offset,
                acknowledgement,
                flags,
                payload,
                window=WINDOW if flags & SYN else WINDOW >> self.scale,
                options=self._options(flags) if self.modern else b"",
                ports=(self.port, 25),
            )
        )
        self.furthest = max(self.furthest, offset + len(payload) + bool(flags & FIN))

    def _options(self, flags: int) -> bytes:
        stamp = struct.pack("!BBBBII", 1, 1, 8, 10, int(self.now * 1000) % (1 << 32), self.recent)
        if flags & SYN:
            return b"\2\4\5\xb4\4\2\3\3\2" + stamp
        places = sorted(self.early)
        gaps = [at for before, at in pairwise(places) if at > before + 1]
        if not places or len(gaps) > 1:
            return stamp
        bounds = [places[0], *(each for at in gaps for each in (self._behind(at), at))]
        bounds.append(places[-1] + 1)
        base = (self.peer_start or 0) + 1
        blocks = struct.pack(f"!{len(bounds)}I", *((base + at) % (1 << 32) for at in bounds))
        return stamp + bytes((1, 1, 5, 2 + len(blocks))) + blocks

    def _behind(self, at: int) -> int:
        """Where the bytes end that lie before a gap that ends at `at`."""
        return max(place for place in self.early if place < at) + 1

    def tick(self, now: float, random: Random) -> None:
        """Send what may be sent, and again what has waited too long."""
        self.now = now
        if self.dead:
            return
        due = now - self.sent_at >= RESEND
        if not self.established:
            if due and (self.is_client or self.peer_start is not None):
                self.emit(SYN if self.is_client else SYN | ACK, -1)
                self.sent_at = now
            return
        if self.acknowledged < self.next and due:
            self.next = self.acknowledged
        for _ in range(6):
            end = self._cut(random)
            if end <= self.next:
                break
            self.emit(PSH | ACK, self.next, bytes(self.sent[self.next : end]))
            self.next = end
            self.sent_at = now
        if self.closing and self.next == len(self.sent):
            self.emit(FIN | ACK, self.next)
            self.next += 1
            self.sent_at = now

    def _cut(self, random: Random) -> int:
        """Where the next segment ends."""
        limit = min(len(self.sent), self.edge)
        end = min(limit, self.next + random.choice((1, 3, 8, 40, 200, 500)))
        if self.whole_lines and end > self.next:
            found = self.sent.find(b"\n", end - 1, limit)
            end = found + 1 or self.sent.rfind(b"\n", self.next, end) + 1
        return end

    def take(self, seen: Seen, now: float) -> None:
        """A packet has arrived."""
        self.now = now
        if self.dead:
            return
        if seen.flags & RST:
            self._take_reset(seen)
        elif seen.flags & SYN:
            self._take_syn(seen)
        elif self.peer_start is not None and seen.flags & ACK:
            self._take_segment(seen)

    def _take_reset(self, seen: Seen) -> None:
        if self.peer_start is None:
            self.dead = bool(seen.flags & ACK) and seen.ack == (self.start + 1) % (1 << 32)
        elif (at := distance(seen.seq, self.peer_start + 1)) == self.received:
            self.dead = True
        elif self.established and 0 < at - self.received < WINDOW:
            self.emit(ACK, self.next)

    def _take_syn(self, seen: Seen) -> None:
        if self.peer_start is None:
            if self.is_client:
                if not seen.flags & ACK or seen.ack != (self.start + 1) % (1 << 32):
                    return
                self.established = True
            self.peer_start = seen.seq
            self._note_options(seen)
        if self.established:
            self.emit(ACK, self.next)

    def _note_options(self, seen: Seen) -> None:
        given = options(seen.packet)
        self.modern = self.modern and 3 in given and 8 in given
        if self.modern:
            self.scale, self.peer_scale = 2, given[3][0]
            self.recent = int.from_bytes(given[8][:4])
        self.edge = int.from_bytes(seen.packet[34:36])

    def _take_segment(self, seen: Seen) -> None:
        assert self.peer_start is not None
        acknowledged = distance(seen.ack, self.start + 1)
        if not self.established:
            if acknowledged != 0:
                return
            self.established = True
        if self.alone:
            assert acknowledged <= self.furthest, "an acknowledgement of bytes never sent"
        if acknowledged > max(self.furthest, len(self.sent)):
            self.emit(ACK, self.next)
            return
        offset = distance(seen.seq, self.peer_start + 1)
        end = offset + len(seen.payload)
        if end > self.received + WINDOW:
            assert not self.alone, "bytes outside the window"
            return
        if self.modern and not self._stamp_is_new(seen, offset):
            self.emit(ACK, self.next)
            return
        self.acknowledged = max(self.acknowledged, acknowledged)
        self.next = max(self.next, self.acknowledged)
        window = int.from_bytes(seen.packet[34:36]) << self.peer_scale
        self.edge = max(self.edge, acknowledged + window)
        if seen.flags & FIN and self.fin_heard is None:
            self.fin_heard = end
        for index, byte in enumerate(seen.payload, offset):
            if index >= len(self.heard):
                self.early.setdefault(index, byte)
            elif index >= 0:
                assert self.heard[index] == byte, "two copies of a byte differ"
        before = len(self.heard)
        while (byte := self.early.pop(len(self.heard), -1)) >= 0:
            self.heard.append(byte)
        if len(self.heard) > before:
            self.hear(self)
        if seen.payload or seen.flags & FIN:
            self.emit(ACK, self.next)

    def _stamp_is_new(self, seen: Seen, offset: int) -> bool:
        """Whether a segment is none of long ago (RFC 7323, section 5.3)."""
        given = options(seen.packet)
        if self.alone:
            for left, right in struct.iter_unpack("!II", given.get(5, b"")):
                low, high = (distance(each, self.start + 1) for each in (left, right))
                assert low < high <= self.furthest, "a SACK block of bytes never sent"
        if 8 not in given:
            assert not self.alone, "the timestamp is gone"
            return True
        stamp = int.from_bytes(given[8][:4])
        if distance(stamp, self.recent) < 0:
            return False
        if offset <= self.received:
            self.recent = stamp
        return True


class MailServer:
    """A mail server that ends lines and mail at CRLF only, and is not always polite.

    Args:
        release: what its firewall imitates: a command that this blocks must not come.
        random: decides what it says.
    """

    def __init__(self, release: Release, random: Random) -> None:
        self.release = release
        self.random = random
        self.read = 0
        self.ends = b"\r\n"  # of what it reads now: a line, a mail
        self.credentials = False
        self.private = False  # TLS
        self.believed = True  # nobody forges its own replies
        self.commands: list[bytes] = []

    def greet(self) -> bytes:
        return self.random.choice((b"220 mx 2.0 ok\r\n", b"220-a\r\n220 b\r\n", b"554 no\r\n"))

    def babble(self) -> bytes:
        """Something that replies to nothing, as far as a firewall can know that."""
        lines = [b"what\r\n", b"25\r\n", b"\r\n", b"250-354 go\r\n", b"250-334 x\r\n"]
        if not self.release.verbs & {b"AUTH", b"STARTTLS"}:
            lines += [b"250 more\r\n", b"421 bye\r\n", b"250-\r\n250 x\r\n"]
        return self.random.choice(lines)

    def hear(self, peer: Peer) -> None:
        while not self.private:
            # The CRLF that ends DATA may be the first of those that end the mail.
            begin = self.read - 2 * (self.ends != b"\r\n")
            found = peer.heard.find(self.ends, begin)
            if found < 0:
                return
            line = bytes(peer.heard[self.read : found])
            self.read = found + len(self.ends)
            if self.random.random() < 0.05:
                peer.say(self.babble())
            peer.say(self._reply(line))

    def _reply(self, line: bytes) -> bytes:
        if self.ends != b"\r\n":
            self.ends = b"\r\n"
            return b"250 queued\r\n"
        if self.credentials:
            self.credentials = self.random.random() < 0.3
            return b"334 UGFz\r\n" if self.credentials else b"235 ok\r\n"
        self.commands.append(line)
        if self.believed:
            # However much it strips, and wherever it thinks that a verb ends.
            words = re.split(rb"[^A-Za-z0-9]+", line.strip())
            first = next((word for word in words if word), b"").upper()
            assert first not in KNOWN - self.release.verbs, line
        willing = self.random.random() < 0.7
        match re.split(rb"[\s:]", line.strip(b" \t"))[0].upper():
            case b"DATA" if willing:
                self.ends = b"\r\n.\r\n"
                return b"354 go\r\n"
            case b"AUTH" if willing:
                self.credentials = True
                return b"334 VXNl\r\n"
            case b"STARTTLS" if willing and b"STARTTLS" in self.release.verbs:
                self.private = True
                return b"220 go\r\n"
            case b"EHLO":
                return b"250-mx\r\n250-SIZE 1\r\n250-CHUNKING\r\n250 STARTTLS\r\n"
            case verb if verb in KNOWN and willing:
                return self.random.choice((b"250 ok\r\n", b"250-ok\r\n250 yes\r\n"))
        return b"500 what\r\n"


# ---- honest mail ----

LINES = [
    b"HELO x\r\n", b"HELO\r\n", b"EHLO x\r\n", b"MAIL FROM:<a@b>\r\n", b"rcpt to:<c@d>\r\n",
    b"RSET\r\n", b"VRFY root\r\n", b"NOOP x\r\n", b"EXPN " + b"y" * 500 + b"\r\n", b"WIZ\r\n",
    b"AB cd\r\n", b"\r\n", b" NOOP\r\n", b"BDAT 3 LAST\r\n", b"N\xc3OP\r\n", b"NO\0P x\r\n",
    b"QUIT\nVRFY x\r\n", b".\r\n", b"MAILX\r\n", b"goodmorning\r\n",
    b"NOOP " + b"z" * 480 + b"\r\n",
]  # fmt: skip
LAST_LINES = [b"DATA\r\n", b"DATA\r\n", b"AUTH LOGIN\r\n", b"STARTTLS\r\n", b"NOOP\r\n"]
"""Behind which a client waits, since what it says next depends on the reply."""
ODD_ADDRESSES = [b"MAIL FROM:<a|b>\r\n", b"RCPT TO:<<x>>\r\n", b"MAIL FROM:a>b\r\n"]
TEXT = [b"text\r\n", b"VRFY x\r\n", b"..\r\n", b"\r\n", b"w" * 390 + b"\r\n", b"a\nb\r\n"]
ODD_TEXT = [b"a\n.\nb\r\n", b"a\n.\r\nb\r\n", b"\r.\r\n"]


@dataclass(frozen=True, slots=True)
class Turn:
    """What one side says.

    Args:
        text: the bytes.
        after: how many of the other side's it waits for.
    """

    text: bytes
    after: int


@dataclass
class Dialogue:
    """A dialogue made up in advance, and what is to come of it.

    Args:
        case: what the firewall does.
        stream: whether segments do not matter to it.
        random: decides what is said.
    """

    case: Case
    stream: bool
    random: Random
    turns: dict[bool, list[Turn]] = field(default_factory=lambda: {True: [], False: []})

    def __post_init__(self) -> None:
        self.model: Model = self.case.model(self.stream)
        self._serve(b"220 mx 2.0 ready 10 \r\n")
        for _ in range(self.random.choice((2, 5, 40))):
            self._ask()
        if not self.model.opaque:
            self._command([b"QUIT\r\n"])

    @property
    def to_server(self) -> bytes:
        return self.model.forwarded

    @property
    def to_client(self) -> bytes:
        return self.model.to_client

    def hear(self, peer: Peer) -> None:
        """A side has heard something: have it say what it has waited to say."""
        turns = self.turns[peer.is_client]
        while turns and len(peer.heard) >= turns[0].after:
            peer.say(turns.pop(0).text)
        arriving = self.to_client if peer.is_client else self.to_server
        if not turns and len(peer.heard) >= len(arriving):
            peer.closing = True

    def _serve(self, text: bytes) -> None:
        if text:
            self.turns[False].append(Turn(text, len(self.model.forwarded)))
            self.model.reply(text)

    def _say(self, lines: list[bytes]) -> bytes:
        """The client says lines; returns what of them arrives."""
        before = len(self.model.forwarded)
        self.turns[True].append(Turn(b"".join(lines), len(self.model.to_client)))
        for line in lines:
            assert self.model.segment(line), line
        return self.model.forwarded[before:]

    def _ask(self) -> None:
        if self.model.opaque:
            self._say([self.random.randbytes(50) + b"\n"])
            self._serve(self.random.randbytes(50) + b"\n")
            return
        lines = LINES + ODD_ADDRESSES * (self.model.addresses != "drop")
        said = self.random.choices(lines, k=self.random.randrange(4))
        self._command([*said, self.random.choice(LAST_LINES)])
        if self.model.credentials is not None:
            self._say([b"dXNlcg==\r\n"])
            self._serve(b"235 ok\r\n")
        if self.model.mail is not None:
            text = TEXT + ODD_TEXT * (not self.model.resets)
            mail = self.random.choices(text, k=self.random.randrange(20))
            behind = self.random.choices(lines, k=self.random.randrange(3))
            arriving = self._say([b"".join(mail) + b".\r\n", *behind])
            _, _, rest = (b"\r\n" + arriving).partition(b"\r\n.\r\n")
            self._serve(b"250 queued\r\n" + self._replies(rest))

    def _command(self, lines: list[bytes]) -> None:
        self._serve(self._replies(self._say(lines)))

    def _replies(self, arriving: bytes) -> bytes:
        return b"".join(map(self._reply, arriving.split(b"\r\n")[:-1]))

    def _reply(self, line: bytes) -> bytes:
        willing = self.random.random() < 0.8
        match line.split(b" ")[0].upper():
            case b"DATA" if willing:
                return b"354 go\r\n"
            case b"AUTH" if willing:
                return b"334 VXNl\r\n"
            case b"STARTTLS" if willing:
                return b"220 go\r\n"
            case b"EHLO":
                return b"250-mx\r\n250-SIZE 1\r\n250-CHUNKING\r\n250 STARTTLS\r\n"
        return self.random.choice((b"250 ok\r\n", b"250-a\r\n250-b\r\n250 c\r\n", b"500 no\r\n"))


# ---- the watch ----


@dataclass
class Watch:
    """Looks at all packets of one connection, before and behind the firewall.

    What leaves must be right in itself, follow without a gap what has left before, never differ
    from an earlier copy of the same bytes (so that it does not matter which one a receiver takes),
    be no larger than what came, and acknowledge nothing that was never sent.

    Args:
        client_start: the client's initial sequence number.
        answers: whether the firewall says things of its own.
    """

    client_start: int
    answers: bool

    def __post_init__(self) -> None:
        self._start: dict[bool, int | None] = {True: self.client_start + 1, False: None}
        self._left = {True: bytearray(), False: bytearray()}
        self._fin: dict[bool, int | None] = {True: None, False: None}
        self._largest = {True: 0, False: 0}
        self._sent = {True: 0, False: 0}  # behind all that was sent without a gap, FIN included
        self._beyond: dict[bool, set[tuple[int, int]]] = {True: set(), False: set()}

    def came(self, seen: Seen) -> None:
        """A packet has come to the firewall."""
        side = seen.from_client
        self._largest[side] = max(self._largest[side], len(seen.payload))
        start = self._start[side]
        if start is None or seen.flags & SYN:
            return
        at = distance(seen.seq, start)
        beyond = self._beyond[side]
        beyond.add((at, at + len(seen.payload) + bool(seen.flags & FIN)))
        while ready := {span for span in beyond if span[0] <= self._sent[side]}:
            beyond -= ready
            self._sent[side] = max(self._sent[side], *(end for _, end in ready))

    def left(self, leaving: list[Seen], waiting: list[Seen]) -> None:
        """Packets have left the firewall.

        Args:
            leaving: the packets, in order.
            waiting: packets of its own that it keeps, for which the receiver's window has no room.
        """
        if waiting:
            leaving = sorted(leaving + waiting, key=self._place)
        for seen in leaving:
            self._leaves(seen)

    def _place(self, seen: Seen) -> int:
        start = self._start[seen.from_client]
        return 0 if start is None else distance(seen.seq, start)

    def _leaves(self, seen: Seen) -> None:
        side = seen.from_client
        if seen.flags & (SYN | RST):
            assert not seen.payload
            if seen.flags & SYN and self._start[side] is None:
                self._start[side] = seen.seq + 1
            return
        self._agree(seen)
        most = max(self._largest[side], OWN_PAYLOAD if self.answers else 0)
        assert len(seen.payload) <= most, "larger than what came"
        base = self._start[not side]
        if seen.flags & ACK and base is not None:
            assert distance(seen.ack, base) <= self._sent[not side], "acknowledges unsent bytes"

    def _agree(self, seen: Seen) -> None:
        if not (seen.payload or seen.flags & FIN):
            return
        assert not (seen.payload and seen.flags & URG)
        assert self._start[seen.from_client] is not None, "before the handshake"
        left = self._left[seen.from_client]
        at = self._place(seen)
        end = at + len(seen.payload)
        assert at <= len(left), "a gap before it"
        if seen.payload:
            assert at >= 0, "before the first byte"
            known = left[at:end]
            assert seen.payload.startswith(known), "two copies of a byte differ"
            left += seen.payload[len(known) :]
        fin = self._fin[seen.from_client]
        if seen.flags & FIN:
            assert fin in (None, end), "a FIN in two places"
            self._fin[seen.from_client] = fin = end
        assert fin is None or len(left) <= fin, "bytes behind the FIN"


def assert_well_formed(data: bytes) -> None:
    """Lengths and checksums of a packet are right."""
    assert data[0] >> 4 == 4
    assert int.from_bytes(data[2:4]) == len(data)
    assert parse(data) is not None
    assert checksums_right(data), data.hex()
