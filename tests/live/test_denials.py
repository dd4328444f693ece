"""Packets that the kernel denies draw the lines that replay of the same packets draws."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.packet import Packet, Raw

from appliance.events import Event
from appliance.firewall import Firewall
from appliance.live.command import run
from appliance.live.netfilter import DENIALS_TOLD
from appliance.policy.policy import Policy
from appliance.smtp.release import DEFAULT
from appliance.syslog import Syslog
from tests.live.mailing import RULES, BoxedLab, Mail, await_mails, mails, send
from tests.live.router import Router
from tests.namespaces import Network, needs_namespaces
from tests.policy.rules import configuration
from tests.waiting import eventually

pytestmark = needs_namespaces

OPEN = """\
nameif ethernet0 outside security0
nameif ethernet1 inside security100
nameif ethernet2 dmz security50
ip address outside 203.0.113.1 255.255.255.0
ip address inside 10.1.1.1 255.255.255.0
ip address dmz 172.16.1.1 255.255.255.0
route outside 0 0 203.0.113.254 1
logging on
logging buffered debugging
static (inside,outside) 203.0.113.5 10.1.1.5 netmask 255.255.255.255 0 0
static (inside,outside) tcp 203.0.113.6 smtp 10.1.1.5 2525 netmask 255.255.255.255 0 0
static (inside,outside) 203.0.113.8 10.1.1.8 netmask 255.255.255.248 0 0
"""

BOUND = f"""\
{OPEN}access-list mail deny tcp any host 203.0.113.5 eq telnet log 4 interval 1
access-list mail deny tcp any any eq finger log disable
access-list mail permit tcp any host 203.0.113.5 eq www log
access-list mail permit tcp any host 203.0.113.7 log
access-list mail permit udp any host 203.0.113.5 eq domain log notifications
access-group mail in interface outside
"""


@dataclass
class Bench:
    """An appliance in a namespace, packets for it, and the lines that they draw."""

    router: Router
    directory: Path
    process: subprocess.Popen[bytes] | None = None

    def start(self, rules: str) -> None:
        config, box = self.directory / "rules.conf", self.directory / "box.yaml"
        config.write_text(rules)
        settings = {
            "interfaces": dict(self.router.box.interfaces),
            "state": str(self.directory / "state"),
            "log": str(self.directory / "log"),
            "user": "nobody",
            "queue": 2600,
        }
        (self.directory / "state").mkdir()
        box.write_text(json.dumps(settings))
        command = [sys.executable, "-m", "appliance", "run", "--config", config, "--box", box]
        self.process = self.router.inner.call(
            subprocess.Popen, command, stderr=(self.directory / "stderr").open("wb")
        )
        self.firewall_rules = rules
        eventually(lambda: self.drawn("pixguard: the firewall is up"), "it is up", patience=20)

    def stop(self) -> None:
        if self.process:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(20)

    def lines(self) -> list[str]:
        log = self.directory / "log"
        return [line[22:] for line in log.read_text().splitlines()] if log.exists() else []

    def drawn(self, part: str) -> list[str]:
        return [line for line in self.lines() if part in line]

    def send(self, ingress: str, packet: Packet) -> None:
        link, mac = self.router._links[ingress], self.router._macs[ingress]
        link.sendto(bytes(packet), ("eth0", 0x0800, 0, 0, mac))


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    tmp_path.chmod(0o755)
    with Network() as network:
        made = Bench(Router(network, tmp_path, queue=2900), tmp_path)
        try:
            yield made
        finally:
            made.stop()
            made.router.close()


def replayed(rules: str, packets: list[tuple[str, Packet]]) -> list[str]:
    """What the engine says to the same packets."""
    events: list[Event] = []
    firewall = Firewall(Policy(configuration(rules), DEFAULT).admit, events.append)
    for ingress, packet in packets:
        firewall.receive(bytes(packet), 0.0, ingress)
    syslog = Syslog("PIX", DEFAULT)
    return [line for event in events if (line := syslog.message(event))]


CLIENT = "198.51.100.7"


def tcp(ports: tuple[int, int], flags: str = "S", to: str = "203.0.113.5") -> Packet:
    return IP(src=CLIENT, dst=to) / TCP(sport=ports[0], dport=ports[1], flags=flags, seq=77)


PACKETS: list[tuple[str, Packet]] = [
    ("outside", tcp((4001, 23))),
    ("outside", tcp((4002, 25), to="203.0.113.6")),  # its port is translated
    ("outside", tcp((4003, 80), to="203.0.113.10")),  # of a network that is translated
    ("outside", tcp((4004, 25), to="203.0.113.6") / Raw(b"with data")),
    ("outside", IP(src=CLIENT, dst="203.0.113.5") / UDP(sport=4005, dport=161)),
    ("outside", IP(src=CLIENT, dst="203.0.113.5") / ICMP(type=8, id=6) / Raw(bytes(8))),
    ("outside", IP(src=CLIENT, dst="203.0.113.5") / ICMP(type=0, id=7) / Raw(bytes(8))),
    ("outside", IP(src=CLIENT, dst="203.0.113.5", proto=47) / Raw(bytes(8))),
    ("outside", tcp((4008, 25), to="203.0.113.77")),  # of nothing that is translated
    ("outside", tcp((4009, 25), "R")),
    ("outside", tcp((4010, 25), "RA")),
    ("outside", tcp((4011, 25), "SA")),
    ("inside", IP(src="10.1.1.77", dst=CLIENT) / TCP(sport=4012, dport=25, flags="S")),
    ("inside", IP(src="10.1.1.77", dst=CLIENT) / UDP(sport=4013, dport=53)),
    ("inside", IP(src="10.1.1.5", dst=CLIENT) / TCP(sport=4014, dport=25, flags="R")),
    ("dmz", IP(src="172.16.1.9", dst="10.1.1.5") / TCP(sport=4015, dport=25, flags="S")),
    ("dmz", IP(src="172.16.1.9", dst="203.0.113.5") / TCP(sport=4016, dport=25, flags="S")),
    ("outside", IP(src=CLIENT, dst="203.0.113.80") / TCP(sport=4017, dport=25, flags="S")),
]

NUMBERS_OPEN = {"106001", "106006", "106010", "106014", "106015", "305005", "106011"}
NUMBERS_BOUND = {"106015", "106023", "106100", "305005", "106011", "106001"}


def numbers(lines: list[str]) -> set[str]:
    return {line.split("-")[2][:6] for line in lines}


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        (OPEN, NUMBERS_OPEN),
        (OPEN + "conduit permit tcp any any\n", NUMBERS_OPEN - {"106001"}),
        (BOUND, NUMBERS_BOUND),
    ],
)
def test_denied_packets_draw_what_replay_says(bench: Bench, rules: str, expected: set[str]) -> None:
    packets = [
        *PACKETS,
        ("outside", tcp((4020, 80), to="203.0.113.7")),
        ("outside", tcp((4021, 79))),
        ("outside", IP(src=CLIENT, dst="203.0.113.5") / UDP(sport=4022, dport=53)),
    ]
    bench.start(rules)
    for ingress, packet in packets:
        bench.send(ingress, packet)
    told = [line for line in replayed(rules, packets) if "30201" not in line]
    assert numbers(told) == expected
    eventually(lambda: len(bench.drawn("%PIX-")) >= len(told), "all are told", patience=10)
    live = [line for line in bench.drawn("%PIX-") if "30201" not in line]
    assert sorted(line for line in live if "interval" not in line) == sorted(told)


def test_intervals_are_told_and_a_reload_forgets_no_flow(bench: Bench) -> None:
    bench.start(BOUND)
    telnet = ("outside", tcp((4001, 23)))
    for _ in range(3):
        bench.send(*telnet)
    hit = "106100: access-list mail denied tcp outside/198.51.100.7(4001) -> inside/203.0.113.5(23)"
    eventually(lambda: bench.drawn(f"{hit} hit-cnt 3 (1-second interval)"), patience=10)
    (bench.directory / "rules.conf").write_text(BOUND.replace("interval 1", "interval 600"))
    bench.send(*telnet)
    assert bench.process
    bench.process.send_signal(signal.SIGHUP)
    eventually(lambda: bench.drawn("pixguard: reloaded"), patience=20)
    eventually(lambda: len(bench.drawn(hit)) >= 3, patience=10)
    firsts = [line for line in bench.drawn(hit) if line.endswith("(first hit)")]
    assert all("-4-106100" in line for line in bench.drawn(hit))
    assert 1 <= len(firsts) <= 2  # the second, if the first interval had ended before it


def test_what_draws_nothing(bench: Bench) -> None:
    bench.start(BOUND)
    wrong = tcp((4030, 25), "R")
    wrong[TCP].chksum = 0x1234
    bench.send("outside", wrong)
    echo = IP(src=CLIENT, dst="203.0.113.5") / ICMP(type=8, id=9, chksum=0x1234) / Raw(bytes(8))
    bench.send("outside", echo)
    bench.send("outside", tcp((4021, 79)))  # `log disable`
    # To the firewall's own address: Linux's business.
    bench.send("outside", tcp((4031, 23), to="203.0.113.1"))
    # Of a connection that lives, but far out of its window.
    bench.send("outside", tcp((4032, 80)))
    eventually(lambda: bench.drawn("(4032)"), patience=10)
    stray = IP(src=CLIENT, dst="203.0.113.5") / TCP(
        sport=4032, dport=80, flags="FA", seq=77 + (1 << 30), ack=5
    )
    bench.send("outside", stray)
    bench.send("outside", tcp((4040, 25), "R"))
    eventually(lambda: bench.drawn("198.51.100.7/4040"), patience=10)
    drawn = bench.drawn("%PIX-")
    assert [line for line in drawn if "(4032)" not in line] == [
        "%PIX-6-106015: Deny TCP (no connection) from 198.51.100.7/4040 to 203.0.113.5/25 "
        "flags RST on interface outside"
    ]


def test_a_connection_from_before_is_none(bench: Bench) -> None:
    """The firewall has not seen it begin."""
    inner = bench.router.inner
    inner.address("out0", "203.0.113.1/24")
    inner.address("in0", "10.1.1.1/24")
    for name in ("out0", "in0"):
        inner.run("sysctl", "-qw", f"net.ipv4.conf.{name}.forwarding=1")
    # Connection tracking works where something asks for it.
    inner.run("iptables", "-A", "FORWARD", "-m", "conntrack", "--ctstate", "NEW", "-j", "ACCEPT")
    ends = {"sport": 4050, "dport": 25}
    bench.send("outside", IP(src=CLIENT, dst="10.1.1.5") / TCP(**ends, flags="S", seq=1))
    back = {"sport": 25, "dport": 4050}
    bench.send("inside", IP(src="10.1.1.5", dst=CLIENT) / TCP(**back, flags="SA", seq=1, ack=2))
    bench.start(OPEN)
    bench.send("outside", IP(src=CLIENT, dst="10.1.1.5") / TCP(**ends, flags="A", seq=2, ack=2))
    eventually(lambda: bench.drawn("%PIX-"), patience=10)
    assert bench.drawn("%PIX-") == [
        "%PIX-6-106015: Deny TCP (no connection) from 198.51.100.7/4050 to 10.1.1.5/25 "
        "flags ACK on interface outside"
    ]


def test_a_reload_names_the_list_in_force(bench: Bench) -> None:
    bench.start(": Saved\nPIX Version 6.3(5)\n" + BOUND)
    bench.send("outside", tcp((4060, 25)))
    eventually(lambda: bench.drawn('by access-group "mail"'), patience=10)
    (bench.directory / "rules.conf").write_text(
        ": Saved\nPIX Version 6.3(5)\n" + BOUND.replace("mail", "other")
    )
    assert bench.process
    bench.process.send_signal(signal.SIGHUP)
    eventually(lambda: bench.drawn("pixguard: reloaded"), patience=20)
    bench.send("outside", tcp((4061, 25)))
    eventually(lambda: bench.drawn('by access-group "other"'), patience=10)


FLOOD = """\
import itertools, socket, time
raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
packets = [bytes.fromhex(line) for line in open(0)]
for number, packet in enumerate(itertools.cycle(packets)):
    raw.sendto(packet, ("203.0.113.5", 0))
    if number % 200 == 0:
        time.sleep(0.01)
