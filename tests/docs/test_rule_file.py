"""docs/rule-file.md against the command table: each command is in the list of its state."""

from __future__ import annotations

import re

import pytest

from appliance.config.command import State
from appliance.config.table import TABLE
from tests.docs.markdown import ROOT

TEXT = (ROOT / "docs" / "rule-file.md").read_text()


def commands(state: State) -> set[str]:
    return {command.words for command in TABLE.commands if command.state is state}


@pytest.mark.parametrize(
    ("state", "beginning"),
    [(State.NO_EFFECT, "* *Accepted, without effect"), (State.NOT_IMPLEMENTED, "* *Not impl")],
)
def test_the_lists_are_complete(state: State, beginning: str) -> None:
    [item] = [line for line in TEXT.splitlines() if line.startswith(beginning)]
    sentence = item.partition(". ")[0]
    assert set(re.findall(r"`([^`]+)`", sentence)) == commands(state)


def test_every_command_that_is_done_has_its_row() -> None:
    rows = re.findall(r"^\| (`.*?) \| ", TEXT, re.MULTILINE)
    documented = " ".join(rows).replace("\\|", "|").lower()
    for words in commands(State.DONE):
        first, _, rest = words.partition(" ")
        pattern = rf"`(?:[^`]*)\b{first}\b[^`]*{re.escape(rest)}"
        assert re.search(pattern, documented), words
