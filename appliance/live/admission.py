"""What a worker knows of a new connection: the kernel has permitted it and chosen to inspect it."""

from __future__ import annotations

from dataclasses import replace

from appliance.admission import Admission, Opening
from appliance.config.model import Configuration
from appliance.events import Denial, Endpoint
from appliance.limits import UNLIMITED
from appliance.live import connmark
from appliance.policy.routing import Routing
from appliance.policy.translation import Translations
from appliance.protocol import UDP
from appliance.smtp.release import ANSWERS, Release


class LiveAdmission:
    """Names the ends of permitted connections, and how to inspect them.

    Args:
        configuration: what the rule file says.
        release: the release to inspect as.
        adopts: whether a connection may be taken up whose beginning was not seen.
        workers: how many share the connections, and with them the limits.

    Raises:
        FindingsError: the rule file has a translation that is none.
    """

    def __init__(
        self, configuration: Configuration, release: Release, adopts: bool, workers: int = 1
    ) -> None:
        self._release = release
        self._workers = workers
        self._adopts = adopts and release.blocked not in ANSWERS
        self._configuration = configuration
        self._levels = {each.name: each.level for each in configuration.interfaces}
        self._translations = Translations(configuration, Routing(configuration))

    def admit(self, opening: Opening, mark: int) -> Admission:
        """Take a connection's first packet as it passes FORWARD, where addresses are real ones.

        Args:
            opening: the packet.
            mark: the connection mark, which has the translation that the kernel applies, and
                whether it permits the connection; if not, it is one too many for its static.
        """
        level, other = (self._levels.get(each, 0) for each in (opening.ingress, opening.egress))
        inbound = level < other
        client = (opening.source, opening.source_port)
        server = (opening.destination, opening.destination_port)
        client_mapped, server_mapped = client, server
        inner = server if inbound else client
        translation = self._translations.numbered(connmark.translation(mark))
        # Checked, since a reload may have come between the kernel's decision and this.
        limits = UNLIMITED
        if translation and translation.takes_real(opening.protocol, *inner):
            mapped = translation.to_mapped(*inner)
            if inbound:
                server_mapped = mapped
                limits = translation.limits(opening.protocol, mapped[0])
            else:
                client_mapped = mapped
        denial = self._denial(opening, mark)
        return Admission(
            client=Endpoint(opening.ingress, *client, *client_mapped),
            server=Endpoint(opening.egress, *server, *server_mapped),
            inbound=inbound,
            inspection=self._release if denial is None else None,
            denial=denial,
            limits=replace(limits, sharers=self._workers),
        )

    def _denial(self, opening: Opening, mark: int) -> Denial | None:
        if not opening.begins:
            return None if self._may_adopt(opening, mark) else Denial.NO_CONNECTION
        if mark & connmark.PERMITTED:
            return None
        return Denial.TOO_MANY_UDP if opening.protocol == UDP else Denial.TOO_MANY

    def _may_adopt(self, opening: Opening, mark: int) -> bool:
        """Whether a packet can only be the client's of a connection whose numbers are its ends'."""
        return (
            self._adopts
            and not mark & connmark.ANSWERED
            and self._configuration.inspects(
                opening.destination, opening.destination_port, (opening.ingress, opening.egress)
            )
            and not self._configuration.inspects(opening.source, opening.source_port)
        )
