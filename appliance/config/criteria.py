"""What a `match` of an inspection map asks: how it is written and read."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from appliance.config.draft import Use
from appliance.config.grammar import (
    Argument,
    Arguments,
    Cursor,
    Fit,
    Keyword,
    OneOf,
    Options,
    Piece,
    Sequence,
)
from appliance.config.kinds import Integer, Names, Word, matching
from appliance.config.line import Refusal, alternatives, quoted
from appliance.smtp.esmtp_map import NUMBERED, WORDS, Criterion, Subject

MAP_NAME = Word("NAME", "a name", r"[!-~]{1,40}", "up to 40 characters without blanks")
"""The name of a map, a class or a regular expression."""

NOT_MASKABLE = (
    "only verbs and parameters of the reply to EHLO can be masked",
    "write `mask` for `match cmd verb` or `match ehlo-reply-parameter`, else another action",
)
"""The problem and the remedy of a `mask` for something else."""

_LIMIT = Integer(0, 0xFFFFFFFF, "N")


@dataclass(frozen=True, slots=True)
class _Words(Piece):
    """One or more of some words, in any order; each may be abbreviated.

    Args:
        subject: what they are words of: the argument "subject". They are the argument "words".
    """

    subject: Subject

    @property
    def _known(self) -> dict[str, str]:
        return {word.lower(): word for word in WORDS[self.subject]}

    def fit(self, word: str, names: Names) -> Fit:
        """How well a word fits, see `Piece`."""
        if word.lower() in self._known:
            return Fit.KEYWORD
        return Fit.ABBREVIATION if matching(word, tuple(self._known)) else Fit.NOT

    def parse(self, cursor: Cursor, found: Arguments) -> None:
        """Read them, see `Piece`."""
        known, chosen = self._known, set[str]()
        if cursor.token is None:
            raise cursor.missing(self.expects())
        found.put("subject", self.subject, cursor.token.column)
        while (token := cursor.token) is not None:
            fitting = matching(token.text, tuple(known))
            if len(fitting) != 1:
                trouble = "is ambiguous" if fitting else "is not expected here"
                wanted = alternatives(tuple(f"`{word}`" for word in fitting) or self.expects())
                raise Refusal(token.column, f"{quoted(token.text)} {trouble}", f"write {wanted}")
            chosen.add(known[fitting[0]])
            cursor.advance()
        words = tuple(word for word in known.values() if word in chosen)
        found.put("words", words, cursor.line.end)

    def expects(self) -> tuple[str, ...]:
        """What may stand at its start, see `Piece`."""
        return tuple(f"`{word}`" for word in self._known)

    def usage(self) -> str:
        """How it is written, see `Piece`."""
        return f"{{{' | '.join(self._known)}}} ..."


def _operand(subject: Subject) -> Piece:
    """What follows a subject."""
    if subject in NUMBERED:
        return Sequence(Keyword("gt", "subject", subject), Argument("limit", _LIMIT))
    if subject in WORDS:
        return _Words(subject)
    return Sequence(
        Keyword("regex", "subject", subject),
        OneOf(Sequence(Keyword("class"), Argument("class", MAP_NAME)), Argument("regex", MAP_NAME)),
    )


def _tree(subjects: Iterable[Subject], depth: int = 0) -> Piece:
    """Subjects by their words from one on, each followed by what it is compared with."""
    by_word: dict[str, list[Subject]] = {}
    pieces: list[Piece] = []
    for subject in subjects:
        words = subject.value.lower().split()
        if depth == len(words):
            pieces.append(_operand(subject))
        else:
            by_word.setdefault(words[depth], []).append(subject)
    for word, those in by_word.items():
        pieces.append(Sequence(Keyword(word), _tree(those, depth + 1)))
    return pieces[0] if len(pieces) == 1 else OneOf(*pieces)


CRITERION = Sequence(Options(Keyword("not", "not")), _tree(Subject))
"""What stands after `match`."""


def criterion(arguments: Arguments) -> tuple[Criterion, Use | None]:
    """What a `match` asks, and the regular expression or class of them that it names.

    Args:
        arguments: those of `CRITERION`.
    """
    regex, of_them = arguments.get("regex", str), arguments.get("class", str)
    name = regex or of_them or ""
    made = Criterion(
        arguments.need("subject", Subject),
        negated=bool(arguments.get("not", bool)),
        limit=arguments.get("limit", int) or 0,
        words=arguments.get("words", tuple) or (),
        regex=name,
        regex_class=of_them is not None,
    )
    where = arguments.where("class" if made.regex_class else "regex")
    return made, Use(name, where) if name else None
