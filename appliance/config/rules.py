"""The form of a rule, which access lists and conduits share: protocol, two ends, ports or type."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network

from appliance.config.draft import Draft, Entry, GroupEntry, Use
from appliance.config.grammar import (
    Argument,
    Arguments,
    Combined,
    Cursor,
    Fit,
    Keyword,
    Labelled,
    OneOf,
    Options,
    Piece,
    Sequence,
)
from appliance.config.kinds import (
    ADDRESS,
    INTERFACE,
    NETMASK,
    SEVERITY,
    Choice,
    Integer,
    Names,
    Port,
    Word,
)
from appliance.config.language import BOTH_FAMILIES, Language, shown
from appliance.config.line import Refusal, quoted
from appliance.config.model import (
    ANY,
    Configuration,
    GroupKind,
    LineLog,
    Operator,
    Part,
    Ports,
    Rule,
    RuleLine,
    ServiceObject,
)
from appliance.config.objects import NetworkObject
from appliance.config.services import ICMP_TYPES, PROTOCOLS, SEVERITIES, port_names
from appliance.errors import Place
from appliance.protocol import ICMP, TCP, UDP

ICMP_TYPE = Choice("ICMP_TYPE", "an ICMP type", ICMP_TYPES, (0, 255))
# Protocol 0 would be every protocol to netfilter; `ip` says that here.
PROTOCOL = Choice("PROTOCOL", "a protocol", PROTOCOLS, (1, 255))
GROUP = Word("GROUP", "the name of an object group", r"[!-~]{1,64}", "up to 64 characters")
OBJECT = Word("OBJECT", "the name of an object", r"[!-~]{1,64}", "up to 64 characters")
TIMES = Word("NAME", "the name of a time range", r"[!-~]{1,64}", "up to 64 characters")

ACTION = OneOf(Keyword("permit", "permit", True), Keyword("deny", "permit", False))
NETWORK = OneOf(
    Keyword("any", "any"),
    Sequence(Keyword("host"), Argument("address", ADDRESS)),
    Sequence(Argument("address", ADDRESS), Argument("netmask", NETMASK)),
)
"""Addresses where no interface and no group may stand for them."""


@dataclass(frozen=True, slots=True)
class _End:
    """One end of a rule as written.

    Args:
        network: its network; any where it is an interface or a group.
        interface: the interface whose own address is meant instead, None for none.
        group: the object group or object that is meant instead, None for none.
        is_object: whether it is an object.
        family: `any4` or `any6`, "" for neither.
        written: the address with host bits, where the netmask hides some; else None.
        place: where it stands.
    """

    network: IPv4Network
    interface: Use | None
    group: Use | None
    written: IPv4Address | None
    place: Place
    is_object: bool = False
    family: str = ""


def _make_end(arguments: Arguments) -> _End:
    if arguments.get("any", bool):
        return _End(ANY, None, None, None, arguments.where("any"))
    if family := arguments.get("family", str):
        return _End(ANY, None, None, None, arguments.where("family"), family=family)
    for key in ("interface", "group", "object"):
        place = arguments.where(key)
        if (name := arguments.get(key, str)) is not None:
            use = Use(name, place)
            interface, group = (use, None) if key == "interface" else (None, use)
            return _End(ANY, interface, group, None, place, is_object=key == "object")
    network, written = read_network(arguments)
    return _End(network, None, None, written, arguments.where("address"))


def read_network(arguments: Arguments) -> tuple[IPv4Network, IPv4Address | None]:
    """The network that an address and its netmask are, and the address if it has host bits."""
    address = arguments.need("address", IPv4Address)
    prefix = arguments.get("netmask", int)
    network = IPv4Network((address, 32 if prefix is None else prefix), strict=False)
    return network, address if address != network.network_address else None


def network_of(draft: Draft, arguments: Arguments) -> IPv4Network:
    """The same, with a warning for host bits."""
    network, written = read_network(arguments)
    if written is not None:
        draft.warn_of_host_bits(arguments.where("address"), written, network)
    return network


def _make_ports(arguments: Arguments) -> Ports:
    operator = arguments.need("operator", Operator)
    low = arguments.need("low", int)
    high = low if operator is not Operator.RANGE else arguments.need("high", int)
    if low > high:
        raise arguments.refusal(
            "high", "the range ends before it starts", f"write `range {high} {low}`"
        )
    return Ports(operator, low, high)


def _group(key: str) -> Sequence:
    return Sequence(Keyword("object-group"), Argument(key, GROUP))


def _refuse_object(arguments: Arguments) -> object:
    raise arguments.refusal(
        "object",
        "`object` is of 8.3 and later",
        "write it out, or name an `object-group`",
    )


def _refuse_ports(arguments: Arguments) -> object:
    raise arguments.refusal(
        "object",
        "an object cannot stand in place of ports or of an ICMP type",
        "write `object NAME` in place of the protocol, or `object-group NAME` here",
    )


# Or `object` would be read as an abbreviation of `object-group`.
_NO_OBJECT = Sequence(Combined("object", Keyword("object", "object"), _refuse_object))
_NO_PORT_OBJECT = Sequence(Combined("object", Keyword("object", "object"), _refuse_ports))


def _object(key: str) -> Sequence:
    return Sequence(Keyword("object"), Argument(key, OBJECT))


def _end(key: str, objects: bool) -> Piece:
    families = (Keyword(each, "family", each) for each in ("any4", "any6"))
    return Combined(
        key,
        OneOf(
            Keyword("any", "any"),
            *(families if objects else ()),
            Sequence(Keyword("host"), Argument("address", ADDRESS)),
            Sequence(Keyword("interface"), Argument("interface", INTERFACE)),
            _group("group"),
            _object("object") if objects else _NO_OBJECT,
            Sequence(Argument("address", ADDRESS), Argument("netmask", NETMASK)),
        ),
        _make_end,
    )


def ports_form(key: str, protocol: str, simple: Iterable[Operator] | None = None) -> Piece:
    """A comparison of a port.

    Args:
        key: the argument that it sets.
        protocol: "tcp", "udp" or "tcp-udp".
        simple: the operators of one port that there are, None for all.
    """
    port = Port(protocol)
    operators = simple or (Operator.EQ, Operator.NEQ, Operator.LT, Operator.GT)
    return Combined(
        key,
        OneOf(
            *(Sequence(Keyword(o.value, "operator", o), Argument("low", port)) for o in operators),
            Sequence(
                Keyword("range", "operator", Operator.RANGE),
                Argument("low", port),
                Argument("high", port),
            ),
        ),
        _make_ports,
    )


class _FirstPorts(Piece):
    """Ports, or a group of them, that may stand between the ends of a rule.

    Only what a group is of tells whether it is of these or is the second end itself.
    """

    def __init__(self, key: str, protocol: str) -> None:
        self._ports = ports_form(key, protocol)
        self._group = _group(f"{key}_group")
        self._either = Options(self._ports)

    def fit(self, word: str, names: Names) -> Fit:
        """How well a word fits, see `Piece`."""
        return max(self._ports.fit(word, names), self._group.fit(word, names))

    def _is_group(self, word: str, names: Names) -> bool:
        fits = self._group.fit(word, names)
        return bool(fits) and _NO_OBJECT.fit(word, names) is not Fit.KEYWORD

    def parse(self, cursor: Cursor, found: Arguments) -> None:
        """Read it, see `Piece`."""
        token = cursor.token
        following = cursor.line.tokens[cursor.position + 1 :][:1]
        if token and following and self._is_group(token.text, cursor.names):
            name = following[0]
            group = cursor.groups.get(name.text)
            if group is None:
                raise no_group(name.text, name.column)
            if group.kind is GroupKind.SERVICE:
                self._group.parse(cursor, found)
        else:
            self._either.parse(cursor, found)

    def expects(self) -> tuple[str, ...]:
        """What may stand at its start, see `Piece`."""
        return self._ports.expects()

    def usage(self) -> str:
        """How it is written, see `Piece`."""
        return self._either.usage()


_LOG = Sequence(
    Keyword("log", "log"),
    Options(
        OneOf(
            Keyword("disable", "log_disabled"),
            Keyword("default", "log_default"),
            Argument("log_level", SEVERITY),
        ),
        Sequence(Keyword("interval"), Argument("log_interval", Integer(1, 600, "SECONDS"))),
    ),
)
_TIMES = (
    Sequence(Keyword("time-range"), Argument("times", TIMES)),
    Keyword("inactive", "inactive"),
)


def rule_form(
    first: str, second: str, logs: bool, timed: bool = False, objects: bool = False
) -> Labelled:
    """Protocol, ends, ports and ICMP type of a rule.

    Args:
        first: the end written first, "source" or "destination".
        second: the other one.
        logs: whether `log` may follow.
        timed: whether `time-range` and `inactive` may follow.
        objects: whether its parts may be objects.
    """
    one, other = _end(first, objects), _end(second, objects)
    no_ports = _NO_PORT_OBJECT if objects else _NO_OBJECT
    tail: tuple[Piece, ...] = ((_LOG,) if logs else ()) + (_TIMES if timed else ())

    def ported(protocol: str, start: Piece) -> Sequence:
        return Sequence(
            start,
            one,
            _FirstPorts(f"{first}_ports", protocol),
            other,
            Options(
                ports_form(f"{second}_ports", protocol),
                _group(f"{second}_ports_group"),
                no_ports,
                *tail,
            ),
        )

    ends = f"{first.upper()} [PORTS] {second.upper()} [PORTS | ICMP_TYPE]"
    rule = OneOf(
        ported("tcp", Keyword("tcp", "protocol", TCP, also=(str(TCP),))),
        ported("udp", Keyword("udp", "protocol", UDP, also=(str(UDP),))),
        Sequence(
            Keyword("icmp", "protocol", ICMP, also=(str(ICMP),)),
            one,
            other,
            Options(Argument("icmp_type", ICMP_TYPE), _group("icmp_type_group"), no_ports, *tail),
        ),
        Sequence(Keyword("ip"), one, other, Options(*tail)),
        ported("tcp-udp", _group("protocol_group")),
        Sequence(_object("protocol_object"), one, other, Options(*tail)) if objects else _NO_OBJECT,
        Sequence(Argument("protocol", PROTOCOL), one, other, Options(*tail)),
    )
    written = " [log [LEVEL | disable | default] [interval SECONDS]]" if logs else ""
    written += " [time-range NAME] [inactive]" if timed else ""
    return Labelled(f"PROTOCOL {ends}{written}", rule)


def no_group(name: str, column: int) -> Refusal:
    """The error of a word that should name an object group and does not.

    Args:
        name: the word.
        column: where it stands.
    """
    return Refusal(
        column,
        f"object-group {quoted(name)} does not exist",
        "define it above this line: `object-group ...`",
        ("object-group", name),
    )


def no_object(name: str, column: int) -> Refusal:
    """The error of a word that should name an object and does not.

    Args:
        name: the word.
        column: where it stands.
    """
    return Refusal(
        column,
        f"object {quoted(name)} does not exist",
        "define it above this line: `object network ...` or `object service ...`",
        ("object", name),
    )


_KINDS = {
    Part.PROTOCOL: (GroupKind.PROTOCOL, GroupKind.SERVICE),
    Part.SOURCE: (GroupKind.NETWORK,),
    Part.DESTINATION: (GroupKind.NETWORK,),
    Part.SOURCE_PORTS: (GroupKind.SERVICE,),
    Part.DESTINATION_PORTS: (GroupKind.SERVICE,),
    Part.ICMP_TYPE: (GroupKind.ICMP_TYPE,),
}


def _known_group(draft: Draft, part: Part, use: Use) -> GroupEntry:
    group = draft.object_groups.get(use.name)
    if group is None:
        raise no_group(use.name, use.place.column)
    if group.kind not in _KINDS[part]:
        wanted = " or ".join(f"`object-group {kind.value}`" for kind in _KINDS[part])
        raise Refusal(
            use.place.column,
            f"object-group {use.name} is of kind {group.kind.value}",
            f"name a group of {wanted} here",
        )
    if (group.kind is GroupKind.SERVICE) and (part is Part.PROTOCOL) == bool(group.protocol):
        raise Refusal(
            use.place.column,
            f"`{group.heading}` does not stand here",
            "a group with tcp, udp or tcp-udp stands in place of ports, one without in place of "
            "the protocol",
        )
    return group


def _known_object(draft: Draft, part: Part, use: Use) -> None:
    entry = draft.objects.get(use.name)
    if entry is None:
        raise no_object(use.name, use.place.column)
    wanted = ServiceObject if part is Part.PROTOCOL else NetworkObject
    if not isinstance(entry.named, wanted):
        raise Refusal(
            use.place.column,
            f"`{entry.heading}` does not stand here",
            "a service object stands in place of the protocol, a network object in place of an "
            "address",
        )


def _groups(
    draft: Draft, arguments: Arguments, source: _End, destination: _End
) -> tuple[tuple[Part, Use], ...]:
    """The groups and objects that a rule names, each of the right kind for its place."""
    uses: list[tuple[Part, Use]] = []
    for part in Part:
        is_object = False
        if part in (Part.SOURCE, Part.DESTINATION):
            end = source if part is Part.SOURCE else destination
            use, is_object = end.group, end.is_object
        else:
            key = f"{part.value}_group"
            if name := arguments.get(f"{part.value}_object", str):
                key, is_object = f"{part.value}_object", True
            else:
                name = arguments.get(key, str)
            use = Use(name, arguments.where(key)) if name is not None else None
        if use:
            (_known_object if is_object else _known_group)(draft, part, use)
            uses.append((part, use))
    for key in ("source_ports", "destination_ports"):
        written = arguments.get(key, Ports) or arguments.get(f"{key}_group", str)
        protocols = dict(uses).get(Part.PROTOCOL)
        if written and arguments.get(key, Ports) and arguments.get(f"{key}_group", str):
            raise arguments.refusal(f"{key}_group", "ports stand before it", "write one of the two")
        group = draft.object_groups.get(protocols.name) if protocols else None
        if written and protocols and group and group.kind is GroupKind.SERVICE:
            raise arguments.refusal(
                key if arguments.get(key, Ports) else f"{key}_group",
                f"object-group {protocols.name} says which ports are meant",
                "write no port behind it",
            )
    return tuple(uses)


def _line_log(arguments: Arguments) -> LineLog | None:
    if not arguments.get("log", bool) or arguments.get("log_default", bool):
        return None
    if arguments.get("log_disabled", bool):
        return LineLog(disabled=True)
    level, interval = arguments.get("log_level", int), arguments.get("log_interval", int)
    default = LineLog()
    return LineLog(
        default.level if level is None else level,
        default.interval if interval is None else interval,
    )


def read_rule(draft: Draft, arguments: Arguments) -> Entry:
    """The rule that a command's arguments state, with warnings for what they leave in doubt."""
    source, destination = arguments.need("source", _End), arguments.need("destination", _End)
    for end in (source, destination):
        if end.written is not None:
            draft.warn_of_host_bits(end.place, end.written, end.network)
    for key in ("source_ports", "destination_ports"):
        ports = arguments.get(key, Ports)
        if ports is not None and not ports.ranges():
            draft.warn(arguments.where(key), "no port is like that", "the line matches nothing")
    rule = Rule(
        permit=arguments.need("permit", bool),
        protocol=arguments.get("protocol", int),
        source=source.network,
        source_ports=arguments.get("source_ports", Ports),
        destination=destination.network,
        destination_ports=arguments.get("destination_ports", Ports),
        icmp_type=arguments.get("icmp_type", int),
        place=arguments.place,
        log=_line_log(arguments),
    )
    ends = ((Part.SOURCE, source.interface), (Part.DESTINATION, destination.interface))
    families = ((Part.SOURCE, source), (Part.DESTINATION, destination))
    for _, end in families:
        if end.family and draft.language < BOTH_FAMILIES:
            raise Refusal(
                end.place.column,
                f"`{end.family}` is of {shown(BOTH_FAMILIES)} and later",
                "write `any`",
            )
    times = arguments.get("times", str)
    return Entry(
        rule,
        groups=_groups(draft, arguments, source, destination),
        interfaces=tuple((part, use) for part, use in ends if use),
        times=Use(times, arguments.where("times")) if times is not None else None,
        inactive=arguments.get("inactive", bool) or False,
        families=tuple((part, end.family) for part, end in families if end.family),
    )


