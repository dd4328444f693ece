"""One line of a rule file: its words, where they stand, and the error that points at one."""

from __future__ import annotations

import re
from dataclasses import dataclass

# An interface pair is one word even with blanks in it: `(inside, outside)`.
_WORD = re.compile(r"\([^()]*\)|\S+")


class Refusal(Exception):
    """A command that cannot be taken.

    Args:
        column: where in the line, from 1.
        problem: what is wrong, one sentence without a final stop.
        remedy: what would be right.
        missing: what is not defined, as keywords of the command that would define it and a name;
            None for other errors.
    """

    def __init__(
        self, column: int, problem: str, remedy: str, missing: tuple[str, str] | None = None
    ) -> None:
        super().__init__(problem)
        self.missing = missing
        self.column = column
        self.problem = problem
        self.remedy = remedy


@dataclass(frozen=True, slots=True)
class Token:
    """A word of a line.

    Args:
        text: the word.
        column: column of its first character, from 1.
    """

    text: str
    column: int

    @property
    def end(self) -> int:
        """The column after its last character."""
        return self.column + len(self.text)


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a rule file, in words.

    Args:
        text: as it stands in the file, without its end.
        tokens: its words.
    """

    text: str
    tokens: tuple[Token, ...]

    @classmethod
    def split(cls, text: str) -> Line:
        """Take a line apart at its blanks."""
        return cls(text, tuple(Token(m.group(), m.start() + 1) for m in _WORD.finditer(text)))

    @property
    def end(self) -> int:
        """The column where one more word would stand."""
        return self.tokens[-1].end + 1 if self.tokens else 1


def quoted(word: str) -> str:
    """A word as messages show it, cut where it is longer than anybody wants to read."""
    return f"`{word}`" if len(word) <= 60 else f"`{word[:60]}...`"


def alternatives(words: tuple[str, ...]) -> str:
    """`a, b or c`."""
    unique = tuple(dict.fromkeys(words))
    return " or ".join(filter(None, (", ".join(unique[:-1]), unique[-1]))) if unique else ""
