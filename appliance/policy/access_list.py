"""Matching packets with the rules of access lists and conduits."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Network

from appliance.admission import Opening
from appliance.config.model import Ports, Rule
from appliance.protocol import ICMP, TCP, UDP


class Rules:
    """Rules in their order, ready to be looked through for many packets.

    Args:
        rules: the rules.
    """

    def __init__(self, rules: Iterable[Rule]) -> None:
        # Addresses tell most rules apart, and integers are compared fast: thousands of rules may
        # be looked through for each packet of a flood.
        self._rows = [(rule, *_bits(rule.source), *_bits(rule.destination)) for rule in rules]

    def first_match(self, packet: Opening) -> Rule | None:
        """The first rule that matches a packet; None if none does, which denies it.

        Args:
            packet: with its addresses as they are on the wire where it enters.
        """
        source, destination = int(packet.source), int(packet.destination)
        for rule, source_mask, sources, destination_mask, destinations in self._rows:
            if (
                destination & destination_mask == destinations
                and source & source_mask == sources
                and matches(rule, packet)
            ):
                return rule
        return None


def _bits(network: IPv4Network) -> tuple[int, int]:
    return int(network.netmask), int(network.network_address)


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
