"""How often the kernel's rules have matched: read for each line of the rule file, and kept.

Rules that a reload replaces would begin to count anew; those that stay the same take their counts
along.
"""

from __future__ import annotations

import re
from collections import Counter, deque
from dataclasses import dataclass

from appliance.live.command import run
from appliance.live.table import Counts, Table

_RULE = re.compile(r"^\[(\d+):(\d+)\] -A (PIXGUARD\S*) (.*)$", re.MULTILINE)
_LINE = re.compile(r'--comment "line (\d+)"')
_COMMENT = re.compile(r'-m comment --comment "line \d+" ?')
_LIST = "PIXGUARD-ACL-"
_END = re.compile(rf"^\[(\d+):\d+\] -A {_LIST}(\S+) -j PIXGUARD-DENIED$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Hits:
    """How many packets rules decided, each the first of a connection; one sent again counts again.

    Args:
        lines: by the line of the rule file that has the rule.
        ends: by Linux interface, those that no line of the access list there matched.
    """

    lines: dict[int, int]
    ends: dict[str, int]


def saved_counts() -> str:
    """The rules of the filter table with their counters, as `iptables-save -c` prints them.

    Raises:
        PixguardError: they cannot be listed.
    """
    return run(["iptables-save", "-c", "-t", "filter"], "iptables")


def read_hits(saved: str) -> Hits:
    """The hits of each line; an access list that is bound twice has one count.

    Args:
        saved: what `saved_counts` gave.
    """
    lines: Counter[int] = Counter()
    for packets, _, _, rule in _RULE.findall(saved):
        if found := _LINE.search(rule):
            lines[int(found[1])] += int(packets)
    ends = {interface: int(packets) for packets, interface in _END.findall(saved)}
    return Hits(dict(lines), ends)


def kept_counts(saved: str, replaced: Table, table: Table) -> Counts:
    """The counts that rules take along from those that they replace.

    A rule stays the same if it says the same in the same chain, wherever its line has moved.

    Args:
        saved: what `saved_counts` gave, while `replaced` is in force.
        replaced: the table in force.
        table: the one that takes its place.
    """
    counted: dict[str, list[str]] = {}
    for packets, octets, chain, _ in _RULE.findall(saved):
        counted.setdefault(chain, []).append(f"[{packets}:{octets}]")
    known: dict[tuple[str, str], deque[str]] = {}
    for each in replaced.chains:
        counts = counted.get(each.name, [])
        if len(counts) == len(each.rules):  # else somebody has changed it
            for rule, count in zip(each.rules, counts, strict=True):
                known.setdefault((each.name, _unnumbered(rule)), deque()).append(count)
    kept = {}
    for each in table.chains:
        for number, rule in enumerate(each.rules):
            if left := known.get((each.name, _unnumbered(rule))):
                kept[each.name, number] = left.popleft()
    return kept


def _unnumbered(rule: str) -> str:
    return _COMMENT.sub("", rule).strip()
