"""An entry of the command table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias

from appliance.config.draft import Draft
from appliance.config.grammar import ANYTHING, NOTHING, Arguments, Piece

Handler: TypeAlias = Callable[[Draft, Arguments], None]


class State(Enum):
    """How far a command is done; every command of a device's configuration has one."""

    DONE = "done"
    NO_EFFECT = "accepted, no effect here"
    NOT_IMPLEMENTED = "not implemented"


@dataclass(frozen=True, slots=True)
class Command:
    """A command of the rule file.

    Args:
        words: its keywords, "ip address".
        help: what it does, in one line.
        enter: changes the draft as the command says.
        form: what follows the keywords.
        undo: changes the draft as its `no` form says; None where there is no such form.
        undo_form: what follows the keywords in the `no` form; None for the same.
        state: how far it is done.
        gap: what does not happen where it is not implemented, one clause.
        defines: which words after the keywords, counted from 0, name what it defines.
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


def _pass(draft: Draft, arguments: Arguments) -> None:
    pass


def accepted(words: str, help: str) -> Command:
    """A command that a device's configuration contains and that means nothing on this machine."""
    return Command(words, help, _pass, ANYTHING, _pass, state=State.NO_EFFECT)


def unimplemented(words: str, help: str, gap: str) -> Command:
    """A command that changes what the firewall does, and does not yet here.

    Its `no` form asks for nothing more than what is the case, and draws no warning.

    Args:
        words: its keywords.
        help: what it does on a device.
        gap: what does not happen here, one clause.
    """

    def warn(draft: Draft, arguments: Arguments) -> None:
        draft.missing.setdefault(words, (gap, []))[1].append(arguments.place)

    return Command(words, help, warn, ANYTHING, _pass, state=State.NOT_IMPLEMENTED, gap=gap)
