"""Leaving a mode: `exit`, `quit`."""

from __future__ import annotations

from appliance.config.command import Command
from appliance.config.draft import Draft
from appliance.config.grammar import Arguments


def _leave(draft: Draft, arguments: Arguments) -> None:
    """Nothing to change: the reader of lines leaves the mode."""


COMMANDS = tuple(
    Command(word, "leave the mode that `interface` and the like open", _leave, leaves=True)
    for word in ("exit", "quit")
)
