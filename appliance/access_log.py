"""What lines of access lists with `log` have matched: flows, and how often in each interval.

A flow draws its line at its first packet, and one at the end of each interval in which it was met,
with the number of its packets in that interval; the first one counts, too. After an interval
without any it is forgotten. (The vendor's account of message 106100.)
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import TypeAlias

from appliance.admission import Admission, Logged, Opening
from appliance.events import AccessListHit, DeniedFlowsFull, Report
from appliance.protocol import ICMP

PERMITTED = 16_384
"""Flows remembered that were permitted; of denied ones as many as the rule file says."""

_Key: TypeAlias = tuple[Logged, int, IPv4Address, int, IPv4Address, int]


@dataclass(slots=True)
class _Flow:
    """A flow in its interval.

    Args:
        hit: what it drew first.
        due: when the interval ends, in seconds.
        hits: its packets in this interval.
    """

    hit: AccessListHit
    due: float
    hits: int = 1


class AccessLog:
    """Counts the hits of lines with `log`.

    Args:
        report: called with what is to be logged.
    """

    def __init__(self, report: Report) -> None:
        self._report = report
        # By the length of their interval, and there in the order in which intervals end.
        self._flows: dict[int, OrderedDict[_Key, _Flow]] = {}
        self._remembered = {True: 0, False: 0}
        self._alert_at = 0.0

    def take(self, opening: Opening, admission: Admission, now: float) -> None:
        """Count a packet that began a flow, for each line that judged it and wants that.

        Args:
            opening: the packet.
            admission: what the policy said of it.
            now: the time in seconds.
        """
        for logged in admission.logged:
            if not logged.line.disabled:
                self._count(logged, opening, admission, now)

    def _count(self, logged: Logged, opening: Opening, admission: Admission, now: float) -> None:
        self.expire(now)
        source, destination = admission.client, admission.server
        protocol = opening.protocol
        port = opening.icmp_type if protocol == ICMP else destination.mapped_port
        ends = (source.address, source.port, destination.mapped, port)
        key = (logged, protocol, *ends)
        flows = self._flows.setdefault(logged.line.interval, OrderedDict())
        known = flows.get(key)
        if known:
            known.hits += 1
            return
        bound = PERMITTED if logged.permitted else logged.flows.most
        full = self._remembered[logged.permitted] >= bound
        if full and not logged.permitted:
            if now >= self._alert_at:
                self._alert_at = now + logged.flows.alert_interval
                self._report(DeniedFlowsFull(now, bound))
            return
        hit = AccessListHit(
            now,
            logged.access_list,
            logged.permitted,
            logged.line.level,
            protocol,
            source,
            destination,
            port,
        )
        if not full:
            self._remembered[logged.permitted] += 1
            flows[key] = _Flow(hit, now + logged.line.interval)
        self._report(hit)

    def expire(self, now: float) -> None:
        """Report the intervals that have ended.

        Args:
            now: the time in seconds.
        """
        for interval, flows in self._flows.items():
            while flows:
                key, flow = next(iter(flows.items()))
                if flow.due > now:
                    break
                if flow.hits:
                    self._report(flow.hit.again(flow.due, flow.hits, interval))
                    flow.hits = 0
                    flow.due += interval
                    flows.move_to_end(key)
                else:
                    del flows[key]
                    self._remembered[flow.hit.permitted] -= 1
