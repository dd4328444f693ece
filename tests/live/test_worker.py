"""What a worker does with what the engine says."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from dataclasses import dataclass, field
from io import BytesIO
from typing import cast

import pytest
from netfilterqueue import Packet

from appliance.box import Box
from appliance.firewall import Firewall
from appliance.live.messages import Channel
from appliance.live.queue import PacketQueue
from appliance.live.worker import Worker
from appliance.verdict import DROP, FORWARD, Verdict
from tests.namespaces import Network, needs_namespaces
from tests.replay.packets import ACK, tcp

pytestmark = needs_namespaces

NEAR, FAR = ("192.0.2.1", 4000), ("192.0.2.2", 25)
IPV4 = socket.htons(0x0800)
HELD = [tcp(NEAR, FAR, number, 1, ACK, b"held") for number in (1, 5)]


@dataclass
class Engine:
    """Stands in for the firewall."""

    verdict: Verdict = FORWARD
    timely: tuple[bytes, ...] = ()

    def receive(self, packet: bytes, now: float, ingress: str, egress: str, mark: int) -> Verdict:
        return self.verdict

    def expire(self, now: float) -> tuple[bytes, ...]:
        return self.timely


@dataclass
class Queued:
    """Stands in for a packet of the queue."""

    indev: int = 0
    outdev: int = 0
    fate: list[str] = field(default_factory=list)

    def get_payload(self) -> bytes:
        return HELD[0]

    def get_mark(self) -> int:
        return 0


class Queue:
    """Stands in for the queue: gives a packet its fate at once."""

    def accept(self, packet: Queued, size: int) -> None:
        packet.fate.append("accepted")

    def drop(self, packet: Queued) -> None:
        packet.fate.append("dropped")

    def flush(self) -> None:
        """Nothing waits."""


class Bench:
    """A worker in a namespace, with a stand-in for its engine, and the link behind it."""

    def __init__(self, network: Network) -> None:
        inner, peer = network.namespace("machine"), network.namespace("peer")
        network.link(inner, "eth0", peer, "eth0")
        inner.address("eth0", f"{NEAR[0]}/24")
        inner.ip("neighbour", "add", FAR[0], "lladdr", "02:00:00:00:00:02", "dev", "eth0")
        self._link = peer.call(socket.socket, socket.AF_PACKET, socket.SOCK_DGRAM, IPV4)
        self._link.settimeout(5)
        self._supervisor, its = socket.socketpair()
        box = Box(interfaces=(("outside", "eth0"),))
        self.worker = inner.call(Worker, Channel(its), 2500, box, BytesIO())
        self.engine = Engine()
        self.worker._firewall = cast("Firewall", self.engine)
        self.worker._queue.close()
        self.worker._queue = cast("PacketQueue", Queue())

    def judge(self, verdict: Verdict) -> list[str]:
        self.engine.verdict = verdict
        packet = Queued()
        self.worker._judge(cast("Packet", packet))
        return packet.fate

    def received(self) -> bytes:
        return self._link.recv(2000)

    def close(self) -> None:
        self.worker._sender.close()
        self._supervisor.close()
        self._link.close()


@pytest.fixture
def bench() -> Iterator[Bench]:
    with Network() as network:
        made = Bench(network)
        yield made
        made.close()


def test_what_the_engine_sends_by_its_timers_goes_out_and_is_counted(bench: Bench) -> None:
    bench.engine.timely = tuple(HELD)
    bench.worker._expire(1.0)
    assert [bench.received()[-4:] for _ in HELD] == [b"held"] * 2
    assert (bench.worker._counters.released, bench.worker._counters.faults) == (2, 0)
    bench.engine.timely = ()
    bench.worker._expire(2.0)
    assert (bench.worker._counters.released, bench.worker._counters.faults) == (2, 0)


@pytest.mark.parametrize(("forward", "fate"), [(True, "accepted"), (False, "dropped")])
def test_what_a_packet_released_goes_out_whatever_becomes_of_it(
    bench: Bench, forward: bool, fate: str
) -> None:
    assert bench.judge(Verdict(forward, None, (HELD[1],))) == [fate]
    assert bench.received() == HELD[1]
    assert bench.worker._counters.released == 1


def test_nothing_else_goes_out(bench: Bench) -> None:
    assert bench.judge(DROP) == ["dropped"]
    assert bench.judge(FORWARD) == ["accepted"]
    bench._link.setblocking(False)
    with pytest.raises(BlockingIOError):
        bench.received()
