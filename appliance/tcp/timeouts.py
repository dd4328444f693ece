"""How long a flow may be idle, in seconds: the defaults of `timeout` and what it does not set."""

from __future__ import annotations

from appliance.events import Phase

IDLE = {
    Phase.EMBRYONIC: 30.0,
    Phase.ESTABLISHED: 3600.0,  # timeout conn 1:00:00
    Phase.HALF_CLOSED: 600.0,  # half-closed 0:10:00
}
"""Seconds without a packet; an embryonic connection has them in all."""

UDP = 120.0
"""Without a datagram (`udp 0:02:00`)."""
CLOSED = 5.0
"""Closed, but still known, so that a last acknowledgement that got lost can be sent again."""
