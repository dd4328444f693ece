"""Netfilter rules put in force and taken out again, by the iptables and nft commands."""

from __future__ import annotations

from pathlib import Path

from appliance.config.helpers import Helped
from appliance.config.model import Configuration
from appliance.errors import PixguardError
from appliance.live import returns
from appliance.live.command import run
from appliance.live.hits import kept_counts, saved_counts
from appliance.live.netfilter import CLOSED, Rules
from appliance.live.table import Chain, Counts, Table

_PROBE = "PIXGUARD-PROBE"
"""A chain that nothing jumps to."""


def install(rules: Rules, replaced: Rules | None = None) -> None:
    """Put rules in force, in place of whatever rules of ours there are.

    Args:
        rules: what `compile_rules` made.
        replaced: what this process put in force before, if it did; rules that stay the same go on
            counting.

    Raises:
        PixguardError: the kernel or the iptables command refused.
    """
    saved = saved_counts() if replaced else ""

    def put(table: Table) -> None:
        _load("iptables", table, kept_counts(saved, replaced.filter, table) if replaced else None)

    same = replaced is not None and replaced.nat == rules.nat
    # Somebody else may have emptied a built-in chain since.
    if not (same and rules.nat.is_entered(_present("iptables", "nat"))):
        # While translations change, no connection may begin: it would keep the wrong addresses.
        put(rules.closed())
        _load("iptables", rules.nat)
    _put_helpers(rules.raw)
    if _has_ipv6():
        _load("ip6tables", rules.filter6)
    returns.install(rules.returns, replaced.returns if replaced else "")
    put(rules.filter)


def withdraw() -> bool:
    """Remove every rule of ours; where there is none, netfilter is not touched.

    Returns:
        whether there was any.

    Raises:
        PixguardError: the kernel or the iptables command refused.
    """
    ours, ours6 = _has_ours("iptables"), _has_ipv6() and _has_ours("ip6tables")
    if ours:
        if f":{CLOSED.name} " in _present("iptables", "filter"):
            _restore("iptables", Table("filter", chains=(CLOSED,)).text())
        _load("iptables", Table("nat"))
        _put_helpers(Table("raw"))
    if ours6:
        _load("ip6tables", Table("filter"))
    if ours:
        _load("iptables", Table("filter"))
        returns.install("")
    return ours or ours6


def missing_helpers(configuration: Configuration) -> dict[Helped, str]:
    """What a configuration has inspected that the kernel has no helper for, and what it says.

    Args:
        configuration: what the rule file says.
    """
    missing = {}
    for helped in dict.fromkeys(fixup.helped for fixup in configuration.fixups):
        try:
            _probe(helped)
        except PixguardError as error:
            missing[helped] = str(error)
    return missing


def _probe(helped: Helped) -> None:
    names = (helped.helper, *helped.further)
    tables = {
        "raw": (f"-p {helped.protocol} -j CT --helper {helped.helper}",),
        "filter": tuple(f"-m helper --helper {name}" for name in names),
    }
    try:
        for name, rules in tables.items():
            _restore("iptables", Table(name, chains=(Chain(_PROBE, rules),)).text())
    finally:
        for name in tables:
            # Declaring the chain anew empties it.
            _restore("iptables", f"*{name}\n:{_PROBE} - [0:0]\n-X {_PROBE}\nCOMMIT\n")


def _put_helpers(raw: Table) -> None:
    """Put a raw table in force; where it neither is to have nor has rules of ours, stay away."""
    saved = run(["iptables-save"], "iptables").partition("*raw\n")[2].partition("COMMIT\n")[0]
    if raw.chains or ":PIXGUARD" in saved:
        _load("iptables", raw)


def _has_ours(command: str) -> bool:
    # Without a table's name: the older variant makes the kernel load a table that is named.
    return "\n:PIXGUARD" in run([f"{command}-save"], "iptables")


def _has_ipv6() -> bool:
    return Path("/proc/sys/net/ipv6").is_dir()


def _load(command: str, table: Table, counts: Counts | None = None) -> None:
    _restore(command, table.text(_present(command, table.name), counts))


def _present(command: str, table: str) -> str:
    return run([f"{command}-save", "-t", table], "iptables")


def _restore(command: str, text: str) -> None:
    # The older variant has one lock for all its users; wait for it.
    try:
        run([f"{command}-restore", "--noflush", "--counters", "--wait", "10"], "iptables", text)
    except PixguardError as error:
        if " -m time " not in text:
            raise
        told = "a `time-range` is in use, which needs the kernel's module xt_time"
        raise PixguardError(f"{error}; {told}") from None
