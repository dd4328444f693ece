"""The version line, and what the firewall is called."""

from __future__ import annotations

import re

from appliance.config.command import Command, accepted
from appliance.config.draft import Draft
from appliance.config.grammar import Argument, Arguments
from appliance.config.kinds import Word
from appliance.config.model import Version
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
        if find(number) is None:
            draft.warn(
                arguments.where("number"),
                f"{number} is no release that can be imitated",
                "one must be chosen in the box file or with --release; "
                "`pixguard releases` lists them",
            )
        elif find(number) in _BEFORE_FIXUP:
            draft.smtp_ports = ()  # only what `mailhost` names is inspected
        if int(re.split(r"[.(]", number)[0]) >= 7:
            draft.warn(
                arguments.where("number"),
                "the rule language of 7.0 and later is not implemented",
                "the file is read as if it were a 6.3 one",
            )

    return Command(f"{product.lower()} version", "the release", enter, Argument("number", _NUMBER))


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
    ),
    accepted("domain-name", "the domain of the firewall itself"),
)
