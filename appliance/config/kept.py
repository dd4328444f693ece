"""Lines that are not done, kept in a draft so that they can be printed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypeAlias

from appliance.config.model import Kept

Path: TypeAlias = tuple[str, ...]
"""The headings above a line, and the line."""


class KeptLines:
    """The lines kept so far, each once, in the order of the file."""

    def __init__(self) -> None:
        self._lines: dict[Path, Kept] = {}
        self._longer: dict[Path, dict[Path, None]] = {}
        """By the beginnings of lines, the lines that go on after them."""
        self._opened: dict[Path, int] = {}

    def __iter__(self) -> Iterator[Kept]:
        return iter(self._lines.values())

    def open(self, path: Path) -> None:
        """Note that lines may stand below a heading."""
        self._opened.setdefault(path, len(self._opened))

    def place(self, path: Path) -> float:
        """How many headings were opened before this one."""
        return self._opened.get(path, len(self._opened))

    def add(self, line: Kept) -> None:
        """Keep a line as it is."""
        path = (*line.under, line.text)
        self._lines.setdefault(path, line)
        for beginning in _beginnings(line):
            self._longer.setdefault((*line.under, beginning), {})[path] = None

    def enter(self, line: Kept) -> None:
        """Keep a line; it takes back the `no` form of it, and of what it begins with."""
        undone = (line.text, *_beginnings(line))
        self._drop((*line.under, f"no {text}") for text in undone)
        self.add(line)

    def undo(self, line: Kept, no: Kept) -> None:
        """Keep the `no` form of a line; it takes back that line, and those that go on after it.

        Args:
            line: the line without `no`.
            no: the same with it.
        """
        path = (*line.under, line.text)
        doomed = [path]
        if line.text != line.words:
            doomed += self._longer.get(path, ())
        self._drop(doomed)
        self.add(no)

    def clear(self, words: str) -> None:
        """Take back all lines of a command, and what stands below them.

        Args:
            words: its keywords, or the first of them.
        """
        self._drop(
            [
                path
                for path, line in self._lines.items()
                if not line.under and f"{line.words} ".startswith(f"{words} ")
            ]
        )

    def close(self, path: Path) -> None:
        """Take back all lines below a heading.

        Args:
            path: the headings from the outermost one on.
        """
        self._drop([each for each in self._lines if each[: len(path)] == path])
        self._opened.pop(path, None)

    def _drop(self, paths: Iterable[Path]) -> None:
        for path in paths:
            line = self._lines.pop(path, None)
            if line is not None:
                for beginning in _beginnings(line):
                    del self._longer[*line.under, beginning][path]
            if path in self._opened:
                self.close(path)


def _beginnings(line: Kept) -> Iterator[str]:
    """A line cut off after each word beyond its keywords but the last."""
    words = line.text.split()
    for number in range(len(line.words.split()) + 1, len(words)):
        yield " ".join(words[:number])
