"""Where messages go: `logging`."""

from __future__ import annotations

from appliance.config.command import Command, accepted, unimplemented
from appliance.config.draft import Draft
from appliance.config.grammar import ANYTHING, Argument, Arguments
from appliance.config.kinds import SEVERITY

_DESTINATIONS = {
    "console": "the console",
    "monitor": "terminal sessions",
    "buffered": "the buffer in memory",
    "trap": "syslog",
    "history": "SNMP",
}


def _enter_on(draft: Draft, arguments: Arguments) -> None:
    draft.logging_on = True


def _undo_on(draft: Draft, arguments: Arguments) -> None:
    draft.logging_on = False


def _level(destination: str, meaning: str) -> Command:
    def enter(draft: Draft, arguments: Arguments) -> None:
        draft.logging_levels[destination] = arguments.need("level", int)

    def undo(draft: Draft, arguments: Arguments) -> None:
        draft.logging_levels.pop(destination, None)

    return Command(
        f"logging {destination}",
        f"send messages of a severity and all graver ones to {meaning}",
        enter,
        Argument("level", SEVERITY),
        undo,
        ANYTHING,
    )


COMMANDS = (
    Command("logging on", "log at all", _enter_on, undo=_undo_on),
    *(_level(*item) for item in _DESTINATIONS.items()),
    unimplemented("logging host", "syslog server", "no message is sent to it"),
    unimplemented("logging facility", "syslog facility", "the facility is as it is"),
    unimplemented("logging message", "one message", "the message is as it is", undo=True),
    unimplemented("logging device-id", "name in messages", "messages do not carry it"),
    unimplemented("logging timestamp", "time in messages", "the time is as it is"),
    accepted("logging queue", "how many messages may wait"),
    accepted("logging standby", "messages of a standby unit"),
)
