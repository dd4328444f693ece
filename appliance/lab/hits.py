"""How many packets the rules of the rule file decided, by the kernel's own counters."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from appliance.config.load import read_text
from appliance.errors import printable
from appliance.lab.namespace import Namespace
from appliance.live import hits
from appliance.live.command import run


@dataclass(frozen=True, slots=True)
class Hits:
    """How many packets a rule decided.

    Args:
        rule: the line of the rule file, or what stands for it.
        count: packets, each the first of a connection; one that is sent again counts again.
    """

    rule: str
    count: int


def read_hits(namespace: Namespace, rule_file: Path) -> tuple[Hits, ...]:
    """Read the kernel's counters.

    Args:
        namespace: where the firewall is.
        rule_file: the rule file in force.

    Raises:
        PixguardError: the rules cannot be listed.
    """
    found = hits.read_hits(
        run(namespace.command("iptables-save", "-c", "-t", "filter"), "iptables")
    )
    lines = read_text(rule_file).split("\n")
    told = [
        Hits(printable(lines[line - 1].strip()), count)
        for line, count in sorted(found.lines.items())
    ]
    for interface, count in found.ends.items():
        told.append(Hits(f"end of the access list on {interface}: denied", count))
    return tuple(told)
