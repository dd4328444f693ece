"""The tables of docs/evasion.md, made from the cases."""

from __future__ import annotations

from tests.evasion.case import CASES, Case, reached
from tests.examples.page import table

CHAPTERS = {
    "Copies and orders": "test_overlaps",
    "Windows": "test_windows",
    "Headers": "test_headers",
    "Openings": "test_openings",
    "Endings": "test_endings",
    "Checksums and fragments": "test_replay",
    "Content of mails": "test_content",
}
"""The modules of the cases, by the heading that their table stands under."""

HEAD = ("test", "the attacker", "without the firewall it reaches", "the firewall", "both see")


def cases(heading: str) -> list[Case]:
    """The cases of a chapter, in the order of their tests."""
    return [each for each in CASES.values() if each.chapter == CHAPTERS[heading]]


def chapter(heading: str) -> str:
    """The table of a chapter."""
    return table(
        HEAD,
        (
            (f"`{each.test}`", each.attack, reached(each.test), each.firewall, each.seen)
            for each in cases(heading)
        ),
    )
