"""The command table: every command of the rule file, and how a line finds its own."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass, field

from appliance.config import (
    access_lists,
    clearing,
    fixups,
    identity,
    interfaces,
    log,
    management,
    names,
    routing,
    translation,
)
from appliance.config.command import Command
from appliance.config.grammar import Cursor
from appliance.config.kinds import matching
from appliance.config.line import Refusal, alternatives, quoted


@dataclass(slots=True)
class Node:
    """Where the keywords read so far have led.

    Args:
        command: the command that they are, if they are one.
        children: the keywords that may follow.
    """

    command: Command | None = None
    children: dict[str, Node] = field(default_factory=dict)


class Table:
    """Commands by their keywords.

    Args:
        commands: all of them; no one's keywords begin another's.
    """

    def __init__(self, commands: Iterable[Command]) -> None:
        self.commands = tuple(commands)
        self._root = Node()
        for command in self.commands:
            node = self._root
            for word in command.words.split():
                node = node.children.setdefault(word, Node())
            node.command = command

    def find(self, cursor: Cursor) -> Command:
        """The command that a line begins with; the cursor is left after its keywords.

        Raises:
            Refusal: there is none.
        """
        node, path = self._root, ""
        while node.command is None:
            token = cursor.token
            if token is None:
                words = tuple(f"`{word}`" for word in node.children)
                raise cursor.missing(words if path else ("a command",))
            found = matching(token.text, tuple(node.children))
            if len(found) > 1:
                raise Refusal(
                    token.column,
                    f"{quoted(token.text)} is ambiguous",
                    f"it could be {alternatives(tuple(f'`{word}`' for word in found))}",
                )
            if not found:
                raise Refusal(token.column, *_unknown(token.text, path, tuple(node.children)))
            path = f"{path} {found[0]}".lstrip()
            node = node.children[found[0]]
            cursor.advance()
        return node.command


def _unknown(word: str, path: str, known: tuple[str, ...]) -> tuple[str, str]:
    near = difflib.get_close_matches(word.lower(), known, n=3)
    if word.startswith("#") and not path:
        remedy = "a comment begins with `!`"
    elif near:
        remedy = f"did you mean {alternatives(tuple(f'`{other}`' for other in near))}?"
    elif path:
        remedy = f"expected: {alternatives(tuple(f'`{other}`' for other in known))}"
    else:
        remedy = "docs/rule-file.md lists the commands"
    after = f" after `{path}`" if path else ""
    return f"unknown {'keyword' if path else 'command'} {quoted(word)}{after}", remedy


TABLE = Table(
    command
    for family in (
        identity,
        interfaces,
        names,
        translation,
        access_lists,
        fixups,
        routing,
        log,
        clearing,
        management,
    )
    for command in family.COMMANDS
)
