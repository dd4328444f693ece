"""The flows that an engine knows, by their addresses, and when each has been idle too long."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Address
from struct import Struct
from typing import TypeAlias

from appliance.events import Closing, Denial, Flow, Phase
from appliance.limits import UNLIMITED, Census, Limits
from appliance.protocol import UDP
from appliance.tcp.connection import Connection
from appliance.tcp.room import EMBRYONIC, FLOWS
from appliance.tcp.uninspected import Uninspected

_GRAIN = 4
"""Seconds that are looked at together."""

_LOOK = 30
"""Seconds after which a flow is looked at again; it may outlive its deadline by as much."""

Key: TypeAlias = bytes
"""What tells a flow's packets of one direction from others: see `key_of`."""

_KEY = Struct("!IHIHBI")
_PROTOCOL_AT = 12

AnyFlow: TypeAlias = Connection | Uninspected


class Flows:
    """A table of flows, each under the key of its client's packets."""

    def __init__(self) -> None:
        self._flows: dict[Key, AnyFlow] = {}
        # Lists take less than sets; what else is in them than each flow once is bounded.
        self._deadlines: dict[int, list[Key]] = {}
        self._looked_at = 0
        # In the order of their beginning.
        self._embryonic: dict[Key, AnyFlow] = {}
        self._census = Census()

    def __len__(self) -> int:
        return len(self._flows)

    def __iter__(self) -> Iterator[tuple[Key, AnyFlow]]:
        """Each flow once, under the key of its client's packets."""
        return iter(self._flows.items())

    def live(self, protocol: int, client: IPv4Address, server: IPv4Address) -> Iterator[Flow]:
        """The flows from one host to another that are not closed.

        Args:
            protocol: their IP protocol number.
            client: the real address of the one that began them.
            server: that of the other one.
        """
        for key, flow in self:
            ends = flow.flow.client.address, flow.flow.server.address
            if key[_PROTOCOL_AT] == protocol and flow.closing is None and ends == (client, server):
                yield flow.flow

    def denial(self, protocol: int, limits: Limits) -> Denial | None:
        """Why there may not be another flow, None if there may.

        Args:
            protocol: the flow's IP protocol number.
            limits: on flows to where it goes.
        """
        if len(self) >= FLOWS:
            return Denial.NO_ROOM
        if self._census.are_full(limits):
            return Denial.TOO_MANY_UDP if protocol == UDP else Denial.TOO_MANY
        if self._census.are_full_of_embryonic(limits):
            return Denial.TOO_MANY_EMBRYONIC
        return None

    def get(self, key: Key) -> tuple[AnyFlow, bool] | None:
        """The flow that a packet belongs to, and whether its client sent it; None if unknown.

        Args:
            key: the packet's.
        """
        flow = self._flows.get(key)
        if flow is not None:
            return flow, True
        flow = self._flows.get(turned(key))
        return None if flow is None else (flow, False)

    def add(self, key: Key, flow: AnyFlow, now: float, limits: Limits = UNLIMITED) -> None:
        """Remember a flow.

        Past EMBRYONIC that are not established, the oldest of these is forgotten.

        Args:
            key: of its client's packets.
            flow: the flow.
            now: the time, seconds.
            limits: on flows to where it goes.
        """
        self._flows[key] = flow
        self._census.begin(key, limits)
        self._watch(key, flow, now)
        self._embryonic.pop(key, None)
        self._embryonic[key] = flow
        while len(self._embryonic) > EMBRYONIC:
            oldest = next(iter(self._embryonic))
            self._embryonic[oldest].close(Closing.TIMEOUT, now)
            self.forget(oldest)

    def note(self, key: Key) -> None:
        """See how far a flow has come, for the bounds and limits.

        Args:
            key: of its packets, either direction.
        """
        # The client's third packet establishes a connection.
        beginning = self._embryonic.get(key)
        if beginning and (beginning.closing or beginning.phase is not Phase.EMBRYONIC):
            del self._embryonic[key]
        if not self._census:
            return
        client_key = self._client_key(key)
        flow = self._flows[client_key]
        if flow.closing is not None:
            self._census.end(client_key)
        elif flow.phase is not Phase.EMBRYONIC:
            self._census.establish(client_key)

    def forget(self, key: Key) -> None:
        """Forget a flow.

        Args:
            key: of its packets, either direction.
        """
        client_key = self._client_key(key)
        flow = self._flows.pop(client_key)
        self._embryonic.pop(client_key, None)
        self._census.end(client_key)
        if isinstance(flow, Connection):
            flow.let_go()

    def close_idle(self, now: float) -> None:
        """Close and forget flows that have been idle too long.

        Args:
            now: the time, seconds.
        """
        current = int(now) // _GRAIN
        if current == self._looked_at:
            return
        self._looked_at = current
        for due in sorted(moment for moment in self._deadlines if moment < current):
            for key in dict.fromkeys(self._deadlines.pop(due)):
                flow = self._flows.get(key)
                if flow is None:
                    continue
                if flow.deadline <= now:
                    flow.close(Closing.TIMEOUT, now)
                    self.forget(key)
                else:
                    self._watch(key, flow, now)

    def _watch(self, key: Key, flow: AnyFlow, now: float) -> None:
        due = min(flow.deadline, now + _LOOK)  # an end brings the deadline nearer
        keys = self._deadlines.setdefault(int(due) // _GRAIN, [])
        if len(keys) >= 2 * len(self._flows):  # most are of flows that are gone, or there twice
            keys[:] = [key for key in dict.fromkeys(keys) if key in self._flows]
        keys.append(key)

    def _client_key(self, key: Key) -> Key:
        return key if key in self._flows else turned(key)


def turned(key: Key) -> Key:
    """The key of the other direction.

    Args:
        key: of one direction.
    """
    return key[6:12] + key[:6] + key[12:]


def key_of(
    protocol: int, source: int, source_port: int, destination: int, destination_port: int, mark: int
) -> Key:
    """The key of a flow's packets of one direction; in bytes it is small, and soon made.

    Args:
        protocol: IP protocol number.
        source: address of their source.
        source_port: its port, 0 for protocols without.
        destination: address of their destination.
        destination_port: likewise.
        mark: the connection mark.
    """
    return _KEY.pack(source, source_port, destination, destination_port, protocol, mark)
