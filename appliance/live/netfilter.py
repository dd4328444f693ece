"""A configuration as netfilter rules, in chains of our own.

`compile_rules` is a pure function; `install` and `withdraw` hand its result to the kernel. What
the chains are for, and in which order tables change: docs/netfilter.md.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from ipaddress import IPv4Network
from pathlib import Path

import click

from appliance.box import Box, load_box
from appliance.config.load import load_configuration
from appliance.config.model import (
    ANY,
    Configuration,
    Interface,
    Ports,
    Rule,
    TimeRange,
    elementary,
)
from appliance.errors import PixguardError
from appliance.live import connmark
from appliance.live.command import run
from appliance.live.hits import kept_counts, saved_counts
from appliance.live.table import Chain, Counts, Table
from appliance.policy.routing import Routing
from appliance.policy.translation import Translation, Translations
from appliance.protocol import ICMP, SMTP, TCP, UDP
from appliance.smtp.release import ANSWERS

_DROP = "-j DROP"
_DENY = "-j PIXGUARD-DENIED"
_CLOSED = Chain("PIXGUARD-NEW", (_DROP,))
# TCP segments of no connection are INVALID, and so are those whose checksum is wrong.
_INVALID = Chain("PIXGUARD-INVALID", (f"-p {TCP} {_DENY}", f"-p {ICMP} {_DENY}", _DROP))
_PERMITTED = f"-m connmark --mark {connmark.PERMITTED:#x}/{connmark.PERMITTED:#x}"
_COPY_MARK = f"-j CONNMARK --restore-mark --nfmask {connmark.ALL:#x} --ctmask {connmark.ALL:#x}"
_UNMARK = f"-j MARK --set-xmark 0x0/{connmark.ALL:#x}"
_LOGGED = f"{connmark.PERMITTED:#x}/{connmark.PERMITTED:#x}"
_MARKED = f"-m mark --mark {_LOGGED}"
_UNTRANSLATED = f"-m connmark --mark 0x0/{connmark.TRANSLATION:#x}"
_REFUSALS_TOLD = 50
"""A second: of connections beyond the limits of a static, as many are told of."""
DENIALS_TOLD = 500
"""A second, of each interface: of as many denied packets the first worker is told."""
_TRANSLATED = f"-m connmark ! --mark 0x0/{connmark.TRANSLATION:#x}"


@dataclass(frozen=True, slots=True)
class Rules:
    """All rules that a configuration becomes.

    Args:
        filter: judges, marks and queues.
        nat: translates.
        filter6: keeps IPv6 from passing between the interfaces.
    """

    filter: Table
    nat: Table
    filter6: Table

    def closed(self) -> Table:
        """The filter table, but new connections are dropped."""
        chains = tuple(
            _CLOSED if chain.name == _CLOSED.name else chain for chain in self.filter.chains
        )
        return replace(self.filter, chains=chains)


def compile_rules(configuration: Configuration, box: Box) -> Rules:
    """The rules that a configuration becomes on a machine.

    An interface that the box file leaves out, or that is shut down, takes no part.

    Args:
        configuration: what the rule file says.
        box: which Linux interfaces and queues there are.

    Raises:
        PixguardError: the box file names an interface that the rule file does not.
        FindingsError: a static cannot translate anything as written.
    """
    return _Compiler(configuration, box).rules()


class _Compiler:
    def __init__(self, configuration: Configuration, box: Box) -> None:
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
        self._translations = Translations(configuration, routing).between(self._linux)
        lists = {each.name: each.rules for each in configuration.access_lists}
        self._bound = {
            group.interface: lists[group.access_list] for group in configuration.access_groups
        }

    def rules(self) -> Rules:
        return Rules(self._filter(), self._nat(), self._filter6())

    def _filter(self) -> Table:
        chains = [*self._entrance("-j PIXGUARD-STATE", _DENY), self._state(), self._new()]
        for interface, linux in self._interfaces:
            if interface.name in self._bound:
                chains.append(_list(f"PIXGUARD-ACL-{linux}", self._bound[interface.name]))
            chains.append(self._ingress(interface, linux))
        chains += [
            _list("PIXGUARD-CONDUITS", elementary(self._configuration.conduits)),
            self._permit(),
            self._worker(),
            self._queue(),
            self._refused(),
            _INVALID,
            self._copied("PIXGUARD-DENIED", 0, _DROP),
            self._copied("PIXGUARD-LOGGED", connmark.PERMITTED, _UNMARK),
            self._copy(),
            Chain(
                "PIXGUARD-OWN",
                (f"-m mark --mark {connmark.OWN_PACKET:#x}/{connmark.ALL:#x} -j ACCEPT",),
            ),
        ]
        jumps = (("FORWARD", "PIXGUARD"), ("OUTPUT", "PIXGUARD-OWN"))
        return Table("filter", jumps, tuple(chains))

    def _entrance(self, target: str, back: str = _DROP) -> tuple[Chain, Chain]:
        """Sends what goes from one of our interfaces to another of them to a target.

        What would leave by the interface it came in by goes to the target `back`.
        """
        # Nothing leaves by the interface it came in by: it could pose as the other end of a
        # connection there.
        from_each = [
            rule
            for x in self._linux.values()
            for rule in (f"-i {x} -o {x} {back}", f"-i {x} -j PIXGUARD-FROM")
        ]
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
                f"-p icmp -m conntrack --ctstate RELATED {_PERMITTED} -j ACCEPT",
                # No other RELATED: a helper's new connection inherits the mark of its master.
                f"-m conntrack ! --ctstate NEW,ESTABLISHED {_DENY}",
                f"-m connmark --mark {inspected:#x}/{inspected:#x} -j PIXGUARD-QUEUE",
                f"{_PERMITTED} -j ACCEPT",
                f"-m conntrack --ctstate NEW -j {_CLOSED.name}",
                _DENY,
            ),
        )

    def _new(self) -> Chain:
        rules = [
            f"-d {each.mapped} -m conntrack ! --ctstate DNAT {_DENY}"
            for each in self._translations
            if each.stands_in
        ]
        rules += [f"-i {linux} -j PIXGUARD-IN-{linux}" for linux in self._linux.values()]
        return Chain(_CLOSED.name, (*rules, _DENY))

    def _ingress(self, interface: Interface, linux: str) -> Chain:
        """Judges the first packet of a connection that begins behind an interface."""
        bound = interface.name in self._bound
        rules = [f"-j PIXGUARD-ACL-{linux}"] if bound else []
        for other, other_linux in self._interfaces:
            if other.level == interface.level:
                rules.append(f"-o {other_linux} {_DENY}")
            elif other.level > interface.level and not bound:
                rules.append(f"-o {other_linux} -j PIXGUARD-CONDUITS")
        # The first translation that fits is taken, so later ones look whether there is one.
        for each in self._translations:
            if each.static.mapped_interface == interface.name:
                matched = f"-o {self._linux[each.static.real_interface]} {_inbound(each)}"
            elif each.static.real_interface == interface.name:
                matched = f"-o {self._linux[each.static.mapped_interface]} {_outbound(each)}"
            else:
                continue
            mark = f"CONNMARK --set-xmark {each.number:#x}/{connmark.TRANSLATION:#x}"
            rules.append(f"{matched} {_UNTRANSLATED} {_line(each.static.place.line)} -j {mark}")
        if bound and any(map(_is_marked, self._bound[interface.name])):
            rules.append(f"{_TRANSLATED} {_MARKED} -j PIXGUARD-LOGGED")
        for each in self._translations:
            if each.static.mapped_interface == interface.name:
                rules += _limits(each)
        return Chain(f"PIXGUARD-IN-{linux}", (*rules, f"{_TRANSLATED} -j PIXGUARD-PERMIT", _DENY))

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
        return Chain("PIXGUARD-REFUSED", (_COPY_MARK, f"{told} {queue}", _DROP))

    def _copied(self, name: str, mark: int, *rest: str) -> Chain:
        """Has the first worker tell of a packet, but for floods: each interface has its own."""
        told = f"-m limit --limit {DENIALS_TOLD}/second --limit-burst {DENIALS_TOLD}"
        marked = f"-j MARK --set-xmark {mark:#x}/{connmark.ALL:#x}"
        copies = (f"-i {x} {told} -j PIXGUARD-COPY" for x in self._linux.values())
        return Chain(name, (marked, *copies, *rest))

    def _copy(self) -> Chain:
        """Copies a packet; its mark tells what has translated its destination."""
        untold = f"-m mark --mark 0x0/{connmark.TRANSLATION:#x}"
        marks = (
            f"-i {self._linux[each.static.mapped_interface]} {_inbound(each)} {untold} "
            f"-j MARK --set-xmark {each.number:#x}/{connmark.TRANSLATION:#x}"
            for each in self._translations
        )
        return Chain("PIXGUARD-COPY", (*marks, f"-j NFLOG --nflog-group {self._box.queue}"))

    def _nat(self) -> Table:
        # No rule tells its line here: a line that only moves must not change this table.
        inbound, outbound = [], []
        for each in self._translations:
            static = each.static
            port = f" -p {static.protocol}" if static.protocol else ""
            to_real, to_mapped = _targets(each)
            mapped_port = f"{port} --dport {static.mapped_port}" if port else ""
            inbound.append(
                f"-i {self._linux[static.mapped_interface]} -d {each.mapped}{mapped_port} "
                f"-j {to_real}"
            )
            mark = connmark.PERMITTED | each.number
            mask = connmark.PERMITTED | connmark.TRANSLATION
            outbound.append(
                f"-o {self._linux[static.mapped_interface]} {_outbound(each)} "
                f"-m connmark --mark {mark:#x}/{mask:#x} -j {to_mapped}"
            )
        # What we permitted keeps the addresses that we gave it, whatever rules others put after.
        outbound.append(f"{_PERMITTED} -j ACCEPT")
        return Table(
            "nat",
            (("PREROUTING", "PIXGUARD-DNAT"), ("POSTROUTING", "PIXGUARD-SNAT")),
            (Chain("PIXGUARD-DNAT", tuple(inbound)), Chain("PIXGUARD-SNAT", tuple(outbound))),
        )

    def _filter6(self) -> Table:
        return Table("filter", (("FORWARD", "PIXGUARD"),), self._entrance(_DROP))


def _line(number: int) -> str:
    return f'-m comment --comment "line {number}"'


def _inbound(translation: Translation) -> str:
    """Matches, after translation of the destination, what this translated."""
    static = translation.static
    matched = f"-d {static.real} -m conntrack --ctorigdst {translation.mapped}"
    if static.protocol is None:
        return matched
    return (
        f"-p {static.protocol} {matched} --ctorigdstport {static.mapped_port} "
        f"-m {_module(static.protocol)} --dport {static.real_port}"
    )


def _outbound(translation: Translation) -> str:
    """Matches, before translation of the source, what this translates."""
    static = translation.static
    if static.protocol is None:
        return f"-s {static.real}"
    module = _module(static.protocol)
    return f"-p {static.protocol} -s {static.real} -m {module} --sport {static.real_port}"


def _limits(translation: Translation) -> list[str]:
    """Refuses connections beyond the limits, to each address by itself."""
    static = translation.static
    mark = f"-m connmark --mark {translation.number:#x}/{connmark.TRANSLATION:#x}"
    return [
        f"-p {protocol} {mark} -m connlimit --connlimit-above {most} --connlimit-mask 32 "
        f"--connlimit-daddr {_line(static.place.line)} -j PIXGUARD-REFUSED"
        for protocol, most in ((TCP, static.max_connections), (UDP, static.udp_connections))
        if most
    ]


def _module(protocol: int | None) -> str:
    return "tcp" if protocol == TCP else "udp"


def _targets(translation: Translation) -> tuple[str, str]:
    """The targets that translate a destination and a source."""
    real, mapped = translation.static.real, translation.mapped
    if real.prefixlen != 32:
        return f"NETMAP --to {real}", f"NETMAP --to {mapped}"
    to_real, to_mapped = f"{real.network_address}", f"{mapped.network_address}"
    if translation.static.protocol:
        to_real += f":{translation.static.real_port}"
        to_mapped += f":{translation.static.mapped_port}"
    return f"DNAT --to-destination {to_real}", f"SNAT --to-source {to_mapped}"


def _list(name: str, rules: tuple[Rule, ...]) -> Chain:
    """An access list or the conduits: what is permitted returns, marked if that is logged."""
    made = [_UNMARK] if any(map(_is_marked, rules)) else []
    for rule in rules:
        silent = rule.log and rule.log.disabled
        verdict = "-j RETURN" if rule.permit else _DROP if silent else _DENY
        for match in _matches(rule):
            if _is_marked(rule):
                made.append(f"{match} -j MARK --set-xmark {_LOGGED}")
            made.append(f"{match} {_line(rule.place.line)} {verdict}")
    return Chain(name, (*made, _DENY))


def _is_marked(rule: Rule) -> bool:
    """Whether packets that a rule permits are to be told of."""
    return rule.permit and rule.log is not None and not rule.log.disabled


def _matches(rule: Rule) -> list[str]:
    """The matches that together are a rule; none if no packet can match it.

    The destination is matched as the packet was addressed, before its translation.
    """
    ports = rule.source_ports or rule.destination_ports
    if rule.protocol is None and ports:
        return _matches(replace(rule, protocol=TCP)) + _matches(replace(rule, protocol=UDP))
    if ports and rule.protocol not in (TCP, UDP):
        return []
    if rule.icmp_type is not None:
        # iptables takes 255 for any type; conntrack lets no packet of that type begin a flow.
        if rule.protocol not in (None, ICMP) or rule.icmp_type == 255:
            return []
        protocol = f"-p {ICMP} -m icmp --icmp-type {rule.icmp_type}"
    elif rule.protocol is None:
        protocol = ""
    elif rule.protocol == 0:
        protocol = "-m conntrack --ctproto 0"  # -p 0 would be any protocol
    else:
        protocol = f"-p {rule.protocol}"
    destination = _address("-m conntrack --ctorigdst", rule.destination)
    fixed = [protocol, _address("-s", rule.source), destination]
    return [
        " ".join(part for part in (*fixed, source_port, destination_port, time) if part)
        for time in _times(rule.times)
        for source_port in _ports(f"-m {_module(rule.protocol)} --sport", rule.source_ports)
        for destination_port in _ports("-m conntrack --ctorigdstport", rule.destination_ports)
    ]


def _times(times: TimeRange | None) -> list[str]:
    """The matches that together are a time range."""
    if times is None:
        return [""]
    absolute = "-m time"
    if times.start:
        absolute += f" --datestart {times.start:%Y-%m-%dT%H:%M:00}"
    if times.end:
        absolute += f" --datestop {times.end:%Y-%m-%dT%H:%M:59}"
    if not times.periods:
        return [absolute]
    return [
        f"{absolute} --timestart {first // 60:02}:{first % 60:02}:00 "
        f"--timestop {last // 60:02}:{last % 60:02}:59 "
        f"--weekdays {','.join(str(day + 1) for day in days)}"
        for period in times.periods
        for days, first, last in period.spans()
    ]


def _ports(option: str, ports: Ports | None) -> list[str]:
    if ports is None:
        return [""]
    return [f"{option} {low}:{high}" for low, high in ports.ranges()]


def _address(option: str, network: IPv4Network) -> str:
    return "" if network == ANY else f"{option} {network}"


def install(rules: Rules, replaced: Rules | None = None) -> None:
    """Put rules in force, in place of whatever rules of ours there are.

    Args:
        rules: what `compile_rules` made.
        replaced: what this process put in force before, if it did; rules that stay the same go on
            counting.

    Raises:
        PixguardError: the kernel or the iptables command refused.
    """
    saved = saved_counts() if replaced else ""

    def put(table: Table) -> None:
        _load("iptables", table, kept_counts(saved, replaced.filter, table) if replaced else None)

    same = replaced is not None and replaced.nat == rules.nat
    # Somebody else may have emptied a built-in chain since.
    if not (same and rules.nat.is_entered(_present("iptables", "nat"))):
        # While translations change, no connection may begin: it would keep the wrong addresses.
        put(rules.closed())
        _load("iptables", rules.nat)
    if _has_ipv6():
        _load("ip6tables", rules.filter6)
    put(rules.filter)


def withdraw() -> bool:
    """Remove every rule of ours; where there is none, netfilter is not touched.

    Returns:
        whether there was any.

    Raises:
        PixguardError: the kernel or the iptables command refused.
    """
    ours, ours6 = _has_ours("iptables"), _has_ipv6() and _has_ours("ip6tables")
    if ours:
        if f":{_CLOSED.name} " in _present("iptables", "filter"):
            _restore("iptables", Table("filter", chains=(_CLOSED,)).text())
        _load("iptables", Table("nat"))
    if ours6:
        _load("ip6tables", Table("filter"))
    if ours:
        _load("iptables", Table("filter"))
    return ours or ours6


def _has_ours(command: str) -> bool:
    # Without a table's name: the older variant makes the kernel load a table that is named.
    return "\n:PIXGUARD" in run([f"{command}-save"], "iptables")


def _has_ipv6() -> bool:
    return Path("/proc/sys/net/ipv6").is_dir()


def _load(command: str, table: Table, counts: Counts | None = None) -> None:
    _restore(command, table.text(_present(command, table.name), counts))


def _present(command: str, table: str) -> str:
    return run([f"{command}-save", "-t", table], "iptables")


def _restore(command: str, text: str) -> None:
    # The older variant has one lock for all its users; wait for it.
    try:
        run([f"{command}-restore", "--noflush", "--counters", "--wait", "10"], "iptables", text)
    except PixguardError as error:
        if " -m time " not in text:
            raise
        told = "a `time-range` is in use, which needs the kernel's module xt_time"
        raise PixguardError(f"{error}; {told}") from None


def print_rules(config_path: Path, box_path: Path) -> int:
    """Print the netfilter rules that a rule file becomes; returns the exit code.

    Args:
        config_path: the rule file.
        box_path: the box file.
    """
    configuration, box = load_configuration(config_path), load_box(box_path)
    rules = compile_rules(configuration, box)
    for finding in box.left_out(configuration):
        click.echo(finding, err=True)
    click.echo(f"# iptables-restore --noflush\n{rules.filter.text()}{rules.nat.text()}", nl=False)
    click.echo(f"# ip6tables-restore --noflush\n{rules.filter6.text()}", nl=False)
    return 0
