"""What passes only if it is translated, which versions from 8.3 on say as access lists.

Before, a packet passes nowhere that no `static`, `nat` or exemption is for, if there is
`nat-control` (before 7.0 always), nor where a `nat` is for it that has no `global` there. From 8.3
on it passes as it is, so the access list of the interface must deny it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from appliance.config.model import ANY, Interface, Rule
from appliance.convert.crossing import conjoined, covers, crossing, shape, tidied
from appliance.convert.ways import Compiled, leaving_side, real_side, routed
from appliance.policy.translation import Dynamic


def gate(compiled: Compiled, interface: Interface, levels: bool) -> tuple[Rule, ...] | None:
    """What translations let pass of what comes in by an interface, by real addresses.

    Args:
        compiled: the configuration.
        interface: the interface.
        levels: whether nothing may pass to more secure interfaces either.

    Returns:
        the rules; None where all passes that the levels let pass.
    """
    rules: list[Rule] = []
    trivial = True
    for taken, egress in routed(compiled.routing, interface):
        if egress.level == interface.level and not _may_pass(compiled, interface, egress):
            rules.append(replace(taken, permit=False))
            continue
        if levels and egress.level > interface.level:
            rules.append(replace(taken, permit=False))
            continue
        passing = _passing(compiled, interface, egress)
        if len(passing) == 1 and passing[0].permit:
            rules.append(taken)
        else:
            trivial = False
            rules += [each for rule in passing for each in crossing(rule, taken)]
            rules.append(replace(taken, permit=False))
    return None if trivial else tidied(rules)


def _may_pass(compiled: Compiled, one: Interface, other: Interface) -> bool:
    """Whether anything passes between two interfaces of one level."""
    configuration = compiled.configuration
    return configuration.hairpins_pass if one == other else configuration.equals_pass


def _passing(compiled: Compiled, ingress: Interface, egress: Interface) -> tuple[Rule, ...]:
    sources = _simplified(_sources(compiled, ingress, egress))
    if ingress.level >= egress.level:
        return sources
    destinations = _simplified(_destinations(compiled, ingress, egress))
    return _simplified(conjoined(destinations, sources))


def _simplified(rules: Iterator[Rule]) -> tuple[Rule, ...]:
    """Rules up to one that takes all; that one alone where nothing before it denies."""
    found: list[Rule] = []
    for rule in rules:
        if rule in found:
            continue
        found.append(rule)
        if covers(rule, shape(rule.place)):
            if all(each.permit == rule.permit for each in found):
                found = [rule]
            break
    return tuple(found)


def _sources(compiled: Compiled, ingress: Interface, egress: Interface) -> Iterator[Rule]:
    """What may leave towards an interface, by what translates its source."""
    translations = compiled.translations
    for nat in translations.nats_between(ingress.name, egress.name, exempt=True):
        yield from _of(nat, True)
    for static in translations.statics_between(ingress.name, egress.name):
        yield leaving_side(static)
    for nat in translations.nats_between(ingress.name, egress.name, exempt=False):
        yield from _of(nat, nat.keeps or bool(nat.pools_on(egress.name)))
    needed = compiled.configuration.nat_control and ingress.level > egress.level
    yield shape(ingress.place, permit=not needed)


def _of(nat: Dynamic, permit: bool) -> Iterator[Rule]:
    if nat.rules is None:
        yield shape(nat.place, source=nat.nat.network or ANY, permit=permit)
        return
    for rule in nat.rules:
        if rule.permit:
            yield replace(rule, permit=permit, log=None)


def _destinations(compiled: Compiled, ingress: Interface, egress: Interface) -> Iterator[Rule]:
    """What may be reached behind a more secure interface."""
    translations = compiled.translations
    for static in translations.statics_between(egress.name, ingress.name):
        yield real_side(static)
    for nat in translations.nats_between(egress.name, ingress.name, exempt=True):
        for rule in nat.rules or ():
            if rule.permit:
                yield _answered(rule)
    for nat in translations.nats_between(egress.name, ingress.name, exempt=False):
        # From 8.3 on, one with addresses there denies what is not addressed by these by itself.
        if not nat.keeps and not nat.pools_on(ingress.name):
            for rule in _of(nat, False):
                yield _answered(rule)
    yield shape(ingress.place, permit=not compiled.configuration.nat_control)


def _answered(rule: Rule) -> Rule:
    """What a rule's packets answer."""
    return replace(
        rule,
        source=rule.destination,
        source_ports=rule.destination_ports,
        destination=rule.source,
        destination_ports=rule.source_ports,
        log=None,
    )
