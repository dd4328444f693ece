"""Two hosts with a small TCP of their own, a bad network, and the firewall in the middle.

What the two TCPs check of each packet is what a real one would suffer from: acknowledgements of
bytes never sent, bytes outside the window, a stream that is not what the other side meant.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from appliance.firewall import Firewall
from appliance.smtp.release import Release
from tests.wire import ACK, FIN, PSH, RST, SYN, inspecting, packet, take_apart

MODULUS = 1 << 32
WINDOW = 3000
SEGMENT = 500
RESEND = 1.5


@dataclass
class Host:
    """One end of the connection."""

    is_client: bool
    start: int
    hear: Callable[[Host], None]
    sent: bytearray = field(default_factory=bytearray)
    heard: bytearray = field(default_factory=bytearray)
    acknowledged: int = 0
    next: int = 0
    peer_start: int | None = None
    peer_window: int = 0
    aside: dict[int, bytes] = field(default_factory=dict)
    established: bool = False
    closing: bool = False
    fin_sent: bool = False
    fin_heard: int | None = None
    last_sent: float = 0.0
    out: list[bytes] = field(default_factory=list)

    @property
    def received(self) -> int:
        """Bytes of the peer that came in order, its FIN included."""
        return len(self.heard) + (self.fin_heard == len(self.heard))

    def emit(self, flags: int, offset: int, payload: bytes = b"") -> None:
        acknowledgement = 0 if self.peer_start is None else self.peer_start + 1 + self.received
        self.out.append(
            packet(
                self.is_client,
                self.start + 1 + offset,
                acknowledgement,
                flags,
                payload,
                window=WINDOW,
            )
        )

    def say(self, data: bytes) -> None:
        self.sent += data

    def tick(self, now: float) -> None:
        """Send what may be sent, again what has waited too long."""
        if not self.established:
            if now - self.last_sent >= RESEND or not self.last_sent:
                if self.is_client:
                    self.emit(SYN, -1)
                elif self.peer_start is not None:
                    self.emit(SYN | ACK, -1)
                self.last_sent = now
            return
        if self.acknowledged < self.next and now - self.last_sent >= RESEND:
            self.next = self.acknowledged  # go back
        limit = self.acknowledged + self.peer_window
        while self.next < min(len(self.sent), limit):
            piece = bytes(self.sent[self.next : min(self.next + SEGMENT, limit)])
            self.emit(PSH | ACK, self.next, piece)
            self.next += len(piece)
            self.last_sent = now
        if self.closing and self.next == len(self.sent):
            self.emit(FIN | ACK, self.next)
            self.next += 1
            self.fin_sent = True
            self.last_sent = now

    def take(self, data: bytes, now: float) -> None:
        """A packet has arrived."""
        seen = take_apart(data)
        assert not seen.flags & RST, "nobody resets here"
        if seen.flags & SYN:
            if self.peer_start is None:
                self.peer_start = seen.seq
            if self.is_client and not self.established:
                assert seen.ack == (self.start + 1) % MODULUS
                self.established = True
                self.peer_window = WINDOW
            if self.established:
                self.emit(ACK, self.next)
            return
        assert self.peer_start is not None
        if not self.is_client:
            self.established = True
        acknowledged = (seen.ack - self.start - 1) % MODULUS
        if acknowledged > MODULUS // 2:
            acknowledged -= MODULUS
        all_sent = len(self.sent) + self.fin_sent
        assert acknowledged <= all_sent, "an acknowledgement of bytes never sent"
        self.acknowledged = max(self.acknowledged, acknowledged)
        self.next = max(self.next, self.acknowledged)
        self.peer_window = int.from_bytes(data[34:36], "big")
        offset = (seen.seq - self.peer_start - 1 + MODULUS // 2) % MODULUS - MODULUS // 2
        end = offset + len(seen.payload)
        assert end <= self.received + WINDOW + 1, "bytes outside the window"
        if seen.flags & FIN:
            self.fin_heard = end
        if seen.payload:
            self.aside.setdefault(offset, seen.payload)
            self.aside[offset] = max(self.aside[offset], seen.payload, key=len)
        before = len(self.heard)
        while True:
            ready = [
                at for at, text in self.aside.items() if at <= len(self.heard) < at + len(text)
            ]
            if not ready:
                break
            at = ready[0]
            self.heard += self.aside[at][len(self.heard) - at :]
        self.aside = {a: t for a, t in self.aside.items() if a + len(t) > len(self.heard)}
        for at, text in list(self.aside.items()):
            if at < len(self.heard):
                assert self.heard[at:].startswith(text[: len(self.heard) - at])
        if len(self.heard) > before:
            self.hear(self)
        if seen.payload or seen.flags & FIN or end < self.received:
            self.emit(ACK, self.next)  # an old number wants an answer (RFC 9293, section 3.10.7.4)


class Network:
    """A client, a server, the firewall and four bad links between them.

    Args:
        release: the release that mail is inspected as.
        seed: decides what is lost, repeated and delayed.
        badness: the share of packets to which something happens.
        client, server: the two applications.
    """

    def __init__(
        self,
        release: Release,
        seed: int,
        badness: float,
        client: Callable[[Host], None],
        server: Callable[[Host], None],
    ) -> None:
        self.random = Random(seed)  # noqa: S311
        self.badness = badness
        self.events: list[object] = []
        self.firewall = Firewall(inspecting(release), self.events.append)
        self.client = Host(True, self.random.getrandbits(32), client)
        self.server = Host(False, self.random.getrandbits(32), server)
        self.links: dict[str, list[tuple[float, bytes]]] = {"in": [], "client": [], "server": []}
        self.now = 1000.0

    def put(self, link: str, data: bytes) -> None:
        """Put a packet on a link, or lose it."""
        fate = self.random.random()
        if fate < self.badness / 3:
            return
        copies = 2 if fate < self.badness * 2 / 3 else 1
        for _ in range(copies):
            late = self.random.random() * 0.8 if self.random.random() < self.badness else 0
            self.links[link].append((self.now + 0.05 + late, data))

    def due(self, link: str) -> list[bytes]:
        """What arrives now."""
        waiting = sorted(self.links[link], key=lambda item: item[0])
        self.links[link] = [item for item in waiting if item[0] > self.now]
        return [data for moment, data in waiting if moment <= self.now]

    def leave(self, data: bytes) -> None:
        """A packet leaves the firewall."""
        self.put("server" if take_apart(data).from_client else "client", data)

    def step(self) -> None:
        """A twentieth of a second goes by."""
        self.now += 0.05
        for host, link in ((self.client, "client"), (self.server, "server")):
            for data in self.due(link):
                host.take(data, self.now)
            host.tick(self.now)
            for data in host.out:
                self.put("in", data)
            host.out.clear()
        for data in self.due("in"):
            verdict = self.firewall.receive(data, self.now)
            if verdict.forward:
                self.leave(verdict.edited or data)
            for extra in verdict.released:
                self.leave(extra)
        for data in self.firewall.expire(self.now):
            self.leave(data)

    def run(self, done: Callable[[], bool], seconds: float = 400.0) -> None:
        """Let time pass until something is so."""
        end = self.now + seconds
        while not done():
            assert self.now < end, "it does not get there"
            self.step()
