"""Which packets of a capture to believe, by their checksums.

On the machine that sends, a capture sees packets before the network card has summed them up:
their TCP checksum is that of the pseudo-header alone, or anything, and so may the IPv4 one be.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from enum import Enum

from appliance.packet.checksum import fill_header, fill_tcp, header_length, ones_complement
from appliance.protocol import TCP


class Checksums(Enum):
    """What a wrong checksum means."""

    AUTO = "auto"
    """Transmit offload is allowed for, else the packet is as if it had never come."""
    VERIFY = "verify"
    """The packet is as if it had never come."""
    IGNORE = "ignore"
    """Nothing."""


class Sum(Enum):
    """How the checksums of a packet are."""

    RIGHT = "right"
    OFFLOADED = "offloaded"
    """As the sender's network stack leaves them for its network card to complete."""
    WRONG = "wrong"


def header_sum(packet: bytes) -> Sum:
    """Judge the IPv4 header checksum.

    Args:
        packet: an IPv4 packet whose header is whole.
    """
    length = header_length(packet)
    if ones_complement(packet[:length]) == 0:
        return Sum.RIGHT
    return Sum.WRONG if any(packet[10:12]) else Sum.OFFLOADED


def tcp_sum(packet: bytes) -> Sum:
    """Judge the TCP checksum.

    Args:
        packet: an unfragmented IPv4 packet; one of another protocol, or too short for a TCP
            header, has nothing wrong.
    """
    length = header_length(packet)
    if packet[9] != TCP or len(packet) < length + 20:
        return Sum.RIGHT
    pseudo_header = ones_complement(packet[12:20]) + TCP + len(packet) - length
    if (pseudo_header + ones_complement(packet[length:])) % 0xFFFF == 0:
        return Sum.RIGHT
    found = int.from_bytes(packet[length + 16 : length + 18])
    return Sum.OFFLOADED if found == pseudo_header % 0xFFFF else Sum.WRONG


def with_header_sum(packet: bytes) -> bytes:
    """The whole packet with its length and a right checksum in its IPv4 header."""
    filled = bytearray(packet)
    fill_header(filled)
    return bytes(filled)


def with_tcp_sum(packet: bytes) -> bytes:
    """The TCP packet with a right TCP checksum."""
    filled = bytearray(packet)
    fill_tcp(filled)
    return bytes(filled)


class Senders:
    """Counts for each sender of a capture how many of its TCP packets have wrong checksums."""

    def __init__(self) -> None:
        self._packets: Counter[bytes] = Counter()
        self._wrong: Counter[bytes] = Counter()

    def note(self, packet: bytes) -> None:
        """Count a packet.

        Args:
            packet: a whole IPv4 packet, no fragment; protocols other than TCP do not count.
        """
        if packet[9] == TCP:
            sender = packet[12:16]
            self._packets[sender] += 1
            self._wrong[sender] += Sum.WRONG in (header_sum(packet), tcp_sum(packet))

    def unreliable(self) -> frozenset[bytes]:
        """The senders most of whose packets are wrong: the capture does not have their sums."""
        return frozenset(
            sender for sender, wrong in self._wrong.items() if 2 * wrong > self._packets[sender]
        )


class Judge:
    """Decides which packets to believe, and completes the checksums of those.

    Args:
        checksums: what a wrong one means.
        survey: tells which senders, as four bytes, have mostly wrong ones. It is asked once at
            most, at the first packet that it decides about.

    Attributes:
        unreliable: those senders; none before that packet.
    """

    def __init__(self, checksums: Checksums, survey: Callable[[], frozenset[bytes]]) -> None:
        self.unreliable: frozenset[bytes] = frozenset()
        self._checksums = checksums
        self._survey = survey
        self._surveyed = False

    def header(self, packet: bytes) -> bytes | None:
        """The packet with a right IPv4 header, or None if it is not believed.

        Args:
            packet: an IPv4 packet without padding; a total length of 0 (segmentation offload) is
                filled in.
        """
        judged = header_sum(packet)
        if not self._believes(judged, packet):
            return None
        if packet[2:4] == b"\0\0":
            return with_header_sum(packet)
        return packet if judged is Sum.RIGHT else with_header_sum(packet)

    def segment(self, packet: bytes) -> bytes | None:
        """The packet with a right TCP checksum if it is TCP, or None if it is not believed.

        Args:
            packet: an unfragmented IPv4 packet.
        """
        judged = tcp_sum(packet)
        if not self._believes(judged, packet):
            return None
        return packet if judged is Sum.RIGHT else with_tcp_sum(packet)

    def _believes(self, judged: Sum, packet: bytes) -> bool:
        if judged is Sum.RIGHT or self._checksums is Checksums.IGNORE:
            return True
        if self._checksums is Checksums.VERIFY or judged is Sum.OFFLOADED:
            return self._checksums is Checksums.AUTO
        if not self._surveyed:
            self.unreliable = self._survey()
            self._surveyed = True
        return packet[12:16] in self.unreliable
