"""The table of releases in words: each trait of each release, and what it rests on."""

from __future__ import annotations

from collections.abc import Callable

from appliance.smtp.release import ESMTP_VERBS, HISTORY, RELEASES, Bug, Release


def _verbs(release: Release) -> str:
    return "the seven and eight more" if release.verbs == ESMTP_VERBS else "the seven"


def _bare(release: Release) -> str:
    return "blocked" if release.argument_verbs else "passes"


def _ehlo(release: Release) -> str:
    return "-" if release.ehlo_keywords is None else "unknown keywords masked"


TRAITS: dict[str, tuple[Callable[[Release], str], str]] = {
    "configured by": (
        lambda release: release.configured_by,
        "Microsoft KB 320027; Cisco's command references",
    ),
    "greeting": (
        lambda release: release.greeting.value,
        "cmap: Recog, KB 320027; first-code: KB 320027, Gordano; two-and-zero: KB 320027, "
        "KB 295725; codes: nmap's ArGoSoft, captures of 2013 and 2014",
    ),
    "verbs": (_verbs, "KB 320027 and Cisco 4733; for inspect esmtp Cisco 117801"),
    "HELO alone": (_bare, "smtpscan's vectors, test T2"),
    "blocked verb": (
        lambda release: release.blocked.value,
        "answer-ok: KB 320027 and Cisco 4733; mask: Exim FAQ Q0078, Recog, smtpscan's vectors; "
        "noop: the switch module's documentation",
    ),
    "short segment": (
        lambda release: release.short_segment.value,
        "discard: KB 320027 and Cisco's manuals; mask: Cisco 113423",
    ),
    "addresses": (
        lambda release: release.addresses.value,
        "messages 108002 and 108003 of Cisco's message guide",
    ),
    "EHLO reply": (_ehlo, "captures of 2006 to 2014; Cisco 118550"),
    "inspection map": (
        lambda release: "its limits drop connections" if release.has_maps else "-",
        "the text of _default_esmtp_map in Cisco's configuration guides; published 108004",
    ),
    "allow-tls": (
        lambda release: "known" if release.may_allow_tls else "-",
        "message 108007 of Cisco's message guide",
    ),
    "connection messages": (
        lambda release: release.connection_messages.value,
        "published log lines; Cisco's manuals of 4.x to 6.1",
    ),
}
"""Each trait: how to say it of a release, and what it rests on."""


def rows() -> list[list[str]]:
    """A heading and a row a release, for a table."""
    heading = ["release", *TRAITS]
    return [heading] + [
        [release.name, *(say(release) for say, _ in TRAITS.values())]
        for release in RELEASES.values()
    ]


def faults() -> list[str]:
    """Each fault that can be imitated and the releases that had it, a line each."""
    return [f"{bug.value}: {', '.join(map(_span, HISTORY[bug]))}" for bug in Bug]


def _span(span: tuple[tuple[int, int, int], tuple[int, int, int]]) -> str:
    (major, minor, first), (last_major, last_minor, last) = span
    until = f"{last_major}.{last_minor}" + (f"({last})" if last < 99 else "")
    return f"{major}.{minor}({first}) to {until}"