"""
"""Up to 20,000 packets a second, so that a core is left for what the flood meets."""


def mail_time(lab: BoxedLab, sent: list[Mail]) -> float:
    """Seconds that mails take, one session after the other."""
    began = time.monotonic()
    for mail in sent:
        lab.client.call(send, [mail])
    return time.monotonic() - began


@contextmanager
def flooding(lab: BoxedLab, port: int) -> Iterator[None]:
    """SYNs to a port that the rules deny."""
    packets = (bytes(tcp((1024 + number, port))).hex() for number in range(5_000))
    command = lab.client.command(sys.executable, "-c", FLOOD)
    flood = subprocess.Popen(command, stdin=subprocess.PIPE, text=True)
    try:
        assert flood.stdin
        flood.stdin.write("\n".join(packets))
        flood.stdin.close()
        before = denied(lab)
        eventually(lambda: denied(lab) > before + 5_000, patience=30)
        yield
    finally:
        flood.kill()
        flood.wait()


def test_a_flood_of_denied_packets_that_is_told_of_slows_mail_no_more_than_one_that_is_not(
    tmp_path: Path,
) -> None:
    rules = tmp_path / "rules.conf"
    silent = "access-list outside_in deny tcp any any eq finger log disable\n"
    rules.write_text(RULES.read_text().replace("access-group", f"{silent}access-group", 1))
    sent = mails(300, 41, 500, 10_000)
    with BoxedLab(f"pxd{os.getpid()}", rules=rules) as lab:
        mail_time(lab, sent[:60])
        times: dict[int, list[float]] = {79: [], 23: []}
        began = time.monotonic()
        for number, port in enumerate((79, 23, 79, 23)):
            with flooding(lab, port):
                part = sent[60 + number * 60 : 120 + number * 60]
                times[port].append(mail_time(lab, part))
        await_mails(lab, sent)
        lasted = time.monotonic() - began
        told = [line for line in lab.log() if "%PIX-4-106023" in line]
        total, (queue,) = lab.counters()["total"], lab.counters()["queues"]
        packets = denied(lab)
    print(f"{times=} {packets=} {lasted=:.1f} {len(told)=}")
    assert {line.split("/")[-1].split()[0] for line in told} == {"23"}
    assert DENIALS_TOLD <= len(told) < DENIALS_TOLD * (lasted + 1) < packets
    assert total["faults"] == total["lost_lines"] == queue["dropped"] == 0
    assert min(times[23]) < 1.5 * min(times[79]) + 0.5


def denied(lab: BoxedLab) -> int:
    """Packets that the kernel has denied."""
    saved = lab.router.call(run, ["iptables-save", "-c", "-t", "filter"], "iptables")
    return sum(map(int, re.findall(r"\[(\d+):\d+\] -A PIXGUARD-\S+ .*-j DROP", saved)))
