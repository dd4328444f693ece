"""docs/commands.md is what the command table makes it."""

from __future__ import annotations

import pytest

from appliance.config.command import Command
from appliance.config.page import commands_page
from appliance.config.table import TABLE
from tests.docs.markdown import ROOT

PAGE = ROOT / "docs" / "commands.md"


def test_the_page_is_up_to_date() -> None:
    told = "write it anew: python -m appliance.config.page >docs/commands.md"
    assert PAGE.read_text() == commands_page(), told


@pytest.mark.parametrize("command", TABLE.commands, ids=lambda command: command.words)
def test_every_command_has_its_row(command: Command) -> None:
    usage = command.usage().replace("|", "\\|")
    assert f"| `{usage}` |" in PAGE.read_text()
