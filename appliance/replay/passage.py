"""The passage of one capture through a firewall of its own."""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field

from appliance.admission import Admit
from appliance.events import Denial, Event, Fault, Inspected, Kind, PacketDenied
from appliance.firewall import Firewall
from appliance.replay.capture import Frame
from appliance.replay.checksums import Judge
from appliance.replay.connections import Connections, direction_of, turned
from appliance.replay.fragments import Fragments, cut, is_fragment, join
from appliance.replay.frames import Arrival, Loss, arrival
from appliance.replay.link import Link, padded, reversed_header
from appliance.replay.transcript import read_segment
from appliance.replay.writer import Writer
from appliance.smtp.tally import MapTally

MAX_HEADERS = 65_536
"""Link headers remembered, one for each direction of a flow."""

EXPIRY = 1.0
"""Seconds of capture time between two looks at the firewall's timers."""

_DENIALS = {
    Denial.NO_PERMIT: "no permit",
    Denial.NO_PERMIT_UDP: "no permit",
    Denial.NO_PERMIT_OTHER: "no permit",
    Denial.NO_PERMIT_ICMP: "no permit",
    Denial.ACCESS_LIST: "denied by an access list",
    Denial.OUTBOUND_LIST: "denied by an outbound list",
    Denial.REVERSE_PATH: "not from where it came in",
    Denial.NO_TRANSLATION_INBOUND: "no translation",
    Denial.NO_TRANSLATION: "no translation",
    Denial.ASYMMETRIC: "another translation on the way back",
    Denial.TRANSLATION_FAILED: "no translation",
    Denial.NO_CONNECTION: "no connection",
    Denial.OWN_ADDRESS: "to the firewall itself",
    Denial.NO_ROUTE: "no route",
    Denial.TOO_MANY: "limit of its translation",
    Denial.TOO_MANY_EMBRYONIC: "limit of its translation",
    Denial.TOO_MANY_UDP: "limit of its translation",
    Denial.NO_ROOM: "too many connections",
}


@dataclass(slots=True)
class Tally:
    """What became of the packets of a capture.

    Args:
        read: packets read.
        forwarded: those that went on, edited or not.
        edited: those that went on edited.
        held: those that the firewall took in, out of order, to wait for what goes before them.
        released: packets that it sent itself: those it had held, and its own.
        dropped: those that neither went on nor were held, by reason.
        first_lost: number of the first packet that did not reach the firewall, by reason.
        faults: packets at which the firewall itself failed: their number, and where it failed.
    """

    read: int = 0
    forwarded: int = 0
    edited: int = 0
    held: int = 0
    released: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    first_lost: dict[Loss, int] = field(default_factory=dict)
    faults: list[tuple[int, str]] = field(default_factory=list)

    def lose(self, loss: Loss, number: int, count: int = 1) -> None:
        """Count packets that do not reach the firewall.

        Args:
            loss: why.
            number: number of the packet at which this was found.
            count: how many.
        """
        self.dropped[loss.value] += count
        self.first_lost.setdefault(loss, number)


