"""What both versions say alike: names, times, messages, and lines that do nothing here."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from appliance.config.command import GLOBAL
from appliance.config.language import SEVEN, Language, shown
from appliance.config.model import Configuration, Kept, Timeout
from appliance.config.table import TABLE
from appliance.convert.loss import Loss

_RENAMED = {"rpc": "sunrpc"}
"""Timeouts that 7.0 calls otherwise."""
_TIMES_OF_SIX = frozenset(
    {"xlate", "conn", "half-closed", "udp", "rpc", "h225", "h323", "mgcp", "sip", "sip_media"}
    | {"uauth"}
)


def carried(
    configuration: Configuration, language: Language
) -> tuple[Configuration, tuple[Loss, ...]]:
    """A configuration with what the other version can say of all that is kept and carried over.

    Args:
        configuration: already in the other version's terms, but for these things.
        language: the version.
    """
    losses: list[Loss] = []
    kept = tuple(_kept(configuration, language, losses))
    timeouts = tuple(_timeouts(configuration, language, losses))
    return replace(configuration, kept=kept, timeouts=timeouts), tuple(losses)


def _kept(configuration: Configuration, language: Language, losses: list[Loss]) -> Iterator[Kept]:
    known = {command.words for command in TABLE.of(GLOBAL, language)}
    for each in configuration.kept:
        if each.under and language < SEVEN:
            words, becomes = each.under[0], "left out, with the block that it stands in"
        elif not each.under and each.words not in known:
            words, becomes = each.text, f"left out: there is no such command in {shown(language)}"
        else:
            yield each
            continue
        what = each.text if words == each.text else f"{each.text} (below {words})"
        losses.append(Loss(each.place, what, becomes))


def _timeouts(
    configuration: Configuration, language: Language, losses: list[Loss]
) -> Iterator[Timeout]:
    names = _RENAMED if language >= SEVEN else {new: old for old, new in _RENAMED.items()}
    for each in configuration.timeouts:
        name = names.get(each.name, each.name)
        if language < SEVEN and name not in _TIMES_OF_SIX:
            losses.append(Loss(None, f"timeout {each.name}", "left out: it has its default"))
            continue
        yield replace(each, name=name)
