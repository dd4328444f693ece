"""The command table: every command of the rule file, and how a line finds its own."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from appliance.config import (
    access_lists,
    alias,
    clearing,
    conversion,
    dynamic,
    established,
    fixups,
    groups,
    hardware,
    identity,
    inspection_maps,
    interfaces,
    log,
    management,
    modes,
    modular,
    names,
    object_commands,
    object_nat,
    outbound,
    passage,
    regexes,
    routing,
    timeouts,
    times,
    translation,
)
from appliance.config.command import GLOBAL, Command, Mode, span
from appliance.config.grammar import Cursor
from appliance.config.kinds import matching
from appliance.config.language import Language, shown
from appliance.config.line import Refusal, Token, alternatives, quoted


@dataclass(slots=True)
class Node:
    """Where the keywords read so far have led.

    Args:
        command: the command that they are, if they are one.
        children: the keywords that may follow.
    """

    command: Command | None = None
    children: dict[str, Node] = field(default_factory=dict)


class _Unknown(Exception):
    """No command goes on with a word.

    Args:
        token: the word.
        path: the keywords before it.
        known: what could stand in its place.
    """

    def __init__(self, token: Token, path: tuple[str, ...], known: tuple[str, ...]) -> None:
        super().__init__(token.text)
        self.token = token
        self.path = path
        self.known = known


class Table:
    """Commands by their mode, their version and their keywords.

    Args:
        commands: all of them; in one mode of one version, no two have the same keywords.
    """

    def __init__(self, commands: Iterable[Command]) -> None:
        self.commands = tuple(commands)
        self.modes = tuple(dict.fromkeys(command.mode for command in self.commands))
        """Those that have commands."""
        borders = {c.since for c in self.commands} | {c.until for c in self.commands if c.until}
        self.languages = tuple(sorted(borders))
        """The versions from which on there are other commands than before."""
        self._trees: dict[tuple[Mode, Language], Node] = {}

    def of(self, mode: Mode, language: Language) -> tuple[Command, ...]:
        """The commands of a mode in a version."""
        return tuple(c for c in self.commands if c.mode is mode and c.exists_in(language))

    def of_all(self, mode: Mode) -> tuple[Command, ...]:
        """The commands of a mode in any version."""
        return tuple(c for c in self.commands if c.mode is mode)

    def find(
        self, cursor: Cursor, language: Language, modes: Sequence[Mode] = (GLOBAL,)
    ) -> tuple[Command, int]:
        """The command that a line begins with; the cursor is left after its keywords.

        Args:
            cursor: where the line's first keyword stands.
            language: the version whose commands there are.
            modes: the modes in which the line may stand, from the outermost one on.

        Returns:
            The command and the index of its mode, the innermost that has it; but a keyword that
            is written out in full goes before one further inside that it abbreviates.

        Raises:
            Refusal: there is none.
        """
        start, token = cursor.position, cursor.token
        if token is None:
            raise cursor.missing(("a command",))
        trees = [self._tree(mode, language) for mode in modes]
        if not any(token.text.lower() in tree.children for tree in trees):
            # What another version writes out in full (`object`) is no abbreviation here.
            other = self._elsewhere(cursor, start, language, modes)
            if other and other.mode is GLOBAL:
                raise Refusal(token.column, *self._told(other, language))
        inwards = list(reversed(range(len(modes))))
        inwards.sort(key=lambda number: token.text.lower() not in trees[number].children)
        unknown: list[_Unknown] = []
        for number in inwards:
            cursor.position = start
            try:
                return _walk(trees[number], cursor), number
            except _Unknown as refusal:
                unknown.append(refusal)
        elsewhere = self._elsewhere(cursor, start, language, modes)
        furthest = max(unknown, key=lambda refusal: len(refusal.path))
        cursor.position = start + len(furthest.path)
        if elsewhere:
            raise Refusal(token.column, *self._told(elsewhere, language))
        known = furthest.known if furthest.path else tuple(w for t in trees for w in t.children)
        path = " ".join(furthest.path)
        raise Refusal(furthest.token.column, *_unknown(furthest.token.text, path, known))

    def _elsewhere(
        self, cursor: Cursor, start: int, language: Language, modes: Sequence[Mode]
    ) -> Command | None:
        """The command of another mode or another version that a line begins with."""
        word = cursor.line.tokens[start].text.lower()
        for border in (language, *self.languages):
            for mode in self.modes:
                tree = self._tree(mode, border)
                cursor.position = start
                if word in tree.children:
                    with suppress(_Unknown, Refusal):
                        found = _walk(tree, cursor)
                        if found.mode not in modes or not found.exists_in(language):
                            return found
        return None

    def longer(
        self, cursor: Cursor, start: int, command: Command, language: Language
    ) -> tuple[str, str] | None:
        """What to say of a line that a command cannot read, and one of more keywords could.

        Args:
            cursor: in the line.
            start: where its first keyword stands.
            command: what it has been taken for.
            language: the version that lacks the other one.
        """
        for border in self.languages:
            cursor.position = start
            with suppress(_Unknown, Refusal):
                found = _walk(self._tree(command.mode, border), cursor)
                written = [
                    each.text.lower() for each in cursor.line.tokens[start : cursor.position]
                ]
                if (
                    not found.exists_in(language)
                    and found.words.startswith(f"{command.words} ")
                    and found.words.split() == written
                ):
                    return self._told(found, language)
        return None

    def _told(self, command: Command, language: Language) -> tuple[str, str]:
        """What to say of a command that another mode or another version has."""
        if not command.exists_in(language):
            same = [c for c in self.of_all(command.mode) if c.words == command.words]
            return (
                f"`{command.words}` exists {span(same)} only, and this file is of "
                f"{shown(language)}",
                f"write {command.instead or 'a version line that has it, or leave it out'}",
            )
        openers = (f"`{c.words}`" for c in self.commands if c.opens is command.mode)
        return (
            f"`{command.words}` does not stand here",
            f"it stands below {alternatives(tuple(openers))}",
        )

    def _tree(self, mode: Mode, language: Language) -> Node:
        key = (mode, max((b for b in self.languages if b <= language), default=language))
        if key not in self._trees:
            root = Node()
            for command in self.of(*key):
                node = root
                for word in command.words.split():
                    node = node.children.setdefault(word, Node())
                node.command = command
            self._trees[key] = root
        return self._trees[key]


def _walk(node: Node, cursor: Cursor) -> Command:
    """Follow a line's keywords to a command.

    Raises:
        _Unknown: a word leads nowhere.
        Refusal: the line ends before that, or a word could be several.
    """
    path: tuple[str, ...] = ()
    while node.children or node.command is None:
        token = cursor.token
        # A keyword more is taken where it is written out, else the rest is for the command.
        if node.command and (token is None or token.text.lower() not in node.children):
            break
        if token is None:
            raise cursor.missing(tuple(f"`{word}`" for word in node.children))
        found = matching(token.text, tuple(node.children))
        if len(found) > 1:
            raise Refusal(
                token.column,
                f"{quoted(token.text)} is ambiguous",
                f"it could be {alternatives(tuple(f'`{word}`' for word in found))}",
            )
        if not found:
            raise _Unknown(token, path, tuple(node.children))
        path = (*path, found[0])
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
        remedy = "docs/commands.md lists the commands"
    after = f" after `{path}`" if path else ""
    return f"unknown {'keyword' if path else 'command'} {quoted(word)}{after}", remedy


_FAMILIES = tuple(
    command
    for family in (
        identity,
        interfaces,
        hardware,
        names,
        translation,
        alias,
        groups,
        object_commands,
        object_nat,
        times,
        dynamic,
        access_lists,
        outbound,
        established,
        passage,
        timeouts,
        fixups,
        conversion,
        regexes,
        inspection_maps,
        modular,
        routing,
        log,
        clearing,
        management,
        modes,
    )
    for command in family.COMMANDS
)

TABLE = Table((*_FAMILIES, *clearing.of_kept(_FAMILIES)))
