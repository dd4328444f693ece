"""What a worker knows of a new connection: the kernel has permitted it and chosen to inspect it."""

from __future__ import annotations

from appliance.admission import Admission, Opening
from appliance.config.model import Configuration
from appliance.events import Endpoint
from appliance.policy.routing import Routing
from appliance.policy.translation import Translations
from appliance.protocol import TCP
from appliance.smtp.release import Release


class LiveAdmission:
    """Names the ends of permitted connections, and how to inspect them.

    Args:
        configuration: what the rule file says.
        release: the release to inspect as.

    Raises:
        FindingsError: the rule file has a translation that is none.
    """

    def __init__(self, configuration: Configuration, release: Release) -> None:
        self._release = release
        self._levels = {each.name: each.level for each in configuration.interfaces}
        self._translations = Translations(configuration, Routing(configuration))

    def admit(self, opening: Opening, number: int) -> Admission:
        """Take a connection's first packet as it passes FORWARD, where addresses are real ones.

        Args:
            opening: the packet.
            number: of the translation that the kernel applies (Translation.number), 0 for none.
        """
        level, other = (self._levels.get(each, 0) for each in (opening.ingress, opening.egress))
        inbound = level < other
        client = (opening.source, opening.source_port)
        server = (opening.destination, opening.destination_port)
        client_mapped, server_mapped = client, server
        inner = server if inbound else client
        translation = self._translations.numbered(number)
        # Checked, since a reload may have come between the kernel's decision and this.
        if translation and translation.takes_real(TCP, *inner):
            mapped = translation.to_mapped(*inner)
            if inbound:
                server_mapped = mapped
            else:
                client_mapped = mapped
        return Admission(
            client=Endpoint(opening.ingress, *client, *client_mapped),
            server=Endpoint(opening.egress, *server, *server_mapped),
            inbound=inbound,
            inspection=self._release,
        )
