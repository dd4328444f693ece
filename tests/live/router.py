"""A router with an outside, an inside and a dmz interface, in namespaces, and packets to send.

The peers have no addresses: packets are put on their links as made, and what comes out of the
router is read from the links, so that nothing answers and nothing is resolved.
"""

from __future__ import annotations

import select
import socket
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

from netfilterqueue import NetfilterQueue, Packet
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.packet import Raw

from appliance.admission import Opening
from appliance.box import Box
from appliance.config.model import Configuration
from appliance.live import connmark
from appliance.live.compilation import compile_rules
from appliance.live.iptables import install
from appliance.live.kernel import Changes, wanted_settings
from appliance.live.state import journal_file
from tests.namespaces import Namespace, Network

NETWORKS = {
    "outside": IPv4Network("203.0.113.0/24"),
    "inside": IPv4Network("10.1.1.0/24"),
    "dmz": IPv4Network("172.16.1.0/24"),
}
LINUX = {"outside": "out0", "inside": "in0", "dmz": "dmz0"}
TTL = 64


@dataclass(frozen=True, slots=True)
class Seen:
    """A packet that came out of the router.

    Args:
        interface: by which it left.
        source: its source address.
        source_port: its source port, 0 for protocols without.
        destination: its destination address.
        destination_port: likewise.
    """

    interface: str
    source: IPv4Address
    source_port: int
    destination: IPv4Address
    destination_port: int


class Router:
    """The router and its peers; queued packets that are permitted pass, and their marks are kept.

    The others are beyond a limit: they are dropped, and their numbers kept as `refused`. What was
    queued is kept as `queued`, by its number, as it passes FORWARD.

    Args:
        network: where to make the namespaces.
        state: a directory for the journal.
        queue: number of the queue that is listened to.
    """

    def __init__(self, network: Network, state: Path, queue: int = 2500) -> None:
        self.box = Box(interfaces=tuple(LINUX.items()), queue=queue, state=state)
        self.inner = network.namespace("router")
        self.peers: dict[str, Namespace] = {}
        self._links: dict[str, socket.socket] = {}
        self._macs: dict[str, bytes] = {}
        for name, interface in LINUX.items():
            peer = network.namespace(name)
            peer.run("sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1")
            network.link(self.inner, interface, peer, "eth0")
            self.peers[name] = peer
            link = self.inner.ip("-br", "link", "show", "dev", interface).split()
            self._macs[name] = bytes.fromhex(link[2].replace(":", ""))
            # Neighbours that need no asking for, as the peers answer nothing.
            lines = (
                f"neighbour add {address} lladdr 02:00:00:00:00:01 dev {interface} nud permanent"
                for address in list(NETWORKS[name].hosts())[1:]
            )
            self.inner.run("ip", "-batch", "-", stdin="\n".join(lines))
            self._links[name] = peer.call(_open_link)
        for scope in ("all", *LINUX.values()):
            self.inner.run("sysctl", "-qw", f"net.ipv4.conf.{scope}.rp_filter=0")
        self._indices: dict[int, str] = self.inner.call(
            lambda: {socket.if_nametoindex(linux): name for name, linux in LINUX.items()}
        )
        self.marks: dict[int, int] = {}
        self.queued: dict[int, Opening] = {}
        self.refused: set[int] = set()
        self._queue: NetfilterQueue = self.inner.call(NetfilterQueue)
        self._queue.bind(queue, self._accept)

    def _accept(self, packet: Packet) -> None:
        payload = packet.get_payload()
        number = int.from_bytes(payload[4:6], "big")
        self.queued[number] = Opening(
            payload[9],
            IPv4Address(payload[12:16]),
            int.from_bytes(payload[20:22], "big"),
            IPv4Address(payload[16:20]),
            int.from_bytes(payload[22:24], "big"),
            ingress=self.named(packet.indev),
            egress=self.named(packet.outdev),
            time=time.time(),
        )
        if packet.get_mark() & connmark.PERMITTED:
            self.marks[number] = packet.get_mark()
            packet.accept()
        else:
            self.refused.add(number)
            packet.drop()

    def named(self, index: int) -> str:
        """The firewall's name for a link of the router."""
        return self._indices[index]

    def close(self) -> None:
        """Close the queue and the links."""
        self._queue.unbind()
        for link in self._links.values():
            link.close()

    def flush_connections(self) -> None:
        """Forget every connection, and what was decided of it."""
        self.inner.call(_flush_connections)

    def send(self, opening: Opening, number: int, **fields: object) -> bytes:
        """Send the first packet of a flow; its IP identification is `number`.

        Args:
            opening: the packet.
            number: its number.
            fields: of its TCP header, if it is not a SYN.

        Returns:
            the packet, from its IPv4 header on.
        """
        packet = IP(src=str(opening.source), dst=str(opening.destination), id=number, ttl=TTL)
        match opening.protocol:
            case 6:
                packet /= TCP(
                    sport=opening.source_port,
                    dport=opening.destination_port,
                    **{"flags": "S", **fields},
                )
            case 17:
                packet /= UDP(sport=opening.source_port, dport=opening.destination_port)
            case 1:
                packet /= ICMP(type=opening.icmp_type, id=number) / Raw(bytes(8))
            case protocol:
                packet.proto = protocol
                packet /= Raw(bytes(8))  # such as an empty GRE packet; connection tracking looks
        mac = self._macs[opening.ingress]
        self._links[opening.ingress].sendto(bytes(packet), ("eth0", 0x0800, 0, 0, mac))
        return bytes(packet)

    def judge(self) -> None:
        """Give the packets their verdicts that are queued by now."""
        self._queue.run(block=False)

    def collect(self, patience: float = 0.15) -> dict[int, Seen]:
        """What was forwarded, by IP identification, until nothing comes for a while.

        Args:
            patience: seconds without a packet that end it.
        """
        seen: dict[int, Seen] = {}
        names = {link.fileno(): name for name, link in self._links.items()}
        queue = self._queue.get_fd()
        while ready := select.select([*names, queue], [], [], patience)[0]:
            for handle in ready:
                if handle == queue:
                    self.judge()
                    continue
                packet = self._links[names[handle]].recv(65536)
                number = int.from_bytes(packet[4:6], "big")
                if packet[8] == TTL - 1:  # what the router itself sends begins at 64
                    assert number not in seen, "a packet was forwarded twice"
                    seen[number] = _seen(names[handle], packet)
        return seen


