"""What the firewall reports: connections begun and ended, packets denied, mail that it edited.

An event is a fact, not a sentence; `appliance.syslog` makes the log line of it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum
from ipaddress import IPv4Address
from typing import TypeAlias

from appliance.limits import UNLIMITED, Limits
from appliance.smtp.esmtp_map import Action


class Direction(Enum):
    """Which way bytes go; the server is the end that the SYN was sent to."""

    TO_SERVER = "to-server"
    TO_CLIENT = "to-client"


class Kind(Enum):
    """What happened to an inspected connection."""

    GREETING_MASKED = "greeting-masked"
    COMMAND_BLOCKED = "command-blocked"
    COMMAND_ANSWERED = "command-answered"
    ADDRESS_EDITED = "address-edited"
    ADDRESS_REFUSED = "address-refused"
    EHLO_MASKED = "ehlo-masked"
    INCONSISTENT_RETRANSMISSION = "inconsistent-retransmission"
    UNEXPECTED_REPLY = "unexpected-reply"
    REPLY_TO_UNSENT = "reply-to-unsent"
    SEGMENT_DROPPED = "segment-dropped"
    CONNECTION_DROPPED = "connection-dropped"
    CONNECTION_RESET = "connection-reset"
    MATCHED = "matched"
    PARAMETER = "parameter"
    SIZE_VIOLATION = "size-violation"
    OPAQUE = "opaque"
    ADOPTED = "adopted"


class Closing(Enum):
    """How a connection ended."""

    FIN = "fin"
    RESET = "reset"
    DROPPED = "dropped"  # by inspection, which may have sent a RST to both ends
    TIMEOUT = "timeout"
    OPEN = "open"


class Phase(Enum):
    """How far a TCP connection has come."""

    EMBRYONIC = "embryonic"
    """Not established yet."""
    ESTABLISHED = "established"
    HALF_CLOSED = "half-closed"
    """One end has sent its FIN."""


class Denial(Enum):
    """Why a packet may not pass; the value is the number of the message it draws."""

    NO_PERMIT = "106001"  # inbound TCP, no access list bound to the interface, no conduit permits
    NO_PERMIT_UDP = "106006"  # likewise
    NO_PERMIT_OTHER = "106010"  # likewise, neither TCP nor UDP nor ICMP
    NO_PERMIT_ICMP = "106014"  # likewise
    ACCESS_LIST = "106023"  # the interface's access list denies it
    NO_TRANSLATION_INBOUND = "106011"  # addressed to nothing that a static translates
    NO_TRANSLATION = "305005"  # from a more secure interface, and nothing translates its source
    TRANSLATION_FAILED = "305006"  # the addresses that it could have are shared by ports
    ASYMMETRIC = "305013"  # another translation would be that of the way back
    OUTBOUND_LIST = "106002"  # an outbound list of the interface denies it
    REVERSE_PATH = "106021"  # its source is not behind the interface that it came in by
    NO_CONNECTION = "106015"  # TCP of no known connection, and no SYN
    OWN_ADDRESS = "710005"  # to the firewall itself or to all hosts, which is not forwarded
    TOO_MANY = "201002"  # as many TCP connections live to the mapped address as its static lets
    TOO_MANY_EMBRYONIC = "201003"  # likewise, of those that are not established
    TOO_MANY_UDP = "201004"  # likewise, UDP
    NO_ROOM = "211001"  # as many connections are known as may be
    NO_ROUTE = "110001"  # no interface leads to the destination, or to the source


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One end of a flow.

    Args:
        interface: the firewall's name (nameif) for the side it is on, "" where unknown.
        address: its real address.
        port: its port, 0 for a protocol without ports.
        mapped: the address under which the other side sees it; the real one if untranslated.
        mapped_port: likewise.
    """

    interface: str
    address: IPv4Address
    port: int
    mapped: IPv4Address
    mapped_port: int


@dataclass(frozen=True, slots=True)
class Flow:
    """A connection, as a log line names it.

    Args:
        number: counts connections from 1, as the device does.
        client: the end that sent the SYN.
        server: the end it was sent to.
        inbound: whether it was opened from the less secure side.
        inspected: the name of the release that its mail is inspected as, "" if it is not.
    """

    number: int
    client: Endpoint
    server: Endpoint
    inbound: bool
    inspected: str


