"""A flow that is let through unread: TCP to a port that is not inspected, or UDP."""

from __future__ import annotations

from mypy_extensions import mypyc_attr

from appliance.events import Closing, ConnectionClosed, Flow, Phase, Report
from appliance.packet.segment import FIN, RST, SYN, Segment
from appliance.tcp.timeouts import CLOSED, EMBRYONIC, USUAL, Idle
from appliance.verdict import FORWARD, Verdict


@mypyc_attr(allow_interpreted_subclasses=True, serializable=True)
class Uninspected:
    """A TCP connection or UDP exchange without inspection.

    Args:
        flow: its ends.
        now: the time of its first packet, seconds.
        report: called when it ends.
        idle: how long it may be idle.

    Attributes:
        deadline: the time, seconds, at which it has been idle too long.
        closing: how it ended, None while it is alive.
        phase: how far it has come.
    """

    __slots__ = (
        "_began",
        "_fins",
        "_idle",
        "_octets",
        "_report",
        "closing",
        "deadline",
        "flow",
        "phase",
    )

    def __init__(self, flow: Flow, now: float, report: Report, idle: Idle = USUAL) -> None:
        self.flow = flow
        self.closing: Closing | None = None
        self.deadline = now + EMBRYONIC
        self._idle = idle
        self._began = now
        self.phase = Phase.EMBRYONIC
        self._report = report
        self._fins = {True: False, False: False}  # by whether the client sent it
        self._octets = 0

    @property
    def gone(self) -> bool:
        """Whether nothing more can belong to it."""
        return self.closing is Closing.RESET

    @property
    def restless(self) -> bool:
        """Whether the firewall has bytes of its own under way in it: never."""
        return False

    def resend(self, now: float) -> tuple[bytes, ...]:
        """Nothing to send again."""
        return ()

    def reopened_by(self, segment: Segment) -> bool:
        """Whether a SYN begins another connection between the same ends."""
        return self.closing is not None

    def number_before(self, sequence: int, from_client: bool) -> int | None:
        """A sequence number, which is the sender's own."""
        return sequence

    def begun_anew_by(self, segment: Segment) -> Segment | None:
        """None: numbers do not matter."""
        return None

    def receive(self, segment: Segment, from_client: bool, now: float) -> Verdict:
        """Forward a TCP segment and note whether it ends the connection."""
        self._octets += segment.end - segment.payload_at
        if segment.flags & RST:
            self.close(Closing.RESET, now, from_client)
        elif segment.flags & FIN:
            self._fins[from_client] = True
            if all(self._fins.values()):
                self.close(Closing.FIN, now)
        if self.closing is None and not segment.flags & SYN:
            half = any(self._fins.values())
            self.phase = Phase.HALF_CLOSED if half else Phase.ESTABLISHED
            self.deadline = now + self._idle.of(self.phase)
        return FORWARD

    def touch(self, now: float) -> Verdict:
        """Forward a datagram."""
        self.phase = Phase.ESTABLISHED
        self.deadline = now + self._idle.udp
        return FORWARD

    def close(self, closing: Closing, now: float, by_client: bool = False) -> None:
        """End it, if it has not ended yet, and report that.

        Args:
            closing: how it ended.
            now: the time, seconds.
            by_client: for a reset, whether the client sent it.
        """
        if self.closing is None:
            self.closing = closing
            self.deadline = now + CLOSED
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
