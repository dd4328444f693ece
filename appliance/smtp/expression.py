"""Regular expressions as ASA's `regex` command has them, searched for in bytes.

The characters with a meaning are those of Cisco's table "regex Metacharacters" (Firewall CLI
Configuration Guide, "Configure Regular Expressions"). There is nothing in them that cannot be
compared byte by byte, so the time that a search takes is that of the bytes, whatever they are: a
sender cannot choose text that keeps the firewall busy.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

MAX_REPEAT = 255
"""The greatest number in `{x,y}`."""

MAX_STEPS = 1000
"""Steps that an expression may have when its repetitions are written out."""

MAX_SIZE = 50_000
"""Steps of all states that are remembered of one expression, some megabytes; past them the states
are found anew."""

_ANY = frozenset(range(256))
_CONTROLS = {"r": 0x0D, "n": 0x0A, "t": 0x09, "f": 0x0C}
_NEWLINE = 0x0A


class ExpressionError(Exception):
    """An expression that means nothing.

    Args:
        at: index of the character that is wrong.
        problem: what is wrong with it, one sentence without a final stop.
        remedy: what would be right.
    """

    def __init__(self, at: int, problem: str, remedy: str) -> None:
        super().__init__(problem)
        self.at = at
        self.problem = problem
        self.remedy = remedy


@dataclass(slots=True)
class _Step:
    """A step of an expression: a byte of some kinds, or the start of a line, or a fork.

    Args:
        bytes: what it takes; None for a step that takes nothing.
        next: the steps that may follow.
        line_start: whether it holds at the start of a line only.
    """

    bytes: frozenset[int] | None
    next: list[int]
    line_start: bool = False


class _Piece(NamedTuple):
    """Part of an expression: its first step, and the steps whose next one is still open."""

    first: int
    open: tuple[int, ...]


class _Parser:
    """Reads an expression into steps."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.steps: list[_Step] = []

    def parse(self) -> tuple[int, int]:
        """The first step and the last one, which means that the expression is found."""
        piece = self._alternatives()
        if self.at < len(self.text):
            raise ExpressionError(self.at, "`)` closes nothing", r"write `\)` for the character")
        end = self._step(None)
        self._connect(piece, end)
        return piece.first, end

    def _step(self, taken: frozenset[int] | None, *following: int, line_start: bool = False) -> int:
        if len(self.steps) == MAX_STEPS:
            raise ExpressionError(self.at, "the expression is too large", "repeat less of it")
        self.steps.append(_Step(taken, list(following), line_start))
        return len(self.steps) - 1

    def _connect(self, piece: _Piece, step: int) -> None:
        for each in piece.open:
            self.steps[each].next.append(step)

    def _peek(self) -> str:
        return self.text[self.at : self.at + 1]

    def _alternatives(self) -> _Piece:
        found = [self._sequence()]
        while self._peek() == "|":
            self.at += 1
            found.append(self._sequence())
        if len(found) == 1:
            return found[0]
        fork = self._step(None, *(piece.first for piece in found))
        return _Piece(fork, tuple(each for piece in found for each in piece.open))

    def _sequence(self) -> _Piece:
        start = self._step(None)
        whole = _Piece(start, (start,))
        while self._peek() and self._peek() not in "|)":
            piece = self._repeated()
            self._connect(whole, piece.first)
            whole = _Piece(start, piece.open)
        return whole

    def _repeated(self) -> _Piece:
        begin = self.at
        piece = self._atom()
        while (sign := self._peek()) and sign in "?*+{":
            low, high = self._counts()
            end = self.at
            copies = [piece]
            # Each further copy is read again: steps are not copied.
            for _ in range(max(low, high or 0, 1) - 1):
                self.at = begin
                copies.append(self._atom())
            self.at = end
            piece = self._joined(copies, low, high)
            if (more := self._peek()) and more in "?*+{":
                raise ExpressionError(
                    self.at, f"`{more}` repeats a repetition", "put what is repeated in `( )`"
                )
        return piece

    def _counts(self) -> tuple[int, int | None]:
        """How often the piece before may stand, None for no end."""
        sign, start = self._peek(), self.at
        self.at += 1
        if sign != "{":
            return {"?": (0, 1), "*": (0, None), "+": (1, None)}[sign]
        close = self.text.find("}", self.at)
        inner = self.text[self.at : close] if close >= 0 else ""
        low, comma, high = inner.partition(",")
        numbers = [low, high] if high else [low]
        if not all(n.isascii() and n.isdigit() and int(n) <= MAX_REPEAT for n in numbers):
            raise ExpressionError(
                start,
                "`{` begins no number of repetitions",
                f"write `{{x}}`, `{{x,}}` or `{{x,y}}` with numbers up to {MAX_REPEAT}, or `\\{{` "
                "for the character",
            )
        self.at = close + 1
        least = int(low)
        most = int(high) if high else None if comma else least
        if most is not None and (most < least or most == 0):
            raise ExpressionError(start, f"`{{{inner}}}` is no number of repetitions", "swap them")
        return least, most

    def _joined(self, copies: list[_Piece], low: int, high: int | None) -> _Piece:
        """Copies of a piece one after the other; those past `low` may be left out."""
        start = self._step(None)
        whole = _Piece(start, (start,))
        ends: tuple[int, ...] = ()
        for number, piece in enumerate(copies):
            if number >= low:
                ends += whole.open
            self._connect(whole, piece.first)
            whole = _Piece(start, piece.open)
        if high is None:
            again = self._step(None, copies[-1].first)
            self._connect(whole, again)
            whole = _Piece(start, (again,))
        return _Piece(start, (*whole.open, *ends))

    def _atom(self) -> _Piece:
        start, sign = self.at, self._peek()
        self.at += 1
        match sign:
            case "(":
                piece = self._alternatives()
                if self._peek() != ")":
                    raise ExpressionError(
                        start, "`(` is not closed", r"write `)`, or `\(` for the character"
                    )
                self.at += 1
                return piece
            case "?" | "*" | "+" | "{":
                raise ExpressionError(
                    start, f"`{sign}` repeats nothing", rf"write `\{sign}` for the character"
                )
            case "^":
                step = self._step(None, line_start=True)
            case ".":
                step = self._step(_ANY)
            case "[":
                step = self._step(self._class(start))
            case _:
                self.at = start
                step = self._step(frozenset({self._character()}))
        return _Piece(step, (step,))

    def _class(self, start: int) -> frozenset[int]:
        negated = self._peek() == "^"
        self.at += negated
        found: set[int] = set()
        first = self.at
        while self._peek() != "]" or self.at == first:
            if not self._peek():
                raise ExpressionError(
                    start, "`[` is not closed", r"write `]`, or `\[` for the character"
                )
            at, low = self.at, self._character()
            high = low
            if self._peek() == "-" and self.text[self.at + 1 : self.at + 2] not in ("]", ""):
                self.at += 1
                high = self._character()
            if high < low:
                raise ExpressionError(at, "the range ends before it starts", "swap its ends")
            found.update(range(low, high + 1))
        self.at += 1
        return _ANY - found if negated else frozenset(found)

    def _character(self) -> int:
        """One character, which may be escaped."""
        start, character = self.at, self._peek()
        self.at += 1
        if character == "\\":
            return self._escaped(start)
        return self._byte(start, character)

    def _escaped(self, start: int) -> int:
        character = self._peek()
        self.at += 1
        if not character:
            raise ExpressionError(start, "`\\` escapes nothing", r"write `\\` for the character")
        if character in _CONTROLS:
            return _CONTROLS[character]
        digits = 2 if character == "x" else 3
        base = 16 if character == "x" else 8
        if character == "x" or character.isdigit():
            first = self.at if character == "x" else self.at - 1
            number = self.text[first : first + digits]
            self.at = first + digits
            try:
                value = int(number, base) if len(number) == digits and number.isalnum() else 256
            except ValueError:
                value = 256
            if value > 0xFF:
                raise ExpressionError(
                    start, r"`\` begins no number of a byte", r"write `\xNN` or, octal, `\NNN`"
                )
            return value
        return self._byte(start, character)

    def _byte(self, at: int, character: str) -> int:
        if not character.isascii():
            raise ExpressionError(at, "the character is not of ASCII", r"write its bytes as `\xNN`")
        return ord(character)


