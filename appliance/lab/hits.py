"""How often the rules of the rule file matched, by the kernel's own counters."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from appliance.config.load import read_text
from appliance.errors import PixguardError, printable
from appliance.lab.namespace import Namespace

# Each rule that stands for a line of the rule file has that line in its comment.
_RULE = re.compile(r'^\[(\d+):\d+\] -A \S+ .*--comment "line (\d+)"', re.MULTILINE)
_END_OF_LIST = re.compile(r"^\[(\d+):\d+\] -A PIXGUARD-ACL-(\S+) -j DROP$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Hits:
    """How often a rule matched the first packet of a connection.

    Args:
        rule: the line of the rule file, or what stands for it.
        count: how often.
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
    command = namespace.command("iptables-save", "-c", "-t", "filter")
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        raise PixguardError(f"iptables-save: {done.stderr.strip()}")
    counts: dict[int, int] = {}
    for count, line in _RULE.findall(done.stdout):
        counts[int(line)] = counts.get(int(line), 0) + int(count)
    lines = read_text(rule_file).split("\n")
    found = [Hits(printable(lines[line - 1].strip()), counts[line]) for line in sorted(counts)]
    for count, interface in _END_OF_LIST.findall(done.stdout):
        found.append(Hits(f"end of the access list on {interface}: denied", int(count)))
    return tuple(found)
