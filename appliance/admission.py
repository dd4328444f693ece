"""The question that a connection's first packet asks of the policy, and the answer.

Live, the kernel has answered before the packet is queued, and what is left to say is how to
inspect it; in replay `appliance.policy` answers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from typing import TypeAlias

from appliance.config.model import FlowLog, LineLog
from appliance.events import Denial, Endpoint, Flow
from appliance.limits import UNLIMITED, Limits
from appliance.smtp.esmtp_map import EsmtpMap
from appliance.smtp.release import Release
from appliance.tcp.timeouts import USUAL, Idle

Live: TypeAlias = Callable[[int, IPv4Address, IPv4Address], Iterable[Flow]]
"""The connections that live: of a protocol, from a client to a server by their real addresses."""


def no_flows(protocol: int, client: IPv4Address, server: IPv4Address) -> Iterable[Flow]:
    """What lives where a packet is judged alone."""
    return ()


@dataclass(frozen=True, slots=True)
class Opening:
    """The first packet of a flow.

    Args:
        protocol: IP protocol number.
        source: its source address.
        source_port: source port, 0 for a protocol without ports.
        destination: its destination address.
        destination_port: destination port, likewise.
        icmp_type: ICMP type, -1 for other protocols.
        ingress: name (nameif) of the interface it came in by, "" where unknown.
        egress: name of the interface it will leave by, "" where unknown.
        begins: whether it begins a flow; if not, the beginning was not seen.
        time: when it came, in seconds since 1970; None where that is not to be judged by, and
            then every time range includes it.
        live: the connections that live when it comes; none where a packet is judged alone.
    """

    protocol: int
    source: IPv4Address
    source_port: int
    destination: IPv4Address
    destination_port: int
    icmp_type: int = -1
    ingress: str = ""
    egress: str = ""
    begins: bool = True
    time: float | None = None
    live: Live = field(default=no_flows, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Logged:
    """The line with `log` that a packet matched in an access list.

    Args:
        access_list: the list's name.
        permitted: whether the line permits.
        line: its `log`.
        flows: how flows are kept.
    """

    access_list: str
    permitted: bool
    line: LineLog
    flows: FlowLog


@dataclass(frozen=True, slots=True)
class Admission:
    """What the policy says to a flow's first packet.

    Args:
        client: the sender's end, with interface and mapped address.
        server: the end addressed.
        inbound: whether it goes from a less to a more secure interface.
        inspection: the release to inspect its mail as; None to forward it unread.
        esmtp_map: the inspection map that its mail goes through, where the release has such; None
            for the default one.
        denial: why it may not pass; None when it may.
        access_list: the name of the access list that denied it, "" if none did.
        limits: on the connections to the server's mapped address, or on those of a `nat`.
        idle: how long the flow may be idle.
        logged: the lines with `log` that it matched in access lists, in that order.
    """

    client: Endpoint
    server: Endpoint
    inbound: bool
    inspection: Release | None = None
    denial: Denial | None = None
    access_list: str = ""
    limits: Limits = UNLIMITED
    idle: Idle = USUAL
    logged: tuple[Logged, ...] = ()
    esmtp_map: EsmtpMap | None = None


Admit: TypeAlias = Callable[[Opening], Admission]
