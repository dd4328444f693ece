"""What a worker knows of a new connection: the kernel has permitted it and chosen to inspect it."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address
from typing import TypeGuard

from appliance.admission import Admission, Opening
from appliance.config.language import OBJECTS
from appliance.config.model import Configuration
from appliance.events import Denial, Endpoint
from appliance.limits import UNLIMITED, Limits
from appliance.live import connmark
from appliance.policy.idle import idle_times
from appliance.policy.object_nat import ObjectTranslations
from appliance.policy.routing import Routing
from appliance.policy.translation import AnyTranslation, Translation, Translations
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
        self._idle = idle_times(configuration)
        self._adopts = adopts and release.blocked not in ANSWERS
        self._configuration = configuration
        self._levels = {each.name: each.level for each in configuration.interfaces}
        self._unlimited = replace(UNLIMITED, sharers=workers)
        routing = Routing(configuration)
        self._translations = Translations(configuration, routing)
        self._ways: ObjectTranslations | None = None
        if configuration.language >= OBJECTS:
            self._ways = ObjectTranslations(configuration, routing)

    def admit(self, opening: Opening, mark: int) -> Admission:
        """Take a connection's first packet as it passes FORWARD, where addresses are real ones.

        Args:
            opening: the packet.
            mark: the connection mark, which has the translation that the kernel applies, and
                whether it permits the connection; if not, it is one too many for its static.
        """
        level, other = (self._levels.get(each, 0) for each in (opening.ingress, opening.egress))
        inbound = level < other
        denial = self._denial(opening, mark)
        inspection = self._release if denial is None else None
        esmtp_map = self._configuration.esmtp_map(
            opening.destination_port, (opening.ingress, opening.egress)
        )
        if self._ways:
            return Admission(
                *self._ways.ends(opening, connmark.translation(mark)),
                inbound,
                inspection,
                denial,
                limits=self._unlimited,
                idle=self._idle,
                esmtp_map=esmtp_map,
            )
        client = (opening.source, opening.source_port)
        server = server_mapped = (opening.destination, opening.destination_port)
        translation = self._translations.numbered(connmark.translation(mark))
        limits = UNLIMITED
        source = translation
        if self._translates_destination(translation, opening):
            server_mapped = translation.to_mapped(*server)
            limits = translation.limits(opening.protocol, server_mapped[0])
            source = self._source(opening, server_mapped)
        elif not isinstance(translation, Translation) and mark & connmark.PERMITTED:
            source = self._source(opening, server)
        client_mapped, of_source = self._client(source, opening)
        limits = limits or of_source
        return Admission(
            client=Endpoint(opening.ingress, *client, *client_mapped),
            server=Endpoint(opening.egress, *server, *server_mapped),
            inbound=inbound,
            inspection=inspection,
            denial=denial,
            limits=replace(limits, sharers=self._workers) if limits else self._unlimited,
            idle=self._idle,
            esmtp_map=esmtp_map,
        )

    def _translates_destination(
        self, translation: AnyTranslation | None, opening: Opening
    ) -> TypeGuard[Translation]:
        """Whether a translation is that of the destination.

        A reload may have come between the kernel's decision and this, so all is looked at.
        """
        return (
            isinstance(translation, Translation)
            and translation.static.mapped_interface == opening.ingress
            and translation.takes_real(
                opening.protocol, opening.destination, opening.destination_port
            )
        )

    def _source(
        self, opening: Opening, addressed: tuple[IPv4Address, int]
    ) -> AnyTranslation | None:
        """The translation of the source, which the mark does not tell of if it tells of another."""
        if opening.ingress not in self._levels or opening.egress not in self._levels:
            return None
        address, port = addressed
        packet = replace(opening, destination=address, destination_port=port)
        return self._translations.of_source(packet, opening.egress)

    def _client(
        self, source: AnyTranslation | None, opening: Opening
    ) -> tuple[tuple[IPv4Address, int], Limits]:
        """The client's mapped address and port, and the limits on what its `nat` translates."""
        client, protocol = (opening.source, opening.source_port), opening.protocol
        if isinstance(source, Translation):
            fits = source.static.real_interface == opening.ingress and source.takes_real(
                protocol, *client
            )
            return (source.to_mapped(*client) if fits else client), UNLIMITED
        if source is None:
            return client, UNLIMITED
        pool = source.pool(opening.egress, protocol, opening.icmp_type)
        if pool:
            client = (pool.address(opening.source), opening.source_port)
        return client, source.limits(protocol)

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
