"""What the kernel's connection tracking knows of one connection."""

from __future__ import annotations

import socket
from errno import ENOENT
from ipaddress import IPv4Address

from appliance.errors import PixguardError
from appliance.live.netlink import (
    ERROR,
    attribute,
    attributes,
    error,
    messages,
    nested,
    open_netlink,
    request,
)
from appliance.protocol import TCP

# linux/netfilter/nfnetlink_conntrack.h
_GET = 1 << 8 | 1  # NFNL_SUBSYS_CTNETLINK, IPCTNL_MSG_CT_GET
_TUPLE, _MARK = 1, 8
_TUPLE_IP, _TUPLE_PROTOCOL = 1, 2
_SOURCE, _DESTINATION = 1, 2
_PROTOCOL, _SOURCE_PORT, _DESTINATION_PORT = 1, 2, 3

_DATAGRAM = 8 << 10


class Conntrack:
    """Asks for the marks of connections.

    Raises:
        PixguardError: the kernel refuses.
    """

    def __init__(self) -> None:
        try:
            self._socket = open_netlink()
            nowhere = IPv4Address(0)
            # So that the kernel loads what answers.
            self._ask(_question(TCP, nowhere, 0, nowhere, 0))
        except OSError as problem:
            raise PixguardError(
                f"connection tracking cannot be asked: {problem}; the kernel may lack "
                "nf_conntrack_netlink, or CAP_NET_ADMIN is missing"
            ) from problem

    def mark(
        self,
        protocol: int,
        source: IPv4Address,
        source_port: int,
        destination: IPv4Address,
        destination_port: int,
    ) -> int | None:
        """The mark of the connection that a packet with these addresses belongs to.

        Args:
            protocol: TCP or UDP.
            source: as on the wire.
            source_port: likewise.
            destination: likewise.
            destination_port: likewise.

        Returns:
            None if there is no such connection, or none can be asked for.
        """
        try:
            found = self._ask(
                _question(protocol, source, source_port, destination, destination_port)
            )
        except OSError:
            return None
        return None if found is None else int.from_bytes(found.get(_MARK, b""), "big")

    def _ask(self, question: bytes) -> dict[int, bytes] | None:
        self._socket.send(question)
        # The kernel has answered when the question is sent.
        for kind, message in messages(self._socket.recv(_DATAGRAM)):
            if kind != ERROR:
                return attributes(message)
            if (number := error(message)) != ENOENT:
                raise OSError(number, "netlink")
        return None

    def close(self) -> None:
        """Ask no more."""
        self._socket.close()


def _question(
    protocol: int,
    source: IPv4Address,
    source_port: int,
    destination: IPv4Address,
    destination_port: int,
) -> bytes:
    ends = nested(
        _TUPLE_IP, attribute(_SOURCE, source.packed), attribute(_DESTINATION, destination.packed)
    )
    ports = nested(
        _TUPLE_PROTOCOL,
        attribute(_PROTOCOL, bytes((protocol,))),
        attribute(_SOURCE_PORT, source_port.to_bytes(2, "big")),
        attribute(_DESTINATION_PORT, destination_port.to_bytes(2, "big")),
    )
    return request(_GET, socket.AF_INET, 0, nested(_TUPLE, ends, ports))
