"""A router behind the firewall tells a client of a narrower path (RFC 1191)."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator
from os import getpid
from pathlib import Path

import pytest

from appliance.lab.lab import Lab
from appliance.lab.topology import SERVER, SERVER_MAPPED
from tests.namespaces import needs_namespaces
from tests.waiting import eventually
from tests.wire import checksum

pytestmark = needs_namespaces

RULES = Path(__file__).parents[2] / "rules" / "pix-6.3.conf"
PATH_MTU = 1000
_IP_MTU = 14  # linux/in.h


@pytest.fixture(params=["6.3", "4.1"])
def lab(request: pytest.FixtureRequest) -> Iterator[Lab]:
    with Lab(RULES, prefix=f"pxi{getpid()}", release=request.param) as made:
        yield made


def too_big(before: bytes) -> bytes:
    """The message about the segment that follows a packet of 6 bytes, without IPv4 header."""
    (number,) = struct.unpack_from("!I", before, 24)
    quoted = before[:24] + struct.pack("!I", (number + 6) % (1 << 32))
    message = struct.pack("!BBHHH", 3, 4, 0, 0, PATH_MTU) + quoted
    return message[:2] + struct.pack("!H", checksum(message)) + message[4:]


def test_the_client_learns_the_mtu_whatever_was_answered_for_the_server(lab: Lab) -> None:
    """Linux heeds the message only if it quotes a number that is under way."""
    eavesdropper = lab.server.call(
        socket.socket, socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(3)
    )
    router = lab.server.call(socket.socket, socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
    with lab.client.connection(10) as connection, eavesdropper, router:
        connection.connect((SERVER_MAPPED, 25))
        connection.recv(1000)
        connection.sendall(b"VRFY a long name, so that the two ends count differently\r\n")
        assert connection.recv(1000)[:3] in (b"250", b"500")
        connection.sendall(b"NOOP\r\n")
        assert connection.recv(1000).startswith(b"250")
        mine = struct.pack("!H", connection.getsockname()[1])
        eavesdropper.settimeout(5)
        while True:
            packet = eavesdropper.recv(2000)
            to_server = packet[16:20] == socket.inet_aton(SERVER) and packet[20:22] == mine
            if to_server and packet[40:].endswith(b"NOOP\r\n"):
                break
        assert connection.getsockopt(socket.IPPROTO_IP, _IP_MTU) == 1500
        router.sendto(too_big(packet), (socket.inet_ntoa(packet[12:16]), 0))
        eventually(lambda: connection.getsockopt(socket.IPPROTO_IP, _IP_MTU) == PATH_MTU)
