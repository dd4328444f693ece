"""Where servers see lines end in a mail: each way of reading it, and where those part.

What is asked of whole segments is asked in a few searches over all of their bytes, since a bulky
mail has some hundred lines in each.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from enum import Enum
from typing import NamedTuple

_LF = ord("\n")


class Reading(Enum):
    """Where a server sees a line end."""

    CRLF = "crlf"
    """RFC 5321, section 2.3.8."""
    LF = "lf"
    """Also at a bare LF."""
    ANY = "any"
    """Also at a bare LF or CR."""


class Ends(NamedTuple):
    """How lines are found in one reading.

    Args:
        end: finds a line's end; a CR that may be the first half of one is none yet.
        dot: finds the end of a line before one that begins with a dot.
        dot_or_dashes: likewise, or with what may be a boundary.
        marks: what ends a line, each as it is looked for from behind.
    """

    end: re.Pattern[bytes]
    dot: re.Pattern[bytes]
    dot_or_dashes: re.Pattern[bytes]
    marks: tuple[bytes, ...]

    def whole(self, data: bytes, start: int, end: int) -> int:
        """Find the index behind the last line that has ended; the start if none has.

        Args:
            data: holds lines.
            start: the first byte of one.
            end: behind the last byte.
        """
        behind = start
        for mark in self.marks:
            # A CR in the last place may be the first half of a line's end.
            found = data.rfind(mark, start, end - (mark == b"\r"))
            if found >= 0:
                behind = max(behind, found + len(mark))
        return behind

    def special(self, data: bytes, start: int, end: int, dashes: bool) -> int:
        """Find the next line that begins with a dot, or the end of the last line.

        Args:
            data: holds whole lines.
            start: a byte of one.
            end: behind the last of them.
            dashes: whether to look for lines that begin with two dashes, too.
        """
        found = (self.dot_or_dashes if dashes else self.dot).search(data, start, end)
        return found.end() if found else end

    def short(self, data: bytes, start: int, end: int, longest: int) -> int:
        """Pass over lines that are not too long.

        Args:
            data: holds whole lines.
            start: the first byte of one.
            end: behind the last of them.
            longest: bytes that a line may have, its end left out.

        Returns:
            the start of the first line that may have more, or the end.
        """
        mark, *others = self.marks
        size = len(mark)
        reach = longest + size
        at = start
        while at < end:
            # Lines that end in reach of where one begins are all short enough.
            limit = at + reach if at + reach < end else end
            found = data.rfind(mark, at, limit)
            for other in others if found < 0 else ():
                found = data.rfind(other, at, limit)
            if found < 0:
                break
            at = found + size
            if others and data.startswith(b"\r\n", found, end):
                at += 1
        return at


ENDS = {
    Reading.CRLF: Ends(
        re.compile(rb"\r\n"),
        re.compile(rb"\r\n(?=\.)"),
        re.compile(rb"\r\n(?=\.|--)"),
        (b"\r\n",),
    ),
    Reading.LF: Ends(
        re.compile(rb"\r?\n"),
        re.compile(rb"\n(?=\.)"),
        re.compile(rb"\n(?=\.|--)"),
        (b"\n",),
    ),
    Reading.ANY: Ends(
        re.compile(rb"\r?\n|\r(?!\Z)"),
        re.compile(rb"[\r\n](?=\.)"),
        re.compile(rb"[\r\n](?=\.|--)"),
        (b"\n", b"\r"),
    ),
}
"""How lines are found in each reading."""

# Each begins with a byte that is looked for as such, which is many times faster.
_BARE_LF = re.compile(rb"\n(?<!\r\n)")
_BARE_CR = re.compile(rb"\r[^\n]")


def forks(
    data: bytes, start: int, end: int, after_cr: bool, known: Collection[Reading]
) -> list[tuple[int, Reading]]:
    """Find where readings begin to differ, and which, in order.

    Args:
        data: holds more of a mail.
        start: first byte.
        end: behind the last.
        after_cr: whether the byte before was a CR.
        known: readings that differ already.
    """
    if start == end or len(known) == len(ENDS):
        return []
    found: list[tuple[int, Reading]] = []
    behind = after_cr and data[start] == _LF  # half of a CRLF that is cut in two
    if Reading.LF not in known:
        # A lookbehind sees what is before the start.
        if data[start] == _LF and not behind:
            found.append((start, Reading.LF))
        elif bare := _BARE_LF.search(data, start + behind, end):
            found.append((bare.start(), Reading.LF))
    if Reading.ANY not in known:
        if after_cr and not behind:
            found.append((start, Reading.ANY))
        elif bare := _BARE_CR.search(data, start, end):
            found.append((bare.start(), Reading.ANY))
    return sorted(found, key=lambda each: each[0]) if found else found
