"""How long a flow may be idle, in seconds: the defaults of `timeout` and what it does not set."""

from __future__ import annotations

EMBRYONIC = 30.0
"""Until it is established."""
IDLE = 3600.0
"""Without a packet (`timeout conn 1:00:00`)."""
HALF_CLOSED = 600.0
"""Likewise once one end has sent its FIN (`half-closed 0:10:00`)."""
UDP = 120.0
"""Without a datagram (`udp 0:02:00`)."""
CLOSED = 5.0
"""Closed, but still known, so that a last acknowledgement that got lost can be sent again."""
