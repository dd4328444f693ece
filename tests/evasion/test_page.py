"""docs/evasion.md tells of each case, and of no other."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path

import pytest

from tests.evasion.case import CASES
from tests.evasion.page import CHAPTERS, chapter

PAGE = (Path(__file__).parents[2] / "docs" / "evasion.md").read_text()

for name in CHAPTERS.values():
    import_module(f"tests.evasion.{name}")


@pytest.mark.parametrize("heading", CHAPTERS)
def test_table_is_that_of_the_cases(heading: str) -> None:
    _, _, rest = PAGE.partition(f"\n## {heading}\n")
    found = re.search(r"^\|.*?\n(?!\|)", rest + "\n", re.MULTILINE | re.DOTALL)
    assert found, heading
    assert found[0].strip() == chapter(heading).strip()


def test_every_case_is_in_a_table_once() -> None:
    assert sorted(re.findall(r"^\| `(test_\w+)` \|", PAGE, re.MULTILINE)) == sorted(CASES)


def test_every_test_of_a_chapter_is_a_case() -> None:
    defined = [
        name
        for chapter_ in CHAPTERS.values()
        for name in re.findall(
            r"^def (test_\w+)", (Path(__file__).parent / f"{chapter_}.py").read_text(), re.MULTILINE
        )
    ]
    assert sorted(defined) == sorted(CASES)
