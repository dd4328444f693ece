"""An inspected TCP connection: segments in, verdicts out, both directions edited in passing."""

from __future__ import annotations

from dataclasses import replace

from mypy_extensions import mypyc_attr

from appliance.events import (
    Closing,
    ConnectionClosed,
    Flow,
    Kind,
    Phase,
    Report,
)
from appliance.packet.segment import (
    ACK,
    FIN,
    RST,
    SYN,
    URG,
    WIDEST_SCALE,
    Changes,
    Segment,
    edit,
)
from appliance.smtp.inspector import Inspector
from appliance.smtp.ruling import EXCERPT, Part, Refusal, Ruling
from appliance.tcp.own import OwnPacket, OwnPackets, resets, to_receiver, to_sender
from appliance.tcp.room import Room
from appliance.tcp.stream import Run, Stream, add_run
from appliance.tcp.timeouts import CLOSED, EMBRYONIC, USUAL, Idle
from appliance.tcp.witness import Witness
from appliance.verdict import DROP, FORWARD, Verdict

_CONTROL = SYN | RST | FIN | URG | ACK
"""Flags that ask for a closer look, but for ACK alone."""

_REASONS = {
    Refusal.DISCARD: "ends before its verb does",
    Refusal.EXCESS: "comes faster than the inspection map lets mails come",
    Refusal.WAIT: "comes before the server has shown that it reads commands",
}


