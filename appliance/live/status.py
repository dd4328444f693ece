"""`pixguard status`: whether the appliance does what it is for, for people and for monitoring."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from enum import IntEnum
from pathlib import Path
from typing import Any

import click

from appliance.box import Box, load_box
from appliance.errors import PixguardError, printable
from appliance.live.state import counters_file, is_running
from appliance.live.supervisor import SILENCE

_FULL = 0.9
"""Part of a queue that is in use when it is told of."""


class Health(IntEnum):
    """How the appliance is; the value is the exit code."""

    HEALTHY = 0
    DEGRADED = 1
    NOT_RUNNING = 2


def print_status(box_file: Path, as_json: bool) -> int:
    """Say how the appliance of this network namespace is.

    Args:
        box_file: its box file.
        as_json: whether to print a JSON object.

    Returns:
        the exit code, a value of Health.

    Raises:
        PixguardError: the box file is wrong, or the state directory cannot be read.
    """
    box = load_box(box_file)
    state = _read(box)
    if state is None:
        health, problems = Health.NOT_RUNNING, ["no appliance is running"]
    else:
        problems = list(_problems(box, state, time.time()))
        health = Health.DEGRADED if problems else Health.HEALTHY
    if as_json:
        name = health.name.lower().replace("_", "-")
        click.echo(json.dumps({"health": name, "problems": problems, **(state or {})}))
    else:
        for line in _lines(problems, state):
            click.echo(printable(line))
    return health


def _read(box: Box) -> dict[str, Any] | None:
    if not is_running(box.state):
        return None
    path = counters_file(box.state)
    try:
        state: dict[str, Any] = json.loads(path.read_bytes())
        state["written"] = path.stat().st_mtime
    except FileNotFoundError:
        return {"starting": True}
    except (OSError, ValueError) as error:
        raise PixguardError(f"{path}: cannot read it: {error}") from error
    return state


def _problems(box: Box, state: dict[str, Any], now: float) -> Iterator[str]:
    if "starting" in state:
        yield "the appliance is starting"
        return
    if now - state["written"] > SILENCE:
        yield f"the supervisor has said nothing for {now - state['written']:.0f} s"
    for worker in state["workers"]:
        if not worker["answers"]:
            yield f"the worker of queue {worker['queue']} does not answer"
    for queue in state["queues"]:
        if queue["waiting"] > _FULL * box.queue_length:
            yield f"queue {queue['number']} is nearly full: {queue['waiting']} packets wait"
    for server in state["away"]:
        refused = "no connection may begin" if state["refusing"] else "nothing is lost but the log"
        yield f"the syslog server {server} is away: {refused}"
    if state["reloads"]["failure"]:
        yield f"the last reload failed: {state['reloads']['failure']}"


def _lines(problems: list[str], state: dict[str, Any] | None) -> Iterator[str]:
    yield from (line for problem in problems for line in problem.split("\n"))
    if state is None or "starting" in state:
        return
    if not problems:
        yield "all is well"
    since = time.strftime("%b %d %Y %H:%M:%S", time.localtime(state["since"]))
    configuration, reloads, total = state["configuration"], state["reloads"], state["total"]
    yield (
        f"up since {since}, process {state['process']}; inspects as release "
        f"{configuration['release']}, configuration {configuration['hash']}"
    )
    yield f"reloads: {reloads['good']} good, {reloads['bad']} bad"
    yield (
        f"packets: {total['packets']:,} inspected, {total['forwarded']:,} as they came, "
        f"{total['edited']:,} edited, {total['dropped']:,} dropped, {total['faults']:,} faults"
    )
    waiting = {queue["number"]: queue for queue in state["queues"]}
    for worker in state["workers"]:
        queue = waiting.get(worker["queue"], {"waiting": 0, "dropped": 0, "overflowed": 0})
        yield (
            f"worker of queue {worker['queue']}: process {worker['process'] or 'none'}, "
            f"{worker['restarts']} restarts, {worker['connections']:,} connections; "
            f"{queue['waiting']:,} packets wait, {queue['dropped'] + queue['overflowed']:,} lost"
        )
