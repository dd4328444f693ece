"""The configuration that a rule file states: frozen, one class per thing that a command sets.

Nothing here says what the configuration means for a packet; `appliance.policy` does. Two of a
kind are equal when they say the same, wherever they stand.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import Enum
from ipaddress import IPv4Address, IPv4Network
from typing import TypeAlias

from appliance.config.helpers import Helped
from appliance.config.language import DEFAULT, Language, of_number
from appliance.config.objects import NetworkObject, TwiceNat
from appliance.errors import Place
from appliance.protocol import SMTP
from appliance.smtp.esmtp_map import EsmtpClass, EsmtpMap
from appliance.smtp.expression import Expression

ANY = IPv4Network("0.0.0.0/0")


class Operator(Enum):
    """How a rule compares a port."""

    EQ = "eq"
    NEQ = "neq"
    LT = "lt"
    GT = "gt"
    RANGE = "range"


@dataclass(frozen=True, slots=True)
class Ports:
    """A comparison of a port, `eq smtp` or `range 20 30`.

    Args:
        operator: the comparison.
        low: its port number; the lower one of a range.
        high: the upper one of a range, else the same as low.
    """

    operator: Operator
    low: int
    high: int

    def ranges(self) -> tuple[tuple[int, int], ...]:
        """The ports that match, as inclusive ranges in ascending order; none if none can."""
        match self.operator:
            case Operator.LT:
                found = [(0, self.low - 1)]
            case Operator.GT:
                found = [(self.low + 1, 65535)]
            case Operator.NEQ:
                found = [(0, self.low - 1), (self.low + 1, 65535)]
            case _:
                found = [(self.low, self.high)]
        return tuple((low, high) for low, high in found if low <= high)

    def __contains__(self, port: int) -> bool:
        return any(low <= port <= high for low, high in self.ranges())


@dataclass(frozen=True, slots=True)
class Hardware:
    """`interface` of a hardware interface.

    Args:
        name: what the device calls it, "ethernet0" before 7.0, "Ethernet0" from then on; of a VLAN
            before 7.0, "vlan10".
        shutdown: whether it is administratively down.
        speed: as written, "" for none.
        duplex: as written, "" for none.
        vlan: number of its VLAN, None for none.
        description: as written, "" for none.
        trunk: of a VLAN before 7.0, the interface that it is on, "" for no VLAN.
    """

    name: str
    shutdown: bool = False
    speed: str = ""
    duplex: str = ""
    vlan: int | None = None
    description: str = ""
    trunk: str = ""

    @property
    def heading(self) -> str:
        """The line that opens its block in 7.x."""
        return f"interface {self.name}"


@dataclass(frozen=True, slots=True)
class Interface:
    """A named interface: `nameif`, `interface` and `ip address` together.

    Args:
        name: what the rules call it, "outside".
        hardware: what the device calls it, "ethernet0".
        level: its security level, 0 (trusted least) to 100.
        address: its own address, None while it has none.
        network: the network it is on, None while it has no address.
        shutdown: whether it is administratively down.
        place: where its `nameif` stands.
        acquires: how it would get its address, as written after `ip address`, "" for not at all.
        standby: the address of a second unit, None for none.
    """

    name: str
    hardware: str
    level: int
    address: IPv4Address | None
    network: IPv4Network | None
    shutdown: bool
    place: Place = field(compare=False)
    acquires: str = ""
    standby: IPv4Address | None = None


@dataclass(frozen=True, slots=True)
class Name:
    """`name ADDRESS NAME [description TEXT]`."""

    address: IPv4Address
    name: str
    place: Place = field(compare=False)
    description: str = ""


@dataclass(frozen=True, slots=True)
class Static:
    """`static`: a fixed translation between a real and a mapped address, or of one port.

    Args:
        real_interface: the side of the real address (the more secure one).
        mapped_interface: the side that sees the mapped address.
        real: real host or network.
        mapped: mapped host or network, as large; None means the mapped interface's own address.
        protocol: 6 or 17 for the port form, None for the host form.
        real_port: real port of the port form, else 0.
        mapped_port: mapped port of the port form, else 0.
        max_connections: limit on TCP connections to a mapped address, 0 for none.
        embryonic_limit: limit on half-open ones, 0 for none.
        udp_connections: limit on UDP connections, 0 for none.
        norandomseq: as written.
        dns: as written.
        place: where it stands.
        access_list: the list whose lines say what is translated, each the host or network that it
            has as source, towards what it has as destination; "" where `real` says it.
    """

    real_interface: str
    mapped_interface: str
    real: IPv4Network
    mapped: IPv4Network | None
    protocol: int | None
    real_port: int
    mapped_port: int
    max_connections: int
    embryonic_limit: int
    udp_connections: int
    norandomseq: bool
    dns: bool
    place: Place = field(compare=False)
    access_list: str = ""


@dataclass(frozen=True, slots=True)
class Alias:
    """`alias`: where hosts behind an interface reach addresses that they have themselves.

    Args:
        interface: the side that they are on.
        alternate: what they send to, and see as the sender.
        foreign: what that is on the other side, as large.
        place: where it stands.
    """

    interface: str
    alternate: IPv4Network
    foreign: IPv4Network
    place: Place = field(compare=False)


@dataclass(frozen=True, slots=True)
class Nat:
    """`nat`: what is translated to the addresses of the `global` of the same number.

    Args:
        interface: the side that it is on.
        number: that of its `global`, 0 for addresses that stay as they are.
        network: what is translated; None where an access list says it.
        access_list: the list that says it, "" for none.
        outside: whether it is for what goes to more secure interfaces, and not to less secure ones.
        dns: as written.
        norandomseq: as written.
        max_connections: limit on TCP connections of all it translates, 0 for none.
        embryonic_limit: limit on half-open ones, 0 for none.
        udp_connections: as written, 0 for none.
        place: where it stands.
    """

    interface: str
    number: int
    network: IPv4Network | None
    access_list: str
    outside: bool
    dns: bool
    norandomseq: bool
    max_connections: int
    embryonic_limit: int
    udp_connections: int
    place: Place = field(compare=False)


@dataclass(frozen=True, slots=True)
class Global:
    """`global`: addresses that a `nat` of the same number translates to.

    Args:
        interface: the side that sees them.
        number: that of its `nat`.
        first: the first address; None means the interface's own.
        last: the last address of a range, None for one address that all share by their ports.
        netmask: prefix length as written, None where none is.
        place: where it stands.
    """

    interface: str
    number: int
    first: IPv4Address | None
    last: IPv4Address | None
    netmask: int | None
    place: Place = field(compare=False)


class Part(Enum):
    """A part of a rule that may be an object group."""

    PROTOCOL = "protocol"
    SOURCE = "source"
    SOURCE_PORTS = "source_ports"
    DESTINATION = "destination"
    DESTINATION_PORTS = "destination_ports"
    ICMP_TYPE = "icmp_type"


class GroupKind(Enum):
    """What an object group is of."""

    NETWORK = "network"
    SERVICE = "service"
    PROTOCOL = "protocol"
    ICMP_TYPE = "icmp-type"


@dataclass(frozen=True, slots=True)
class Service:
    """A member of a group that is not of networks; what it does not say is None.

    Args:
        protocol: IP protocol number; None for `ip`, or what the group or the rule says.
        source_ports: comparison of the source port.
        destination_ports: comparison of the destination port; of a typed service group, of the
            port that the rule asks for.
        icmp_type: ICMP type.
    """

    protocol: int | None = None
    source_ports: Ports | None = None
    destination_ports: Ports | None = None
    icmp_type: int | None = None


@dataclass(frozen=True, slots=True)
class ServiceObject:
    """`object service`.

    Args:
        name: its name.
        services: what it is: one service, or two for both `tcp` and `udp`; none while it has none.
        description: as written, "" for none.
    """

    name: str
    services: tuple[Service, ...]
    description: str = ""

    @property
    def heading(self) -> str:
        """The line that opens its block."""
        return f"object service {self.name}"


NamedObject: TypeAlias = NetworkObject | ServiceObject


@dataclass(frozen=True, slots=True)
class Nested:
    """`group-object`: a group of the same kind within a group."""

    name: str


@dataclass(frozen=True, slots=True)
class ObjectName:
    """`network-object object` or `service-object object`: an object within a group."""

    object_name: str


Member: TypeAlias = IPv4Network | Service | Nested | ObjectName


@dataclass(frozen=True, slots=True)
class ObjectGroup:
    """`object-group`.

    Args:
        kind: what it is of.
        name: its name; no two groups have the same.
        protocol: of a service group, "tcp", "udp" or "tcp-udp"; "" where its members say it.
        members: what it contains, each once.
        description: as written, "" for none.
    """

    kind: GroupKind
    name: str
    protocol: str = ""
    members: tuple[Member, ...] = ()
    description: str = ""

    @property
    def heading(self) -> str:
        """The line that opens its block."""
        return f"object-group {self.kind.value} {self.name} {self.protocol}".rstrip()


@dataclass(frozen=True, slots=True)
class Period:
    """Some time of every week.

    Args:
        days: days of the week that it begins on, 0 for Monday; one where it has an end on another.
        begin: minute of the day.
        last_day: the day that it ends on, None for the day that it begins on.
        end: the last minute of it, which belongs to it.
    """

    days: tuple[int, ...]
    begin: int
    last_day: int | None
    end: int

    def spans(self) -> tuple[tuple[tuple[int, ...], int, int], ...]:
        """The same as parts of days: days, first minute, last minute."""
        if self.last_day is None:
            return ((self.days, self.begin, self.end),)
        (first,) = self.days
        if first == self.last_day and self.begin <= self.end:
            return (((first,), self.begin, self.end),)
        between = tuple((first + n) % 7 for n in range(1, (self.last_day - first - 1) % 7 + 1))
        found = [((first,), self.begin, _LAST_MINUTE), ((self.last_day,), 0, self.end)]
        return (*found, *([(between, 0, _LAST_MINUTE)] if between else []))


_LAST_MINUTE = 24 * 60 - 1


@dataclass(frozen=True, slots=True)
class TimeRange:
    """`time-range`: when rules that name it are in force, in UTC.

    Args:
        name: its name.
        start: the first minute of `absolute`, None for no beginning.
        end: its last minute, None for no end.
        periods: of `periodic`; none for all the time between.
    """

    name: str
    start: datetime | None = None
    end: datetime | None = None
    periods: tuple[Period, ...] = ()

    @property
    def heading(self) -> str:
        """The line that opens its block."""
        return f"time-range {self.name}"

    def includes(self, time: float) -> bool:
        """Whether rules are in force.

        Args:
            time: in seconds since 1970, UTC.
        """
        moment = datetime.fromtimestamp(time, UTC).replace(second=0, microsecond=0)
        if (self.start and moment < self.start) or (self.end and moment > self.end):
            return False
        minute = moment.hour * 60 + moment.minute
        return not self.periods or any(
            moment.weekday() in days and begin <= minute <= end
            for period in self.periods
            for days, begin, end in period.spans()
        )


@dataclass(frozen=True, slots=True)
class LineLog:
    """`log` of an access list line: message 106100 in place of 106023.

    Args:
        level: the severity of that message.
        interval: seconds between two messages of one flow.
        disabled: whether the line draws no message at all (`log disable`).
    """

    level: int = 6
    interval: int = 300
    disabled: bool = False


@dataclass(frozen=True, slots=True)
class Rule:
    """What an access list's line or a conduit means, or one of the rules that it means.

    A conduit is kept in the same order as an access list line, though it is written with the
    destination first.

    Args:
        permit: whether it permits.
        protocol: IP protocol number, None for `ip`.
        source: network of the sender.
        source_ports: comparison of its port, None for any.
        destination: network addressed, as addressed on the wire (the mapped one before 8.3).
        destination_ports: comparison of the port addressed, None for any.
        icmp_type: ICMP type, None for any.
        place: where it stands.
        times: when it is in force, None for always.
        log: its `log`, None where it has none.
    """

    permit: bool
    protocol: int | None
    source: IPv4Network
    source_ports: Ports | None
    destination: IPv4Network
    destination_ports: Ports | None
    icmp_type: int | None
    place: Place = field(compare=False)
    log: LineLog | None = None
    times: TimeRange | None = None


@dataclass(frozen=True, slots=True)
class RuleLine:
    """A rule as it is written: its parts may be groups, or an interface's own address.

    Args:
        rule: what is written out; a part that is a group or an interface matches anything in it.
        rules: the rules that it means, all of `rule`'s place; none where it can match nothing.
        groups: the object groups and objects that it names, by the part that each is.
        interfaces: the interfaces whose own address an end is.
        inactive: whether it is written and not in force.
        families: the ends that are any address of one family, `any4` or `any6`.
    """

    rule: Rule
    rules: tuple[Rule, ...]
    groups: tuple[tuple[Part, str], ...] = ()
    interfaces: tuple[tuple[Part, str], ...] = ()
    inactive: bool = False
    families: tuple[tuple[Part, str], ...] = ()


def elementary(lines: Iterable[RuleLine | Remark]) -> tuple[Rule, ...]:
    """The rules that lines mean, in order, without groups: what a packet is compared with."""
    return tuple(rule for line in lines if isinstance(line, RuleLine) for rule in line.rules)


@dataclass(frozen=True, slots=True)
class Remark:
    """A remark in an access list."""

    text: str


@dataclass(frozen=True, slots=True)
class AccessList:
    """An access list: its lines in order, which count from 1; what no rule matches is denied."""

    name: str
    lines: tuple[RuleLine | Remark, ...]

    @property
    def rules(self) -> tuple[Rule, ...]:
        """The rules that its lines mean, see `elementary`."""
        return elementary(self.lines)


@dataclass(frozen=True, slots=True)
class FlowLog:
    """How flows are kept that lines with `log` have matched.

    Args:
        most: of denied ones (`access-list deny-flow-max`).
        alert_interval: seconds between two messages that there are as many
            (`access-list alert-interval`).
    """

    most: int = 4096
    alert_interval: int = 300


@dataclass(frozen=True, slots=True)
class AccessGroup:
    """`access-group LIST in interface NAME`, or `out`: what judges packets that leave by it.

    With `global` there is no interface: what comes in by any of them is judged by the list, after
    that of the interface.
    """

    access_list: str
    interface: str
    place: Place = field(compare=False)
    out: bool = False


class Action(Enum):
    """What a line of an outbound list does."""

    PERMIT = "permit"
    DENY = "deny"
    EXCEPT = "except"


@dataclass(frozen=True, slots=True)
class Outbound:
    """`outbound LIST ACTION ADDRESS MASK PORTS PROTOCOL`: a line of an outbound list.

    Args:
        number: the list.
        action: what it does.
        network: the address that the list goes by; of an exception, the other one.
        ports: the destination's, None for any.
        protocol: IP protocol number, None for any.
        place: where it stands.
    """

    number: int
    action: Action
    network: IPv4Network
    ports: tuple[int, int] | None
    protocol: int | None
    place: Place = field(compare=False)


@dataclass(frozen=True, slots=True)
class Apply:
    """`apply`: an outbound list bound to the interface that connections come in by.

    Args:
        interface: the interface.
        number: the list.
        by_destination: whether the list goes by the destination, and not by the source.
        place: where it stands.
    """

    interface: str
    number: int
    by_destination: bool
    place: Place = field(compare=False)


@dataclass(frozen=True, slots=True)
class PortsOf:
    """Ports of a protocol.

    Args:
        protocol: IP protocol number, of TCP or UDP.
        low: the lowest one, 0 where all are meant.
        high: the highest one, likewise.
    """

    protocol: int
    low: int
    high: int


@dataclass(frozen=True, slots=True)
class Established:
    """`established`: what may come back to a host while it has a connection to the sender.

    Args:
        protocol: of the connection, IP protocol number of TCP or UDP.
        destination_port: to which it went, 0 for any.
        source_port: from which it came, 0 for any.
        permit_to: where what comes back may go to, None for anywhere.
        permit_from: where it may come from, likewise.
        place: where it stands.
    """

    protocol: int
    destination_port: int
    source_port: int
    permit_to: PortsOf | None
    permit_from: PortsOf | None
    place: Place = field(compare=False)


@dataclass(frozen=True, slots=True)
class IcmpRule:
    """`icmp`: whether ICMP to an interface of the firewall itself is let in.

    Args:
        permit: whether it is.
        source: network of the sender.
        icmp_type: ICMP type, None for any.
        interface: the interface.
        place: where it stands.
    """

    permit: bool
    source: IPv4Network
    icmp_type: int | None
    interface: str
    place: Place = field(compare=False)


@dataclass(frozen=True, slots=True)
class Timeout:
    """`timeout`: how long something may be idle.

    Args:
        name: of what, "conn".
        seconds: how long, 0 for ever.
        kind: what stands behind it, "absolute", "" for nothing.
    """

    name: str
    seconds: int
    kind: str = ""


@dataclass(frozen=True, slots=True)
class Route:
    """`route INTERFACE NETWORK MASK GATEWAY METRIC`."""

    interface: str
    network: IPv4Network
    gateway: IPv4Address
    metric: int
    place: Place = field(compare=False)


DESTINATIONS = {
    "console": "the console",
    "monitor": "terminal sessions",
    "buffered": "the buffer in memory",
    "trap": "syslog servers",
    "history": "SNMP",
}
"""Where messages go, by keyword, in the order in which a device prints them."""

DEFAULT_FACILITY = 20
"""Of syslog messages: local4."""


@dataclass(frozen=True, slots=True)
class LogHost:
    """`logging host [INTERFACE] ADDRESS [{udp|tcp}/PORT] [format emblem]`: a syslog server.

    Args:
        address: its address.
        port: the port that it listens to.
        emblem: whether it gets messages in EMBLEM format.
        interface: the interface that the command names, "" for none.
        tcp: whether it is reached by TCP.
    """

    address: IPv4Address
    port: int
    emblem: bool
    interface: str = ""
    tcp: bool = False


@dataclass(frozen=True, slots=True)
class Logging:
    """`logging`: which messages are logged, where to, and what stands before them.

    Args:
        on: whether anything is logged.
        levels: the most verbose severity (0 to 7) that each destination takes, by the
            destination's keyword (console, monitor, buffered, trap, history); absent means none.
        hosts: the syslog servers, which get what `trap` takes.
        facility: syslog facility of what they get, 16 to 23.
        timestamp: whether they get the time.
        device_id: the name in what they get, "" for none.
        device_id_form: what that name is made of, as written.
        disabled: numbers of messages that are not logged.
        severities: pairs of a message's number and the severity that it has instead of its own.
        permit_host_down: whether connections may begin while a server by TCP is away.
    """

    on: bool
    levels: tuple[tuple[str, int], ...]
    hosts: tuple[LogHost, ...] = ()
    facility: int = DEFAULT_FACILITY
    timestamp: bool = False
    device_id: str = ""
    device_id_form: str = ""
    disabled: tuple[int, ...] = ()
    severities: tuple[tuple[int, int], ...] = ()
    permit_host_down: bool = False


@dataclass(frozen=True, slots=True)
class Version:
    """The version line.

    Args:
        product: "PIX" or "ASA".
        number: as written, "6.3(5)".
    """

    product: str
    number: str


class Traffic(Enum):
    """What a class of traffic is told by."""

    ANY = "any"
    DEFAULT = "default-inspection-traffic"
    PORT = "port"
    ACCESS_LIST = "access-list"


@dataclass(frozen=True, slots=True)
class Match:
    """`match` in a class map.

    Args:
        traffic: what the class is told by.
        protocol: 6 or 17 for a port, else 0.
        low: the lowest port, or 0.
        high: the highest port, or 0.
        access_list: the name of the access list, or "".
    """

    traffic: Traffic
    protocol: int = 0
    low: int = 0
    high: int = 0
    access_list: str = ""


@dataclass(frozen=True, slots=True)
class ClassMap:
    """`class-map`: traffic that all its matches take."""

    name: str
    matches: tuple[Match, ...] = ()
    description: str = ""

    @property
    def heading(self) -> str:
        """The line that opens its block."""
        return f"class-map {self.name}"


@dataclass(frozen=True, slots=True)
class Inspected:
    """`inspect` of a protocol that a helper of the kernel reads.

    Args:
        name: what follows `inspect`, without options.
        place: where it stands.
        strict: whether `strict` is asked for.
        map_name: the inspection map named for it, "" for none.
    """

    name: str
    place: Place = field(compare=False)
    strict: bool = False
    map_name: str = ""


@dataclass(frozen=True, slots=True)
class RegexClass:
    """`class-map type regex match-any`: regular expressions with one name."""

    name: str
    regexes: tuple[str, ...] = ()
    description: str = ""

    @property
    def heading(self) -> str:
        """The line that opens its block."""
        return f"class-map type regex match-any {self.name}"


@dataclass(frozen=True, slots=True)
class PolicyClass:
    """`class` of a policy map.

    Args:
        name: the class map, or class-default, which is all traffic.
        esmtp: whether its mail is inspected.
        esmtp_map: the inspection map named for that, "" for the default one.
        helped: other protocols that are inspected.
    """

    name: str
    esmtp: bool = False
    esmtp_map: str = ""
    helped: tuple[Inspected, ...] = ()

    @property
    def heading(self) -> str:
        """The line that opens its block."""
        return f"class {self.name}"


@dataclass(frozen=True, slots=True)
class PolicyMap:
    """`policy-map`: what is done to classes of traffic."""

    name: str
    classes: tuple[PolicyClass, ...] = ()
    description: str = ""

    @property
    def heading(self) -> str:
        """The line that opens its block."""
        return f"policy-map {self.name}"


@dataclass(frozen=True, slots=True)
class ServicePolicy:
    """`service-policy`: a policy map in force.

    Args:
        policy_map: its name.
        interface: where it is in force, "" for everywhere.
        place: where it stands.
    """

    policy_map: str
    interface: str
    place: Place = field(compare=False)


@dataclass(frozen=True, slots=True)
class Inspection:
    """Mail that a service policy has inspected.

    Args:
        interface: the interface that a connection must come in or go out by, "" for any.
        ports: real ports of servers, as inclusive ranges.
        esmtp_map: how; None in a language that has no inspection maps.
    """

    interface: str
    ports: tuple[tuple[int, int], ...]
    esmtp_map: EsmtpMap | None = None


@dataclass(frozen=True, slots=True)
class Fixup:
    """A protocol whose further connections are permitted, by `fixup protocol` or `inspect`.

    Args:
        helped: the protocol.
        ports: real ports of servers, as an inclusive range.
        strict: whether `strict` is asked for.
        interface: the interface that a connection must come in or go out by, "" for any.
        place: where the line stands that says so, None where it is so from the start.
    """

    helped: Helped
    ports: tuple[int, int]
    strict: bool = False
    interface: str = ""
    place: Place | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Kept:
    """A line without effect here, kept so that it can be printed.

    Args:
        words: the keywords of its command, "" for a line of which not even that is known.
        text: all of it, `no` in front where it has one, without what may be a secret.
        under: the lines that open the modes that it stands in, from the outermost one on.
        place: where it stands.
    """

    words: str
    text: str
    under: tuple[str, ...]
    place: Place = field(compare=False)

    @property
    def heading(self) -> str:
        """What opens the mode, if it opens one."""
        return self.text


@dataclass(frozen=True, slots=True)
class Definition:
    """A name that a command defines.

    Args:
        words: the keywords of the command, "access-list".
        name: the name.
        place: where it stands first.
    """

    words: str
    name: str
    place: Place


@dataclass(frozen=True, slots=True)
class Configuration:
    """All that a rule file says.

    `smtp_ports` are inspected whatever the host and the interface, `mail_hosts` (real addresses,
    from `mailhost`) on port 25, and `inspections` as they say; `fixups` are other protocols, whose
    further connections are permitted. `nat_control` is whether only what is translated may pass.
    `verified` are the interfaces whose packets must come from where routes lead (`ip verify`),
    `silent` those on which nobody is answered for (`sysopt noproxyarp`). `equals_pass` is whether
    anything passes between interfaces of one level, and `hairpins_pass` whether anything leaves by
    the interface that it came in by (`same-security-traffic`), and their places are the lines.
    `twice_nats` are in their order, those after the `nat` of objects last. `unmentioned` has the
    names that no other line has a word like.
    """

    hostname: str
    version: Version | None
    names_enabled: bool
    names: tuple[Name, ...]
    interfaces: tuple[Interface, ...]
    statics: tuple[Static, ...]
    access_lists: tuple[AccessList, ...]
    access_groups: tuple[AccessGroup, ...]
    conduits: tuple[RuleLine, ...]
    smtp_ports: tuple[tuple[int, int], ...]
    mail_hosts: tuple[IPv4Address, ...]
    routes: tuple[Route, ...]
    logging: Logging
    hardware: tuple[Hardware, ...] = ()
    nat_control: bool = True
    class_maps: tuple[ClassMap, ...] = ()
    policy_maps: tuple[PolicyMap, ...] = ()
    service_policies: tuple[ServicePolicy, ...] = ()
    inspections: tuple[Inspection, ...] = ()
    fixups: tuple[Fixup, ...] = ()
    flow_log: FlowLog = FlowLog()
    kept: tuple[Kept, ...] = ()
    unmentioned: tuple[Definition, ...] = field(default=(), compare=False)
    object_groups: tuple[ObjectGroup, ...] = ()
    standard_lists: tuple[tuple[str, str], ...] = ()
    time_ranges: tuple[TimeRange, ...] = ()
    nats: tuple[Nat, ...] = ()
    globals: tuple[Global, ...] = ()
    outbounds: tuple[Outbound, ...] = ()
    applied: tuple[Apply, ...] = ()
    icmp_rules: tuple[IcmpRule, ...] = ()
    verified: tuple[str, ...] = ()
    silent: tuple[str, ...] = ()
    equals_pass: bool = False
    hairpins_pass: bool = False
    equals_place: Place | None = field(default=None, compare=False)
    hairpins_place: Place | None = field(default=None, compare=False)
    timeouts: tuple[Timeout, ...] = ()
    aliases: tuple[Alias, ...] = ()
    established: tuple[Established, ...] = ()
    regexes: tuple[Expression, ...] = ()
    regex_classes: tuple[RegexClass, ...] = ()
    esmtp_classes: tuple[EsmtpClass, ...] = ()
    esmtp_maps: tuple[EsmtpMap, ...] = ()
    objects: tuple[NamedObject, ...] = ()
    twice_nats: tuple[TwiceNat, ...] = ()

    @property
    def language(self) -> Language:
        """The language that it is written in."""
        return of_number(self.version.number) if self.version else DEFAULT

    def idle(self, name: str) -> int | None:
        """How long something may be idle, seconds, 0 for ever; None where no `timeout` says it.

        Args:
            name: of what, "conn".
        """
        return next((each.seconds for each in self.timeouts if each.name == name), None)

    def helped(self, protocol: int, port: int, interfaces: Container[str]) -> Fixup | None:
        """What has a helper of the kernel read a connection, None for nothing.

        Args:
            protocol: what carries it, the number of TCP or UDP.
            port: the server's real port.
            interfaces: the interfaces that it comes in and goes out by.
        """
        for each in self.fixups:
            low, high = each.ports
            if (
                each.helped.protocol == protocol
                and low <= port <= high
                and (not each.interface or each.interface in interfaces)
            ):
                return each
        return None

    def inspects(
        self, server: IPv4Address, port: int, interfaces: Container[str] | None = None
    ) -> bool:
        """Whether mail to a server is inspected.

        Args:
            server: its real address.
            port: its real port.
            interfaces: the interfaces that the connection comes in and goes out by; None where
                they are unknown, and then it is inspected if it is at any.
        """
        ports = list(self.smtp_ports)
        for each in self.inspections:
            if interfaces is None or not each.interface or each.interface in interfaces:
                ports += each.ports
        return any(low <= port <= high for low, high in ports) or (
            port == SMTP and server in self.mail_hosts
        )

    def esmtp_map(self, port: int, interfaces: Sequence[str]) -> EsmtpMap | None:
        """The inspection map that mail to a server goes through.

        A policy of an interface goes before one of all, and the first class that has the mail
        inspected before later ones.

        Args:
            port: the server's real port.
            interfaces: the interfaces that the connection comes in and goes out by, in this order.

        Returns:
            None where nothing in the rule file has it inspected by a map.
        """
        for interface in (*interfaces, ""):
            for each in self.inspections:
                if each.interface == interface and any(a <= port <= b for a, b in each.ports):
                    return each.esmtp_map
        return None
