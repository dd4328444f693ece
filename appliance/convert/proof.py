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
from appliance.diff.comparison import Group, compare
from appliance.diff.packets import sample
from appliance.errors import PixguardError, Severity
from appliance.policy.judgement import policy_of
from appliance.smtp.release import choose
from appliance.trace.packet import Packet
from appliance.trace.trace import described

_MOST_ATTEMPTS = 20
_MOST_PACKETS = 2_000
"""Example packets that both configurations judge."""


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
    reasons: dict[tuple[object, ...], list[Group]] = {}
    for group in compare(policy_of(old, release), policy_of(new, release), packets):
        key = (group.change, group.ends, group.old.place if group.old else None)
        reasons.setdefault(key, []).append(group)
    yield from map(_loss, reasons.values())


def _loss(groups: list[Group]) -> Loss:
    group = groups[0]
    example = group.differences[0].packet
    packet = described(Packet(example, max(0, example.icmp_type) << 8))
    more = sum(len(each.differences) for each in groups) - 1
    others = f" and {more} like it" if more else ""
    came, went = (end or "nowhere" for end in group.ends)
    why = group.new.why if group.new else "not inspected"
    return Loss(
        group.old.place if group.old else None,
        f"what becomes of {packet}{others}, from {came} to {went}",
        f"{group.change.value}: {why}",
    )
