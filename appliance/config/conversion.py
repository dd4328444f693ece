"""`fixup protocol smtp` from 7.0 on: it is taken, and becomes classes and policies."""

from __future__ import annotations

from dataclasses import replace

from appliance.config.command import Command
from appliance.config.draft import (
    DEFAULT_SMTP_PORTS,
    ClassMapEntry,
    Draft,
    PolicyClassEntry,
    PolicyMapEntry,
    ServicePolicyEntry,
    Use,
)
from appliance.config.grammar import Argument, Arguments, Options
from appliance.config.kinds import PortRange
from appliance.config.language import SEVEN
from appliance.config.model import ClassMap, Match, PolicyClass, ServicePolicy, Traffic
from appliance.protocol import TCP

_CLASS = "inspection_default"
_POLICY = "global_policy"


def _told(ports: tuple[int, int]) -> str:
    low, high = ports
    return str(low) if low == high else f"{low}-{high}"


def _class_of(ports: tuple[int, int]) -> tuple[str, Match]:
    """The class that takes mail to some ports: its name, and its match."""
    if ports in DEFAULT_SMTP_PORTS:
        return _CLASS, Match(Traffic.DEFAULT)
    low, high = ports
    return f"class_smtp_{_told(ports)}", Match(Traffic.PORT, TCP, low, high)


def _inform(draft: Draft, arguments: Arguments, ports: tuple[int, int], no: str = "") -> None:
    text = f"converting '{no}fixup protocol smtp {_told(ports)} ' to MPF commands"
    draft.inform(arguments.place, text)


def _ports(arguments: Arguments) -> tuple[int, int]:
    return arguments.get("ports", tuple) or DEFAULT_SMTP_PORTS[0]


def _enter(draft: Draft, arguments: Arguments) -> None:
    ports, place = _ports(arguments), arguments.place
    name, match = _class_of(ports)
    known = draft.service_policies.get("")
    if known and known.policy.policy_map != _POLICY:
        raise arguments.refusal(
            "",
            f"it would become part of {_POLICY}, and {known.policy.policy_map} is in force",
            f"write `inspect esmtp` below a `class` of `policy-map {known.policy.policy_map}`",
        )
    draft.class_maps.setdefault(name, ClassMapEntry(ClassMap(name, (match,))))
    policy_map = draft.policy_maps.setdefault(_POLICY, PolicyMapEntry(_POLICY))
    new = PolicyClassEntry(PolicyClass(name), Use(name, place))
    entry = policy_map.classes.setdefault(name, new)
    entry.policy_class = replace(entry.policy_class, esmtp=True)
    if known is None:
        policy = ServicePolicy(_POLICY, "", place)
        draft.service_policies[""] = ServicePolicyEntry(policy, Use(_POLICY, place), None)
    _inform(draft, arguments, ports)


def _undo(draft: Draft, arguments: Arguments) -> None:
    ports = _ports(arguments)
    name, _ = _class_of(ports)
    policy_map = draft.policy_maps.get(_POLICY)
    entry = policy_map.classes.get(name) if policy_map else None
    if policy_map is None or entry is None or not entry.policy_class.esmtp:
        raise arguments.refusal(
            "ports", "there is no such fixup", f"see `inspect esmtp` in `policy-map {_POLICY}`"
        )
    if name == _CLASS:
        entry.policy_class = replace(entry.policy_class, esmtp=False, esmtp_map="")
        entry.map_use = None
    else:
        del policy_map.classes[name]
        del draft.class_maps[name]
        draft.kept.close((policy_map.heading, entry.heading))
    _inform(draft, arguments, ports, "no ")


COMMANDS = (
    Command(
        "fixup protocol smtp",
        "inspect mail on these ports",
        _enter,
        Options(Argument("ports", PortRange())),
        _undo,
        since=SEVEN,
        detail=(
            f"It becomes `inspect esmtp` in `policy-map {_POLICY}`, below `class {_CLASS}` for "
            "port 25, and else below a class of its own with `match port`; `pixguard check` says so"
        ),
    ),
)
