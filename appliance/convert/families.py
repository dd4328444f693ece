"""Access lists of IPv4 and IPv6 alike, of 9.0 and later, as lists of IPv4 alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from appliance.config.model import AccessList, Configuration, Remark, RuleLine
from appliance.convert.crossing import nonempty
from appliance.convert.loss import Loss

_SIX = "any6"


def of_one_family(configuration: Configuration) -> tuple[Configuration, tuple[Loss, ...]]:
    """A configuration whose access lists are of IPv4.

    Args:
        configuration: of 9.0 or later.
    """
    losses: list[Loss] = []
    lists = {
        each.name: AccessList(each.name, tuple(_lines(each, losses)))
        for each in configuration.access_lists
    }
    for group in configuration.access_groups:
        lines = nonempty(lists[group.access_list].lines, group.place)
        lists[group.access_list] = AccessList(group.access_list, lines)
    kept = tuple(each for each in lists.values() if each.lines)
    return replace(configuration, access_lists=kept), tuple(losses)


def _lines(access_list: AccessList, losses: list[Loss]) -> Iterator[RuleLine | Remark]:
    for line in access_list.lines:
        if isinstance(line, RuleLine) and _SIX in dict(line.families).values():
            what = f"a line of access-list {access_list.name} that is of IPv6"
            losses.append(Loss(line.rule.place, what, "left out"))
        elif isinstance(line, RuleLine):
            yield replace(line, families=())
        else:
            yield line
