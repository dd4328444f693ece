"""What `established` lets come back, and which connections it does so for."""

from __future__ import annotations

from appliance.config.model import ANY, Established, Operator, Ports, PortsOf, Rule
from appliance.events import Flow


def returning(line: Established) -> Rule:
    """A line as the rule that permits what comes back.

    Args:
        line: the line.
    """
    given = line.permit_to or line.permit_from
    to, come_from = _ports(line.permit_to), _ports(line.permit_from)
    protocol = given.protocol if given else None
    return Rule(True, protocol, ANY, come_from, ANY, to, None, line.place)


def is_for(line: Established, flow: Flow) -> bool:
    """Whether a line speaks of a connection of its protocol.

    Args:
        line: the line.
        flow: the connection.
    """
    return line.destination_port in (0, flow.server.port) and line.source_port in (
        0,
        flow.client.port,
    )


def _ports(ports: PortsOf | None) -> Ports | None:
    if ports is None or not ports.high:
        return None
    operator = Operator.EQ if ports.low == ports.high else Operator.RANGE
    return Ports(operator, ports.low, ports.high)
