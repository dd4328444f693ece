"""Whether a converted configuration does with packets what the one that it is made of does."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from appliance.admission import Opening
from appliance.config.load import read_rules
from appliance.config.model import Configuration
from appliance.config.printing import printed
from appliance.convert.conversion import convert
from appliance.convert.loss import Loss
from appliance.convert.packets import between
from appliance.diff.comparison import Change, Group, compare
from appliance.diff.packets import firsts, sample
from appliance.errors import PixguardError, Place, Severity
from appliance.policy.judgement import policy_of
from appliance.policy.policy import Phase
from appliance.smtp.release import choose
from appliance.trace.packet import Packet
from appliance.trace.trace import described

_MOST_ATTEMPTS = 20
_MOST_PACKETS = 2_000
"""Example packets that both configurations judge, of all lines together."""
_OF_EACH_LINE = 4
"""Those of each line that they judge, too, of up to 2,500 lines."""


@dataclass(frozen=True, slots=True)
class Proven:
    """A converted configuration, read back and tried.

    Args:
        configuration: as it is read back.
        lines: as it is printed.
        losses: what it does not say, and which packets fare otherwise for another reason.
    """

    configuration: Configuration
    lines: tuple[str, ...]
    losses: tuple[Loss, ...]


def proven(configuration: Configuration, target: str) -> Proven:
    """Convert a configuration, read what is printed, and try both with packets.

    Args:
        configuration: what a rule file says.
        target: the version, one of `conversion.TARGETS`.

    Raises:
        PixguardError: a translation that cannot translate anything as written, or a result that
            cannot be read.
    """
    conversion = convert(configuration, target)
    losses = list(conversion.losses)
    lines = printed(conversion.configuration)
    for _ in range(_MOST_ATTEMPTS):
        reading = read_rules("".join(f"{line}\n" for line in lines), "")
        if reading.configuration:
            break
        wrong = {
            finding.place.line: finding
            for finding in reading.findings
            if finding.severity is Severity.ERROR
        }
        losses += [
            Loss(None, lines[number - 1].strip(), f"left out: {finding.problem}")
            for number, finding in wrong.items()
        ]
        lines = [line for number, line in enumerate(lines, 1) if number not in wrong]
    if reading.configuration is None:
        raise PixguardError(f"it cannot be said in {target}: {reading.findings[0].problem}")
    made = reading.configuration
    packets = dict.fromkeys(sample(configuration, made, _MOST_PACKETS).packets)
    packets |= dict.fromkeys(firsts(configuration, made, _OF_EACH_LINE))
    packets |= dict.fromkeys(between(configuration, _MOST_PACKETS))
    losses += unlike(configuration, made, packets)
    return Proven(made, tuple(printed(made)), tuple(dict.fromkeys(losses)))


def unlike(old: Configuration, new: Configuration, packets: Iterable[Opening]) -> Iterator[Loss]:
    """The packets that fare otherwise, a loss for each reason.

    Args:
        old: a configuration.
        new: what it has been converted to.
        packets: those to try.

    Raises:
        PixguardError: a translation that cannot translate anything as written.
    """
    # One release for both, since how mail is inspected is another matter than whether it is.
    release = choose(old.version, None)
    reasons: dict[tuple[Change, tuple[str, str], Place | None], list[Group]] = {}
    for group in compare(policy_of(old, release), policy_of(new, release), packets):
        place = _line(old, new, group)
        reasons.setdefault((group.change, group.ends, place), []).append(group)
    for (_, _, place), groups in reasons.items():
        yield _loss(place, groups)


def _line(old: Configuration, new: Configuration, group: Group) -> Place | None:
    """The line of the old file that is to blame, that of an interface where only levels decide."""
    decision = group.differences[0].old
    interfaces = {each.name: each for each in old.interfaces}
    ingress, egress = (interfaces.get(name) for name in group.ends)
    if group.change is Change.DENIED and ingress and egress:
        if ingress == egress and not new.hairpins_pass:
            return old.hairpins_place
        if ingress != egress and ingress.level == egress.level and not new.equals_pass:
            return old.equals_place
    if group.change is Change.INSPECTED:
        policies = {each.interface: each.place for each in old.service_policies}
        port = decision.admission.server.port
        for each in old.inspections:
            if any(low <= port <= high for low, high in each.ports):
                return policies.get(each.interface)
    if group.old and group.old.place:
        return group.old.place
    untranslated = (e.place for e in decision.steps if e.phase is Phase.UNTRANSLATION)
    return next(untranslated, None) or (ingress.place if ingress else None)


def _loss(place: Place | None, groups: list[Group]) -> Loss:
    group = groups[0]
    example = group.differences[0].packet
    packet = described(Packet(example, max(0, example.icmp_type) << 8))
    more = sum(len(each.differences) for each in groups) - 1
    others = f" and {more} like it" if more else ""
    came, went = (end or "nowhere" for end in group.ends)
    why = group.new.why if group.new else "not inspected"
    return Loss(
        place,
        f"what becomes of {packet}{others}, from {came} to {went}",
        f"{group.change.value}: {why}",
    )
