"""What a configuration means for the first packet of a flow, as PIX 6.3 takes it.

The order is the device's: the interfaces, then the access list or conduits (which see addresses as
they are on the wire where the packet enters), then the translation, then the fixup by the port
that the server has after it. `appliance.live.netfilter` says the same to the kernel.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from ipaddress import IPv4Address

from appliance.admission import Admission, Logged, Opening
from appliance.config.model import Configuration, Interface, elementary
from appliance.errors import Place
from appliance.events import Denial, Endpoint
from appliance.limits import UNLIMITED
from appliance.policy.access_list import Rules
from appliance.policy.routing import Routing
from appliance.policy.translation import Translation, Translations
from appliance.protocol import ICMP, TCP, UDP
from appliance.smtp.release import Release

_NO_PERMIT = {
    TCP: Denial.NO_PERMIT,
    UDP: Denial.NO_PERMIT_UDP,
    ICMP: Denial.NO_PERMIT_ICMP,
}


class Phase(Enum):
    """A question that a packet must pass."""

    ROUTE = "route"
    ACCESS_LIST = "access-list"
    LEVELS = "security levels"
    CONDUIT = "conduit"
    TRANSLATION = "translation"
    FIXUP = "fixup"


@dataclass(frozen=True, slots=True)
class Step:
    """One question and its answer.

    Args:
        phase: the question.
        why: the answer, one sentence without a final stop.
        place: where the rule that decided stands, None where no single rule did.
        denial: why the packet may not pass; None if it passed this question.
        logged: the line of an access list that decided, if that has `log`.
    """

    phase: Phase
    why: str
    place: Place | None = None
    denial: Denial | None = None
    logged: Logged | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """What becomes of a flow, and why.

    Args:
        admission: what becomes of it.
        steps: the questions in their order, up to the one that denied it.
    """

    admission: Admission
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class _Path:
    """A packet as it enters, where it goes, and what translates its two addresses."""

    packet: Opening
    ingress: Interface | None
    egress: Interface | None
    source: Translation | None
    destination: Translation | None


class Policy:
    """A configuration, compiled to judge flows.

    Args:
        configuration: what the rule file says.
        release: what the mail that it inspects is inspected as.

    Raises:
        FindingsError: a static that cannot translate anything as written.
    """

    def __init__(self, configuration: Configuration, release: Release) -> None:
        self._release = release
        self._routing = Routing(configuration)
        self._translations = Translations(configuration, self._routing)
        lists = {each.name: each for each in configuration.access_lists}
        self._bound: dict[str, tuple[str, Place]] = {
            group.interface: (group.access_list, group.place)
            for group in configuration.access_groups
        }
        self._rules = {name: Rules(each.rules) for name, each in lists.items()}
        self._conduits = Rules(elementary(configuration.conduits))
        self._configuration = configuration

    def admit(self, opening: Opening) -> Admission:
        """Judge the first packet of a flow.

        Args:
            opening: the packet as it is on the wire where it enters. With no ingress given (a
                capture does not tell), the source tells the interface, and since nobody knows on
                which side the capture was taken, a source that a static made is taken for the
                real one, and a real destination that a static maps for the mapped one.
        """
        return self.decide(opening).admission

    def decide(self, opening: Opening) -> Decision:
        """Judge the first packet of a flow and tell every step, for a trace.

        Args:
            opening: as for `admit`.
        """
        decision = self._decide(opening)
        logged = next((step.logged for step in decision.steps if step.logged), None)
        return replace(decision, admission=replace(decision.admission, logged=logged))

    def _decide(self, opening: Opening) -> Decision:
        path = self._path(opening if opening.ingress else self._placed(opening))
        steps = [self._route(path)]
        ingress, egress = path.ingress, path.egress
        if ingress is None or egress is None or steps[-1].denial:
            return Decision(self._denied(path, steps[-1]), tuple(steps))
        for question in (self._permit, self._translate):
            steps.append(question(path, ingress, egress))
            if steps[-1].denial:
                return Decision(self._denied(path, steps[-1]), tuple(steps))
        admission = self._admitted(path, ingress, egress)
        if admission.inspection:
            why = f"port {admission.server.port} is inspected as release {self._release.name}"
            steps.append(Step(Phase.FIXUP, why))
        return Decision(admission, tuple(steps))

    def _placed(self, opening: Opening) -> Opening:
        """A captured packet as it would be on the wire where it enters the firewall."""
        protocol = opening.protocol
        source, source_port = opening.source, opening.source_port
        mapped = self._translations.standing_in(source)
        if mapped and mapped.takes_mapped(protocol, source, source_port):
            source, source_port = mapped.to_real(source, source_port)
        entered = self._routing.towards(source)
        if entered is None:
            return opening
        destination, port = opening.destination, opening.destination_port
        left = self._routing.towards(destination)
        if left and left.level > entered.level:
            # The return path of the source translation is the translation of the destination.
            real = self._translations.of_source(
                left.name, entered.name, protocol, destination, port
            )
            if real:
                destination, port = real.to_mapped(destination, port)
        return replace(
            opening,
            ingress=entered.name,
            source=source,
            source_port=source_port,
            destination=destination,
            destination_port=port,
        )

    def _path(self, packet: Opening) -> _Path:
        ingress = self._routing.interface(packet.ingress)
        if ingress is None:
            return _Path(packet, None, self._routing.towards(packet.destination), None, None)
        destination = self._translations.of_destination(
            ingress.name, packet.protocol, packet.destination, packet.destination_port
        )
        if destination:
            egress = self._routing.interface(destination.static.real_interface)
        else:
            egress = self._routing.towards(packet.destination)
        source = None
        if egress:
            source = self._translations.of_source(
                ingress.name, egress.name, packet.protocol, packet.source, packet.source_port
            )
        return _Path(packet, ingress, egress, source, destination)

    def _route(self, path: _Path) -> Step:
        if path.ingress is None:
            if path.packet.ingress:
                why = f"no interface {path.packet.ingress} is up"
            else:
                why = f"no interface leads to the source {path.packet.source}"
            return Step(Phase.ROUTE, why, denial=Denial.NO_ROUTE)
        address = path.packet.destination
        if path.destination is None and self._routing.ends_here(address):
            why = f"{address} is an address of the firewall itself, or of all hosts"
            return Step(Phase.ROUTE, why, denial=Denial.OWN_ADDRESS)
        if path.egress is None:
            why = f"no interface leads to {address}"
            return Step(Phase.ROUTE, why, denial=Denial.NO_ROUTE)
        return Step(Phase.ROUTE, f"from {path.ingress.name} to {path.egress.name}")

    def _permit(self, path: _Path, ingress: Interface, egress: Interface) -> Step:
        if ingress.name in self._bound:
            return self._access_list(path.packet, *self._bound[ingress.name])
        levels = f"{ingress.name} (security{ingress.level}) to {egress.name} ({egress.level})"
        if ingress.level > egress.level:
            return Step(Phase.LEVELS, f"{levels} passes without a rule")
        rule = self._conduits.first_match(path.packet)
        if rule and rule.permit:
            return Step(Phase.CONDUIT, "this conduit permits it", rule.place)
        if rule:
            why = "this conduit denies it"
        else:
            why = f"{levels} needs a conduit or an access list, and none permits it"
        denial = _NO_PERMIT.get(path.packet.protocol, Denial.NO_PERMIT_OTHER)
        return Step(Phase.CONDUIT, why, rule.place if rule else None, denial)

    def _access_list(self, packet: Opening, name: str, place: Place) -> Step:
        rule = self._rules[name].first_match(packet)
        if rule is None:
            why = f"no rule of {name} permits it"
            return Step(Phase.ACCESS_LIST, why, place, Denial.ACCESS_LIST)
        logged = None
        if rule.log:
            flow_log = self._configuration.flow_log
            logged = Logged(name, rule.permit, rule.log, flow_log)
        why = f"this rule of {name} {'permits' if rule.permit else 'denies'} it"
        denial = None if rule.permit else Denial.ACCESS_LIST
        return Step(Phase.ACCESS_LIST, why, rule.place, denial, logged)

    def _translate(self, path: _Path, ingress: Interface, egress: Interface) -> Step:
        if ingress.level == egress.level:
            why = f"nothing passes from {ingress.name} to {egress.name}: their levels are equal"
            return Step(Phase.TRANSLATION, why, denial=Denial.NO_TRANSLATION_INBOUND)
        address = path.packet.destination
        if path.destination is None:
            other = self._translations.standing_in(address)
            if other:
                why = f"{address} is a mapped address, and that of another interface"
                return Step(
                    Phase.TRANSLATION, why, other.static.place, Denial.NO_TRANSLATION_INBOUND
                )
            if ingress.level < egress.level:
                why = f"no static translates {address} for {ingress.name}"
                return Step(Phase.TRANSLATION, why, denial=Denial.NO_TRANSLATION_INBOUND)
        used = path.destination or path.source
        if used is None:
            why = f"no static translates {path.packet.source} from {ingress.name} to {egress.name}"
            return Step(Phase.TRANSLATION, why, denial=Denial.NO_TRANSLATION)
        return Step(Phase.TRANSLATION, "this static translates it", used.static.place)

    def _denied(self, path: _Path, step: Step) -> Admission:
        """Both ends as addressed: denial comes before translation."""
        packet, ingress, egress = path.packet, path.ingress, path.egress
        access_list = ""
        if step.denial is Denial.ACCESS_LIST and ingress:
            access_list, _ = self._bound[ingress.name]
        return Admission(
            client=_end(ingress.name if ingress else "", packet.source, packet.source_port),
            server=_end(egress.name if egress else "", packet.destination, packet.destination_port),
            inbound=bool(ingress and egress and ingress.level < egress.level),
            denial=step.denial,
            access_list=access_list,
        )

    def _admitted(self, path: _Path, ingress: Interface, egress: Interface) -> Admission:
        packet = path.packet
        client = _end(ingress.name, packet.source, packet.source_port)
        server = _end(egress.name, packet.destination, packet.destination_port)
        if path.source:
            mapped, port = path.source.to_mapped(packet.source, packet.source_port)
            client = replace(client, mapped=mapped, mapped_port=port)
        limits = UNLIMITED
        if path.destination:
            real, port = path.destination.to_real(packet.destination, packet.destination_port)
            server = replace(server, address=real, port=port)
            limits = path.destination.limits(packet.protocol, packet.destination)
        inspected = packet.protocol == TCP and self._configuration.inspects(
            server.address, server.port, (ingress.name, egress.name)
        )
        return Admission(
            client,
            server,
            inbound=ingress.level < egress.level,
            inspection=self._release if inspected else None,
            limits=limits,
        )


def _end(interface: str, address: IPv4Address, port: int) -> Endpoint:
    """An end that nothing translates."""
    return Endpoint(interface, address, port, address, port)
