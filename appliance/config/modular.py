"""Modular policies, from 7.0 on: `class-map`, `policy-map`, `service-policy`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from appliance.config.command import (
    GLOBAL,
    Command,
    Mode,
    accepted,
    below,
    unimplemented,
)
from appliance.config.criteria import MAP_NAME
from appliance.config.draft import (
    ClassMapEntry,
    Draft,
    PolicyClassEntry,
    PolicyMapEntry,
    ServicePolicyEntry,
    Use,
)
from appliance.config.fixups import warn_of_strict
from appliance.config.grammar import (
    ANYTHING,
    NOTHING,
    Argument,
    Arguments,
    Keyword,
    OneOf,
    Options,
    Sequence,
    Text,
)
from appliance.config.helpers import INSPECTED
from appliance.config.kinds import ACCESS_LIST, INTERFACE, Port
from appliance.config.language import MAPS, SEVEN
from appliance.config.model import (
    ClassMap,
    Configuration,
    Inspected,
    Match,
    PolicyClass,
    ServicePolicy,
    Traffic,
)
from appliance.config.naming import claim_class, claim_policy
from appliance.config.policies import CLASS_DEFAULT, printed_match
from appliance.protocol import TCP, UDP

CLASS_MAP = Mode("class-map", GLOBAL)
POLICY_MAP = Mode("policy-map", GLOBAL)
POLICY_CLASS = Mode("class", POLICY_MAP)


def _enter_class_map(draft: Draft, arguments: Arguments) -> ClassMapEntry:
    name = claim_class(draft, arguments, draft.class_maps)
    if name == CLASS_DEFAULT:
        raise arguments.refusal(
            "name", f"{name} is the class of all traffic", "choose another name"
        )
    return draft.class_maps.setdefault(name, ClassMapEntry(ClassMap(name)))


def _undo_class_map(draft: Draft, arguments: Arguments) -> None:
    name = arguments.need("name", str)
    entry = draft.class_maps.pop(name, None)
    if entry is None:
        raise arguments.refusal("name", f"there is no {name}", "remove what is defined above")
    draft.kept.close((entry.heading,))


def _match(arguments: Arguments, traffic: Traffic) -> Match:
    match traffic:
        case Traffic.PORT:
            low = arguments.need("low", int)
            high = arguments.get("high", int)
            if high is not None and low > high:
                raise arguments.refusal(
                    "high", "the range ends before it starts", f"write `range {high} {low}`"
                )
            protocol = arguments.need("protocol", int)
            return Match(traffic, protocol, low, low if high is None else high)
        case Traffic.ACCESS_LIST:
            return Match(traffic, access_list=arguments.need("list", str))
        case _:
            return Match(traffic)


def _matching(traffic: Traffic, help: str, form: Sequence | OneOf) -> Command:
    def enter(draft: Draft, arguments: Arguments) -> None:
        entry = arguments.subject(ClassMapEntry)
        match = _match(arguments, traffic)
        others = {each.traffic for each in entry.map.matches if each != match}
        if others and {traffic, *others} != {Traffic.DEFAULT, Traffic.ACCESS_LIST}:
            raise arguments.refusal(
                "",
                "a class map has one `match` only",
                "besides `match default-inspection-traffic`, one `match access-list` may stand",
            )
        if match not in entry.map.matches:
            entry.map = replace(entry.map, matches=(*entry.map.matches, match))
        if match.access_list:
            use = Use(match.access_list, arguments.where("list"))
            entry.uses[match.access_list] = use

    def undo(draft: Draft, arguments: Arguments) -> None:
        entry = arguments.subject(ClassMapEntry)
        match = _match(arguments, traffic)
        if match not in entry.map.matches:
            raise arguments.refusal("", "there is no such match", "remove what is defined above")
        kept = tuple(each for each in entry.map.matches if each != match)
        entry.map = replace(entry.map, matches=kept)
        entry.uses.pop(match.access_list, None)

    return Command(f"match {traffic.value}", help, enter, form, undo, since=SEVEN, mode=CLASS_MAP)


def _ports(protocol: str, number: int) -> Sequence:
    port = Port(protocol)
    return Sequence(
        Keyword(protocol, "protocol", number),
        OneOf(
            Sequence(Keyword("eq"), Argument("low", port)),
            Sequence(Keyword("range"), Argument("low", port), Argument("high", port)),
        ),
    )


def _describe_class_map(draft: Draft, arguments: Arguments) -> None:
    entry = arguments.subject(ClassMapEntry)
    entry.map = replace(entry.map, description=arguments.get("text", str) or "")


def _enter_policy_map(draft: Draft, arguments: Arguments) -> PolicyMapEntry:
    name = claim_policy(draft, arguments, draft.policy_maps)
    return draft.policy_maps.setdefault(name, PolicyMapEntry(name))


def _undo_policy_map(draft: Draft, arguments: Arguments) -> None:
    name = arguments.need("name", str)
    entry = draft.policy_maps.pop(name, None)
    if entry is None:
        raise arguments.refusal("name", f"there is no {name}", "remove what is defined above")
    draft.kept.close((entry.heading,))


def _describe_policy_map(draft: Draft, arguments: Arguments) -> None:
    arguments.subject(PolicyMapEntry).description = arguments.get("text", str) or ""


def _enter_class(draft: Draft, arguments: Arguments) -> PolicyClassEntry:
    name = arguments.need("name", str)
    new = PolicyClassEntry(PolicyClass(name), Use(name, arguments.where("name")))
    return arguments.subject(PolicyMapEntry).classes.setdefault(name, new)


def _undo_class(draft: Draft, arguments: Arguments) -> None:
    name = arguments.need("name", str)
    entry = arguments.subject(PolicyMapEntry).classes.pop(name, None)
    if entry is None:
        raise arguments.refusal("name", f"there is no {name}", "remove what is defined above")
    draft.kept.close((*arguments.path, entry.heading))


def _enter_esmtp(draft: Draft, arguments: Arguments) -> None:
    entry = arguments.subject(PolicyClassEntry)
    name = arguments.get("map", str) or ""
    entry.policy_class = replace(entry.policy_class, esmtp=True, esmtp_map=name)
    entry.map_use = Use(name, arguments.where("map")) if name else None


def _undo_esmtp(draft: Draft, arguments: Arguments) -> None:
    entry = arguments.subject(PolicyClassEntry)
    entry.policy_class = replace(entry.policy_class, esmtp=False, esmtp_map="")
    entry.map_use = None


def _helped(words: str) -> Command:
    """`inspect` of what a helper of the kernel reads."""
    form: Options = Options(Argument("map", MAP_NAME))
    if words == "ftp":
        form = Options(Keyword("strict", "strict"), Argument("map", MAP_NAME))

    def put(entry: PolicyClassEntry, *inspected: Inspected) -> None:
        others = tuple(each for each in entry.policy_class.helped if each.name != words)
        entry.policy_class = replace(entry.policy_class, helped=(*others, *inspected))

    def enter(draft: Draft, arguments: Arguments) -> None:
        name = arguments.get("map", str) or ""
        strict = arguments.get("strict", bool) or False
        if name:
            draft.warn(
                arguments.where("map"),
                "inspection maps are not implemented",
                f"{words} is inspected as without {name}",
            )
        if strict:
            warn_of_strict(draft, arguments)
        entry = arguments.subject(PolicyClassEntry)
        put(entry, Inspected(words, arguments.place, strict, name))

    def undo(draft: Draft, arguments: Arguments) -> None:
        put(arguments.subject(PolicyClassEntry))

    return Command(
        f"inspect {words}",
        f"permit the connections that {words} opens, by the kernel's helper",
        enter,
        form,
        undo,
        since=SEVEN,
        mode=POLICY_CLASS,
        detail="Maps are not implemented, with a warning; nor is `strict`."
        if words == "ftp"
        else "Maps are not implemented, with a warning.",
    )


def _enter_service_policy(draft: Draft, arguments: Arguments) -> None:
    name, interface = arguments.need("name", str), arguments.get("interface", str) or ""
    known = draft.service_policies.get(interface)
    if known and known.policy.policy_map != name:
        raise arguments.refusal(
            "name",
            f"{known.policy.policy_map} is in force there already (line {known.policy.place.line})",
            "each interface has one service policy, and all of them together one",
        )
    draft.service_policies[interface] = ServicePolicyEntry(
        ServicePolicy(name, interface, arguments.place),
        Use(name, arguments.where("name")),
        Use(interface, arguments.where("interface")) if interface else None,
    )


def _undo_service_policy(draft: Draft, arguments: Arguments) -> None:
    name, interface = arguments.need("name", str), arguments.get("interface", str) or ""
    known = draft.service_policies.get(interface)
    if known is None or known.policy.policy_map != name:
        raise arguments.refusal("name", f"{name} is not in force there", "see the lines above")
    del draft.service_policies[interface]


def _print_class_maps(configuration: Configuration) -> Iterator[str]:
    for each in configuration.class_maps:
        yield each.heading
        if each.description:
            yield f" description {each.description}"
        for match in each.matches:
            yield f" {printed_match(match, configuration.language)}"
        yield from below(configuration, each.heading)
    if configuration.class_maps:
        yield "!"


def _print_policy_maps(configuration: Configuration) -> Iterator[str]:
    for each in configuration.policy_maps:
        yield each.heading
        if each.description:
            yield f" description {each.description}"
        for policy_class in each.classes:
            yield f" {policy_class.heading}"
            yield from below(configuration, each.heading, policy_class.heading)
            for inspected in policy_class.helped:
                strict = "strict " if inspected.strict else ""
                yield f"  inspect {inspected.name} {strict}{inspected.map_name}".rstrip() + " "
            if policy_class.esmtp:
                yield f"  inspect esmtp {policy_class.esmtp_map}".rstrip() + " "
    if configuration.policy_maps:
        yield "!"


def _print_service_policies(configuration: Configuration) -> Iterator[str]:
    for each in configuration.service_policies:
        where = f"interface {each.interface}" if each.interface else "global"
        yield f"service-policy {each.policy_map} {where}"


_OTHER_TRAFFIC = ("dscp", "flow", "precedence", "rtp", "tunnel-group")
_INSPECTED = (
    "ctiqbe",
    "dcerpc",
    "dns",
    "gtp",
    "icmp",
    "ils",
    "im",
    "ipsec-pass-thru",
    "mgcp",
    "mmp",
    "netbios",
    "radius-accounting",
    "rsh",
    "rtsp",
    "skinny",
    "snmp",
    "sqlnet",
    "sunrpc",
    "waas",
    "xdmcp",
)
_ACTIONS = {
    "csc": ("scan content", "nothing is scanned, and what it would stop passes"),
    "flow-export": ("NetFlow", "no record is sent"),
    "ips": ("send to an intrusion prevention module", "nothing is stopped by it"),
    "police": ("limit the bandwidth", "the bandwidth is not limited"),
    "priority": ("let it go first", "nothing goes first"),
    "set": ("limits, timeouts and checks of connections", "they are as without it"),
    "shape": ("shape the bandwidth", "the bandwidth is not limited"),
    "user-statistics": ("count by user", "nothing is counted"),
}
_SERVICE_POLICY = Sequence(
    Argument("name", MAP_NAME),
    OneOf(Keyword("global"), Sequence(Keyword("interface"), Argument("interface", INTERFACE))),
)

COMMANDS = (
    Command(
        "class-map",
        "a class of traffic",
        _enter_class_map,
        Sequence(Options(Keyword("match-all")), Argument("name", MAP_NAME)),
        _undo_class_map,
        defines=(0, 1),
        since=SEVEN,
        opens=CLASS_MAP,
        printed=_print_class_maps,
    ),
    _matching(Traffic.ANY, "all traffic", Sequence()),
    _matching(
        Traffic.DEFAULT,
        "the usual port of each protocol that is inspected, 25 for mail",
        Sequence(),
    ),
    _matching(
        Traffic.PORT,
        "traffic to these ports of servers",
        OneOf(_ports("tcp", TCP), _ports("udp", UDP)),
    ),
    _matching(
        Traffic.ACCESS_LIST,
        "what an access list permits; for `inspect esmtp`, lists of `permit tcp any any` with "
        "ports of the destination alone are implemented",
        Sequence(Argument("list", ACCESS_LIST)),
    ),
    *(
        unimplemented(
            f"match {traffic}",
            "a class by other marks",
            "the class takes nothing by it, so nothing is inspected for it",
            since=SEVEN,
            mode=CLASS_MAP,
        )
        for traffic in _OTHER_TRAFFIC
    ),
    Command(
        "description",
        "what the class is for",
        _describe_class_map,
        Text("text"),
        _describe_class_map,
        Sequence(),
        since=SEVEN,
        mode=CLASS_MAP,
    ),
    Command(
        "policy-map",
        "what is done to classes of traffic",
        _enter_policy_map,
        Argument("name", MAP_NAME),
        _undo_policy_map,
        defines=(0,),
        since=SEVEN,
        opens=POLICY_MAP,
        printed=_print_policy_maps,
    ),
    Command(
        "description",
        "what the policy is for",
        _describe_policy_map,
        Text("text"),
        _describe_policy_map,
        Sequence(),
        since=SEVEN,
        mode=POLICY_MAP,
    ),
    Command(
        "class",
        f"a class map, or {CLASS_DEFAULT} for all traffic",
        _enter_class,
        Argument("name", MAP_NAME),
        _undo_class,
        since=SEVEN,
        mode=POLICY_MAP,
        opens=POLICY_CLASS,
    ),
    Command(
        "inspect esmtp",
        "inspect mail",
        _enter_esmtp,
        NOTHING,
        _undo_esmtp,
        since=SEVEN,
        until=MAPS,
        mode=POLICY_CLASS,
    ),
    Command(
        "inspect esmtp",
        "inspect mail as a map says, without one as `_default_esmtp_map` says",
        _enter_esmtp,
        Options(Argument("map", MAP_NAME)),
        _undo_esmtp,
        since=MAPS,
        mode=POLICY_CLASS,
    ),
    *map(_helped, INSPECTED),
    *(
        unimplemented(
            f"inspect {name}",
            f"inspect {name}",
            f"{name} passes as the rules say, and no other connection is opened for it",
            since=SEVEN,
            mode=POLICY_CLASS,
        )
        for name in _INSPECTED
    ),
    accepted("inspect http", "log web addresses", since=SEVEN, mode=POLICY_CLASS),
    *(
        unimplemented(words, help, gap, since=SEVEN, mode=POLICY_CLASS)
        for words, (help, gap) in _ACTIONS.items()
    ),
    Command(
        "service-policy",
        "put a policy map in force, everywhere or at an interface",
        _enter_service_policy,
        _SERVICE_POLICY,
        _undo_service_policy,
        Sequence(_SERVICE_POLICY, ANYTHING),
        since=SEVEN,
        printed=_print_service_policies,
        detail=(
            "Mail is inspected where a policy in force everywhere, or at the interface that the "
            "connection comes in or goes out by, has `inspect esmtp` for it."
        ),
    ),
)
