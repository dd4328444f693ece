"""How many lines of one kind the log takes; it reads no clock."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Limit:
    """As many lines as that at once, and as many again in that time.

    Args:
        lines: how many, at least 1.
        seconds: the time.
    """

    lines: int
    seconds: float


LIMIT = Limit(2_000, 1.0)
"""Of the lines of one message; more than a worker has sessions in a second.

So ordinary mail loses none, and what it admits at once fits what may wait for the supervisor.
"""


@dataclass(slots=True)
class _Bucket:
    """A token for each line that may be written.

    Args:
        tokens: how many there are.
        filled_at: when that was so, in seconds.
    """

    tokens: float
    filled_at: float


@dataclass(slots=True)
class LineRate:
    """Admits so many lines of each name, and counts the others.

    Args:
        limit: what each name may have.
    """

    limit: Limit
    _buckets: dict[str, _Bucket] = field(default_factory=dict)
    _left_out: dict[str, int] = field(default_factory=dict)

    def admits(self, name: str, now: float) -> bool:
        """Whether a line may be written; if so, it counts as written.

        Args:
            name: which message it is, or what else its like have in common.
            now: the time in seconds; an earlier one than before counts as the one before.
        """
        limit = self.limit
        bucket = self._buckets.get(name)
        if bucket is None:
            bucket = self._buckets[name] = _Bucket(limit.lines, now)
        passed = now - bucket.filled_at
        if passed > 0:
            tokens = bucket.tokens + passed * limit.lines / limit.seconds
            bucket.tokens = min(tokens, limit.lines)
            bucket.filled_at = now
        if bucket.tokens < 1:
            self._left_out[name] = self._left_out.get(name, 0) + 1
            return False
        bucket.tokens -= 1
        return True

    def left_out(self) -> dict[str, int]:
        """How many lines of each name were not admitted since the last call."""
        left_out, self._left_out = self._left_out, {}
        return left_out
