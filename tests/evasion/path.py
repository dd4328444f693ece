"""The path of an attack: a client, the firewall, a short road behind it, and a mail server."""

from __future__ import annotations

import struct

from appliance.smtp.release import Release
from appliance.verdict import Verdict
from tests.evasion.mailer import Mailer
from tests.evasion.reassembly import LENIENT, STRICT, FirstCopyWins, LastCopyWins, Receiver
from tests.wire import ACK, CLIENT, CLIENT_START, PSH, SERVER_START, SYN, Wire, checksum, packet

HOPS = 3
"""Routers between the firewall and the server: a packet with fewer to live does not arrive."""

FROM_CLIENT = CLIENT.packed


def altered(
    data: bytes,
    *,
    service: int = 0,
    lifetime: int = 64,
    ip_options: bytes = b"",
    reserved: int = 0,
) -> bytes:
    """A packet with other things in its headers, and right checksums.

    Args:
        data: the packet, without IP options.
        service: type of service and ECN bits.
        lifetime: time to live.
        ip_options: IP options; padded to words.
        reserved: the four bits beside the TCP header's length; the lowest is NS.
    """
    ip_options += b"\0" * (-len(ip_options) % 4)
    tcp = bytearray(data[20:])
    tcp[12] |= reserved
    tcp[16:18] = b"\0\0"
    pseudo = data[12:20] + struct.pack("!HH", 6, len(tcp))
    tcp[16:18] = checksum(pseudo + tcp).to_bytes(2)
    header = bytearray(data[:20]) + ip_options
    header[0] = 0x40 | len(header) // 4
    header[1] = service
    header[2:4] = (len(header) + len(tcp)).to_bytes(2)
    header[8] = lifetime
    header[10:12] = b"\0\0"
    header[10:12] = checksum(bytes(header)).to_bytes(2)
    return bytes(header + tcp)


def receivers() -> list[Receiver]:
    """TCPs of a server: both policies, lenient and strict."""
    return [kind(habits) for habits in (LENIENT, STRICT) for kind in (FirstCopyWins, LastCopyWins)]


