"""What a configuration means for the first packet of a flow, as versions before 8.3 take it.

The order is the device's: the interfaces, then where the source may be, then `established`, the
access list, conduits or outbound lists (which see addresses as they are on the wire where the
packet enters), then the translation, then the access list of the interface that it leaves by (which
sees them as they are there), then the fixup by the port that the server has after translation.
Connections that others open are judged like all, since nobody here reads FTP and its like.
`appliance.live.netfilter` says the same to the kernel.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from ipaddress import IPv4Address

from appliance.admission import Admission, Logged, Opening
from appliance.config.model import Configuration, Fixup, Interface, Outbound, Rule, elementary
from appliance.errors import Place
from appliance.events import Denial, Endpoint
from appliance.limits import UNLIMITED
from appliance.policy.access_list import Rules, matches
from appliance.policy.established import is_for, returning
from appliance.policy.idle import idle_times
from appliance.policy.outbound import denying
from appliance.policy.pool import Pool
from appliance.policy.routing import Routing
from appliance.policy.translation import (
    AnyTranslation,
    Dynamic,
    Translation,
    Translations,
    turned,
)
from appliance.protocol import ICMP, TCP, UDP
from appliance.smtp.release import Release

_NO_PERMIT = {
    TCP: Denial.NO_PERMIT,
    UDP: Denial.NO_PERMIT_UDP,
    ICMP: Denial.NO_PERMIT_ICMP,
}


def no_permit(protocol: int) -> Denial:
    """Why a packet may not pass that nothing permits, where no access list is asked.

    Args:
        protocol: IP protocol number.
    """
    return _NO_PERMIT.get(protocol, Denial.NO_PERMIT_OTHER)


class Phase(Enum):
    """A question that a packet must pass."""

    UNTRANSLATION = "untranslation"
    ROUTE = "route"
    REVERSE_PATH = "reverse path"
    ACCESS_LIST = "access-list"
    LEVELS = "security levels"
    CONDUIT = "conduit"
    ESTABLISHED = "established"
    OUTBOUND_LIST = "outbound list"
    TRANSLATION = "translation"
    ACCESS_LIST_OUT = "access-list out"
    FIXUP = "fixup"
    HELPER = "helper"


@dataclass(frozen=True, slots=True)
class Step:
    """One question and its answer.

    Args:
        phase: the question.
        why: the answer, one sentence without a final stop.
        place: where the rule that decided stands, None where no single rule did.
        denial: why the packet may not pass; None if it passed this question.
        access_list: the list that denied it, "" if none did.
        logged: the line of an access list that decided, if that has `log`.
    """

    phase: Phase
    why: str
    place: Place | None = None
    denial: Denial | None = None
    access_list: str = ""
    logged: Logged | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """What becomes of a flow, and why.

    Args:
        admission: what becomes of it.
        steps: the questions in their order, up to the one that denied it.
        helped: what has a helper of the kernel read it, None for nothing.
    """

    admission: Admission
    steps: tuple[Step, ...]
    helped: Fixup | None = None


@dataclass(frozen=True, slots=True)
class _Path:
    """A packet as it enters, where it goes, and what translates its two addresses."""

    packet: Opening
    ingress: Interface | None
    egress: Interface | None
    source: AnyTranslation | None
    destination: AnyTranslation | None

    @property
    def real_destination(self) -> IPv4Address:
        """The real address that it goes to."""
        if isinstance(self.destination, Translation):
            packet = self.packet
            return self.destination.to_real(packet.destination, packet.destination_port)[0]
        return self.packet.destination


class Policy:
    """A configuration of a version before 8.3, compiled to judge flows.

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
        self._lists = lists
        self._rules = {name: Rules(each.rules) for name, each in lists.items()}
        self._bound, self._bound_out = (
            {
                group.interface: (group.access_list, group.place)
                for group in configuration.access_groups
                if group.out == out
            }
            for out in (False, True)
        )
        self._outbounds: tuple[tuple[str, int, bool, tuple[Outbound, ...]], ...] = tuple(
            (
                each.interface,
                each.number,
                each.by_destination,
                tuple(line for line in configuration.outbounds if line.number == each.number),
            )
            for each in configuration.applied
        )
        self._established = tuple((each, returning(each)) for each in configuration.established)
        self._idle = idle_times(configuration)
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
        decision = self._read(opening, self._decide(opening))
        logged = tuple(step.logged for step in decision.steps if step.logged)
        return replace(decision, admission=replace(decision.admission, logged=logged))

    def _read(self, opening: Opening, decision: Decision) -> Decision:
        """A decision, with what has a helper of the kernel read the connection."""
        admission = decision.admission
        ends = (admission.client.interface, admission.server.interface)
        helped = self._configuration.helped(opening.protocol, admission.server.port, ends)
        if helped is None or admission.denial:
            return decision
        why = f"live, the connections that {helped.helped.words} opens pass"
        if helped.place is None:
            why += "; it is on from the start"
        steps = (*decision.steps, Step(Phase.HELPER, why, helped.place))
        return replace(decision, steps=steps, helped=helped)

    def _decide(self, opening: Opening) -> Decision:
        path = self._path(opening if opening.ingress else self._placed(opening))
        steps = [self._route(path)]
        ingress, egress = path.ingress, path.egress
        if ingress is None or egress is None or steps[-1].denial:
            return Decision(self._denied(path, steps[-1]), tuple(steps))
        for question in (self._come, self._permit, self._translate, self._leave):
            step = question(path, ingress, egress)
            steps += [step] if step else []
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
            back = replace(
                opening,
                ingress=left.name,
                source=destination,
                source_port=port,
                destination=source,
                destination_port=source_port,
            )
            real = self._translations.of_source(back, entered.name)
            if isinstance(real, Translation):
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
        packet = replace(packet, ingress=ingress.name)
        destination: AnyTranslation | None = self._translations.static_of(packet)
        if isinstance(destination, Translation):
            egress = self._routing.interface(destination.static.real_interface)
        else:
            egress = self._routing.towards(packet.destination)
            if egress:
                destination = self._translations.exempting(packet, egress)
        source = self._translations.of_source(packet, egress.name) if egress else None
        return _Path(packet, ingress, egress, source, destination)

    def _route(self, path: _Path) -> Step:
        if path.ingress is None:
            if path.packet.ingress:
                why = f"no interface {path.packet.ingress} is up"
            else:
                why = f"no interface leads to the source {path.packet.source}"
            return Step(Phase.ROUTE, why, denial=Denial.NO_ROUTE)
        address = path.real_destination
        if self._routing.ends_here(address):
            why = f"{address} is an address of the firewall itself, or of all hosts"
            return Step(Phase.ROUTE, why, denial=Denial.OWN_ADDRESS)
        if path.egress is None:
            why = f"no interface leads to {address}"
            return Step(Phase.ROUTE, why, denial=Denial.NO_ROUTE)
        return Step(Phase.ROUTE, f"from {path.ingress.name} to {path.egress.name}")

    def _come(self, path: _Path, ingress: Interface, egress: Interface) -> Step | None:
        """Whether the source may be where it came in (`ip verify reverse-path`).

        What leaves as it came must never have an address that the firewall answers for: it could
        pose as the other end of a connection.
        """
        source = path.packet.source
        if ingress == egress and self._configuration.hairpins_pass:
            ours = self._translations.standing_in(source) or self._translations.pooled(source)
            if ours:
                why = f"{source} is a mapped address, and no host's"
                return Step(Phase.REVERSE_PATH, why, ours.place, Denial.REVERSE_PATH)
        return self._reverse_path(source, ingress)

    def _reverse_path(self, source: IPv4Address, ingress: Interface) -> Step | None:
        if ingress.name not in self._configuration.verified:
            return None
        leads = self._routing.towards(source)
        if leads == ingress:
            return Step(Phase.REVERSE_PATH, f"{source} is behind {ingress.name}")
        why = f"{source} is behind {leads.name if leads else 'no interface'}, not {ingress.name}"
        return Step(Phase.REVERSE_PATH, why, denial=Denial.REVERSE_PATH)

    def _permit(self, path: _Path, ingress: Interface, egress: Interface) -> Step:
        if returned := self._returns(path, ingress, egress):
            return returned
        if ingress.name in self._bound:
            return self._access_list(path.packet, *self._bound[ingress.name])
        levels = f"{ingress.name} (security{ingress.level}) to {egress.name} ({egress.level})"
        if ingress.level > egress.level:
            if denied := self._outbound(path.packet, ingress):
                return denied
            return Step(Phase.LEVELS, f"{levels} passes without a rule")
        refused = self._refusal_of_equals(ingress, egress)
        if ingress.level == egress.level and not refused:
            return Step(Phase.LEVELS, f"{levels} needs no rule")
        rule = self._conduits.first_match(path.packet)
        if rule and rule.permit:
            return Step(Phase.CONDUIT, "this conduit permits it", rule.place)
        if rule:
            why = "this conduit denies it"
        elif refused:
            why = refused.why
        else:
            why = f"{levels} needs a conduit or an access list, and none permits it"
        denial = no_permit(path.packet.protocol)
        return Step(Phase.CONDUIT, why, rule.place if rule else None, denial)

    def _returns(self, path: _Path, ingress: Interface, egress: Interface) -> Step | None:
        """Whether the host that it goes to has a connection to its source."""
        if ingress.level >= egress.level:
            return None
        packet = path.packet
        for line, rule in self._established:
            if not matches(rule, packet):
                continue
            for flow in packet.live(line.protocol, path.real_destination, packet.source):
                sides = flow.client.interface, flow.server.interface
                if sides == (egress.name, ingress.name) and is_for(line, flow):
                    why = f"{path.real_destination} has a connection to {packet.source}"
                    return Step(Phase.ESTABLISHED, why, line.place)
        return None

    def _outbound(self, packet: Opening, ingress: Interface) -> Step | None:
        for interface, number, by_destination, lines in self._outbounds:
            if interface == ingress.name and (rule := denying(lines, by_destination, packet)):
                why = f"this line of outbound list {number} denies it"
                denial = Denial.OUTBOUND_LIST
                return Step(Phase.OUTBOUND_LIST, why, rule.place, denial, str(number))
        return None

    def _access_list(self, packet: Opening, name: str, place: Place) -> Step:
        return self._listed(Phase.ACCESS_LIST, name, self._rules[name].first_match(packet), place)

    def _listed(self, phase: Phase, name: str, rule: Rule | None, place: Place) -> Step:
        """What the line of an access list says that speaks of a packet first, if one does."""
        if rule is None:
            why = f"no rule of {name} permits it"
            return Step(phase, why, place, Denial.ACCESS_LIST, name)
        logged = None
        if rule.log:
            logged = Logged(name, rule.permit, rule.log, self._configuration.flow_log)
        why = f"this rule of {name} {'permits' if rule.permit else 'denies'} it"
        if rule.permit:
            return Step(phase, why, rule.place, logged=logged)
        return Step(phase, why, rule.place, Denial.ACCESS_LIST, name, logged)

    def _leave(self, path: _Path, ingress: Interface, egress: Interface) -> Step | None:
        """The access list of what leaves, which sees what the network there would see."""
        if egress.name not in self._bound_out:
            return None
        name, place = self._bound_out[egress.name]
        packet, pool = self._forwarded(path, egress)
        rules = self._lists[name].rules
        rule = next((each for each in rules if _speaks_of(each, packet, pool)), None)
        return self._listed(Phase.ACCESS_LIST_OUT, name, rule, place)

    def _forwarded(self, path: _Path, egress: Interface) -> tuple[Opening, Pool | None]:
        """A packet as it leaves, and the pool that its source is of."""
        packet, pool = path.packet, None
        if isinstance(path.destination, Translation):
            real, port = path.destination.to_real(packet.destination, packet.destination_port)
            packet = replace(packet, destination=real, destination_port=port)
        if isinstance(path.source, Translation):
            mapped, port = path.source.to_mapped(packet.source, packet.source_port)
            packet = replace(packet, source=mapped, source_port=port)
        elif isinstance(path.source, Dynamic):
            pool = path.source.pool(egress.name, packet.protocol, packet.icmp_type)
        return packet, pool

    def _translate(self, path: _Path, ingress: Interface, egress: Interface) -> Step:
        if denied := self._refusal_of_equals(ingress, egress):
            return denied
        if denied := self._refusal_of_destination(path, ingress, egress):
            return denied
        source, packet = path.source, path.packet
        way = f"from {ingress.name} to {egress.name}"
        if isinstance(source, Dynamic) and not source.keeps:
            number = source.nat.number
            if not source.pools_on(egress.name):
                why = f"{egress.name} has no global {number} for {packet.source} of this nat"
                return Step(Phase.TRANSLATION, why, source.place, Denial.NO_TRANSLATION)
            if not source.pool(egress.name, packet.protocol, packet.icmp_type):
                why = f"hosts share the addresses of global {number} by ports, and it has none"
                return Step(Phase.TRANSLATION, why, source.place, Denial.TRANSLATION_FAILED)
        if source is None and ingress.level > egress.level and self._configuration.nat_control:
            why = f"no static and no nat translates {packet.source} {way}"
            return Step(Phase.TRANSLATION, why, denial=Denial.NO_TRANSLATION)
        used = path.destination or source
        if used is None:
            return Step(Phase.TRANSLATION, f"nothing translates it {way}, and nothing has to")
        if isinstance(used, Translation):
            return Step(Phase.TRANSLATION, f"this {used.command} translates it", used.place)
        why = (
            "this nat leaves its addresses as they are" if used.keeps else "this nat translates it"
        )
        return Step(Phase.TRANSLATION, why, used.place)

    def _refusal_of_equals(self, ingress: Interface, egress: Interface) -> Step | None:
        if ingress == egress and not self._configuration.hairpins_pass:
            why = f"nothing leaves by {ingress.name} that came in by it"
        elif (
            ingress != egress
            and ingress.level == egress.level
            and not self._configuration.equals_pass
        ):
            why = f"nothing passes from {ingress.name} to {egress.name}: their levels are equal"
        else:
            return None
        return Step(Phase.TRANSLATION, why, denial=Denial.NO_TRANSLATION_INBOUND)

    def _refusal_of_destination(
        self, path: _Path, ingress: Interface, egress: Interface
    ) -> Step | None:
        address, denial = path.real_destination, Denial.NO_TRANSLATION_INBOUND
        other = self._translations.standing_in(address)
        if other:
            why = f"{address} is a mapped address, and not for this packet"
            return Step(Phase.TRANSLATION, why, other.place, denial)
        pooled = self._translations.pooled(address)
        if pooled:
            why = f"{address} is of a global, and nothing inside has it now"
            return Step(Phase.TRANSLATION, why, pooled.place, denial)
        if path.destination is not None or ingress.level >= egress.level:
            return None
        if self._configuration.nat_control:
            why = f"no static translates {address} for {ingress.name}"
            return Step(Phase.TRANSLATION, why, denial=denial)
        back = self._translations.of_source(turned(path.packet, egress.name), ingress.name)
        if back is None or back.keeps:
            return None
        why = f"this translates {address} on the way back, and it was not addressed so"
        return Step(Phase.TRANSLATION, why, back.place, Denial.NO_TRANSLATION)

    def _denied(self, path: _Path, step: Step) -> Admission:
        """Both ends as addressed: denial comes before translation."""
        packet, ingress, egress = path.packet, path.ingress, path.egress
        return Admission(
            client=_end(ingress.name if ingress else "", packet.source, packet.source_port),
            server=_end(egress.name if egress else "", packet.destination, packet.destination_port),
            inbound=bool(ingress and egress and ingress.level < egress.level),
            denial=step.denial,
            access_list=step.access_list,
        )

    def _admitted(self, path: _Path, ingress: Interface, egress: Interface) -> Admission:
        packet = path.packet
        client = _end(ingress.name, packet.source, packet.source_port)
        server = _end(egress.name, packet.destination, packet.destination_port)
        limits = UNLIMITED
        if isinstance(path.source, Translation):
            mapped, port = path.source.to_mapped(packet.source, packet.source_port)
            client = replace(client, mapped=mapped, mapped_port=port)
        elif path.source:
            pool = path.source.pool(egress.name, packet.protocol, packet.icmp_type)
            client = replace(client, mapped=pool.address(packet.source) if pool else packet.source)
            limits = path.source.limits(packet.protocol)
        if isinstance(path.destination, Translation):
            real, port = path.destination.to_real(packet.destination, packet.destination_port)
            server = replace(server, address=real, port=port)
            limits = path.destination.limits(packet.protocol, packet.destination) or limits
        interfaces = (ingress.name, egress.name)
        inspected = packet.protocol == TCP and self._configuration.inspects(
            server.address, server.port, interfaces
        )
        return Admission(
            client,
            server,
            inbound=ingress.level < egress.level,
            inspection=self._release if inspected else None,
            limits=limits,
            idle=self._idle,
            esmtp_map=self._configuration.esmtp_map(server.port, interfaces),
        )


def _speaks_of(rule: Rule, packet: Opening, pool: Pool | None) -> bool:
    """Whether a rule speaks of a packet whose source becomes one of a pool, which one is open.

    A rule that permits must do so whichever it becomes, and one that denies may meet it.
    """
    if pool is None:
        return matches(rule, packet)
    network = rule.source
    if not (pool.is_within(network) if rule.permit else pool.meets(network)):
        return False
    return matches(rule, replace(packet, source=network.network_address))


def _end(interface: str, address: IPv4Address, port: int) -> Endpoint:
    """An end that nothing translates."""
    return Endpoint(interface, address, port, address, port)
