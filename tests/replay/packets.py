"""Packets and captures by hand, for the tests of replay."""

from __future__ import annotations

import struct
from ipaddress import IPv4Address

CLIENT = ("192.0.2.9", 40001)
SERVER = ("198.51.100.5", 25)

FIN, SYN, RST, PSH, ACK = 0x01, 0x02, 0x04, 0x08, 0x10


def ones_sum(data: bytes) -> int:
    """The Internet checksum's sum, the long way round."""
    if len(data) % 2:
        data += b"\0"
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total


def pseudo_sum(packet: bytes) -> int:
    return ones_sum(packet[12:20] + struct.pack("!HH", 6, len(packet) - 20))


def ipv4(
    source: str,
    destination: str,
    payload: bytes,
    protocol: int = 6,
    identification: int = 1,
    fragment: int = 0,
) -> bytes:
    head = struct.pack(
        "!BBHHHBBH4s4s",
        0x45,
        0,
        20 + len(payload),
        identification,
        fragment,
        64,
        protocol,
        0,
        IPv4Address(source).packed,
        IPv4Address(destination).packed,
    )
    return head[:10] + struct.pack("!H", 0xFFFF ^ ones_sum(head)) + head[12:] + payload


def tcp(
    source: tuple[str, int],
    destination: tuple[str, int],
    sequence: int,
    acknowledgement: int = 0,
    flags: int = ACK,
    payload: bytes = b"",
) -> bytes:
    """A TCP packet with right checksums."""
    segment = struct.pack(
        "!HHIIBBHHH",
        source[1],
        destination[1],
        sequence & 0xFFFFFFFF,
        acknowledgement & 0xFFFFFFFF,
        0x50,
        flags,
        8192,
        0,
        0,
    )
    packet = ipv4(source[0], destination[0], segment + payload)
    pseudo = packet[12:20] + struct.pack("!HH", 6, len(packet) - 20)
    check = 0xFFFF ^ ones_sum(pseudo + packet[20:])
    return packet[:36] + struct.pack("!H", check) + packet[38:]


class Talk:
    """A connection that keeps count of its numbers; `packets` grows with every call."""

    def __init__(
        self,
        client: tuple[str, int] = CLIENT,
        server: tuple[str, int] = SERVER,
        isn: tuple[int, int] = (1000, 9000),
    ) -> None:
        self.client, self.server = client, server
        self.next = list(isn)  # next sequence number of the client, of the server
        self.packets: list[bytes] = []

    def _client(self, flags: int, payload: bytes = b"") -> None:
        own, other = self.next
        self.packets.append(tcp(self.client, self.server, own, other, flags, payload))

    def _server(self, flags: int, payload: bytes = b"") -> None:
        other, own = self.next
        self.packets.append(tcp(self.server, self.client, own, other, flags, payload))

    def open(self) -> Talk:
        self.packets.append(tcp(self.client, self.server, self.next[0], 0, SYN))
        self.next[0] += 1
        self._server(SYN | ACK)
        self.next[1] += 1
        self._client(ACK)
        return self

    def says(self, payload: bytes, flags: int = ACK | PSH) -> Talk:
        self._client(flags, payload)
        self.next[0] += len(payload) + bool(flags & FIN)
        return self

    def answers(self, payload: bytes, flags: int = ACK | PSH) -> Talk:
        self._server(flags, payload)
        self.next[1] += len(payload) + bool(flags & FIN)
        return self

    def close(self) -> Talk:
        self.says(b"", FIN | ACK).answers(b"", FIN | ACK)
        self._client(ACK)
        return self


def mail() -> Talk:
    """A short session with a command that no PIX lets through."""
    talk = Talk().open()
    talk.answers(b"220 mail.example.net ESMTP 2026\r\n")
    talk.says(b"VRFY root\r\n").answers(b"500 what?\r\n")
    talk.says(b"QUIT\r\n").answers(b"221 bye\r\n")
    return talk.close()


ETHERNET = bytes.fromhex("020000000001020000000002") + b"\x08\0"


def pcap(
    frames: list[bytes],
    link: int = 1,
    order: str = "<",
    nano: bool = False,
    start: int = 1_000_000_000,
    step: float = 0.01,
) -> bytes:
    """A classic capture; a frame every `step` seconds."""
    magic = 0xA1B23C4D if nano else 0xA1B2C3D4
    out = struct.pack(order + "IHHiIII", magic, 2, 4, 0, 0, 65535, link)
    for index, frame in enumerate(frames):
        fraction = round(index * step * (1_000_000_000 if nano else 1_000_000))
        seconds, fraction = divmod(fraction, 1_000_000_000 if nano else 1_000_000)
        out += struct.pack(order + "IIII", start + seconds, fraction, len(frame), len(frame))
        out += frame
    return out


def ethernet(packets: list[bytes]) -> list[bytes]:
    return [ETHERNET + packet for packet in packets]


def block(kind: int, body: bytes, order: str = "<") -> bytes:
    body += bytes(-len(body) % 4)
    size = struct.pack(order + "I", len(body) + 12)
    return struct.pack(order + "I", kind) + size + body + size


def section(order: str = "<") -> bytes:
    return block(0x0A0D0D0A, struct.pack(order + "IHHq", 0x1A2B3C4D, 1, 0, -1), order)


def interface(link: int, order: str = "<", snap: int = 0, options: bytes = b"") -> bytes:
    return block(1, struct.pack(order + "HHI", link, 0, snap) + options, order)


def enhanced(
    frame: bytes, number: int = 0, units: int = 0, order: str = "<", wire: int | None = None
) -> bytes:
    head = struct.pack(
        order + "IIIII",
        number,
        units >> 32,
        units & 0xFFFFFFFF,
        len(frame),
        len(frame) if wire is None else wire,
    )
    return block(6, head + frame, order)
