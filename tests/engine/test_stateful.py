"""The engine among honest mailers and attackers at once, on a network that does what it likes.

A step draws what happens next; hypothesis looks for the order of steps that breaks something. The
environment variable `PIXGUARD_EXAMPLES` (30 unless told) is the number of orders it tries, each of
some 200 steps; 1000 take about twenty minutes.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from random import Random

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from appliance import flows
from appliance.admission import Admission, Opening
from appliance.events import (
    Closing,
    ConnectionBuilt,
    ConnectionClosed,
    Denial,
    Event,
    Fault,
    Inspected,
    Kind,
    Phase,
)
from appliance.firewall import Firewall
from appliance.packet.checksum import fill_header, fill_tcp
from appliance.protocol import TCP
from appliance.smtp import dialogue, line
from appliance.smtp.release import ANSWERS, RELEASES, Blocked, Release
from appliance.tcp import own, stream
from appliance.tcp.connection import Connection
from tests.engine.feeding import ROWS, Case
from tests.engine.network import (
    LAST_LINES,
    LINES,
    ODD_ADDRESSES,
    ODD_TEXT,
    TEXT,
    Dialogue,
    MailServer,
    Peer,
    Watch,
    assert_well_formed,
    parse,
)
from tests.wire import ACK, CLIENT, FIN, PSH, RST, SERVER, SYN, URG, Seen, inspecting, packet

BOUNDS = {
    stream: {
        "HELD": 2500,
        "HELD_SEGMENTS": 8,
        "HELD_IN_ALL": 4000,
        "REMEMBERED": 1500,
        "REMEMBERED_IN_ALL": 4000,
        "RECENT": 64,
    },
    own: {"OWN_PACKETS": 3},
    flows: {"FLOWS": 9, "EMBRYONIC": 5},
    dialogue: {"DUE": 24},
    line: {"LONGEST": 900},
}
"""What the engine's bounds are lowered to, so that they are met; honest mail needs no more."""

ATTACKED = range(50000, 50004)
"""Ports of hostile clients."""

SCRAPS = [b"H", b"HE", b"LO", b"VR", b"FY", b" x", b"\r", b"\n", b".", b"\0", b"X", b"\xe9", b"DA"]
WORDS = [*LINES, *LAST_LINES * 3, *ODD_ADDRESSES, *TEXT, *ODD_TEXT, *[b".\r\n"] * 6, *SCRAPS * 2]

seeds = st.integers(0, 2**32 - 1)


@dataclass
class Link:
    """A client, its server, and what is known of their connection.

    Args:
        client, server: the two ends.
        release: what the firewall imitates for it.
        plan: of honest mail, what is said; None if the client is hostile.
        mail: what the server of a hostile client is.
    """

    client: Peer
    server: Peer
    release: Release
    plan: Dialogue | None
    mail: MailServer | None
    ended: Closing | None = None
    done: bool = False
    history: list[bytes] = field(default_factory=list)
    """Of a hostile client, what it has sent."""

    @property
    def honest(self) -> bool:
        return self.plan is not None and not self.done

    @property
    def arrived(self) -> bool:
        """Whether all that was to come has come."""
        return (
            self.plan is not None
            and self.client.heard == self.plan.to_client
            and self.server.heard == self.plan.to_server
            and all(end.received > len(end.heard) for end in (self.client, self.server))
        )