class Path:
    """A client, the firewall and a mail server with four TCPs at once.

    Args:
        release: what the firewall inspects mail as; None lets everything through unread.
        window: the window of the server, bytes.
        options: TCP options in the client's SYN.
        answer: those in the server's, if they are others.
        every: TCP options in every other segment of the client.

    Attributes:
        servers: the server's TCPs: both policies, lenient and strict.
        client: the client's TCP, as far as it receives.
        mailer: the program that reads from the first of the server's TCPs.
        base: offset in the client's stream that `send` counts from.
        sent: offset behind all that the client sent.
        first: the first copy of each byte that the client sent with `send`, by its offset.
    """

    def __init__(
        self,
        release: Release | None,
        window: int = 65535,
        options: bytes = b"",
        answer: bytes | None = None,
        every: bytes = b"",
    ) -> None:
        self.wire = Wire(release)
        self.servers = receivers()
        self.client = FirstCopyWins(LENIENT)
        self.mailer = Mailer()
        self.window, self.options, self.every = window, options, every
        self.answer = options if answer is None else answer
        self.client_start, self.server_start = CLIENT_START, SERVER_START
        self.base = self.sent = 0
        self.first: dict[int, int] = {}
        self._replies = b""
        self._read = 0

    # ---- packets ----

    def give(self, data: bytes, *, lost: bool = False) -> Verdict:
        """Hand the firewall a packet.

        Args:
            data: the packet.
            lost: whether what leaves the firewall now is lost behind it.
        """
        before = len(self.wire.seen)
        if data[12:16] == FROM_CLIENT:
            self.client.sent(data)
        else:
            for server in self.servers:
                server.sent(data)
        verdict = self.wire.give(data)
        self._leave([seen.packet for seen in self.wire.seen[before:]], lost)
        return verdict

    def wait(self, seconds: float) -> None:
        """Time goes by, and the firewall sends again what is its own to deliver."""
        self.wire.now += seconds
        self._leave(list(self.wire.firewall.expire(self.wire.now)), False)

    def _leave(self, packets: list[bytes], lost: bool) -> None:
        for data in packets:
            if data[12:16] != FROM_CLIENT:
                self.client.take(data)
            elif not lost and data[8] >= HOPS:
                for server in self.servers:
                    server.take(data)

    def segment(
        self,
        offset: int,
        payload: bytes = b"",
        flags: int = PSH | ACK,
        *,
        ack: int | None = None,
        window: int = 65535,
        options: bytes | None = None,
        urgent: int = 0,
    ) -> bytes:
        """A segment of the client's.

        Args:
            offset: where in its stream, from `base`.
            payload: its bytes.
            flags: its flags.
            ack: offset in the server's stream that it acknowledges, if not all that came.
            window: its window field.
            options: its TCP options, if not those of every segment.
            urgent: its urgent pointer.
        """
        heard = self.client.current.acknowledges if self.client.current else 0
        return packet(
            True,
            self.client_start + 1 + self.base + offset,
            self.server_start + 1 + (heard if ack is None else ack),
            flags,
            payload,
            window=window,
            options=self.every if options is None else options,
            urgent=urgent,
        )

    def send(
        self, offset: int, payload: bytes = b"", flags: int = PSH | ACK, **more: object
    ) -> Verdict:
        """The client sends a segment; see `segment`, and `give` for `lost`."""
        lost = bool(more.pop("lost", False))
        self.sent = max(self.sent, self.base + offset + len(payload))
        for at, byte in enumerate(payload, self.base + offset):
            self.first.setdefault(at, byte)
        return self.give(self.segment(offset, payload, flags, **more), lost=lost)  # type: ignore[arg-type]

    def from_server(
        self,
        offset: int,
        payload: bytes = b"",
        flags: int = ACK,
        *,
        ack: int | None = None,
        window: int | None = None,
        options: bytes | None = None,
    ) -> Verdict:
        """The server sends a segment.

        Args:
            offset: where in its stream.
            payload: its bytes.
            flags: its flags.
            ack: offset in the client's stream that it acknowledges, if not all that came.
            window: its window field, if not its usual one.
            options: its TCP options, if not those of every segment.
        """
        current = self.servers[0].current
        heard = current.acknowledges if current else 0
        return self.give(
            packet(
                False,
                self.server_start + 1 + offset,
                self.client_start + 1 + (heard if ack is None else ack),
                flags,
                payload,
                window=self.window if window is None else window,
                options=self.every if options is None else options,
            )
        )

    # ---- what honest ends do ----

    def synchronize(self, payload: bytes = b"", options: bytes | None = None) -> Verdict:
        """The client's SYN."""
        options = self.options if options is None else options
        return self.give(packet(True, self.client_start, 0, SYN, payload, options=options))

    def answer_syn(self) -> Verdict:
        """The server's SYN-ACK."""
        return self.from_server(-1, b"", SYN | ACK, ack=0, options=self.answer)

    def open(self) -> None:
        """The three segments that open a connection."""
        self.synchronize()
        self.answer_syn()
        self.give(self.segment(-self.base, flags=ACK))

    def open_again(self, client_start: int) -> None:
        """Both ends have given up; the client opens another connection from the same port."""
        for end in (self.client, *self.servers):
            if end.current:
                end.current.over = True
        self.client_start, self.server_start = client_start, self.server_start + 70_000
        self.base = self.sent = self._read = 0
        self.first.clear()
        self._replies = b""
        self.mailer = Mailer()
        self.open()

    def serve(self, flags: int = PSH | ACK) -> None:
        """The server reads what came and sends its replies; the client acknowledges them."""
        current = self.servers[0].current
        if current is None:
            return
        if not self._replies:
            self._replies = Mailer.GREETING
        stream = current.stream
        self._replies += self.mailer.read(stream[self._read :])
        self._read = max(self._read, len(stream))
        at = self.servers[0].heard
        self.from_server(at, self._replies[at:], flags)
        self.give(self.segment(self.acknowledged - self.base, flags=ACK))

    @property
    def acknowledged(self) -> int:
        """Offset in the client's stream up to which it has been told that its bytes arrived."""
        return self.client.heard

    def say(self, text: bytes) -> None:
        """The client sends its next bytes, and the server replies.

        Args:
            text: the bytes; one segment, where the window has room for them.
        """
        start = self.sent
        room = max(1, self.client.allowed - start)
        self.send(start - self.base, text[:room])
        self.serve()
        self._send_rest(start, text)

    def settle(self, text: bytes) -> None:
        """The client's TCP sends what is not acknowledged, within the window, until all is.

        Args:
            text: what it sent from `base` on.
        """
        self.serve()
        self._send_rest(self.base, text)

    def _send_rest(self, start: int, text: bytes) -> None:
        for _ in range(8):
            at = self.acknowledged
            if at >= start + len(text) or self.client.current is None:
                return
            room = max(1, self.client.allowed - at)
            self.send(at - self.base, text[at - start :][:room])
            self.wait(3)
            self.serve()

    # ---- what must be so ----

    def assert_agreed(self) -> None:
        """Both policies see the same, and the strict TCPs no more than the lenient ones."""
        first, last, strict_first, strict_last = (server.streams for server in self.servers)
        assert first == last
        assert strict_first == strict_last
        for more, less in zip(first, strict_first, strict=False):
            assert more.startswith(less)

    def verbs(self) -> set[bytes]:
        """The verbs that a server sees with any of the TCPs."""
        streams = {stream for server in self.servers for stream in server.streams}
        return set().union(*map(Mailer.verbs_in, streams))
