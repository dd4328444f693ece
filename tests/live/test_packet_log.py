"""Copies of packets by NFLOG, connection tracking asked, and what netlink says taken apart."""

from __future__ import annotations

import socket
import time
from ipaddress import IPv4Address

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.inet import ICMP, IP, TCP
from scapy.packet import Packet, Raw

from appliance.errors import PixguardError
from appliance.live.conntrack import Conntrack
from appliance.live.denials import is_intact
from appliance.live.netlink import attribute, attributes, messages, nested, request
from appliance.live.packet_log import LoggedPacket, PacketLog
from appliance.packet.checksum import ones_complement
from tests.namespaces import Network, needs_namespaces

ENDS = IP(src="192.0.2.1", dst="192.0.2.2")


@given(st.binary(max_size=80))
def test_whatever_comes_is_taken_apart_without_an_error(data: bytes) -> None:
    for _, message in messages(data):
        attributes(message)


def test_what_is_sent_can_be_read() -> None:
    sent = request(5, 2, 7, nested(1, attribute(2, b"abc")) + attribute(3, b"four"))
    ((kind, message),) = messages(sent)
    found = attributes(message)
    assert kind == 5
    assert found == {1: attribute(2, b"abc"), 3: b"four"}
    assert list(messages(sent + sent)) == [(kind, message)] * 2


@pytest.mark.parametrize(
    "packet",
    [ENDS / TCP(flags="R") / Raw(b"odd"), ENDS / ICMP() / Raw(b"even")],
    ids=["tcp", "icmp"],
)
@given(place=st.integers(20, 39), by=st.integers(1, 254))
def test_a_byte_that_is_wrong_is_seen(packet: Packet, place: int, by: int) -> None:
    data = bytearray(bytes(packet))
    assert is_intact(bytes(data))
    place = min(place, len(data) - 1)
    data[place] = (data[place] + by) % 256
    assert not is_intact(bytes(data))


def test_a_checksum_that_the_card_was_to_fill_in_is_right() -> None:
    data = bytearray(bytes(ENDS / TCP(flags="S")))
    pseudo = ones_complement(data[12:20]) + 6 + len(data) - 20
    data[36:38] = (pseudo % 0xFFFF).to_bytes(2, "big")
    assert is_intact(bytes(data))


@needs_namespaces
def test_copies_come_with_their_interfaces_and_marks() -> None:
    with Network() as network:
        near, far = network.namespace("near"), network.namespace("far")
        network.link(near, "eth0", far, "eth0")
        near.address("eth0", "192.0.2.1/24")
        far.address("eth0", "192.0.2.2/24")
        log = near.call(PacketLog, 2700)
        with pytest.raises(PixguardError, match="cannot bind NFLOG group 2700"):
            near.call(PacketLog, 2700)
        for rule in ("-j MARK --set-mark 0x123", "-j NFLOG --nflog-group 2700"):
            near.run("iptables", "-t", "mangle", "-A", "INPUT", "-p", "udp", *rule.split())
        with far.call(far.socket, socket.SOCK_DGRAM) as sender:
            for _ in range(3):
                sender.sendto(b"here", ("192.0.2.1", 4000))
        copies: list[LoggedPacket] = []
        deadline = time.monotonic() + 5
        while len(copies) < 3 and time.monotonic() < deadline:
            copies += log.read()
            time.sleep(0.05)
        index = int(near.ip("-o", "link", "show", "dev", "eth0").split(":")[0])
        log.close()
        near.call(PacketLog, 2700).close()
    assert [(each.indev, each.outdev, each.mark) for each in copies] == [(index, 0, 0x123)] * 3
    assert all(each.data[9] == 17 and each.data.endswith(b"here") for each in copies)


@needs_namespaces
def test_connections_are_known_by_either_direction() -> None:
    with Network() as network:
        near, far = network.namespace("near"), network.namespace("far")
        network.link(near, "eth0", far, "eth0")
        near.address("eth0", "192.0.2.1/24")
        far.address("eth0", "192.0.2.2/24")
        rule = "-p tcp -m conntrack --ctstate NEW -j CONNMARK --set-mark 0x45"
        near.run("iptables", "-A", "INPUT", *rule.split())
        with (
            near.call(near.socket, socket.SOCK_STREAM) as listener,
            far.call(far.socket, socket.SOCK_STREAM) as client,
        ):
            listener.bind(("192.0.2.1", 25))
            listener.listen()
            client.bind(("192.0.2.2", 4000))
            client.connect(("192.0.2.1", 25))
            conntrack = near.call(Conntrack)
            here, there = (IPv4Address("192.0.2.1"), 25), (IPv4Address("192.0.2.2"), 4000)
            assert conntrack.mark(6, *there, *here) == conntrack.mark(6, *here, *there) == 0x45
            assert conntrack.mark(6, *there, here[0], 26) is None
            assert conntrack.mark(17, *there, *here) is None
            conntrack.close()
