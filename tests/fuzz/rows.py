"""Which release an input is for: a row of the table, or one that the box file has changed."""

from __future__ import annotations

from dataclasses import replace

from appliance.smtp.release import RELEASES, Blocked, Bug, Release, ShortSegment
from tests.fuzz.choices import Choices

ROWS = tuple(RELEASES.values())


def row(choices: Choices) -> Release:
    """The release that three bytes choose; three zeros are release 4.0 as it was.

    Args:
        choices: the input.
    """
    release = choices.of(ROWS)
    short_segment = choices.byte()
    switches = choices.byte()
    if switches & 1 and release.may_allow_tls:
        release = release.allowing_tls()
    blocked = (None, None, None, *Blocked)[(switches >> 4) % (3 + len(Blocked))]
    return replace(
        release,
        short_segment=(release.short_segment, *ShortSegment)[
            short_segment % (1 + len(ShortSegment))
        ],
        blocked=blocked or release.blocked,
        bugs=frozenset({Bug.SPLIT_TERMINATOR} if switches & 2 else ())
        | frozenset({Bug.DATA_BEFORE_REPLY} if switches & 4 else ()),
        resets_smuggling=bool(switches & 8),
    )
