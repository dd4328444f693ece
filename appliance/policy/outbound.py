"""Outbound lists: the line that fits best decides, and not the first one."""

from __future__ import annotations

from collections.abc import Iterable

from appliance.admission import Opening
from appliance.config.model import ANY, Action, Operator, Outbound, Ports, Rule
from appliance.policy.access_list import matches


def as_rule(line: Outbound, by_destination: bool) -> Rule:
    """A line as the rule that fits what it fits.

    Args:
        line: the line.
        by_destination: whether its address is the destination.
    """
    ports = None
    if line.ports:
        low, high = line.ports
        ports = Ports(Operator.EQ if low == high else Operator.RANGE, low, high)
    source, destination = (ANY, line.network) if by_destination else (line.network, ANY)
    permit = line.action is Action.PERMIT
    return Rule(permit, line.protocol, source, None, destination, ports, None, line.place)


def ranked(lines: Iterable[Outbound], by_destination: bool) -> tuple[Rule, ...]:
    """The lines that permit or deny, the one that fits best first.

    Args:
        lines: the list.
        by_destination: whether it goes by the destination.
    """
    deciding = [line for line in lines if line.action is not Action.EXCEPT]
    deciding.sort(key=lambda line: (-line.network.prefixlen, line.ports is None))
    return tuple(as_rule(line, by_destination) for line in deciding)


def exceptions(lines: Iterable[Outbound], by_destination: bool) -> tuple[Rule, ...]:
    """The exceptions of a list, which go by the other end.

    Args:
        lines: the list.
        by_destination: whether the list goes by the destination.
    """
    return tuple(
        as_rule(line, not by_destination) for line in lines if line.action is Action.EXCEPT
    )


def denying(lines: tuple[Outbound, ...], by_destination: bool, packet: Opening) -> Rule | None:
    """The line of a list that denies a packet, None if none does.

    Args:
        lines: the list.
        by_destination: whether it goes by the destination.
        packet: as it enters.
    """
    ruling = next((rule for rule in ranked(lines, by_destination) if matches(rule, packet)), None)
    if ruling is None:
        return None
    exception = next(
        (rule for rule in exceptions(lines, by_destination) if matches(rule, packet)), None
    )
    if exception is None:
        return None if ruling.permit else ruling
    return exception if ruling.permit else None