@dataclass(frozen=True, slots=True)
class ConnectionBuilt:
    """A connection began.

    Args:
        time: seconds since the epoch.
        flow: the connection.
    """

    time: float
    flow: Flow


@dataclass(frozen=True, slots=True)
class ConnectionClosed:
    """A connection ended.

    Args:
        time: seconds since the epoch.
        flow: the connection.
        closing: how it ended.
        by_client: for a reset, whether the client sent it.
        duration: seconds it lasted.
        octets: bytes of TCP payload forwarded, both directions.
        phase: how far it had come.
    """

    time: float
    flow: Flow
    closing: Closing
    by_client: bool
    duration: float
    octets: int
    phase: Phase = Phase.ESTABLISHED


@dataclass(frozen=True, slots=True)
class PacketDenied:
    """A packet was not let through and belongs to no connection.

    Args:
        time: seconds since the epoch.
        reason: why.
        protocol: IP protocol number.
        source: where it came from.
        destination: where it wanted to go, as addressed.
        access_list: the name of the access list that denied it, "" if none did.
        flags: TCP flags byte, or the ICMP type times 256 plus the code.
        limits: those of the address that it was sent to.
        quiet: whether it draws no message, since the line that denied it has `log`.
    """

    time: float
    reason: Denial
    protocol: int
    source: Endpoint
    destination: Endpoint
    access_list: str = ""
    flags: int = 0
    limits: Limits = UNLIMITED
    quiet: bool = False


@dataclass(frozen=True, slots=True)
class AccessListHit:
    """A flow matched a line with `log`.

    Args:
        time: seconds since the epoch.
        access_list: the name of the access list.
        permitted: whether the line permits it.
        level: the severity of the message.
        protocol: IP protocol number.
        source: where it came from.
        destination: where it wanted to go; its mapped address is the one addressed.
        port: the port addressed, or the ICMP type.
        hits: how many of its packets did, in this interval.
        interval: length of the interval that has ended, in seconds; 0 at its first packet.
    """

    time: float
    access_list: str
    permitted: bool
    level: int
    protocol: int
    source: Endpoint
    destination: Endpoint
    port: int
    hits: int = 1
    interval: int = 0

    def again(self, time: float, hits: int, interval: int) -> AccessListHit:
        """The same flow at the end of an interval."""
        return replace(self, time=time, hits=hits, interval=interval)


@dataclass(frozen=True, slots=True)
class DeniedFlowsFull:
    """Of denied flows that lines with `log` have matched, no more can be remembered.

    Args:
        time: seconds since the epoch.
        most: how many are.
    """

    time: float
    most: int


@dataclass(frozen=True, slots=True)
class Inspected:
    """Inspection changed, refused or noticed something in a connection.

    Args:
        time: seconds since the epoch.
        kind: what happened.
        flow: the connection.
        direction: which way the bytes went.
        offset: of the first byte concerned in the stream that its sender sent, from 0.
        original: the bytes as they were sent (at most a line).
        rewritten: the same bytes as they were forwarded.
        detail: what a log line needs besides (an address, a reason).
        action: what an inspection map has done about it, None where none is asked.
    """

    time: float
    kind: Kind
    flow: Flow
    direction: Direction
    offset: int
    original: bytes = b""
    rewritten: bytes = b""
    detail: str = ""
    action: Action | None = None


@dataclass(frozen=True, slots=True)
class Fault:
    """The firewall itself failed at a packet; that connection is closed, all others go on.

    Args:
        time: seconds since the epoch.
        flow: the connection.
        packet: the packet, from its IPv4 header on; empty if it was a timer.
        trace: where in the program, several lines.
        state: the connection as the failure left it (`appliance.handover`), empty if it cannot be
            written down.
    """

    time: float
    flow: Flow
    packet: bytes
    trace: str
    state: bytes


Event: TypeAlias = (
    ConnectionBuilt
    | ConnectionClosed
    | PacketDenied
    | AccessListHit
    | DeniedFlowsFull
    | Inspected
    | Fault
)
Report: TypeAlias = Callable[[Event], None]
