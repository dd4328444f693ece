"""Traces of the first packets of the flows in a capture."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

from appliance.admission import Admission, Opening
from appliance.events import ConnectionBuilt, Event, PacketDenied, Report
from appliance.packet.checksum import header_length
from appliance.policy.policy import Decision, Policy
from appliance.protocol import ICMP, TCP, UDP
from appliance.replay.capture import CaptureError, Frame, read_capture, rereadable
from appliance.replay.checksums import Checksums, Judge
from appliance.replay.connections import Connections
from appliance.replay.frames import Arrival, arrival
from appliance.replay.passage import Passage
from appliance.replay.survey import unreliable_senders
from appliance.syslog import Syslog
from appliance.trace.packet import Packet
from appliance.trace.trace import Trace


class CaptureTracer:
    """Replays a capture, and notes what the policy says to each flow's first packet.

    Args:
        policy: the policy.
        syslog: words the messages.

    Attributes:
        problem: what kept a capture from being read whole, "" for nothing.
    """

    def __init__(self, policy: Policy, syslog: Syslog) -> None:
        self._policy = policy
        self._syslog = syslog
        self._seen: set[Hashable] = set()
        self._asked: list[tuple[Opening, Decision]] = []
        self._event: PacketDenied | ConnectionBuilt | None = None
        self.problem = ""

    def traces(self, capture: Path) -> Iterator[Trace]:
        """The traces, in the order of the capture.

        Args:
            capture: the capture; pcap or pcapng.
        """
        name = str(capture)
        with rereadable(capture) as path:
            judge = Judge(Checksums.AUTO, partial(unreliable_senders, path, name))
            account = _Account(self._syslog, self._note)
            passage = Passage(self._admit, account, judge, None)
            try:
                for frame in read_capture(path, name):
                    self._asked, self._event = [], None
                    passage.receive(frame)
                    if self._asked:
                        yield from self._trace(frame)
            except CaptureError as error:
                self.problem = str(error)

    def _admit(self, opening: Opening) -> Admission:
        decision = self._policy.decide(opening)
        self._asked.append((opening, decision))
        return decision.admission

    def _note(self, event: Event) -> None:
        if isinstance(event, PacketDenied | ConnectionBuilt):
            self._event = event

    def _trace(self, frame: Frame) -> Iterator[Trace]:
        """What was decided about a frame's packet, unless it is of a flow that was told of."""
        opening, decision = self._asked[0]
        key: Hashable = replace(opening, time=None)
        if opening.protocol in (TCP, UDP):
            ends = (
                (opening.source, opening.source_port),
                (opening.destination, opening.destination_port),
            )
            key = (opening.protocol, frozenset(ends))
        if key in self._seen:
            return
        self._seen.add(key)
        event = self._event
        if isinstance(event, ConnectionBuilt):
            # Taken up in the middle, it is judged both ways, and either end may be the client.
            opening, decision = next(
                each for each in self._asked if each[1].admission.client == event.flow.client
            )
        denied = event if isinstance(event, PacketDenied) else None
        message = (denied and self._syslog.message(denied)) or ""
        packet = Packet(opening, _flags(opening, frame))
        yield Trace(packet, decision, denied, message, frame.number)


class _Account(Connections):
    """Hands events on and keeps nothing."""

    def __init__(self, syslog: Syslog, report: Report) -> None:
        super().__init__(syslog, streams=False)
        self._report = report

    def report(self, event: Event) -> None:
        self._report(event)


def _flags(opening: Opening, frame: Frame) -> int:
    """The ICMP type and code of a packet."""
    came = arrival(frame)
    if opening.protocol != ICMP or not isinstance(came, Arrival):
        return 0
    at = header_length(came.packet)
    return int.from_bytes(came.packet[at : at + 2])
