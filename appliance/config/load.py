"""Rule files read: text in, a configuration and everything that is wrong with it out."""

from __future__ import annotations

import sys
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from appliance.config.command import GLOBAL, Command, Mode, State, masked
from appliance.config.draft import Draft, Note, Subject
from appliance.config.freeze import freeze
from appliance.config.grammar import Arguments, Cursor, finish
from appliance.config.language import SEVEN, of_lines, shown, telling
from appliance.config.line import Line, Refusal
from appliance.config.model import Configuration, Kept, Version
from appliance.config.table import TABLE
from appliance.errors import (
    Finding,
    FindingsError,
    PixguardError,
    Place,
    Severity,
    listing,
    printable,
)

MAX_FILE = 16 << 20
"""Bytes; a PIX keeps its configuration in a flash memory of 16 MB at most."""

MAX_LINE = 1000
"""Characters of a line; a device's own lines are some 500 at most, a longer one is no command."""

MAX_ERRORS = 1000
"""Lines with an error after which a file is not read further: it is something else."""

TERMINAL_WIDTH = 80
"""Where a device wraps what it prints, in the middle of a word if need be."""

# What a terminal shows around a configuration that was copied from it.
_DECORATION = frozenset({"Building configuration...", "[OK]"})


@dataclass(frozen=True, slots=True)
class Reading:
    """A rule file that has been read.

    Args:
        configuration: what it states, None if anything is wrong with it.
        findings: errors and warnings, in the order of the file.
        commands: how many commands it has.
        notes: which of them have no effect here.
        shown: its lines by their numbers, as much of each as may be shown.
    """

    configuration: Configuration | None
    findings: tuple[Finding, ...]
    commands: int
    notes: tuple[Note, ...] = ()
    shown: Mapping[int, str] = field(default_factory=dict, compare=False)


@dataclass(frozen=True, slots=True)
class _Level:
    """A mode that the lines being read are in.

    Args:
        mode: the mode.
        subject: what it is about; None where the line that opened it had an error, so that the
            lines below mean nothing.
        path: the headings up to this one.
        indent: how far the line that opened it is indented.
        public: what the lines below may show, see `Command`.
    """

    mode: Mode
    subject: Subject | None
    path: tuple[str, ...]
    indent: int
    public: tuple[str, ...] | None


_OUTERMOST = _Level(GLOBAL, None, (), -1, None)


