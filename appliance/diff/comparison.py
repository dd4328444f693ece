"""Two configurations, compared by what becomes of packets."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

from appliance.admission import Opening
from appliance.config.helpers import Helped
from appliance.config.model import Configuration
from appliance.config.printing import printed
from appliance.policy.policy import Decision, Phase, Policy, Step


class Change(Enum):
    """How the fate of a packet changes; of several, the first."""

    PERMITTED = "now permitted"
    DENIED = "now denied"
    TRANSLATED = "translated otherwise"
    INSPECTED = "inspected otherwise"
    HELPED = "read otherwise by the kernel"


@dataclass(frozen=True, slots=True)
class Difference:
    """A packet that fares differently.

    Args:
        packet: the packet.
        change: how.
        old: what the old policy says.
        new: what the new one does.
    """

    packet: Opening
    change: Change
    old: Decision
    new: Decision

    @property
    def deciding(self) -> tuple[Step | None, Step | None]:
        """The steps that part, the old and the new one; None where there is no such step."""
        match self.change:
            case Change.PERMITTED:
                denied = self.old.steps[-1]
                return denied, _answering(self.new, denied)
            case Change.DENIED:
                denied = self.new.steps[-1]
                return _answering(self.old, denied), denied
            case Change.TRANSLATED:
                phase = Phase.TRANSLATION
            case Change.INSPECTED:
                phase = Phase.FIXUP
            case Change.HELPED:
                phase = Phase.HELPER
        return _step(self.old, phase), _step(self.new, phase)


def _answering(decision: Decision, denied: Step) -> Step:
    """The step of a decision that permits what another one's step denied."""
    same = _step(decision, denied.phase)
    if same is None and denied.phase in _PERMITS:
        same = next((each for each in decision.steps if each.phase in _PERMITS), None)
    return same or decision.steps[-1]


_PERMITS = (Phase.ACCESS_LIST, Phase.CONDUIT, Phase.LEVELS)


def _step(decision: Decision, phase: Phase) -> Step | None:
    return next((each for each in decision.steps if each.phase is phase), None)


class _Key(NamedTuple):
    """What the packets of a group have in common."""

    change: Change
    ends: tuple[str, str]
    outcome: tuple[str, str]
    old: Step | None
    new: Step | None


@dataclass(frozen=True, slots=True)
class Group:
    """Packets that fare differently for the same reason.

    Args:
        change: how.
        ends: the interfaces that they come in and would go out by.
        old: the step that decides by the old file, None for none.
        new: likewise, by the new one.
        differences: the packets.
    """

    change: Change
    ends: tuple[str, str]
    old: Step | None
    new: Step | None
    differences: tuple[Difference, ...]


def compare(old: Policy, new: Policy, packets: Iterable[Opening]) -> tuple[Group, ...]:
    """The packets that fare differently under two policies, in groups.

    Args:
        old: one policy.
        new: the other one.
        packets: those to try.
    """
    groups: dict[_Key, list[Difference]] = {}
    for packet in packets:
        before, after = old.decide(packet), new.decide(packet)
        change = changed(before, after)
        if change is None:
            continue
        difference = Difference(packet, change, before, after)
        admission = (after if change is Change.PERMITTED else before).admission
        ends = (admission.client.interface, admission.server.interface)
        outcome = (_inspection(before), _inspection(after))
        key = _Key(change, ends, outcome, *difference.deciding)
        groups.setdefault(key, []).append(difference)
    found = (Group(k.change, k.ends, k.old, k.new, tuple(each)) for k, each in groups.items())
    order = list(Change)
    return tuple(sorted(found, key=lambda each: order.index(each.change)))


def changed(old: Decision, new: Decision) -> Change | None:
    """How two answers differ; None if a packet fares the same.

    Args:
        old: the old policy's.
        new: the new one's.
    """
    before, after = old.admission, new.admission
    if before.denial or after.denial:
        if before.denial and after.denial:
            return None
        return Change.PERMITTED if before.denial else Change.DENIED
    if (before.client, before.server) != (after.client, after.server):
        return Change.TRANSLATED
    if _inspection(old) != _inspection(new):
        return Change.INSPECTED
    return Change.HELPED if _helped(old) != _helped(new) else None


def _inspection(decision: Decision) -> str:
    inspection = decision.admission.inspection
    return inspection.name if inspection else ""


def _helped(decision: Decision) -> Helped | None:
    return decision.helped.helped if decision.helped else None


def besides(old: Configuration, new: Configuration) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The lines about the log and timeouts that only one of two configurations has.

    Args:
        old: one configuration.
        new: the other one.
    """
    words: tuple[str, ...] = ("timeout", "no timeout")
    if old.logging != new.logging:
        words += ("logging", "no logging")
    lines = [
        [line.rstrip() for line in printed(each) if line.startswith(words)] for each in (old, new)
    ]
    gone = tuple(line for line in lines[0] if line not in lines[1])
    come = tuple(line for line in lines[1] if line not in lines[0])
    return gone, come
