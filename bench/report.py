"""The measurements as tables: medians, ranges and ratios."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from bench.live import Sample
from bench.modes import NULL, PLAIN, Mode


@dataclass(frozen=True, slots=True)
class Measure:
    """A column of the table of the live modes.

    Args:
        title: its heading.
        of: the number in a sample.
        digits: behind the decimal point.
    """

    title: str
    of: Callable[[Sample], float]
    digits: int = 0

    def cell(self, samples: Sequence[Sample]) -> str:
        """The median and, in brackets, the range of more than one."""
        numbers = [self.of(each) for each in samples]
        middle, low, high = (
            f"{each:,.{self.digits}f}" for each in (median(numbers), min(numbers), max(numbers))
        )
        return f"{middle} ({low} to {high})" if len(numbers) > 1 else middle


MEASURES = (
    Measure("sessions/s", lambda sample: sample.sessions),
    Measure("CPU µs/session", lambda sample: sample.session_cpu),
    Measure("CPUs busy", lambda sample: sample.busy, 2),
    Measure("mail in, MB/s", lambda sample: sample.inward),
    Measure("CPU ms/MB", lambda sample: sample.inward_cpu, 2),
    Measure("mail out, MB/s", lambda sample: sample.outward),
    Measure("CPU ms/MB", lambda sample: sample.outward_cpu, 2),
    Measure("session alone, ms", lambda sample: sample.latency, 2),
    Measure("99th percentile, ms", lambda sample: sample.latency_99, 2),
)


def table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table in Markdown.

    Args:
        headings: of its columns.
        rows: their cells.
    """
    lines = [headings, ["---"] * len(headings), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def live_table(samples: dict[Mode, list[Sample]]) -> str:
    """Each mode's measurements.

    Args:
        samples: one for each round.
    """
    rows = [
        [mode.name, *(measure.cell(taken) for measure in MEASURES)]
        for mode, taken in samples.items()
    ]
    return table(["", *(measure.title for measure in MEASURES)], rows)


def ratios(samples: dict[Mode, list[Sample]]) -> str:
    """Each mode of pixguard beside the plain kernel and the null firewall, in the same run.

    Args:
        samples: one for each round; both others are among them.
    """

    def middle(mode: Mode, of: Callable[[Sample], float]) -> float:
        return median(of(each) for each in samples[mode])

    rows = []
    for mode in samples:
        if mode in (PLAIN, NULL):
            continue
        added, added_by_null = (
            middle(each, lambda sample: sample.latency)
            - middle(PLAIN, lambda sample: sample.latency)
            for each in (mode, NULL)
        )
        of_one = middle(mode, _sessions) / middle(mode.alone, _sessions)
        rows.append(
            [
                mode.name,
                _ratio(middle(mode, _cpu), middle(NULL, _cpu)),
                _ratio(middle(mode, _inward), middle(NULL, _inward)),
                _ratio(middle(mode, _inward), middle(PLAIN, _inward)),
                _ratio(added, added_by_null),
                f"{of_one:.2f}" if mode.workers > 1 else "",
            ]
        )
    headings = (
        "",
        "CPU a session / null",
        "bulk / null",
        "bulk / plain",
        "latency added / null's",
        "sessions / one worker",
    )
    return table(headings, rows)


def _sessions(sample: Sample) -> float:
    return sample.sessions


def _cpu(sample: Sample) -> float:
    return sample.session_cpu


def _inward(sample: Sample) -> float:
    return sample.inward


def _ratio(one: float, other: float) -> str:
    return f"{one / other:.2f}" if other else "-"


def machine() -> str:
    """The machine in a line."""
    cpus = Path("/proc/cpuinfo").read_text().split("\n")
    model = next((line.split(":")[1].strip() for line in cpus if "model name" in line), "")
    memory = int(Path("/proc/meminfo").read_text().split()[1]) / (1 << 20)
    return (
        f"{len(os.sched_getaffinity(0))} CPUs ({model or platform.machine()}), {memory:.0f} GiB, "
        f"Linux {platform.release()}, Python {platform.python_version()}"
    )
