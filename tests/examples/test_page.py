"""docs/published.md against the tables of the tests."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.examples.absent import ABSENT
from tests.examples.commands import COMMANDS, TYPED
from tests.examples.ehlo_replies import REPLIES
from tests.examples.greetings import GREETINGS, PATTERNS, WORKED
from tests.examples.messages import FRAMED, LINES, VARIANTS
from tests.examples.page import TABLES
from tests.examples.releases import spans

PAGE = (Path(__file__).parents[2] / "docs" / "published.md").read_text()
SECTIONS = dict(re.findall(r"^## (.+)\n((?:(?!## ).*\n?)*)", PAGE, re.MULTILINE))

EXAMPLES = (
    *GREETINGS,
    *WORKED,
    *PATTERNS,
    *REPLIES,
    *COMMANDS,
    TYPED,
    *LINES,
    *VARIANTS,
    *FRAMED,
    *ABSENT,
)


def test_every_section_is_a_table_of_the_tests() -> None:
    assert list(SECTIONS) == list(TABLES)


@pytest.mark.parametrize(("heading", "made"), TABLES.items(), ids=list(TABLES))
def test_table(heading: str, made: Callable[[], str]) -> None:
    rows = [line for line in SECTIONS[heading].splitlines() if line.startswith("|")]
    assert rows == made().splitlines()


def test_every_example_has_a_name_of_its_own_that_pytest_can_choose() -> None:
    names = Counter(example.name for example in EXAMPLES)
    assert [name for name, times in names.items() if times > 1] == []
    assert [name for name in names if not re.fullmatch(r"[\w-]+", name)] == []


def test_every_test_that_the_page_names_is_there() -> None:
    defined = {
        name
        for path in Path(__file__).parent.glob("test_*.py")
        for name in re.findall(r"^def (test_\w+)", path.read_text(), re.MULTILINE)
    }
    named = set(re.findall(r"`(test_\w+)`", PAGE))
    assert named
    assert named <= defined


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (("6.3",), "6.3"),
        (("4.0", "4.1"), "4.0, 4.1"),
        (("9.x", "4.2", "4.4", "4.3"), "4.2 to 4.4, 9.x"),
        (
            ("6.1", "6.2", "6.3", "7.0", "fwsm-3", "Mailguard off"),
            "6.1 to 7.0, fwsm-3, Mailguard off",
        ),
    ],
)
def test_releases_in_words(names: tuple[str, ...], words: str) -> None:
    assert spans(names) == words
