"""Conduits and outbound lists, which versions from 7.0 on say as access lists."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from appliance.config.model import (
    ANY,
    AccessGroup,
    AccessList,
    Apply,
    Configuration,
    Interface,
    Outbound,
    Remark,
    Rule,
    RuleLine,
    elementary,
)
from appliance.convert.crossing import alone, conjoined, crossing, nonempty, shape, split, tidied
from appliance.convert.loss import Loss
from appliance.convert.ways import Compiled, towards
from appliance.policy.outbound import exceptions, ranked


def listed(configuration: Configuration) -> tuple[Configuration, tuple[Loss, ...]]:
    """A configuration with access lists in place of its conduits and outbound lists.

    Only interfaces without an access list ask them, and each such gets one: for what goes to more
    secure interfaces the conduits, for the rest the outbound lists.

    Args:
        configuration: of a version before 7.0.

    Raises:
        FindingsError: a static that cannot translate anything as written.
    """
    compiled = Compiled.of(configuration)
    bound = {each.interface for each in configuration.access_groups if not each.out}
    lists, groups = list(configuration.access_lists), list(configuration.access_groups)
    for interface in configuration.interfaces:
        if interface.name in bound or interface.shutdown:
            continue
        lines = _lines(compiled, interface)
        if lines is not None:
            name = unused(f"{interface.name}_access_in", [each.name for each in lists])
            lists.append(AccessList(name, lines))
            place = next(e.rule.place for e in lines if isinstance(e, RuleLine))
            groups.append(AccessGroup(name, interface.name, place))
    made = replace(
        configuration,
        access_lists=tuple(lists),
        access_groups=tuple(groups),
        conduits=(),
        outbounds=(),
        applied=(),
        mail_hosts=(),
    )
    return made, ()


def unused(name: str, names: list[str]) -> str:
    """A name, with a number behind it where there is such a one.

    Args:
        name: what it should be.
        names: those that there are.
    """
    found, number = name, 1
    while found in names:
        found, number = f"{name}_{number}", number + 1
    return found


def _lines(compiled: Compiled, interface: Interface) -> tuple[RuleLine | Remark, ...] | None:
    configuration = compiled.configuration
    others = [each for each in configuration.interfaces if each != interface]
    higher = any(each.level > interface.level for each in others)
    lists = [
        _outbound(applied, configuration.outbounds)
        for applied in configuration.applied
        if applied.interface == interface.name
    ]
    conduits = configuration.conduits if higher else ()
    if not conduits and not lists:
        return None
    if not lists and all(each.level >= interface.level for each in others):
        return conduits
    permitted = elementary(conduits)
    rules: list[Rule] = []
    for taken, egress in towards(compiled, interface):
        if egress.level > interface.level:
            rules += [each for rule in permitted for each in crossing(rule, taken)]
            rules.append(replace(taken, permit=False))
        elif egress.level < interface.level:
            passing = [taken]
            for each in lists:
                passing = list(conjoined(passing, each))
            rules += passing
        else:
            rules.append(replace(taken, permit=False))
    return nonempty(map(alone, tidied(rules)), interface.place)


def _outbound(applied: Apply, outbounds: tuple[Outbound, ...]) -> tuple[Rule, ...]:
    """An outbound list as rules of which the first that fits decides."""
    lines = [line for line in outbounds if line.number == applied.number]
    return (*_decided(lines, applied.by_destination), shape(applied.place, ANY))


def _decided(lines: list[Outbound], by_destination: bool) -> Iterator[Rule]:
    excepted = [e for rule in exceptions(lines, by_destination) for e in split(rule)]
    for whole in ranked(lines, by_destination):
        for rule in split(whole):
            for exception in excepted:
                for each in crossing(rule, exception):
                    yield replace(each, permit=not rule.permit)
            yield rule
