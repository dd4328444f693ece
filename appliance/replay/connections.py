"""The connections of a capture: what each end sent and received, and what was done about it."""

from __future__ import annotations

from dataclasses import dataclass, field

from appliance.events import (
    AccessListHit,
    Closing,
    ConnectionBuilt,
    ConnectionClosed,
    Endpoint,
    Event,
    Inspected,
    PacketDenied,
)
from appliance.packet.checksum import header_length
from appliance.protocol import TCP
from appliance.replay.transcript import Conversation, Segment, Socket, Stream, read_segment
from appliance.syslog import Syslog


@dataclass(frozen=True, slots=True)
class Noted:
    """An event of a connection with the log line it draws ("" for none)."""

    event: Inspected | PacketDenied | AccessListHit
    message: str


@dataclass(slots=True)
class Connection:
    """One connection, or one attempt at one.

    Args:
        client: the end that opened it, as addressed in the capture.
        server: the end it was opened to, likewise.
        began: time of the packet that began it, in seconds.
        release: what its mail is inspected as, "" if it is not.
        permitted: whether the policy let it through.
    """

    client: Socket
    server: Socket
    began: float
    release: str
    permitted: bool
    sent: Conversation = field(init=False)
    """What the two ends sent, put together from the packets before the firewall."""
    received: Conversation = field(init=False)
    """What they received, from the packets behind it."""
    events: list[Noted] = field(default_factory=list)
    seen: set[bytes] = field(default_factory=set)
    """The directions in which anything was sent, as in `direction_of`."""
    closing: Closing = Closing.OPEN
    duration: float = 0.0
    octets: int = 0

    def __post_init__(self) -> None:
        self.sent = Conversation(self.client, self.server, self.began)
        self.received = Conversation(self.client, self.server, self.began)

    @property
    def streams(self) -> tuple[Stream, ...]:
        """Both directions, before and behind the firewall."""
        sent, received = self.sent, self.received
        return sent.to_server, sent.to_client, received.to_server, received.to_client


class Connections:
    """Keeps account of connections, as the firewall reports them.

    Args:
        syslog: words the events.
        streams: whether to keep what was said.
    """

    def __init__(self, syslog: Syslog, streams: bool) -> None:
        self.all: list[Connection] = []
        """In the order in which they began."""
        self._syslog = syslog
        self._streams = streams
        self._numbered: dict[int, Connection] = {}
        self._latest: dict[bytes, Connection] = {}  # by either direction
        self._packet = b""
        self._segment: Segment | None = None
        self._hits: list[AccessListHit] = []
        """Of the packet that the firewall has got, before it is known what becomes of it."""
        self._logged: dict[tuple[Endpoint, Endpoint], Connection] = {}

    def expect(self, packet: bytes) -> None:
        """Say which packet the firewall gets next: what it reports then is about this one.

        Args:
            packet: an unfragmented IPv4 packet.
        """
        self._packet = packet
        self._segment = None
        self._hits.clear()

    def report(self, event: Event) -> None:
        """Take an event of the firewall.

        Args:
            event: what happened.
        """
        match event:
            case ConnectionBuilt():
                self._built(event)
            case ConnectionClosed():
                connection = self._numbered.get(event.flow.number)
                if connection:
                    connection.closing = event.closing
                    connection.duration = event.duration
                    connection.octets = event.octets
            case Inspected():
                connection = self._numbered.get(event.flow.number)
                if connection:
                    self._note(connection, event)
            case PacketDenied():
                self._denied(event)
            case AccessListHit(interval=0):
                self._hits.append(event)
            case AccessListHit():
                connection = self._logged.get((event.source, event.destination))
                if connection:
                    self._note(connection, event)

    def sent(self, packet: bytes, time: float) -> None:
        """Take a segment that comes to the firewall, after the firewall got it.

        Args:
            packet: the IPv4 packet with it; other packets are passed over.
            time: its time in seconds.
        """
        direction = direction_of(packet)
        connection = self._latest.get(direction) if packet[9] == TCP else None
        if connection:
            connection.seen.add(direction)
            if self._streams and (segment := self._read(packet)):
                connection.sent.add(segment, time)

    def received(self, packet: bytes, time: float) -> None:
        """Take a segment that leaves the firewall.

        Args:
            packet: the IPv4 packet with it; other packets are passed over.
            time: its time in seconds.
        """
        if self._streams and (segment := self._read(packet)):
            connection = self._latest.get(direction_of(packet))
            if connection:
                connection.received.add(segment, time)

    def _read(self, packet: bytes) -> Segment | None:
        """The segment in a packet; read once, if it comes and leaves as it is."""
        if packet is not self._packet:
            return read_segment(packet)
        if self._segment is None:
            self._segment = read_segment(packet)
        return self._segment

    def _note_hits(self, connection: Connection) -> None:
        for hit in self._hits:
            self._logged[hit.source, hit.destination] = connection
            self._note(connection, hit)

    def _note(
        self, connection: Connection, event: Inspected | PacketDenied | AccessListHit
    ) -> None:
        connection.events.append(Noted(event, self._syslog.message(event) or ""))

    def _built(self, event: ConnectionBuilt) -> None:
        segment = self._read(self._packet)
        if segment is None:
            return  # another protocol than TCP
        client, server = segment.source, segment.destination
        opener = event.flow.client
        if (client.address, client.port) not in (
            (opener.address, opener.port),
            (opener.mapped, opener.mapped_port),
        ):
            client, server = server, client  # adopted at a packet of the server's
        connection = Connection(client, server, event.time, event.flow.inspected, permitted=True)
        self._numbered[event.flow.number] = connection
        self._begin(connection)
        self._note_hits(connection)

    def _denied(self, event: PacketDenied) -> None:
        segment = self._read(self._packet)
        if segment is None or not segment.syn or segment.acknowledgement is not None:
            return  # no attempt at a connection: the summary counts it
        known = self._latest.get(direction_of(self._packet))
        if known is None or known.permitted or known.sent.opening != segment.sequence:
            known = Connection(segment.source, segment.destination, event.time, "", permitted=False)
            known.closing = Closing.DROPPED
            known.sent.opening = segment.sequence
            self._begin(known)
        self._note_hits(known)
        self._note(known, event)

    def _begin(self, connection: Connection) -> None:
        direction = direction_of(self._packet)
        self.all.append(connection)
        self._latest[direction] = self._latest[turned(direction)] = connection


def direction_of(packet: bytes) -> bytes:
    """What the packets of one direction of a flow have in common: addresses, then ports.

    Args:
        packet: an unfragmented IPv4 packet; what stands where TCP has its ports counts as such.
    """
    at = header_length(packet)
    return packet[12:20] + packet[at : at + 4]


def turned(direction: bytes) -> bytes:
    """The other direction of the same flow."""
    return direction[4:8] + direction[:4] + direction[10:12] + direction[8:10]
