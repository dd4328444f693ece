"""How long connections may be idle: `timeout`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from appliance.config.command import Command
from appliance.config.draft import Draft
from appliance.config.grammar import Argument, Arguments, Keyword, OneOf, Options, Sequence
from appliance.config.kinds import Mismatch, Names
from appliance.config.language import FIRST, SEVEN, Language
from appliance.config.line import quoted
from appliance.config.model import Configuration, Timeout

_LINES: tuple[tuple[Language, tuple[tuple[str, ...], ...]], ...] = (
    (
        SEVEN,
        (
            ("xlate",),
            ("conn", "half-closed", "udp", "icmp"),
            ("sunrpc", "h323", "h225", "mgcp", "mgcp-pat"),
            ("sip", "sip_media", "sip-invite", "sip-disconnect"),
            ("sip-provisional-media", "uauth"),
            ("tcp-proxy-reassembly",),
        ),
    ),
    (
        (6, 3),
        (
            ("xlate",),
            ("conn", "half-closed", "udp", "rpc", "h225"),
            ("h323", "mgcp", "sip", "sip_media"),
            ("uauth",),
        ),
    ),
    (
        (5, 0),
        (("xlate",), ("conn", "half-closed", "udp", "rpc", "h323", "sip", "sip_media"), ("uauth",)),
    ),
    (FIRST, (("xlate", "conn", "half-closed", "udp"), ("rpc", "h323"), ("uauth",))),
)
"""As a device gathers them in lines, from a version on."""

_NAMES = tuple(dict.fromkeys(name for _, lines in _LINES for line in lines for name in line))

_KINDS = ("absolute", "inactivity")


@dataclass(frozen=True, slots=True)
class _Duration:
    """Hours, minutes and seconds; the value is seconds."""

    label = "H:MM:SS"
    expects = "a time such as 1:00:00, or 0 for no end"

    def parse(self, word: str, names: Names) -> int:
        """Read one word, see `Kind`."""
        if word == "0":
            return 0
        found = re.fullmatch(r"([0-9]{1,4}):([0-5]?[0-9])(?::([0-5]?[0-9]))?", word)
        if not found:
            raise Mismatch(f"{quoted(word)} is not a time")
        return int(found[1]) * 3600 + int(found[2]) * 60 + int(found[3] or 0)


def _enter(draft: Draft, arguments: Arguments) -> None:
    for number in (0, 1):
        for name in _NAMES:
            seconds = arguments.get(f"{name} {number}", int)
            if seconds is not None:
                kind = arguments.get(f"{name} {number} kind", str) or ""
                draft.timeouts[name, kind] = Timeout(name, seconds, kind)


def _undo(draft: Draft, arguments: Arguments) -> None:
    for name, kind in list(draft.timeouts):
        if arguments.get(f"{name} 0", int) is not None:
            del draft.timeouts[name, kind]


def _print(configuration: Configuration) -> Iterator[str]:
    lines = next(lines for since, lines in _LINES if since <= configuration.language)
    gathered = {name for line in lines for name in line}
    for line in (*lines, tuple(name for name in _NAMES if name not in gathered)):
        words = [
            f"{each.name} {_shown(each.seconds)} {each.kind}".rstrip()
            for name in line
            for each in configuration.timeouts
            if each.name == name
        ]
        if words:
            yield f"timeout {' '.join(words)}"


def _shown(seconds: int) -> str:
    return f"{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}" if seconds else "0"


def _one(name: str, number: int = 0) -> Sequence:
    return Sequence(Keyword(name), Argument(f"{name} {number}", _Duration()))


def _users(number: int) -> Sequence:
    kinds = OneOf(*(Keyword(kind, f"uauth {number} kind", kind) for kind in _KINDS))
    return Sequence(_one("uauth", number), Options(kinds))


_FORM = Options(*(_one(name) for name in _NAMES if name != "uauth"), _users(0), _users(1))

COMMANDS = (
    Command(
        "timeout",
        "how long connections may be idle",
        _enter,
        _FORM,
        _undo,
        printed=_print,
        detail=(
            "`conn`, `half-closed` and `udp` hold for connections that begin later; `conn`, "
            "`half-closed`, `udp` and `icmp` are told to the kernel for all connections of the "
            "machine. The others have no effect."
        ),
    ),
)