_PROTOCOL_NAMES = {number: name for name, number in reversed(PROTOCOLS.items())} | {
    TCP: "tcp",
    UDP: "udp",
    ICMP: "icmp",
}
_ICMP_NAMES = {number: name for name, number in ICMP_TYPES.items()}
_SEVERITY_NAMES = {number: name for name, number in SEVERITIES.items()}


def printed_network(network: IPv4Network) -> str:
    """A network as a device prints it.

    Args:
        network: the network.
    """
    if network == ANY:
        return "any"
    if network.prefixlen == 32:
        return f"host {network.network_address}"
    return network.with_netmask.replace("/", " ")


def printed_protocol(protocol: int | None) -> str:
    """A protocol as a device prints it.

    Args:
        protocol: its number, None for `ip`.
    """
    return "ip" if protocol is None else _PROTOCOL_NAMES.get(protocol, str(protocol))


def printed_icmp_type(icmp_type: int) -> str:
    """An ICMP type as a device prints it.

    Args:
        icmp_type: its number.
    """
    return _ICMP_NAMES.get(icmp_type, str(icmp_type))


def printed_ports(ports: Ports | None, protocol: str, language: Language) -> str:
    """A comparison of a port as a device prints it, "" for none.

    Args:
        ports: the comparison.
        protocol: "tcp", "udp" or "tcp-udp".
        language: the version.
    """
    if ports is None:
        return ""
    names = port_names(protocol, language)
    numbers = (ports.low, ports.high) if ports.operator is Operator.RANGE else (ports.low,)
    return " ".join((ports.operator.value, *(names.get(n, str(n)) for n in numbers)))


