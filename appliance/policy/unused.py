"""What nothing uses: names, and of `nat` and `global` what lacks the other one."""

from __future__ import annotations

from collections.abc import Iterator

from appliance.config.model import Configuration, Global, Nat
from appliance.config.objects import NetworkObject
from appliance.errors import Finding, Place, Severity


def warning(place: Place, problem: str, remedy: str) -> Finding:
    """A finding about what can be used and does nothing.

    Args:
        place: where it stands.
        problem: what is the matter.
        remedy: what would be right.
    """
    return Finding(place, problem, remedy, severity=Severity.WARNING)


def unused(configuration: Configuration) -> Iterator[Finding]:
    """Warnings for what nothing uses.

    Args:
        configuration: what a rule file says.
    """
    yield from _names(configuration)
    for nat in configuration.nats:
        yield from _of_nat(configuration, nat)
    for pool in configuration.globals:
        yield from _of_global(configuration, pool)


def _names(configuration: Configuration) -> Iterator[Finding]:
    known = {
        "access-list": (
            {each.name for each in configuration.access_lists}
            | {name for name, _ in configuration.standard_lists},
            "what it says has no effect: bind it with `access-group`, or remove it",
        ),
        "class-map": (
            {each.name for each in configuration.class_maps},
            "name it by `class` in a `policy-map`, or remove it",
        ),
        "policy-map": (
            {each.name for each in configuration.policy_maps},
            "put it in force with `service-policy`, or remove it",
        ),
        "name": (
            {each.name for each in configuration.names},
            "write it in place of its address, or remove it",
        ),
    }
    for named in configuration.objects:
        if isinstance(named, NetworkObject) and named.nat:
            continue  # it is what that translates
        words = named.heading.removesuffix(f" {named.name}")
        remedy = "name it in a rule or a `nat`, or remove it"
        known.setdefault(words, (set(), remedy))[0].add(named.name)
    for group in configuration.object_groups:
        words = f"object-group {group.kind.value}"
        known.setdefault(words, (set(), "name it in a rule, or remove it"))[0].add(group.name)
    known["regex"] = (
        {each.name for each in configuration.regexes},
        "name it by `match` in an inspection map or a class, or remove it",
    )
    known["class-map type regex match-any"] = (
        {each.name for each in configuration.regex_classes},
        "name it by `match` in an inspection map, or remove it",
    )
    known["class-map type inspect esmtp"] = (
        {each.name for each in configuration.esmtp_classes},
        "name it by `class` in an inspection map, or remove it",
    )
    known["policy-map type inspect esmtp"] = (
        {each.name for each in configuration.esmtp_maps},
        "name it by `inspect esmtp`, or remove it",
    )
    known["time-range"] = (
        {each.name for each in configuration.time_ranges},
        "name it in a rule, or remove it",
    )
    for each in configuration.unmentioned:
        names, remedy = known.get(each.words, ((), ""))
        if each.name in names:
            yield warning(each.place, f"nothing uses {each.words} {each.name}", remedy)


def _of_nat(configuration: Configuration, nat: Nat) -> Iterator[Finding]:
    """What a `nat` lacks. (That no `global` at all has its number is told as the file is read.)"""
    rules = {each.name: each.rules for each in configuration.access_lists}.get(nat.access_list, ())
    if nat.access_list and not any(rule.permit for rule in rules):
        does = "translates nothing" if nat.number else "exempts nothing from translation"
        yield warning(
            nat.place,
            f"access-list {nat.access_list} permits nothing: this nat {does}",
            f"write `access-list {nat.access_list} permit ip SOURCE DESTINATION`, or remove it",
        )
    pools = [each for each in configuration.globals if each.number == nat.number]
    if pools and not any(_serves(configuration, nat, each) for each in pools):
        where = "more" if nat.outside else "less"
        yield warning(
            nat.place,
            f"what this translates passes nowhere: no `global` of number {nat.number} is on an "
            f"interface that it goes to",
            f"write `global (INTERFACE) {nat.number} ADDRESS` for a {where} secure interface than "
            f"{nat.interface}",
        )


def _of_global(configuration: Configuration, pool: Global) -> Iterator[Finding]:
    """What a `global` lacks."""
    nats = [each for each in configuration.nats if each.number == pool.number]
    if not nats:
        yield warning(
            pool.place,
            f"no `nat` has the number {pool.number}",
            f"nothing is translated to this; write `nat (INTERFACE) {pool.number} ADDRESS NETMASK`",
        )
    elif not any(_serves(configuration, each, pool) for each in nats):
        interfaces = ", ".join(dict.fromkeys(each.interface for each in nats))
        yield warning(
            pool.place,
            f"no `nat` of number {pool.number} is for what goes to {pool.interface}: "
            f"those there are on {interfaces}",
            "nothing is translated to this; remove it, or write `outside` at the end of a `nat` "
            "for what goes to a more secure interface",
        )


def _serves(configuration: Configuration, nat: Nat, pool: Global) -> bool:
    """Whether packets pass that a `nat` translates to the addresses of a `global` of its number."""
    levels = {each.name: each.level for each in configuration.interfaces}
    one, other = levels[nat.interface], levels[pool.interface]
    if nat.interface == pool.interface:
        return configuration.hairpins_pass and not nat.outside
    if one == other and not configuration.equals_pass:
        return False
    return nat.outside == (one < other)
