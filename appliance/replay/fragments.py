"""IPv4 fragments put together before the firewall looks at them, and cut again behind it."""

from __future__ import annotations

from dataclasses import dataclass, field

from appliance.packet.checksum import header_length
from appliance.replay.checksums import with_header_sum

# The device's own bounds: `fragment chain 24`, `fragment size 200`, `fragment timeout 5`.
MAX_CHAIN = 24
MAX_WAITING = 200
TIMEOUT = 5.0

_MORE = 0x2000
_OFFSET = 0x1FFF
_MAX_DATA = 65_535 - 60  # with the longest header


def is_fragment(packet: bytes) -> bool:
    """Whether an IPv4 packet is a fragment of one."""
    return bool(int.from_bytes(packet[6:8]) & (_MORE | _OFFSET))


@dataclass(slots=True)
class _Chain:
    began: float
    parts: dict[int, bytes] = field(default_factory=dict)  # by offset of their data
    length: int | None = None  # of all the data, known with the last fragment


class Fragments:
    """Fragments that wait for the rest of their packets.

    A packet whose fragments overlap is given up: ends disagree on which copy counts.
    """

    def __init__(self) -> None:
        self._chains: dict[bytes, _Chain] = {}
        self.dropped = 0
        """Fragments given up so far."""

    def add(self, packet: bytes, now: float) -> tuple[bytes, ...]:
        """Take a fragment.

        Args:
            packet: an IPv4 packet that is a fragment, without padding.
            now: the time in seconds.

        Returns:
            the fragments of the packet that this one completes, in order; none if none.
        """
        self.expire(now)
        key = packet[4:6] + packet[9:10] + packet[12:20]
        chain = self._chains.get(key)
        if chain is None:
            if len(self._chains) >= MAX_WAITING:
                self.dropped += 1
                return ()
            chain = self._chains[key] = _Chain(now)
        known = chain.parts.get(_data_offset(packet))
        if known and known[header_length(known) :] == packet[header_length(packet) :]:
            self.dropped += 1  # the network sent it twice
            return ()
        if not _insert(chain, packet):
            self.dropped += 1
            self._give_up(key)
            return ()
        if chain.length is None or sum(map(_data_length, chain.parts.values())) < chain.length:
            return ()
        del self._chains[key]
        return tuple(chain.parts[offset] for offset in sorted(chain.parts))

    def expire(self, now: float) -> None:
        """Give up what has waited too long.

        Args:
            now: the time in seconds.
        """
        for key in [key for key, each in self._chains.items() if each.began + TIMEOUT < now]:
            self._give_up(key)

    def close(self) -> None:
        """Give up all that waits, at the end of a capture."""
        for key in list(self._chains):
            self._give_up(key)

    def _give_up(self, key: bytes) -> None:
        self.dropped += len(self._chains.pop(key).parts)


def join(fragments: tuple[bytes, ...]) -> bytes:
    """The packet that some fragments make up.

    Args:
        fragments: all of them, in order.
    """
    first = fragments[0]
    data = b"".join(packet[header_length(packet) :] for packet in fragments)
    header = first[: header_length(first)]
    unfragmented = (int.from_bytes(header[6:8]) & ~_MORE).to_bytes(2)
    return with_header_sum(header[:6] + unfragmented + header[8:] + data)


def cut(packet: bytes, fragments: tuple[bytes, ...]) -> tuple[bytes, ...]:
    """Cut a packet where the fragments that it came in were cut.

    Args:
        packet: the whole packet, edited.
        fragments: the fragments it came in; a longer packet makes the last one longer.
    """
    data = packet[header_length(packet) :]
    pieces = []
    for index, old in enumerate(fragments):
        start = _data_offset(old)
        end = start + _data_length(old) if index < len(fragments) - 1 else len(data)
        if start >= len(data):
            break
        header = old[: header_length(old)]
        flags = int.from_bytes(header[6:8]) & ~_MORE | (_MORE if end < len(data) else 0)
        header = header[:6] + flags.to_bytes(2) + header[8:]
        pieces.append(with_header_sum(header + data[start:end]))
    return tuple(pieces)


def _data_offset(packet: bytes) -> int:
    return (int.from_bytes(packet[6:8]) & _OFFSET) * 8


def _data_length(packet: bytes) -> int:
    return len(packet) - header_length(packet)


def _insert(chain: _Chain, packet: bytes) -> bool:
    """Add a fragment to its chain; False if it does not go with the others."""
    offset, length = _data_offset(packet), _data_length(packet)
    more = bool(int.from_bytes(packet[6:8]) & _MORE)
    end = offset + length
    if (
        length == 0
        or (more and length % 8)
        or end > _MAX_DATA
        or len(chain.parts) >= MAX_CHAIN
        or (chain.length is not None and (not more or end > chain.length))
        or any(at < end and offset < at + _data_length(old) for at, old in chain.parts.items())
    ):
        return False
    if not more:
        if any(at + _data_length(old) > end for at, old in chain.parts.items()):
            return False
        chain.length = end
    chain.parts[offset] = packet
    return True
