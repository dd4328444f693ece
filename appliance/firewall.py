"""The engine: packets in, verdicts and events out; no clock, no socket, no file."""

from __future__ import annotations

from appliance.admission import Admit
from appliance.events import Report
from appliance.verdict import FORWARD, Verdict


class Firewall:
    """Judges packets one by one.

    Args:
        admit: asked once for the first packet of each flow.
        report: called with every event, in order.
    """

    def __init__(self, admit: Admit, report: Report) -> None:
        self._admit = admit
        self._report = report

    def receive(
        self, packet: bytes, now: float, ingress: str = "", egress: str = "", mark: int = 0
    ) -> Verdict:
        """Judge one IPv4 packet.

        Args:
            packet: the whole packet from its IPv4 header on, network order.
            now: its time in seconds; never less than that of the packet before.
            ingress: name of the interface it came in by, "" where unknown.
            egress: name of the interface it will leave by, "" where unknown.
            mark: the connection mark, which tells apart flows of equal addresses (DESIGN 3).
        """
        return FORWARD

    def expire(self, now: float) -> tuple[bytes, ...]:
        """Let timers run: close what has been idle too long.

        Args:
            now: the time in seconds.

        Returns:
            packets that the firewall sends, whole IPv4 packets.
        """
        return ()

    def close(self, now: float) -> None:
        """Report every connection that is still open as such, at the end of a capture."""
