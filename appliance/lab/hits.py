"""How many packets the rules of the rule file decided, by the kernel's own counters."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from appliance.config.load import read_text
from appliance.errors import printable
from appliance.lab.namespace import Namespace
from appliance.live.command import run

# Each rule that stands for a line of the rule file has that line in its comment.
_RULE = re.compile(r'^\[(\d+):\d+\] -A \S+ .*--comment "line (\d+)"', re.MULTILINE)
_END_OF_LIST = re.compile(r"^\[(\d+):\d+\] -A PIXGUARD-ACL-(\S+) -j DROP$", re.MULTILINE)


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
    rules = run(namespace.command("iptables-save", "-c", "-t", "filter"), "iptables")
    counts: dict[int, int] = {}
    for count, line in _RULE.findall(rules):
        counts[int(line)] = counts.get(int(line), 0) + int(count)
    lines = read_text(rule_file).split("\n")
    found = [Hits(printable(lines[line - 1].strip()), counts[line]) for line in sorted(counts)]
    for count, interface in _END_OF_LIST.findall(rules):
        found.append(Hits(f"end of the access list on {interface}: denied", int(count)))
    return tuple(found)
