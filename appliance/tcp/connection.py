"""An inspected TCP connection: segments in, verdicts out, both directions edited in passing."""

from __future__ import annotations

from appliance.events import (
    Closing,
    ConnectionClosed,
    Direction,
    Flow,
    Inspected,
    Kind,
    Report,
)
from appliance.packet.segment import ACK, FIN, RST, SYN, URG, Segment, edit
from appliance.smtp.command import EXCERPT
from appliance.smtp.inspector import Inspector, Refusal
from appliance.tcp.stream import REMEMBERED, Room, Stream
from appliance.tcp.timeouts import CLOSED, EMBRYONIC, HALF_CLOSED, IDLE
from appliance.verdict import DROP, FORWARD, Verdict


class Connection:
    """A connection under inspection.

    Args:
        flow: its ends.
        inspector: judges its bytes.
        now: the time of the segment that begins it, seconds.
        report: called with each event.
        room: for segments out of order, shared with the other connections.
        recorded: the segments come from a capture. What would be dropped live because an end
            cannot have sent it may then just be missing from the capture, or be the answer to
            what was not forwarded this time; it is forwarded as far as it makes sense.

    Attributes:
        deadline: the time, seconds, at which the connection has been idle too long.
        closing: how it ended, None while it is alive.
    """

    __slots__ = (
        "_began",
        "_client",
        "_client_scale",
        "_client_window",
        "_inspector",
        "_octets",
        "_recorded",
        "_report",
        "_room",
        "_server",
        "_server_scale",
        "closing",
        "deadline",
        "flow",
    )

    def __init__(
        self,
        flow: Flow,
        inspector: Inspector,
        now: float,
        report: Report,
        room: Room,
        recorded: bool,
    ) -> None:
        self.flow = flow
        self.closing: Closing | None = None
        self.deadline = now + EMBRYONIC
        self._inspector = inspector
        self._began = now
        self._report = report
        self._recorded = recorded
        self._room = room
        self._octets = 0
        self._client: Stream | None = None
        self._server: Stream | None = None
        self._client_scale: int | None = None  # None: without the option, or not seen
        self._server_scale: int | None = None
        self._client_window: int | None = None  # of its SYN

    @property
    def gone(self) -> bool:
        """Whether nothing more can belong to it."""
        return self.closing is Closing.RESET and not self._recorded

    def reopened_by(self, segment: Segment) -> bool:
        """Whether a SYN from the client's side begins another connection between the same ends.

        Args:
            segment: the SYN.
        """
        if self.closing is not None:
            return True
        embryonic = self._server is None
        return embryonic and (
            self._client is None or self._client.offset(_after(segment.sequence)) != 0
        )

    def receive(self, segment: Segment, from_client: bool, now: float) -> Verdict:
        """Judge a segment of the connection.

        Args:
            segment: the segment.
            from_client: whether the client sent it.
            now: its time, seconds.
        """
        if segment.flags & SYN:
            verdict = self._synchronize(segment, from_client, now)
        elif segment.flags & RST:
            verdict = self._reset(segment, from_client, now)
        else:
            verdict = self._transfer(segment, from_client, now)
        if verdict.forward and self.closing is None:
            self._reckon_deadline(now)
        return verdict

    def expire(self, now: float) -> None:
        """The deadline has passed."""
        self._close(Closing.TIMEOUT, now)

    def let_go(self) -> None:
        """Give back the room that held segments take, when the connection is forgotten."""
        for stream in (self._client, self._server):
            if stream is not None:
                stream.drop_held()

    def end_of_capture(self, now: float) -> None:
        """No more packets will come."""
        self._close(Closing.OPEN, now)

    def _streams(self, from_client: bool) -> tuple[Stream | None, Stream | None]:
        return (self._client, self._server) if from_client else (self._server, self._client)

    def _begin_stream(self, start: int, from_client: bool) -> Stream:
        stream = Stream(start, self._room)
        if from_client:
            self._client = stream
        else:
            self._server = stream
        return stream

    def _synchronize(self, segment: Segment, from_client: bool, now: float) -> Verdict:
        """Judge a SYN: its data goes (with the fast-open option), its numbers are noted."""
        stream, other = self._streams(from_client)
        start = _after(segment.sequence)
        if segment.flags & (RST | FIN):
            return self._refuse(segment, from_client, now, "a SYN that is a RST or FIN too")
        if not from_client:
            answers = segment.flags & ACK and (
                other is None or other.offset(segment.acknowledgement) == 0
            )
            if not answers or (stream is not None and stream.offset(start) != 0):
                return self._refuse(segment, from_client, now, "does not answer the SYN")
        if stream is None:
            begun = self._begin_stream(start, from_client)
            if from_client:
                self._client_scale = segment.window_scale()
                self._client_window = segment.window
            else:
                self._server_scale = segment.window_scale()
                begun.limit = self._client_window
            if other is not None:
                other.limit = segment.window  # never scaled in a SYN (RFC 7323, section 2.2)
        # A SYN of other numbers inside a live connection is for its receiver to challenge
        # (RFC 5961, section 4); it changes nothing here.
        if segment.end > segment.payload_at or segment.fast_open():
            return Verdict(True, edit(segment, b"", fast_open=False))
        return FORWARD

    def _reset(self, segment: Segment, from_client: bool, now: float) -> Verdict:
        """Judge a RST: only one with exactly the next number ends the connection (RFC 5961)."""
        stream, other = self._streams(from_client)
        if stream is None:
            ends = bool(
                segment.flags & ACK and other and other.offset(segment.acknowledgement) == 0
            )
            within = ends
        else:
            offset = stream.offset(segment.sequence)
            ends = offset == stream.forwarded
            within = offset >= stream.received and (stream.limit is None or offset <= stream.limit)
        if not ends and not within:
            return self._refuse(segment, from_client, now, "a reset outside the window")
        if ends:
            self._close(Closing.RESET, now, by_client=from_client)
        return FORWARD if segment.end == segment.payload_at else Verdict(True, edit(segment, b""))

    def _transfer(self, segment: Segment, from_client: bool, now: float) -> Verdict:
        """Judge a segment without SYN and RST."""
        stream, other = self._streams(from_client)
        if stream is None or other is None:
            if not self._recorded:
                return self._refuse(segment, from_client, now, "before the handshake")
            if stream is None:
                stream = self._begin_stream(segment.sequence, from_client)
        clamped: int | None = None
        if other is not None and segment.flags & ACK:
            acknowledged = other.offset(segment.acknowledgement)
            if acknowledged > other.forwarded:
                if not self._recorded:
                    return self._refuse(segment, from_client, now, "acknowledges unsent bytes")
                acknowledged = other.forwarded
                clamped = other.sequence(acknowledged)
                self._tell(now, Kind.REPLY_TO_UNSENT, from_client, stream.received)
            other.acknowledge(acknowledged)
            self._open_window(segment, other, acknowledged, from_client)
        verdict = self._deliver(segment, stream, from_client, now, clamped)
        if verdict.forward and stream.held:
            released = self._release(segment, stream, from_client, now)
            if released:
                verdict = Verdict(True, verdict.edited, released)
        return verdict

    def _open_window(
        self, segment: Segment, other: Stream, acknowledged: int, from_client: bool
    ) -> None:
        if other.limit is None:
            return  # the SYNs were not seen, so neither was the scale
        scale = 0
        if self._client_scale is not None and self._server_scale is not None:
            scale = self._client_scale if from_client else self._server_scale
        other.limit = max(other.limit, acknowledged + (segment.window << scale))

    def _deliver(
        self,
        segment: Segment,
        stream: Stream,
        from_client: bool,
        now: float,
        clamped: int | None = None,
        timestamp: int | None = None,
    ) -> Verdict:
        """Judge a segment's bytes and FIN; what else it says has been judged.

        Args:
            segment: the segment.
            stream: the direction it belongs to.
            from_client: whether the client sent it.
            now: its time, seconds.
            clamped: acknowledgement number to put in, None to leave its own.
            timestamp: timestamp value to put in, None to leave its own.
        """
        start = stream.offset(segment.sequence)
        size = segment.end - segment.payload_at
        end = start + size
        fin = bool(segment.flags & FIN)
        if stream.fin is not None and ((size and end > stream.fin) or (fin and end != stream.fin)):
            return self._refuse(segment, from_client, now, "beyond the FIN")
        if fin and end < stream.received:
            return self._refuse(segment, from_client, now, "a FIN before bytes that came")
        if stream.limit is not None and end > stream.limit + 1:  # a window probe is one byte
            return self._refuse(segment, from_client, now, "outside the window")
        sent = segment.packet[segment.payload_at : segment.end]
        payload = sent
        sequence: int | None = None
        if size and (start < stream.received or stream.held):
            overlap = stream.consistent(start, sent)
            payload = overlap.payload
            if (payload or fin) and overlap.start != start:
                sequence = stream.sequence(overlap.start)
            keep_alive = size == 1 and end == stream.received  # any byte (RFC 1122, 4.2.3.6)
            if overlap.inconsistent is not None and not keep_alive:
                self._tell(now, Kind.INCONSISTENT_RETRANSMISSION, from_client, overlap.inconsistent)
        if start > stream.received and (size or fin):
            return self._hold(segment, stream, payload, from_client, now, clamped)
        if end > stream.received:
            if end - stream.acknowledged > REMEMBERED:
                if not self._recorded:
                    return self._refuse(segment, from_client, now, "too much is unacknowledged")
                stream.forget_excess()
            if from_client and self._inspector.overdue:
                return self._refuse(segment, from_client, now, "too many replies are due")
            new_at = len(payload) - (end - stream.received)
            new = payload[new_at:]
            ruling = (
                self._inspector.from_client(new, whole_segment=start == stream.received)
                if from_client
                else self._inspector.from_server(new)
            )
            if ruling is Refusal.DISCARD:
                stream.discarding = True
                return self._refuse(segment, from_client, now, "ends before its verb does")
            self._tell_remarks(now, from_client, stream.received)
            self._octets += len(new)
            stream.append(new, new if ruling is None else ruling)
            if ruling is not None:
                payload = payload[:new_at] + ruling
        if fin:
            stream.fin = end
        untouched = sequence is None and clamped is None and timestamp is None
        if untouched and not segment.flags & URG and (payload is sent or payload == sent):
            return FORWARD
        edited = edit(
            segment,
            payload,
            sequence=sequence,
            acknowledgement=clamped,
            flags=segment.flags & ~URG,  # urgent data is in-band
            timestamp=timestamp,
        )
        return Verdict(True, edited)

    def _hold(
        self,
        segment: Segment,
        stream: Stream,
        payload: bytes,
        from_client: bool,
        now: float,
        clamped: int | None,
    ) -> Verdict:
        if stream.discarding:
            return self._refuse(segment, from_client, now, "follows a segment that was dropped")
        packet = edit(segment, payload, acknowledgement=clamped)
        if not stream.hold(Segment(packet)):
            return self._refuse(segment, from_client, now, "too much is out of order")
        return DROP

    def _release(
        self, filler: Segment, stream: Stream, from_client: bool, now: float
    ) -> tuple[bytes, ...]:
        """Deliver the held segments that a segment has made ready."""
        released: list[bytes] = []
        while (segment := stream.next_held()) is not None:
            # The filler was sent after them; an older timestamp behind its newer one would be
            # taken for a segment of long ago (RFC 7323, section 5.3).
            timestamp = filler.timestamp()
            verdict = self._deliver(segment, stream, from_client, now, timestamp=timestamp)
            if verdict.forward:
                released.append(verdict.edited or segment.packet)
        return tuple(released)

    def _reckon_deadline(self, now: float) -> None:
        client, server = self._client, self._server
        ended = [s for s in (client, server) if s is not None and s.fin is not None]
        if len(ended) == 2 and all(s.acknowledged == s.forwarded for s in ended):
            self._close(Closing.FIN, now)
        elif ended:
            self.deadline = now + HALF_CLOSED
        elif (
            client is not None
            and server is not None
            and (server.acknowledged >= 0 or client.received)
        ):
            self.deadline = now + IDLE

    def _close(self, closing: Closing, now: float, by_client: bool = False) -> None:
        if self.closing is not None:
            return
        self.closing = closing
        self.deadline = now + CLOSED
        self._report(
            ConnectionClosed(now, self.flow, closing, by_client, now - self._began, self._octets)
        )

    def _refuse(self, segment: Segment, from_client: bool, now: float, why: str) -> Verdict:
        direction = Direction.TO_SERVER if from_client else Direction.TO_CLIENT
        stream, _ = self._streams(from_client)
        offset = stream.offset(segment.sequence) if stream else 0
        original = segment.packet[segment.payload_at : segment.end][:EXCERPT]
        self._report(
            Inspected(now, Kind.SEGMENT_DROPPED, self.flow, direction, offset, original, detail=why)
        )
        return DROP

    def _tell(self, now: float, kind: Kind, from_client: bool, offset: int) -> None:
        direction = Direction.TO_SERVER if from_client else Direction.TO_CLIENT
        self._report(Inspected(now, kind, self.flow, direction, offset))

    def _tell_remarks(self, now: float, from_client: bool, base: int) -> None:
        direction = Direction.TO_SERVER if from_client else Direction.TO_CLIENT
        for remark in self._inspector.remarks:
            self._report(
                Inspected(
                    now,
                    remark.kind,
                    self.flow,
                    direction,
                    base + remark.at,
                    remark.original,
                    remark.rewritten,
                    remark.detail,
                )
            )


def _after(sequence: int) -> int:
    """The number of the first byte behind a SYN, which takes one number itself."""
    return (sequence + 1) % (1 << 32)
