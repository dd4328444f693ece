"""What a configuration of 8.3 or later means for the first packet of a flow.

The order is the device's: the destination is translated, then the interfaces, then where the source
may be, then the access list of the interface and the global one (which see real addresses), then
the translation of the source, and whether the way back is the same, then the access list of the
interface that it leaves by (which sees real addresses, too), then the inspection by the real port.
`appliance.live.object_netfilter` says the same to the kernel.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from appliance.admission import Admission, Opening
from appliance.config.model import Configuration, Interface
from appliance.events import Denial, Endpoint
from appliance.policy.object_nat import ObjectTranslations
from appliance.policy.policy import Decision, Phase, Policy, Step, no_permit
from appliance.policy.ways import Way
from appliance.protocol import TCP
from appliance.smtp.release import Release

_EVERYWHERE = ""
"""The interface of the global access list."""


@dataclass(frozen=True, slots=True)
class _Passage:
    """A packet on its way.

    Args:
        packet: as it enters.
        real: the same, with the destination that it goes to.
        destination: what translates its destination.
        ingress: where it comes in, None if nowhere.
        egress: where it goes out, None if nowhere.
    """

    packet: Opening
    real: Opening
    destination: Way | None
    ingress: Interface | None
    egress: Interface | None

    @property
    def is_changed(self) -> bool:
        """Whether its destination becomes another."""
        return self.real != self.packet


class ObjectPolicy(Policy):
    """A configuration of 8.3 or later, compiled to judge flows.

    Args:
        configuration: what the rule file says.
        release: what the mail that it inspects is inspected as.

    Raises:
        FindingsError: a `nat` that cannot translate anything as written.
    """

    def __init__(self, configuration: Configuration, release: Release) -> None:
        super().__init__(configuration, release)
        self._ways = ObjectTranslations(configuration, self._routing)

    def _decide(self, opening: Opening) -> Decision:
        passage = self._passage(opening if opening.ingress else self._placed(opening))
        steps: list[Step] = []
        for step in self._questions(passage):
            steps.append(step)
            if step.denial:
                return Decision(self._refused(passage, step), tuple(steps))
        assert passage.ingress and passage.egress  # noqa: S101  or the route would be refused
        admission = self._let_through(passage, passage.ingress, passage.egress)
        if admission.inspection:
            why = f"port {admission.server.port} is inspected as release {self._release.name}"
            steps.append(Step(Phase.FIXUP, why))
        return Decision(admission, tuple(steps))

    def _questions(self, passage: _Passage) -> Iterator[Step]:
        ingress, egress = passage.ingress, passage.egress
        if passage.destination and ingress:
            yield self._untranslated(passage, passage.destination)
        yield self._routed(passage)
        if ingress is None or egress is None:
            return
        if step := self._came(passage, ingress, egress):
            yield step
        yield from self._permitted(passage, ingress, egress)
        yield from self._translated(passage, ingress, egress)
        if egress.name in self._bound_out:
            name, place = self._bound_out[egress.name]
            rule = self._rules[name].first_match(passage.real)
            yield self._listed(Phase.ACCESS_LIST_OUT, name, rule, place)

    def _passage(self, packet: Opening) -> _Passage:
        ingress = self._routing.interface(packet.ingress)
        real, way = packet, None
        if ingress:
            way = self._ways.of_destination(packet)
            if way:
                address, port = way.destination(packet)
                real = replace(packet, destination=address, destination_port=port)
        return _Passage(packet, real, way, ingress, self._routing.towards(real.destination))

    def _untranslated(self, passage: _Passage, way: Way) -> Step:
        real = passage.real
        leads = passage.egress.name if passage.egress else ""
        if leads not in ("", way.egress) and not self._routing.ends_here(real.destination):
            why = f"this leads to {way.egress}, and the route to {real.destination} to {leads}"
            return Step(Phase.UNTRANSLATION, why, way.place, Denial.NO_ROUTE)
        if passage.is_changed:
            return Step(Phase.UNTRANSLATION, "this translates its destination", way.place)
        return Step(Phase.UNTRANSLATION, "this leaves its destination as it is", way.place)

    def _routed(self, passage: _Passage) -> Step:
        address = passage.real.destination
        if passage.ingress is None:
            why = f"no interface leads to the source {passage.packet.source}"
            if passage.packet.ingress:
                why = f"no interface {passage.packet.ingress} is up"
            return Step(Phase.ROUTE, why, denial=Denial.NO_ROUTE)
        if self._routing.ends_here(address):
            why = f"{address} is an address of the firewall itself, or of all hosts"
            return Step(Phase.ROUTE, why, denial=Denial.OWN_ADDRESS)
        if passage.egress is None:
            why = f"no interface leads to {address}"
            return Step(Phase.ROUTE, why, denial=Denial.NO_ROUTE)
        return Step(Phase.ROUTE, f"from {passage.ingress.name} to {passage.egress.name}")

    def _came(self, passage: _Passage, ingress: Interface, egress: Interface) -> Step | None:
        source = passage.packet.source
        if ingress == egress and self._configuration.hairpins_pass:
            ours = self._ways.standing_in(source)
            if ours:
                why = f"{source} is a mapped address, and no host's"
                return Step(Phase.REVERSE_PATH, why, ours.place, Denial.REVERSE_PATH)
        return self._reverse_path(source, ingress)

    def _permitted(
        self, passage: _Passage, ingress: Interface, egress: Interface
    ) -> Iterator[Step]:
        """The access list of the interface, then the global one; the levels where there is none."""
        bound = [self._bound[name] for name in (ingress.name, _EVERYWHERE) if name in self._bound]
        for name, place in bound:
            rule = self._rules[name].first_match(passage.real)
            if rule or (name, place) == bound[-1]:
                yield self._listed(Phase.ACCESS_LIST, name, rule, place)
                return
        levels = f"{ingress.name} (security{ingress.level}) to {egress.name} ({egress.level})"
        if ingress.level < egress.level:
            why = f"{levels} needs an access list, and there is none"
            yield Step(Phase.LEVELS, why, denial=no_permit(passage.packet.protocol))
        else:
            yield Step(Phase.LEVELS, f"{levels} passes without a rule")

    def _translated(
        self, passage: _Passage, ingress: Interface, egress: Interface
    ) -> Iterator[Step]:
        if denied := self._refusal_of_equals(ingress, egress):
            yield denied
            return
        address = passage.real.destination
        if other := self._ways.standing_in(address):
            why = f"{address} is a mapped address, and not for this packet"
            yield Step(Phase.TRANSLATION, why, other.place, Denial.NO_TRANSLATION_INBOUND)
            return
        if denied := self._asymmetry(passage, egress):
            yield denied
            return
        way = self._ways.of_source(passage.packet, egress.name, passage.destination)
        if way is None:
            return
        packet = passage.packet
        if way.dynamic and not way.pools:
            why = f"{way.egress} has no address to translate to"
            yield Step(Phase.TRANSLATION, why, way.place, Denial.TRANSLATION_FAILED)
        elif way.dynamic and not way.pool(packet.protocol, packet.icmp_type):
            why = "hosts share these addresses by ports, and it has none"
            yield Step(Phase.TRANSLATION, why, way.place, Denial.TRANSLATION_FAILED)
        elif way.source(packet) == (packet.source, packet.source_port):
            yield Step(Phase.TRANSLATION, "this leaves its source as it is", way.place)
        else:
            yield Step(Phase.TRANSLATION, "this translates its source", way.place)

    def _asymmetry(self, passage: _Passage, egress: Interface) -> Step | None:
        """Whether another line would translate the way back than has translated the way here."""
        way = passage.destination
        if way and way.outward:
            return None
        back = self._ways.of_answers(passage.real, egress.name)
        if back is None or (way and way.rank == back.rank):
            return None
        address = passage.real.destination
        why = f"this translates {address} on the way back, and it was not addressed so"
        return Step(Phase.TRANSLATION, why, back.place, Denial.ASYMMETRIC)

    def _placed(self, opening: Opening) -> Opening:
        """A captured packet as it would be on the wire where it enters the firewall."""
        protocol = opening.protocol
        source, source_port = self._ways.real_of(opening.source, opening.source_port, protocol)
        entered = self._routing.towards(source)
        if entered is None:
            return opening
        destination = (opening.destination, opening.destination_port)
        left = self._routing.towards(opening.destination)
        if left and left.level > entered.level:
            destination = self._ways.mapped_of(*destination, protocol, entered.name, left.name)
        return replace(
            opening,
            ingress=entered.name,
            source=source,
            source_port=source_port,
            destination=destination[0],
            destination_port=destination[1],
        )

    def _refused(self, passage: _Passage, step: Step) -> Admission:
        """Both ends: the source as it came, the destination real, as messages name it from 8.3."""
        ingress, egress = passage.ingress, passage.egress
        return Admission(
            client=self._client(passage, ingress, None),
            server=self._server(passage, egress),
            inbound=bool(ingress and egress and ingress.level < egress.level),
            denial=step.denial,
            access_list=step.access_list,
        )

    def _let_through(self, passage: _Passage, ingress: Interface, egress: Interface) -> Admission:
        way = self._ways.of_source(passage.packet, egress.name, passage.destination)
        server = self._server(passage, egress)
        interfaces = (ingress.name, egress.name)
        inspected = passage.packet.protocol == TCP and self._configuration.inspects(
            server.address, server.port, interfaces
        )
        return Admission(
            self._client(passage, ingress, way),
            server,
            inbound=ingress.level < egress.level,
            inspection=self._release if inspected else None,
            idle=self._idle,
            esmtp_map=self._configuration.esmtp_map(server.port, interfaces),
        )

    def _client(self, passage: _Passage, ingress: Interface | None, way: Way | None) -> Endpoint:
        packet = passage.packet
        real = (packet.source, packet.source_port)
        mapped = way.source(packet) if way else real
        return Endpoint(ingress.name if ingress else "", *real, *mapped)

    def _server(self, passage: _Passage, egress: Interface | None) -> Endpoint:
        packet, real = passage.packet, passage.real
        return Endpoint(
            egress.name if egress else "",
            real.destination,
            real.destination_port,
            packet.destination,
            packet.destination_port,
        )
