"""An entry of the command table.

How a family of commands is added: a module with a tuple `COMMANDS`, which `table` takes in. Each
entry says

* its keywords (`words`), which stand in the table once for each mode and language;
* from which version on it exists (`since`) and the first one that has it no more (`until`); the
  same keywords may be another command in another version (`interface` before and from 7.0);
* the form of what follows (`grammar`), what it does to the draft (`enter`), and what its `no`
  form does (`undo`, `undo_form`);
* the mode that it belongs to (`mode`, GLOBAL if not said) and the mode that it opens (`opens`).
  `enter` of a command that opens a mode returns the subject of the mode, whose `heading` is the
  line that opens it, as it is printed; handlers of the mode's commands get it from
  `arguments.subject(Class)`, and `undo` of the opening one takes back what is kept below
  (`draft.kept.close`). A line is looked for in the mode's commands first and then in those of the
  modes around it, which ends the mode;
* how far it is done (`state`): `accepted` and `unimplemented` make entries that keep their lines
  for printing. What their lines may show is all, or what matches the patterns in `public`;
* `printed`, for one command of the family: all lines of the family in a configuration, in the
  language of `configuration.language`. `order` says where they stand in the whole, so a new
  family names its words there. What a block keeps of accepted lines, `below` gives.

What a handler cannot know before the end of the file (names that are defined later) it leaves in
the draft, as a `Use`, and `freeze` looks at it. Whatever changes what passes and is not done must
be `unimplemented`, with what therefore passes or does not as its `gap`, or a refusal.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias, TypedDict, Unpack

from appliance.config.draft import Draft
from appliance.config.grammar import ANYTHING, NOTHING, Arguments, Piece
from appliance.config.language import FIRST, Language, shown
from appliance.config.model import Configuration, Kept
from appliance.errors import printable

Handler: TypeAlias = Callable[[Draft, Arguments], object]
Printer: TypeAlias = Callable[[Configuration], Iterable[str]]

MASK = "***"
"""What is kept of a word that may be a secret; it reads back as itself."""


class State(Enum):
    """How far a command is done; every command of a device's configuration has one."""

    DONE = "done"
    NO_EFFECT = "accepted, no effect here"
    NOT_IMPLEMENTED = "not implemented"


@dataclass(frozen=True, slots=True)
class Mode:
    """Where a command may stand.

    Args:
        name: what the mode is about, "interface".
        parent: the mode that it is opened in, None for the outermost one.
        free: whether any line that is indented below the opening one belongs to it.
    """

    name: str
    parent: Mode | None = None
    free: bool = False


GLOBAL = Mode("global")
FREE = Mode("lines below", GLOBAL, free=True)
"""Of commands without effect here, whose lines below are not looked at."""


@dataclass(frozen=True, slots=True)
class Command:
    """A command of the rule file.

    Args:
        words: its keywords, "ip address".
        help: what it does, in one line.
        enter: changes the draft as the command says; returns the subject of the mode it opens.
        form: what follows the keywords.
        undo: changes the draft as its `no` form says; None where there is no such form.
        undo_form: what follows the keywords in the `no` form; None for the same.
        state: how far it is done.
        gap: what does not happen where it is not implemented, one clause.
        defines: which words after the keywords, counted from 0, name what it defines.
        since: the first version that has it.
        until: the first version that has it no more, None where none has been met.
        instead: what says the same in versions that lack it.
        mode: where it may stand.
        opens: the mode that it opens, None for none.
        leaves: whether it ends the mode that it stands in.
        public: what may be kept of its lines, where they can hold secrets: patterns of all that
            follows the keywords, in which a group is a secret; None if they never hold any.
        printed: the lines of its family in a configuration, None where another one prints them.
        detail: what else its user must know, in sentences, for docs/commands.md.
    """

    words: str
    help: str
    enter: Handler
    form: Piece = NOTHING
    undo: Handler | None = None
    undo_form: Piece | None = None
    state: State = State.DONE
    gap: str = ""
    defines: tuple[int, ...] = ()
    since: Language = FIRST
    until: Language | None = None
    instead: str = ""
    mode: Mode = GLOBAL
    opens: Mode | None = None
    leaves: bool = False
    public: tuple[str, ...] | None = None
    printed: Printer | None = None
    detail: str = ""

    def exists_in(self, language: Language) -> bool:
        """Whether a version has it."""
        return self.since <= language and (self.until is None or language < self.until)

    def span(self) -> str:
        """Which versions have it, "from 7.0 on"; "" where all do."""
        return span((self,))

    def usage(self) -> str:
        """How it is written, as manuals print it."""
        no = "[no] " if self.undo else ""
        return " ".join(filter(None, (f"{no}{self.words}", self.form.usage())))

    @property
    def no_form(self) -> Piece:
        """What follows the keywords in the `no` form."""
        return self.form if self.undo_form is None else self.undo_form

    def no_usage(self) -> str:
        """How its `no` form is written."""
        return " ".join(filter(None, ("no", self.words, self.no_form.usage())))


