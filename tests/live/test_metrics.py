"""Metrics as Prometheus reads them, and the dashboard that shows them."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from appliance.errors import PixguardError
from appliance.live.counters import TIMES, Counters, QueueState, Usage
from appliance.live.meter import Meter
from appliance.live.metrics import Metrics, serve_metrics
from appliance.verdict import DROP, FORWARD

DASHBOARD = Path(__file__).parents[2] / "packaging" / "grafana-dashboard.json"


def counted() -> Counters:
    meter = Meter()
    meter.count(100, FORWARD, 0.00007)
    meter.count(200, FORWARD, TIMES[1])  # a bound belongs to the class below it
    meter.count(300, DROP, 5.0)
    counters = meter.read()
    counters.count_event("packet-denied")
    counters.count_denial("106023")
    return counters


@dataclass
class Told:
    state: dict[str, Any] = field(
        default_factory=lambda: {
            "process": 1,
            "since": 1000.0,
            "configuration": {"hash": "0123456789abcdef", "release": "6.3"},
            "reloads": {"good": 2, "bad": 1, "failure": ""},
            "total": {},
            "workers": [
                {
                    "queue": 2500,
                    "process": 2,
                    "answers": True,
                    "restarts": 3,
                    **asdict(Usage(4, 5, 6)),
                    **asdict(counted()),
                }
            ],
            "refusing": False,
            "syslog": {"sent": 7, "lost": 8},
            "away": [],
            "queues": [asdict(QueueState(2500, 9, 10, 11))],
        }
    )


def samples(told: Told) -> dict[str, float]:
    registry = CollectorRegistry()
    registry.register(Metrics(told))
    text = generate_latest(registry).decode()
    return {
        sample.name + "".join(f" {value}" for value in sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_what_is_counted_is_told() -> None:
    found = samples(Told())
    assert found["pixguard_packets_total 2500 forwarded"] == 2
    assert found["pixguard_packets_total 2500 dropped"] == 1
    assert found["pixguard_octets_total 2500"] == 600
    assert found["pixguard_denied_packets_total 106023 2500"] == 1
    assert found["pixguard_events_total packet-denied 2500"] == 1
    assert found["pixguard_connections 2500"] == 4
    assert found["pixguard_worker_restarts_total 2500"] == 3
    assert found["pixguard_queue_packets 2500"] == 9
    assert found["pixguard_queue_dropped_packets_total 2500"] == 10
    assert found["pixguard_reloads_total bad"] == 1
    assert found["pixguard_syslog_messages_total lost"] == 8
    (info,) = (each for each in found if each.startswith("pixguard_info"))
    assert "0123456789abcdef" in info


def test_times_are_told_as_a_histogram() -> None:
    found = samples(Told())
    assert found["pixguard_packet_seconds_bucket 5e-05 2500"] == 0
    assert found["pixguard_packet_seconds_bucket 0.0001 2500"] == 2
    assert found["pixguard_packet_seconds_bucket 0.1 2500"] == 2
    assert found["pixguard_packet_seconds_bucket +Inf 2500"] == 3
    assert found["pixguard_packet_seconds_count 2500"] == 3
    assert found["pixguard_packet_seconds_sum 2500"] == pytest.approx(5.00017)


def test_counters_of_several_workers_are_added() -> None:
    both = counted() + counted()
    assert sum(both.times) == both.packets == 6
    assert both.denials == {"106023": 2}
    assert counted() + Counters() == counted()


def test_the_dashboard_asks_for_metrics_that_are_there() -> None:
    dashboard = json.loads(DASHBOARD.read_text())
    asked = {
        name
        for panel in dashboard["panels"]
        for target in panel["targets"]
        for name in re.findall(r"pixguard_\w+", target["expr"])
    }
    told = {name.split(" ")[0] for name in samples(Told())}
    assert asked <= told
    parts = ("_bucket", "_sum", "_count")
    shown = {re.sub("|".join(f"{part}$" for part in parts), "", name) for name in asked}
    left_out = {re.sub("|".join(f"{part}$" for part in parts), "", name) for name in told} - shown
    assert left_out == {
        "pixguard_released_packets_total",
        "pixguard_suppressed_lines_total",
        "pixguard_refusing_connections",
    }


def test_an_address_that_is_taken_is_told() -> None:
    with serve_metrics("127.0.0.1", 0, Told()):
        pass
    told = r"cannot serve metrics on 192\.0\.2\.1:9461: .*; `metrics` in the box file names"
    with (
        pytest.raises(PixguardError, match=told),
        serve_metrics("192.0.2.1", 9461, Told()),
    ):
        raise AssertionError("nobody can listen there")
