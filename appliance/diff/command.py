"""`pixguard diff`: what two rule files do differently, printed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import click

from appliance.config.load import read_file
from appliance.config.model import Configuration
from appliance.diff.comparison import Change, Difference, Group, besides, compare
from appliance.diff.packets import Sample, sample
from appliance.errors import FindingsError, PixguardError, printable
from appliance.policy.judgement import policy_of
from appliance.policy.policy import Decision, Policy, Step
from appliance.smtp.release import choose
from appliance.trace.packet import Packet
from appliance.trace.trace import Source, described, end_object, packet_object

SAME, DIFFERENT, TROUBLE = 0, 1, 2
"""Exit codes, as those of diff(1)."""

_GROUPS = 50
"""Groups shown; whoever changed more looks for something else."""

_EXAMPLES = 3
"""Packets shown of a group; JSON has all."""


def diff_files(old: Path, new: Path, most: int, as_json: bool) -> int:
    """Print the packets that fare differently under two rule files.

    Args:
        old: one rule file.
        new: the other one.
        most: how many packets to try at most.
        as_json: whether to print one JSON object instead of text.

    Returns:
        the exit code: 0 if nothing differs, 1 if something does, 2 if a file cannot be used.
    """
    try:
        sources = (_source(old), _source(new))
        before, after = (_policy(each.configuration) for each in sources)
    except PixguardError as error:
        for line in str(error).split("\n"):
            click.echo(f"pixguard: {printable(line)}", err=True)
        return TROUBLE
    configurations = (sources[0].configuration, sources[1].configuration)
    tried = sample(*configurations, most)
    groups = compare(before, after, tried.packets)
    gone, come = besides(*configurations)
    if as_json:
        click.echo(json.dumps(_as_object(sources, tried, groups, gone, come)))
    else:
        for line in _text(sources, tried, groups, gone, come):
            click.echo(line)
    return DIFFERENT if groups or gone or come else SAME


_Pair = tuple[Source, Source]


def _source(path: Path) -> Source:
    reading = read_file(path)
    if reading.configuration is None:
        raise FindingsError(reading.findings)
    return Source(reading.configuration, reading.shown)


def _policy(configuration: Configuration) -> Policy:
    return policy_of(configuration, choose(configuration.version, None))


def _text(
    sources: _Pair,
    tried: Sample,
    groups: tuple[Group, ...],
    gone: tuple[str, ...],
    come: tuple[str, ...],
) -> Iterator[str]:
    for group in groups[:_GROUPS]:
        count = len(group.differences)
        ends = " to ".join(printable(end) or "nowhere" for end in group.ends)
        yield f"{group.change.value}, from {ends}: {_count(count)}"
        for each in group.differences[:_EXAMPLES]:
            yield f"    {described(_packet(each))}{_outcomes(each)}"
        if count > _EXAMPLES:
            yield "    ..."
        for sign, step, source in zip("-+", (group.old, group.new), sources, strict=True):
            yield from _deciding(sign, step, source)
    if len(groups) > _GROUPS:
        yield f"and {len(groups) - _GROUPS} other reasons, which are not shown (--json has all)"
    for sign, lines in (("-", gone), ("+", come)):
        yield from (f"{sign} {printable(line)}" for line in lines)
    number = sum(len(group.differences) for group in groups)
    more = "" if tried.whole else ", a sample of more (--packets tries more)"
    verb = "differ" if number > 1 else "differs"
    yield f"{_count(len(tried.packets))} tried{more}; {number or 'none'} {verb}"


def _deciding(sign: str, step: Step | None, source: Source) -> Iterator[str]:
    if step is None:
        yield f"  {sign} not inspected"
        return
    where = f"{step.place}: " if step.place else ""
    yield f"  {sign} {where}{printable(step.why)}"
    if line := source.quote(step.place):
        yield f"      {line}"


def _count(number: int) -> str:
    return f"{number} packet{'' if number == 1 else 's'}"


def _packet(difference: Difference) -> Packet:
    opening = difference.packet
    return Packet(opening, max(0, opening.icmp_type) << 8)


def _outcomes(difference: Difference) -> str:
    """The two translations, where they differ."""
    if difference.change is not Change.TRANSLATED:
        return ""
    old, new = (_ends(each) for each in (difference.old, difference.new))
    return f": as {old}, now as {new}"


def _ends(decision: Decision) -> str:
    client, server = decision.admission.client, decision.admission.server
    return f"{client.mapped}/{client.mapped_port} to {server.address}/{server.port}"


def _as_object(
    sources: _Pair,
    tried: Sample,
    groups: tuple[Group, ...],
    gone: tuple[str, ...],
    come: tuple[str, ...],
) -> dict[str, object]:
    return {
        "tried": len(tried.packets),
        "whole": tried.whole,
        "groups": [
            {
                "change": group.change.name.lower(),
                "from": group.ends[0],
                "to": group.ends[1],
                "old": _step_object(group.old, sources[0]),
                "new": _step_object(group.new, sources[1]),
                "packets": [
                    packet_object(_packet(each)) | {"old": _fate(each.old), "new": _fate(each.new)}
                    for each in group.differences
                ],
            }
            for group in groups
        ],
        "lines_gone": list(gone),
        "lines_come": list(come),
    }


def _step_object(step: Step | None, source: Source) -> dict[str, object] | None:
    if step is None:
        return None
    return {
        "phase": step.phase.value,
        "why": step.why,
        "file": step.place.file if step.place else "",
        "line": step.place.line if step.place else 0,
        "config": source.quote(step.place),
    }


def _fate(decision: Decision) -> dict[str, object]:
    admission = decision.admission
    return {
        "permitted": admission.denial is None,
        "client": end_object(admission.client),
        "server": end_object(admission.server),
        "inspected": admission.inspection.name if admission.inspection else "",
        "helped": decision.helped.helped.words if decision.helped else "",
    }
