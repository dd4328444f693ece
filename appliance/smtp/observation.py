"""What an inspection map may ask about, as it is seen in a connection."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import NamedTuple

from mypy_extensions import mypyc_attr

from appliance.smtp.esmtp_map import Subject

NEVER = sys.maxsize
"""A limit that nothing passes."""


class Observation(NamedTuple):
    """Something seen that a map may ask about.

    Args:
        subject: what it is.
        at: index of the byte that made it known, in the bytes read; negative in those before.
        number: of a count, how much; of a length, as much as says which limits it has passed.
        texts: of anything else, what it says; several where it can be read in several ways.
        complete: whether it is known whole, so that it can be said what it is not.
    """

    subject: Subject
    at: int
    number: int = 0
    texts: tuple[bytes, ...] = ()
    complete: bool = True


def passing(
    subject: Subject, limits: tuple[int, ...], before: int, size: int, at: int
) -> list[Observation]:
    """The limits that something passes as it grows, each at the byte that passes it.

    Args:
        subject: what it is.
        limits: numbers that it is compared with, ascending.
        before: how much it was.
        size: how much has come.
        at: index of the first byte that has come.
    """
    return [
        Observation(subject, at + limit - before, limit + 1, complete=False)
        for limit in limits
        if before <= limit < before + size
    ]


@mypyc_attr(allow_interpreted_subclasses=True, serializable=True)
class Gauge:
    """How far something has grown, as far as that matters: which limits it has passed.

    Args:
        subject: what it is.
        limits: numbers that it is compared with, in any order.

    Attributes:
        reached: one more than the greatest limit passed; 0 if none is.
        next: the limit to pass next. What is known not to pass it need not be told.
    """

    __slots__ = ("_limits", "_place", "next", "reached", "subject")

    def __init__(self, subject: Subject, limits: Iterable[int]) -> None:
        self.subject = subject
        self._limits = (*sorted(set(limits)), NEVER)
        self.begin()

    def begin(self) -> None:
        """Begin anew."""
        self._place = 0
        self.reached = 0
        self.next = self._limits[0]

    def grow(self, before: int, size: int, at: int, out: list[Observation]) -> None:
        """Something has grown.

        Args:
            before: how much it was.
            size: how much has come.
            at: index of the first byte that has come.
            out: is given an observation for each limit that is passed, at the byte that passes it.
        """
        while before + size > self.next:
            passing = at + max(self.next - before, 0)
            self.reached = self.next + 1
            out.append(Observation(self.subject, passing, self.reached, complete=False))
            self._place += 1
            self.next = self._limits[self._place]