class _Reader:
    """Reads lines, one after the other, into a draft."""

    def __init__(self, lines: list[str], file: str, lenient: bool) -> None:
        self.lines = lines
        self.file = file
        self.lenient = lenient
        self.draft = Draft(language=of_lines(lines))
        self.commands = 0
        self.errors = 0
        self.shown: dict[int, str] = {}
        self.levels = [_OUTERMOST]
        self.unknown_indent: int | None = None
        if number := telling(lines):
            self._assume_version(Place(file, number))

    def read(self) -> None:
        """Read all lines."""
        ended = False
        for number, text in enumerate(self.lines, start=1):
            stripped = text.strip()
            if not stripped or stripped in _DECORATION:
                continue
            place = Place(self.file, number, len(text) - len(text.lstrip()) + 1)
            if ended:
                self.draft.warn(place, "this is after `: end` and is not read", "")
                self.shown[number] = ""
                return
            if self.errors == MAX_ERRORS:
                self.draft.refuse(place, f"after {MAX_ERRORS} errors, the rest is not read", "")
                self.shown[number] = ""
                return
            if stripped.startswith((":", "!")):
                ended = stripped[1:].split() == ["end"] and stripped[0] == ":"
            elif not stripped.lower().startswith("cryptochecksum:"):
                self.commands += 1
                self._command(text, place)

    def _command(self, text: str, place: Place) -> None:
        line = Line.split(text[:MAX_LINE])
        indent = place.column - 1
        level = self.levels[-1]
        if level.mode.free and indent > level.indent and not self._is_done(line):
            deeper = " " * (indent - level.indent - 1)
            kept = deeper + masked(line.text.strip(), level.public)
            self.draft.kept.add(Kept("", kept, level.path, place))
            self.draft.mentions.update(word.text for word in line.tokens)
            return
        command = None
        undo = line.tokens[0].text.lower() == "no"
        cursor = Cursor(line, self.draft.usable_names(), self.draft.object_groups)
        self.shown[place.line] = text
        try:
            if len(text) > MAX_LINE:
                raise Refusal(0, f"the line is longer than {MAX_LINE} characters", "shorten it")
            if undo:
                cursor.advance()
            start = cursor.position
            modes = tuple(each.mode for each in self.levels)
            command, depth = TABLE.find(cursor, self.draft.language, modes)
            self.unknown_indent = None
            self.levels = self.levels[: depth + 1] if not command.leaves else self.levels
            level = self.levels[-1]
            if level.subject is None and depth:
                self._open(command, None, indent)
                return
            self.shown[place.line] = _shown(cursor, command)
            if command.state is State.DONE:
                _check_characters(text)
            arguments = Arguments(place, level.path, level.subject, text.strip())
            subject = self._run(
                command, cursor, arguments, line.tokens[start].column if undo else 0
            )
            if not undo:
                self._note_words(command, line, place)
                self._open(command, subject, indent)
        except Refusal as error:
            refusal = error
            if command and (other := TABLE.longer(cursor, start, command, self.draft.language)):
                refusal = Refusal(line.tokens[start].column, *other)
            if command is None and self._is_below_unknown(indent):
                return
            told = self._refuse(refusal, command, cursor, place)
            if command is None:
                self.unknown_indent = indent
                if told is Severity.ERROR:
                    self.draft.refused |= {(None, word.text) for word in line.tokens}
            elif not undo:
                self._open(command, None, indent)
                words = line.tokens[len(command.words.split()) :]
                self.draft.refused |= {
                    (command.words, words[at].text) for at in command.defines if at < len(words)
                }

    def _note_words(self, command: Command, line: Line, place: Place) -> None:
        """Note what a line defines, and what it may refer to."""
        words = line.tokens[len(command.words.split()) :]
        for at, word in enumerate(words):
            if at in command.defines and command.mode is GLOBAL:
                where = replace(place, column=word.column)
                self.draft.definitions.setdefault((command.words, word.text), where)
            else:
                self.draft.mentions.add(word.text)

    def _assume_version(self, place: Place) -> None:
        """Take a file without a version line that has this line for one of a later release."""
        assumed = Version("ASA", f"{shown(self.draft.language)}(1)")
        self.draft.version, self.draft.version_place = assumed, place
        self.shown[place.line] = ""
        self.draft.warn(
            place,
            f"the file has no version line, and this line is of 7.0 or later: "
            f"it is read as one of `{assumed.product} Version {assumed.number}`",
            "write the version line that is meant",
        )

    def _refuse(
        self, refusal: Refusal, command: Command | None, cursor: Cursor, place: Place
    ) -> Severity:
        """Tell what is wrong with a line, as an error or, with lenience, a warning."""
        self.shown[place.line] = _shown(cursor, command)
        where = Place(self.file, place.line, refusal.column)
        if refusal.missing and self.draft.is_excused(*refusal.missing):
            return Severity.ERROR
        if command is None and self.lenient and refusal.column:
            self.draft.mentions.update(word.text for word in cursor.line.tokens)
            self.draft.warn(where, refusal.problem, "the line is left out, as --lenient says")
            return Severity.WARNING
        self.errors += 1
        remedy = refusal.remedy
        if command is None and self._may_be_wrapped(place.line):
            remedy = (
                f"the line before is {TERMINAL_WIDTH} characters long: if a terminal wrapped "
                f"it, make one line of the two; otherwise: {remedy}"
            )
        self.draft.refuse(where, refusal.problem, remedy)
        return Severity.ERROR

    def _is_done(self, line: Line) -> bool:
        """Whether a line is of a command that is done, so that it must not be passed over.

        It is of another one if that command's keywords cannot go on with its next word: a
        server's `timeout 5` is none of connections.
        """
        cursor = Cursor(line, self.draft.usable_names(), self.draft.object_groups)
        undo = line.tokens[0].text.lower() == "no"
        if undo:
            cursor.advance()
        word = cursor.token.text.lower() if cursor.token else ""
        if not any(
            command.state is State.DONE and command.words.split()[0] == word
            for command in TABLE.of(GLOBAL, self.draft.language)
        ):
            return False
        following = None
        try:
            command, _ = TABLE.find(cursor, self.draft.language)
            following = cursor.token
            form = command.no_form if undo else command.form
            form.parse(cursor, Arguments(Place(self.file, 0), (), None, ""))
            finish(cursor, command.usage)
        except Refusal as refusal:
            return following is None or refusal.column != following.column
        return True

    def _is_below_unknown(self, indent: int) -> bool:
        """Whether a line that nobody knows belongs to another one, of which that is told."""
        return self.unknown_indent is not None and indent > self.unknown_indent

    def _open(self, command: Command, subject: object, indent: int) -> None:
        """Enter the mode that a command opens, or leave the one that it ends."""
        if command.leaves:
            self.levels = self.levels[:-1] or [_OUTERMOST]
        if command.opens is None or (command.opens.free and self.draft.language < SEVEN):
            return
        level = self.levels[-1]
        assert subject is None or isinstance(subject, Subject)  # noqa: S101  see `command`
        path = (*level.path, subject.heading) if subject else level.path
        if subject:
            self.draft.kept.open(path)
        self.levels.append(_Level(command.opens, subject, path, indent, command.public))

    def _run(self, command: Command, cursor: Cursor, arguments: Arguments, undo: int) -> object:
        if not undo:
            command.form.parse(cursor, arguments)
            finish(cursor, command.usage)
            return command.enter(self.draft, arguments)
        if command.undo is None:
            raise Refusal(undo, f"`{command.words}` has no `no` form", f"usage: {command.usage()}")
        command.no_form.parse(cursor, arguments)
        finish(cursor, command.no_usage)
        return command.undo(self.draft, arguments)

    def _may_be_wrapped(self, number: int) -> bool:
        return number > 1 and len(self.lines[number - 2]) == TERMINAL_WIDTH


