"""What may follow a command's keywords: pieces that parse, and can say what they expect.

A form is a tree of pieces. Parsing never backtracks: one word decides which way to go, as on the
device. The same tree is printed as the usage of a command.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import TypeVar

from appliance.config.draft import GroupEntry
from appliance.config.kinds import Kind, Mismatch, Names, matching
from appliance.config.line import Line, Refusal, Token, alternatives, quoted
from appliance.config.model import Kept
from appliance.errors import Place, printable

T = TypeVar("T")


class Arguments:
    """The arguments of one command, by key.

    Args:
        place: where the command stands.
        path: the headings of the modes that it stands in, from the outermost one on.
        subject: what the innermost of them is about, None in none.
        line: the whole line.
    """

    def __init__(
        self,
        place: Place,
        path: tuple[str, ...] = (),
        subject: object | None = None,
        line: str = "",
    ) -> None:
        self.place = place
        self.path = path
        self.line = line
        self._subject = subject
        self._values: dict[str, tuple[object, Place]] = {}

    def put(self, key: str, value: object, column: int) -> None:
        """Keep a value, and where it stands."""
        self._values[key] = (value, Place(self.place.file, self.place.line, column))

    def get(self, key: str, kind: type[T]) -> T | None:
        """The argument of that key, None where the command has none."""
        value = self._values.get(key, (None, self.place))[0]
        assert value is None or isinstance(value, kind), key  # noqa: S101  forms and handlers agree
        return value

    def need(self, key: str, kind: type[T]) -> T:
        """The argument of that key, which the form makes sure of."""
        value = self.get(key, kind)
        assert value is not None, key  # noqa: S101  likewise
        return value

    def subject(self, kind: type[T]) -> T:
        """What the mode is about that the command stands in: what opened it has returned that."""
        assert isinstance(self._subject, kind), kind  # noqa: S101  modes and handlers agree
        return self._subject

    def kept(self, words: str = "") -> Kept:
        """The line as it stands, to be kept because it is not done in the form that it has.

        Args:
            words: the keywords of its command, where all its lines that are not done are told of
                at once.
        """
        return Kept(words, printable(self.line), self.path, self.place)

    def where(self, key: str) -> Place:
        """Where the argument of that key stands; the command's own place where it has none."""
        return self._values.get(key, (None, self.place))[1]

    def without(self, items: list[T], is_doomed: Callable[[T], bool], what: str) -> list[T]:
        """What is left of some things when a `no` form has removed those that it is about.

        Args:
            items: the things.
            is_doomed: whether it is about one of them.
            what: what they are, for the error.

        Raises:
            Refusal: it is about none of them.
        """
        left = [each for each in items if not is_doomed(each)]
        if len(left) == len(items):
            raise self.refusal("", f"there is no such {what}", "remove what is defined above")
        return left

    def refusal(self, key: str, problem: str, remedy: str) -> Refusal:
        """The error that points at the argument of that key."""
        return Refusal(self.where(key).column, problem, remedy)


@dataclass(slots=True)
class Cursor:
    """How far the parser has got in a line.

    Args:
        line: the line.
        names: names that may stand for addresses.
        groups: the object groups that are known.
        position: index of the next word.
        skipped: what else the next word could have been.
        complaint: why it is none of that, "" if there is no more to say.
    """

    line: Line
    names: Names
    groups: Mapping[str, GroupEntry] = field(default_factory=dict)
    position: int = 0
    skipped: tuple[str, ...] = ()
    complaint: str = ""

    @property
    def token(self) -> Token | None:
        """The next word, None at the end."""
        tokens = self.line.tokens
        return tokens[self.position] if self.position < len(tokens) else None

    def advance(self) -> None:
        """Go one word on."""
        self.position += 1
        self.skipped = ()
        self.complaint = ""

    def missing(self, expected: tuple[str, ...]) -> Refusal:
        """The error of a command that ends too early."""
        wanted = alternatives(self.skipped + expected)
        return Refusal(self.line.end, "incomplete command", f"expected here: {wanted}")


class Fit(IntEnum):
    """How well a word fits the start of a piece; the best fit is taken."""

    NOT = 0
    ABBREVIATION = 1
    VALUE = 2
    KEYWORD = 3


class Piece(ABC):
    """A part of a form."""

    @abstractmethod
    def fit(self, word: str, names: Names) -> Fit:
        """How well a word fits as the first of this piece."""

    @abstractmethod
    def parse(self, cursor: Cursor, found: Arguments) -> None:
        """Read this piece.

        Raises:
            Refusal: what stands there is something else.
        """

    def complaint(self, word: str, names: Names) -> str:
        """Why a word does not fit, "" where its being something else is all there is to say."""
        return ""

    @abstractmethod
    def expects(self) -> tuple[str, ...]:
        """What may stand at its start."""

    @abstractmethod
    def usage(self) -> str:
        """How it is written, as manuals print it."""