@mypyc_attr(allow_interpreted_subclasses=True, serializable=True)
class Connection:
    """A connection under inspection.

    Args:
        flow: its ends.
        inspector: judges its bytes.
        now: the time of the segment that begins it, seconds.
        report: called with each event.
        room: what all connections together take of memory.
        recorded: the segments come from a capture. What would be dropped live because an end
            cannot have sent it may then just be missing from the capture, or be the answer to
            what was not forwarded this time; it is forwarded as far as it makes sense. Sequence
            and acknowledgement numbers are those of the recorded streams, however the streams
            are edited this time.
        adopted: the connection began unseen, and its ends are to show where they are in it.

    Attributes:
        deadline: the time, seconds, at which the connection has been idle too long.
        closing: how it ended, None while it is alive.
    """

    __slots__ = (
        "_adopted",
        "_began",
        "_client",
        "_client_scale",
        "_client_window",
        "_idle",
        "_inspector",
        "_octets",
        "_own",
        "_recorded",
        "_report",
        "_room",
        "_sack",
        "_server",
        "_server_scale",
        "_syn",
        "_usual",
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
        adopted: bool = False,
        idle: Idle = USUAL,
    ) -> None:
        self.flow = flow
        self.closing: Closing | None = None
        self.deadline = now + EMBRYONIC
        self._idle = idle
        self._inspector = inspector
        self._began = now
        self._report = report
        self._room = room
        self._recorded = recorded
        self._adopted = adopted
        self._octets = 0
        self._client: Stream | None = None
        self._server: Stream | None = None
        # None: without the option, or not seen in a capture. What is not seen live may be any.
        self._client_scale = self._server_scale = WIDEST_SCALE if adopted else None
        self._client_window = 0  # the window field of its SYN
        self._sack = False  # whether the SYNs of both ends permit SACK
        self._syn: Segment | None = None  # the last one of other numbers
        self._own: OwnPackets | None = None  # few connections have any
        self._usual = False  # whether a segment may go by `_follow`

    @property
    def _witness(self) -> Witness:
        return Witness(self.flow, self._report)

    @property
    def gone(self) -> bool:
        """Whether nothing more can belong to it."""
        # In a capture, what was on its way when a RST came belongs to no other connection.
        reset = self.closing is Closing.RESET and not self._recorded
        return reset or self.closing is Closing.DROPPED

    @property
    def restless(self) -> bool:
        """Whether bytes of the firewall's own have not arrived yet: see `resend`."""
        return bool(self._own)

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

    def begun_anew_by(self, segment: Segment) -> Segment | None:
        """The client's SYN by which another connection has begun between the same ends, since the
        server has forgotten this one.

        Args:
            segment: the server's answer to it, if it is one.
        """
        syn = self._syn
        answers = segment.flags & (SYN | ACK | RST | FIN) == SYN | ACK
        if syn and answers and segment.acknowledgement == _after(syn.sequence):
            return syn
        return None

    def receive(self, segment: Segment, from_client: bool, now: float) -> Verdict:
        """Judge a segment of the connection.

        Args:
            segment: the segment.
            from_client: whether the client sent it.
            now: its time, seconds.
        """
        if self._inspector.tally:
            self._inspector.tally.note_packet(now)
        if self._usual and segment.flags & _CONTROL == ACK:
            usual = self._follow(segment, from_client, now)
            if usual is not None:
                return usual
        if segment.flags & SYN:
            verdict = self._synchronize(segment, from_client, now)
        elif segment.flags & RST:
            verdict = self._reset(segment, from_client, now)
        else:
            verdict = self._transfer(segment, from_client, now)
        if (verdict.forward or verdict.released) and self.closing is None:
            self._reckon_deadline(now)
        self._usual = self._is_usual()
        return verdict

    def _is_usual(self) -> bool:
        """Whether it is established, and all that came was in order and forwarded byte for byte."""
        client, server = self._client, self._server
        return (
            client is not None
            and server is not None
            and client.is_plain
            and server.is_plain
            and not (self._own or self._inspector.answers_lines)
            and self.closing is None
            and self.phase is Phase.ESTABLISHED
        )

    def _follow(self, segment: Segment, from_client: bool, now: float) -> Verdict | None:
        """Judge the next segment in order of a usual connection, as most are, at little cost.

        What it does is what `_transfer` does with such a segment. See docs/decisions/fast-path.md.

        Returns:
            None, and nothing has changed, where a closer look is needed.
        """
        stream, other = self._streams(from_client)
        if stream is None or other is None or not stream.expects(segment.sequence):
            return None
        size = segment.end - segment.payload_at
        if size and (
            self._excess(stream, size, from_client)
            or (stream.limit is not None and stream.received + size > stream.limit + 1)
        ):
            return None
        room = segment.window << self._scale(from_client)
        if not other.take_acknowledgement(segment.acknowledgement, room):
            return None
        self.deadline = now + self._idle.established
        if not size:
            return FORWARD
        payload = segment.packet[segment.payload_at : segment.end]
        ruling = self._judge(payload, from_client, True)
        if ruling is not None and not isinstance(ruling, bytes):
            self._usual = False
            return self._carry_out(ruling, payload, [], segment, stream, from_client, now, None)
        if remarks := self._inspector.take_remarks():
            self._witness.tell_remarks(now, remarks, from_client, stream.received)
        self._octets += size
        stream.append(payload, payload if ruling is None else ruling)
        return FORWARD if ruling is None else Verdict(True, edit(segment, ruling))

    def resend(self, now: float) -> tuple[bytes, ...]:
        """Send again what of the firewall's own bytes has not arrived in time.

        Args:
            now: the time, seconds.

        Returns:
            packets to send, in order.
        """
        return self._own.due(now) if self._own else ()

    def number_before(self, sequence: int, from_client: bool) -> int | None:
        """The number that the sender of a forwarded segment gave it, None if there is none such.

        Args:
            sequence: its number as it was forwarded, which an ICMP error quotes.
            from_client: whether the client sent it.
        """
        stream, _ = self._streams(from_client)
        if stream is None or not stream.uneven or self._recorded:
            return sequence
        out = stream.out_offset(sequence)
        if not stream.acknowledged <= out <= stream.forwarded:
            return None  # forged, or of long ago (RFC 5927, section 4.1)
        return stream.sequence(stream.to_in(out))

    def take_room(self) -> None:
        """Count the memory that it takes, when it comes from another process."""
        for stream in (self._client, self._server):
            if stream is not None:
                stream.take_room()

    def let_go(self) -> None:
        """Give back the memory that its streams take, when they are over."""
        for stream in (self._client, self._server):
            if stream is not None:
                stream.let_go()
        self._client = self._server = None

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
        if segment.flags & (RST | FIN):
            return self._refuse(segment, from_client, now, "a SYN that is a RST or FIN too")
        if self._adopted:
            return self._refuse(segment, from_client, now, "a SYN in the midst of a connection")
        stream, other = self._streams(from_client)
        start = _after(segment.sequence)
        if not from_client:
            answers = segment.flags & ACK and (
                other is None or other.offset(segment.acknowledgement) == 0
            )
            if not answers or (stream is not None and stream.offset(start) != 0):
                return self._refuse(segment, from_client, now, "does not answer the SYN")
        if stream is None:
            begun = self._begin_stream(start, from_client)
            if from_client:
                self._sack = segment.sack_permitted()
                self._client_scale = segment.window_scale()
                self._client_window = segment.window
            else:
                self._sack &= segment.sack_permitted()
                self._server_scale = segment.window_scale()
                if other is not None:
                    # Never scaled in a SYN (RFC 7323, section 2.2).
                    for each, window in ((begun, self._client_window), (other, segment.window)):
                        each.limit = each.out_limit = each.widest = window
        # A SYN of other numbers inside a live connection is for its receiver to challenge
        # (RFC 5961, section 4), or to take if it knows of no such connection any more.
        if from_client and stream is not None and stream.offset(start) != 0:
            self._syn = segment
        if segment.end > segment.payload_at or segment.fast_open():
            return Verdict(True, edit(segment, b"", Changes(fast_open=False)))
        return FORWARD

    def _reset(self, segment: Segment, from_client: bool, now: float) -> Verdict:
        """Judge a RST: only one with exactly the number that its receiver expects ends the
        connection (RFC 5961, section 3)."""
        stream, other = self._streams(from_client)
        changes = Changes()
        if stream is None:
            ends = bool(
                segment.flags & ACK and other and other.offset(segment.acknowledgement) == 0
            )
            within = ends
        else:
            offset = stream.offset(segment.sequence)
            # Its receiver expects the one or the other, depending on what has been lost since.
            next_, arrived = stream.received + (stream.fin is not None), max(stream.arrived, 0)
            ends = offset in (next_, arrived)
            within = offset >= arrived and (stream.limit is None or offset <= stream.limit)
            if stream.uneven:
                changes = Changes(sequence=stream.sequence(stream.to_out(offset)))
            if other is not None and other.uneven and segment.flags & ACK and not self._recorded:
                heard = other.to_in(other.out_offset(segment.acknowledgement))
                changes = replace(changes, acknowledgement=other.sequence(heard))
        if not ends and not within:
            return self._refuse(segment, from_client, now, "a reset outside the window")
        if ends:
            self.close(Closing.RESET, now, by_client=from_client)
        if segment.end == segment.payload_at and changes == Changes():
            return FORWARD
        return Verdict(True, edit(segment, b"", changes))

    def _transfer(self, segment: Segment, from_client: bool, now: float) -> Verdict:
        """Judge a segment without SYN and RST."""
        stream, other = self._streams(from_client)
        if (stream is None or other is None) and self._adopted and segment.flags & ACK:
            stream, other = self._anchor(segment, from_client)
            if stream is None:
                # As a keep-alive, it has its receiver say so (RFC 1122, section 4.2.3.6).
                before = (segment.sequence - 1) % (1 << 32)
                return Verdict(True, edit(segment, b"", Changes(sequence=before, flags=ACK)))
        if stream is None or other is None:
            if not self._recorded:
                return self._refuse(segment, from_client, now, "before the handshake")
            if stream is None:
                stream = self._begin_stream(segment.sequence, from_client)
        if not (segment.flags & ACK or self._recorded):
            return self._refuse(segment, from_client, now, "acknowledges nothing")
        # What is refused must not have changed anything.
        if misplaced := _misplaced(stream, segment):
            return self._refuse(segment, from_client, now, misplaced)
        changes: Changes | None = None
        if other is not None and segment.flags & ACK:
            out = other.out_offset(segment.acknowledgement)
            if not self._recorded and out < other.acknowledged - other.widest:
                # Its receiver would not believe it either (RFC 5961, section 5.2).
                return self._refuse(segment, from_client, now, "acknowledges bytes of long ago")
            if self._recorded:
                out = other.to_out(other.offset(segment.acknowledgement))
            unsent = out > other.forwarded
            if unsent:
                if not self._recorded:
                    return self._refuse(segment, from_client, now, "acknowledges unsent bytes")
                out = other.forwarded
                self._witness.tell(now, Kind.REPLY_TO_UNSENT, from_client, stream.received)
            other.acknowledge(out)
            changes = self._acknowledge(segment, other, out, from_client, unsent)
        verdict = self._deliver(segment, stream, from_client, now, changes)
        if verdict.forward and self._inspector.answers_lines:
            stream.note_timestamp(segment.timestamp())
        if stream.held and (verdict.forward or verdict.released) and self.closing is None:
            released = self._release(segment, stream, from_client, now)
            if released:
                verdict = Verdict(verdict.forward, verdict.edited, verdict.released + released)
        return verdict

    def _anchor(self, segment: Segment, from_client: bool) -> tuple[Stream | None, Stream | None]:
        """The streams of a connection that began unseen, as far as their receivers have said where
        they are: what has come in order, they alone know."""
        if self._streams(from_client)[1] is None:
            other = self._begin_stream(segment.acknowledgement, not from_client)
            other.acknowledged = 0
        return self._streams(from_client)

    def _acknowledge(
        self, segment: Segment, other: Stream, out: int, from_client: bool, unsent: bool
    ) -> Changes | None:
        """Note what a segment acknowledges and allows.

        Args:
            segment: the segment.
            other: the direction that it acknowledges.
            out: the receiver's offset that it acknowledges.
            from_client: whether the client sent it.
            unsent: whether that is less than what stands in the segment.

        Returns:
            what must be changed in the segment for the sender of the other direction.
        """
        if self._own:
            self._own.acknowledge(other, out)
        scale = self._scale(from_client)
        room = segment.window << scale
        other.out_limit = max(other.out_limit, out + room)
        other.widest = max(other.widest, room)
        acknowledged = other.to_in(out)
        if other.uneven:
            # The right edge stays where the receiver put it, counted as the sender counts.
            shift = other.sent - other.received
            room = max(0, min(room, out + room - shift - acknowledged))
        if other.limit is not None:
            other.limit = max(other.limit, acknowledged + room)
        other.told = max(other.told, acknowledged)
        if not other.uneven or self._recorded:
            number = other.sequence(acknowledged) if unsent else None
            return None if number is None else Changes(acknowledgement=number)
        return Changes(
            acknowledgement=other.sequence(acknowledged),
            window=room >> scale,
            sack=_sack(segment, other),
        )

    def _scale(self, from_client: bool) -> int:
        if self._client_scale is None or self._server_scale is None:
            return 0
        return self._client_scale if from_client else self._server_scale

    def _deliver(
        self,
        segment: Segment,
        stream: Stream,
        from_client: bool,
        now: float,
        changes: Changes | None,
    ) -> Verdict:
        """Judge a segment's bytes and FIN; what else it says, and where it is, has been judged.

        Args:
            segment: the segment.
            stream: the direction it belongs to.
            from_client: whether the client sent it.
            now: its time, seconds.
            changes: what must be changed in its header all the same.
        """
        start = stream.offset(segment.sequence)
        size = segment.end - segment.payload_at
        end = start + size
        fin = bool(segment.flags & FIN)
        fresh = segment.packet[segment.payload_at : segment.end]
        runs: list[Run] = []
        if size and (start < stream.received or stream.held):
            overlap = stream.consistent(start, fresh)
            fresh, runs = overlap.fresh, overlap.runs
            keep_alive = size == 1 and end == stream.received  # any byte (RFC 1122, 4.2.3.6)
            if overlap.inconsistent is not None and not keep_alive:
                self._witness.tell(
                    now, Kind.INCONSISTENT_RETRANSMISSION, from_client, overlap.inconsistent
                )
        if start > stream.received and (size or fin):
            return self._hold(segment, stream, fresh, from_client, now, changes)
        if end <= stream.received or not (size or fin):
            if fin:
                stream.fin = end
            keep_alive = size <= 1 and start == stream.received - 1 and not fin
            if keep_alive and stream.uneven and not runs:
                # It wants an answer (RFC 1122, section 4.2.3.6), which an old number draws.
                runs.append(Run(stream.sent - 1, b""))
            verdict = self._forward(segment, stream, runs, changes, now)
            if size and stream.uneven and from_client and not self._recorded and self._server:
                # What was left out, nobody else will acknowledge again.
                again = self._tell(segment, stream, self._server, self._server.forwarded)
                verdict = Verdict(verdict.forward, verdict.edited, (*verdict.released, again))
            return verdict
        if excess := self._excess(stream, len(fresh), from_client):
            return self._refuse(segment, from_client, now, excess)
        ruling = self._judge(fresh, from_client, start == stream.received)
        return self._carry_out(ruling, fresh, runs, segment, stream, from_client, now, changes)

    def _carry_out(
        self,
        ruling: Ruling,
        fresh: bytes,
        runs: list[Run],
        segment: Segment,
        stream: Stream,
        from_client: bool,
        now: float,
        changes: Changes | None,
    ) -> Verdict:
        """Forward a segment's bytes as inspection says.

        Args:
            ruling: what it says.
            fresh: the bytes that it was asked about.
            runs: bytes before them that are to be forwarded again.
            segment: the segment.
            stream: the direction it belongs to.
            from_client: whether the client sent it.
            now: its time, seconds.
            changes: what must be changed in its header all the same.
        """
        if isinstance(ruling, Refusal):
            return self._act_upon(ruling, segment, stream, from_client, now)
        remarks = self._inspector.take_remarks()
        self._witness.tell_remarks(now, remarks, from_client, stream.received)
        self._octets += len(fresh)
        if segment.flags & FIN:
            stream.fin = stream.received + len(fresh)
        parts = ruling
        if not isinstance(parts, list):
            parts = [Part(len(fresh), fresh if parts is None else parts)]
        at = 0
        for taken, forwarded, own in parts:
            add_run(runs, Run(stream.sent, forwarded, own))
            stream.append(fresh[at : at + taken], forwarded, own)
            at += taken
        verdict = self._forward(segment, stream, runs, changes, now)
        if from_client and self._inspector.answers_lines:
            said = self._answer(segment, stream, now)
            verdict = Verdict(verdict.forward, verdict.edited, verdict.released + said)
        return verdict

    def _excess(self, stream: Stream, size: int, from_client: bool) -> str:
        """What there is too much of for more bytes to be let through, "" if nothing."""
        if from_client and self._inspector.overdue:
            return "too many replies are due"
        if from_client and self._own and self._own.full:
            return "too many answers are under way"
        if not stream.may_remember(size):
            if not self._recorded:
                return "too much is unacknowledged"
            stream.forget_excess()
        return ""

    def _judge(self, fresh: bytes, from_client: bool, whole_segment: bool) -> Ruling:
        if from_client:
            return self._inspector.from_client(fresh, whole_segment)
        return self._inspector.from_server(fresh)

    def _forward(
        self,
        segment: Segment,
        stream: Stream,
        runs: list[Run],
        changes: Changes | None,
        now: float,
    ) -> Verdict:
        """Forward what a segment has become, in as many packets as it has runs."""
        sent = segment.packet[segment.payload_at : segment.end]
        start = stream.offset(segment.sequence)
        fin = segment.flags & FIN
        if not runs or (fin and runs[-1].own):
            # What carries no bytes any more still acknowledges, or ends.
            runs.append(Run(stream.to_out(start + len(sent) if fin else start), b""))
        if len(runs) == 1 and changes is None and not segment.flags & URG:
            (run,) = runs
            if run.out == start and not run.own and run.payload == sent:
                return FORWARD
        runs = [part for run in runs for part in run.parts()]
        changes = changes or Changes()
        packets = []
        for index, run in enumerate(runs):
            flags = segment.flags & ~URG  # urgent data is in-band
            if index < len(runs) - 1 or run.own:
                flags &= ~FIN
            changes = replace(changes, sequence=stream.sequence(run.out), flags=flags)
            make = to_receiver if run.own else edit
            packet = make(segment, run.payload, changes)
            if not run.own or self._undertake(stream, run, packet, now):
                packets.append(packet)
        if not packets:
            return DROP
        return Verdict(True, packets[0], tuple(packets[1:]))

    def _undertake(self, stream: Stream, run: Run, packet: bytes, now: float) -> bool:
        """Answer for the arrival of a packet; returns whether it may be sent now."""
        if self._recorded:
            return True
        self._own = self._own or OwnPackets()
        return self._own.undertake(OwnPacket(stream, run.out + len(run.payload), packet), now)

    def _answer(self, segment: Segment, stream: Stream, now: float) -> tuple[bytes, ...]:
        """Say to the client what is the firewall's to say after a segment of its."""
        other = self._server
        acknowledged = stream.arrived
        answers = self._inspector.answers()
        if other is None:
            return ()
        if not answers or other.fin is not None:
            # Nobody else acknowledges what was left out, once all before it is acknowledged.
            if self._recorded or acknowledged <= stream.told:
                return ()
            stream.told = acknowledged
            return (self._tell(segment, stream, other, other.forwarded),)
        stream.told = max(stream.told, acknowledged)
        run = Run(other.sent, answers, own=True)
        other.append(b"", answers, own=True)
        said = (
            (part, self._tell(segment, stream, other, part.out, part.payload))
            for part in run.parts()
        )
        return tuple(packet for part, packet in said if self._undertake(other, part, packet, now))

    def _tell(
        self, segment: Segment, stream: Stream, other: Stream, out: int, payload: bytes = b""
    ) -> bytes:
        """A packet to the client, which sent a segment, as from the server."""
        return to_sender(segment, stream, other, out, self._scale(from_client=False), payload)

    def _act_upon(
        self, refusal: Refusal, segment: Segment, stream: Stream, from_client: bool, now: float
    ) -> Verdict:
        """Do what inspection says to a segment that is not to be forwarded."""
        remarks = self._inspector.take_remarks()
        self._witness.tell_remarks(now, remarks, from_client, stream.received)
        match refusal:
            case Refusal.DISCARD | Refusal.EXCESS | Refusal.WAIT:
                if refusal is Refusal.EXCESS and self._inspector.tally:
                    self._inspector.tally.drops += 1
                stream.discarding = True
                return self._refuse(segment, from_client, now, _REASONS[refusal])
            case Refusal.DROP:
                if self._inspector.tally:
                    self._inspector.tally.drops += 1
                self._witness.tell(now, Kind.CONNECTION_DROPPED, from_client, stream.received)
                self.close(Closing.DROPPED, now)
                return DROP
            case Refusal.RESET:
                if self._inspector.tally:
                    self._inspector.tally.resets += 1
                self._witness.tell(now, Kind.CONNECTION_RESET, from_client, stream.received)
                told = resets(segment, stream, self._streams(from_client)[1])
                self.close(Closing.DROPPED, now)
                return Verdict(False, None, told)

    def _hold(
        self,
        segment: Segment,
        stream: Stream,
        payload: bytes,
        from_client: bool,
        now: float,
        changes: Changes | None,
    ) -> Verdict:
        if stream.discarding:
            return self._refuse(segment, from_client, now, "follows a segment that was dropped")
        packet = edit(segment, payload, changes or Changes())
        if not stream.hold(Segment(packet)):
            return self._refuse(segment, from_client, now, "too much is out of order")
        other = self._streams(from_client)[1]
        if self._recorded or other is None:
            return DROP
        # The receiver does not see it, so nobody else tells the sender that bytes before it are
        # lost, and it would wait for its timer (RFC 5681, section 3.2; RFC 2018, section 4).
        ranges = stream.held_ranges(stream.offset(segment.sequence)) if self._sack else ()
        scale = self._scale(not from_client)
        return Verdict(
            False, None, (to_sender(segment, stream, other, other.forwarded, scale, b"", ranges),)
        )

    def _release(
        self, filler: Segment, stream: Stream, from_client: bool, now: float
    ) -> tuple[bytes, ...]:
        """Deliver the held segments that a segment has made ready."""
        released: list[bytes] = []
        # The filler was sent after them; an older timestamp behind its newer one would be taken
        # for a segment of long ago (RFC 7323, section 5.3).
        timestamp = filler.timestamp()
        changes = None if timestamp is None else Changes(timestamp=timestamp)
        while self.closing is None and (segment := stream.next_held()) is not None:
            if misplaced := _misplaced(stream, segment):  # a FIN may have come since
                self._refuse(segment, from_client, now, misplaced)
                continue
            verdict = self._deliver(segment, stream, from_client, now, changes)
            if verdict.forward:
                released.append(verdict.edited or segment.packet)
            released += verdict.released
        return tuple(released)

    def _reckon_deadline(self, now: float) -> None:
        phase = self.phase
        if phase is Phase.HALF_CLOSED and all(
            stream and stream.fin is not None and stream.acknowledged == stream.forwarded
            for stream in (self._client, self._server)
        ):
            self.close(Closing.FIN, now)
        elif phase is not Phase.EMBRYONIC:  # a SYN sent again does not prolong it
            self.deadline = now + self._idle.of(phase)

    @property
    def phase(self) -> Phase:
        """How far it has come."""
        client, server = self._client, self._server
        if any(s is not None and s.fin is not None for s in (client, server)):
            return Phase.HALF_CLOSED
        if client and server and (server.acknowledged >= 0 or client.received):
            return Phase.ESTABLISHED
        return Phase.EMBRYONIC

    def close(self, closing: Closing, now: float, by_client: bool = False) -> None:
        """End it, if it has not ended yet, and report that.

        Args:
            closing: how it ended.
            now: the time, seconds.
            by_client: for a reset, whether the client sent it.
        """
        if self.closing is not None:
            return
        self.closing = closing
        # What may go on at its ends must not be taken for a connection that began unseen.
        dropped = closing is Closing.DROPPED
        self.deadline = now + (self._idle.established if dropped else CLOSED)
        self._own = None
        self._report(
            ConnectionClosed(
                now,
                self.flow,
                closing,
                by_client,
                now - self._began,
                self._octets,
                self.phase,
            )
        )
        if self.gone:
            self.let_go()

    def _refuse(self, segment: Segment, from_client: bool, now: float, why: str) -> Verdict:
        stream, _ = self._streams(from_client)
        offset = stream.offset(segment.sequence) if stream else 0
        original = segment.packet[segment.payload_at : segment.end][:EXCERPT]
        self._witness.tell(now, Kind.SEGMENT_DROPPED, from_client, offset, original, detail=why)
        return DROP


