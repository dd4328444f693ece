"""`established` as a table of nftables: which hosts have connections to which, kept by the kernel.

iptables has no set of pairs that knows when connections end; nftables counts them (`ct count`) and
forgets a pair within a second of the end of its last one. docs/decisions/pairs-in-nftables.md says
why it is done so.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator

from appliance.config.model import Configuration, Established, Interface
from appliance.errors import PixguardError
from appliance.live import connmark
from appliance.live.command import run
from appliance.policy.established import returning
from appliance.protocol import TCP

TABLE = "pixguard"
PAIRS = 65536
"""Pairs of hosts with connections that a line speaks of; past it no pair is added."""

_MARKED = f"meta mark set meta mark | {connmark.RETURNS:#x}"
_UNMARKED = f"meta mark set meta mark & {0xFFFFFFFF & ~connmark.RETURNS:#x}"
_PERMITTED = f"ct mark & {connmark.PERMITTED:#x} != 0"


def compile_returns(
    configuration: Configuration, interfaces: tuple[tuple[Interface, str], ...]
) -> str:
    """What the lines of `established` become, as `nft` reads it; "" for none.

    No rule tells its line: one that only moves must not change this.

    Args:
        configuration: what the rule file says.
        interfaces: those that take part, each with its Linux interface.
    """
    lines = configuration.established
    ways = [
        (inner, outer)
        for inside, inner in interfaces
        for outside, outer in interfaces
        if inside.level > outside.level
    ]
    if not lines or not ways:
        return ""
    sets = "".join(
        f"  set {name} {{ type ifname . ipv4_addr . ipv4_addr; size {PAIRS}; flags dynamic; }}\n"
        for name in dict.fromkeys(map(_name, lines))
    )
    # Past the filter table, which has priority 0: only what it lets pass comes here.
    began = _chain("began", 1, dict.fromkeys(_began(lines, ways)))
    marks = "".join(_marks(number, line) for number, line in enumerate(lines, 1))
    forget = dict.fromkeys(f'iifname "{outer}" {_UNMARKED}' for _, outer in ways)
    returns = _chain("returns", -1, [*forget, *_returning(lines, ways)])
    return f"table ip {TABLE} {{\n{sets}{began}{marks}{returns}}}\n"


def install(wanted: str, replaced: str = "") -> None:
    """Put the table in force, or take it away; one that stays the same keeps its pairs.

    Args:
        wanted: what `compile_returns` made.
        replaced: what this process put in force before.

    Raises:
        PixguardError: the kernel or the nft command refused.
    """
    present = _is_present()
    if not (wanted or present) or (present and wanted and wanted == replaced):
        return
    text = f"add table ip {TABLE}\ndelete table ip {TABLE}\n{wanted}"
    try:
        run(["nft", "-f", "-"], "nftables", text)
    except PixguardError as error:
        if shutil.which("nft") is None:
            raise
        told = "`established` needs the kernel's module nft_connlimit"
        raise PixguardError(f"{error}; {told}") from None


def _is_present() -> bool:
    # Where there is no such command, the table was never made.
    if shutil.which("nft") is None:
        return False
    return f"table ip {TABLE}\n" in run(["nft", "list", "tables"], "nftables")


def _name(line: Established) -> str:
    protocol = "tcp" if line.protocol == TCP else "udp"
    return f"{protocol}-{line.destination_port}-{line.source_port}"


def _chain(name: str, priority: int, rules: Iterable[str]) -> str:
    hook = f"type filter hook forward priority {priority}; policy accept;"
    # What is established goes on at once.
    lines = "".join(f"    {rule}\n" for rule in (hook, "ct state != new accept", *rules))
    return f"  chain {name} {{\n{lines}  }}\n"


def _began(lines: tuple[Established, ...], ways: list[tuple[str, str]]) -> Iterator[str]:
    """Remembers the pair of each connection that begins and that a line speaks of."""
    for inner, outer in ways:
        for line in lines:
            protocol = "tcp" if line.protocol == TCP else "udp"
            matched = [f'iifname "{inner}" oifname "{outer}" {_PERMITTED}']
            matched.append(f"meta l4proto {protocol}")
            if line.destination_port:
                matched.append(f"th dport {line.destination_port}")
            if line.source_port:
                matched.append(f"th sport {line.source_port}")
            pair = "oifname . ip saddr . ip daddr ct count over 0"
            yield f"{' '.join(matched)} add @{_name(line)} {{ {pair} }}"


def _returning(lines: tuple[Established, ...], ways: list[tuple[str, str]]) -> Iterator[str]:
    """Looks at the first packet of what each line may let in."""
    for inner, outer in ways:
        for number, line in enumerate(lines, 1):
            rule = returning(line)
            matched = [f'iifname "{outer}" oifname "{inner}"']
            if rule.protocol is not None:
                matched.append(f"meta l4proto {rule.protocol}")
            if rule.source_ports:
                matched.append(f"th sport {rule.source_ports.low}-{rule.source_ports.high}")
            if rule.destination_ports:
                # As it was addressed, before its destination was translated.
                ports = f"{rule.destination_ports.low}-{rule.destination_ports.high}"
                matched.append(f"ct original proto-dst {ports}")
            yield f"{' '.join(matched)} jump {_marking(number)}"


def _marking(number: int) -> str:
    return f"returns-{number}"


def _marks(number: int, line: Established) -> str:
    """Marks a packet whose hosts are a pair of a line's."""
    # A lookup that finds the pair would count the packet's own connection as one of it, and it
    # would outlive those that it is for; one that asks whether there is none does not.
    absent = f"iifname . ip daddr . ip saddr != @{_name(line)} return"
    return f"  chain {_marking(number)} {{\n    {absent}\n    {_MARKED}\n  }}\n"
