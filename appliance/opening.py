"""The first packet of a flow, read from its bytes, and its denial."""

from __future__ import annotations

from ipaddress import IPv4Address
from struct import Struct

from appliance.admission import Admission, Live, Opening, no_flows
from appliance.events import Denial, Endpoint, PacketDenied
from appliance.packet.checksum import header_length
from appliance.packet.segment import ACK, FIN, RST, SYN, Segment
from appliance.protocol import ICMP, UDP

_PORTS = Struct("!HH")


def begins(segment: Segment) -> bool:
    """Whether a segment is the first of a connection.

    Args:
        segment: the segment.
    """
    return bool(segment.flags & (SYN | ACK | RST | FIN) == SYN)


def of_segment(
    segment: Segment, ingress: str, egress: str, now: float, live: Live = no_flows
) -> Opening:
    """A TCP segment as a flow's first packet; it may be none.

    Args:
        segment: the segment.
        ingress: name of the interface it came in by, "" where unknown.
        egress: name of the interface it will leave by, "" where unknown.
        now: its time in seconds.
        live: the connections that live.
    """
    return Opening(
        protocol=segment.packet[9],
        source=IPv4Address(segment.source),
        source_port=segment.source_port,
        destination=IPv4Address(segment.destination),
        destination_port=segment.destination_port,
        ingress=ingress,
        egress=egress,
        begins=begins(segment),
        time=now,
        live=live,
    )


def of_packet(
    packet: bytes, ingress: str, egress: str, now: float, live: Live = no_flows
) -> tuple[Opening, int] | None:
    """A packet of another protocol than TCP, with its ICMP type times 256 plus its code, or 0.

    Args:
        packet: the whole packet from its IPv4 header on.
        ingress: as for a segment.
        egress: likewise.
        now: likewise.
        live: likewise.

    Returns:
        None if it is too short to be one.
    """
    at = header_length(packet) if packet else 0
    transport = packet[at : at + 4]
    if at < 20 or len(transport) < 4:
        return None
    protocol = packet[9]
    source_port = destination_port = 0
    icmp_type, flags = -1, 0
    if protocol == UDP:
        source_port, destination_port = _PORTS.unpack(transport)
    elif protocol == ICMP:
        icmp_type, flags = transport[0], transport[0] << 8 | transport[1]
    opening = Opening(
        protocol=protocol,
        source=IPv4Address(packet[12:16]),
        source_port=source_port,
        destination=IPv4Address(packet[16:20]),
        destination_port=destination_port,
        icmp_type=icmp_type,
        ingress=ingress,
        egress=egress,
        time=now,
        live=live,
    )
    return opening, flags


def unknown(opening: Opening) -> Admission:
    """The answer to a TCP segment that belongs to no connection and begins none.

    Args:
        opening: the segment.
    """
    return Admission(
        client=_end(opening.ingress, opening.source, opening.source_port),
        server=_end(opening.egress, opening.destination, opening.destination_port),
        inbound=False,
        denial=Denial.NO_CONNECTION,
    )


def denied(
    opening: Opening, admission: Admission, denial: Denial, flags: int, now: float
) -> PacketDenied:
    """What is told of a packet that may not pass.

    Args:
        opening: the packet.
        admission: what the policy said of it.
        denial: why it may not.
        flags: its TCP flags byte, or ICMP type times 256 plus code.
        now: the time in seconds.
    """
    return PacketDenied(
        now,
        denial,
        opening.protocol,
        admission.client,
        admission.server,
        admission.access_list,
        flags,
        admission.limits,
        quiet=denial is Denial.ACCESS_LIST and any(not each.permitted for each in admission.logged),
    )


def _end(interface: str, address: IPv4Address, port: int) -> Endpoint:
    return Endpoint(interface, address, port, address, port)
