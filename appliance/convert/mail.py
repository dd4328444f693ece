"""Inspection before 7.0, by `fixup protocol`, and from then on, by policy maps."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from appliance.config.helpers import INSPECTED, Helped
from appliance.config.model import (
    ClassMap,
    Configuration,
    Fixup,
    Inspected,
    Inspection,
    Match,
    PolicyClass,
    PolicyMap,
    ServicePolicy,
    Traffic,
)
from appliance.convert.loss import Loss
from appliance.errors import Place
from appliance.protocol import SMTP, TCP
from appliance.smtp.esmtp_map import DEFAULT_MAP

_DEFAULT_CLASS = "inspection_default"
_POLICY = "global_policy"
_USUAL = (SMTP, SMTP)


def as_policies(configuration: Configuration) -> tuple[Configuration, tuple[Loss, ...]]:
    """What `fixup protocol` inspects, as a policy map that is in force everywhere.

    Args:
        configuration: of a version before 7.0.
    """
    losses: list[Loss] = []
    configuration, lost = for_all_hosts(configuration)
    losses += lost
    place = Place(_file(configuration), 1)
    default = PolicyClass(_DEFAULT_CLASS, esmtp=_USUAL in configuration.smtp_ports)
    helped: list[Inspected] = []
    others: list[tuple[Match, PolicyClass]] = []
    for low, high in configuration.smtp_ports:
        if (low, high) != _USUAL:
            others.append(_class("smtp", TCP, low, high, PolicyClass("", esmtp=True)))
    for name, helpers in INSPECTED.items():
        fixups = [each for each in configuration.fixups if each.helped in helpers]
        usual = {each.helped for each in fixups if each.ports == each.helped.ports}
        if usual == set(helpers):
            (first, *_) = [each for each in fixups if each.ports == each.helped.ports]
            helped.append(Inspected(name, first.place or place, first.strict))
        for each in fixups:
            if each.ports != each.helped.ports or usual != set(helpers):
                inspected = Inspected(name, each.place or place, each.strict)
                taken = PolicyClass("", helped=(inspected,))
                others.append(_class(each.helped.words, each.helped.protocol, *each.ports, taken))
    default = replace(default, helped=tuple(helped))
    classes = [default] if default.esmtp or helped else []
    maps = [ClassMap(_DEFAULT_CLASS, (Match(Traffic.DEFAULT),))] if classes else []
    for match, policy_class in others:
        if policy_class.name not in [each.name for each in maps]:
            maps.append(ClassMap(policy_class.name, (match,)))
            classes.append(policy_class)
    in_force = (ServicePolicy(_POLICY, "", place),) if classes else ()
    made = replace(
        configuration,
        class_maps=tuple(maps),
        policy_maps=(PolicyMap(_POLICY, tuple(classes)),) if classes else (),
        service_policies=in_force,
        inspections=(Inspection("", configuration.smtp_ports, DEFAULT_MAP),)
        if configuration.smtp_ports
        else (),
    )
    return made, tuple(losses)


def _file(configuration: Configuration) -> str:
    return next((each.place.file for each in configuration.interfaces), "")


def _class(
    words: str, protocol: int, low: int, high: int, policy_class: PolicyClass
) -> tuple[Match, PolicyClass]:
    span = f"{low}" if low == high else f"{low}-{high}"
    name = f"{words.replace(' ', '_')}_{span}"
    return Match(Traffic.PORT, protocol, low, high), replace(policy_class, name=name)


def for_all_hosts(configuration: Configuration) -> tuple[Configuration, tuple[Loss, ...]]:
    """A configuration that inspects mail by port, and not for the hosts of `mailhost` alone.

    Args:
        configuration: of a version before 7.0.
    """
    if not configuration.mail_hosts:
        return configuration, ()
    losses = [
        Loss(
            next(
                (
                    static.place
                    for static in configuration.statics
                    if static.real.network_address == address
                ),
                None,
            ),
            f"that mail to {address} is inspected, and not mail to other hosts",
            "all mail to port 25 is inspected",
        )
        for address in configuration.mail_hosts
    ]
    ports = tuple(dict.fromkeys((*configuration.smtp_ports, _USUAL)))
    return replace(configuration, smtp_ports=ports, mail_hosts=()), tuple(losses)


def as_fixups(configuration: Configuration) -> tuple[Configuration, tuple[Loss, ...]]:
    """What service policies inspect, as `fixup protocol` lines, which hold everywhere.

    Args:
        configuration: of 7.0 or later.
    """
    losses: list[Loss] = []
    places = {each.interface: each.place for each in configuration.service_policies}
    ports: dict[tuple[int, int], None] = {}
    for each in configuration.inspections:
        ports |= dict.fromkeys(each.ports)
        if each.interface:
            losses.append(
                Loss(
                    places.get(each.interface),
                    f"that mail is inspected at `{each.interface}` alone",
                    "it is inspected everywhere",
                )
            )
    fixups: dict[tuple[Helped, tuple[int, int]], Fixup] = {}
    for fixup in configuration.fixups:
        fixups.setdefault((fixup.helped, fixup.ports), replace(fixup, interface=""))
        if fixup.interface:
            losses.append(
                Loss(
                    fixup.place,
                    f"that {fixup.helped.words} is inspected at `{fixup.interface}` alone",
                    "it is inspected everywhere",
                )
            )
    losses += _maps(configuration)
    made = replace(
        configuration,
        smtp_ports=tuple(sorted(ports)),
        fixups=tuple(fixups.values()),
        class_maps=(),
        policy_maps=(),
        service_policies=(),
        inspections=(),
        regexes=(),
        regex_classes=(),
        esmtp_classes=(),
        esmtp_maps=(),
    )
    return made, tuple(losses)


def _maps(configuration: Configuration) -> Iterator[Loss]:
    for policy_map in configuration.policy_maps:
        for each in policy_map.classes:
            if each.esmtp_map:
                yield Loss(
                    None,
                    f"`inspect esmtp {each.esmtp_map}` in policy-map {policy_map.name}",
                    "mail is inspected without the map",
                )
            for inspected in each.helped:
                if inspected.map_name:
                    yield Loss(
                        inspected.place,
                        f"the map {inspected.map_name} of `inspect {inspected.name}`",
                        "it is inspected without the map",
                    )
