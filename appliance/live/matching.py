"""What a rule or a translation matches, in the options of iptables."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import partial
from ipaddress import IPv4Network

from appliance.config.model import ANY, Ports, Rule, TimeRange
from appliance.live import connmark
from appliance.policy.translation import AnyTranslation, Translation
from appliance.protocol import ICMP, TCP, UDP

ANY_TYPE = 255
"""Of ICMP, to iptables; conntrack lets no packet of that type begin a flow."""

PERMITTED = f"-m connmark --mark {connmark.PERMITTED:#x}/{connmark.PERMITTED:#x}"
"""A connection that was permitted when it began."""

NO_SOURCE = f"-m mark --mark 0x0/{connmark.TRANSLATION:#x}"
"""While a first packet is judged, the packet mark has the number of its source's translation, and
PERMITTED if a line with `log` permits it."""


def comment(number: int) -> str:
    """Tells the line of the rule file that a rule is of.

    Args:
        number: the line.
    """
    return f'-m comment --comment "line {number}"'


def port_module(protocol: int | None) -> str:
    """The extension of iptables that matches the ports of a protocol.

    Args:
        protocol: its number, of TCP or UDP.
    """
    return "tcp" if protocol == TCP else "udp"


def match_address(option: str, network: IPv4Network) -> str:
    """Matches an address, "" where any will do.

    Args:
        option: what the address is to iptables, "-s".
        network: where it must be.
    """
    return "" if network == ANY else f"{option} {network}"


def match_inbound(translation: Translation) -> str:
    """Matches, after translation of the destination, what this translated.

    Args:
        translation: the static.
    """
    static = translation.static
    matched = f"-d {translation.real} -m conntrack --ctorigdst {translation.mapped}"
    if peers := match_address("-s", translation.peers):
        matched = f"{peers} {matched}"
    if static.protocol is None:
        return matched
    return (
        f"-p {static.protocol} {matched} --ctorigdstport {static.mapped_port} "
        f"-m {port_module(static.protocol)} --dport {translation.real_port}"
    )


def match_outbound(translation: Translation) -> str:
    """Matches, before translation of the source, what this translates.

    Args:
        translation: the static.
    """
    static = translation.static
    peers = match_address(" -m conntrack --ctorigdst", translation.peers)
    if static.protocol is None:
        return f"-s {translation.real}{peers}"
    ports = f"-m {port_module(static.protocol)} --sport {translation.real_port}"
    return f"-p {static.protocol} -s {translation.real} {ports}{peers}"


def match_answers(translation: Translation) -> str:
    """Matches packets to what a static would translate in the packets that answer them.

    Args:
        translation: the static.
    """
    protocol = translation.static.protocol
    matched = f"{match_address('-s', translation.peers)} -d {translation.real}".strip()
    if protocol is None:
        return matched
    return f"-p {protocol} {matched} -m {port_module(protocol)} --dport {translation.real_port}"


def matches(rule: Rule, addressed: bool = True) -> list[str]:
    """The matches that together are a rule; none if no packet can match it.

    Args:
        rule: the rule.
        addressed: whether the destination is matched as the packet was addressed, before its
            translation.
    """
    ports = rule.source_ports or rule.destination_ports
    if rule.protocol is None and ports:
        return [
            match
            for protocol in (TCP, UDP)
            for match in matches(replace(rule, protocol=protocol), addressed)
        ]
    if ports and rule.protocol not in (TCP, UDP):
        return []
    if rule.icmp_type is not None:
        if rule.protocol not in (None, ICMP) or rule.icmp_type == ANY_TYPE:
            return []
        protocol = f"-p {ICMP} -m icmp --icmp-type {rule.icmp_type}"
    elif rule.protocol is None:
        protocol = ""
    elif rule.protocol == 0:
        protocol = "-m conntrack --ctproto 0"  # -p 0 would be any protocol
    else:
        protocol = f"-p {rule.protocol}"
    to, to_port = "-m conntrack --ctorigdst", "-m conntrack --ctorigdstport"
    if not addressed:
        to, to_port = "-d", f"-m {port_module(rule.protocol)} --dport"
    destination = match_address(to, rule.destination)
    fixed = [protocol, match_address("-s", rule.source), destination]
    return [
        " ".join(part for part in (*fixed, source_port, destination_port, time) if part)
        for time in _times(rule.times)
        for source_port in ports_in(f"-m {port_module(rule.protocol)} --sport", rule.source_ports)
        for destination_port in ports_in(to_port, rule.destination_ports)
    ]


def matches_leaving(rule: Rule, sources: Iterable[AnyTranslation], egress: str) -> Iterator[str]:
    """The matches of a rule that sees sources translated, where they are not yet.

    Args:
        rule: the rule.
        sources: what may translate them.
        egress: the interface by which they leave.
    """
    translated = partial(matches, addressed=False)
    if rule.source == ANY and rule.source_ports is None:
        yield from translated(rule)
        return
    for match in translated(rule):
        yield f"{NO_SOURCE} {match}".strip()
    for source in sources:
        mark = f"-m mark --mark {source.number:#x}/{connmark.TRANSLATION:#x}"
        seen: Rule | None = rule
        if isinstance(source, Translation):
            seen = _before_translation(rule, source)
        elif not source.keeps:
            pools = source.pools_on(egress)
            fits = pools and (
                pools[0].is_within(rule.source) if rule.permit else pools[0].meets(rule.source)
            )
            seen = replace(rule, source=ANY) if fits else None
        for match in translated(seen) if seen else ():
            yield f"{mark} {match}".strip()


def _before_translation(rule: Rule, static: Translation) -> Rule | None:
    """A rule about what a static translates, as it is before that; None if it is not about it."""
    mapped, real = static.mapped, static.real
    if not mapped.overlaps(rule.source):
        return None
    if rule.source.prefixlen > mapped.prefixlen:
        place = int(rule.source.network_address) - int(mapped.network_address)
        real = IPv4Network((real[place], rule.source.prefixlen))
    if static.static.protocol is None:
        return replace(rule, source=real)
    if rule.protocol not in (None, static.static.protocol):
        return None
    if rule.source_ports and static.static.mapped_port not in rule.source_ports:
        return None
    return replace(rule, source=real, source_ports=None, protocol=static.static.protocol)


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


def ports_in(option: str, ports: Ports | None) -> list[str]:
    """Matches ports, one for each range of them; one that is "" where any will do.

    Args:
        option: what the port is to iptables, "-m tcp --dport".
        ports: the comparison.
    """
    if ports is None:
        return [""]
    return [f"{option} {low}:{high}" for low, high in ports.ranges()]
