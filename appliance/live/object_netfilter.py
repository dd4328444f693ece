"""A configuration of 8.3 or later as netfilter rules.

Access lists see real addresses, which are those of FORWARD; its ways translate (`policy.ways`).
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator
from itertools import groupby, product

from appliance.box import Box
from appliance.config.helpers import Helped
from appliance.config.model import Configuration, Interface, Ports, Rule
from appliance.live import connmark
from appliance.live.matching import (
    NO_SOURCE,
    comment,
    match_address,
    matches,
    port_module,
    ports_in,
)
from appliance.live.netfilter import (
    DENY,
    FORGET,
    HAIRPIN_MARK,
    MARKED,
    SAVE_NUMBER,
    UNTRANSLATED,
    WITHOUT_PORTS,
    Compiler,
    listed,
    passage_chain,
)
from appliance.live.table import Chain, Table
from appliance.policy.object_nat import ObjectTranslations
from appliance.policy.ways import Block, PortChange, Way, changed_port

_GLOBAL = "PIXGUARD-GLOBAL"
_ADDRESSED, _ADDRESSED_PORT = "-m conntrack --ctorigdst", "-m conntrack --ctorigdstport"


class ObjectCompiler(Compiler):
    """Compiles a configuration of 8.3 or later.

    Args:
        configuration: what the rule file says.
        box: which Linux interfaces and queues there are.
        missing: what the kernel has no helper for.

    Raises:
        PixguardError: the box file names an interface that the rule file does not.
        FindingsError: a `nat` cannot translate anything as written.
    """

    def __init__(self, configuration: Configuration, box: Box, missing: Container[Helped]) -> None:
        super().__init__(configuration, box, missing)
        self._ways = ObjectTranslations(configuration, self._routing)
        self._is_global = "" in self._bound

    def _stand_ins(self, one: str, several: str) -> list[str]:
        return [
            f"-m iprange {several} {each.first}-{each.last}"
            for each in self._ways.stand_ins
            if each.interface in self._linux
        ]

    def _between(self, ingress: str, egress: str) -> tuple[Way, ...]:
        return self._ways.between(ingress, egress)

    def _entering(self, ingress: str) -> list[Way]:
        return [each for each in self._ways.entering(ingress) if each.egress in self._linux]

    def _access_lists(self, interface: Interface, linux: str) -> Iterator[Chain]:
        if interface.name in self._bound:
            end = f"-g {_GLOBAL}" if self._is_global else DENY
            yield _list(f"PIXGUARD-ACL-{linux}", self._bound[interface.name], end)
        if self._is_global and self._interfaces[0][0] == interface:
            yield _list(_GLOBAL, self._bound[""], DENY)

    def _ingress(self, interface: Interface, linux: str) -> Chain:
        name = interface.name
        rules = [FORGET]
        rules += self._destinations(name)
        if name in self._configuration.verified:
            rules.append(f"-j PIXGUARD-PATH{self._index(name)}")
        if name in self._bound:
            rules.append(f"-j PIXGUARD-ACL-{linux}")
        elif self._is_global:
            rules.append(f"-j {_GLOBAL}")
        bound = self._is_global or name in self._bound
        for other, other_linux in self._interfaces:
            refused = other.level == interface.level and not self._equals_pass(interface, other)
            if refused or (other.level > interface.level and not bound):
                rules.append(f"-o {other_linux} {DENY}")
        rules += [
            f"-o {self._linux[egress]} -j {passage_chain(self._index(name), self._index(egress))}"
            for ingress, egress in self._pairs()
            if ingress == name
        ]
        rules.append(f"{UNTRANSLATED} {SAVE_NUMBER}")
        # What is denied is copied as such, and of one packet there is one copy.
        if self._logs:
            rules.append(f"{MARKED} -j PIXGUARD-LOGGED")
        return Chain(f"PIXGUARD-IN-{linux}", (*rules, "-j PIXGUARD-PERMIT", DENY))

    def _destinations(self, ingress: str) -> Iterator[str]:
        """Marks connections with the way that has translated their destination.

        The first line that fits has been applied, so later ones look whether there was one; what
        it has changed must leave by the interface that it leads to.
        """
        for _, line in groupby(self._entering(ingress), key=lambda way: way.rank):
            elsewhere: dict[str, None] = {}
            for way in line:
                told = f"{UNTRANSLATED} {comment(way.place.line)}"
                for match, keeps in _arrived(way):
                    yield (
                        f"-o {self._linux[way.egress]} {match} {told} "
                        f"-j CONNMARK --set-xmark {_number(way.number)}"
                    )
                    if not keeps:
                        elsewhere[f"{match} {told} {DENY}"] = None
            yield from elsewhere

    def _passage(self, ingress: str, egress: str) -> list[Chain]:
        """Drops what comes back another way, and finds the translation of the source."""
        rules: list[str] = []
        if ingress == egress:
            # What has such a source could pose as the other end of a connection.
            rules += [f"{match} {DENY}" for match in self._stand_ins("-s", "--src-range")]
        back = self._back_chain(ingress, egress)
        if back.rules:
            rules.append(f"-j {back.name}")
        for way in self._between(ingress, egress):
            rules += [
                f"{match} {NO_SOURCE} {comment(way.place.line)} "
                f"-j MARK --set-xmark {_number(way.number)}".strip()
                for match, _ in _sources(way)
            ]
            if way.dynamic:
                marked = f"-m mark --mark {_number(way.number)} {comment(way.place.line)}"
                if not way.pools:
                    rules.append(f"{marked} {DENY}")
                elif way.pools[0].shared:
                    rules.append(f"{marked} -j {WITHOUT_PORTS.name}")
        if egress in self._bound_out:
            rules.append(f"-j PIXGUARD-OUT-{self._linux[egress]}")
        if ingress == egress:
            rules.append(HAIRPIN_MARK)
        chain = Chain(passage_chain(self._index(ingress), self._index(egress)), tuple(rules))
        return [chain, back] if back.rules else [chain]

    def _back_chain(self, ingress: str, egress: str) -> Chain:
        """Drops what another line would translate on the way back than has on the way here."""
        rules = [
            f"-m connmark --mark {_number(way.number)} -j RETURN"
            for way in self._between(ingress, egress)
            if way.outward and way.destinations
        ]
        answers = [way for way in self._between(egress, ingress) if way.outward]
        for way in answers:
            same = [
                each.number
                for each in self._between(ingress, egress)
                if each.rank == way.rank and not each.outward
            ]
            for match in _answered(way):
                rules += [
                    f"{match} -m connmark --mark {_number(number)} -j RETURN".strip()
                    for number in same
                ]
                rules.append(f"{match} {comment(way.place.line)} {DENY}".strip())
        name = f"PIXGUARD-REAL-{self._index(ingress)}-{self._index(egress)}"
        return Chain(name, tuple(rules) if answers else ())

    def _leaving(self, interface: Interface, linux: str) -> Chain:
        rules = [
            line
            for rule in self._bound_out[interface.name]
            for match in matches(rule, addressed=False)
            for line in listed(rule, match, marked=self._logs)
        ]
        return Chain(f"PIXGUARD-OUT-{linux}", (*rules, DENY))

    def _destination_marks(self) -> Iterator[str]:
        untold = f"-m mark --mark 0x0/{connmark.TRANSLATION:#x}"
        for name, linux in self._linux.items():
            for way in self._entering(name):
                for match, _ in _arrived(way):
                    yield f"-i {linux} {match} {untold} -j MARK --set-xmark {_number(way.number)}"

    def _nat(self) -> Table:
        # No rule tells its line here: a line that only moves must not change this table.
        inbound = dict.fromkeys(
            f"-i {linux} {match} -j {target}"
            for name, linux in self._linux.items()
            for way in self._entering(name)
            for match, target in _destinations(way)
        )
        outbound: list[str] = []
        chains: list[Chain] = []
        for ingress, egress in self._pairs():
            ways = self._between(ingress, egress)
            if not ways:
                continue
            name = f"PIXGUARD-NAT-{self._index(ingress)}-{self._index(egress)}"
            for way in ways:
                mark = connmark.PERMITTED | way.number
                mask = connmark.PERMITTED | connmark.TRANSLATION
                outbound.append(
                    f"-o {self._linux[egress]} -m connmark --mark {mark:#x}/{mask:#x} -j {name}"
                )
            rules = (
                f"{match} -j {target}".strip() for way in ways for match, target in _sources(way)
            )
            chains.append(Chain(name, tuple(rules)))
        return self._nat_table(inbound, outbound, chains)


def _number(number: int) -> str:
    return f"{number:#x}/{connmark.TRANSLATION:#x}"


def _list(name: str, rules: tuple[Rule, ...], end: str) -> Chain:
    """An access list: what is permitted returns, marked if that is logged."""
    made = [
        line
        for rule in rules
        for match in matches(rule, addressed=False)
        for line in listed(rule, match)
    ]
    return Chain(name, (*made, end))


def _match(
    change: PortChange | None, *addresses: str, ports: Iterable[tuple[str, Ports | None]]
) -> Iterator[str]:
    """Matches addresses and the ports of a change.

    Args:
        change: what becomes of ports, None where any will do.
        addresses: matches of addresses, "" for any.
        ports: options of ports, and what they match.
    """
    protocol = f"-p {change.protocol}" if change else ""
    for found in product(*(ports_in(option, each) for option, each in ports)):
        yield " ".join(filter(None, (protocol, *addresses, *found)))


def _parts(way: Way) -> Iterator[tuple[PortChange | None, Block | None, Block | None]]:
    """Changes of ports, sources and destinations of a way, each with each."""
    yield from product(way.changes or (None,), way.sources or (None,), way.destinations or (None,))


def _before(option: str, block: Block | None) -> str:
    return match_address(option, block.before) if block else ""


def _after(option: str, block: Block | None) -> str:
    return match_address(option, block.after) if block else ""


def _of(ports: tuple[Ports, Ports] | None, which: int) -> Ports | None:
    return ports[which] if ports else None


def _destinations(way: Way) -> Iterator[tuple[str, str]]:
    """Matches of what comes in and that a way takes, and targets that translate its destination."""
    for change, source, destination in _parts(way):
        assert destination is not None  # noqa: S101  of ways that look at it
        from_port, to_port = (change.source, change.destination) if change else (None, None)
        module = f"-m {port_module(change.protocol)}" if change else ""
        ports = ((f"{module} --sport", _of(from_port, 0)), (f"{module} --dport", _of(to_port, 0)))
        addresses = (_before("-s", source), _before("-d", destination))
        for match in _match(change, *addresses, ports=ports):
            yield match, _target("DNAT --to-destination", "RETURN", destination, to_port)


def _arrived(way: Way) -> Iterator[tuple[str, bool]]:
    """Matches of what a way has taken, after that, and whether the destination has stayed."""
    for change, source, destination in _parts(way):
        to_port = change.destination if change else None
        from_port = change.source if change else None
        module = f"-m {port_module(change.protocol)}" if change else ""
        ports = (
            (f"{module} --sport", _of(from_port, 0)),
            (_ADDRESSED_PORT, _of(to_port, 0)),
            (f"{module} --dport", _of(to_port, 1)),
        )
        addresses = (
            _before("-s", source),
            _before(_ADDRESSED, destination),
            _after("-d", destination),
        )
        keeps = destination is not None and destination.keeps and not changed_port(to_port)
        for match in _match(change, *addresses, ports=ports):
            yield match, keeps


def _sources(way: Way) -> Iterator[tuple[str, str]]:
    """Matches of what a way takes, and targets that translate its source.

    The way in takes only what it has translated the destination of.
    """
    if not way.outward and not way.sources:
        return
    told = "" if way.outward else f"-m connmark --mark {_number(way.number)}"
    for change, source, destination in _parts(way):
        assert source is not None  # noqa: S101  an outward way has sources
        from_port, to_port = (change.source, change.destination) if change else (None, None)
        module = f"-m {port_module(change.protocol)}" if change else ""
        ports = ((f"{module} --sport", _of(from_port, 0)), (_ADDRESSED_PORT, _of(to_port, 0)))
        addresses = (_before("-s", source), _before(_ADDRESSED, destination), told)
        for match in _match(change, *addresses, ports=ports):
            yield match, _source_target(way, source, from_port)


def _answered(way: Way) -> Iterator[str]:
    """Matches of what an outward way takes the answers of, by real addresses of both ends."""
    for change, source, destination in _parts(way):
        from_port, to_port = (change.source, change.destination) if change else (None, None)
        module = f"-m {port_module(change.protocol)}" if change else ""
        ports = ((f"{module} --sport", _of(to_port, 1)), (f"{module} --dport", _of(from_port, 0)))
        addresses = (_after("-s", destination), _before("-d", source))
        yield from _match(change, *addresses, ports=ports)


def _source_target(way: Way, block: Block, ports: tuple[Ports, Ports] | None) -> str:
    if not way.dynamic:
        return _target("SNAT --to-source", "ACCEPT", block, ports)
    if not way.pools:
        return "ACCEPT"  # what it takes has been dropped
    pool = way.pools[0]
    if pool.first == pool.last:
        return f"SNAT --to-source {pool.first}"
    return f"SNAT --to-source {pool.first}-{pool.last} --persistent"


def _target(target: str, kept: str, block: Block, ports: tuple[Ports, Ports] | None) -> str:
    """The target that makes of an address of a block what it becomes."""
    port = changed_port(ports)
    if block.keeps and not port:
        return kept
    if block.after.prefixlen < 32:
        return f"NETMAP --to {block.after}"
    return f"{target} {block.after.network_address}{f':{port}' if port else ''}"
