"""The configuration that a rule file states: frozen, one class per thing that a command sets.

Nothing here says what the configuration means for a packet; `appliance.policy` does. Two of a
kind are equal when they say the same, wherever they stand.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from ipaddress import IPv4Address, IPv4Network

from appliance.errors import Place

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
class Interface:
    """An interface: `nameif`, `interface` and `ip address` together.

    Args:
        name: what the rules call it, "outside".
        hardware: what the device calls it, "ethernet0".
        level: its security level, 0 (trusted least) to 100.
        address: its own address, None while it has none.
        network: the network it is on, None while it has no address.
        shutdown: whether it is administratively down.
        place: where its `nameif` stands.
    """

    name: str
    hardware: str
    level: int
    address: IPv4Address | None
    network: IPv4Network | None
    shutdown: bool
    place: Place = field(compare=False)


@dataclass(frozen=True, slots=True)
class Name:
    """`name ADDRESS NAME`."""

    address: IPv4Address
    name: str
    place: Place = field(compare=False)


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
        max_connections: limit on connections, 0 for none.
        embryonic_limit: limit on half-open connections, 0 for none.
        norandomseq: as written.
        dns: as written.
        place: where it stands.
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
    norandomseq: bool
    dns: bool
    place: Place = field(compare=False)


@dataclass(frozen=True, slots=True)
class Rule:
    """One line of an access list, or one conduit.

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
    """

    permit: bool
    protocol: int | None
    source: IPv4Network
    source_ports: Ports | None
    destination: IPv4Network
    destination_ports: Ports | None
    icmp_type: int | None
    place: Place = field(compare=False)


@dataclass(frozen=True, slots=True)
class AccessList:
    """An access list: its rules in order; a packet that none matches is denied."""

    name: str
    rules: tuple[Rule, ...]


@dataclass(frozen=True, slots=True)
class AccessGroup:
    """`access-group LIST in interface NAME`."""

    access_list: str
    interface: str
    place: Place = field(compare=False)


@dataclass(frozen=True, slots=True)
class Route:
    """`route INTERFACE NETWORK MASK GATEWAY METRIC`."""

    interface: str
    network: IPv4Network
    gateway: IPv4Address
    metric: int
    place: Place = field(compare=False)


DEFAULT_FACILITY = 20
"""Of syslog messages: local4."""


@dataclass(frozen=True, slots=True)
class LogHost:
    """`logging host [INTERFACE] ADDRESS [udp/PORT] [format emblem]`: a syslog server.

    Args:
        address: its address.
        port: the UDP port that it listens to.
        emblem: whether it gets messages in EMBLEM format.
    """

    address: IPv4Address
    port: int
    emblem: bool


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
        disabled: numbers of messages that are not logged.
        severities: pairs of a message's number and the severity that it has instead of its own.
    """

    on: bool
    levels: tuple[tuple[str, int], ...]
    hosts: tuple[LogHost, ...] = ()
    facility: int = DEFAULT_FACILITY
    timestamp: bool = False
    device_id: str = ""
    disabled: tuple[int, ...] = ()
    severities: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Version:
    """The version line.

    Args:
        product: "PIX" or "ASA".
        number: as written, "6.3(5)".
    """

    product: str
    number: str


@dataclass(frozen=True, slots=True)
class Configuration:
    """All that a rule file says.

    `smtp_ports` are inspected whatever the host, `mail_hosts` (real addresses, from `mailhost`) on
    port 25.
    """

    hostname: str
    version: Version | None
    names_enabled: bool
    names: tuple[Name, ...]
    interfaces: tuple[Interface, ...]
    statics: tuple[Static, ...]
    access_lists: tuple[AccessList, ...]
    access_groups: tuple[AccessGroup, ...]
    conduits: tuple[Rule, ...]
    smtp_ports: tuple[tuple[int, int], ...]
    mail_hosts: tuple[IPv4Address, ...]
    routes: tuple[Route, ...]
    logging: Logging
