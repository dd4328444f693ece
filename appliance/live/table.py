"""What is ours in a netfilter table, and the text that puts it there."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

_OURS = re.compile(r"^:(PIXGUARD(?:-\S+)?) ", re.MULTILINE)
_OUR_JUMPS = re.compile(r"^-A ((?!PIXGUARD)[A-Z]+ -j PIXGUARD(?:-\S+)?)$", re.MULTILINE)

Counts: TypeAlias = Mapping[tuple[str, int], str]
"""Counters that rules begin with, "[packets:bytes]", by chain and number in it, from 0."""


@dataclass(frozen=True, slots=True)
class Chain:
    """A chain of our own.

    Args:
        name: its name, PIXGUARD or PIXGUARD- and more; 28 characters at most.
        rules: its rules, each what follows `-A NAME`.
    """

    name: str
    rules: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """What is ours in one table.

    Args:
        name: the table's name.
        jumps: pairs of a built-in chain and the chain of ours that it jumps to before all else.
        chains: our chains.
    """

    name: str
    jumps: tuple[tuple[str, str], ...] = ()
    chains: tuple[Chain, ...] = ()

    def text(self, present: str = "", counts: Counts | None = None) -> str:
        """Input of `iptables-restore --noflush` that puts this in place of what was ours.

        Args:
            present: what the table holds, as `iptables-save` prints it.
            counts: what rules have counted before, for `--counters`; None for nothing.
        """
        counted = counts or {}
        names = [chain.name for chain in self.chains]
        stale = [name for name in _OURS.findall(present) if name not in names]
        lines = [f"*{self.name}"]
        lines += [f"-D {jump}" for jump in _OUR_JUMPS.findall(present)]
        # Declaring a chain that is there empties it.
        lines += [f":{name} - [0:0]" for name in names + stale]
        lines += [f"-I {built_in} 1 -j {name}" for built_in, name in self.jumps]
        lines += [
            f"{counted.get((chain.name, number), '')} -A {chain.name} {rule}".strip()
            for chain in self.chains
            for number, rule in enumerate(chain.rules)
        ]
        lines += [f"-X {name}" for name in stale]
        return "\n".join([*lines, "COMMIT", ""])

    def is_entered(self, present: str) -> bool:
        """Whether the built-in chains jump to our chains.

        Args:
            present: what the table holds, as `iptables-save` prints it.
        """
        found = _OUR_JUMPS.findall(present)
        return all(f"{built_in} -j {name}" in found for built_in, name in self.jumps)