class Passage:
    """Takes the frames of a capture through a firewall.

    Args:
        admit: the policy.
        connections: keeps account.
        judge: decides which packets to believe.
        sink: takes the frames that leave the firewall, None if nobody wants them.
    """

    def __init__(
        self, admit: Admit, connections: Connections, judge: Judge, sink: Writer | None
    ) -> None:
        self.tally = Tally()
        self._firewall = Firewall(admit, self._report, recorded=True)
        self._connections = connections
        self._judge = judge
        self._sink = sink
        self._fragments = Fragments()
        self._headers: OrderedDict[bytes, tuple[Link, bytes]] = OrderedDict()
        self._reason = ""
        self._now = 0.0
        self._expired = 0.0

    @property
    def maps(self) -> Iterable[MapTally]:
        """What inspection maps have matched."""
        return self._firewall.tally

    def receive(self, frame: Frame) -> None:
        """Take the next frame.

        Args:
            frame: the frame; a time before that of an earlier one is taken for the same.
        """
        self.tally.read += 1
        self._now = max(self._now, frame.seconds)
        came = arrival(frame)
        if isinstance(came, Loss):
            self.tally.lose(came, frame.number)
            return
        packet = self._judge.header(came.packet)
        if packet is None:
            self.tally.lose(Loss.CHECKSUM, frame.number)
            return
        fragments = self._fragments.add(packet, self._now) if is_fragment(packet) else (packet,)
        if not fragments:
            return  # it waits for the rest
        whole = self._judge.segment(join(fragments) if len(fragments) > 1 else packet)
        if whole is None:
            self.tally.lose(Loss.CHECKSUM, frame.number, len(fragments))
            return
        self._pass(came, fragments, whole)

    def close(self) -> None:
        """End the capture: what still waits for fragments is given up, connections stay open."""
        self._fragments.close()
        if self._fragments.dropped:
            self.tally.dropped[Loss.FRAGMENT.value] += self._fragments.dropped
        self._firewall.close(self._now)

    def _pass(self, came: Arrival, fragments: tuple[bytes, ...], whole: bytes) -> None:
        if self._now >= self._expired + EXPIRY:
            self._expired = self._now
            due = self._firewall.expire(self._now)
            self._send(due, came)
        if self._sink:
            self._remember(came, whole)
        self._connections.expect(whole)
        self._reason = ""
        verdict = self._firewall.receive(whole, self._now)
        readable = verdict.forward or self._reason or read_segment(whole)
        if readable:
            self._connections.sent(whole, came.frame.seconds)
        if verdict.forward:
            out = whole if verdict.edited is None else verdict.edited
            self.tally.forwarded += len(fragments)
            self.tally.edited += len(fragments) if out != whole else 0
            self._connections.received(out, came.frame.seconds)
            if self._sink:
                self._write(self._sink, out, fragments, came)
        elif self._reason or not readable:
            self.tally.dropped[self._reason or "malformed transport header"] += len(fragments)
        else:
            self.tally.held += len(fragments)
        self._send(verdict.released, came)

    def _report(self, event: Event) -> None:
        match event:
            case PacketDenied():
                self._reason = f"{event.reason.value} {_DENIALS[event.reason]}"
            case Inspected(
                kind=Kind.SEGMENT_DROPPED | Kind.CONNECTION_DROPPED | Kind.CONNECTION_RESET
            ):
                self._reason = f"{event.kind.value}: {event.detail}".removesuffix(": ")
            case Fault():
                self._reason = "the firewall failed"
                self.tally.faults.append((self.tally.read, event.trace))
        self._connections.report(event)

    def _send(self, packets: tuple[bytes, ...], came: Arrival) -> None:
        """Let packets go that the firewall sends itself, at the time of the one that came."""
        for packet in packets:
            self.tally.released += 1
            self._connections.received(packet, came.frame.seconds)
            if self._sink:
                link, header = self._link_header(packet) or (came.link, came.header)
                self._sink.write(came.frame.time, link, header + packet)

    def _write(self, sink: Writer, out: bytes, fragments: tuple[bytes, ...], came: Arrival) -> None:
        """Write a packet that came, in as many fragments as it came in."""
        pieces: tuple[bytes, ...] = (out,)
        if len(fragments) > 1:
            pieces = fragments if out == join(fragments) else cut(out, fragments)
        for piece in pieces:
            if piece == came.packet:
                data = came.frame.data
            else:
                data = came.header + piece
                data = padded(came.link, data) if came.padded else data
            sink.write(came.frame.time, came.link, data)

    def _remember(self, came: Arrival, packet: bytes) -> None:
        direction = direction_of(packet)
        self._headers[direction] = (came.link, came.header)
        self._headers.move_to_end(direction)
        if len(self._headers) > MAX_HEADERS:
            self._headers.popitem(last=False)

    def _link_header(self, packet: bytes) -> tuple[Link, bytes] | None:
        """The link header that packets of this direction of this flow come with."""
        direction = direction_of(packet)
        if known := self._headers.get(direction):
            return known
        if back := self._headers.get(turned(direction)):
            return back[0], reversed_header(*back)
        return None