class Weather(RuleBasedStateMachine):
    """Steps are what clients, servers, the network and time do."""

    def __init__(self) -> None:
        super().__init__()
        self.bounds = pytest.MonkeyPatch()
        for module, bounds in BOUNDS.items():
            for name, bound in bounds.items():
                self.bounds.setattr(module, name, bound)
        self.links: dict[int, Link] = {}
        self.watches: dict[int, Watch] = {}
        self.firewall = Firewall(self.admit, self.report)
        self.now = 1000.0
        self.arriving: list[bytes] = []  # at the firewall
        self.leaving: list[bytes] = []  # from it
        self.random = Random(0)  # noqa: S311
        self.badness = 0.0
        self.hostility = 0.0

    def teardown(self) -> None:
        self.bounds.undo()

    # ---- the firewall ----

    def admit(self, opening: Opening) -> Admission:
        link = self.links.get(opening.source_port)
        admission = inspecting(link.release if link else None)(opening)
        ends = (opening.source, opening.destination, opening.destination_port)
        if link is None or ends != (CLIENT, SERVER, 25):
            return replace(admission, denial=Denial.ACCESS_LIST)
        return admission

    def report(self, event: Event) -> None:
        assert not isinstance(event, Fault), event.trace
        if isinstance(event, ConnectionBuilt):
            port = event.flow.client.port
            self.watches.pop(port, None)
        elif isinstance(event, ConnectionClosed):
            link = self.links[event.flow.client.port]
            link.ended = event.closing
            if link.honest:
                assert event.closing in (Closing.FIN, Closing.TIMEOUT), event
        elif isinstance(event, Inspected) and self.links[event.flow.client.port].honest:
            assert event.kind is not Kind.INCONSISTENT_RETRANSMISSION, event

    def flow(self, port: int) -> Connection | None:
        known = self.firewall._flows.get(key_of(port))
        assert known is None or isinstance(known[0], Connection)
        return known[0] if known else None  # type: ignore[return-value]

    def give(self, data: bytes, ingress: str, lost: bool = False) -> bool:
        """Hand the firewall a packet; returns whether anything left it.

        Args:
            data: the packet.
            ingress: the side that it comes from.
            lost: whether what leaves gets lost behind it.
        """
        egress = "outside" if ingress == "inside" else "inside"
        verdict = self.firewall.receive(data, self.now, ingress, egress)
        out = [verdict.edited or data] if verdict.forward else []
        out += verdict.released
        came = parse(data)
        if verdict.edited is not None and came is not None:
            link = self.links[came[1]]
            assert len(verdict.edited) <= len(data) or link.release.blocked in ANSWERS
        self.leave(out, came, lost)
        return bool(out)

    def leave(self, out: list[bytes], came: tuple[Seen, int] | None, lost: bool = False) -> None:
        """Packets leave the firewall."""
        for data in out:
            assert_well_formed(data)
        by_port: dict[int, list[Seen]] = {} if came is None else {came[1]: []}
        for data in out:
            seen, port = parse(data) or (None, 0)
            assert seen is not None
            by_port.setdefault(port, []).append(seen)
        for port, packets in by_port.items():
            flow, link = self.flow(port), self.links.get(port)
            if link is None:
                assert not packets, "nobody is there"
                continue
            if port not in self.watches and came and came[0].flags & SYN and packets:
                # The server's answer shows that a connection has begun whose SYN had left before.
                syn = came[0]
                start = syn.seq if syn.from_client else syn.ack - 1
                self.watches[port] = Watch(start, link.release.blocked in ANSWERS)
            if port not in self.watches:
                assert not packets, "before a SYN"
                continue
            watch = self.watches[port]
            if came is not None and came[1] == port:
                watch.came(came[0])
            waiting = (
                [parse(each.packet) for each in flow._own._packets] if flow and flow._own else []
            )
            watch.left(packets, [each[0] for each in waiting if each])
        if not lost:
            self.leaving += out

    # ---- the network ----

    def go_on(self, rounds: int = 3) -> None:
        """A little time passes, and packets get on."""
        for _ in range(rounds):
            self.now += 0.1
            for port in ATTACKED:
                if link := self.links.get(port):
                    self.talk(link)
                    if self.random.random() < self.hostility:
                        self.attack(link)
            self.leave(list(self.firewall.expire(self.now)), None)
            for link in list(self.links.values()):
                for end in (link.client, link.server):
                    end.tick(self.now, self.random)
            self.collect()
            for _ in range(self.random.randrange(30)):
                self.carry(self.arriving, self.arrive)
                self.carry(self.leaving, self.reach)
        for queue in (self.arriving, self.leaving):
            del queue[: max(0, len(queue) - 400)]

    def collect(self) -> None:
        """What the ends have to send goes on its way."""
        for link in self.links.values():
            if link.plan is None:
                link.history = (link.history + link.client.out)[-50:]
            for end in (link.client, link.server):
                self.arriving += end.out
                end.out.clear()

    def carry(self, queue: list[bytes], deliver: Callable[[bytes], None]) -> None:
        """A packet gets there, or what else happens to packets."""
        if not queue:
            return
        fate = self.random.random()
        late = self.random.random() < self.badness
        at = self.random.randrange(len(queue)) if late else 0
        if fate < self.badness / 4:
            del queue[at]
        elif fate < self.badness / 2:
            deliver(queue[at])
        else:
            deliver(queue.pop(at))

    def arrive(self, data: bytes) -> None:
        """A packet arrives at the firewall."""
        self.give(data, "outside" if data[12:16] == CLIENT.packed else "inside")

    def reach(self, data: bytes) -> None:
        """A packet arrives at an end."""
        seen, port = parse(data) or (None, 0)
        assert seen is not None
        link = self.links[port]
        if not seen.from_client:
            link.client.take(seen, self.now)
        else:
            over = link.server.dead or link.server.finished
            if over and link.plan is None and seen.flags & (SYN | ACK) == SYN:
                self.serve(link)
            elif link.server.dead and seen.flags & ACK and not seen.flags & RST:
                self.arriving.append(packet(False, seen.ack, 0, RST, ports=(port, 25)))
            link.server.take(seen, self.now)
        self.collect()

    def serve(self, link: Link) -> None:
        """A server that has forgotten its last connection waits for another."""
        link.mail = MailServer(link.release, Random(self.random.random()))  # noqa: S311
        link.server = Peer(
            False,
            link.client.port,
            self.random.getrandbits(32),
            link.mail.hear,
            modern=self.random.random() < 0.5,
            alone=False,
        )
        link.server.say(link.mail.greet())

    # ---- steps ----

    @initialize(
        badness=st.sampled_from([0.0, 0.1, 0.3, 0.6]),
        hostility=st.sampled_from([0.0, 0.05, 0.3]),
        seed=seeds,
    )
    def begin(self, badness: float, hostility: float, seed: int) -> None:
        self.badness, self.hostility = badness, hostility
        self.open_hostile(ATTACKED[0], Case("", (), "6.3"), True, seed)

    @property
    def honest(self) -> list[Link]:
        """Honest connections that are alive."""
        return [link for link in self.links.values() if link.honest and link.ended is None]

    @rule(
        name=st.sampled_from(ROWS) | st.sampled_from(sorted(RELEASES)),
        blocked=st.none() | st.sampled_from(Blocked),
        flags=st.tuples(st.booleans(), st.booleans(), st.booleans()),
        seed=seeds,
    )
    def open_honest(
        self,
        name: str,
        blocked: Blocked | None,
        flags: tuple[bool, bool, bool],
        seed: int,
    ) -> None:
        """An honest client opens a connection, on a port that may have been used before."""
        if len(self.honest) >= 3:
            return self.carry_on(seed)
        self.random.seed(seed)
        stream_, tls, resets = flags
        case = Case("", (), name, blocked, tls and RELEASES[name].may_allow_tls, resets=resets)
        release = case.traits(stream_)
        plan = Dialogue(case, stream_, Random(seed))  # noqa: S311
        free = [
            port
            for port, link in self.links.items()
            if port not in ATTACKED and (link.done or link.ended)
            if (flow := self.flow(port)) is None or flow.closing
        ]
        port = self.random.choice([*free, 40000 + len(self.links)])
        for queue in (self.arriving, self.leaving):
            queue[:] = [each for each in queue if (parse(each) or (None, 0))[1] != port]
        client, server = (
            Peer(
                is_client,
                port,
                self.random.choice((self.random.getrandbits(32), (1 << 32) - 300)),
                plan.hear,
                whole_lines=not stream_ if is_client else release.ehlo_keywords is not None,
                modern=self.random.random() < 0.7,
            )
            for is_client in (True, False)
        )
        plan.hear(server)
        self.links[port] = Link(client, server, release, plan, None)
        return self.go_on()

    @rule(
        port=st.sampled_from(ATTACKED),
        case=st.builds(
            Case,
            st.just(""),
            st.just(()),
            st.sampled_from(ROWS),
            st.none() | st.sampled_from(Blocked),
            resets=st.booleans(),
        ),
        stream_=st.booleans(),
        seed=seeds,
    )
    def open_hostile(self, port: int, case: Case, stream_: bool, seed: int) -> None:
        """A hostile client opens a connection, whatever became of the last one on that port."""
        self.random.seed(seed)
        flow = self.flow(port)
        if flow and flow.phase is Phase.ESTABLISHED and self.random.random() < 0.97:
            return self.go_on(6)
        release = replace(case, tls=RELEASES[case.release].may_allow_tls and seed % 2 > 0)
        start = self.random.choice((self.random.getrandbits(32), 7))
        client = Peer(
            True, port, start, lambda _: None, modern=self.random.random() < 0.5, alone=False
        )
        client.say(b"".join(self.random.choices(WORDS, k=10)))
        known = self.links.get(port)
        if known is None or (flow is None and self.random.random() < 0.7):
            self.links[port] = Link(client, client, release.traits(stream_), None, None)
            self.serve(self.links[port])
        else:
            known.client = client
        return self.go_on()

    @rule(seed=seeds)
    def carry_on(self, seed: int) -> None:
        self.random.seed(seed)
        self.go_on(12)

    @rule(
        seconds=st.sampled_from([0.5] * 20 + [2.0] * 20 + [6.0] * 5 + [35.0] * 3 + [700.0, 4000.0]),
        seed=seeds,
    )
    def wait(self, seconds: float, seed: int) -> None:
        self.random.seed(seed)
        self.now += seconds
        self.go_on()

    def talk(self, link: Link) -> None:
        """A hostile client has more to say, and its server too."""
        if link.mail is None or self.random.random() < 0.7:
            return
        if len(link.client.sent) < 20_000:
            words = self.random.choices(WORDS, k=self.random.choice((1, 3, 10, 40)))
            link.client.say(b"".join(words))
        if self.random.random() < 0.05:
            link.server.say(link.mail.babble())
        if self.random.random() < 0.01:
            self.random.choice((link.client, link.server)).closing = True

    def attack(self, link: Link) -> None:
        """A hostile client sends what no TCP would."""
        way = self.random.choice(
            (self.astray, self.astray, self.astray, self.strange, self.again, self.mutant)
        )
        self.give(way(link), "outside", lost=self.random.random() < 0.3)

    def astray(self, link: Link) -> bytes:
        """Bytes at or near the next ones, those of the script or others."""
        client, random = link.client, self.random
        at = random.choice((client.acknowledged, client.next)) + random.randrange(-12, 30)
        size = random.choice((0, 1, 2, 5, 9, 30, 200, 1400))
        text = bytes(client.sent[max(at, 0) : max(at, 0) + size])
        if random.random() < 0.5 or not text:
            text = b"".join(random.choices(WORDS, k=size // 4 + 1))[:size]
        if client.established and 0 <= at <= len(client.sent):
            client.sent += text[len(client.sent) - at :]  # its server may have them
        usual = (ACK, PSH | ACK) * 6
        flags = random.choice((*usual, PSH | ACK | URG, PSH | ACK | URG, FIN | ACK, 0))
        return self.from_client(link, at, flags, text)

    def strange(self, link: Link) -> bytes:
        """Flags where they do not belong."""
        flags = self.random.choice((SYN, SYN | ACK, RST, RST | ACK, FIN | ACK, 0xFF, 0, SYN | FIN))
        near = self.random.choice((link.client.acknowledged, link.client.next))
        away = self.random.choice((0, 1, 1, 2, 30, 700, 700, 70_000, -1, -5000))
        at = self.random.choice((-1, near + away, near + away, near + away))
        text = self.random.choice((b"", b"", b"VRFY x\r\n"))
        return self.from_client(link, at, flags, text)

    def from_client(self, link: Link, at: int, flags: int, text: bytes) -> bytes:
        """A packet of a hostile client's, some of its header as it likes."""
        client, random = link.client, self.random
        heard = client.received + random.choice((0,) * 12 + (-3, 5, -4000, 70_000))
        odd = (
            b"",
            struct.pack("!BBBBII", 1, 1, 5, 10, *(random.getrandbits(32) for _ in range(2))),
            struct.pack("!BBBBII", 1, 1, 8, 10, random.getrandbits(32), 0),
            b"\x22\x0a" + random.randbytes(8),  # fast open
            b"\3\3\x0e",
            random.randbytes(8),
        )
        return packet(
            True,
            client.start + 1 + at,
            (client.peer_start or 0) + 1 + heard,
            flags,
            text,
            window=random.choice((0, 1, 30, 750, 3000, 65535)),
            options=random.choice((b"",) * 6 + odd),
            ports=(client.port, 25),
            urgent=random.randrange(9) if flags & URG else 0,
        )

    def again(self, link: Link) -> bytes:
        """A packet of earlier, perhaps of an earlier connection."""
        return self.random.choice(link.history) if link.history else self.strange(link)

    def mutant(self, link: Link) -> bytes:
        return mutated(self.again(link), self.random)

    @rule(port=st.sampled_from(ATTACKED), seed=seeds)
    def storm(self, port: int, seed: int) -> None:
        """Attack upon attack."""
        self.random.seed(seed)
        if link := self.links.get(port):
            for _ in range(self.random.randrange(2, 12)):
                self.attack(link)
        self.go_on()

    @rule(port=st.sampled_from(ATTACKED), seed=seeds)
    def forge(self, port: int, seed: int) -> None:
        """A hostile client sends in its server's name, which is found out."""
        link = self.links.get(port)
        self.random.seed(seed)
        if link:
            forged = packet(
                False,
                link.server.start + 1 + link.server.next,
                link.client.start + 1 + link.server.received,
                self.random.choice((PSH | ACK, SYN | ACK, SYN, RST, FIN | ACK)),
                self.random.choice((b"354 go\r\n", b"")),
                ports=(port, 25),
            )
            assert not self.give(forged, "outside")
        self.go_on()

    @rule(seed=seeds)
    def disturb(self, seed: int) -> None:
        """A third party sends in an honest client's name, and does not know its numbers."""
        self.random.seed(seed)
        for link in self.honest:
            client, flow = link.client, self.flow(link.client.port)
            if not flow or flow.phase is Phase.EMBRYONIC or not client.established:
                continue
            # Near, bytes would be believed; a reset and a SYN never are (RFC 5961).
            away, flags, text = self.random.choice(
                (
                    (50, RST, b""),
                    (50, RST | ACK, b""),
                    (50, SYN, b""),
                    (1 << 20, RST, b""),
                    (1 << 20, FIN | ACK, b""),
                    (1 << 30, PSH | ACK, b"VRFY x\r\n"),
                )
            )
            sequence, ack = client.start + client.furthest + away, link.server.start + 1
            ports = (client.port, 25)
            self.give(packet(True, sequence, ack, flags, text, ports=ports), "outside")
        self.go_on()

    @rule(port=st.sampled_from(ATTACKED), seed=seeds)
    def spoil(self, port: int, seed: int) -> None:
        """Something behind the firewall sends in the server's name: then no command is certain."""
        link = self.links.get(port)
        self.random.seed(seed)
        if link and link.mail and self.random.random() < 0.1:
            link.mail.believed = False
            link.server.emit(PSH | ACK, link.server.next, link.mail.greet())
            genuine = link.server.out.pop()
            self.give(mutated(genuine, self.random), "inside")
        self.go_on()

    @rule(seed=seeds)
    def reboot(self, seed: int) -> None:
        """A hostile client's server forgets everything."""
        self.random.seed(seed)
        link = self.links.get(self.random.choice(ATTACKED))
        if link and self.random.random() < 0.2:
            link.server.dead = True
        self.go_on()

    @rule(seed=seeds)
    def hand_over(self, seed: int) -> None:
        """Another engine takes over."""
        self.random.seed(seed)
        following = Firewall(self.admit, self.report)
        following.take_over(self.firewall.hand_over(), self.now)
        self.firewall = following
        self.go_on()

    @precondition(lambda self: len(self.honest) > 1)
    @rule(seed=seeds)
    def calm(self, seed: int) -> None:
        """Good weather, and no attackers: all honest mail arrives, each byte once."""
        self.random.seed(seed)
        for port in ATTACKED:
            if (flow := self.flow(port)) is not None:  # its memory may be all that there is
                flow.close(Closing.TIMEOUT, self.now)
                self.firewall._flows.forget(key_of(port))
        for _ in range(2000):
            waiting = [link for link in self.honest if not link.arrived]
            if not waiting:
                break
            self.now += 0.25
            self.leave(list(self.firewall.expire(self.now)), None)
            for link in waiting:
                for end in (link.client, link.server):
                    end.tick(self.now, self.random)
            self.collect()
            while self.arriving or self.leaving:
                for queue, deliver in ((self.arriving, self.arrive), (self.leaving, self.reach)):
                    packets = queue.copy()
                    queue.clear()
                    for data in packets:
                        if (parse(data) or (None, 0))[1] not in ATTACKED:
                            deliver(data)
        else:
            pytest.fail("not all of it arrives")
        for link in self.links.values():
            if link.honest and link.ended is None:
                assert link.arrived
                link.done = True

    # ---- what always holds ----

    @invariant()
    def honest_mail_is_whole_when_it_ends(self) -> None:
        for link in self.links.values():
            if link.honest and link.ended is Closing.FIN:
                assert link.arrived
                link.done = True

    @invariant()
    def memory_is_bounded(self) -> None:
        held = remembered = own_weight = 0
        for _, flow in self.firewall._flows:
            assert isinstance(flow, Connection)
            assert len(flow._inspector._dialogue._due) <= dialogue.DUE + 1500
            assert (
                len(flow._own._packets if flow._own else ())
                <= own.OWN_PACKETS + dialogue.DUE + 1500
            )
            if flow._inspector._lines and flow.closing is None:
                assert len(flow._inspector._lines.held) <= line.LONGEST
            for each in (flow._client, flow._server):
                if each is None:
                    continue
                assert each._held_bytes == sum(len(h.segment.packet) for h in each.held)
                assert each._held_bytes <= stream.HELD
                assert len(each.held) <= stream.HELD_SEGMENTS
                held += each._held_bytes
                remembered += sum(piece.weight for piece in each._pieces)
                own_weight += sum(piece.weight for piece in each._pieces if piece.own)
        room = self.firewall.room
        assert (room.held, room.remembered) == (held, remembered)
        assert held <= stream.HELD_IN_ALL
        assert remembered - own_weight <= stream.REMEMBERED_IN_ALL
        assert self.firewall.flows <= flows.FLOWS
        assert len(self.firewall._flows._embryonic) <= flows.EMBRYONIC
        watched = sum(map(len, self.firewall._flows._deadlines.values()))
        assert watched <= 12 * len(self.links)
        assert len(self.firewall._restless) <= 2 * len(self.links)


def key_of(port: int) -> bytes:
    """Of a connection, what the engine knows it by."""
    return flows.key_of(TCP, int(CLIENT), port, int(SERVER), 25, 0)


def mutated(data: bytes, random: Random) -> bytes:
    """A packet with some bytes changed, and right checksums if its headers allow."""
    changed = bytearray(data)
    for _ in range(random.choice((1, 1, 2, 20))):
        at = random.choice((0, 3, 6, 24, 27, 28, 31, 32, 33, 40, 41, random.randrange(len(data))))
        if at < len(changed) and not 10 <= at < 24:  # not its addresses and ports
            changed[at] = random.choice((0, 1, 6, 0x45, 0x50, 0x80, 0xFF, changed[at] ^ 1))
    try:
        fill_header(changed)
        fill_tcp(changed)
    except struct.error:
        return data
    return bytes(changed)


def test_firewall_in_all_weathers() -> None:
    run_state_machine_as_test(
        Weather,
        settings=settings(
            max_examples=int(os.environ.get("PIXGUARD_EXAMPLES", "30")),
            stateful_step_count=250,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            report_multiple_bugs=False,
        ),
    )
