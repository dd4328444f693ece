"""A configuration as netfilter rules, in chains of our own.

`compilation` picks the compiler; `appliance.live.iptables` hands its result to the kernel. What
the chains are for, and in which order tables change: docs/netfilter.md.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass, replace

from appliance.box import Box
from appliance.config.helpers import Helped
from appliance.config.model import (
    ANY,
    Action,
    Configuration,
    Interface,
    Rule,
    elementary,
)
from appliance.errors import PixguardError
from appliance.live import connmark
from appliance.live.helpers import EXPECTED, Helpers
from appliance.live.matching import (
    ANY_TYPE,
    NO_SOURCE,
    PERMITTED,
    comment,
    match_address,
    match_answers,
    match_inbound,
    match_outbound,
    matches,
    matches_leaving,
)
from appliance.live.returns import compile_returns
from appliance.live.table import Chain, Table
from appliance.policy.outbound import exceptions, ranked
from appliance.policy.pool import ECHO
from appliance.policy.routing import Routing
from appliance.policy.translation import AnyTranslation, Dynamic, Translation, Translations
from appliance.protocol import ICMP, SMTP, TCP, UDP
from appliance.smtp.release import ANSWERS

_DROP = "-j DROP"
_DENIED = "PIXGUARD-DENIED"
DENY = f"-j {_DENIED}"
CLOSED = Chain("PIXGUARD-NEW", (_DROP,))
"""No connection may begin."""
# TCP segments of no connection are INVALID, and so are those whose checksum is wrong.
_INVALID = Chain("PIXGUARD-INVALID", (f"-p {TCP} {DENY}", f"-p {ICMP} {DENY}", _DROP))
_COPY_MARK = f"-j CONNMARK --restore-mark --nfmask {connmark.ALL:#x} --ctmask {connmark.ALL:#x}"
_UNMARK = f"-j MARK --set-xmark 0x0/{connmark.ALL:#x}"
_LOGGED = f"{connmark.PERMITTED:#x}/{connmark.PERMITTED:#x}"
MARKED = f"-m mark --mark {_LOGGED}"
UNTRANSLATED = f"-m connmark --mark 0x0/{connmark.TRANSLATION:#x}"
_REFUSALS_TOLD = 50
"""A second: of connections beyond the limits of a static, as many are told of."""
DENIALS_TOLD = 500
"""A second, of each interface: of as many denied packets the first worker is told."""
FORGET = f"-j MARK --set-xmark 0x0/{connmark.PERMITTED | connmark.TRANSLATION:#x}"
SAVE_NUMBER = (
    f"-j CONNMARK --save-mark --nfmask {connmark.TRANSLATION:#x} --ctmask {connmark.TRANSLATION:#x}"
)
_NO_RETURN = f"-m mark ! --mark {connmark.RETURNS:#x}/{connmark.RETURNS:#x}"
HAIRPIN_MARK = f"-j CONNMARK --set-xmark {connmark.HAIRPIN:#x}/{connmark.HAIRPIN:#x}"
_HAIRPIN = f"-m connmark --mark {connmark.HAIRPIN:#x}/{connmark.HAIRPIN:#x}"
WITHOUT_PORTS = Chain(
    "PIXGUARD-PORTS",
    (
        f"-p {TCP} -j RETURN",
        f"-p {UDP} -j RETURN",
        f"-p {ICMP} -m icmp --icmp-type {ECHO} -j RETURN",
        DENY,
    ),
)
"""What cannot share an address by ports is denied."""


@dataclass(frozen=True, slots=True)
class Rules:
    """All rules that a configuration becomes.

    Args:
        filter: judges, marks and queues.
        nat: translates.
        raw: gives connections the helpers that read them.
        filter6: keeps IPv6 from passing between the interfaces.
        returns: knows which hosts have connections to which, see `appliance.live.returns`.
    """

    filter: Table
    nat: Table
    raw: Table
    filter6: Table
    returns: str

    def closed(self) -> Table:
        """The filter table, but new connections are dropped."""
        chains = tuple(
            CLOSED if chain.name == CLOSED.name else chain for chain in self.filter.chains
        )
        return replace(self.filter, chains=chains)


class Compiler:
    """Compiles a configuration of a version before 8.3, and what all versions share.

    An interface that the box file leaves out, or that is shut down, takes no part.

    Args:
        configuration: what the rule file says.
        box: which Linux interfaces and queues there are.
        missing: what the kernel has no helper for.

    Raises:
        PixguardError: the box file names an interface that the rule file does not.
        FindingsError: a static cannot translate anything as written.
    """

    def __init__(self, configuration: Configuration, box: Box, missing: Container[Helped]) -> None:
        self._configuration = configuration
        self._box = box
        routing = Routing(configuration)
        named = {each.name for each in configuration.interfaces}
        for name, _ in box.interfaces:
            if name not in named:
                raise PixguardError(
                    f"the box file has an interface {name!r}; "
                    f"the rule file names {', '.join(sorted(named)) or 'none'}"
                )
        self._interfaces: tuple[tuple[Interface, str], ...] = tuple(
            (interface, linux)
            for name, linux in box.interfaces
            if (interface := routing.interface(name))
        )
        self._linux = {interface.name: linux for interface, linux in self._interfaces}
        self._routing = routing
        self._translations = Translations(configuration, routing)
        self._statics = self._translations.between(self._linux)
        self._helpers = Helpers(
            [each for each in configuration.fixups if each.helped not in missing],
            self._linux,
            {each.name: each.address for each in configuration.interfaces if each.address},
            self._statics,
        )
        lists = {each.name: each.rules for each in configuration.access_lists}
        self._bound, self._bound_out = (
            {
                group.interface: lists[group.access_list]
                for group in configuration.access_groups
                if group.out == out
            }
            for out in (False, True)
        )
        bound = (*self._bound.values(), *self._bound_out.values())
        self._logs = any(_is_marked(rule) for rules in bound for rule in rules)

    def rules(self) -> Rules:
        """All rules."""
        returns = compile_returns(self._configuration, self._interfaces)
        return Rules(self._filter(), self._nat(), self._helpers.raw(), self._filter6(), returns)

    def _filter(self) -> Table:
        chains = [*self._entrance("-j PIXGUARD-STATE", DENY), self._state(), self._new()]
        for interface, linux in self._interfaces:
            chains += self._access_lists(interface, linux)
            if interface.name in self._bound_out:
                chains.append(self._leaving(interface, linux))
            if interface.name in self._configuration.verified:
                chains.append(self._path(interface, linux))
            chains.append(self._ingress(interface, linux))
        # The access list of a `nat` serves all that it is for.
        passages = [each for pair in self._pairs() for each in self._passage(*pair)]
        chains += {each.name: each for each in passages}.values()
        chains += [self._nat_list(nat) for nat in self._nats() if nat.rules is not None]
        chains += self._outbounds()
        chains += self._icmp()
        chains += [
            WITHOUT_PORTS,
            _list("PIXGUARD-CONDUITS", elementary(self._configuration.conduits)),
            *([EXPECTED] if self._helpers.expected() else []),
            self._permit(),
            self._worker(),
            self._queue(),
            self._refused(),
            _INVALID,
            self._copied(_DENIED, 0, _DROP),
            self._copied("PIXGUARD-LOGGED", connmark.PERMITTED, _UNMARK),
            self._copy(),
            Chain(
                "PIXGUARD-OWN",
                (
                    f"-m mark --mark {connmark.OWN_PACKET:#x}/{connmark.ALL:#x} -j ACCEPT",
                    *self._no_redirects(),
                ),
            ),
        ]
        jumps = [("FORWARD", "PIXGUARD"), ("OUTPUT", "PIXGUARD-OWN")]
        if self._judged_by_icmp():
            jumps.append(("INPUT", "PIXGUARD-ICMP"))
        return Table("filter", tuple(jumps), tuple(chains))

    def _access_lists(self, interface: Interface, linux: str) -> Iterator[Chain]:
        """The access list of what comes in by an interface, if there is one."""
        if interface.name in self._bound:
            yield _list(f"PIXGUARD-ACL-{linux}", self._bound[interface.name])

    def _no_redirects(self) -> list[str]:
        """Where packets leave as they came, Linux would tell hosts of the shorter way."""
        if not self._configuration.hairpins_pass:
            return []
        return [
            f"-o {linux} -p {ICMP} -m icmp --icmp-type 5 -j DROP" for linux in self._linux.values()
        ]

    def _entrance(self, target: str, back: str = _DROP) -> tuple[Chain, Chain]:
        """Sends what goes from one of our interfaces to another of them to a target.

        What would leave by the interface it came in by goes to the target `back`.
        """
        # What leaves by the interface that it came in by could pose as the other end of a
        # connection there: only those that began so go on so, and they go on no other way.
        from_each = []
        for x in self._linux.values():
            if target != _DROP:
                from_each.append(f"-i {x} -o {x} {_HAIRPIN} {target}")
                if self._configuration.hairpins_pass:
                    from_each.append(f"-i {x} -o {x} -m conntrack --ctstate NEW {target}")
            from_each.append(f"-i {x} -o {x} {back}")
            if target != _DROP:
                from_each.append(f"-i {x} {_HAIRPIN} -j DROP")
            from_each.append(f"-i {x} -j PIXGUARD-FROM")
        return (
            Chain("PIXGUARD", tuple(from_each)),
            Chain("PIXGUARD-FROM", tuple(f"-o {x} {target}" for x in self._linux.values())),
        )

    def _state(self) -> Chain:
        inspected = connmark.INSPECTED | connmark.PERMITTED
        answered = inspected | connmark.ANSWERED
        return Chain(
            "PIXGUARD-STATE",
            (
                f"-m conntrack --ctstate INVALID -j {_INVALID.name}",
                # Errors quote segments as they were forwarded; there, numbers may be others.
                f"-p icmp -m conntrack --ctstate RELATED -m connmark "
                f"--mark {answered:#x}/{answered:#x} -j PIXGUARD-QUEUE",
                f"-p icmp -m conntrack --ctstate RELATED {PERMITTED} -j ACCEPT",
                *self._helpers.expected(),
                # No other RELATED: a helper's new connection inherits the mark of its master.
                f"-m conntrack ! --ctstate NEW,ESTABLISHED {DENY}",
                f"-m connmark --mark {inspected:#x}/{inspected:#x} -j PIXGUARD-QUEUE",
                f"{PERMITTED} -j ACCEPT",
                f"-m conntrack --ctstate NEW -j {CLOSED.name}",
                DENY,
            ),
        )

    def _new(self) -> Chain:
        # Here the destination is a real address, and these are nobody's.
        rules = [f"{match} {DENY}" for match in self._stand_ins("-d", "--dst-range")]
        rules += [f"-i {linux} -j PIXGUARD-IN-{linux}" for linux in self._linux.values()]
        return Chain(CLOSED.name, (*rules, DENY))

    def _stand_ins(self, one: str, several: str) -> list[str]:
        """Matches the addresses that the firewall answers to for others.

        Args:
            one: the option of an address or network.
            several: that of a range.
        """
        return [
            *(f"{one} {each.mapped}" for each in self._statics if each.stands_in),
            *(
                f"-m iprange {several} {pool.first}-{pool.last}"
                for each, pool in self._translations.stand_ins
                if each.interface in self._linux
            ),
        ]

    def _ingress(self, interface: Interface, linux: str) -> Chain:
        """Judges the first packet of a connection that begins behind an interface."""
        name, bound = interface.name, interface.name in self._bound
        rules = [FORGET]
        if name in self._configuration.verified:
            rules.append(f"-j PIXGUARD-PATH{self._index(name)}")
        unless = f"{_NO_RETURN} " if self._may_return(interface) else ""
        rules += [f"{unless}-j PIXGUARD-ACL-{linux}"] if bound else []
        for other, other_linux in self._interfaces:
            if other.level == interface.level and not self._equals_pass(interface, other):
                rules.append(f"-o {other_linux} {DENY}")
            elif other.level > interface.level and not bound:
                rules.append(f"-o {other_linux} {unless}-j PIXGUARD-CONDUITS")
            elif other.level < interface.level and not bound:
                rules += [
                    f"-o {other_linux} -j {_outbound_chain(each.number, each.by_destination)}"
                    for each in self._configuration.applied
                    if each.interface == name
                ]
        # The first translation that fits is taken, so later ones look whether there is one.
        for each in self._statics:
            if each.static.mapped_interface == name:
                matched = f"-o {self._linux[each.static.real_interface]} {match_inbound(each)}"
                rules.append(
                    f"{matched} {UNTRANSLATED} {comment(each.place.line)} -j {_mark(each)}"
                )
        rules.append(f"-m conntrack --ctstate DNAT {UNTRANSLATED} {DENY}")
        rules += [
            f"-o {self._linux[egress]} -j {passage_chain(self._index(name), self._index(egress))}"
            for ingress, egress in self._pairs()
            if ingress == name
        ]
        rules.append(f"{UNTRANSLATED} {SAVE_NUMBER}")
        for each in self._statics:
            if each.static.mapped_interface == name:
                rules += _limits(each)
        rules += [
            f"-p {TCP} -m mark --mark {nat.number:#x}/{connmark.TRANSLATION:#x} -m connlimit "
            f"--connlimit-above {nat.nat.max_connections} --connlimit-mask 0 --connlimit-saddr "
            f"{comment(nat.place.line)} -j PIXGUARD-REFUSED"
            for nat in self._nats()
            if nat.nat.interface == name and nat.nat.max_connections
        ]
        # What is denied is copied as such, and of one packet there is one copy.
        if self._logs:
            rules.append(f"{MARKED} -j PIXGUARD-LOGGED")
        return Chain(f"PIXGUARD-IN-{linux}", (*rules, "-j PIXGUARD-PERMIT", DENY))

    def _may_return(self, interface: Interface) -> bool:
        """Whether what comes in by an interface may come back to a host, by `established`."""
        return bool(self._configuration.established) and any(
            other.level > interface.level for other, _ in self._interfaces
        )

    def _index(self, name: str) -> int:
        return list(self._linux).index(name) + 1

    def _equals_pass(self, one: Interface, other: Interface) -> bool:
        if one == other:
            return self._configuration.hairpins_pass
        return self._configuration.equals_pass

    def _pairs(self) -> Iterator[tuple[str, str]]:
        """The interfaces from which and to which something may pass."""
        for one, _ in self._interfaces:
            for other, _ in self._interfaces:
                if one.level != other.level or self._equals_pass(one, other):
                    yield one.name, other.name

    def _nats(self) -> tuple[Dynamic, ...]:
        return tuple(each for each in self._translations.nats if each.nat.interface in self._linux)

    def _sources(self, ingress: str, egress: str) -> list[AnyTranslation]:
        """What may translate the source of what goes from one interface to another, in order."""
        between = self._translations
        return [
            *between.nats_between(ingress, egress, exempt=True),
            *between.statics_between(ingress, egress),
            *between.nats_between(ingress, egress, exempt=False),
        ]

    def _passage(self, ingress: str, egress: str) -> list[Chain]:
        """Finds the translation of the source of what goes from one interface to another, and
        drops what lacks one that it needs; then the access list of what leaves."""
        levels = [self._routing.interface(name) for name in (ingress, egress)]
        one, other = (each.level if each else 0 for each in levels)
        nat_control = self._configuration.nat_control
        pair = (self._index(ingress), self._index(egress))
        rules: list[str] = []
        more: list[Chain] = []
        if ingress == egress:
            # What has such a source could pose as the other end of a connection.
            rules += [f"{match} {DENY}" for match in self._stand_ins("-s", "--src-range")]
        # `nat 0 access-list` lets the other side begin, too.
        for each in self._translations.nats_between(egress, ingress, exempt=True):
            rules.append(
                f"-m conntrack ! --ctstate DNAT {UNTRANSLATED} -j PIXGUARD-BACK-{each.number}"
            )
            more.append(_reversed_list(each, _mark(each)))
        if one < other and nat_control:
            rules.append(f"{UNTRANSLATED} {DENY}")
        elif one < other:
            back = self._back(ingress, egress)
            rules.append(f"{UNTRANSLATED} -j {back[0].name}")
            more += back
        for source in self._sources(ingress, egress):
            rules += self._source(source, egress)
        if one > other and nat_control:
            rules.append(f"{NO_SOURCE} {DENY}")
        # An exemption leaves nothing to be done to the destination, so its number makes room.
        for each in self._translations.nats_between(egress, ingress, exempt=True):
            exempted = f"-m connmark --mark {each.number:#x}/{connmark.TRANSLATION:#x}"
            rules.append(f"{exempted} -m mark ! --mark 0x0/{connmark.TRANSLATION:#x} {SAVE_NUMBER}")
        if egress in self._bound_out:
            rules.append(f"-j PIXGUARD-OUT-{self._linux[egress]}")
        if ingress == egress:
            rules.append(HAIRPIN_MARK)
        return [Chain(passage_chain(*pair), tuple(rules)), *more]

    def _source(self, source: AnyTranslation, egress: str) -> list[str]:
        """Marks packets with the translation of their source."""
        number = f"{source.number:#x}/{connmark.TRANSLATION:#x}"
        line = comment(source.place.line)
        if isinstance(source, Translation):
            return [f"{match_outbound(source)} {NO_SOURCE} {line} -j MARK --set-xmark {number}"]
        if source.rules is not None:
            rules = [f"{NO_SOURCE} {line} -j PIXGUARD-NAT-{source.number}"]
        else:
            matched = match_address("-s", source.nat.network or ANY)
            rules = [f"{matched} {NO_SOURCE} {line} -j MARK --set-xmark {number}".strip()]
        if not source.keeps:
            pools = source.pools_on(egress)
            if not pools:
                rules.append(f"-m mark --mark {number} {line} {DENY}")
            elif pools[0].shared:
                rules.append(f"-m mark --mark {number} {line} -j {WITHOUT_PORTS.name}")
        return rules

    def _nat_list(self, nat: Dynamic) -> Chain:
        """The access list of a `nat`: what it permits is marked."""
        mark = f"MARK --set-xmark {nat.number:#x}/{connmark.TRANSLATION:#x}"
        return Chain(
            f"PIXGUARD-NAT-{nat.number}",
            tuple(
                f"{match} {NO_SOURCE} -j {mark if listed.permit else 'RETURN'}".strip()
                for listed in nat.rules or ()
                for match in matches(listed)
            ),
        )

    def _back(self, ingress: str, egress: str) -> list[Chain]:
        """Drops what is addressed to a real address that is translated on the way back."""
        name = f"PIXGUARD-REAL-{self._index(ingress)}-{self._index(egress)}"
        rules, more = [], []
        for source in self._sources(egress, ingress):
            if isinstance(source, Translation):
                rules.append(f"{match_answers(source)} {DENY}")
            elif source.exempts:
                continue  # what it exempts has been marked
            elif source.rules is not None:
                rules.append(f"-j PIXGUARD-BACK-{source.number}")
                more.append(_reversed_list(source, _DENIED))
            else:
                matched = match_address("-d", source.nat.network or ANY)
                rules.append(f"{matched} -j {'RETURN' if source.keeps else _DENIED}".strip())
        return [Chain(name, tuple(rules)), *more]

    def _leaving(self, interface: Interface, linux: str) -> Chain:
        """The access list of what leaves, which sees addresses as the network there does."""
        sources: dict[int, AnyTranslation] = {}
        for other, _ in self._interfaces:
            for source in self._sources(other.name, interface.name):
                sources[source.number] = source
        rules = [
            line
            for rule in self._bound_out[interface.name]
            for match in matches_leaving(rule, sources.values(), interface.name)
            for line in listed(rule, match, marked=self._logs)
        ]
        return Chain(f"PIXGUARD-OUT-{linux}", (*rules, DENY))

    def _path(self, interface: Interface, linux: str) -> Chain:
        """Drops what comes from where no route of the interface leads."""
        rules = []
        for network, leads in self._routing.entries():
            target = "RETURN" if leads == interface else _DENIED
            rules.append(f"{match_address('-s', network)} -j {target}".strip())
        return Chain(f"PIXGUARD-PATH{self._index(interface.name)}", (*rules, DENY))

    def _outbounds(self) -> Iterator[Chain]:
        """The outbound lists that are applied: what they permit returns."""
        applied = dict.fromkeys(
            (each.number, each.by_destination) for each in self._configuration.applied
        )
        for number, by_destination in applied:
            lines = [each for each in self._configuration.outbounds if each.number == number]
            name = _outbound_chain(number, by_destination)
            excepted = any(each.action is Action.EXCEPT for each in lines)
            rules = []
            for rule in ranked(lines, by_destination):
                usual = "RETURN" if rule.permit else _DENIED
                target = f"-j {usual}"
                if excepted:
                    target = f"-g {name}{'R' if rule.permit else 'D'}"
                rules += [
                    f"{match} {comment(rule.place.line)} {target}".strip()
                    for match in matches(rule)
                ]
            yield Chain(name, tuple(rules))
            if excepted:
                for letter, usual, other in (("R", "RETURN", _DENIED), ("D", _DENIED, "RETURN")):
                    turned = [
                        f"{match} {comment(rule.place.line)} -j {other}".strip()
                        for rule in exceptions(lines, by_destination)
                        for match in matches(rule)
                    ]
                    yield Chain(f"{name}{letter}", (*turned, f"-j {usual}"))

    def _judged_by_icmp(self) -> list[str]:
        """The interfaces that say which ICMP to themselves they let in."""
        return [
            name
            for name in self._linux
            if any(rule.interface == name for rule in self._configuration.icmp_rules)
        ]

    def _icmp(self) -> Iterator[Chain]:
        """ICMP to the firewall itself; what is not judged here returns to INPUT."""
        judged = self._judged_by_icmp()
        if not judged:
            return
        rules = []
        for name in judged:
            way = f"-i {self._linux[name]} -p {ICMP}"
            for rule in self._configuration.icmp_rules:
                if rule.interface == name:
                    kind = "" if rule.icmp_type is None else f"-m icmp --icmp-type {rule.icmp_type}"
                    if rule.icmp_type == ANY_TYPE:
                        continue
                    parts = (way, match_address("-s", rule.source), kind, comment(rule.place.line))
                    target = "RETURN" if rule.permit else "DROP"
                    rules.append(f"{' '.join(part for part in parts if part)} -j {target}")
            rules.append(f"{way} -j DROP")
        yield Chain("PIXGUARD-ICMP", tuple(rules))

    def _permit(self) -> Chain:
        # The port is the real one: here, as on the device, translation of the destination is done.
        inspected = tuple(
            f"-p tcp -m tcp --dport {low}:{high} -j PIXGUARD-WORKER"
            for low, high in self._configuration.smtp_ports
        )
        inspected += tuple(
            f"-p tcp -d {host} -m tcp --dport {SMTP} -j PIXGUARD-WORKER"
            for host in self._configuration.mail_hosts
        )
        inspected += tuple(
            f"{option} {self._linux[each.interface]} -p tcp -m tcp --dport {low}:{high} "
            f"-j PIXGUARD-WORKER"
            for each in self._configuration.inspections
            if each.interface in self._linux
            for option in ("-i", "-o")
            for low, high in each.ports
        )
        mark = f"-j CONNMARK --set-xmark {connmark.PERMITTED:#x}/{connmark.PERMITTED:#x}"
        return Chain("PIXGUARD-PERMIT", (mark, *inspected, "-j ACCEPT"))

    def _worker(self) -> Chain:
        """Deals new connections out to the workers in turn."""
        mask = connmark.INSPECTED | connmark.WORKER
        rules = []
        release = self._box.inspect_as(self._configuration.version)
        answered = connmark.ANSWERED if release.blocked in ANSWERS else 0
        mask |= answered
        for worker in range(self._box.workers):
            undealt = f"-m connmark --mark 0x0/{connmark.INSPECTED:#x}"
            if left := self._box.workers - worker - 1:
                undealt += f" -m statistic --mode nth --every {left + 1} --packet 0"
            mark = connmark.INSPECTED | answered | connmark.of_worker(worker)
            rules.append(f"{undealt} -j CONNMARK --set-xmark {mark:#x}/{mask:#x}")
        return Chain("PIXGUARD-WORKER", (*rules, "-j PIXGUARD-QUEUE"))

    def _queue(self) -> Chain:
        """Queues to the connection's worker; if it is gone, packets pass only where asked for."""
        bypass = " --queue-bypass" if self._box.fail_open else ""
        rules = [
            f"-m connmark --mark {connmark.of_worker(worker):#x}/{connmark.WORKER:#x} "
            f"-j NFQUEUE --queue-num {self._box.queue + worker}{bypass}"
            for worker in range(self._box.workers)
        ]
        return Chain("PIXGUARD-QUEUE", (_COPY_MARK, *rules, _DROP))

    def _refused(self) -> Chain:
        """Has the first worker tell of what is dropped here; its mark lacks the permission."""
        told = f"-m limit --limit {_REFUSALS_TOLD}/second --limit-burst {_REFUSALS_TOLD}"
        queue = f"-j NFQUEUE --queue-num {self._box.queue}"
        logged = f"{MARKED} -j PIXGUARD-LOGGED"
        return Chain("PIXGUARD-REFUSED", (logged, _COPY_MARK, f"{told} {queue}", _DROP))

    def _copied(self, name: str, mark: int, *rest: str) -> Chain:
        """Has the first worker tell of a packet, but for floods: each interface has its own."""
        told = f"-m limit --limit {DENIALS_TOLD}/second --limit-burst {DENIALS_TOLD}"
        marked = f"-j MARK --set-xmark {mark:#x}/{connmark.ALL:#x}"
        copies = (f"-i {x} {told} -j PIXGUARD-COPY" for x in self._linux.values())
        return Chain(name, (marked, *copies, *rest))

    def _copy(self) -> Chain:
        """Copies a packet; its mark tells what has translated its destination."""
        copy = f"-j NFLOG --nflog-group {self._box.queue}"
        return Chain("PIXGUARD-COPY", (*self._destination_marks(), copy))

    def _destination_marks(self) -> Iterator[str]:
        untold = f"-m mark --mark 0x0/{connmark.TRANSLATION:#x}"
        for each in self._statics:
            yield (
                f"-i {self._linux[each.static.mapped_interface]} {match_inbound(each)} {untold} "
                f"-j MARK --set-xmark {each.number:#x}/{connmark.TRANSLATION:#x}"
            )

    def _nat(self) -> Table:
        # No rule tells its line here: a line that only moves must not change this table.
        inbound, outbound = [], []
        for each in self._statics:
            static = each.static
            port = f" -p {static.protocol}" if static.protocol else ""
            mapped_port = f"{port} --dport {static.mapped_port}" if port else ""
            peers = match_address("-s", each.peers)
            inbound.append(
                f"-i {self._linux[static.mapped_interface]} {peers}{' ' if peers else ''}"
                f"-d {each.mapped}{mapped_port} -j {_targets(each)[0]}"
            )
            alone = ""
            if static.mapped_interface == static.real_interface:
                alone = "-m conntrack ! --ctstate DNAT "  # the mark may tell of the destination
            outbound.append(
                f"-o {self._linux[static.mapped_interface]} {match_outbound(each)} {alone}"
                f"{_permitted_by(each)} -j {_targets(each)[1]}"
            )
        for nat in self._nats():
            outbound += [
                f"-o {self._linux[egress]} {_permitted_by(nat)} -j {_from_pool(nat, egress)}"
                for egress, _ in nat.pools
                if egress in self._linux and not nat.keeps
            ]
        more: dict[str, Chain] = {}
        for ingress, egress in self._pairs():
            sources = self._sources(ingress, egress)
            # The mark of what has both its addresses translated tells of the destination alone.
            both = list(self._translations.statics_between(egress, ingress))
            if not sources or not both:
                continue
            name = f"PIXGUARD-BOTH-{self._index(ingress)}-{self._index(egress)}"
            # Where a translation of the source bears the number, too, it has been applied above.
            outbound += [
                f"-o {self._linux[egress]} {_permitted_by(each)} -j {name}" for each in both
            ]
            more |= {chain.name: chain for chain in self._sources_again(name, sources, egress)}
        return self._nat_table(inbound, outbound, more.values())

    def _nat_table(
        self, inbound: Iterable[str], outbound: Iterable[str], more: Iterable[Chain]
    ) -> Table:
        # What we permitted keeps the addresses that we gave it, whatever rules others put after.
        chains = (
            Chain("PIXGUARD-DNAT", tuple(inbound)),
            Chain("PIXGUARD-SNAT", (*outbound, f"{PERMITTED} -j ACCEPT")),
            *more,
        )
        jumps = (("PREROUTING", "PIXGUARD-DNAT"), ("POSTROUTING", "PIXGUARD-SNAT"))
        return Table("nat", jumps, chains)

    def _sources_again(
        self, name: str, sources: list[AnyTranslation], egress: str
    ) -> Iterator[Chain]:
        """Translates the source by what fits first, as the filter table has judged it."""
        rules = []
        for source in sources:
            if isinstance(source, Translation):
                rules.append(f"{match_outbound(source)} -j {_targets(source)[1]}")
                continue
            if not source.keeps and not source.pools_on(egress):
                continue  # what it takes has been dropped
            target = "ACCEPT" if source.keeps else _from_pool(source, egress)
            if source.rules is None:
                matched = match_address("-s", source.nat.network or ANY)
                rules.append(f"{matched} -j {target}".strip())
                continue
            listed = f"PIXGUARD-NAT-{source.number}-{self._index(egress)}"
            rules.append(f"-j {listed}")
            yield Chain(
                listed,
                tuple(
                    f"{match} -j {target if rule.permit else 'RETURN'}".strip()
                    for rule in source.rules
                    for match in matches(rule)
                ),
            )
        yield Chain(name, tuple(rules))

    def _filter6(self) -> Table:
        return Table("filter", (("FORWARD", "PIXGUARD"),), self._entrance(_DROP))


