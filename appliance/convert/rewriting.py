"""Access lists before and from 8.3: on the addresses of the wire, and on real ones."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from ipaddress import IPv4Network

from appliance.config.model import Ports, Remark, Rule, RuleLine
from appliance.convert.crossing import alone, covers, crossing


@dataclass(frozen=True, slots=True)
class Rewrite:
    """Destinations that a list names otherwise in the other version.

    Args:
        before: the packets, with the destination that the list names now.
        network: what that destination is named then: as large, or all of those that share it.
        ports: the ports that they have then, None for the same.
    """

    before: Rule
    network: IPv4Network
    ports: Ports | None

    @property
    def after(self) -> Rule:
        """The packets as they are named then."""
        return replace(
            self.before,
            destination=self.network,
            destination_ports=self.ports or self.before.destination_ports,
        )

    @property
    def keeps(self) -> bool:
        """Whether they are named as before."""
        return self.after == self.before

    def of(self, rule: Rule) -> Iterator[Rule]:
        """What a rule says of these packets, as they are named then."""
        for each in crossing(rule, self.before):
            if self.network.prefixlen < self.before.destination.prefixlen:
                yield replace(each, destination=self.network)
                continue
            offset = int(each.destination.network_address) - int(
                self.before.destination.network_address
            )
            first = int(self.network.network_address) + offset
            yield replace(
                each,
                destination=IPv4Network((first, each.destination.prefixlen)),
                destination_ports=self.ports or each.destination_ports,
            )


Lines = tuple[RuleLine | Remark, ...]


def rewritten(lines: Lines, rewrites: Sequence[Rewrite]) -> Lines:
    """The lines of a list as the other version names destinations.

    A line stays as it is where it says the same then. Where a rule would speak, by the other
    names, of packets that it does not speak of now, what it and the others say of these stands
    first.

    Args:
        lines: the list.
        rewrites: what is named otherwise.
    """
    changing = [each for each in rewrites if not each.keeps]
    rules = [rule for line in lines if isinstance(line, RuleLine) for rule in line.rules]
    apart = [each for each in changing if any(_misreads(rule, each) for rule in rules)]
    first = [
        alone(made)
        for each in apart
        for made in (*(m for rule in rules for m in each.of(rule)), _rest(each))
    ]
    return (*first, *(made for line in lines for made in _line(line, changing)))


def mirrored(lines: Lines, rewrites: Sequence[Rewrite]) -> Lines:
    """The same for sources: the rewrites name them as destinations.

    Args:
        lines: the list.
        rewrites: what is named otherwise.
    """
    turned = tuple(_turned_line(line) for line in lines)
    changing = [each for each in rewrites if not each.keeps]
    found: list[RuleLine | Remark] = []
    for line, back in zip(lines, turned, strict=True):
        made = tuple(_line(back, changing))
        found += [line] if made == (back,) else [_turned_line(each) for each in made]
    return tuple(found)


def _turned_line(line: RuleLine | Remark) -> RuleLine | Remark:
    if isinstance(line, Remark):
        return line
    return replace(line, rule=_turned(line.rule), rules=tuple(map(_turned, line.rules)))


def _turned(rule: Rule) -> Rule:
    return replace(
        rule,
        source=rule.destination,
        source_ports=rule.destination_ports,
        destination=rule.source,
        destination_ports=rule.source_ports,
    )


def _misreads(rule: Rule, rewrite: Rewrite) -> bool:
    """Whether a rule, as it stands, would say something else of the packets of a rewrite."""
    if covers(rewrite.before, rule):
        return False
    return set(crossing(rule, rewrite.after)) != set(rewrite.of(rule))


def _rest(rewrite: Rewrite) -> Rule:
    return replace(rewrite.after, permit=False)


def _line(line: RuleLine | Remark, rewrites: Sequence[Rewrite]) -> Iterator[RuleLine | Remark]:
    if isinstance(line, Remark) or not line.rules:
        yield line
        return
    made = tuple(dict.fromkeys(m for rule in line.rules for m in _named(rule, rewrites)))
    if made == line.rules:
        yield line
        return
    yield from map(alone, made)


def _named(rule: Rule, rewrites: Iterable[Rewrite]) -> Iterator[Rule]:
    is_all = False
    for each in rewrites:
        is_all = is_all or covers(each.before, rule)
        yield from (made for made in each.of(rule) if not covers(rule, made))
    if not is_all:
        yield rule
