"""Starting anew within a file: `clear`, and `clear configure` from 7.0 on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import fields

from appliance.config.access_lists import clear_list
from appliance.config.command import GLOBAL, Command, Handler, State, ignored
from appliance.config.draft import Draft, Subject
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
from appliance.config.hardware import clear_hardware
from appliance.config.kinds import ACCESS_LIST
from appliance.config.language import FIRST, MAPS, OBJECTS, SEVEN, Language
from appliance.config.model import GroupKind, ServiceObject
from appliance.config.object_commands import clear_objects
from appliance.config.object_nat import clear_nat
from appliance.config.objects import NetworkObject
from appliance.config.translation import clear_mailhosts

_HISTORY = frozenset(
    (
        "language",
        "version",
        "version_place",
        "notes",
        "gaps",
        "refused",
        "definitions",
        "mentions",
        "findings",
    )
)
"""What a draft knows of the file and not of the configuration."""

_EVERYTHING = tuple(each.name for each in fields(Draft) if each.name not in _HISTORY)
_PRIMARY = ("hardware", "interface_names", "addresses", "routes")
_SECONDARY = (
    "access_lists",
    "standard_lists",
    "conduits",
    "globals",
    "outbounds",
    "applied",
    "statics",
    "aliases",
    "mail_hosts",
)
_KEPT_PRIMARY = ("mtu",)
_KEPT_SECONDARY = ("aaa-server", "telnet", "url-server")


def _clear_access_list(draft: Draft, arguments: Arguments) -> None:
    if arguments.get("counters", bool):
        return
    name = arguments.get("list", str)
    for each in (*draft.access_lists, *draft.standard_lists) if name is None else (name,):
        clear_list(draft, each)


def _closing(*attributes: str) -> Handler:
    """Remove all blocks of some kinds, with what is kept below their headings."""

    def clear(draft: Draft, arguments: Arguments) -> None:
        for attribute in attributes:
            blocks: dict[str, Subject] = getattr(draft, attribute)
            for entry in blocks.values():
                draft.kept.close((entry.heading,))
            blocks.clear()

    return clear


def _resetting(*attributes: str, kept: Iterable[str] = ()) -> Handler:
    """Set parts of the draft back to what they are in an empty file.

    Args:
        attributes: the parts.
        kept: first keywords of commands whose lines are kept and not done.
    """

    def clear(draft: Draft, arguments: Arguments) -> None:
        empty = Draft(language=draft.language)
        for attribute in attributes:
            setattr(draft, attribute, getattr(empty, attribute))
        for words in kept:
            draft.kept.clear(words)

    return clear


def _clear_configuration(draft: Draft, arguments: Arguments) -> None:
    """What 6.x calls the primary configuration is about interfaces, the secondary one about who
    may pass; a device keeps the rest of it."""
    match arguments.need("part", str):
        case "primary":
            clear = _resetting(*_PRIMARY, kept=_KEPT_PRIMARY)
        case "secondary":
            clear = _resetting(*_SECONDARY, kept=_KEPT_SECONDARY)
        case _:
            clear = _resetting(*_EVERYTHING)
    clear(draft, arguments)


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
    if until is None or until > SEVEN:
        yield _clear_configure(what, help, clear, form, since, until)


def _clear_configure(
    what: str,
    help: str,
    clear: Handler,
    form: Piece = NOTHING,
    since: Language = FIRST,
    until: Language | None = None,
) -> Command:
    since = max(since, SEVEN)
    return Command(f"clear configure {what}", help, clear, form, since=since, until=until)


_STATE = {
    "arp": "forget ARP entries, which Linux keeps here",
    "counters": "count anew",
    "interface": "count packets anew",
    "local-host": "end the connections of a host",
    "logging": "empty the buffer of messages",
    "uauth": "forget who has logged in",
    "xlate": "end connections",
}
_LIST = Options(
    OneOf(
        Keyword("counters", "counters"),
        Sequence(Argument("list", ACCESS_LIST), Options(Keyword("counters", "counters"))),
    )
)
_OBJECTS = Options(
    OneOf(
        Keyword("network", "object_kind", NetworkObject),
        Keyword("service", "object_kind", ServiceObject),
    )
)
_KIND = Options(OneOf(*(Keyword(kind.value, "kind", kind) for kind in GroupKind)))
_PART = OneOf(*(Keyword(part, "part", part) for part in ("primary", "secondary", "all")))
_LOGGING = tuple(name for name in _EVERYTHING if name.startswith("log"))

COMMANDS = (
    *_clear("access-list", "remove an access list, or all", _clear_access_list, _LIST),
    *_clear("access-group", "unbind all access lists", _resetting("access_groups")),
    *_clear("object-group", "remove all groups, or all of a kind", clear_groups, _KIND, SINCE),
    *_clear("time-range", "remove all time ranges", _closing("time_ranges"), since=SEVEN),
    *_clear(
        "class-map",
        "remove all class maps, of all types",
        _closing("class_maps", "regex_classes", "esmtp_classes"),
        since=SEVEN,
    ),
    *_clear(
        "policy-map",
        "remove all policy maps, of all types",
        _closing("policy_maps", "esmtp_maps"),
        since=SEVEN,
    ),
    *_clear("regex", "remove all regular expressions", _resetting("regexes"), since=MAPS),
    *_clear(
        "service-policy",
        "take all policy maps out of force",
        _resetting("service_policies"),
        since=SEVEN,
    ),
    *_clear("alias", "remove all lines of `alias`", _resetting("aliases"), until=OBJECTS),
    *_clear(
        "established",
        "remove all lines of `established`",
        _resetting("established", kept=("established",)),
    ),
    *_clear("apply", "take all outbound lists out of force", _resetting("applied"), until=SEVEN),
    *_clear("outbound", "remove all outbound lists", _resetting("outbounds"), until=SEVEN),
    *_clear("conduit", "remove all conduits", _resetting("conduits"), until=SEVEN),
    *_clear("mailhost", "remove all lines of `mailhost`", clear_mailhosts, until=SEVEN),
    *_clear(
        "fixup",
        "set the ports of inspection back",
        _resetting("smtp_ports", "fixups", kept=("fixup",)),
        until=SEVEN,
    ),
    *_clear("global", "remove all addresses of `global`", _resetting("globals"), until=OBJECTS),
    *_clear("icmp", "let all ICMP in again", _resetting("icmp_rules", kept=("icmp",))),
    *_clear("ip", "remove all addresses of interfaces", _resetting("addresses"), until=SEVEN),
    *_clear("ip audit", "remove all lines of `ip audit`", _resetting(kept=("ip audit",))),
    *_clear("ip local", "remove all lines of `ip local`", _resetting(kept=("ip local",))),
    *_clear("ip verify", "let packets come from anywhere again", _resetting("verified")),
    *_clear("nameif", "remove all names of interfaces", _resetting("interface_names"), until=SEVEN),
    *_clear("nat", "remove all lines of `nat`", _resetting("nats"), until=OBJECTS),
    *_clear("nat", "remove all translations", clear_nat, since=OBJECTS),
    *_clear("object", "remove all objects, or all of a kind", clear_objects, _OBJECTS, SEVEN),
    *_clear("timeout", "set all times back", _resetting("timeouts")),
    *_clear("name", "remove all names", _resetting("names")),
    *_clear("names", "remove all names", _resetting("names"), until=SEVEN),
    *_clear("route", "remove all routes", _resetting("routes")),
    *_clear("static", "remove all statics", _resetting("statics"), until=OBJECTS),
    *_clear("sysopt", "remove all lines of `sysopt`", _resetting("silent", kept=("sysopt",))),
    _clear_configure("hostname", "set the name back", _resetting("hostname")),
    _clear_configure("interface", "remove all that is said of interfaces", clear_hardware),
    _clear_configure("logging", "log nothing", _resetting(*_LOGGING, kept=("logging",))),
    _clear_configure(
        "nat-control",
        "let pass what nothing translates",
        _resetting("nat_control"),
        until=OBJECTS,
    ),
    _clear_configure(
        "same-security-traffic",
        "let nothing pass between equal levels",
        _resetting("equals_place", "hairpins_place"),
    ),
    _clear_configure("all", "remove all lines above", _resetting(*_EVERYTHING)),
    Command(
        "clear configure",
        "remove what is said of interfaces, what is said of passing, or all lines above",
        _clear_configuration,
        _PART,
        until=SEVEN,
        detail="`primary` is interfaces, their addresses and routes; `secondary` access lists, "
        "conduits, outbound lists, `static`, `global`, `alias`, `telnet` and the servers.",
    ),
    *(ignored(f"clear {what}", help) for what, help in _STATE.items()),
)


def of_kept(commands: Iterable[Command]) -> Iterator[Command]:
    """`clear` of each family whose lines are kept and none of which is done.

    Args:
        commands: all others there are.
    """
    families: dict[str, list[Command]] = {}
    for command in commands:
        if command.mode is GLOBAL:
            families.setdefault(command.words.split()[0], []).append(command)
    for word, family in families.items():
        if any(each.state is State.DONE or each.undo is None for each in family):
            continue
        help, clear = f"remove all lines of `{word}`", _resetting(kept=(word,))
        since = min(each.since for each in family)
        if since < SEVEN and word not in _STATE:
            yield Command(f"clear {word}", help, clear)
        yield _clear_configure(word, help, clear)