def _seen(interface: str, packet: bytes) -> Seen:
    source, destination = IPv4Address(packet[12:16]), IPv4Address(packet[16:20])
    ports = struct.unpack("!HH", packet[20:24]) if packet[9] in (6, 17) else (0, 0)
    return Seen(interface, source, ports[0], destination, ports[1])


def _open_link() -> socket.socket:
    """A packet socket for IPv4 on eth0 of the calling thread's namespace."""
    link = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(0x0800))
    link.bind(("eth0", 0x0800))
    link.setsockopt(263, 23, 1)  # SOL_PACKET, PACKET_IGNORE_OUTGOING (linux/if_packet.h)
    return link


def _flush_connections() -> None:
    # linux/netfilter/nfnetlink_conntrack.h: IPCTNL_MSG_CT_DELETE (2) of NFNL_SUBSYS_CTNETLINK (1)
    # for no address in particular deletes all.
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12) as netlink:
        request, acknowledge = 1, 4
        header = struct.pack("=IHHII", 20, 1 << 8 | 2, request | acknowledge, 1, 0)
        netlink.send(header + struct.pack("!BBH", socket.AF_INET, 0, 0))
        answer = netlink.recv(4096)
        assert struct.unpack("=i", answer[16:20]) == (0,), "connections not flushed"


def put_in_force(router: Router, rules: Configuration) -> None:
    """Give the router the rules and settings of a configuration, and let it forget all flows."""
    router.flush_connections()
    reload(router, rules)


def reload(router: Router, rules: Configuration) -> None:
    """Give the router the rules and settings of a configuration; flows go on."""

    def put() -> None:
        install(compile_rules(rules, router.box))
        changes = Changes(journal_file(router.box.state))
        changes.apply(wanted_settings(rules, router.box, liberal=False))

    router.inner.call(put)


@contextmanager
def running_router(state: Path) -> Iterator[Router]:
    """A router for the length of a `with` block."""
    with Network() as network:
        router = Router(network, state)
        try:
            yield router
        finally:
            router.close()
