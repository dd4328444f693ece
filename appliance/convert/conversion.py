"""A configuration in the dialect of another version, and what cannot be said there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TypeAlias

from appliance.config.language import BOTH_FAMILIES, OBJECTS, SEVEN, Language, of_number
from appliance.config.model import Configuration, Version
from appliance.convert.carried import carried
from appliance.convert.families import of_one_family
from appliance.convert.hardware import as_blocks, as_lines
from appliance.convert.loss import Loss
from appliance.convert.mail import as_fixups, as_policies, for_all_hosts
from appliance.convert.mapped_lists import with_mapped_addresses
from appliance.convert.object_nats import ObjectNats, with_objects
from appliance.convert.permits import listed
from appliance.convert.real_lists import with_real_addresses
from appliance.convert.six import as_six
from appliance.convert.statics import Statics, with_statics
from appliance.convert.ways import Compiled
from appliance.smtp.release import choose
from appliance.smtp.traits import TRAITS

TARGETS = {
    "6.3": Version("PIX", "6.3(5)"),
    "8.2": Version("ASA", "8.2(5)"),
    "8.4": Version("ASA", "8.4(7)"),
}
"""The versions that can be converted to, each by its last release."""

_EIGHT_TWO = TARGETS["8.2"]


Step: TypeAlias = Callable[[Configuration], tuple[Configuration, tuple[Loss, ...]]]


@dataclass(frozen=True, slots=True)
class Conversion:
    """What a configuration becomes.

    Args:
        configuration: the same policy in the other version's terms.
        losses: what could not be said.
    """

    configuration: Configuration
    losses: tuple[Loss, ...]


def convert(configuration: Configuration, target: str) -> Conversion:
    """Say a configuration in the terms of another version.

    Args:
        configuration: what a rule file says.
        target: one of `TARGETS`.

    Raises:
        FindingsError: a translation that cannot translate anything as written.
    """
    version = TARGETS[target]
    wanted = of_number(version.number)
    losses = list(_release(configuration, version))
    for step in _steps(configuration.language, wanted):
        configuration, lost = step(configuration)
        losses += lost
    configuration, lost = carried(replace(configuration, version=version), wanted)
    return Conversion(configuration, tuple(dict.fromkeys((*losses, *lost))))


def _steps(language: Language, wanted: Language) -> Iterator[Step]:
    """What leads from one version to another."""
    if language >= BOTH_FAMILIES:
        yield of_one_family
    if language < SEVEN:
        yield _up_to_eight if wanted >= SEVEN else _up_to_six
    if language < OBJECTS <= wanted:
        yield _with_objects
    if wanted < OBJECTS <= language:
        yield _without_objects
    if wanted < SEVEN <= language:
        yield _down_to_six


def _up_to_six(configuration: Configuration) -> tuple[Configuration, tuple[Loss, ...]]:
    return for_all_hosts(configuration)


def _up_to_eight(configuration: Configuration) -> tuple[Configuration, tuple[Loss, ...]]:
    losses: list[Loss] = []
    for step in (as_policies, listed, as_blocks):
        configuration, lost = step(configuration)
        losses += lost
    return replace(configuration, version=_EIGHT_TWO), tuple(losses)


def _with_objects(configuration: Configuration) -> tuple[Configuration, tuple[Loss, ...]]:
    compiled = Compiled.of(configuration)
    lists, groups, losses = with_real_addresses(compiled)
    made = ObjectNats(compiled)
    configuration = replace(configuration, access_lists=lists, access_groups=groups)
    return with_objects(configuration, made), (*losses, *made.losses)


def _without_objects(configuration: Configuration) -> tuple[Configuration, tuple[Loss, ...]]:
    statics = Statics(configuration)
    configuration, losses = with_mapped_addresses(configuration, statics)
    made = with_statics(replace(configuration, version=_EIGHT_TWO), statics)
    return made, (*losses, *statics.losses)


def _down_to_six(configuration: Configuration) -> tuple[Configuration, tuple[Loss, ...]]:
    losses: list[Loss] = []
    for step in (as_fixups, as_six, as_lines):
        configuration, lost = step(configuration)
        losses += lost
    return configuration, tuple(losses)


_OF_THE_LOG = frozenset({"configured by", "connection messages"})
"""Traits of a release that are not about mail itself."""


def _release(configuration: Configuration, version: Version) -> Iterator[Loss]:
    """How mail is treated that the one release inspects, and how the other one treats it."""
    inspected = configuration.smtp_ports or configuration.inspections or configuration.mail_hosts
    if not inspected:
        return
    old, new = choose(configuration.version, None), choose(version, None)
    told = [
        (name, say(old), say(new))
        for name, (say, _) in TRAITS.items()
        if name not in _OF_THE_LOG and say(old) != say(new)
    ]
    if told:
        olds, news = ("; ".join(f"{each[0]}: {each[side]}" for each in told) for side in (1, 2))
        yield Loss(None, f"mail as {old.name} inspects it ({olds})", f"as {new.name} does ({news})")