def _logged(log: LineLog | None) -> str:
    if log is None:
        return ""
    if log.disabled:
        return "log disable"
    default = LineLog()
    level = "" if log.level == default.level else f" {_SEVERITY_NAMES[log.level]}"
    interval = "" if log.interval == default.interval else f" interval {log.interval}"
    return f"log{level}{interval}"


def printed_rule(
    line: RuleLine, configuration: Configuration, destination_first: bool = False
) -> str:
    """A rule as a device prints it, from its action on.

    Args:
        line: the rule as it is written.
        configuration: the one that it is of.
        destination_first: whether its ends are written as in a conduit.
    """
    rule = line.rule
    objects = {each.name for each in configuration.objects}
    groups = {
        part: f"{'object' if name in objects else 'object-group'} {name}"
        for part, name in line.groups
    }
    interfaces = {part: f"interface {name}" for part, name in line.interfaces}
    interfaces |= dict(line.families)
    protocol = {TCP: "tcp", UDP: "udp"}.get(rule.protocol or 0, "tcp-udp")

    def end(part: Part, network: IPv4Network, of_ports: Part, ports: Ports | None) -> list[str]:
        return [
            groups.get(part) or interfaces.get(part) or printed_network(network),
            groups.get(of_ports) or printed_ports(ports, protocol, configuration.language),
        ]

    source = end(Part.SOURCE, rule.source, Part.SOURCE_PORTS, rule.source_ports)
    destination = end(
        Part.DESTINATION, rule.destination, Part.DESTINATION_PORTS, rule.destination_ports
    )
    icmp_type = "" if rule.icmp_type is None else printed_icmp_type(rule.icmp_type)
    words = (
        "permit" if rule.permit else "deny",
        groups.get(Part.PROTOCOL) or printed_protocol(rule.protocol),
        *(destination + source if destination_first else source + destination),
        groups.get(Part.ICMP_TYPE) or icmp_type,
        _logged(rule.log),
        f"time-range {rule.times.name}" if rule.times else "",
        "inactive" if line.inactive else "",
    )
    return " ".join(word for word in words if word) + " "
