"""What the firewall decides of a packet."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of one packet that was handed in.

    Args:
        forward: whether it goes on.
        edited: the bytes that go on in its place; None means as it came.
        released: packets that the firewall sends after it, whole IPv4 packets in order: segments
            that were held until this one filled the hole before them, or the firewall's own.
    """

    forward: bool
    edited: bytes | None = None
    released: tuple[bytes, ...] = ()


FORWARD = Verdict(forward=True)
DROP = Verdict(forward=False)
