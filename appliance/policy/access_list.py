"""Matching packets with the rules of access lists and conduits."""

from __future__ import annotations

from collections.abc import Iterable

from appliance.admission import Opening
from appliance.config.model import Ports, Rule
from appliance.protocol import ICMP, TCP, UDP


def first_match(rules: Iterable[Rule], packet: Opening) -> Rule | None:
    """The first rule that matches a packet; None if none does, which denies it.

    Args:
        rules: in their order.
        packet: with its addresses as they are on the wire where it enters.
    """
    return next((rule for rule in rules if matches(rule, packet)), None)


def matches(rule: Rule, packet: Opening) -> bool:
    """Whether a rule speaks of a packet, be it to permit or to deny it.

    Args:
        rule: the rule.
        packet: with its addresses as they are on the wire where it enters.
    """
    return (
        rule.protocol in (None, packet.protocol)
        and packet.source in rule.source
        and packet.destination in rule.destination
        and _port_matches(rule.source_ports, packet.protocol, packet.source_port)
        and _port_matches(rule.destination_ports, packet.protocol, packet.destination_port)
        and (
            rule.icmp_type is None
            or (packet.protocol == ICMP and packet.icmp_type == rule.icmp_type)
        )
        and (rule.times is None or packet.time is None or rule.times.includes(packet.time))
    )


def _port_matches(ports: Ports | None, protocol: int, port: int) -> bool:
    return ports is None or (protocol in (TCP, UDP) and port in ports)
