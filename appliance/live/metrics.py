"""What the appliance tells of itself, as metrics for Prometheus."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import accumulate
from typing import Any, Protocol

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from appliance import __version__
from appliance.errors import PixguardError
from appliance.live.counters import TIMES

_WORKER = ("queue",)

_COUNTERS = {
    "octets": ("pixguard_octets", "Bytes of the packets taken from the queue."),
    "released": ("pixguard_released_packets", "Packets sent by the firewall itself."),
    "unsent": ("pixguard_unsent_packets", "Packets that it could not send."),
    "faults": ("pixguard_faults", "Packets dropped because judging them failed."),
    "lost_lines": ("pixguard_lost_lines", "Log lines that found no room."),
    "suppressed_lines": ("pixguard_suppressed_lines", "Log lines that came too often."),
    "restarts": ("pixguard_worker_restarts", "Workers started in the place of a dead one."),
}
_GAUGES = {
    "answers": ("pixguard_worker_up", "Whether the worker judges packets."),
    "connections": ("pixguard_connections", "Connections known, those just closed included."),
    "held": ("pixguard_held_bytes", "Bytes of packets held out of order."),
    "remembered": ("pixguard_remembered_bytes", "Bytes remembered of what was forwarded."),
}
_QUEUE_COUNTERS = {
    "dropped": ("pixguard_queue_dropped_packets", "Packets dropped by a full queue."),
    "overflowed": ("pixguard_queue_overflowed_packets", "Packets dropped by a full socket."),
}
_BOUNDS = [*(f"{bound:g}" for bound in TIMES), "+Inf"]


class Told(Protocol):
    """Who has the numbers."""

    state: dict[str, Any]
    """As in the counters' file: docs/live.md, Counters."""


class Metrics(Collector):
    """Makes metrics of the numbers as they are when somebody asks.

    Args:
        told: who has the numbers.
    """

    def __init__(self, told: Told) -> None:
        self._told = told

    def collect(self) -> Iterable[Metric]:
        """All metrics."""
        state = self._told.state
        yield InfoMetricFamily(
            "pixguard",
            "The program, and the configuration in force.",
            {"version": __version__, **state["configuration"]},
        )
        yield GaugeMetricFamily(
            "pixguard_start_time_seconds", "When the appliance started.", state["since"]
        )
        reloads = CounterMetricFamily(
            "pixguard_reloads", "Reloads, by what became of them.", labels=("outcome",)
        )
        for outcome in ("good", "bad"):
            reloads.add_metric((outcome,), state["reloads"][outcome])
        yield reloads
        syslog = CounterMetricFamily(
            "pixguard_syslog_messages", "Messages to syslog servers.", labels=("outcome",)
        )
        for outcome in ("sent", "lost"):
            syslog.add_metric((outcome,), state["syslog"][outcome])
        yield syslog
        yield GaugeMetricFamily(
            "pixguard_refusing_connections",
            "Whether no connection may begin, since a syslog server is away.",
            float(state["refusing"]),
        )
        yield from _of_workers(state["workers"])
        yield from _of_queues(state["queues"])


def _of_workers(workers: list[dict[str, Any]]) -> Iterator[Metric]:
    packets = CounterMetricFamily(
        "pixguard_packets", "Packets judged, by verdict.", labels=("queue", "verdict")
    )
    events = CounterMetricFamily("pixguard_events", "Events, by kind.", labels=("queue", "kind"))
    denials = CounterMetricFamily(
        "pixguard_denied_packets",
        "Denied packets that were told of, by the message that they draw.",
        labels=("queue", "message"),
    )
    times = HistogramMetricFamily(
        "pixguard_packet_seconds", "Time spent on a packet.", labels=_WORKER
    )
    families = {
        key: CounterMetricFamily(*names, labels=_WORKER) for key, names in _COUNTERS.items()
    } | {key: GaugeMetricFamily(*names, labels=_WORKER) for key, names in _GAUGES.items()}
    for worker in workers:
        queue = str(worker["queue"])
        for verdict in ("forwarded", "edited", "dropped"):
            packets.add_metric((queue, verdict), worker[verdict])
        for kind, number in worker["events"].items():
            events.add_metric((queue, kind), number)
        for message, number in worker["denials"].items():
            denials.add_metric((queue, message), number)
        buckets = list(zip(_BOUNDS, accumulate(worker["times"]), strict=True))
        times.add_metric((queue,), buckets, worker["seconds"])
        for key, family in families.items():
            family.add_metric((queue,), float(worker[key]))
    yield from (packets, events, denials, times, *families.values())


def _of_queues(queues: list[dict[str, int]]) -> Iterator[Metric]:
    waiting = GaugeMetricFamily(
        "pixguard_queue_packets", "Packets that wait in the kernel.", labels=_WORKER
    )
    dropped = {
        key: CounterMetricFamily(*names, labels=_WORKER) for key, names in _QUEUE_COUNTERS.items()
    }
    for queue in queues:
        label = (str(queue["number"]),)
        waiting.add_metric(label, queue["waiting"])
        for key, family in dropped.items():
            family.add_metric(label, queue[key])
    yield from (waiting, *dropped.values())


@contextmanager
def serve_metrics(address: str, port: int, told: Told) -> Iterator[None]:
    """Answer whoever asks for metrics, in a thread, for the length of a `with` block.

    Args:
        address: IPv4 address to listen on.
        port: TCP port.
        told: who has the numbers.

    Raises:
        PixguardError: nobody can listen there.
    """
    registry = CollectorRegistry()
    registry.register(Metrics(told))
    try:
        server, thread = start_http_server(port, address, registry)
    except OSError as error:
        raise PixguardError(
            f"cannot serve metrics on {address}:{port}: {error.strerror}; "
            "`metrics` in the box file names the address"
        ) from error
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