def passage_chain(ingress: int, egress: int) -> str:
    """The name of the chain of what goes from one interface to another, by their numbers."""
    return f"PIXGUARD-{ingress}-{egress}"


def _outbound_chain(number: int, by_destination: bool) -> str:
    return f"PIXGUARD-OB-{number}{'D' if by_destination else 'S'}"


def _mark(translation: AnyTranslation) -> str:
    return f"CONNMARK --set-xmark {translation.number:#x}/{connmark.TRANSLATION:#x}"


def _permitted_by(translation: AnyTranslation) -> str:
    """Matches connections that were permitted and bear the number of a translation."""
    mark = connmark.PERMITTED | translation.number
    return f"-m connmark --mark {mark:#x}/{connmark.PERMITTED | connmark.TRANSLATION:#x}"


def _from_pool(nat: Dynamic, egress: str) -> str:
    """The target that translates a source to an address of a `global`."""
    pool = nat.pools_on(egress)[0]
    if pool.first == pool.last:
        return f"SNAT --to-source {pool.first}"
    return f"SNAT --to-source {pool.first}-{pool.last} --persistent"


def _reversed_list(nat: Dynamic, target: str) -> Chain:
    """The access list of a `nat` for packets the other way: what it permits meets a target."""
    rules = []
    for rule in nat.rules or ():
        turned = replace(
            rule,
            source=rule.destination,
            source_ports=rule.destination_ports,
            destination=rule.source,
            destination_ports=rule.source_ports,
        )
        rules += [
            f"{match} {UNTRANSLATED} -j {target if rule.permit else 'RETURN'}".strip()
            for match in matches(turned)
        ]
    return Chain(f"PIXGUARD-BACK-{nat.number}", tuple(rules))


