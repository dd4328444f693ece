"""The supervisor: starts the workers, keeps them running, tells them what is in force."""

from __future__ import annotations

import hashlib
import json
import os
import selectors
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from types import FrameType
from typing import Any, TypeAlias

from pydantic import TypeAdapter

from appliance.box import Box
from appliance.config.model import Configuration
from appliance.errors import PixguardError
from appliance.live.counters import Counters, Usage, read_queues
from appliance.live.log import Log
from appliance.live.messages import (
    Channel,
    Configure,
    Configured,
    Count,
    Failed,
    Faulted,
    HandOver,
    LogLine,
    Message,
    Recorded,
    Stop,
)
from appliance.live.notify import Heartbeat
from appliance.live.state import (
    connections_file,
    counters_file,
    discard_connections,
    fault_file,
    write,
)

START_PATIENCE = 60.0
"""Seconds that a worker has to start or to take a configuration; an emulated processor takes 25."""

PATIENCE = 15.0
"""Seconds that a worker has to end."""

LAST_PATIENCE = 2.0
"""Seconds between a worker's last word and its being killed."""

SILENCE = 10.0
"""Seconds after which a worker that has a configuration and says nothing is taken to hang."""

RESTART_AFTER = 1.0
"""Seconds between the death of a worker and its successor's start."""

FAULTS_KEPT = 8
"""Failures of the engine of which what is needed to repeat them is kept."""

_ENDS = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1)

COUNT_EVERY = 0.5
"""Seconds between two writings of the counters."""


State: TypeAlias = dict[str, Any]
"""What the appliance tells of itself: docs/live.md, Counters."""


@dataclass(slots=True)
class Reloads:
    """What became of reloads.

    Args:
        good: whose rule file is in force, or was.
        bad: after which the old one stayed in force.
        failure: why the last one was bad, "" if it was not.
    """

    good: int = 0
    bad: int = 0
    failure: str = ""

    def succeeded(self) -> None:
        """Count a good one."""
        self.good += 1
        self.failure = ""

    def failed(self, reason: str) -> None:
        """Count a bad one.

        Args:
            reason: why it was bad.
        """
        self.bad += 1
        self.failure = reason


def fingerprint(configuration: Configuration) -> str:
    """What tells a configuration from others: 16 hexadecimal digits.

    Args:
        configuration: the configuration.
    """
    return hashlib.sha256(_CONFIGURATION.dump_json(configuration)).hexdigest()[:16]


_CONFIGURATION = TypeAdapter(Configuration)


