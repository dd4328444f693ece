"""What may pass: `access-list`, `access-group`, `conduit`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network

from appliance.config.command import Command
from appliance.config.draft import Draft, Entry, Use
from appliance.config.grammar import (
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
from appliance.config.kinds import (
    ACCESS_LIST,
    ADDRESS,
    INTERFACE,
    NETMASK,
    Integer,
    InterfacePair,
    Mismatch,
    Port,
    Word,
)
from appliance.config.language import OBJECTS, SEVEN
from appliance.config.model import (
    ANY,
    AccessGroup,
    Configuration,
    FlowLog,
    Operator,
    Ports,
    Remark,
    Rule,
)
from appliance.config.rules import (
    ACTION,
    NETWORK,
    PROTOCOL,
    printed_network,
    printed_rule,
    read_network,
    read_rule,
    rule_form,
)
from appliance.config.translation import conduits_of_mailhosts
from appliance.protocol import ICMP, TCP, UDP


def _entry(draft: Draft, arguments: Arguments) -> Entry:
    remark = arguments.get("remark", str)
    return read_rule(draft, arguments) if remark is None else Entry(None, remark)


def _enter_access_list(draft: Draft, arguments: Arguments) -> None:
    if arguments.get("tuning", bool):
        draft.kept.add(arguments.kept())
        return
    most, interval = arguments.get("most", int), arguments.get("alert_interval", int)
    if most is not None:
        draft.flow_log = replace(draft.flow_log, most=most)
        return
    if interval is not None:
        draft.flow_log = replace(draft.flow_log, alert_interval=interval)
        return
    name = arguments.need("list", str)
    if arguments.get("standard", bool):
        draft.standard_lists.setdefault(name, {})[_standard(arguments)] = arguments.place
        help = "what routing and VPNs match by it"
        draft.note("access-list ... standard", help, arguments.place)
        return
    entry = _entry(draft, arguments)
    lines = draft.access_lists.setdefault(name, [])
    line = arguments.get("line", int)
    if line is None:
        lines.append(entry)
    elif entry not in lines:
        # Lines count from 1, remarks included; past the end is the end.
        lines.insert(line - 1, entry)
    else:
        draft.warn(arguments.place, "this line is in the list already", "it stays where it is")


def _standard(arguments: Arguments) -> str:
    """What stands after the name of a standard list, as a device prints it."""
    network = ANY if arguments.get("any", bool) else read_network(arguments)[0]
    action = "permit" if arguments.need("permit", bool) else "deny"
    return f"standard {action} {printed_network(network)} "


def clear_list(draft: Draft, name: str) -> bool:
    """Remove an access list; whether there was one."""
    found = draft.access_lists.pop(name, None), draft.standard_lists.pop(name, None)
    return found != (None, None)


def _undo_access_list(draft: Draft, arguments: Arguments) -> None:
    if arguments.get("tuning", bool):
        return
    if arguments.get("limit", bool):
        draft.flow_log = replace(draft.flow_log, most=FlowLog().most)
        return
    if arguments.get("alert", bool):
        draft.flow_log = replace(draft.flow_log, alert_interval=FlowLog().alert_interval)
        return
    name = arguments.need("list", str)
    missing = arguments.refusal("list", "there is no such line", "remove what is defined above")
    if arguments.get("standard", bool):
        standard = draft.standard_lists.get(name, {})
        if standard.pop(_standard(arguments), None) is None:
            raise missing
        if not standard:
            del draft.standard_lists[name]
        return
    if arguments.get("permit", bool) is None and arguments.get("remark", str) is None:
        if arguments.get("line", int) is not None:
            raise arguments.refusal(
                "line", "a line is not removed by its number alone", "write all of the line"
            )
        if not clear_list(draft, name):
            raise missing
        return
    lines = draft.access_lists.get(name, [])
    doomed = _entry(draft, arguments).matched
    kept = [entry for entry in lines if entry.matched != doomed]
    if len(kept) == len(lines):
        raise missing
    if kept:
        draft.access_lists[name] = kept
    else:
        # A list without lines is no list, so that an access-group cannot go on using it.
        del draft.access_lists[name]


def _enter_access_group(draft: Draft, arguments: Arguments) -> None:
    name, interface = arguments.need("list", str), arguments.get("interface", str) or ""
    out = arguments.get("out", bool) or False
    draft.access_groups[interface, out] = (
        AccessGroup(name, interface, arguments.place, out),
        Use(name, arguments.where("list")),
        Use(interface, arguments.where("interface")) if interface else None,
    )


def _undo_access_group(draft: Draft, arguments: Arguments) -> None:
    name, interface = arguments.need("list", str), arguments.get("interface", str) or ""
    direction = (interface, arguments.get("out", bool) or False)
    known = draft.access_groups.get(direction)
    if known is None or known[0].access_list != name:
        raise arguments.refusal(
            "list",
            f"`{name}` is not bound {f'to {interface}' if interface else 'globally'}",
            "remove what is defined above",
        )
    del draft.access_groups[direction]


_LAST_OLD = (5, 0)
"""The first version that does not know the conduits of 4.0 and 4.1."""


def _old_conduit(arguments: Arguments) -> Entry:
    """A conduit as 4.0 and 4.1 write it: it permits, and names the port before the protocol."""
    protocol, foreign = arguments.get("protocol", int), arguments.need("foreign", IPv4Address)
    prefix = arguments.get("netmask", int)
    if prefix is None:
        prefix = 32 if int(foreign) else 0
    ports, icmp_type = _old_ports(arguments, protocol), None
    if protocol == ICMP and ports:
        icmp_type, ports = ports.low, None
    addressed = arguments.need("global", IPv4Address)
    return Entry(
        Rule(
            True,
            protocol,
            IPv4Network((foreign, prefix), strict=False),
            None,
            IPv4Network((addressed, 32 if int(addressed) else 0)),
            ports,
            icmp_type,
            arguments.place,
        )
    )


def _old_ports(arguments: Arguments, protocol: int | None) -> Ports | None:
    """The ports of an old conduit; 0 is all of them."""
    word = arguments.need("ports", str)
    if word == "0":
        return None
    if protocol == ICMP and word.isdigit() and int(word) <= 255:
        return Ports(Operator.EQ, int(word), int(word))
    if protocol not in (TCP, UDP):
        raise arguments.refusal("ports", "this protocol has no ports", "write 0")
    kind = Port("tcp" if protocol == TCP else "udp")
    try:
        return _port_or_range(kind, word)
    except Mismatch as mismatch:
        raise arguments.refusal("ports", str(mismatch), f"expected: {kind.expects}") from None


def _port_or_range(kind: Port, word: str) -> Ports:
    with suppress(Mismatch):
        port = kind.parse(word, {})
        return Ports(Operator.EQ, port, port)
    first, _, last = word.partition("-")
    low, high = kind.parse(first, {}), kind.parse(last or first, {})
    if low > high:
        raise Mismatch("the range ends before it starts")
    return Ports(Operator.RANGE, low, high)


def _conduit(draft: Draft, arguments: Arguments) -> Entry:
    if arguments.get("global", IPv4Address) is not None:
        if draft.language >= _LAST_OLD:
            raise arguments.refusal(
                "global",
                "this form of `conduit` is of 4.x",
                "write `conduit permit PROTOCOL DESTINATION [PORTS] SOURCE`",
            )
        return _old_conduit(arguments)
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
    draft.conduits = arguments.without(draft.conduits, lambda each: each == doomed, "conduit")


_MOST_FLOWS = Argument("most", Integer(1, 4096, "NUMBER"))
_ALERT_INTERVAL = Argument("alert_interval", Integer(1, 3600, "SECONDS"))


_STANDARD = Sequence(
    Keyword("standard", "standard"),
    ACTION,
    NETWORK,
)


def _access_list_form(whole: bool, seven: bool = False, objects: bool = False) -> Sequence:
    """The form of `access-list`.

    Args:
        whole: whether the list alone may be named, as in `no access-list LIST`.
        seven: whether it is that of 7.0 and later.
        objects: whether it is that of 8.3 and later.
    """
    form = rule_form("source", "destination", logs=True, timed=seven, objects=objects)
    rule = Sequence(ACTION, form)
    line = OneOf(
        Sequence(Keyword("remark"), Text("remark")),
        Keyword("compiled", "tuning"),
        *([_STANDARD] if seven else []),
        Labelled(f"[extended] {rule.usage()}", OneOf(Sequence(Keyword("extended"), rule), rule)),
    )
    numbered = Sequence(Keyword("line"), Argument("line", Integer(1, 2**31 - 1, "LINE")))
    named = (Argument("list", ACCESS_LIST), Options(numbered))

    def bounded(bound: Argument) -> Piece:
        return Options(bound) if whole else bound

    return Sequence(
        OneOf(
            Sequence(Keyword("compiled", "tuning")),
            Sequence(Keyword("commit", "tuning")),
            Sequence(Keyword("mode", "tuning"), OneOf(Keyword("auto"), Keyword("manual"))),
            Sequence(Keyword("deny-flow-max", "limit"), bounded(_MOST_FLOWS)),
            Sequence(Keyword("alert-interval", "alert"), bounded(_ALERT_INTERVAL)),
            Sequence(*named, Options(line) if whole else line),
        )
    )


_CONDUIT = Sequence(ACTION, rule_form("destination", "source", logs=False))

_OLD_PORT = Word("PORT[-PORT]", "a port or two", r"[0-9A-Za-z-]{1,40}", "numbers or names")
_OLD_REST = (
    Argument("ports", _OLD_PORT),
    OneOf(
        Keyword("tcp", "protocol", TCP, also=(str(TCP),)),
        Keyword("udp", "protocol", UDP, also=(str(UDP),)),
        Keyword("icmp", "protocol", ICMP, also=(str(ICMP),)),
        Keyword("ip"),
        Argument("protocol", PROTOCOL),
    ),
    Argument("foreign", ADDRESS),
    Options(Argument("netmask", NETMASK)),
)


def _group_form(*directions: Piece, everywhere: bool = False) -> Sequence:
    bound = tuple(
        Sequence(
            direction,
            Keyword("interface"),
            Argument("interface", INTERFACE),
            Options(Keyword("per-user-override")),
        )
        for direction in directions
    )
    form = OneOf(*bound, Keyword("global")) if everywhere else OneOf(*bound)
    return Sequence(Argument("list", ACCESS_LIST), form)


def _print_lists(configuration: Configuration) -> Iterator[str]:
    extended = "extended " if configuration.language >= SEVEN else ""
    for each in configuration.access_lists:
        for line in each.lines:
            if isinstance(line, Remark):
                yield f"access-list {each.name} remark {line.text}"
            else:
                yield f"access-list {each.name} {extended}{printed_rule(line, configuration)}"
    for name, standard in configuration.standard_lists:
        yield f"access-list {name} {standard}"
    flow_log, default = configuration.flow_log, FlowLog()
    if flow_log.most != default.most:
        yield f"access-list deny-flow-max {flow_log.most}"
    if flow_log.alert_interval != default.alert_interval:
        yield f"access-list alert-interval {flow_log.alert_interval}"


def _print_groups(configuration: Configuration) -> Iterator[str]:
    for group in configuration.access_groups:
        where = f"{'out' if group.out else 'in'} interface {group.interface}"
        yield f"access-group {group.access_list} {where if group.interface else 'global'}"


def _print_conduits(configuration: Configuration) -> Iterator[str]:
    for line in configuration.conduits[conduits_of_mailhosts(configuration) :]:
        yield f"conduit {printed_rule(line, configuration, destination_first=True)}"


_DETAIL = (
    "What no line permits is denied. Lines count from 1, remarks included; `line` puts one before "
    "the one of its number. A line with `log` draws 106100, at the first packet of a flow and then "
    "once an interval, in place of 106023; with `log disable`, nothing."
)

_DETAIL_OF_SEVEN = (
    f"{_DETAIL} A rule that is `inactive` matches nothing, and one with `time-range` nothing "
    "outside of it. A standard list has no effect."
)

COMMANDS = (
    Command(
        "access-list",
        "add a line to an access list",
        _enter_access_list,
        _access_list_form(whole=False),
        _undo_access_list,
        _access_list_form(whole=True),
        defines=(0,),
        until=SEVEN,
        printed=_print_lists,
        detail=_DETAIL,
    ),
    Command(
        "access-list",
        "add a line to an access list",
        _enter_access_list,
        _access_list_form(whole=False, seven=True),
        _undo_access_list,
        _access_list_form(whole=True, seven=True),
        defines=(0,),
        since=SEVEN,
        until=OBJECTS,
        printed=_print_lists,
        detail=_DETAIL_OF_SEVEN,
    ),
    Command(
        "access-list",
        "add a line to an access list",
        _enter_access_list,
        _access_list_form(whole=False, seven=True, objects=True),
        _undo_access_list,
        _access_list_form(whole=True, seven=True, objects=True),
        defines=(0,),
        since=OBJECTS,
        printed=_print_lists,
        detail=(
            f"{_DETAIL_OF_SEVEN} Addresses are real ones, on whatever side. `object NAME` stands "
            "in place of an address or, of a service, of the protocol. From 9.0 on `any4` is any "
            "IPv4 address, and `any6` matches nothing, since no IPv6 is forwarded."
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
        until=OBJECTS,
        printed=_print_groups,
        detail=(
            "With `in`, the list judges what comes in by the interface, in place of the levels. "
            "With `out`, it judges what leaves by the interface besides, by the addresses that its "
            "network sees."
        ),
    ),
    Command(
        "access-group",
        "bind an access list to an interface, or to all",
        _enter_access_group,
        _group_form(Keyword("in"), Keyword("out", "out"), everywhere=True),
        _undo_access_group,
        since=OBJECTS,
        printed=_print_groups,
        detail=(
            "With `in`, the list judges what comes in by the interface, in place of the levels. "
            "With `out`, it judges what leaves by the interface besides. With `global`, it judges "
            "what comes in by any interface, after the list of that; the levels count no more."
        ),
    ),
    Command(
        "conduit",
        "let something in; the destination is written first",
        _enter_conduit,
        OneOf(
            _CONDUIT,
            Sequence(Argument("pair", InterfacePair()), Argument("global", ADDRESS), *_OLD_REST),
            Sequence(Argument("global", ADDRESS), *_OLD_REST),
        ),
        _undo_conduit,
        until=SEVEN,
        instead="an `access-list` and `access-group`",
        printed=_print_conduits,
        detail=(
            "Not asked for packets that come in by an interface with an access-group. `eq "
            "0` is every port. The form without `permit`, with the port before the protocol, is "
            "that of 4.0 to 4.4."
        ),
    ),
)
