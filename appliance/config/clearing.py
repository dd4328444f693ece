"""Starting anew within a file: `clear`, and `clear configure` from 7.0 on."""

from __future__ import annotations

from collections.abc import Iterator

from appliance.config.access_lists import clear_list
from appliance.config.command import Command, Handler, ignored
from appliance.config.draft import DEFAULT_SMTP_PORTS, Draft, default_fixups
from appliance.config.grammar import (
    NOTHING,
    Argument,
    Arguments,
    Keyword,
    OneOf,
    Options,
    Piece,
    Sequence,
)
from appliance.config.groups import SINCE, clear_groups
from appliance.config.kinds import ACCESS_LIST
from appliance.config.language import FIRST, SEVEN, Language
from appliance.config.model import GroupKind


def _clear_access_list(draft: Draft, arguments: Arguments) -> None:
    if arguments.get("counters", bool):
        return
    name = arguments.get("list", str)
    for each in (*draft.access_lists, *draft.standard_lists) if name is None else (name,):
        clear_list(draft, each)


def _clear_fixup(draft: Draft, arguments: Arguments) -> None:
    draft.smtp_ports = DEFAULT_SMTP_PORTS
    draft.fixups = default_fixups(draft.language)


def _clear_class_maps(draft: Draft, arguments: Arguments) -> None:
    for entry in draft.class_maps.values():
        draft.kept.close((entry.heading,))
    draft.class_maps.clear()


def _clear_policy_maps(draft: Draft, arguments: Arguments) -> None:
    for entry in draft.policy_maps.values():
        draft.kept.close((entry.heading,))
    draft.policy_maps.clear()


def _clear_time_ranges(draft: Draft, arguments: Arguments) -> None:
    for entry in draft.time_ranges.values():
        draft.kept.close((entry.heading,))
    draft.time_ranges.clear()


def _emptying(attribute: str) -> Handler:
    def clear(draft: Draft, arguments: Arguments) -> None:
        getattr(draft, attribute).clear()

    return clear


def _forgetting(words: str) -> Handler:
    """`clear` of a command whose lines are kept and not done."""

    def clear(draft: Draft, arguments: Arguments) -> None:
        draft.kept.clear(words)

    return clear


def _clear(
    what: str,
    help: str,
    clear: Handler,
    form: Piece = NOTHING,
    since: Language = FIRST,
    until: Language | None = None,
) -> Iterator[Command]:
    """`clear`, and `clear configure`, which is what it is called from 7.0 on."""
    yield Command(f"clear {what}", help, clear, form, since=since, until=until)
    if until is None:
        yield Command(f"clear configure {what}", help, clear, form, since=max(since, SEVEN))


_KEPT = (
    "aaa",
    "aaa-server",
    "banner",
    "dhcpd",
    "http",
    "ntp",
    "snmp-server",
    "ssh",
    "sysopt",
    "telnet",
)
_STATE = {
    "arp": "forget ARP entries, which Linux keeps here",
    "local-host": "end the connections of a host",
    "xlate": "end connections",
}
_LIST = Options(
    OneOf(
        Keyword("counters", "counters"),
        Sequence(Argument("list", ACCESS_LIST), Options(Keyword("counters", "counters"))),
    )
)
_KIND = Options(OneOf(*(Keyword(kind.value, "kind", kind) for kind in GroupKind)))

COMMANDS = (
    *_clear("access-list", "remove an access list, or all", _clear_access_list, _LIST),
    *_clear("access-group", "unbind all access lists", _emptying("access_groups")),
    *_clear("object-group", "remove all groups, or all of a kind", clear_groups, _KIND, SINCE),
    *_clear("time-range", "remove all time ranges", _clear_time_ranges, since=SEVEN),
    *_clear("class-map", "remove all class maps", _clear_class_maps, since=SEVEN),
    *_clear("policy-map", "remove all policy maps", _clear_policy_maps, since=SEVEN),
    *_clear(
        "service-policy",
        "take all policy maps out of force",
        _emptying("service_policies"),
        since=SEVEN,
    ),
    *_clear("alias", "remove all lines of `alias`", _emptying("aliases")),
    *_clear("conduit", "remove all conduits", _emptying("conduits"), until=SEVEN),
    *_clear("established", "remove all lines of `established`", _emptying("established")),
    *_clear("fixup", "set the ports of inspection back", _clear_fixup, until=SEVEN),
    *_clear("global", "remove all addresses of `global`", _emptying("globals")),
    *_clear("icmp", "let all ICMP in again", _emptying("icmp_rules")),
    *_clear("nat", "remove all lines of `nat`", _emptying("nats")),
    *_clear("timeout", "set all times back", _emptying("timeouts")),
    *_clear("name", "remove all names", _emptying("names")),
    *_clear("route", "remove all routes", _emptying("routes")),
    *_clear("static", "remove all statics", _emptying("statics")),
    *(
        command
        for words in _KEPT
        for command in _clear(words, f"remove all lines of `{words}`", _forgetting(words))
    ),
    *(ignored(f"clear {what}", help) for what, help in _STATE.items()),
)
