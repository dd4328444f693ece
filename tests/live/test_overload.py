"""Too much of everything: it costs what it must, and honest mail gets through."""

from __future__ import annotations

import multiprocessing
import os
import resource
import signal
import socket
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from appliance.firewall import Firewall
from appliance.lab.topology import CLIENT, SERVER_MAPPED
from appliance.smtp.release import RELEASES
from appliance.tcp.room import EMBRYONIC
from appliance.verdict import Verdict
from tests.e2e.test_load import kernel_says
from tests.live.mailing import BoxedLab, Mail, await_mails, mails, send
from tests.live.test_appliance import workers
from tests.namespaces import needs_namespaces
from tests.replay.packets import SYN, tcp
from tests.waiting import eventually
from tests.wire import ACK, CLIENT_START, FIN, Wire, inspecting, packet

FLOOD = 20_000
FLOOD_WAITING = 500
"""Packets in the queue at which the flood pauses: a full queue is another test's."""

FLOOD_NETWORK = 198 << 24 | 18 << 16
"""198.18.0.0/15 is for measurements (RFC 2544): each packet has a source address of its own."""

SOCKETS = 5_000
SOCKETS_AT_ONCE = 250
SOURCES = [f"203.0.113.{number}" for number in range(11, 15)]

KEYSTROKE = 0.05
"""Seconds between two bytes of somebody who types."""


def send_all(lab: BoxedLab, sent: Sequence[Mail], senders: int) -> None:
    """Send mails, each in a session of its own, several at a time."""
    with ThreadPoolExecutor(senders) as pool:
        list(pool.map(lambda mail: lab.client.call(send, [mail]), sent))


@needs_namespaces
def test_what_a_full_queue_drops_is_sent_again() -> None:
    sent = mails(120, 21, 500, 20_000)
    with BoxedLab(f"pxo{os.getpid()}", {"queue-length": 64}) as lab:
        (worker,) = workers(lab)
        with ThreadPoolExecutor(1) as pool:
            os.kill(worker, signal.SIGSTOP)  # a machine that is busy with something else
            sending = pool.submit(send_all, lab, sent, len(sent))
            time.sleep(1)
            os.kill(worker, signal.SIGCONT)
            sending.result()
        await_mails(lab, sent)
        eventually(lambda: lab.counters()["queues"][0]["dropped"] > 0, "drops are counted")
        assert lab.counters()["queues"][0]["waiting"] <= 64
        assert workers(lab) == [worker]
        assert lab.counters()["total"]["faults"] == 0


def flood(lab: BoxedLab) -> None:
    """Send the SYNs of connections that nobody means, from the calling thread's namespace."""
    target = (SERVER_MAPPED, 25)
    packets = [
        tcp((socket.inet_ntoa((FLOOD_NETWORK + n).to_bytes(4)), 1024 + n), target, n, 0, SYN)
        for n in range(FLOOD)
    ]
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW) as raw:
        for number, each in enumerate(packets):
            raw.sendto(each, (SERVER_MAPPED, 0))
            if number % 100 == 0:
                eventually(lambda: int(kernel_says(lab)[2]) < FLOOD_WAITING, patience=5)


@needs_namespaces
def test_a_syn_flood_takes_no_more_than_its_share() -> None:
    sent = mails(2000, 22, 500, 10_000)
    with BoxedLab(f"pxo{os.getpid()}") as lab, ThreadPoolExecutor(1) as pool:
        # What the server answers to them finds its way back, and nobody there.
        lab.router.ip("route", "add", "default", "via", CLIENT)
        lab.client.ip("route", "add", "blackhole", "198.18.0.0/15")
        flooding = pool.submit(lab.client.call, flood, lab)
        known, during = 0, 0
        while not flooding.done() and during < 1900:
            send_all(lab, sent[during : during + 5], 5)
            during += 5
            known = max(known, *lab.by_worker("connections"))
        flooding.result()
        eventually(lambda: sum(lab.built()) >= FLOOD + during)
        known = max(known, *lab.by_worker("connections"))
        send_all(lab, sent[during : during + 50], 5)
        await_mails(lab, sent[: during + 50])
        (queue,) = lab.counters()["queues"]
        total = lab.counters()["total"]
        log = lab.log()
    assert during >= 10
    # Honest connections are known besides, those that have ended for a while.
    assert EMBRYONIC < known <= EMBRYONIC + during
    forgotten = [line for line in log if "SYN Timeout" in line and "outside:198.1" in line]
    # A flood that is fast enough is one of lines, too, of which some are left out.
    assert len(forgotten) + total["suppressed_lines"] >= FLOOD - EMBRYONIC
    assert not [line for line in log if "SYN Timeout" in line and "outside:203.0.113" in line]
    assert queue["dropped"] == total["faults"] == total["lost_lines"] == 0


def type_out(mail: Mail) -> None:
    """Send a mail one byte a segment, as one does who types it."""
    lines = [b"HELO c.example", b"MAIL FROM:<a@c.example>", b"RCPT TO:<b@acme.com>", b"DATA"]
    with socket.create_connection((SERVER_MAPPED, 25), 60) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        assert connection.recv(1000).startswith(b"220 ")
        for line in (*lines, mail.content + b".", b"QUIT"):
            for byte in line + b"\r\n":
                connection.sendall(bytes((byte,)))
                time.sleep(KEYSTROKE)
            assert connection.recv(1000)[:1] in (b"2", b"3")