@dataclass(frozen=True, slots=True)
class Keyword(Piece):
    """A keyword, which may be abbreviated as far as it stays unique.

    Args:
        word: the keyword.
        key: the argument that it sets, "" for none.
        value: the value of that argument.
        also: other spellings, never abbreviated.
    """

    word: str
    key: str = ""
    value: object = True
    also: tuple[str, ...] = ()

    def fit(self, word: str, names: Names) -> Fit:
        """How well a word fits, see `Piece`."""
        if word.lower() == self.word or word in self.also:
            return Fit.KEYWORD
        return Fit.ABBREVIATION if matching(word, (self.word,)) else Fit.NOT

    def parse(self, cursor: Cursor, found: Arguments) -> None:
        """Read it, see `Piece`."""
        token = cursor.token
        if token is None:
            raise cursor.missing(self.expects())
        if not self.fit(token.text, cursor.names):
            wanted = alternatives(cursor.skipped + self.expects())
            raise Refusal(
                token.column, f"{quoted(token.text)} is not expected here", f"expected: {wanted}"
            )
        if self.key:
            found.put(self.key, self.value, token.column)
        cursor.advance()

    def expects(self) -> tuple[str, ...]:
        """What may stand at its start, see `Piece`."""
        return (f"`{self.word}`",)

    def usage(self) -> str:
        """How it is written, see `Piece`."""
        return self.word


@dataclass(frozen=True, slots=True)
class Argument(Piece):
    """A word of some kind.

    Args:
        key: the argument that it sets.
        kind: what kind of word.
    """

    key: str
    kind: Kind

    def fit(self, word: str, names: Names) -> Fit:
        """How well a word fits, see `Piece`."""
        return Fit.NOT if self.complaint(word, names) else Fit.VALUE

    def complaint(self, word: str, names: Names) -> str:
        """Why a word does not fit, see `Piece`."""
        try:
            self.kind.parse(word, names)
        except Mismatch as mismatch:
            return str(mismatch)
        return ""

    def parse(self, cursor: Cursor, found: Arguments) -> None:
        """Read it, see `Piece`."""
        token = cursor.token
        if token is None:
            raise cursor.missing(self.expects())
        try:
            value = self.kind.parse(token.text, cursor.names)
        except Mismatch as mismatch:
            wanted = alternatives(cursor.skipped + self.expects())
            raise Refusal(token.column, str(mismatch), f"expected: {wanted}") from None
        found.put(self.key, value, token.column)
        cursor.advance()

    def expects(self) -> tuple[str, ...]:
        """What may stand at its start, see `Piece`."""
        return (self.kind.expects,)

    def usage(self) -> str:
        """How it is written, see `Piece`."""
        return self.kind.label


@dataclass(frozen=True, slots=True)
class Text(Piece):
    """The rest of the line as it stands, blanks and all.

    Args:
        key: the argument that it sets.
        label: what stands for it in a usage line.
    """

    key: str
    label: str = "TEXT"

    def fit(self, word: str, names: Names) -> Fit:
        """How well a word fits, see `Piece`."""
        return Fit.VALUE

    def parse(self, cursor: Cursor, found: Arguments) -> None:
        """Read it, see `Piece`."""
        token = cursor.token
        if token is None:
            found.put(self.key, "", cursor.line.end)
            return
        found.put(self.key, cursor.line.text[token.column - 1 :].rstrip(), token.column)
        while cursor.token:
            cursor.advance()

    def expects(self) -> tuple[str, ...]:
        """What may stand at its start, see `Piece`."""
        return ("any text",)

    def usage(self) -> str:
        """How it is written, see `Piece`."""
        return f"[{self.label}]"


def _complaint(pieces: Iterable[Piece], word: str, names: Names) -> str:
    return next(filter(None, (piece.complaint(word, names) for piece in pieces)), "")


class Sequence(Piece):
    """Pieces one after the other; the first of several decides whether the whole fits."""

    def __init__(self, *pieces: Piece) -> None:
        self.pieces = pieces

    def fit(self, word: str, names: Names) -> Fit:
        """How well a word fits, see `Piece`."""
        return self.pieces[0].fit(word, names) if self.pieces else Fit.NOT

    def complaint(self, word: str, names: Names) -> str:
        """Why a word does not fit, see `Piece`."""
        return self.pieces[0].complaint(word, names) if self.pieces else ""

    def parse(self, cursor: Cursor, found: Arguments) -> None:
        """Read it, see `Piece`."""
        for piece in self.pieces:
            piece.parse(cursor, found)

    def expects(self) -> tuple[str, ...]:
        """What may stand at its start, see `Piece`."""
        return self.pieces[0].expects() if self.pieces else ()

    def usage(self) -> str:
        """How it is written, see `Piece`."""
        return " ".join(filter(None, (piece.usage() for piece in self.pieces)))


