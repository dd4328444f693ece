"""The engine: packets in, verdicts and events out; no clock, no socket, no file."""

from __future__ import annotations

from dataclasses import replace
from struct import Struct
from traceback import format_exc

from appliance import handover
from appliance.access_log import AccessLog
from appliance.admission import Admission, Admit, Opening
from appliance.events import (
    Closing,
    ConnectionBuilt,
    Direction,
    Event,
    Fault,
    Flow,
    Inspected,
    Kind,
    Report,
)
from appliance.flows import AnyFlow, Flows, Key, key_of, turned
from appliance.opening import begins, denied, of_packet, of_segment, unknown
from appliance.packet import icmp
from appliance.packet.segment import RST, SYN, Segment
from appliance.protocol import ICMP, TCP, UDP
from appliance.smtp.esmtp_map import DEFAULT_MAP
from appliance.smtp.inspector import Inspector
from appliance.smtp.tally import Tally
from appliance.tcp.connection import Connection
from appliance.tcp.room import Room
from appliance.tcp.uninspected import Uninspected
from appliance.verdict import DROP, FORWARD, Verdict

_PORTS = Struct("!HH")


class Firewall:
    """Judges packets one by one.

    Args:
        admit: asked once for the first packet of each flow.
        report: called with every event, in order.
        recorded: the packets come from a capture, whose connections may have begun before it did
            and whose ends answered what was forwarded then: see `Connection`.

    Attributes:
        room: what connections take of memory.
        tally: what inspection maps have matched.
    """

    def __init__(self, admit: Admit, report: Report, recorded: bool = False) -> None:
        self._admit = admit
        self._report = report
        self._recorded = recorded
        self._flows = Flows()
        self._restless: dict[Key, AnyFlow] = {}
        self._built = 0
        self._access_log = AccessLog(report)
        self.room = Room()
        self.tally = Tally()

    @property
    def flows(self) -> int:
        """How many flows are known, those just closed included."""
        return len(self._flows)

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
        key = key_of(
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
                return self._deny_unknown(segment, ingress, egress, now)
            if not segment.flags & SYN and not flow.gone:
                return self._give(key, flow, segment, from_client, now)
            if not from_client and (syn := flow.begun_anew_by(segment)):
                # The server has forgotten the connection, and takes another between its ends.
                flow.close(Closing.TIMEOUT, now)
                self._flows.forget(key)
                self._open(syn, turned(key), now, egress, ingress)
                return self.receive(packet, now, ingress, egress, mark)
            reopens = flow.gone or (from_client and flow.reopened_by(segment))
            if not (begins(segment) and reopens):
                if flow.gone:
                    return self._deny_unknown(segment, ingress, egress, now)
                return self._give(key, flow, segment, from_client, now)
            flow.close(Closing.TIMEOUT, now)
            self._flows.forget(key)
        return self._open(segment, key, now, ingress, egress)

    def _give(
        self, key: Key, flow: AnyFlow, segment: Segment, from_client: bool, now: float
    ) -> Verdict:
        """Have a flow judge a segment; if that fails, the flow is closed, and no other harmed."""
        try:
            verdict = flow.receive(segment, from_client, now)
        except Exception:
            self._fail(key, flow, segment.packet, now)
            return DROP
        self._flows.note(key)
        if flow.restless:
            self._restless[key] = flow
        return verdict

    def _fail(self, key: Key, flow: AnyFlow, packet: bytes, now: float) -> None:
        """The engine failed, which is a fault of ours: close the connection."""
        trace = format_exc()
        try:
            state = handover.write([(key, flow)], self._report)
        except Exception:
            state = b""
        self._report(Fault(now, flow.flow, packet, trace, state))
        flow.close(Closing.DROPPED, now)
        self._flows.note(key)
        self._flows.note(key)

    def expire(self, now: float) -> tuple[bytes, ...]:
        """Let timers run: close what has been idle too long.

        Args:
            now: the time in seconds.

        Returns:
            packets that the firewall sends, whole IPv4 packets: bytes of its own that have not
            arrived.
        """
        packets: list[bytes] = []
        restless, self._restless = self._restless, {}
        for key, flow in restless.items():
            if flow.closing is not None:
                continue
            try:
                packets += flow.resend(now)
            except Exception:
                self._fail(key, flow, b"", now)
                continue
            if flow.restless:
                self._restless[key] = flow
        self._flows.close_idle(now)
        self._access_log.expire(now)
        return tuple(packets)

    def hand_over(self) -> bytes:
        """Write down all flows, for `take_over` in another process; this one is to judge no more.

        Returns:
            text for `take_over`.
        """
        return handover.write(self._flows, self._report)

    def take_over(self, text: bytes, now: float) -> None:
        """Take up flows that another process has handed over.

        Args:
            text: what its `hand_over` wrote.
            now: the time in seconds.

        Raises:
            PixguardError: it cannot be used; nothing is taken up.
        """
        for key, flow in handover.read(text, self._report, self.room, self.tally):
            self._flows.add(key, flow, now)
            self._flows.note(key)
            self._built = max(self._built, flow.flow.number)
            if flow.restless:
                self._restless[key] = flow

    def close(self, now: float) -> None:
        """Report every connection that is still open as such, at the end of a capture.

        Args:
            now: the time in seconds.
        """
        for _, flow in self._flows:
            flow.close(Closing.OPEN, now)
        self._flows = Flows()
        self._restless.clear()

    def _open(self, segment: Segment, key: Key, now: float, ingress: str, egress: str) -> Verdict:
        """Judge the first packet of a TCP connection."""
        opening = of_segment(segment, ingress, egress, now, self._flows.live)
        if opening.begins:
            admission = self._admit(opening)
            self._access_log.take(opening, admission, now)
            if admission.denial is not None:
                return self._deny(opening, admission, segment.flags, now)
            denial = self._flows.denial(TCP, admission.limits)
            if denial is not None:
                refused = replace(admission, denial=denial)
                return self._deny(opening, refused, segment.flags, now)
            flow = self._build(admission, segment, key, True, now)
            return self._give(key, flow, segment, True, now)
        if segment.flags & RST or (segment.flags & SYN and not self._recorded):
            return self._deny(opening, unknown(opening), segment.flags, now)
        return self._adopt(opening, segment, key, now)

    def _adopt(self, opening: Opening, segment: Segment, key: Key, now: float) -> Verdict:
        """Take up a connection in the middle: its client is the end whose SYN would be let in and
        inspected, and failing that the one that sent this segment."""
        admission = self._admit(opening)
        from_client = True
        if admission.inspection is None or segment.flags & SYN:
            reverse = self._admit(
                Opening(
                    protocol=TCP,
                    source=opening.destination,
                    source_port=opening.destination_port,
                    destination=opening.source,
                    destination_port=opening.source_port,
                    ingress=opening.egress,
                    egress=opening.ingress,
                    begins=False,
                    time=now,
                    live=self._flows.live,
                )
            )
            if reverse.denial is None and (
                reverse.inspection or admission.denial or segment.flags & SYN
            ):
                admission, from_client = reverse, False
        if admission.denial is not None:
            return self._deny(opening, unknown(opening), segment.flags, now)
        if not from_client:
            key = turned(key)
        flow = self._build(admission, segment, key, from_client, now)
        if isinstance(flow, Connection):
            way = Direction.TO_SERVER if from_client else Direction.TO_CLIENT
            self._report(Inspected(now, Kind.ADOPTED, flow.flow, way, 0))
        return self._give(key, flow, segment, from_client, now)

    def _build(
        self, admission: Admission, segment: Segment, key: Key, from_client: bool, now: float
    ) -> AnyFlow:
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
        built: AnyFlow
        if release is None:
            built = Uninspected(flow, now, self._report, admission.idle)
        else:
            adopted = not (self._recorded or segment.flags & SYN)
            # In a capture that begins with the server's bytes, they are its greeting.
            greeting_due = bool(segment.flags & SYN) or not (from_client or adopted)
            esmtp_map = admission.esmtp_map or DEFAULT_MAP
            tally = self.tally.of(esmtp_map) if release.has_maps else None
            inspector = Inspector(release, greeting_due, self._recorded, adopted, tally)
            built = Connection(
                flow,
                inspector,
                now,
                self._report,
                self.room,
                self._recorded,
                adopted,
                admission.idle,
            )
        self._flows.add(key, built, now, admission.limits)
        return built

    def _receive_other(
        self, packet: bytes, now: float, ingress: str, egress: str, mark: int
    ) -> Verdict:
        """Judge a packet that is not TCP; live, only TCP and ICMP errors about it are queued."""
        read = of_packet(packet, ingress, egress, now, self._flows.live)
        if read is None:
            return DROP
        opening, flags = read
        protocol = opening.protocol
        if protocol == ICMP and (quoted := icmp.quote(packet)):
            verdict = self._receive_error(packet, quoted, mark)
            if verdict is not None:
                return verdict
        key = key_of(
            protocol,
            int(opening.source),
            opening.source_port,
            int(opening.destination),
            opening.destination_port,
            mark,
        )
        known = self._flows.get(key)
        if known is not None and isinstance(known[0], Uninspected):
            verdict = known[0].touch(now)
            self._flows.note(key)
            return verdict
        admission = self._admit(opening)
        self._access_log.take(opening, admission, now)
        if admission.denial is None and protocol == UDP:
            admission = replace(admission, denial=self._flows.denial(UDP, admission.limits))
        if admission.denial is not None:
            return self._deny(opening, admission, flags, now)
        if protocol == UDP:
            flow = Flow(0, admission.client, admission.server, admission.inbound, "")
            self._flows.add(
                key, Uninspected(flow, now, _ignore, admission.idle), now, admission.limits
            )
        return FORWARD

    def _receive_error(self, packet: bytes, quoted: icmp.Quote, mark: int) -> Verdict | None:
        """Judge an ICMP error about a packet of a TCP connection; None if there is no such."""
        ends = (quoted.source, quoted.source_port, quoted.destination, quoted.destination_port)
        known = self._flows.get(key_of(TCP, *ends, mark))
        if known is None:
            return None
        flow, from_client = known
        sequence = flow.number_before(quoted.sequence, from_client)
        if sequence is None:
            return DROP
        if sequence == quoted.sequence:
            return FORWARD
        return Verdict(True, icmp.renumber(packet, quoted, sequence))

    def _deny_unknown(self, segment: Segment, ingress: str, egress: str, now: float) -> Verdict:
        """Report a segment that belongs to no connection."""
        opening = of_segment(segment, ingress, egress, now, self._flows.live)
        return self._deny(opening, unknown(opening), segment.flags, now)

    def _deny(self, opening: Opening, admission: Admission, flags: int, now: float) -> Verdict:
        """Report a packet that may not pass."""
        if admission.denial is not None:
            self._report(denied(opening, admission, admission.denial, flags, now))
        return DROP


def _ignore(event: Event) -> None:
    """UDP flows draw no message yet."""