def _limits(translation: Translation) -> list[str]:
    """Refuses connections beyond the limits, to each address by itself."""
    static = translation.static
    mark = f"-m connmark --mark {translation.number:#x}/{connmark.TRANSLATION:#x}"
    return [
        f"-p {protocol} {mark} -m connlimit --connlimit-above {most} --connlimit-mask 32 "
        f"--connlimit-daddr {comment(translation.place.line)} -j PIXGUARD-REFUSED"
        for protocol, most in ((TCP, static.max_connections), (UDP, static.udp_connections))
        if most
    ]


def _targets(translation: Translation) -> tuple[str, str]:
    """The targets that translate a destination and a source."""
    real, mapped = translation.real, translation.mapped
    if real.prefixlen != 32:
        return f"NETMAP --to {real}", f"NETMAP --to {mapped}"
    to_real, to_mapped = f"{real.network_address}", f"{mapped.network_address}"
    if translation.static.protocol:
        to_real += f":{translation.real_port}"
        to_mapped += f":{translation.static.mapped_port}"
    return f"DNAT --to-destination {to_real}", f"SNAT --to-source {to_mapped}"


def _list(name: str, rules: tuple[Rule, ...]) -> Chain:
    """An access list or the conduits: what is permitted returns, marked if that is logged."""
    made = [line for rule in rules for match in matches(rule) for line in listed(rule, match)]
    return Chain(name, (*made, DENY))


def listed(rule: Rule, match: str, marked: bool = False) -> Iterator[str]:
    """What becomes of a packet that a line of an access list matches.

    Args:
        rule: the line.
        match: what it matches.
        marked: whether a list before this one may have marked the packet.
    """
    line = f"{match} {comment(rule.place.line)}"
    if rule.permit:
        if _is_marked(rule):
            yield f"{match} -j MARK --set-xmark {_LOGGED}"
        yield f"{line} -j RETURN"
    elif rule.log and rule.log.disabled:
        if marked:
            yield f"{line} {MARKED} {DENY}"
        yield f"{line} {_DROP}"
    else:
        yield f"{line} {DENY}"


def _is_marked(rule: Rule) -> bool:
    """Whether packets that a rule permits are to be told of."""
    return rule.permit and rule.log is not None and not rule.log.disabled
