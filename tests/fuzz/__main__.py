"""`make fuzz`: every target, each for some time; exit 0 if nothing was found, 1 if something was,
2 if it cannot be run here.
"""

from __future__ import annotations

import argparse
import platform
import secrets
import sys
from importlib.util import find_spec
from pathlib import Path

from tests.fuzz.campaign import fuzz
from tests.fuzz.target import HERE, TARGETS, WORK

ROOT = HERE.parents[1]
_LAST_LINES = 30


def main() -> int:
    """Run a campaign as the command line says."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz")
    parser.add_argument("--time", type=int, default=60, help="seconds for each target")
    parser.add_argument(
        "--seed",
        type=int,
        default=secrets.randbelow(1 << 31) + 1,
        help="what the fuzzer's random choices begin with; by default any",
    )
    parser.add_argument("--work", type=Path, default=WORK, help="where to keep what is made")
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"of {', '.join(TARGETS)}")
    arguments = parser.parse_args()
    if arguments.time < 1:
        parser.error("--time is a number of seconds, 1 or more")
    for name in arguments.targets:
        if name not in TARGETS:
            parser.error(f"there is no target {name!r}; there are {', '.join(TARGETS)}")
    if find_spec("atheris") is None:
        print(
            f"fuzz: there is no atheris for Python {platform.python_version()} on "
            f"{platform.machine()}; there is for 3.11 to 3.14 on x86_64",
            file=sys.stderr,
        )
        return 2
    status = 0
    for name in arguments.targets or TARGETS:
        print(f"{name}: {arguments.time} s, seed {arguments.seed}", flush=True)
        outcome = fuzz(TARGETS[name], arguments.time, arguments.seed, arguments.work.resolve())
        print(f"{name}: {outcome.executions} executions", flush=True)
        for path in outcome.found:
            print(f"{name}: found {_named(path)}")
        if outcome.found or not outcome.ended:
            status = 1
            print("".join(f"    {line}\n" for line in outcome.log.splitlines()[-_LAST_LINES:]))
    return status


def _named(path: Path) -> Path:
    return path.relative_to(ROOT) if path.is_relative_to(ROOT) else path


sys.exit(main())
