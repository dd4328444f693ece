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
        self._met: set[tuple[int, int]] = set()  # criteria of classes of which all must be met
        self._fired: set[int] = set()

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
        self._fired -= self.plan.lines
        if self._met:
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
            row in self.plan.masking and self._meets(row, place, seen, set(self._met))
            for row, place in self.plan.by_subject.get(subject, ())
        )

    def _criterion(self, each: tuple[int, int]) -> Criterion:
        row, place = each
        return self.plan.rows[row].criteria[place]

    def _meets(self, row: int, place: int, seen: Observation, met: set[tuple[int, int]]) -> bool:
        """Whether a row matches with what is seen, and what else has been met."""
        if not holds(self._criterion((row, place)), seen):
            return False
        if not asks_all(self.plan.rows[row]):
            return True
        met.add((row, place))
        return all((row, other) in met for other in range(len(self.plan.rows[row].criteria)))

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
