"""`pixguard lab`: three namespaces, a few sessions, and what became of them."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import time
from contextlib import nullcontext
from pathlib import Path

import click
from rich.console import Console
from rich.text import Text

from appliance.errors import PixguardError, printable
from appliance.interruption import interruptible, left_to_the_foreground
from appliance.lab.demonstration import Demonstration
from appliance.lab.hits import read_hits
from appliance.lab.lab import Lab
from appliance.lab.rules import check_rules, ready_example
from appliance.lab.topology import CLIENT, INSIDE, OUTSIDE, SERVER, SERVER_MAPPED
from appliance.lab.view import WIDTH, exchanges, show_exchange

FRESH = 1.0
"""Seconds after which counters and log have all that has happened before."""

EXAMPLE = "pix-6.3.conf"

NO_COMMAND = 127
"""The exit code of a shell that does not find a command."""


def run_lab(
    config: Path | None,
    server: str | None,
    keep: bool,
    command: tuple[str, ...],
    name: str,
) -> int:
    """Put up the lab, run the sessions or a command in it, and show what happened.

    Args:
        config: the rule file, None for the ready example.
        server: command of a mail server, None for the lab's own.
        keep: whether the lab is left standing.
        command: a command to run in the client's namespace instead of the sessions.
        name: what the names of its namespaces begin with.

    Returns:
        the exit code: the command's, or 127 if there is no such command; without one, 0 if the
        sessions went as they should, else 1.

    Raises:
        PixguardError: the lab cannot be put up.
    """
    rules = config or ready_example(EXAMPLE)
    check_rules(rules)
    if command and not shutil.which(command[0]):
        click.echo(f"pixguard: there is no command {printable(command[0])!r}", err=True)
        return NO_COMMAND
    lab = Lab(rules, prefix=name, server=_split(server), keep=keep)
    console = make_console()
    with interruptible() as ending:
        try:
            with lab:
                code = _run(lab, rules, console, command)
                if keep:
                    _tell_how_to_go_on(lab, console)
                return code
        except BaseException:
            if not ending:
                raise
            lab.close()  # the signal may have come in the midst of it
            console.print("interrupted; the lab is removed")
            return ending.exit_code


def make_console() -> Console:
    """A console for standard output; plain text of a fixed width if that is no terminal."""
    terminal = sys.stdout.isatty()
    return Console(width=None if terminal else WIDTH, highlight=False, markup=False)


def _split(server: str | None) -> tuple[str, ...]:
    if server is None:
        return ()
    try:
        words = tuple(shlex.split(server))
    except ValueError as error:
        raise PixguardError(f"--server {server!r}: {error}") from error
    if not words or not shutil.which(words[0]):
        raise PixguardError(f"--server: there is no command {words[0] if words else ''!r}")
    return words


def _run(lab: Lab, rules: Path, console: Console, command: tuple[str, ...]) -> int:
    console.print(
        f"client {CLIENT} --- outside {OUTSIDE} [firewall] {INSIDE} inside --- server {SERVER}\n"
        f"outside, the server is {SERVER_MAPPED}; rules: {rules}\n",
        soft_wrap=True,
    )
    if command:
        code = _run_command(lab, command)
        console.print()
        near, far = lab.client_tap.settle(), lab.server_tap.settle()
        own = [each for each in exchanges(near, far) if str(each.client.client.address) == CLIENT]
        for exchange in own:
            if exchange.rows():
                show_exchange(console, "A connection from outside", exchange)
        if not own:
            console.print("no connections\n")
        _show_state(lab, rules, console)
        return code
    demonstration = Demonstration(lab, rules, console)
    demonstration.play()
    _show_state(lab, rules, console)
    return 0 if demonstration.judge() else 1


def _run_command(lab: Lab, command: tuple[str, ...]) -> int:
    sys.stdout.flush()
    interactive = os.isatty(sys.stdin.fileno())
    with left_to_the_foreground() if interactive else nullcontext():
        process = subprocess.Popen(lab.client.command(*command))
        try:
            code = process.wait()
        except BaseException:
            process.terminate()
            raise
    return code if code >= 0 else 128 - code


def _show_state(lab: Lab, rules: Path, console: Console) -> None:
    time.sleep(FRESH)
    _heading(console, "The firewall's log")
    for line in lab.log():
        console.print(line, soft_wrap=True)
    console.print()
    _heading(console, "Counters")
    counters = lab.counters()
    total = counters["total"]
    events = total["events"]
    built, closed = (events.get(f"connection-{each}", 0) for each in ("built", "closed"))
    console.print(f"{built} inspected connections built, {closed} closed")
    console.print(
        f"{total['packets']} packets to inspection: {total['forwarded']} forwarded as they came, "
        f"{total['edited']} edited, {total['dropped']} dropped; {total['released']} sent by the "
        "firewall",
        soft_wrap=True,
    )
    for kind, count in sorted(events.items()):
        if not kind.startswith("connection-"):
            console.print(f"{count:>5}  {kind}")
    for queue in counters["queues"]:
        console.print(
            f"queue {queue['number']}: {queue['waiting']} waiting, {queue['dropped']} dropped "
            f"when full, {queue['overflowed']} lost"
        )
    console.print("rules, by packets (the first of each connection, and those sent again):")
    for hits in read_hits(lab.router, rules):
        console.print(f"{hits.count:>5}  {hits.rule}", soft_wrap=True)
    console.print()


def _heading(console: Console, title: str) -> None:
    console.print(Text(title, style="bold"))


def _tell_how_to_go_on(lab: Lab, console: Console) -> None:
    namespaces = (lab.client, lab.router, lab.server)
    names = [each.name for each in namespaces]
    processes = [number for each in namespaces for number in each.processes()]
    console.print(
        "The lab is left standing. Enter it:\n"
        + "".join(f"    ip netns exec {name} bash\n" for name in names)
        + "The next lab of this name removes it; or, at once:\n"
        + f"    kill {' '.join(map(str, processes))}\n"
        + "".join(f"    ip netns delete {name}\n" for name in names)
        + f"    rm -r {lab.directory}",
        soft_wrap=True,
    )
