"""Groups of releases that print the same, and how a reader is told of a group."""

from __future__ import annotations

from collections.abc import Collection
from itertools import groupby

from appliance.smtp.release import RELEASES

CMAP = ("4.0", "4.1", "4.2", "4.3")
FIRST_CODE = ("4.4", "5.0")
TWO_AND_ZERO = ("5.1", "5.2", "5.3", "6.0", "6.1", "6.2", "6.3", "fwsm-3")
CODES = ("7.0", "7.1", "7.2", *(f"8.{minor}" for minor in range(8)), "9.x")
STARS = FIRST_CODE + TWO_AND_ZERO + CODES
"""Those whose greeting is made of asterisks."""

ANSWER = ("4.0", "4.1")
FIXUP = ("4.2", "4.3", *FIRST_CODE, *TWO_AND_ZERO)
"""Those that let seven verbs pass and write X over the others."""
MASK = FIXUP + CODES
OFF = "Mailguard off"

PIX = tuple(name for name in (*CMAP, *STARS) if name[0] in "4567" or name == "8.0")
"""What ran on a PIX."""
NEW_NAMES = PIX[PIX.index("6.2") :]
BEFORE_7 = PIX[: PIX.index("7.0")]
FROM_7 = PIX[PIX.index("7.0") :]
ASA = CODES
MAPPED = CODES[CODES.index("7.2") :]
"""What has inspection maps."""


def spans(names: Collection[str]) -> str:
    """A group of releases in words, "4.4, 5.0, 7.0 to 9.x".

    Args:
        names: the releases' names, in any order.
    """
    order = [*RELEASES, OFF]
    places = sorted(order.index(name) for name in names)
    words: list[str] = []
    for _, run in groupby(enumerate(places), lambda pair: pair[1] - pair[0]):
        numbered = [order[place] for _, place in run]
        plain = [name for name in numbered if name[0].isdigit()]
        if len(plain) > 2:
            words.append(f"{plain[0]} to {plain[-1]}")
        else:
            words += plain
        words += [name for name in numbered if name not in plain]
    return ", ".join(words)
