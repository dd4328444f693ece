"""What an inspection map says to what is seen in one connection."""

from __future__ import annotations

from dataclasses import replace

from mypy_extensions import mypyc_attr

from appliance.events import Kind
from appliance.smtp.esmtp_map import Act, Action, Criterion, EsmtpMap, Subject
from appliance.smtp.observation import Observation
from appliance.smtp.plan import LINE, Plan, asks_all, holds, stay
from appliance.smtp.release import STARTTLS, Extensions, Release
from appliance.smtp.ruling import Refusal, Remark
from appliance.smtp.tally import MapTally

_REFUSALS = {
    Act.DROP_CONNECTION: Refusal.DROP,
    Act.RESET: Refusal.RESET,
    Act.RATE_LIMIT: Refusal.EXCESS,
}

_NONE_MET: frozenset[tuple[int, int]] = frozenset()
_NONE_FIRED: frozenset[int] = frozenset()


@mypyc_attr(allow_interpreted_subclasses=True, serializable=True)
class Matching:
    """Compares what is seen in one connection with its inspection map, row by row.

    A row matches a mail at most once, or a line where it asks about lines alone. All that a class
    with `match-all` asks must be found in one mail, and in one line what is asked about lines.

    Args:
        tally: the map and its counters.

    Attributes:
        refusal: set when what was seen must not be forwarded.
    """

    __slots__ = ("_fired", "_met", "refusal", "tally")

    def __init__(self, tally: MapTally) -> None:
        self.tally = tally
        self.refusal: Refusal | None = None
        # Criteria of classes of which all must be met, and rows; mostly none, which takes nothing.
        self._met: frozenset[tuple[int, int]] = _NONE_MET
        self._fired: frozenset[int] = _NONE_FIRED

    @property
    def esmtp_map(self) -> EsmtpMap:
        """The map."""
        return self.tally.esmtp_map

    @property
    def plan(self) -> Plan:
        """The same, sorted."""
        return self.tally.plan

    def begin_line(self) -> None:
        """Another command, or line of a reply, begins."""
        if self._fired:
            self._fired -= self.plan.lines
        if self._met:
            self._met = frozenset(
                each for each in self._met if self._criterion(each).subject not in LINE
            )

    def begin_mail(self) -> None:
        """What comes belongs to another mail."""
        self._met = _NONE_MET
        self._fired = _NONE_FIRED

    def see(self, seen: Observation, remarks: list[Remark]) -> None:
        """Compare something seen with all that asks about it, in order.

        Args:
            seen: what is seen.
            remarks: is given what matched.
        """
        for row, place in self.plan.by_subject.get(seen.subject, ()):
            if self.refusal:
                return
            if row in self._fired or not holds(self._criterion((row, place)), seen):
                continue
            if asks_all(self.plan.rows[row]):
                self._met |= {(row, place)}
            if self._all_met(row, self._met):
                self._fired |= {row}
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
        if not self.plan.verbs:
            return release.verbs
        return frozenset(v for v in release.verbs if not self._masks(Subject.VERB, v))

    def extensions(self, release: Release) -> Extensions:
        """The service extensions that stay in the reply to EHLO now."""
        extensions = self.plan.extensions
        if extensions is None:
            extensions = stay(lambda word: self._masks(Subject.EHLO_PARAMETER, word))
        # allow-tls alone says what becomes of STARTTLS.
        allowed = STARTTLS & (release.ehlo_keywords or frozenset())
        return replace(extensions, kept=extensions.kept | allowed) if allowed else extensions

    def _masks(self, subject: Subject, word: bytes) -> bool:
        seen = Observation(subject, 0, texts=(word,))
        return any(
            row in self.plan.masking
            and holds(self._criterion((row, place)), seen)
            and self._all_met(row, self._met | {(row, place)})
            for row, place in self.plan.by_subject.get(subject, ())
        )

    def _criterion(self, each: tuple[int, int]) -> Criterion:
        row, place = each
        return self.plan.rows[row].criteria[place]

    def _all_met(self, row: int, met: frozenset[tuple[int, int]]) -> bool:
        """Whether a row of which a criterion is met matches, with what else has been met."""
        asked = self.plan.rows[row]
        return not asks_all(asked) or all((row, at) in met for at in range(len(asked.criteria)))

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
