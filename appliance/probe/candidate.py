"""What may stand in the path, and what it makes of a line."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum

from appliance.probe.reply import Question
from appliance.smtp.command import passes
from appliance.smtp.release import RELEASES, Blocked, Greeting, Release


class Fate(Enum):
    """What becomes of a line on its way to the server."""

    PASSES = "passes"
    MASKED = "masked"
    NOOP = "noop"
    """`NOOP` is written over it."""
    ANSWERED = "answered"
    """It never arrives; the firewall says `250 OK`."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """What may stand in the path.

    Args:
        names: the releases that a session cannot tell apart; none where there is no firewall.
        release: one of them; None for no firewall.
        settings: what its `inspect esmtp` map says other than the default one.
    """

    names: tuple[str, ...]
    release: Release | None
    settings: tuple[str, ...] = ()

    def __str__(self) -> str:
        settings = f" with {' and '.join(self.settings)}" if self.settings else ""
        return _spans(self.names) + settings

    def fate(self, question: Question) -> Fate:
        """What becomes of a line."""
        verb, ender = re.split(rb"(?=[ \r])", question.value + b"\r", maxsplit=1)
        release = self.release
        if release is None or passes(release, release.verbs, verb.upper(), ender[0]):
            return Fate.PASSES
        if release.blocked is Blocked.ANSWER_OK:
            return Fate.ANSWERED
        if release.blocked is Blocked.NOOP and len(question.value) >= len(b"NOOP"):
            return Fate.NOOP
        return Fate.MASKED

    @property
    def greeting(self) -> Greeting:
        """What becomes of the greeting."""
        return self.release.greeting if self.release else Greeting.UNTOUCHED


def _spans(names: tuple[str, ...]) -> str:
    """Names of releases in order, those that follow each other as one span."""
    order = list(RELEASES)
    runs: list[list[str]] = []
    for name in names:
        if runs and order.index(name) == order.index(runs[-1][-1]) + 1:
            runs[-1].append(name)
        else:
            runs.append([name])
    return ", ".join(run[0] if len(run) == 1 else f"{run[0]} to {run[-1]}" for run in runs)


def _visible(release: Release) -> Release:
    """A release with only those traits that show in a session."""
    return Release(
        name="",
        greeting=release.greeting,
        verbs=release.verbs,
        argument_verbs=release.argument_verbs,
        blocked=release.blocked,
        ehlo_keywords=release.ehlo_keywords,
    )


def _candidates() -> tuple[Candidate, ...]:
    groups: dict[Release, list[str]] = {}
    for name, release in RELEASES.items():
        groups.setdefault(_visible(release), []).append(name)
    plain = [Candidate(tuple(names), RELEASES[names[0]]) for names in groups.values()]
    mapped = tuple(name for name, release in RELEASES.items() if release.may_allow_tls)
    default = RELEASES[mapped[0]]
    tls = default.allowing_tls()
    bare = replace(default, greeting=Greeting.UNTOUCHED)
    return (
        *plain,
        Candidate(mapped, tls, ("allow-tls",)),
        Candidate(mapped, bare, ("no mask-banner",)),
        Candidate(mapped, bare.allowing_tls(), ("allow-tls", "no mask-banner")),
        NO_FIREWALL,
    )


NO_FIREWALL = Candidate((), None)
CANDIDATES = _candidates()
"""Everything that a session is compared with."""


def those(fit: Callable[[Candidate], bool]) -> tuple[Candidate, ...]:
    """The candidates that fit."""
    return tuple(candidate for candidate in CANDIDATES if fit(candidate))


def those_whose(question: Question, *fates: Fate) -> tuple[Candidate, ...]:
    """The candidates with which one of these is the fate of a line."""
    return those(lambda candidate: candidate.fate(question) in fates)
