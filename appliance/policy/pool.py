"""The addresses that `global` offers, and which of them a host gets."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network

from appliance.protocol import ICMP, TCP, UDP

ECHO = 8
"""ICMP type of an echo request."""

_WORD = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class Pool:
    """A `global`, its addresses known.

    Args:
        first: its first address.
        last: its last one.
        shared: whether it is one address that hosts share by their ports.
    """

    first: IPv4Address
    last: IPv4Address
    shared: bool

    def serves(self, protocol: int, icmp_type: int) -> bool:
        """Whether a packet can be translated to it: sharing an address takes ports, or an id.

        Args:
            protocol: IP protocol number.
            icmp_type: ICMP type, -1 for other protocols.
        """
        return not self.shared or protocol in (TCP, UDP) or (protocol, icmp_type) == (ICMP, ECHO)

    def address(self, source: IPv4Address) -> IPv4Address:
        """The address that a host gets: the one that Linux gives it.

        Of a range (`SNAT --to-source A-B --persistent`), nf_nat_core.c takes the address that
        jhash2 of the source says, so that a host keeps its own and no state is needed; a source
        that is of the range already stays.

        Args:
            source: the host's real address.
        """
        if source in self:
            return source
        size = int(self.last) - int(self.first) + 1
        return self.first + (_hash(source) * size >> 32)

    def is_within(self, network: IPv4Network) -> bool:
        """Whether all its addresses are in a network."""
        return self.first in network and self.last in network

    def meets(self, network: IPv4Network) -> bool:
        """Whether any of its addresses is in a network."""
        return self.first <= network.broadcast_address and network.network_address <= self.last

    def __contains__(self, address: IPv4Address) -> bool:
        return self.first <= address <= self.last


def _hash(address: IPv4Address) -> int:
    """jhash2 (linux/jhash.h) of an address and three words of zeros, on this machine's bytes."""
    # The kernel hashes the address as it lies in memory, in network order.
    words = (int.from_bytes(address.packed, "little"), 0, 0, 0)
    a = b = c = (0xDEADBEEF + (len(words) << 2)) & _WORD
    a, b, c = (a + words[0]) & _WORD, (b + words[1]) & _WORD, (c + words[2]) & _WORD
    for turn in (4, 6, 8, 16, 19, 4):
        a = (a - c & _WORD) ^ _rotated(c, turn)
        c = c + b & _WORD
        a, b, c = b, c, a
    a = a + words[3] & _WORD
    for turn in (14, 11, 25, 16, 4, 14, 24):
        c = ((c ^ b) - _rotated(b, turn)) & _WORD
        a, b, c = b, c, a
    return b


def _rotated(word: int, bits: int) -> int:
    return (word << bits | word >> (32 - bits)) & _WORD
