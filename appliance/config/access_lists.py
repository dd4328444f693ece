"""What may pass: `access-list`, `access-group`, `conduit`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from appliance.config.command import GLOBAL, Command, Mode, unimplemented
from appliance.config.draft import Draft, Entry, Use
from appliance.config.grammar import (
    ANYTHING,
    Argument,
    Arguments,
    Keyword,
    Labelled,
    OneOf,
    Options,
    Piece,
    Sequence,
    Text,
)
from appliance.config.kinds import ACCESS_LIST, INTERFACE, Integer
from appliance.config.language import SEVEN
from appliance.config.model import AccessGroup, Configuration, Operator, Ports
from appliance.config.rules import ACTION, printed_rule, read_rule, rule_form
from appliance.config.translation import conduits_of_mailhosts

OBJECT_GROUP = Mode("object-group", "config-network", GLOBAL)


def _entry(draft: Draft, arguments: Arguments) -> Entry:
    remark = arguments.get("remark", str)
    return read_rule(draft, arguments) if remark is None else Entry(None, remark)


def _enter_access_list(draft: Draft, arguments: Arguments) -> None:
    if arguments.get("tuning", bool):
        draft.kept.add(arguments.kept())
        return
    entry = _entry(draft, arguments)
    lines = draft.access_lists.setdefault(arguments.need("list", str), [])
    line = arguments.get("line", int)
    if line is None:
        lines.append(entry)
    elif entry not in lines:
        # Lines count from 1, remarks included; past the end is the end.
        lines.insert(line - 1, entry)
    else:
        draft.warn(arguments.place, "this line is in the list already", "it stays where it is")


def _undo_access_list(draft: Draft, arguments: Arguments) -> None:
    if arguments.get("tuning", bool):
        return
    name = arguments.need("list", str)
    lines = draft.access_lists.get(name, [])
    if arguments.get("permit", bool) is None and arguments.get("remark", str) is None:
        doomed = lines
    else:
        doomed = [_entry(draft, arguments)]
    kept = [entry for entry in lines if entry not in doomed]
    if len(kept) == len(lines):
        raise arguments.refusal("list", "there is no such line", "remove what is defined above")
    if kept:
        draft.access_lists[name] = kept
    else:
        # A list without lines is no list, so that an access-group cannot go on using it.
        del draft.access_lists[name]


def _enter_access_group(draft: Draft, arguments: Arguments) -> None:
    name, interface = arguments.need("list", str), arguments.need("interface", str)
    if arguments.get("out", bool):
        draft.warn(
            arguments.where("out"),
            "`access-group ... out` is not implemented",
            f"what {name} denies goes out by {interface} as the other rules say",
        )
        draft.kept.add(arguments.kept())
        return
    draft.access_groups[interface] = (
        AccessGroup(name, interface, arguments.place),
        Use(name, arguments.where("list")),
        Use(interface, arguments.where("interface")),
    )


def _undo_access_group(draft: Draft, arguments: Arguments) -> None:
    name, interface = arguments.need("list", str), arguments.need("interface", str)
    known = draft.access_groups.get(interface)
    if known is None or known[0].access_list != name:
        raise arguments.refusal(
            "list", f"`{name}` is not bound to {interface}", "remove what is defined above"
        )
    del draft.access_groups[interface]


def _conduit(draft: Draft, arguments: Arguments) -> Entry:
    entry = read_rule(draft, arguments)
    rule = entry.rule
    assert rule is not None  # noqa: S101  a conduit has no remarks

    def ports(key: str, written: Ports | None) -> Ports | None:
        if written is None or written.operator is not Operator.EQ or written.low:
            return written
        draft.warn(
            arguments.where(key),
            "`eq 0` of a conduit is every port, as on the device",
            "write no port at all where that is meant",
        )
        return None

    return replace(
        entry,
        rule=replace(
            rule,
            source_ports=ports("source_ports", rule.source_ports),
            destination_ports=ports("destination_ports", rule.destination_ports),
        ),
    )


def _enter_conduit(draft: Draft, arguments: Arguments) -> None:
    draft.conduits.append(_conduit(draft, arguments))


def _undo_conduit(draft: Draft, arguments: Arguments) -> None:
    doomed = _conduit(draft, arguments)
    kept = [entry for entry in draft.conduits if entry != doomed]
    if len(kept) == len(draft.conduits):
        raise arguments.refusal("", "there is no such conduit", "remove what is defined above")
    draft.conduits = kept


def _access_list_form(whole: bool) -> Sequence:
    """The form of `access-list`.

    Args:
        whole: whether the list alone may be named, as in `no access-list LIST`.
    """
    rule = Sequence(ACTION, rule_form("source", "destination", logs=True))
    line = OneOf(
        Sequence(Keyword("remark"), Text("remark")),
        Keyword("compiled", "tuning"),
        Sequence(Keyword("standard", "tuning"), ANYTHING),
        Labelled(f"[extended] {rule.usage()}", OneOf(Sequence(Keyword("extended"), rule), rule)),
    )
    numbered = Sequence(Keyword("line"), Argument("line", Integer(1, 2**31 - 1, "LINE")))
    named = (Argument("list", ACCESS_LIST), Options(numbered))
    return Sequence(
        OneOf(
            Sequence(Keyword("compiled", "tuning")),
            Sequence(Keyword("deny-flow-max", "tuning"), ANYTHING),
            Sequence(Keyword("alert-interval", "tuning"), ANYTHING),
            Sequence(*named, Options(line) if whole else line),
        )
    )


_CONDUIT = Sequence(ACTION, rule_form("destination", "source", logs=False))


def _group_form(*directions: Piece) -> Sequence:
    return Sequence(
        Argument("list", ACCESS_LIST),
        OneOf(*directions),
        Keyword("interface"),
        Argument("interface", INTERFACE),
        Options(Keyword("per-user-override")),
    )


def _print_lists(configuration: Configuration) -> Iterator[str]:
    extended = "extended " if configuration.language >= SEVEN else ""
    for each in configuration.access_lists:
        rules = [printed_rule(rule) for rule in each.rules]
        for number in range(len(rules) + 1):
            for remark in each.remarks:
                if remark.before == number:
                    yield f"access-list {each.name} remark {remark.text}"
            if number < len(rules):
                yield f"access-list {each.name} {extended}{rules[number]}"


def _print_groups(configuration: Configuration) -> Iterator[str]:
    for group in configuration.access_groups:
        yield f"access-group {group.access_list} in interface {group.interface}"


def _print_conduits(configuration: Configuration) -> Iterator[str]:
    for rule in configuration.conduits[conduits_of_mailhosts(configuration) :]:
        yield f"conduit {printed_rule(rule, destination_first=True)}"


_MEMBERS = {
    "network-object": "a host or a network of the group",
    "port-object": "ports of the group",
    "protocol-object": "a protocol of the group",
    "icmp-object": "an ICMP type of the group",
    "group-object": "a group within the group",
    "description": "what the group is for",
}

COMMANDS = (
    Command(
        "access-list",
        "add a line to an access list",
        _enter_access_list,
        _access_list_form(whole=False),
        _undo_access_list,
        _access_list_form(whole=True),
        defines=(0,),
        printed=_print_lists,
        detail=(
            "What no line permits is denied. `log` at the end is not implemented, with a "
            "warning: the rule counts, and what it permits or denies is logged as without "
            "it."
        ),
    ),
    Command(
        "access-group",
        "bind an access list to an interface, for what comes in by it",
        _enter_access_group,
        _group_form(Keyword("in")),
        _undo_access_group,
        until=SEVEN,
        printed=_print_groups,
        detail="The list judges what comes in by the interface, and nothing else does.",
    ),
    Command(
        "access-group",
        "bind an access list to an interface",
        _enter_access_group,
        _group_form(Keyword("in"), Keyword("out", "out")),
        _undo_access_group,
        since=SEVEN,
        printed=_print_groups,
        detail=(
            "The list judges what comes in by the interface, and nothing else does. `out` is not "
            "implemented, with a warning: what the list denies goes out as the other rules say."
        ),
    ),
    Command(
        "conduit",
        "let something in; the destination is written first",
        _enter_conduit,
        _CONDUIT,
        _undo_conduit,
        until=SEVEN,
        instead="an `access-list` and `access-group`",
        printed=_print_conduits,
        detail=(
            "Not asked for packets that come in by an interface with an access-group. `eq "
            "0` is every port."
        ),
    ),
    unimplemented(
        "outbound", "deny what goes out", "what it denies is not denied here", until=SEVEN
    ),
    unimplemented(
        "apply", "bind an outbound list", "what the list denies is not denied here", until=SEVEN
    ),
    unimplemented("established", "let return connections in", "it lets nothing in here"),
    unimplemented("icmp", "ICMP to the firewall itself", "Linux answers as it is set up to"),
    unimplemented(
        "object-group",
        "name a group",
        "a rule that uses the group is an error",
        opens=OBJECT_GROUP,
    ),
    *(
        unimplemented(words, help, "see `object-group`", mode=OBJECT_GROUP)
        for words, help in _MEMBERS.items()
    ),
)
