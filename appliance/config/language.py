"""The languages of rule files: which commands there are depends on the version that wrote it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TypeAlias

Language: TypeAlias = tuple[int, int]
"""The version whose commands a file is written in, (6, 3); compared as such."""

FIRST: Language = (0, 0)
DEFAULT: Language = (6, 3)
"""Of a file without a version line."""
SEVEN: Language = (7, 0)
"""From here on interfaces, classes and policies are blocks, and `inspect` replaces `fixup`."""
MAPS: Language = (7, 2)
"""From here on inspections have maps."""
OBJECTS: Language = (8, 3)
"""From here on objects are translated, and access lists name real addresses."""
BOTH_FAMILIES: Language = (9, 0)
"""From here on access lists are of IPv4 and IPv6 alike."""
LATEST: Language = (9, 99)
"""A later file is read as one of this version."""
ASSUMED: Language = (8, 4)
"""Of a file without a version line that has commands of 7.0 or later."""
BEFORE_OBJECTS: Language = (8, 2)
"""Of such a file that translates as no later version does."""

_VERSION_LINE = re.compile(r"\s*(?:PIX|ASA) +Version +([0-9]{1,4})\.([0-9]{1,4})\b", re.IGNORECASE)
_ONLY_SEVEN = re.compile(
    r"\s*(security-level|inspect|class-map|policy-map|clear +conf[a-z]*) ", re.IGNORECASE
)
_ONLY_BEFORE_OBJECTS = re.compile(
    r"\s*(no +)?(static +\(|global +\(|nat-control\b|nat +\([^,()]*\) *[0-9])", re.IGNORECASE
)
_ONLY_SIX = re.compile(r"\s*(no +)?(fixup +protocol|nameif +\S+ +\S+ +sec)", re.IGNORECASE)


def shown(language: Language) -> str:
    """The version as people write it, "6.3"."""
    return f"{language[0]}.{language[1]}"


def of_number(number: str) -> Language:
    """The language of a version.

    Args:
        number: as written, "6.3(5)".
    """
    major, minor = re.split(r"[.(]", number)[:2]
    return min((int(major), int(minor)), LATEST)


def of_lines(lines: Sequence[str]) -> Language:
    """The language of a file: that of its first version line, wherever it stands.

    One without is of 6.3, or where a line tells of a later one, see `telling`, of that which its
    translations tell.
    """
    for line in lines:
        if found := _VERSION_LINE.match(line):
            return min((int(found[1]), int(found[2])), LATEST)
    if telling(lines) is None:
        return DEFAULT
    return BEFORE_OBJECTS if any(map(_ONLY_BEFORE_OBJECTS.match, lines)) else ASSUMED


def telling(lines: Sequence[str]) -> int | None:
    """The number of the line that tells a file without a version line to be of 7.0 or later.

    None where none does: where there is a version line, or a command that only 6.x knows, or none
    that only 7.0 and later know.
    """
    if any(_VERSION_LINE.match(line) or _ONLY_SIX.match(line) for line in lines):
        return None
    return next((n for n, line in enumerate(lines, 1) if _ONLY_SEVEN.match(line)), None)
