"""The errors that a user can cause: what was wrong, where, and what would be right."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum


def printable(text: str) -> str:
    """The text in printable ASCII and tabs, all else as escapes: fit for any terminal."""
    return "".join(c if " " <= c <= "~" or c == "\t" else ascii(c)[1:-1] for c in text)


def one_line(text: str) -> str:
    """A text of several lines, such as a traceback, as one line."""
    return " | ".join(line.strip() for line in text.splitlines() if line.strip())


class Severity(Enum):
    """Whether a finding makes a file unusable, which an error alone does."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"
    """Nothing is wrong; the device tells of it, too."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where something stands in a file.

    Args:
        file: the file's name as the user gave it.
        line: line number, from 1.
        column: column of its first character, from 1; 0 where the whole line is meant.
    """

    file: str
    line: int
    column: int = 0

    def __str__(self) -> str:
        parts = [self.file, str(self.line)] + ([str(self.column)] if self.column else [])
        return printable(":".join(parts))


_MARKS = {Severity.ERROR: "", Severity.WARNING: "warning: ", Severity.INFO: "INFO: "}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing wrong with a file.

    Args:
        place: where it is.
        problem: what is wrong, one sentence without a final stop.
        remedy: what would be right, or "".
        text: the line as it stands in the file, for the caret.
        severity: how bad it is.
    """

    place: Place
    problem: str
    remedy: str = ""
    text: str = ""
    severity: Severity = Severity.ERROR

    def __str__(self) -> str:
        mark = _MARKS[self.severity]
        shown = f"{self.place}: {mark}{printable(self.problem)}"
        if self.text and self.place.column:
            # Tabs are kept, so that the caret stands under its column on any terminal.
            before = printable(self.text[: self.place.column - 1])
            lead = "".join("\t" if c == "\t" else " " for c in before)
            shown += f"\n    {printable(self.text)}\n    {lead}^"
        if self.remedy:
            shown += f"\n    {printable(self.remedy)}"
        return shown


SHOWN = 20
"""How many findings of one file are shown; whoever mends these sees the next."""


def listing(findings: Sequence[Finding]) -> list[str]:
    """What a user is shown of findings: `SHOWN` of them, errors first, and how many more there are.

    Args:
        findings: those of one file, in its order.
    """
    numbers = sorted(
        range(len(findings)), key=lambda number: findings[number].severity is not Severity.ERROR
    )[:SHOWN]
    shown = [str(findings[number]) for number in sorted(numbers)]
    if more := len(findings) - len(shown):
        shown.append(f"{printable(findings[0].place.file)}: and {more} more, which are not shown")
    return shown


class PixguardError(Exception):
    """A user's mistake or a fact of the machine, told in the message; never a traceback."""


class FindingsError(PixguardError):
    """A file that cannot be used, with everything that is wrong with it; the message is a listing.

    Args:
        findings: all of them, in the order of the file.
    """

    def __init__(self, findings: tuple[Finding, ...]) -> None:
        super().__init__("\n".join(listing(findings)))
        self.findings = findings
