"""Access lists on the addresses of the wire, as versions from 8.3 on write them: on real ones."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from ipaddress import summarize_address_range

from appliance.config.model import (
    AccessGroup,
    AccessList,
    Interface,
    Remark,
    Rule,
    RuleLine,
)
from appliance.convert.crossing import alone, conjoined, equal, is_said_by, nonempty, shape
from appliance.convert.gates import gate
from appliance.convert.loss import Loss
from appliance.convert.permits import unused
from appliance.convert.rewriting import Lines, Rewrite, mirrored, rewritten
from appliance.convert.ways import Compiled, mapped_side
from appliance.policy.translation import Translation

MOST_LINES = 5_000
"""Of one list; a longer one would be none that anybody reads."""


def with_real_addresses(
    compiled: Compiled,
) -> tuple[tuple[AccessList, ...], tuple[AccessGroup, ...], tuple[Loss, ...]]:
    """The access lists of a configuration before 8.3 and where they are bound, as from 8.3 on.

    Args:
        compiled: the configuration.
    """
    configuration = compiled.configuration
    losses: list[Loss] = []
    lists = {each.name: each for each in configuration.access_lists}
    used = [each.access_list for each in configuration.access_groups]
    used += [each.access_list for each in configuration.statics if each.access_list]
    used += [each.access_list for each in configuration.nats if each.access_list]
    groups: list[AccessGroup] = []

    def put(name: str, lines: Lines) -> str:
        if name in lists and lists[name].lines == lines:
            return name
        own = name if used.count(name) == 1 else unused(name, list(lists))
        lists[own] = AccessList(own, lines)
        return own

    for group in configuration.access_groups:
        lines = lists[group.access_list].lines
        interface = compiled.routing.interface(group.interface)
        if interface is None:
            groups.append(group)
            continue
        if group.out:
            lines = mirrored(lines, tuple(_left(compiled, interface)))
        else:
            lines = rewritten(lines, tuple(_entered(compiled, interface)))
            lines = _gated(compiled, interface, lines, group, losses)
        lines = nonempty(lines, group.place)
        groups.append(replace(group, access_list=put(group.access_list, lines)))
    bound = {each.interface for each in configuration.access_groups if not each.out}
    for interface in configuration.interfaces:
        if interface.name in bound or interface.shutdown:
            continue
        rules = gate(compiled, interface, levels=True)
        if rules is not None:
            lines = nonempty(map(alone, rules), interface.place)
            name = put(unused(f"{interface.name}_access_in", list(lists)), lines)
            groups.append(AccessGroup(name, interface.name, interface.place))
    named = {each.access_list for each in groups}
    translating = set(used) - {each.access_list for each in configuration.access_groups}
    kept = [e for e in lists.values() if e.name in named or e.name not in translating]
    return tuple(kept), tuple(groups), tuple(losses)


def _entered(compiled: Compiled, interface: Interface) -> Iterator[Rewrite]:
    for static in compiled.translations.statics:
        if static.static.mapped_interface == interface.name:
            yield _rewrite(mapped_side(static), static)


def _left(compiled: Compiled, interface: Interface) -> Iterator[Rewrite]:
    """Sources that a list of what leaves names, as if they were destinations."""
    for static in compiled.translations.statics:
        if static.static.mapped_interface == interface.name:
            yield _rewrite(mapped_side(static), static)
    for nat in compiled.translations.nats:
        sources = [nat.nat.network] if nat.nat.network else []
        sources += [rule.source for rule in nat.rules or () if rule.permit]
        for pool in nat.pools_on(interface.name):
            for network in summarize_address_range(pool.first, pool.last):
                for source in sources:
                    yield Rewrite(shape(nat.place, destination=network), source, None)


def _rewrite(before: Rule, static: Translation) -> Rewrite:
    port = equal(static.real_port) if static.static.protocol else None
    return Rewrite(before, static.real, port)


def _gated(
    compiled: Compiled,
    interface: Interface,
    lines: Lines,
    group: AccessGroup,
    losses: list[Loss],
) -> Lines:
    """A list that permits only what translations let pass, too."""
    rules = gate(compiled, interface, levels=False)
    if rules is None:
        return lines
    made: list[RuleLine | Remark] = []
    for line in lines:
        if isinstance(line, Remark) or not line.rules:
            made.append(line)
            continue
        both = tidied_line(line, rules)
        made += [line] if both == line.rules else map(alone, both)
        if len(made) > MOST_LINES:
            losses.append(
                Loss(
                    group.place,
                    f"that only what is translated passes, of what access-list "
                    f"{group.access_list} permits",
                    f"it would take more than {MOST_LINES} lines: untranslated packets that the "
                    "list permits pass",
                )
            )
            return lines
    return _thinned(made, lines)


def tidied_line(line: RuleLine, gates: Sequence[Rule]) -> tuple[Rule, ...]:
    """The rules of a line as far as others let them pass."""
    return tuple(dict.fromkeys(conjoined(line.rules, gates)))


def _thinned(lines: Sequence[RuleLine | Remark], written: Lines) -> Lines:
    """Lines without those that change nothing, but for those that the list has had before."""
    kept: list[RuleLine | Remark] = []
    rules: list[Rule] = []
    for line in reversed(lines):
        if isinstance(line, RuleLine):
            own = line not in written and not line.rule.log
            if own and is_said_by(line.rule, reversed(rules)):
                continue
            rules += reversed(line.rules)
        kept.append(line)
    return tuple(reversed(kept))
