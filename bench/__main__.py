"""`python -m bench`: run everything and print the tables."""

from __future__ import annotations

import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import click

from appliance.errors import PixguardError
from appliance.lab.lab import require_tools
from appliance.lab.topology import Topology
from bench.dialogue import State
from bench.live import Sample, Size, measure
from bench.modes import MODES, NULL, PIX, PLAIN, Mode
from bench.network import call, python, require_compiled
from bench.offline import replay, seconds, tshark, write_capture
from bench.report import live_table, machine, ratios, table

PREFIX = "pixbench"
AGAIN = 2
"""How often a noisy round is repeated."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is measured.

    Args:
        rounds: of each live mode.
        modes: the live modes.
        size: of a round.
        idle: connections whose memory is measured.
        growth: numbers of connections at which the cost of a packet is measured.
        mails: in the capture.
    """

    rounds: int
    modes: tuple[Mode, ...]
    size: Size
    idle: int
    growth: tuple[int, ...]
    mails: int

    @property
    def engines(self) -> tuple[Mode, ...]:
        """The engines, one worker each, whose memory and growth are measured."""
        return tuple(mode for mode in self.modes if mode.release and mode == mode.alone)


WHOLE = Plan(5, MODES, Size(6000, 24000, 1000, 60), 50_000, (10, 1000, 50_000), 4000)
SMALL = Plan(1, (PLAIN, NULL, PIX), Size(200, 400, 50, 0), 500, (10, 500), 50)


@click.command()
@click.option("--small", is_flag=True, help="A little of everything, to see that it works.")
@click.option("--rounds", type=click.IntRange(1, 50), help="Rounds of each mode.  [default: 5]")
def main(small: bool, rounds: int | None) -> None:
    """Measure what the firewall costs, in namespaces of the bench's own; as root.

    Prints tables in Markdown. Compare numbers of one run only.
    """
    plan = SMALL if small else WHOLE
    try:
        require_tools()
        if any(mode.compiled for mode in plan.modes):
            require_compiled()
        print(f"{machine()}\n", flush=True)
        samples = _live(plan, rounds or plan.rounds)
        print(live_table(samples), ratios(samples), sep="\n\n", end="\n\n", flush=True)
        print(_memory(plan), _growth(plan), _offline(plan), sep="\n\n")
    except PixguardError as error:
        print(f"bench: {error}", file=sys.stderr)
        sys.exit(1)


def _live(plan: Plan, rounds: int) -> dict[Mode, list[Sample]]:
    """Rounds of all modes in turn."""
    samples: dict[Mode, list[Sample]] = {mode: [] for mode in plan.modes}
    topology = Topology(PREFIX)
    try:
        topology.build()
        for number in range(rounds):
            for mode in plan.modes:
                print(f"round {number + 1} of {rounds}: {mode.name}", file=sys.stderr)
                sample = measure(mode, topology, plan.size)
                for _ in range(AGAIN if plan.size.patience else 0):
                    if sample.noisy:
                        print("  noisy, again", file=sys.stderr)
                        sample = measure(mode, topology, plan.size)
                samples[mode].append(sample)
    finally:
        topology.demolish()
    return samples


def _engine(engine: Mode, *arguments: str) -> float:
    """What `bench.engine` measures, in a process of its own."""
    return float(call(None, python("bench.engine", *arguments, compiled=engine.compiled)))


def _memory(plan: Plan) -> str:
    engines = plan.engines
    headings = (
        f"bytes a connection, {plan.idle:,} idle ones",
        *(engine.name for engine in engines),
    )
    rows = [
        [
            state.name.lower(),
            *(
                f"{_engine(engine, 'memory', engine.release, state.name, str(plan.idle)):,.0f}"
                for engine in engines
            ),
        ]
        for state in State
    ]
    return table(headings, rows)


def _growth(plan: Plan) -> str:
    headings = ("engine, CPU µs a packet", *(f"{number:,} connections" for number in plan.growth))
    rows = []
    for engine in plan.engines:
        costs = [
            median(_engine(engine, "packet", engine.release, str(number)) for _ in range(3))
            for number in plan.growth
        ]
        rows.append([engine.name, *(f"{cost:.2f}" for cost in costs)])
    return table(headings, rows)


def _offline(plan: Plan) -> str:
    with tempfile.TemporaryDirectory() as directory:
        capture = write_capture(Path(directory) / "mails.pcap", plan.mails)
        commands = {"pixguard replay": replay(capture)}
        if any(engine.compiled for engine in plan.engines):
            commands["pixguard replay, compiled"] = replay(capture, compiled=True)
        commands["tshark"] = tshark(capture)
        rows = []
        for name, command in commands.items():
            took = median(seconds(command) for _ in range(3))
            rows.append(
                [name, f"{capture.packets / took:,.0f}", f"{capture.size / took / 1e6:.1f}"]
            )
    return table(("capture", "packets/s", "MB/s"), rows)


if __name__ == "__main__":
    main()
