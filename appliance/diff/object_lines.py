"""The lines of a configuration of 8.3 or later that judge or translate packets."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import islice

from appliance.config.model import ANY, Configuration, Rule
from appliance.diff.lines import MOST_GUISES, Line, anything
from appliance.policy.object_nat import ObjectTranslations
from appliance.policy.routing import Routing
from appliance.policy.ways import Block, Way


def ways_of(configuration: Configuration) -> Iterator[Line]:
    """What each `nat` takes, either way.

    Args:
        configuration: what a rule file says.
    """
    for way in ObjectTranslations(configuration, Routing(configuration)).ways:
        for source in way.sources or (Block(ANY, ANY),):
            for destination in way.destinations or (Block(ANY, ANY),):
                taken = replace(
                    anything(way.place), source=source.before, destination=destination.before
                )
                kind = ("nat", way.line, way.egress, source.after, destination.after)
                for change in way.changes:
                    ports = [
                        each[0] if each else None for each in (change.source, change.destination)
                    ]
                    rule = replace(
                        taken,
                        protocol=change.protocol,
                        source_ports=ports[0],
                        destination_ports=ports[1],
                    )
                    yield Line(way.ingress, rule, (*kind, change))
                if not way.changes:
                    yield Line(way.ingress, taken, kind)


def rules_of(configuration: Configuration) -> Iterator[Line]:
    """What access lists say, of destinations as they are addressed.

    Args:
        configuration: what a rule file says.
    """
    lists = {each.name: each.rules for each in configuration.access_lists}
    table = ObjectTranslations(configuration, Routing(configuration))
    names = [each.name for each in configuration.interfaces]
    for group in configuration.access_groups:
        # What leaves by an interface, or is judged everywhere, comes in by any other.
        for ingress in [group.interface] if group.interface and not group.out else names:
            ways = list(table.entering(ingress))
            for rule in lists[group.access_list]:
                kind = ("access-list", group.out)
                if not group.interface:
                    yield Line(ingress, rule, kind)
                for guise in islice(_guises(rule, ways), MOST_GUISES):
                    yield Line(ingress, guise, kind)


def _guises(rule: Rule, ways: list[Way]) -> Iterator[Rule]:
    """A rule with destinations that become its own."""
    for way in ways:
        for block in way.destinations:
            if block.keeps or not block.after.overlaps(rule.destination):
                continue
            destination = block.before
            if rule.destination.prefixlen > block.after.prefixlen:
                first = block.mirror.changed(rule.destination.network_address)
                destination = type(destination)((first, rule.destination.prefixlen))
            if not way.changes:
                yield replace(rule, destination=destination)
            for change in way.changes:
                if change.destination and rule.protocol in (None, change.protocol):
                    yield replace(
                        rule,
                        protocol=change.protocol,
                        destination=destination,
                        destination_ports=change.destination[0],
                    )
