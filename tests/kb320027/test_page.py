"""docs/kb320027.md names every test of a symptom, and no other."""

from __future__ import annotations

import re
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "kb320027.md"


def test_the_page_and_the_tests_name_the_same_symptoms() -> None:
    defined = {
        name
        for path in Path(__file__).parent.glob("test_*.py")
        if path != Path(__file__)
        for name in re.findall(r"^def (test_\w+)", path.read_text(), re.MULTILINE)
    }
    assert set(re.findall(r"`(test_\w+)`", PAGE.read_text())) == defined