def _sack(segment: Segment, stream: Stream) -> tuple[tuple[int, int, int], ...]:
    """A segment's SACK blocks as the sender of a stream counts; none if one lies in bytes that it
    never sent."""
    blocks = tuple(
        (
            at,
            stream.sequence(stream.to_in(stream.out_offset(left))),
            stream.sequence(stream.to_in(stream.out_offset(right), last=False)),
        )
        for at, left, right in segment.sack_blocks()
    )
    empty = any(not 0 < (right - left) % (1 << 32) < 1 << 31 for _, left, right in blocks)
    return () if empty else blocks


def _misplaced(stream: Stream, segment: Segment) -> str:
    """Why a segment cannot be where it is in its stream, "" if it can."""
    size = segment.end - segment.payload_at
    end = stream.offset(segment.sequence) + size
    fin = segment.flags & FIN
    if stream.fin is not None and ((size and end > stream.fin) or (fin and end != stream.fin)):
        return "beyond the FIN"
    if fin and end < stream.received:
        return "a FIN before bytes that came"
    if stream.limit is not None and end > stream.limit + 1:  # a window probe is one byte
        return "outside the window"
    return ""


def _after(sequence: int) -> int:
    """The number of the first byte behind a SYN, which takes one number itself."""
    return (sequence + 1) % (1 << 32)
