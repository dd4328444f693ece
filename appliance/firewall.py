"""The engine: packets in, verdicts and events out; no clock, no socket, no file."""

from __future__ import annotations

from ipaddress import IPv4Address
from struct import Struct
from typing import TypeAlias

from appliance.admission import Admission, Admit, Opening
from appliance.events import (
    ConnectionBuilt,
    Denial,
    Direction,
    Endpoint,
    Event,
    Flow,
    Inspected,
    Kind,
    PacketDenied,
    Report,
)
from appliance.packet.checksum import header_length
from appliance.packet.segment import ACK, FIN, RST, SYN, Segment
from appliance.protocol import ICMP, TCP, UDP
from appliance.smtp.inspector import Inspector
from appliance.tcp.connection import Connection
from appliance.tcp.stream import Room
from appliance.tcp.uninspected import Uninspected
from appliance.verdict import DROP, FORWARD, Verdict

_PORTS = Struct("!HH")

_GRAIN = 4
"""Seconds that are looked at together."""

_LOOK = 30
"""Seconds after which a flow is looked at again; it may outlive its deadline by as much."""

Key: TypeAlias = tuple[int, int, int, int, int, int]
"""Protocol, source, source port, destination, destination port, mark."""


class Firewall:
    """Judges packets one by one.

    Args:
        admit: asked once for the first packet of each flow.
        report: called with every event, in order.
        recorded: the packets come from a capture, whose connections may have begun before it did
            and whose ends answered what was forwarded then: see `Connection`.
    """

    def __init__(self, admit: Admit, report: Report, recorded: bool = False) -> None:
        self._admit = admit
        self._report = report
        self._recorded = recorded
        self._flows: dict[Key, tuple[Connection | Uninspected, bool]] = {}
        self._deadlines: dict[int, set[Key]] = {}
        self._restless: set[Connection | Uninspected] = set()
        self._looked_at = 0
        self._built = 0
        self._room = Room()

    @property
    def flows(self) -> int:
        """How many flows are known, those just closed included."""
        return len(self._flows) // 2

    def receive(
        self, packet: bytes, now: float, ingress: str = "", egress: str = "", mark: int = 0
    ) -> Verdict:
        """Judge one IPv4 packet.

        Args:
            packet: the whole packet from its IPv4 header on, network order.
            now: its time in seconds; never less than that of the packet before.
            ingress: name of the interface it came in by, "" where unknown.
            egress: name of the interface it will leave by, "" where unknown.
            mark: the connection mark; it tells apart flows of equal addresses, as two clients'
                connections to two translations of one server are once they are translated.
        """
        if len(packet) < 20 or packet[9] != TCP:
            return self._receive_other(packet, now, ingress, egress, mark)
        try:
            segment = Segment(packet)
        except ValueError:
            return DROP
        key = (
            TCP,
            segment.source,
            segment.source_port,
            segment.destination,
            segment.destination_port,
            mark,
        )
        known = self._flows.get(key)
        if known is not None:
            flow, from_client = known
            end = flow.flow.client if from_client else flow.flow.server
            if ingress and end.interface and ingress != end.interface:
                # Its own connection's other end, forged: it could say that the mail begins.
                opening = _opening(segment, ingress, egress)
                return self._deny(opening, _unknown(opening), segment.flags, now)
            opens = _begins(segment) and from_client
            if not (opens and flow.reopened_by(segment)):
                verdict = flow.receive(segment, from_client, now)
                if flow.gone:
                    self._forget(key)
                elif flow.restless:
                    self._restless.add(flow)
                return verdict
            if flow.closing is None:
                flow.expire(now)
            self._forget(key)
        return self._open(segment, key, now, ingress, egress)

    def expire(self, now: float) -> tuple[bytes, ...]:
        """Let timers run: close what has been idle too long.

        Args:
            now: the time in seconds.

        Returns:
            packets that the firewall sends, whole IPv4 packets: bytes of its own that have not
            arrived.
        """
        packets: list[bytes] = []
        for flow in [flow for flow in self._restless if flow.restless]:
            packets += flow.resend(now)
        self._restless = {flow for flow in self._restless if flow.restless}
        self._close_idle(now)
        return tuple(packets)

    def _close_idle(self, now: float) -> None:
        current = int(now) // _GRAIN
        if current == self._looked_at:
            return
        self._looked_at = current
        for due in sorted(moment for moment in self._deadlines if moment < current):
            for key in self._deadlines.pop(due):
                known = self._flows.get(key)
                if known is None:
                    continue
                flow, _ = known
                if flow.deadline <= now:
                    flow.expire(now)
                    self._forget(key)
                else:
                    self._watch(key, flow, now)

    def close(self, now: float) -> None:
        """Report every connection that is still open as such, at the end of a capture.

        Args:
            now: the time in seconds.
        """
        for flow, from_client in self._flows.values():
            if from_client:
                flow.end_of_capture(now)
        self._flows.clear()
        self._restless.clear()
        self._deadlines.clear()

    def _open(self, segment: Segment, key: Key, now: float, ingress: str, egress: str) -> Verdict:
        """Judge the first packet of a TCP connection."""
        opening = _opening(segment, ingress, egress)
        if _begins(segment):
            admission = self._admit(opening)
            if admission.denial is not None:
                return self._deny(opening, admission, segment.flags, now)
            return self._build(admission, segment, key, True, now).receive(segment, True, now)
        if not self._recorded or segment.flags & RST:
            return self._deny(opening, _unknown(opening), segment.flags, now)
        return self._adopt(opening, segment, key, now)

    def _adopt(self, opening: Opening, segment: Segment, key: Key, now: float) -> Verdict:
        """Take up a connection in the middle: its client is the end whose SYN would be let in and
        inspected, and failing that the one that sent this segment."""
        admission = self._admit(opening)
        from_client = True
        if admission.inspection is None or segment.flags & SYN:
            turned = self._admit(
                Opening(
                    protocol=TCP,
                    source=opening.destination,
                    source_port=opening.destination_port,
                    destination=opening.source,
                    destination_port=opening.source_port,
                    ingress=opening.egress,
                    egress=opening.ingress,
                )
            )
            if turned.denial is None and (
                turned.inspection or admission.denial or segment.flags & SYN
            ):
                admission, from_client = turned, False
        if admission.denial is not None:
            return self._deny(opening, _unknown(opening), segment.flags, now)
        if not from_client:
            key = _turned(key)
        flow = self._build(admission, segment, key, from_client, now)
        if isinstance(flow, Connection):
            way = Direction.TO_SERVER if from_client else Direction.TO_CLIENT
            self._report(Inspected(now, Kind.ADOPTED, flow.flow, way, 0))
        return flow.receive(segment, from_client, now)

    def _build(
        self, admission: Admission, segment: Segment, key: Key, from_client: bool, now: float
    ) -> Connection | Uninspected:
        self._built += 1
        release = admission.inspection
        flow = Flow(
            number=self._built,
            client=admission.client,
            server=admission.server,
            inbound=admission.inbound,
            inspected=release.name if release else "",
        )
        self._report(ConnectionBuilt(now, flow))
        built: Connection | Uninspected
        if release is None:
            built = Uninspected(flow, now, self._report)
        else:
            greeting_due = bool(segment.flags & SYN) or not from_client
            inspector = Inspector(release, greeting_due, self._recorded)
            built = Connection(flow, inspector, now, self._report, self._room, self._recorded)
        self._remember(key, built, now)
        return built

    def _remember(self, key: Key, flow: Connection | Uninspected, now: float) -> None:
        self._flows[key] = (flow, True)
        self._flows[_turned(key)] = (flow, False)
        self._watch(key, flow, now)

    def _watch(self, key: Key, flow: Connection | Uninspected, now: float) -> None:
        due = min(flow.deadline, now + _LOOK)  # an end brings the deadline nearer
        self._deadlines.setdefault(int(due) // _GRAIN, set()).add(key)

    def _forget(self, key: Key) -> None:
        flow, _ = self._flows.pop(key)
        if isinstance(flow, Connection):
            flow.let_go()
        self._flows.pop(_turned(key), None)

    def _receive_other(
        self, packet: bytes, now: float, ingress: str, egress: str, mark: int
    ) -> Verdict:
        """Judge a packet that is not TCP; live, only TCP is queued."""
        at = header_length(packet) if packet else 0
        transport = packet[at : at + 4]
        if at < 20 or len(transport) < 4:
            return DROP
        protocol = packet[9]
        source_port = destination_port = 0
        icmp_type = -1
        if protocol == UDP:
            source_port, destination_port = _PORTS.unpack(transport)
        elif protocol == ICMP:
            icmp_type = transport[0]
        opening = Opening(
            protocol=protocol,
            source=IPv4Address(packet[12:16]),
            source_port=source_port,
            destination=IPv4Address(packet[16:20]),
            destination_port=destination_port,
            icmp_type=icmp_type,
            ingress=ingress,
            egress=egress,
        )
        ends = (int(opening.source), source_port, int(opening.destination), destination_port)
        key = (protocol, *ends, mark)
        known = self._flows.get(key)
        if known is not None and isinstance(known[0], Uninspected):
            return known[0].touch(now)
        admission = self._admit(opening)
        if admission.denial is not None:
            type_and_code = transport[0] << 8 | transport[1] if protocol == ICMP else 0
            return self._deny(opening, admission, type_and_code, now)
        if protocol == UDP:
            flow = Flow(0, admission.client, admission.server, admission.inbound, "")
            self._remember(key, Uninspected(flow, now, _ignore), now)
        return FORWARD

    def _deny(self, opening: Opening, admission: Admission, flags: int, now: float) -> Verdict:
        """Report a packet that may not pass."""
        if admission.denial is not None:
            self._report(
                PacketDenied(
                    now,
                    admission.denial,
                    opening.protocol,
                    admission.client,
                    admission.server,
                    admission.access_list,
                    flags,
                )
            )
        return DROP


def _begins(segment: Segment) -> bool:
    """Whether a segment is the first of a connection."""
    return bool(segment.flags & (SYN | ACK | RST | FIN) == SYN)


def _opening(segment: Segment, ingress: str, egress: str) -> Opening:
    return Opening(
        protocol=TCP,
        source=IPv4Address(segment.source),
        source_port=segment.source_port,
        destination=IPv4Address(segment.destination),
        destination_port=segment.destination_port,
        ingress=ingress,
        egress=egress,
    )


def _unknown(opening: Opening) -> Admission:
    """The answer to a TCP segment that belongs to no connection and begins none."""
    return Admission(
        client=_endpoint(opening.ingress, opening.source, opening.source_port),
        server=_endpoint(opening.egress, opening.destination, opening.destination_port),
        inbound=False,
        denial=Denial.NO_CONNECTION,
    )


def _endpoint(interface: str, address: IPv4Address, port: int) -> Endpoint:
    return Endpoint(interface, address, port, address, port)


def _turned(key: Key) -> Key:
    """The key of the other direction."""
    protocol, source, source_port, destination, destination_port, mark = key
    return protocol, destination, destination_port, source, source_port, mark


def _ignore(event: Event) -> None:
    """UDP flows draw no message yet."""
