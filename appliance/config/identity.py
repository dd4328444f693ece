"""The version line, and what the firewall is called."""

from __future__ import annotations

from collections.abc import Iterator

from appliance.config.command import Command, accepted
from appliance.config.draft import Draft
from appliance.config.grammar import Argument, Arguments
from appliance.config.kinds import Word
from appliance.config.language import SEVEN, of_number, shown
from appliance.config.model import Configuration, Version
from appliance.smtp.release import RELEASES, find

_NUMBER = Word(
    "X.Y(Z)", "a release number", r"[0-9]+\.[0-9]+(\([0-9.]+\)[0-9]*)?", "such as 6.3(5)"
)
_HOSTNAME = Word(
    "NAME", "a host name", r"[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?", "letters, digits and -"
)

_BEFORE_FIXUP = tuple(row for row in RELEASES.values() if row.configured_by == "mailhost")


def _version(product: str) -> Command:
    def enter(draft: Draft, arguments: Arguments) -> None:
        number = arguments.need("number", str)
        draft.version = Version(product, number)
        draft.version_place = arguments.where("number")
        if find(number) is None:
            draft.warn(
                arguments.where("number"),
                f"{number} is no release that can be imitated",
                "one must be chosen in the box file or with --release; "
                "`pixguard releases` lists them",
            )
        elif find(number) in _BEFORE_FIXUP:
            draft.smtp_ports = ()  # only what `mailhost` names is inspected
        if of_number(number) != draft.language:
            raise arguments.refusal(
                "number",
                f"the file is read as one of {shown(draft.language)}, as its first version line "
                "says",
                "leave one of the two out",
            )

    def printed(configuration: Configuration) -> Iterator[str]:
        version = configuration.version
        blank = " " if configuration.language >= SEVEN else ""
        if version and version.product == product:
            yield f"{product} Version {version.number}" + blank

    return Command(
        f"{product.lower()} version",
        "the release",
        enter,
        Argument("number", _NUMBER),
        printed=printed,
        detail=(
            "It picks the [release](releases.md) to be and the language of the file. Under "
            "4.0 and 4.1 only mail to a `mailhost` is inspected."
        ),
    )


def _enter_hostname(draft: Draft, arguments: Arguments) -> None:
    draft.hostname = arguments.need("name", str)


def _undo_hostname(draft: Draft, arguments: Arguments) -> None:
    draft.hostname = Draft().hostname


COMMANDS = (
    _version("PIX"),
    _version("ASA"),
    Command(
        "hostname",
        "the name in the prompt and in messages",
        _enter_hostname,
        Argument("name", _HOSTNAME),
        _undo_hostname,
        printed=lambda configuration: [f"hostname {configuration.hostname}"],
        detail="`pixfirewall` without it.",
    ),
    accepted("domain-name", "the domain of the firewall itself"),
)
