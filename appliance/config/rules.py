"""The form of a rule, which access lists and conduits share: protocol, two ends, ports or type."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network

from appliance.config.draft import Draft, Entry, Use
from appliance.config.grammar import (
    Argument,
    Arguments,
    Combined,
    Keyword,
    Labelled,
    OneOf,
    Options,
    Piece,
    Sequence,
)
from appliance.config.kinds import ADDRESS, INTERFACE, NETMASK, SEVERITY, Choice, Integer, Port
from appliance.config.model import ANY, Operator, Ports, Rule
from appliance.config.services import ICMP_TYPES, PORT_NAMES, PROTOCOLS
from appliance.errors import Place
from appliance.protocol import ICMP, TCP, UDP

_HOST_ZERO = IPv4Network("0.0.0.0/32")
_ICMP_TYPE = Choice("ICMP_TYPE", "an ICMP type", ICMP_TYPES, (0, 255))
# Protocol 0 would be every protocol to netfilter; `ip` says that here.
_PROTOCOL = Choice("PROTOCOL", "a protocol", PROTOCOLS, (1, 255))

ACTION = OneOf(Keyword("permit", "permit", True), Keyword("deny", "permit", False))


@dataclass(frozen=True, slots=True)
class _End:
    """One end of a rule as written.

    Args:
        network: its network.
        interface: the interface whose own address is meant instead, None for none.
        written: the address with host bits, where the netmask hides some; else None.
        place: where it stands.
    """

    network: IPv4Network
    interface: Use | None
    written: IPv4Address | None
    place: Place


def _make_end(arguments: Arguments) -> _End:
    if arguments.get("any", bool):
        return _End(ANY, None, None, arguments.where("any"))
    interface = arguments.get("interface", str)
    if interface is not None:
        place = arguments.where("interface")
        return _End(_HOST_ZERO, Use(interface, place), None, place)
    place = arguments.where("address")
    address = arguments.need("address", IPv4Address)
    prefix = arguments.get("netmask", int)
    network = IPv4Network((address, 32 if prefix is None else prefix), strict=False)
    hidden = address != network.network_address
    return _End(network, None, address if hidden else None, place)


def _make_ports(arguments: Arguments) -> Ports:
    operator = arguments.need("operator", Operator)
    low = arguments.need("low", int)
    high = low if operator is not Operator.RANGE else arguments.need("high", int)
    if low > high:
        raise arguments.refusal(
            "high", "the range ends before it starts", f"write `range {high} {low}`"
        )
    return Ports(operator, low, high)


def _unsupported(word: str) -> Sequence:
    # Leaving out the line would let through what a `deny` stops, so this is an error.
    def refuse(arguments: Arguments) -> object:
        raise arguments.refusal(
            "word", f"`{word}` is not implemented", "write the line out, once for each member"
        )

    return Sequence(Combined(word, Keyword(word, "word"), refuse))


def _end(key: str) -> Piece:
    return Combined(
        key,
        OneOf(
            Keyword("any", "any"),
            Sequence(Keyword("host"), Argument("address", ADDRESS)),
            Sequence(Keyword("interface"), Argument("interface", INTERFACE)),
            _unsupported("object-group"),
            Sequence(Argument("address", ADDRESS), Argument("netmask", NETMASK)),
        ),
        _make_end,
    )


def _ports(key: str, protocol: str) -> Piece:
    port = Port(protocol)
    simple = (Operator.EQ, Operator.NEQ, Operator.LT, Operator.GT)
    return Combined(
        key,
        OneOf(
            *(Sequence(Keyword(o.value, "operator", o), Argument("low", port)) for o in simple),
            Sequence(
                Keyword("range", "operator", Operator.RANGE),
                Argument("low", port),
                Argument("high", port),
            ),
        ),
        _make_ports,
    )


_LOG = Sequence(
    Keyword("log", "log"),
    Options(
        OneOf(Keyword("disable"), Keyword("default"), Argument("log_level", SEVERITY)),
        Sequence(Keyword("interval"), Argument("interval", Integer(1, 600, "SECONDS"))),
    ),
)


def rule_form(first: str, second: str, logs: bool) -> Labelled:
    """Protocol, ends, ports and ICMP type of a rule.

    Args:
        first: the end written first, "source" or "destination".
        second: the other one.
        logs: whether `log` may follow.
    """
    tail: tuple[Piece, ...] = (_LOG,) if logs else ()

    def ported(protocol: str, number: int) -> Sequence:
        return Sequence(
            Keyword(protocol, "protocol", number, also=(str(number),)),
            _end(first),
            Options(_ports(f"{first}_ports", protocol), _unsupported("object-group")),
            _end(second),
            Options(_ports(f"{second}_ports", protocol), _unsupported("object-group"), *tail),
        )

    ends = f"{first.upper()} [PORTS] {second.upper()} [PORTS | ICMP_TYPE]"
    rule = OneOf(
        ported("tcp", TCP),
        ported("udp", UDP),
        Sequence(
            Keyword("icmp", "protocol", ICMP, also=(str(ICMP),)),
            _end(first),
            _end(second),
            Options(Argument("icmp_type", _ICMP_TYPE), _unsupported("object-group"), *tail),
        ),
        Sequence(Keyword("ip"), _end(first), _end(second), Options(*tail)),
        _unsupported("object-group"),
        Sequence(Argument("protocol", _PROTOCOL), _end(first), _end(second), Options(*tail)),
    )
    return Labelled(f"PROTOCOL {ends}{' [log ...]' if logs else ''}", rule)


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
    if arguments.get("log", bool):
        draft.warn(
            arguments.where("log"),
            "`log` of a rule is not implemented",
            "the rule counts; what it permits or denies is logged as without `log`",
        )
    rule = Rule(
        permit=arguments.need("permit", bool),
        protocol=arguments.get("protocol", int),
        source=source.network,
        source_ports=arguments.get("source_ports", Ports),
        destination=destination.network,
        destination_ports=arguments.get("destination_ports", Ports),
        icmp_type=arguments.get("icmp_type", int),
        place=arguments.place,
    )
    return Entry(
        rule, source_interface=source.interface, destination_interface=destination.interface
    )


_PROTOCOL_NAMES = {number: name for name, number in reversed(PROTOCOLS.items())} | {
    TCP: "tcp",
    UDP: "udp",
    ICMP: "icmp",
}
_ICMP_NAMES = {number: name for name, number in ICMP_TYPES.items()}


def _network(network: IPv4Network) -> str:
    if network == ANY:
        return "any"
    if network.prefixlen == 32:
        return f"host {network.network_address}"
    return network.with_netmask.replace("/", " ")


def _compared(ports: Ports | None, protocol: int | None) -> str:
    if ports is None:
        return ""
    names = PORT_NAMES["tcp" if protocol == TCP else "udp"]
    numbers = (ports.low, ports.high) if ports.operator is Operator.RANGE else (ports.low,)
    return " ".join((ports.operator.value, *(str(names.get(n, n)) for n in numbers)))


def printed_rule(rule: Rule, destination_first: bool = False) -> str:
    """A rule as a device prints it, from its action on.

    Args:
        rule: the rule.
        destination_first: whether its ends are written as in a conduit.
    """
    source = (_network(rule.source), _compared(rule.source_ports, rule.protocol))
    destination = (_network(rule.destination), _compared(rule.destination_ports, rule.protocol))
    ends = (*destination, *source) if destination_first else (*source, *destination)
    icmp_type = "" if rule.icmp_type is None else _ICMP_NAMES.get(rule.icmp_type, rule.icmp_type)
    words = (
        "permit" if rule.permit else "deny",
        "ip" if rule.protocol is None else _PROTOCOL_NAMES.get(rule.protocol, rule.protocol),
        *ends,
        icmp_type,
    )
    return " ".join(str(word) for word in words if word != "") + " "