def span(commands: Sequence[Command]) -> str:
    """Which versions have one of some commands, "from 7.0 on"; "" where all do.

    Args:
        commands: of the same keywords, each of other versions.
    """
    since = min(command.since for command in commands)
    untils = [command.until for command in commands]
    ended = [until for until in untils if until]
    first = f"from {shown(since)} on" if since > FIRST else ""
    last = f"before {shown(max(ended))}" if len(ended) == len(untils) else ""
    return " and ".join(filter(None, (first, last)))


def masked(text: str, public: tuple[str, ...] | None) -> str:
    """A line, or the end of one, with what may be a secret masked, and fit for any terminal.

    Args:
        text: the text.
        public: see `Command`.
    """
    if public is None:
        return printable(text)
    for pattern in public:
        if found := re.fullmatch(pattern, text):
            for number in range(len(found.groups()), 0, -1):
                start, end = found.span(number)
                if start >= 0:
                    text = text[:start] + MASK + text[end:]
            return printable(text)
    return MASK if text else ""


class Scope(TypedDict, total=False):
    """Where and when a command exists, and what its lines may show; see `Command`."""

    public: tuple[str, ...] | None
    mode: Mode
    opens: Mode | None
    since: Language
    until: Language | None
    instead: str


def _keeping(words: str, help: str, gap: str, scope: Scope) -> Command:
    """A command whose lines are kept, that they can be printed."""

    def line(arguments: Arguments, no: str = "") -> Kept:
        rest = masked(arguments.get("rest", str) or "", scope.get("public"))
        return Kept(words, f"{no}{words} {rest}".rstrip(), arguments.path, arguments.place)

    def tell(draft: Draft, arguments: Arguments) -> None:
        if gap:
            draft.gaps[words] = gap
        else:
            draft.note(words, help, arguments.place)

    def enter(draft: Draft, arguments: Arguments) -> Kept:
        kept = line(arguments)
        draft.kept.enter(kept)
        tell(draft, arguments)
        return kept

    def undo(draft: Draft, arguments: Arguments) -> None:
        draft.kept.undo(line(arguments), line(arguments, "no "))
        tell(draft, arguments)

    state = State.NOT_IMPLEMENTED if gap else State.NO_EFFECT
    return Command(words, help, enter, ANYTHING, undo, state=state, gap=gap, **scope)


def accepted(words: str, help: str, **scope: Unpack[Scope]) -> Command:
    """A command that a device's configuration contains and that means nothing on this machine."""
    return _keeping(words, help, "", scope)


def ignored(words: str, help: str) -> Command:
    """A command that asks a device to do something at once, which there is nothing to do for here.

    It is no part of a configuration and not printed.
    """

    def enter(draft: Draft, arguments: Arguments) -> None:
        draft.note(words, help, arguments.place)

    return Command(words, help, enter, ANYTHING, state=State.NO_EFFECT)


def unimplemented(words: str, help: str, gap: str, **scope: Unpack[Scope]) -> Command:
    """A command that changes what the firewall does, and does not yet here.

    Its `no` form asks for nothing more than what is the case, and draws no warning.

    Args:
        words: its keywords.
        help: what it does on a device.
        gap: what does not happen here, and what therefore passes or does not, one clause.
        scope: see `Command`.
    """
    return _keeping(words, help, gap, scope)


def below(configuration: Configuration, *path: str) -> Iterable[str]:
    """The lines kept below a heading, and below those, indented as a device prints them.

    Args:
        configuration: what is printed.
        path: headings from the outermost one on.
    """
    for kept in configuration.kept:
        if kept.under == path:
            yield " " * len(path) + kept.text
            yield from below(configuration, *path, kept.text)
