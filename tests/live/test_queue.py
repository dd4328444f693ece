"""Packets through a real NFQUEUE in namespaces, judged by engines made for the purpose."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import BytesIO

import pytest

from appliance.box import Box
from appliance.errors import PixguardError
from appliance.live import connmark, worker
from appliance.live.messages import Channel, Count, LogLine, Stop
from appliance.live.queue import PacketQueue
from appliance.live.worker import Worker
from appliance.packet.segment import Segment, edit
from appliance.tcp.room import Room
from appliance.verdict import DROP, FORWARD, Verdict
from tests.namespaces import Namespace, Network, needs_namespaces

pytestmark = needs_namespaces

QUEUE = 77
BOX = Box(interfaces=(("outside", "left"), ("inside", "right")), queue_length=1024)


@dataclass
class Engine:
    """Judges by a function, and notes what it was given."""

    judge: Callable[[bytes], Verdict]
    packets: list[tuple[bytes, str, str, int]] = field(default_factory=list)
    room: Room = field(default_factory=Room)
    flows: int = 0

    def receive(self, packet: bytes, now: float, ingress: str, egress: str, mark: int) -> Verdict:
        self.packets.append((packet, ingress, egress, mark))
        return self.judge(packet)

    def expire(self, now: float) -> tuple[bytes, ...]:
        return ()


@dataclass
class Router:
    """Client and server with a router between them that queues what it forwards."""

    client: Namespace
    router: Namespace
    server: Namespace
    lines: list[str] = field(default_factory=list)
    counts: list[Count] = field(default_factory=list)

    @contextmanager
    def judged_by(self, engine: Engine, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        monkeypatch.setattr(worker, "Firewall", lambda _admit, _report: engine)
        ours, its = map(Channel, socket.socketpair())
        judging = self.router.call(Worker, its, QUEUE, BOX, BytesIO())
        thread = threading.Thread(target=lambda: self.router.call(judging.run))
        thread.start()
        try:
            yield
        finally:
            ours.send(Stop())
            thread.join(10)
            for message in ours.receive():
                if isinstance(message, LogLine):
                    self.lines.append(message.text)
                elif isinstance(message, Count):
                    self.counts.append(message)
            ours.close()
            its.close()
        assert not thread.is_alive()

    def transfer(self, size: int) -> bytes:
        """Send bytes from the client to the server by TCP; return what came."""
        listener = self.server.socket(socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("10.9.2.2", 2500))
        listener.listen()
        sender = self.client.socket(socket.SOCK_STREAM)
        sender.connect(("10.9.2.2", 2500))
        accepted, _ = listener.accept()
        accepted.settimeout(10)

        def send() -> None:
            sender.sendall(content(size))
            sender.close()

        thread = threading.Thread(target=send)
        thread.start()
        with accepted:
            received = b"".join(iter(lambda: accepted.recv(1 << 16), b""))
        thread.join(10)
        listener.close()
        return received


def content(size: int) -> bytes:
    return bytes(range(97, 123)) * (size // 26) + bytes(size % 26)


@pytest.fixture
def router() -> Iterator[Router]:
    with Network() as network:
        found = Router(
            network.namespace("client"), network.namespace("router"), network.namespace("server")
        )
        network.link(found.client, "eth0", found.router, "left")
        network.link(found.server, "eth0", found.router, "right")
        found.client.address("eth0", "10.9.1.1/24")
        found.router.address("left", "10.9.1.2/24")
        found.router.address("right", "10.9.2.1/24")
        found.server.address("eth0", "10.9.2.2/24")
        found.client.ip("route", "add", "default", "via", "10.9.1.2")
        found.server.ip("route", "add", "default", "via", "10.9.2.1")
        found.router.run("sysctl", "-w", "net.ipv4.ip_forward=1")
        found.router.run("iptables", "-A", "FORWARD", "-j", "MARK", "--set-mark", "0x1c00005")
        found.router.run(*("iptables", "-A", "FORWARD", "-j", "NFQUEUE", "--queue-num", str(QUEUE)))
        yield found


def test_packets_longer_than_the_library_copies_arrive_whole(
    router: Router, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = Engine(lambda packet: FORWARD)
    with router.judged_by(engine, monkeypatch):
        assert router.transfer(3_000_000) == content(3_000_000)
    longest = max((packet for packet, *_ in engine.packets), key=len)
    assert len(longest) > 4016
    assert len(longest) == int.from_bytes(longest[2:4])
    assert Segment(longest).end == len(longest)


def test_packets_come_with_interface_names_and_mark(
    router: Router, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = Engine(lambda packet: FORWARD)
    with router.judged_by(engine, monkeypatch):
        router.transfer(10)
    sides = {(ingress, egress) for _, ingress, egress, _ in engine.packets}
    assert sides == {("outside", "inside"), ("inside", "outside")}
    # Bits that are not ours are left out: they may differ between packets of a connection.
    assert {mark for *_, mark in engine.packets} == {0x1C00005 & connmark.ALL}


def test_edited_packets_of_any_length_reach_the_server_edited(
    router: Router, monkeypatch: pytest.MonkeyPatch
) -> None:
    def shout(packet: bytes) -> Verdict:
        segment = Segment(packet)
        payload = packet[segment.payload_at : segment.end]
        return Verdict(forward=True, edited=edit(segment, payload.upper())) if payload else FORWARD

    engine = Engine(shout)
    with router.judged_by(engine, monkeypatch):
        assert router.transfer(500_000) == content(500_000).upper()
    assert max(len(packet) for packet, *_ in engine.packets) > 4016
    assert router.counts[-1].counters.edited > 0


def test_dropped_packets_reach_nobody(router: Router, monkeypatch: pytest.MonkeyPatch) -> None:
    with router.judged_by(Engine(lambda packet: DROP), monkeypatch), pytest.raises(TimeoutError):
        sender = router.client.socket(socket.SOCK_STREAM, timeout=1.5)
        sender.connect(("10.9.2.2", 2500))
    counters = router.counts[-1].counters
    assert counters.dropped == counters.packets > 0


def test_released_packets_arrive_though_longer_than_the_link_takes(
    router: Router, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each packet is dropped and sent again by the raw socket, as held ones are."""
    engine = Engine(lambda packet: Verdict(forward=False, released=(packet,)))
    with router.judged_by(engine, monkeypatch):
        assert router.transfer(500_000) == content(500_000)
    assert max(len(packet) for packet, *_ in engine.packets) > 4016
    counters = router.counts[-1].counters
    assert counters.released == counters.packets == counters.dropped


