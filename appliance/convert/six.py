"""What 7.0 and later say of access lists, levels and translation, and 6.x cannot."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from ipaddress import IPv4Network

from appliance.config.model import (
    ANY,
    AccessList,
    Configuration,
    GroupKind,
    Interface,
    Nat,
    Remark,
    RuleLine,
    Static,
)
from appliance.convert.crossing import alone, nonempty
from appliance.convert.identities import identity, reached
from appliance.convert.loss import Loss
from appliance.policy.routing import Routing


def as_six(configuration: Configuration) -> tuple[Configuration, tuple[Loss, ...]]:
    """The access lists and translations of 7.x and 8.x before 8.3, as 6.3 writes them.

    Args:
        configuration: of 7.0 or later, before 8.3.
    """
    losses: list[Loss] = []
    groups = []
    for group in configuration.access_groups:
        if group.out:
            losses.append(
                Loss(
                    group.place,
                    f"access-list {group.access_list} for what leaves by `{group.interface}`",
                    "left out: what it denies passes if the other lists permit it",
                )
            )
        else:
            groups.append(group)
    for passes, place, between in (
        (configuration.equals_pass, configuration.equals_place, "inter-interface"),
        (configuration.hairpins_pass, configuration.hairpins_place, "intra-interface"),
    ):
        if passes:
            what = f"same-security-traffic permit {between}"
            losses.append(Loss(place, what, "left out: such traffic does not pass"))
    untyped = {
        each.name
        for each in configuration.object_groups
        if each.kind is GroupKind.SERVICE and not each.protocol
    }
    lists = {
        each.name: AccessList(each.name, tuple(_lines(each, untyped, losses)))
        for each in configuration.access_lists
    }
    for group in groups:
        lines = nonempty(lists[group.access_list].lines, group.place)
        lists[group.access_list] = AccessList(group.access_list, lines)
    lost = {each.name for each in lists.values() if not each.rules}
    for name, line in configuration.standard_lists:
        losses.append(Loss(None, f"access-list {name} {line}".rstrip(), "left out"))
    made = replace(
        configuration,
        access_groups=tuple(groups),
        access_lists=tuple(each for each in lists.values() if each.lines),
        statics=tuple(each for each in configuration.statics if each.access_list not in lost),
        nats=tuple(each for each in configuration.nats if each.access_list not in lost),
        object_groups=tuple(
            each for each in configuration.object_groups if each.name not in untyped
        ),
        standard_lists=(),
        time_ranges=(),
        equals_pass=False,
        hairpins_pass=False,
        nat_control=True,
    )
    if not configuration.nat_control:
        made = _with_identities(made)
    return made, tuple(losses)


def _lines(
    access_list: AccessList, untyped: set[str], losses: list[Loss]
) -> Iterator[RuleLine | Remark]:
    for written in access_list.lines:
        if isinstance(written, Remark):
            yield written
            continue
        rule, name = written.rule, access_list.name
        if written.inactive:
            losses.append(
                Loss(rule.place, f"a line of access-list {name} that is inactive", "left out")
            )
            continue
        if rule.times:
            what = f"a line of access-list {name} that holds within {rule.times.name} alone"
            if rule.permit:
                losses.append(Loss(rule.place, what, "left out: what it permits is denied"))
                continue
            losses.append(Loss(rule.place, what, "it holds always"))
        line = replace(
            written,
            rule=replace(rule, times=None),
            rules=tuple(replace(each, times=None) for each in written.rules),
        )
        if any(group in untyped for _, group in line.groups):
            yield from map(alone, line.rules)
            continue
        yield line


def _with_identities(configuration: Configuration) -> Configuration:
    """Translations of addresses to themselves, without which nothing passes untranslated.

    Args:
        configuration: of a version without `nat-control`.
    """
    routing = Routing(configuration)
    nats, statics = list(configuration.nats), list(configuration.statics)
    for inner in configuration.interfaces:
        lower = [each for each in configuration.interfaces if each.level < inner.level]
        if not lower:
            continue
        own = [nat for nat in nats if nat.interface == inner.name and not nat.outside]
        for outer in lower:
            for network in reached(routing, inner):
                if not _is_translated(network, inner, outer, own, statics):
                    statics.append(identity(inner.name, outer.name, network, inner.place))
        if all(nat.network != ANY for nat in own):
            nats.append(Nat(inner.name, 0, ANY, "", False, False, False, 0, 0, 0, inner.place))
    return replace(configuration, nats=tuple(nats), statics=tuple(statics))


def _is_translated(
    network: IPv4Network,
    inner: Interface,
    outer: Interface,
    nats: list[Nat],
    statics: list[Static],
) -> bool:
    """Whether a translation to itself might take what another one is for."""
    return any(
        nat.number and (nat.network is None or nat.network.overlaps(network)) for nat in nats
    ) or any(
        static.mapped_interface == outer.name and static.mapped == network for static in statics
    )
