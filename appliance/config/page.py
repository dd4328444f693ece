"""The page that lists all commands, made from the table: `python -m appliance.config.page`."""

from __future__ import annotations

from collections.abc import Iterator

from appliance.config.command import GLOBAL, Command, Mode, State
from appliance.config.language import SEVEN
from appliance.config.line import alternatives
from appliance.config.table import TABLE

_HEAD = """\
# Commands

All commands of the [rule file](rule-file.md). Any other word is an error. This page is made from
the table that pixguard reads by, with `.venv/bin/python -m appliance.config.page`.

The language of a file is that of its version line; [without one](rule-file.md), of 6.3, 8.2 or 8.4.
Where a column `versions` is empty, all versions have the command; one that the file's version lacks
is an error that says so. `[no]` says that there is a `no` form, which takes back what the command
did.

* *done*: it does what is said here.
* *no effect*: accepted, since it concerns the device and not the traffic. `pixguard check` notes
  it, once a command.
* *not implemented*: a warning says what therefore does not happen, once a command. The `no` forms
  ask for what is so anyway, and draw no warning.

Lines of the last two are kept and printed, without what may be a secret. No message shows what
follows the keywords of a command that is not done.

In a rule, SOURCE and DESTINATION are `any`, `host ADDRESS`, `interface NAME` (its own address),
`ADDRESS NETMASK`, or `object-group NAME`; before 8.3 the destination of what comes in is the
address that the outside sees. From 8.3 on, either may be `object NAME`, too. PORTS are `eq`, `neq`,
`lt` or `gt` and a port, or `range` and two, each as a number or a name (`smtp`, `www`); or a group.
PROTOCOL is `ip`, `tcp`, `udp`, `icmp`, another name (`gre`, `esp`, `ospf`, ...) or a number from 1
to 255, or a group; number 0 is refused, since it is `ip` that means all. ICMP types have names
(`echo`, `unreachable`, ...) or numbers, or are a group.
"""

_STATES = {
    State.DONE: "done",
    State.NO_EFFECT: "no effect",
    State.NOT_IMPLEMENTED: "not implemented",
}


def commands_page() -> str:
    """The page, in Markdown."""
    return "\n".join((_HEAD, *_sections()))


def _sections() -> Iterator[str]:
    shared = [c for c in TABLE.commands if c.mode is GLOBAL]
    older = [c for c in shared if c.until and c.until <= SEVEN]
    newer = [c for c in shared if c.since >= SEVEN]
    yield from _section("In all versions", [c for c in shared if c not in older + newer])
    yield from _section("Before 7.0", older)
    yield from _section("From 7.0 on", newer)
    for mode in TABLE.modes:
        if mode is not GLOBAL:
            title = f"Below {alternatives(_openers(mode))}"
            yield from _section(title, [c for c in TABLE.commands if c.mode is mode])


def _openers(mode: Mode) -> tuple[str, ...]:
    return tuple(f"`{c.words}`" for c in TABLE.commands if c.opens is mode)


def _section(title: str, commands: list[Command]) -> Iterator[str]:
    if not commands:
        return
    yield f"## {title}\n"
    yield "| command | versions | state | what it does |"
    yield "|---|---|---|---|"
    for command in sorted(commands, key=lambda c: (c.state is not State.DONE, c.words)):
        usage = command.usage().replace("|", "\\|")
        yield f"| `{usage}` | {command.span()} | {_STATES[command.state]} | {_meaning(command)} |"
    yield ""


def _meaning(command: Command) -> str:
    help = command.help[0].upper() + command.help[1:]
    if command.gap:
        return f"{help}: {command.gap}"
    return f"{help}. {command.detail}".rstrip(" .") + ("." if command.detail else "")


if __name__ == "__main__":
    print(commands_page(), end="")
