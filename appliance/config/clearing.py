"""Starting anew within a file: `clear`."""

from __future__ import annotations

from collections.abc import Callable

from appliance.config.command import Command, ignored
from appliance.config.draft import DEFAULT_SMTP_PORTS, Draft
from appliance.config.grammar import Argument, Arguments, Options
from appliance.config.kinds import ACCESS_LIST


def _clear_access_list(draft: Draft, arguments: Arguments) -> None:
    name = arguments.get("list", str)
    if name is None:
        draft.access_lists.clear()
    else:
        draft.access_lists.pop(name, None)


def _clear_fixup(draft: Draft) -> None:
    draft.smtp_ports = DEFAULT_SMTP_PORTS


def _clear(what: str, help: str, clear: Callable[[Draft], None]) -> Command:
    def enter(draft: Draft, arguments: Arguments) -> None:
        clear(draft)

    return Command(f"clear {what}", help, enter)


def _clear_kept(words: str) -> Command:
    """`clear` of a command whose lines are kept and not done."""

    def clear(draft: Draft) -> None:
        draft.kept.clear(words)

    return _clear(words, f"remove all lines of `{words}`", clear)


_KEPT = (
    "alias",
    "global",
    "http",
    "icmp",
    "nat",
    "ntp",
    "object-group",
    "snmp-server",
    "ssh",
    "telnet",
)
_STATE = {
    "arp": "forget ARP entries, which Linux keeps here",
    "local-host": "end the connections of a host",
    "xlate": "end connections",
}

COMMANDS = (
    Command(
        "clear access-list",
        "remove an access list, or all",
        _clear_access_list,
        Options(Argument("list", ACCESS_LIST)),
    ),
    _clear("access-group", "unbind all access lists", lambda draft: draft.access_groups.clear()),
    _clear("conduit", "remove all conduits", lambda draft: draft.conduits.clear()),
    _clear("fixup", "set the ports of inspection back", _clear_fixup),
    _clear("name", "remove all names", lambda draft: draft.names.clear()),
    _clear("route", "remove all routes", lambda draft: draft.routes.clear()),
    _clear("static", "remove all statics", lambda draft: draft.statics.clear()),
    *(_clear_kept(words) for words in _KEPT),
    *(ignored(f"clear {what}", help) for what, help in _STATE.items()),
)
