"""The policy of a replay without a rule file: everything passes, mail is inspected."""

from __future__ import annotations

from appliance.admission import Admission, Opening
from appliance.events import Endpoint
from appliance.protocol import TCP
from appliance.smtp.release import Release

SMTP_PORT = 25


class OpenPolicy:
    """Permits everything, and inspects what is addressed to port 25.

    Whoever opens a connection counts as outside, as if all mail were coming in.

    Args:
        release: what the mail is inspected as.
    """

    def __init__(self, release: Release) -> None:
        self._release = release

    def admit(self, opening: Opening) -> Admission:
        """Judge the first packet of a flow.

        Args:
            opening: the packet.
        """
        source, destination = opening.source, opening.destination
        source_port, port = opening.source_port, opening.destination_port
        mail = opening.protocol == TCP and port == SMTP_PORT
        return Admission(
            client=Endpoint("outside", source, source_port, source, source_port),
            server=Endpoint("inside", destination, port, destination, port),
            inbound=True,
            inspection=self._release if mail else None,
        )