@needs_namespaces
def test_the_slow_harm_nobody_and_get_their_mail_through() -> None:
    typed = Mail("<typed@example.org>", b"Message-ID: <typed@example.org>\r\n\r\n" + b"Hi\r\n" * 15)
    (large,) = mails(1, 24, 300_000, 300_001, "large")
    others = mails(40, 25, 500, 20_000)
    with (
        # Else a command that is typed may never get through a release before 7.0.
        BoxedLab(f"pxo{os.getpid()}", {"segmentation": "stream"}) as lab,
        ThreadPoolExecutor(2) as pool,
    ):
        typing = pool.submit(lab.client.call, type_out, typed)
        reading = pool.submit(lab.client.call, send, [large], 60, "slow@acme.com")
        time.sleep(1)
        send_all(lab, others, 4)
        assert not typing.done()
        assert not reading.done()
        typing.result()
        reading.result()
        await_mails(lab, [typed, large, *others])
        assert lab.counters()["total"]["faults"] == 0


@contextmanager
def many_files() -> Iterator[None]:
    """Let this process have as many files open as it may."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def open_idle() -> list[socket.socket]:
    """Greeted connections from the calling thread's namespace, from several addresses."""
    opened = []
    for _ in range(SOCKETS // SOCKETS_AT_ONCE):
        group = []
        for number in range(SOCKETS_AT_ONCE):
            idle = socket.socket()
            idle.bind((SOURCES[number % len(SOURCES)], 0))
            idle.setblocking(False)
            idle.connect_ex((SERVER_MAPPED, 25))
            group.append(idle)
        for idle in group:
            idle.settimeout(60)
            assert idle.recv(1000).startswith(b"220 ")
        opened += group
    return opened


@needs_namespaces
def test_thousands_of_idle_connections_stand_and_mail_passes() -> None:
    sent = mails(20, 26, 500, 50_000)
    with many_files(), BoxedLab(f"pxo{os.getpid()}", {"workers": 2}) as lab:
        for address in SOURCES:
            lab.client.ip("address", "add", f"{address}/24", "dev", "eth0")
        opened = lab.client.call(open_idle)
        try:
            eventually(lambda: sum(lab.by_worker("connections")) == SOCKETS, "all are counted")
            assert min(lab.by_worker("connections")) > SOCKETS // 3
            send_all(lab, sent, 4)
            await_mails(lab, sent)
            opened[0].sendall(b"NOOP\r\n")
            assert opened[0].recv(1000).startswith(b"250")
        finally:
            for idle in opened:
                idle.close()
        eventually(
            lambda: (
                lab.counters()["total"]["events"].get("connection-closed") == SOCKETS + len(sent)
            ),
            "all end",
        )
        total = lab.counters()["total"]
    assert total["faults"] == total["lost_lines"] == 0


@dataclass
class Script(Wire):
    """A connection through a firewall, all of whose packets are kept as they were given."""

    given: list[bytes] = field(default_factory=list)

    def give(self, data: bytes) -> Verdict:
        self.given.append(data)
        return super().give(data)


def embryonic(script: Script) -> None:
    script.give(packet(True, CLIENT_START, 0, SYN))


def established(script: Script) -> None:
    script.handshake()


def greeted(script: Script) -> None:
    script.handshake()
    script.server(b"220 mail.acme.com ESMTP\r\n")
    script.client(b"", flags=ACK)


def in_a_command(script: Script) -> None:
    greeted(script)
    script.client(b"MAIL FROM:<alice@")


def in_a_mail(script: Script) -> None:
    greeted(script)
    for line, reply in (
        (b"MAIL FROM:<alice@example.org>\r\n", b"250 OK\r\n"),
        (b"RCPT TO:<bob@acme.com>\r\n", b"250 OK\r\n"),
        (b"DATA\r\n", b"354 Go on\r\n"),
    ):
        script.client(line)
        script.server(reply)
    for _ in range(2):
        script.client(b"a line of a mail\r\n" * 50)
        script.server(b"", flags=ACK)


def with_a_hole(script: Script) -> None:
    in_a_mail(script)
    script.segment(True, script.client_sent + 1, b"later\r\n" * 100)


def half_closed(script: Script) -> None:
    greeted(script)
    script.client(b"", flags=FIN | ACK)


STATES = (established, greeted, in_a_command, in_a_mail, with_a_hole, half_closed, embryonic)

IDLE = 50_000

HEAVIEST = 8_192
"""Bytes that an idle connection may take; what is held or remembered of its packets is in it."""


def weigh() -> tuple[int, int, dict[str, int]]:
    """Fill an engine with idle connections, of each state as many.

    Returns:
        the connections that it knows then, those that it knows an hour later, and what one of each
        state takes, in bytes.
    """
    firewall = Firewall(inspecting(RELEASES["6.3"]), lambda event: None)
    ports = iter(range(1024, 1024 + IDLE))
    weights = {}
    now = 1000.0
    for state in STATES:
        script = Script(RELEASES["6.3"])
        state(script)
        before = resident()
        for port in [next(ports) for _ in range(IDLE // len(STATES))]:
            for data in script.given:
                # The port that the client has; live, the kernel has judged checksums before.
                at = 20 if data[12:16] == script.given[0][12:16] else 22
                now += 1e-5
                firewall.receive(data[:at] + port.to_bytes(2) + data[at + 2 :], now)
        weights[state.__name__] = (resident() - before) // (IDLE // len(STATES))
    known = firewall.flows
    firewall.expire(now + 3700)
    assert firewall.room.held == firewall.room.remembered == 0
    return known, firewall.flows, weights


def resident() -> int:
    """Bytes of memory that this process takes."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def test_fifty_thousand_idle_connections_take_little() -> None:
    # A process of its own has no memory left over that would be used first.
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        known, left, weights = pool.apply(weigh)
    assert known == IDLE // len(STATES) * len(STATES)
    assert left == 0
    assert min(weights.values()) > 0
    assert max(weights.values()) <= HEAVIEST, weights
