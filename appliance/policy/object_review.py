"""What in the translations of 8.3 and later can do nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

from appliance.config.model import ANY, Configuration
from appliance.errors import Finding
from appliance.policy.object_nat import ObjectTranslations
from appliance.policy.routing import Routing
from appliance.policy.unused import warning
from appliance.policy.ways import Block, Way


def shadowed(configuration: Configuration) -> Iterator[Finding]:
    """Warnings for each `nat` all of whose sources earlier ones take.

    Args:
        configuration: what a rule file says.

    Raises:
        FindingsError: a `nat` that cannot translate anything as written.
    """
    table = ObjectTranslations(configuration, Routing(configuration))
    outward = [each for each in table.ways if each.outward]
    for _, line in groupby(outward, key=lambda way: way.rank):
        ways = tuple(line)
        by = [_taking(each, table.between(each.ingress, each.egress)) for each in ways]
        if all(by):
            first = ways[0]
            lines = ", ".join(dict.fromkeys(str(each.place.line) for each in by if each))
            yield warning(
                first.place,
                f"no packet gets as far as this nat: line {lines} is tried before it and takes "
                f"all that it would translate on its way out",
                "write it before that, or remove it",
            )


def _taking(way: Way, ways: Sequence[Way]) -> Way | None:
    """The earlier way that takes all that a way takes."""
    return next(
        (each for each in ways if each.outward and each.rank < way.rank and _has(each, way)), None
    )


def _has(one: Way, other: Way) -> bool:
    return (
        (not one.changes or one.changes == other.changes)
        and _covers(one.sources, other.sources)
        and _covers(one.destinations, other.destinations)
    )


def _covers(ones: Sequence[Block], others: Sequence[Block]) -> bool:
    """Whether all addresses of some blocks are of others; none stands for any."""
    if not ones:
        return True
    networks = [each.before for each in others] or [ANY]
    return all(any(each.subnet_of(one.before) for one in ones) for each in networks)