class _State:
    """How far a search has got.

    Args:
        steps: all steps that it has got to.
        found: whether the last step is among them.
    """

    __slots__ = ("found", "moves", "steps")

    def __init__(self, steps: frozenset[int], found: bool) -> None:
        self.steps = steps
        self.found = found
        self.moves: dict[int, _State] = {}
        """Where bytes have led from here."""


class _Machine:
    """Searches bytes for an expression: all ways that it can go at once, a byte at a time."""

    def __init__(self, text: str) -> None:
        parser = _Parser(text)
        self._first, self._end = parser.parse()
        self._steps = parser.steps
        self._states: dict[frozenset[int], _State] = {}
        self._size = 0  # of all states, in steps
        self._begin = self._state(self._reached((self._first,), line_start=True))

    def search(self, data: bytes) -> bool:
        state = self._begin
        for byte in data:
            if state.found:
                break
            state = state.moves.get(byte) or self._moved(state, byte)
        return state.found

    def _moved(self, state: _State, byte: int) -> _State:
        before = (self._steps[number] for number in state.steps)
        after = [n for step in before if step.bytes and byte in step.bytes for n in step.next]
        # It may begin anywhere, so at the next byte, too.
        steps = self._reached((self._first, *after), line_start=byte == _NEWLINE)
        if self._size > MAX_SIZE:
            # The states that are in use elsewhere go on, and are forgotten with their last use.
            self._states.clear()
            self._begin.moves.clear()
            state.moves.clear()
            self._size = 0
        state.moves[byte] = self._state(steps)
        return state.moves[byte]

    def _state(self, steps: frozenset[int]) -> _State:
        known = self._states.get(steps)
        if known is None:
            known = self._states[steps] = _State(steps, self._end in steps)
            self._size += len(steps) + 1
        return known

    def _reached(self, steps: Iterable[int], line_start: bool) -> frozenset[int]:
        """The steps, and those that nothing need be taken to get to."""
        left, found = list(steps), set[int]()
        while left:
            number = left.pop()
            step = self._steps[number]
            if number in found or (step.line_start and not line_start):
                continue
            found.add(number)
            if step.bytes is None:
                left += step.next
        return frozenset(found)


_compiled = lru_cache(maxsize=1024)(_Machine)


@dataclass(frozen=True, slots=True)
class Expression:
    """`regex NAME EXPRESSION`.

    Args:
        name: its name.
        text: the expression, without the quotes around it.

    Raises:
        ExpressionError: it means nothing.
    """

    name: str
    text: str
    _machine: _Machine = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_machine", _compiled(self.text))

    def __reduce__(self) -> tuple[type[Expression], tuple[str, str]]:
        """How it is handed over: what a search has remembered stays behind."""
        return Expression, (self.name, self.text)

    def search(self, data: bytes) -> bool:
        """Whether it is found anywhere in some bytes; case counts."""
        return self._machine.search(data)