class WorkerProcess:
    """A worker as its supervisor sees it.

    Args:
        queue: number of its queue.
        connections: the file in which it writes its connections down for the one that takes its
            place.
    """

    def __init__(self, queue: int, connections: Path) -> None:
        self.queue = queue
        self._connections = connections
        self.restarts = 0
        self.counters = Counters()
        self.usage = Usage()
        self.configured = False
        self.failure = ""
        self.told_to_end = False
        self.heard_at = 0.0
        """When it last said something, on the monotonic clock."""
        self.start_at = 0.0
        """When to start it again, on the monotonic clock."""
        self._past = Counters()
        self.process: subprocess.Popen[bytes] | None = None
        self.channel: Channel

    @property
    def patience(self) -> float:
        """Seconds after which it is taken to hang if it says nothing."""
        return SILENCE if self.configured else START_PATIENCE

    def answers(self, now: float) -> bool:
        """Whether it judges packets, as far as anyone can tell.

        Args:
            now: time of the monotonic clock in seconds.
        """
        return bool(self.process) and self.configured and now < self.heard_at + SILENCE

    @property
    def total(self) -> Counters:
        """What this worker and those before it did."""
        return self._past + self.counters

    def start(self, taking_over: bool = False) -> None:
        """Start the process; it waits for its first configuration.

        Args:
            taking_over: whether it takes up what another worker has written down.

        Raises:
            PixguardError: the file for connections cannot be made.
        """
        own, its = socket.socketpair()
        flags = os.O_RDWR | os.O_CREAT | (0 if taking_over else os.O_TRUNC)
        try:
            connections = os.open(self._connections, flags, 0o600)
        except OSError as error:
            raise PixguardError(f"{self._connections}: {error.strerror}") from error
        try:
            self.process = subprocess.Popen(
                # -P: nothing is imported from the directory where the appliance was started.
                [sys.executable, "-P", "-m", "appliance.live", str(connections)],
                stdin=its.fileno(),
                stdout=subprocess.DEVNULL,
                pass_fds=(connections,),
                process_group=0,  # Ctrl-C is the supervisor's to act upon
            )
        finally:
            its.close()
            os.close(connections)
        self.channel = Channel(own)
        self.configured = False
        self.failure = ""
        self.heard_at = time.monotonic()

    def reap(self) -> int:
        """See a process that has closed its channel to its end.

        Returns:
            its exit code, negative for a signal.
        """
        if self.process is None:
            return 0
        self.channel.close()
        try:
            code = self.process.wait(LAST_PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            code = self.process.wait()
        self.process = None
        self._past = self.total
        self.counters = Counters()
        self.usage = Usage()
        return code


class Supervisor:
    """Runs workers until it is told to stop.

    Args:
        box: the machine.
        configuration: what is in force first.
        log: where log lines go.
    """

    def __init__(self, box: Box, configuration: Configuration, log: Log) -> None:
        self._box = box
        self._configuration = configuration
        self._log = log
        log.configure(configuration.logging)
        self._counters_file = counters_file(box.state)
        self._workers = [
            WorkerProcess(box.queue + number, connections_file(box.state, number))
            for number in range(box.workers)
        ]
        self._selector = selectors.DefaultSelector()
        self._wakeup, self._signalled = socket.socketpair()
        for end in (self._wakeup, self._signalled):
            end.setblocking(False)
        self._selector.register(self._wakeup, selectors.EVENT_READ)
        self._reload_wanted = self._reopening_wanted = False
        self._faults = 0
        self._written = ""
        self._count_at = 0.0
        self._reloads = Reloads()
        self._since = time.time()
        self._fingerprint = fingerprint(configuration)
        self.refusing = False
        """Whether no connection may begin, since a syslog server is away."""
        self.state: State = {}
        """What the counters' file has, for readers in other threads: replaced, never changed."""
        self.stopping = False
        """Whether SIGTERM, SIGINT or SIGUSR1 has come."""
        self.replaced = False
        """Whether SIGUSR1 has come: another appliance takes the place of this one."""

    def watch_signals(self) -> None:
        """From now on, note SIGTERM, SIGINT, SIGHUP, SIGUSR1 and SIGUSR2; `run` acts upon them."""
        signal.set_wakeup_fd(self._signalled.fileno(), warn_on_full_buffer=False)
        for number in (*_ENDS, signal.SIGHUP, signal.SIGUSR2):
            signal.signal(number, self._note)

    def _note(self, number: int, _frame: FrameType | None) -> None:
        if number == signal.SIGHUP:
            self._reload_wanted = True
            return
        if number == signal.SIGUSR2:
            self._reopening_wanted = True
            return
        if number == signal.SIGUSR1 and not self.stopping:
            self.replaced = True
        self.stopping = True

    def start(self, taking_over: bool) -> None:
        """Start the workers and wait until all of them judge packets.

        Args:
            taking_over: whether they take up the connections of another appliance.

        Raises:
            PixguardError: one of them cannot.
        """
        discard_connections(self._box.state, len(self._workers))
        for worker in self._workers:
            self._start(worker, taking_over)
        self._await_configured(self._workers)

    def configure(self, configuration: Configuration) -> None:
        """Have the workers treat new connections as a configuration says.

        A worker that has just died takes it when it is started again.

        Args:
            configuration: the configuration.

        Raises:
            PixguardError: one of them does not take it.
        """
        self._configuration = configuration
        self._fingerprint = fingerprint(configuration)
        self._log.configure(configuration.logging)
        alive = [worker for worker in self._workers if worker.process]
        for worker in alive:
            self._send_configuration(worker)
        self._await_configured(alive)

    def run(self, reload: Callable[[], None], look: Callable[[], None]) -> None:
        """Keep the workers running until SIGTERM, SIGINT or SIGUSR1.

        Args:
            reload: called on SIGHUP; its PixguardError is logged.
            look: called several times a second; its PixguardError is logged.
        """
        heartbeat = Heartbeat()
        while not self.stopping:
            if self._reopening_wanted:
                self._reopening_wanted = False
                self._attempt(self._log.reopen)
            if self._reload_wanted:
                self._reload_wanted = False
                try:
                    reload()
                except PixguardError as error:
                    self._reloads.failed(str(error))
                    self._log.write(f"pixguard: {error}")
                else:
                    self._reloads.succeeded()
            self._turn(COUNT_EVERY / 2)
            self._attempt(look)
            now = time.monotonic()
            for worker in self._workers:
                if worker.process is None and now >= worker.start_at:
                    worker.restarts += 1
                    self._start(worker)
                elif worker.process and now >= worker.heard_at + worker.patience:
                    worker.heard_at = now
                    worker.failure = f"it said nothing for {worker.patience:.0f} s"
                    worker.process.kill()
            if now >= self._count_at:
                self._count_at = now + COUNT_EVERY
                self.write_counters()
                heartbeat.beat(now, self._answering(now) == len(self._workers), self.status())

    def _attempt(self, act: Callable[[], None]) -> None:
        try:
            act()
        except PixguardError as error:
            self._log.write(f"pixguard: {error}")

    def status(self) -> str:
        """How the appliance is, in a line."""
        total = sum((worker.total for worker in self._workers), Counters())
        connections = sum(worker.usage.connections for worker in self._workers)
        answering = self._answering(time.monotonic())
        return (
            f"{answering} of {len(self._workers)} workers answer; {connections:,} connections, "
            f"{total.packets:,} packets inspected"
        )

    def _answering(self, now: float) -> int:
        return sum(worker.answers(now) for worker in self._workers)

    def stop(self) -> None:
        """End the workers and write their last counters; if replaced, connections too."""
        for worker in self._workers:
            if worker.process is not None:
                worker.channel.send(HandOver() if self.replaced else Stop())
                worker.told_to_end = True
        deadline = time.monotonic() + PATIENCE
        while any(each.process for each in self._workers) and time.monotonic() < deadline:
            self._turn(0.1)
        for worker in self._workers:
            if worker.process is not None:
                worker.process.kill()
                worker.reap()
        if not self.replaced:
            discard_connections(self._box.state)
        self.write_counters()
        self._selector.close()
        signal.set_wakeup_fd(-1)
        self._wakeup.close()
        self._signalled.close()

    def write_counters(self) -> None:
        """Write what was counted, if it has changed."""
        self.state = self._state(time.monotonic())
        content = json.dumps(self.state, indent=1)
        try:
            if content == self._written:
                os.utime(self._counters_file)  # what it says holds still
            else:
                write(self._counters_file, content)
        except OSError as error:
            self._log.write(f"pixguard: {self._counters_file}: {error.strerror}")
        self._written = content

    def _state(self, now: float) -> State:
        total = sum((worker.total for worker in self._workers), Counters())
        numbers = {worker.queue for worker in self._workers}
        return {
            "process": os.getpid(),
            "since": self._since,
            "configuration": {
                "hash": self._fingerprint,
                "release": self._box.inspect_as(self._configuration.version).name,
            },
            "reloads": asdict(self._reloads),
            "total": asdict(total),
            "workers": [
                {
                    "queue": worker.queue,
                    "process": worker.process.pid if worker.process else None,
                    "answers": worker.answers(now),
                    "restarts": worker.restarts,
                    **asdict(worker.usage),
                    **asdict(worker.total),
                }
                for worker in self._workers
            ],
            "refusing": self.refusing,
            "syslog": asdict(self._log.datagrams),
            "away": list(self._log.away),
            "queues": [asdict(each) for each in read_queues() if each.number in numbers],
        }

    def _start(self, worker: WorkerProcess, taking_over: bool = False) -> None:
        worker.start(taking_over)
        self._selector.register(worker.channel, selectors.EVENT_READ, worker)
        self._send_configuration(worker)

    def _send_configuration(self, worker: WorkerProcess) -> None:
        worker.configured = False
        worker.channel.send(Configure(self._box, self._configuration, worker.queue))

    def _await_configured(self, workers: list[WorkerProcess]) -> None:
        deadline = time.monotonic() + START_PATIENCE
        while not all(worker.configured for worker in workers if worker.process):
            self._turn(0.1)
            if time.monotonic() > deadline:
                raise PixguardError(f"a worker has not answered for {START_PATIENCE:.0f} s")
        failed = [worker.failure for worker in workers if worker.process is None]
        if failed:
            raise PixguardError(failed[0] or "a worker ended when it was given the rules")

    def _turn(self, timeout: float) -> None:
        """Wait for something to happen, at most some time, and deal with it."""
        self._log.turn()
        for worker in self._workers:
            if worker.process is not None:
                self._selector.modify(worker.channel, worker.channel.awaited, worker)
        for key, ready in self._selector.select(timeout):
            if key.fileobj is self._wakeup:
                self._wakeup.recv(4096)
            elif ready & selectors.EVENT_WRITE:
                key.data.channel.flush()
            else:
                self._hear(key.data)

    def _hear(self, worker: WorkerProcess) -> None:
        worker.heard_at = time.monotonic()
        try:
            for message in worker.channel.receive():
                self._take(worker, message)
        except PixguardError as error:
            worker.failure = str(error)
            worker.channel.ended = True
        if worker.channel.ended:
            self._bury(worker)

    def _take(self, worker: WorkerProcess, message: Message) -> None:
        match message:
            case Configured():
                worker.configured = True
            case LogLine(text):
                self._log.take(text)
            case Recorded(fields):
                self._log.record(fields)
            case Faulted():
                self._keep(message)
            case Count(counters, usage):
                worker.counters = counters
                worker.usage = usage
            case Failed(reason):
                worker.failure = reason
            case _:
                raise PixguardError(f"a worker sent {message.kind}")

    def _keep(self, fault: Faulted) -> None:
        """Keep what is needed to have the engine fail again, a few times."""
        self._faults += 1
        if self._faults > FAULTS_KEPT:
            return
        path = fault_file(self._box.state, self._faults)
        try:
            write(path, json.dumps(asdict(fault), indent=1))
        except OSError as error:
            self._log.write(f"pixguard: {path}: {error.strerror}")
        else:
            self._log.write(f"pixguard: {path} has the packet and its connection")

    def _bury(self, worker: WorkerProcess) -> None:
        self._selector.unregister(worker.channel)
        code = worker.reap()
        if worker.told_to_end:
            return
        ended = f"was ended by signal {-code}" if code < 0 else f"ended with code {code}"
        reason = f": {worker.failure}" if worker.failure else ""
        self._log.write(f"pixguard: the worker of queue {worker.queue} {ended}{reason}")
        worker.start_at = time.monotonic() + RESTART_AFTER
