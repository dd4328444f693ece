"""What a worker counts for each packet, at little cost."""

from __future__ import annotations

from bisect import bisect_left

from appliance.live.counters import TIMES, Counters
from appliance.verdict import Verdict


class Meter:
    """Counts packets."""

    __slots__ = ("_dropped", "_edited", "_octets", "_packets", "_seconds", "_times")

    def __init__(self) -> None:
        self._packets = 0
        self._octets = 0
        self._edited = 0
        self._dropped = 0
        self._seconds = 0.0
        self._times = [0] * (len(TIMES) + 1)

    def count(self, size: int, verdict: Verdict, seconds: float) -> None:
        """Count a packet.

        Args:
            size: its length in bytes.
            verdict: what became of it.
            seconds: how long that took.
        """
        self._packets += 1
        self._octets += size
        self._seconds += seconds
        self._times[bisect_left(TIMES, seconds)] += 1
        if not verdict.forward:
            self._dropped += 1
        elif verdict.edited is not None:
            self._edited += 1

    def read(self) -> Counters:
        """What was counted."""
        return Counters(
            packets=self._packets,
            octets=self._octets,
            forwarded=self._packets - self._edited - self._dropped,
            edited=self._edited,
            dropped=self._dropped,
            seconds=self._seconds,
            times=list(self._times),
        )
