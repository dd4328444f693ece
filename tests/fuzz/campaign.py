"""A campaign: targets fuzzed one after the other, and what was found."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from tests.fuzz.target import HERE, Target

MEMORY = 2048
"""MiB that a target may take."""

SLOW = 20
"""Seconds that one input may take."""

_RUNS = re.compile(r"^(?:stat::number_of_executed_units: +|Done )(\d+)", re.MULTILINE)
_COUNTED = re.compile(r"^#(\d+)\t", re.MULTILINE)
_DONE = re.compile(r"^Done \d+ runs", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of fuzzing one target.

    Args:
        executions: how many inputs it was given.
        found: the inputs at which something was wrong.
        log: all that the fuzzer said.
        ended: whether the fuzzer ran to its end, or stopped at what it had found.
    """

    executions: int
    found: tuple[Path, ...]
    log: str
    ended: bool


def fuzz(target: Target, seconds: int, seed: int, work: Path) -> Outcome:
    """Fuzz a target until time is up, or until something is found.

    Args:
        target: the target.
        seconds: for how long.
        seed: what the fuzzer's random choices begin with.
        work: directory to keep in what the fuzzer makes.
    """
    grown, found = work / "corpus" / target.name, work / "found" / target.name
    for directory in (grown, found):
        directory.mkdir(parents=True, exist_ok=True)
    words = work / f"{target.name}.dict"
    words.write_text("".join(_dictionary(target)))
    known = set(found.iterdir())
    seeds = [str(path) for path in (target.corpus, target.found) if path.is_dir()]
    command = [
        *(sys.executable, "-m", "tests.fuzz.fuzzer", target.module, str(grown), *seeds),
        *(f"-max_total_time={seconds}", f"-seed={seed}", f"-dict={words}"),
        *(f"-rss_limit_mb={MEMORY}", f"-timeout={SLOW}", f"-artifact_prefix={found}/"),
        "-print_final_stats=1",
    ]
    log = work / f"{target.name}.log"
    with log.open("wb") as file:
        done = subprocess.run(
            command,
            cwd=HERE.parents[1],
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            check=False,
        )
    said = log.read_text(errors="replace")
    counts = _RUNS.findall(said) or _COUNTED.findall(said) or ["0"]
    return Outcome(
        executions=int(counts[-1]),
        found=tuple(sorted(set(found.iterdir()) - known)),
        log=said,
        ended=done.returncode == 0 and bool(_DONE.search(said)),
    )


def _dictionary(target: Target) -> Iterator[str]:
    """The lines of a libFuzzer dictionary with a target's words."""
    for word in import_module(target.module).WORDS:
        yield '"' + "".join(f"\\x{byte:02x}" for byte in word) + '"\n'