class _AnyOf(Piece):
    """Pieces, any of which may come first."""

    def __init__(self, *pieces: Piece) -> None:
        self.pieces = pieces

    def fit(self, word: str, names: Names) -> Fit:
        """How well a word fits, see `Piece`."""
        return max(piece.fit(word, names) for piece in self.pieces)

    def complaint(self, word: str, names: Names) -> str:
        """Why a word does not fit, see `Piece`."""
        return _complaint(self.pieces, word, names)

    def expects(self) -> tuple[str, ...]:
        """What may stand at its start, see `Piece`."""
        return tuple(word for piece in self.pieces for word in piece.expects())


class OneOf(_AnyOf):
    """Alternatives, each known by its first word."""

    def parse(self, cursor: Cursor, found: Arguments) -> None:
        """Read it, see `Piece`."""
        token = cursor.token
        if token is None:
            raise cursor.missing(self.expects())
        best = self.fit(token.text, cursor.names)
        chosen = [p for p in self.pieces if p.fit(token.text, cursor.names) is best]
        if best is Fit.NOT:
            complaint = self.complaint(token.text, cursor.names)
            problem = complaint or f"{quoted(token.text)} is not expected here"
            wanted = alternatives(cursor.skipped + self.expects())
            raise Refusal(token.column, problem, f"expected: {wanted}")
        if len(chosen) > 1:
            wanted = alternatives(tuple(word for p in chosen for word in p.expects()))
            raise Refusal(token.column, f"{quoted(token.text)} is ambiguous", f"write {wanted}")
        chosen[0].parse(cursor, found)

    def usage(self) -> str:
        """How it is written, see `Piece`."""
        return "{" + " | ".join(piece.usage() for piece in self.pieces) + "}"


class Options(_AnyOf):
    """Pieces that may each stand once or not at all, in any order."""

    def parse(self, cursor: Cursor, found: Arguments) -> None:
        """Read it, see `Piece`."""
        left = list(self.pieces)
        while left:
            token = cursor.token
            best = max(left, key=lambda p: p.fit(token.text, cursor.names)) if token else None
            if token is None or best is None or not best.fit(token.text, cursor.names):
                cursor.skipped += tuple(word for piece in left for word in piece.expects())
                if token:
                    cursor.complaint = _complaint(left, token.text, cursor.names)
                return
            best.parse(cursor, found)
            left.remove(best)

    def usage(self) -> str:
        """How it is written, see `Piece`."""
        return " ".join(f"[{piece.usage()}]" for piece in self.pieces)


@dataclass(frozen=True, slots=True)
class Combined(Piece):
    """A piece whose arguments together make one.

    Args:
        key: the argument that it sets.
        piece: the piece.
        make: makes the value out of the piece's own arguments.
    """

    key: str
    piece: Piece
    make: Callable[[Arguments], object] = field(repr=False)

    def fit(self, word: str, names: Names) -> Fit:
        """How well a word fits, see `Piece`."""
        return self.piece.fit(word, names)

    def complaint(self, word: str, names: Names) -> str:
        """Why a word does not fit, see `Piece`."""
        return self.piece.complaint(word, names)

    def parse(self, cursor: Cursor, found: Arguments) -> None:
        """Read it, see `Piece`."""
        column = cursor.token.column if cursor.token else cursor.line.end
        own = Arguments(found.place)
        self.piece.parse(cursor, own)
        found.put(self.key, self.make(own), column)

    def expects(self) -> tuple[str, ...]:
        """What may stand at its start, see `Piece`."""
        return self.piece.expects()

    def usage(self) -> str:
        """How it is written, see `Piece`."""
        return self.piece.usage()


@dataclass(frozen=True, slots=True)
class Labelled(Piece):
    """A piece that usage lines write in fewer words than it has.

    Args:
        label: what they write.
        piece: the piece.
    """

    label: str
    piece: Piece

    def fit(self, word: str, names: Names) -> Fit:
        """How well a word fits, see `Piece`."""
        return self.piece.fit(word, names)

    def complaint(self, word: str, names: Names) -> str:
        """Why a word does not fit, see `Piece`."""
        return self.piece.complaint(word, names)

    def parse(self, cursor: Cursor, found: Arguments) -> None:
        """Read it, see `Piece`."""
        self.piece.parse(cursor, found)

    def expects(self) -> tuple[str, ...]:
        """What may stand at its start, see `Piece`."""
        return self.piece.expects()

    def usage(self) -> str:
        """How it is written, see `Piece`."""
        return self.label


NOTHING = Sequence()
ANYTHING = Text("rest", "...")


def finish(cursor: Cursor, usage: Callable[[], str]) -> None:
    """Make sure that nothing follows.

    Args:
        cursor: after the last piece.
        usage: tells how the command is written; asked where that is to be said alone.

    Raises:
        Refusal: a word is left.
    """
    token = cursor.token
    if token is None:
        return
    expected = "".join(f"{word}, " for word in dict.fromkeys(cursor.skipped))
    raise Refusal(
        token.column,
        cursor.complaint or f"{quoted(token.text)} is not expected here",
        f"expected: {expected}or the end of the line; usage: {usage()}"
        if expected
        else f"the command ends before it; usage: {usage()}",
    )
