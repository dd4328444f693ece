"""How much memory connections may take: bounds, and what is taken of them.

What happens past each of them: docs/limits.md.
"""

from __future__ import annotations

HELD = 256 * 1024
"""Bytes of packets held out of order, per direction. A segment past it is dropped, and TCP sends
it again."""

HELD_SEGMENTS = 256
"""Likewise, packets."""

HELD_IN_ALL = 32 * 1024 * 1024
"""Likewise, bytes for all connections together."""

REMEMBERED = 8 * 1024 * 1024
"""Bytes forwarded and not yet acknowledged that are remembered per direction. More than Linux lets
a window grow by default (net.ipv4.tcp_rmem: 6 MiB); a segment past it is dropped."""

REMEMBERED_IN_ALL = 256 * 1024 * 1024
"""Likewise for all connections together, what is remembered beyond acknowledgements included."""

RECENT = 1024
"""Bytes remembered beyond their acknowledgement, since that may get lost and they come again."""

OWN_PACKETS = 256
"""Packets of the firewall's own in one connection that have not arrived. Past it the client's
segments are dropped until some of them have."""

EMBRYONIC = 16 * 1024
"""Connections that are not established. Past it the oldest of them is forgotten."""

FLOWS = 128 * 1024
"""Connections in all. Past it a new one is refused."""


class Room:
    """What all connections of an engine take of its memory together.

    Attributes:
        held: bytes of packets held out of order.
        remembered: bytes remembered of what was forwarded.
    """

    __slots__ = ("held", "remembered")

    def __init__(self) -> None:
        self.held = 0
        self.remembered = 0