def _check_characters(text: str) -> None:
    """Refuse a line that holds what no device prints and no eye sees."""
    if text.replace("\t", " ").isprintable():
        return
    for column, character in enumerate(text, start=1):
        if character != "\t" and not character.isprintable():
            name = unicodedata.name(character, f"control character {ord(character):#04x}")
            raise Refusal(column, f"the line contains {name.lower()}", "remove it")


def _shown(cursor: Cursor, command: Command | None) -> str:
    """As much of a line as may be shown: only commands that are done never carry secrets."""
    text, tokens = cursor.line.text, cursor.line.tokens
    if command is not None:
        return text if command.state is State.DONE else ""
    last = min(cursor.position, len(tokens) - 1)
    return text[: tokens[last].end - 1] + (" ..." if last < len(tokens) - 1 else "")


def read_rules(text: str, file: str, lenient: bool = False) -> Reading:
    """Read the text of a rule file.

    Args:
        text: the whole file.
        file: its name, for the findings.
        lenient: whether commands that nobody knows are left out, with a warning.
    """
    # Not splitlines(): a form feed or a NEL ends no line on the device either.
    lines = [line.removesuffix("\r") for line in text.split("\n")]
    reader = _Reader(lines, file, lenient)
    reader.read()
    configuration = freeze(reader.draft)
    findings = tuple(
        replace(finding, text=reader.shown[finding.place.line])
        for finding in sorted(reader.draft.findings, key=lambda f: f.place.line)
    )
    usable = all(finding.severity is not Severity.ERROR for finding in findings)
    return Reading(
        configuration if usable else None,
        findings,
        reader.commands,
        tuple(reader.draft.notes.values()),
        reader.shown,
    )


def read_text(path: Path) -> str:
    """The text of a file, in UTF-8 or, where it is none, in Latin-1.

    Raises:
        PixguardError: the file cannot be read, or is too long to be a rule file.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MAX_FILE + 1)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise PixguardError(f"{printable(str(path))}: {reason}") from None
    if len(content) > MAX_FILE:
        raise PixguardError(
            f"{printable(str(path))}: is no rule file: longer than {MAX_FILE >> 20} MiB"
        )
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("latin-1")


def read_file(path: Path, lenient: bool = False) -> Reading:
    """Read a rule file.

    Args:
        path: the file.
        lenient: whether commands that nobody knows are left out, with a warning.

    Raises:
        PixguardError: it cannot be read.
    """
    return read_rules(read_text(path), str(path), lenient)


def load_configuration(path: Path) -> Configuration:
    """Load a rule file; its warnings go to standard error, since it is used in spite of them.

    Args:
        path: the file.

    Raises:
        FindingsError: it has errors.
        PixguardError: it cannot be read.
    """
    reading = read_file(path)
    if reading.configuration is None:
        raise FindingsError(reading.findings)
    for text in listing(reading.findings):
        print(text, file=sys.stderr)
    return reading.configuration
