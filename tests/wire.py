"""A client and a server with the firewall between them, on paper: for tests of the engine.

Packets are built and checked here by the definitions of the RFCs, with none of the firewall's own
code.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from ipaddress import IPv4Address

from appliance.admission import Admission, Opening
from appliance.events import Denial, Endpoint, Event, Inspected, Kind
from appliance.firewall import Firewall
from appliance.smtp.esmtp_map import EsmtpMap
from appliance.smtp.release import DEFAULT, Release
from appliance.verdict import Verdict

CLIENT = IPv4Address("203.0.113.10")
SERVER = IPv4Address("10.1.1.5")
FIN, SYN, RST, PSH, ACK, URG = 1, 2, 4, 8, 16, 32

CLIENT_START = 0xFFFFFF00
"""Initial sequence number of the client: its stream wraps soon."""
SERVER_START = 5000


def checksum(data: bytes) -> int:
    """The Internet checksum, word by word (RFC 1071, section 4.1)."""
    if len(data) % 2:
        data += b"\0"
    total = 0
    for (word,) in struct.iter_unpack("!H", data):
        total += word
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def checksums_right(packet: bytes) -> bool:
    """Whether the IPv4 header and TCP checksums of a packet are right."""
    header = (packet[0] & 15) * 4
    segment = packet[header : struct.unpack("!H", packet[2:4])[0]]
    pseudo = packet[12:20] + struct.pack("!HH", 6, len(segment))
    return checksum(packet[:header]) == 0 and checksum(pseudo + segment) == 0


def packet(
    from_client: bool,
    seq: int,
    ack: int,
    flags: int,
    payload: bytes = b"",
    *,
    window: int = 65535,
    options: bytes = b"",
    ports: tuple[int, int] = (40000, 25),
    urgent: int = 0,
) -> bytes:
    """An IPv4 packet with a TCP segment and right checksums."""
    source, destination = (CLIENT, SERVER) if from_client else (SERVER, CLIENT)
    client_port, server_port = ports
    sport, dport = (client_port, server_port) if from_client else (server_port, client_port)
    options += b"\0" * (-len(options) % 4)
    offset = (5 + len(options) // 4) << 4
    modulus = 1 << 32

    def segment(sum_: int) -> bytes:
        return (
            struct.pack(
                "!HHIIBBHHH",
                sport,
                dport,
                seq % modulus,
                ack % modulus,
                offset,
                flags,
                window,
                sum_,
                urgent,
            )
            + options
            + payload
        )

    tcp = segment(0)
    pseudo = source.packed + destination.packed + struct.pack("!HH", 6, len(tcp))
    tcp = segment(checksum(pseudo + tcp))

    def header(sum_: int) -> bytes:
        return (
            struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(tcp), 7, 0x4000, 64, 6, sum_)
            + source.packed
            + destination.packed
        )

    return header(checksum(header(0))) + tcp


@dataclass
class Seen:
    """A packet that left the firewall, taken apart."""

    packet: bytes
    from_client: bool
    seq: int
    ack: int
    flags: int
    payload: bytes


def take_apart(data: bytes) -> Seen:
    """Read a packet that left the firewall; its checksums must be right."""
    assert checksums_right(data), data.hex()
    header = (data[0] & 15) * 4
    end = struct.unpack("!H", data[2:4])[0]
    seq, ack, offset, flags = struct.unpack("!IIBB", data[header + 4 : header + 14])
    payload = data[header + (offset >> 4) * 4 : end]
    return Seen(data, data[12:16] == CLIENT.packed, seq, ack, flags, payload)


def inspecting(release: Release | None, adopts: bool = False, esmtp_map: EsmtpMap | None = None):
    """An admission that lets everything in and inspects it as a release.

    Args:
        release: the release; None to inspect nothing.
        adopts: whether that goes for connections whose beginning was not seen.
        esmtp_map: the inspection map that mail goes through; None for the default one.
    """

    def admit(opening: Opening) -> Admission:
        return Admission(
            Endpoint(
                "outside", opening.source, opening.source_port, opening.source, opening.source_port
            ),
            Endpoint(
                "inside",
                opening.destination,
                opening.destination_port,
                opening.destination,
                opening.destination_port,
            ),
            inbound=True,
            inspection=release if opening.destination_port == 25 else None,
            denial=None if opening.begins or adopts else Denial.NO_CONNECTION,
            esmtp_map=esmtp_map,
        )

    return admit


@dataclass
class Wire:
    """A connection through a firewall.

    Args:
        release: the release it is inspected as.
        recorded: whether the firewall takes the packets for a capture's.
        adopts: whether it takes up connections whose beginning it did not see.
        esmtp_map: the inspection map that mail goes through; None for the default one.
    """

    release: Release | None = DEFAULT
    recorded: bool = False
    adopts: bool = False
    esmtp_map: EsmtpMap | None = None
    events: list[Event] = field(default_factory=list)
    seen: list[Seen] = field(default_factory=list)
    now: float = 1000.0

    def __post_init__(self) -> None:
        admit = inspecting(self.release, self.adopts or self.recorded, self.esmtp_map)
        self.firewall = Firewall(admit, self.events.append, self.recorded)
        self.client_sent = 0
        self.server_sent = 0

    def give(self, data: bytes) -> Verdict:
        """Hand the firewall a packet and keep what leaves."""
        self.now += 0.001
        verdict = self.firewall.receive(data, self.now)
        if verdict.forward:
            self.seen.append(take_apart(verdict.edited or data))
        self.seen += map(take_apart, verdict.released)
        return verdict

    def give_raw(self, data: bytes) -> Verdict:
        """Hand the firewall a packet that is not TCP, or no whole one."""
        self.now += 0.001
        return self.firewall.receive(data, self.now)

    def handshake(self, options: bytes = b"") -> Wire:
        """Open the connection; segments may follow."""
        self.give(packet(True, CLIENT_START, 0, SYN, options=options))
        self.give(packet(False, SERVER_START, CLIENT_START + 1, SYN | ACK, options=options))
        self.give(packet(True, CLIENT_START + 1, SERVER_START + 1, ACK))
        self.seen.clear()
        return self

    def segment(
        self, from_client: bool, offset: int, payload: bytes, flags: int = PSH | ACK, **more: object
    ) -> Verdict:
        """Send bytes of a stream by their offset; acknowledges all that the other end was shown."""
        own, other = (CLIENT_START, SERVER_START) if from_client else (SERVER_START, CLIENT_START)
        acknowledged = other + 1 + len(self.received(not from_client))
        more.setdefault("ack", acknowledged)
        return self.give(
            packet(
                from_client,
                own + 1 + offset,
                flags=flags,
                payload=payload,
                **more,  # type: ignore[arg-type]
            )
        )

    def client(self, payload: bytes, **more: object) -> Verdict:
        """The client sends its next bytes in one segment."""
        verdict = self.segment(True, self.client_sent, payload, **more)
        self.client_sent += len(payload)
        return verdict

    def server(self, payload: bytes, **more: object) -> Verdict:
        """The server sends its next bytes in one segment."""
        verdict = self.segment(False, self.server_sent, payload, **more)
        self.server_sent += len(payload)
        return verdict

    def received(self, from_client: bool, last_wins: bool = False) -> bytes:
        """What the other end's TCP makes of all that left the firewall, up to the first hole.

        Args:
            from_client: which stream.
            last_wins: whether a later copy of a byte replaces an earlier one.
        """
        start = (CLIENT_START if from_client else SERVER_START) + 1
        copies: dict[int, int] = {}
        for seen in self.seen:
            if seen.from_client is from_client and not seen.flags & SYN:
                for index, byte in enumerate(seen.payload):
                    at = (seen.seq + index - start + (1 << 31)) % (1 << 32) - (1 << 31)
                    if last_wins or at not in copies:
                        copies[at] = byte
        out = bytearray()
        while len(out) in copies:
            out.append(copies[len(out)])
        return bytes(out)

    def kinds(self) -> list[Kind]:
        """The kinds of inspection events so far."""
        return [event.kind for event in self.events if isinstance(event, Inspected)]
