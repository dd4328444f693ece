"""What an inspection map says to what is seen in one connection."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from appliance.events import Kind
from appliance.smtp.esmtp_map import (
    EHLO_PARAMETERS,
    ENCODINGS,
    NUMBERED,
    OTHERS,
    Act,
    Action,
    Criterion,
    EsmtpClass,
    EsmtpMap,
    Row,
    Subject,
)
from appliance.smtp.message import CONTENT, PARTS
from appliance.smtp.observation import Observation
from appliance.smtp.release import EHLO_KEYWORDS, STARTTLS, Extensions, Release
from appliance.smtp.ruling import Refusal, Remark
from appliance.smtp.tally import MapTally

LINE = frozenset({Subject.VERB, Subject.COMMAND_LINE_LENGTH, Subject.EHLO_PARAMETER})
"""Subjects that are looked for in each line anew; all others belong to a mail."""

_REFUSALS = {
    Act.DROP_CONNECTION: Refusal.DROP,
    Act.RESET: Refusal.RESET,
    Act.RATE_LIMIT: Refusal.EXCESS,
}
_EXTENSIONS = {keyword: word for word, keyword in EHLO_PARAMETERS.items()}


@dataclass(frozen=True, slots=True)
class Plan:
    """An inspection map, sorted by what it looks at.

    Args:
        rows: its rows.
        by_subject: of each subject, the criteria that ask about it, as row and place in the row.
        limits: of each subject, what it is compared with.
        lines: the rows that ask about single lines alone.
        masking: the rows that mask something.
        content: whether any looks at a mail's content.
        parts: whether any looks at the parts of a mail.
        rates: whether any limits a rate.
    """

    rows: tuple[Row, ...]
    by_subject: Mapping[Subject, tuple[tuple[int, int], ...]]
    limits: Mapping[Subject, tuple[int, ...]]
    lines: frozenset[int]
    masking: frozenset[int]
    content: bool
    parts: bool
    rates: bool


@lru_cache(maxsize=64)
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
    return Plan(
        rows=esmtp_map.rows,
        by_subject={subject: tuple(found) for subject, found in by_subject.items()},
        limits={subject: tuple(found) for subject, found in limits.items()},
        lines=frozenset(
            number
            for number, row in enumerate(esmtp_map.rows)
            if all(criterion.subject in LINE for criterion in row.criteria)
        ),
        masking=frozenset(number for number, act in enumerate(acts) if act is Act.MASK),
        content=not CONTENT.isdisjoint(by_subject),
        parts=not PARTS.isdisjoint(by_subject),
        rates=Act.RATE_LIMIT in acts,
    )


class Matching:
    """Compares what is seen in one connection with its inspection map, row by row.

    A row matches a mail at most once, or a line where it asks about lines alone. All that a class
    with `match-all` asks must be found in one mail, and in one line what is asked about lines.

    Args:
        tally: the map and its counters.

    Attributes:
        refusal: set when what was seen must not be forwarded.
    """

    __slots__ = ("_fired", "_met", "plan", "refusal", "tally")

    def __init__(self, tally: MapTally) -> None:
        self.tally = tally
        self.plan = plan(tally.esmtp_map)
        self.refusal: Refusal | None = None
        self._met: set[tuple[int, int]] = set()  # criteria of classes of which all must be met
        self._fired: set[int] = set()

    @property
    def esmtp_map(self) -> EsmtpMap:
        """The map."""
        return self.tally.esmtp_map

    def begin_line(self) -> None:
        """Another command, or line of a reply, begins."""
        self._fired -= self.plan.lines
        self._met = {each for each in self._met if self._criterion(each).subject not in LINE}

    def begin_mail(self) -> None:
        """What comes belongs to another mail."""
        self._fired.clear()
        self._met.clear()

    def see(self, seen: Observation, remarks: list[Remark]) -> None:
        """Compare something seen with all that asks about it, in order.

        Args:
            seen: what is seen.
            remarks: is given what matched.
        """
        for row, place in self.plan.by_subject.get(seen.subject, ()):
            if self.refusal:
                return
            if row not in self._fired and self._meets(row, place, seen, self._met):
                self._fired.add(row)
                self._act(row, seen.at, remarks)

    def violates(
        self, kind: str, action: Action, at: int, detail: str, remarks: list[Remark]
    ) -> None:
        """Something that a parameter of the map forbids.

        Args:
            kind: the parameter's name.
            action: what it has done.
            at: index of the byte that made it known.
            detail: what is wrong.
            remarks: is given the remark that tells of it.
        """
        if self.refusal is None:
            remarks.append(Remark(Kind.PARAMETER, at, detail=f"{kind}: {detail}", action=action))
            self.refusal = _REFUSALS.get(action.act)

    def verbs(self, release: Release) -> frozenset[bytes]:
        """The verbs that pass now, of those that a release lets through."""
        if Subject.VERB not in self.plan.by_subject or not self.plan.masking:
            return release.verbs
        return frozenset(v for v in release.verbs if not self._masks(Subject.VERB, v))

    def extensions(self, release: Release) -> Extensions:
        """The service extensions that stay in the reply to EHLO now."""
        allowed = release.ehlo_keywords or frozenset()
        kept = frozenset(k for k in EHLO_KEYWORDS if not self._masks(Subject.EHLO_PARAMETER, k))
        # `others` is none of the names, and allow-tls alone says what becomes of STARTTLS.
        others = not self._masks(Subject.EHLO_PARAMETER, OTHERS.encode())
        return Extensions(kept | (allowed & STARTTLS), others)

    def _masks(self, subject: Subject, word: bytes) -> bool:
        seen = Observation(subject, 0, texts=(word,))
        return any(
            row in self.plan.masking and self._meets(row, place, seen, set(self._met))
            for row, place in self.plan.by_subject.get(subject, ())
        )

    def _criterion(self, each: tuple[int, int]) -> Criterion:
        row, place = each
        return self.plan.rows[row].criteria[place]

    def _meets(self, row: int, place: int, seen: Observation, met: set[tuple[int, int]]) -> bool:
        """Whether a row matches with what is seen, and what else has been met."""
        if not _holds(self._criterion((row, place)), seen):
            return False
        asked = self.plan.rows[row].asked
        if not isinstance(asked, EsmtpClass) or asked.any:
            return True
        met.add((row, place))
        return all((row, other) in met for other in range(len(asked.criteria)))

    def _act(self, number: int, at: int, remarks: list[Remark]) -> None:
        row = self.plan.rows[number]
        action = row.action
        self.tally.rows[number] += 1
        if action.act is Act.RATE_LIMIT and not self.tally.exceeds(number, action.rate):
            return
        self.refusal = _REFUSALS.get(action.act)
        if self.refusal or action.log:
            detail = f"matched Class {number + 1}: {row.text}"
            remarks.append(Remark(Kind.MATCHED, at, detail=detail, action=action))


def _holds(criterion: Criterion, seen: Observation) -> bool:
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