def test_an_error_of_the_engine_costs_one_packet(
    router: Router, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stumble(packet: bytes) -> Verdict:
        if len(engine.packets) == 1:
            raise RuntimeError("\x1b[2Jstumbled")
        return FORWARD

    engine = Engine(stumble)
    with router.judged_by(engine, monkeypatch):
        assert router.transfer(1000) == content(1000)
    counters = router.counts[-1].counters
    assert (counters.faults, counters.dropped) == (1, 1)
    assert any("stumbled" in line for line in router.lines)


def test_what_cannot_be_sent_is_counted(router: Router, monkeypatch: pytest.MonkeyPatch) -> None:
    not_tcp = b"\x45" + bytes(40)
    lost = bytearray(40)
    lost[0], lost[9], lost[32] = 0x45, 6, 0x50
    lost[16:20] = socket.inet_aton("198.51.100.1")  # no route leads there
    lost[2:4] = (40).to_bytes(2)
    engine = Engine(lambda packet: Verdict(forward=True, released=(not_tcp, bytes(lost))))
    with router.judged_by(engine, monkeypatch):
        assert router.transfer(10) == content(10)
    counters = router.counts[-1].counters
    assert counters.unsent == 2 * counters.packets
    assert counters.faults == counters.packets


def test_a_queue_that_somebody_has_is_refused_with_its_number(router: Router) -> None:
    queue = router.router.call(PacketQueue, QUEUE, 100, lambda packet: packet.accept())
    try:
        with pytest.raises(PixguardError, match=f"NFQUEUE {QUEUE}"):
            router.router.call(PacketQueue, QUEUE, 100, lambda packet: packet.accept())
    finally:
        queue.close()
