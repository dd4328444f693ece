"""An inspection map, sorted by what it looks at, and what each of its criteria asks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from appliance.smtp.esmtp_map import (
    EHLO_PARAMETERS,
    ENCODINGS,
    NUMBERED,
    OTHERS,
    Act,
    Criterion,
    EsmtpClass,
    EsmtpMap,
    Row,
    Subject,
)
from appliance.smtp.message import CONTENT, PARTS
from appliance.smtp.observation import Observation
from appliance.smtp.release import EHLO_KEYWORDS, Extensions

LINE = frozenset({Subject.VERB, Subject.COMMAND_LINE_LENGTH, Subject.EHLO_PARAMETER})
"""Subjects that are looked for in each line anew; all others belong to a mail."""

_EXTENSIONS = {keyword: word for word, keyword in EHLO_PARAMETERS.items()}


@dataclass(frozen=True, slots=True)
class Plan:
    """An inspection map, sorted by what it looks at.

    Args:
        rows: its rows.
        by_subject: of each subject, the criteria that ask about it, as row and place in the row.
        limits: of each subject, what it is compared with, ascending.
        lines: the rows that ask about single lines alone.
        masking: the rows that mask something.
        verbs: whether any masks verbs.
        extensions: what stays in the reply to EHLO, STARTTLS aside; None where that depends on what
            else has been met.
        content: whether any looks at a mail's content.
        parts: whether any looks at the parts of a mail.
        rates: whether any limits a rate.
    """

    rows: tuple[Row, ...]
    by_subject: Mapping[Subject, tuple[tuple[int, int], ...]]
    limits: Mapping[Subject, tuple[int, ...]]
    lines: frozenset[int]
    masking: frozenset[int]
    verbs: bool
    extensions: Extensions | None
    content: bool
    parts: bool
    rates: bool


def plan(esmtp_map: EsmtpMap) -> Plan:
    """Sort a map by what it looks at."""
    by_subject: dict[Subject, list[tuple[int, int]]] = {}
    limits: dict[Subject, list[int]] = {}
    for number, row in enumerate(esmtp_map.rows):
        for place, criterion in enumerate(row.criteria):
            by_subject.setdefault(criterion.subject, []).append((number, place))
            if criterion.subject in NUMBERED:
                limits.setdefault(criterion.subject, []).append(criterion.limit)
    acts = [row.action.act for row in esmtp_map.rows]
    masking = [row for row in esmtp_map.rows if row.action.act is Act.MASK]
    masked = {criterion.subject for row in masking for criterion in row.criteria}
    depends = any(asks_all(row) for row in masking)
    return Plan(
        rows=esmtp_map.rows,
        by_subject={subject: tuple(found) for subject, found in by_subject.items()},
        limits={subject: tuple(sorted(set(found))) for subject, found in limits.items()},
        lines=frozenset(
            number
            for number, row in enumerate(esmtp_map.rows)
            if all(criterion.subject in LINE for criterion in row.criteria)
        ),
        masking=frozenset(number for number, act in enumerate(acts) if act is Act.MASK),
        verbs=Subject.VERB in masked,
        extensions=None if depends else stay(lambda word: _masks(masking, word)),
        content=not CONTENT.isdisjoint(by_subject),
        parts=not PARTS.isdisjoint(by_subject),
        rates=Act.RATE_LIMIT in acts,
    )


def asks_all(row: Row) -> bool:
    """Whether several criteria must be met for a row to match."""
    return isinstance(row.asked, EsmtpClass) and not row.asked.any


def stay(masks: Callable[[bytes], bool]) -> Extensions:
    """What stays in the reply to EHLO, by what says whether a keyword is masked."""
    kept = frozenset(keyword for keyword in EHLO_KEYWORDS if not masks(keyword))
    return Extensions(kept, others=not masks(OTHERS.encode()))


def _masks(rows: Iterable[Row], keyword: bytes) -> bool:
    """Whether one of these rows, each of which asks for one thing, masks a keyword."""
    seen = Observation(Subject.EHLO_PARAMETER, 0, texts=(keyword,))
    asked = (criterion for row in rows for criterion in row.criteria)
    return any(each.subject is Subject.EHLO_PARAMETER and holds(each, seen) for each in asked)


def holds(criterion: Criterion, seen: Observation) -> bool:
    """Whether something seen is what a criterion asks."""
    if criterion.subject in NUMBERED:
        if seen.number > criterion.limit:
            return not criterion.negated
        return criterion.negated and seen.complete
    if criterion.expressions or criterion.regex:
        found = any(each.search(text) for each in criterion.expressions for text in seen.texts)
        return found if not criterion.negated else seen.complete and not found
    return _named(criterion, seen.texts[0]) != criterion.negated


def _named(criterion: Criterion, text: bytes) -> bool:
    """Whether one of a criterion's words means a text."""
    match criterion.subject:
        case Subject.EHLO_PARAMETER:
            word = _EXTENSIONS.get(text, OTHERS)
        case Subject.ENCODING:
            word = text.decode("latin-1")
            word = word if word in ENCODINGS else OTHERS
        case _:
            word = text.decode("latin-1")
    return word in criterion.words
