"""How long a flow may be idle: what `timeout` sets, and what it does not."""

from __future__ import annotations

from dataclasses import dataclass

from appliance.events import Phase

EMBRYONIC = 30.0
"""Seconds that a connection has in all to be established."""
CLOSED = 5.0
"""Closed, but still known, so that a last acknowledgement that got lost can be sent again."""


@dataclass(frozen=True, slots=True)
class Idle:
    """Seconds without a packet after which a flow is closed.

    Args:
        established: TCP (`timeout conn`).
        half_closed: TCP that one end has closed (`half-closed`).
        udp: UDP (`udp`).
    """

    established: float = 3600.0
    half_closed: float = 600.0
    udp: float = 120.0

    def of(self, phase: Phase) -> float:
        """The seconds of a phase of a TCP connection; an embryonic one has them in all."""
        match phase:
            case Phase.EMBRYONIC:
                return EMBRYONIC
            case Phase.ESTABLISHED:
                return self.established
            case Phase.HALF_CLOSED:
                return self.half_closed


USUAL = Idle()
"""A device's defaults."""
