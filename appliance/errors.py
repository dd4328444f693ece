"""The errors that a user can cause: what was wrong, where, and what would be right."""

from __future__ import annotations

from dataclasses import dataclass


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
        return ":".join(parts)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing wrong with a file.

    Args:
        place: where it is.
        problem: what is wrong, one sentence without a final stop.
        remedy: what would be right, or "".
        text: the line as it stands in the file, for the caret.
    """

    place: Place
    problem: str
    remedy: str = ""
    text: str = ""

    def __str__(self) -> str:
        shown = f"{self.place}: {self.problem}"
        if self.text and self.place.column:
            # Tabs are kept, so that the caret stands under its column on any terminal.
            lead = "".join("\t" if c == "\t" else " " for c in self.text[: self.place.column - 1])
            shown += f"\n    {self.text}\n    {lead}^"
        if self.remedy:
            shown += f"\n    {self.remedy}"
        return shown


class PixguardError(Exception):
    """A user's mistake or a fact of the machine, told in the message; never a traceback."""


class FindingsError(PixguardError):
    """A file that cannot be used, with everything that is wrong with it.

    Args:
        findings: all of them, in the order of the file.
    """

    def __init__(self, findings: tuple[Finding, ...]) -> None:
        super().__init__("\n".join(map(str, findings)))
        self.findings = findings
