"""Rules as sets of packets: what two of them both take, and lists that both must permit."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from ipaddress import IPv4Network

from appliance.config.model import ANY, Operator, Ports, Remark, Rule, RuleLine
from appliance.errors import Place
from appliance.protocol import TCP, UDP


def shape(
    place: Place,
    source: IPv4Network = ANY,
    destination: IPv4Network = ANY,
    protocol: int | None = None,
    source_ports: Ports | None = None,
    destination_ports: Ports | None = None,
    permit: bool = True,
) -> Rule:
    """A rule, whatever it leaves out being any.

    Args:
        place: where the line stands that makes it.
        source: of whom.
        destination: to whom.
        protocol: IP protocol number.
        source_ports: ports of the source.
        destination_ports: ports of the destination.
        permit: whether it permits.
    """
    return Rule(permit, protocol, source, source_ports, destination, destination_ports, None, place)


def equal(port: int) -> Ports:
    """The comparison with one port."""
    return Ports(Operator.EQ, port, port)


def alone(rule: Rule) -> RuleLine:
    """A rule as a line of its own."""
    return RuleLine(rule, (rule,))


def narrower(one: IPv4Network, other: IPv4Network) -> IPv4Network:
    """Of two networks that overlap, the smaller one."""
    return one if one.prefixlen >= other.prefixlen else other


def crossing(one: Rule, other: Rule) -> tuple[Rule, ...]:
    """What two rules both take, as rules that are otherwise the first one.

    Args:
        one: the rule whose action, log and times they have.
        other: the other one.
    """
    if not (one.source.overlaps(other.source) and one.destination.overlaps(other.destination)):
        return ()
    if None not in (one.protocol, other.protocol) and one.protocol != other.protocol:
        return ()
    if None not in (one.icmp_type, other.icmp_type) and one.icmp_type != other.icmp_type:
        return ()
    return tuple(
        replace(
            one,
            protocol=other.protocol if one.protocol is None else one.protocol,
            source=narrower(one.source, other.source),
            destination=narrower(one.destination, other.destination),
            source_ports=source,
            destination_ports=destination,
            icmp_type=other.icmp_type if one.icmp_type is None else one.icmp_type,
        )
        for source in _both(one.source_ports, other.source_ports)
        for destination in _both(one.destination_ports, other.destination_ports)
    )


def _both(one: Ports | None, other: Ports | None) -> tuple[Ports | None, ...]:
    if one is None or other is None or one == other:
        return (one or other,)
    found = [
        (max(low, start), min(high, end))
        for low, high in one.ranges()
        for start, end in other.ranges()
    ]
    return tuple(
        Ports(Operator.EQ if low == high else Operator.RANGE, low, high)
        for low, high in found
        if low <= high
    )


def covers(one: Rule, other: Rule) -> bool:
    """Whether a rule takes all that another one takes."""
    return (
        one.protocol in (None, other.protocol)
        and other.source.subnet_of(one.source)
        and other.destination.subnet_of(one.destination)
        and _has(one.source_ports, other.source_ports)
        and _has(one.destination_ports, other.destination_ports)
        and one.icmp_type in (None, other.icmp_type)
        and one.times in (None, other.times)
    )


def _has(one: Ports | None, other: Ports | None) -> bool:
    if one is None:
        return True
    return other is not None and all(
        any(start <= low and high <= end for start, end in one.ranges())
        for low, high in other.ranges()
    )


def split(rule: Rule) -> tuple[Rule, ...]:
    """A rule of any protocol with ports as the ones of TCP and UDP that it means."""
    has_ports = rule.source_ports or rule.destination_ports
    if not has_ports:
        return (rule,)
    if rule.protocol is None:
        return replace(rule, protocol=TCP), replace(rule, protocol=UDP)
    return (rule,) if rule.protocol in (TCP, UDP) else ()


def conjoined(first: Iterable[Rule], second: Sequence[Rule]) -> Iterator[Rule]:
    """The list that permits what two lists both permit; what no rule takes is denied.

    Args:
        first: one list, whose rules keep their log and times.
        second: the other one.
    """
    for rule in first:
        if not rule.permit:
            yield rule
            continue
        for gate in second:
            for each in crossing(rule, gate):
                yield replace(each, permit=gate.permit)
            if covers(gate, rule):
                break


def tidied(rules: Iterable[Rule]) -> tuple[Rule, ...]:
    """The same list without the rules that change nothing: those of packets that an earlier one
    takes, and those after which the rest of the list would say the same.

    Args:
        rules: a list.
    """
    kept: list[Rule] = []
    broad: list[Rule] = []
    for rule in dict.fromkeys(rules):
        if any(covers(each, rule) for each in (*broad, *kept[-1:])):
            continue
        broad += [rule] if ANY in (rule.source, rule.destination) else []
        kept.append(rule)
    made: list[Rule] = []
    for number in reversed(range(len(kept))):
        if kept[number].log or not is_said_by(kept[number], made):
            made.insert(0, kept[number])
    return tuple(made)


def is_said_by(rule: Rule, rules: Iterable[Rule]) -> bool:
    """Whether a list says of all packets of a rule what that says.

    Args:
        rule: the rule.
        rules: the list; what no rule of it takes is denied.
    """
    for each in rules:
        if each.permit == rule.permit:
            if covers(each, rule) and not each.log:
                return True
        elif crossing(rule, each):
            return False
    return not rule.permit


def nonempty(lines: Iterable[RuleLine | Remark], place: Place) -> tuple[RuleLine | Remark, ...]:
    """Lines of a list, which is none without a rule: one that denies all has one that says so.

    Args:
        lines: its lines.
        place: where that is said.
    """
    found = tuple(lines)
    if any(isinstance(line, RuleLine) for line in found):
        return found
    return (*found, alone(shape(place, permit=False)))
