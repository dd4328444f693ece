"""A worker: one queue, one engine, one process without root.

It is started by the supervisor with their connection as its standard input, and ends with it.
"""

from __future__ import annotations

import gc
import os
import selectors
import signal
import socket
import sys
import time
import traceback
from collections import deque
from dataclasses import dataclass
from select import EPOLLIN, EPOLLOUT, epoll
from time import monotonic
from typing import IO

from netfilterqueue import Packet

from appliance.admission import Admission, Opening
from appliance.box import Box
from appliance.config.model import Logging
from appliance.errors import PixguardError, one_line
from appliance.events import Event, Fault, PacketDenied
from appliance.firewall import Firewall
from appliance.live import connmark
from appliance.live.admission import LiveAdmission
from appliance.live.conntrack import Conntrack
from appliance.live.counters import Counters, Usage
from appliance.live.denials import Denials
from appliance.live.framing import Message, is_logged
from appliance.live.messages import (
    Channel,
    Configure,
    Configured,
    Count,
    Failed,
    Faulted,
    HandOver,
    LogLine,
    Recorded,
    Stop,
)
from appliance.live.meter import Meter
from appliance.live.packet_log import LoggedPacket, PacketLog
from appliance.live.privileges import become, end_with
from appliance.live.queue import PacketQueue
from appliance.live.rate import LIMIT, LineRate
from appliance.live.record import Source, kind, record, source
from appliance.live.sandbox import enter
from appliance.live.sender import Sender
from appliance.syslog import Syslog
from appliance.verdict import DROP

TICK = 0.25
"""Seconds between two looks at the engine's timers."""

COUNT_EVERY = 0.25
"""Seconds between two reports of the counters, if they have changed."""

SIGN_OF_LIFE_EVERY = 2.0
"""Seconds between two reports of the counters, if they have not."""

DENIALS_AT_ONCE = 0.005
"""Seconds spent on telling of denied packets before the queue is looked at again."""

LEFT_OUT_EVERY = 1.0
"""Seconds between two looks at which lines were left out of the log."""


@dataclass(frozen=True, slots=True)
class _Line:
    """What becomes of the events of one source.

    Args:
        name: the message that they draw, or the kind of event if they draw none.
        logged: whether any sink takes that message.
    """

    name: str
    logged: bool


class Worker:
    """Judges the packets of one queue.

    Args:
        channel: the connection to the supervisor.
        queue: number of the queue.
        box: the machine.
        connections: the file in which one worker writes its connections down for the next.
    """

    def __init__(self, channel: Channel, queue: int, box: Box, connections: IO[bytes]) -> None:
        self._channel = channel
        self._connections = connections
        self._queue = PacketQueue(queue, box.queue_length, self._judge)
        self._sender = Sender()
        # The first worker tells of denied packets.
        tells = queue == box.queue
        self._packet_log = PacketLog(queue) if tells else None
        self._conntrack = Conntrack() if tells else None
        self._denials: Denials | None = None
        self._copies: deque[LoggedPacket] = deque()
        """Of packets that are to be told of."""
        self._interfaces = {linux: name for name, linux in box.interfaces}
        self._names: dict[int, str] = {0: ""}
        # Seconds since the epoch, but never set back or forward.
        self._offset = time.time() - monotonic()
        self._firewall = Firewall(self._admit, self._report)
        self._admission: LiveAdmission
        self._mark = 0  # of the packet being judged
        self._logging: Logging
        self._records = box.json_log is not None
        self._syslog: Syslog
        self._lines: dict[Source, _Line] = {}
        self._rate = LineRate(LIMIT)
        self._meter = Meter()
        self._counters = Counters()  # but for what the meter counts
        self._counted = (Counters(), Usage())
        self._sign_of_life = 0.0
        self._running = True
        self._handing_over = False

    def configure(self, order: Configure) -> None:
        """Treat new connections as a configuration says; those that live stay as they are.

        Args:
            order: the configuration.
        """
        configuration = order.configuration
        release = order.box.inspect_as(configuration.version)
        self._admission = LiveAdmission(configuration, release, order.box.adopt, order.box.workers)
        product = configuration.version.product if configuration.version else "PIX"
        self._syslog = Syslog(product, release)
        if self._denials:
            self._denials.configure(configuration, release)
        elif self._conntrack:
            self._denials = Denials(self._conntrack, self._report, configuration, release)
        self._logging = configuration.logging
        self._lines = {}
        self._names = {0: ""}  # an interface may have come again under another number
        self._channel.send(Configured())

    def confine(self, needed: bool, tells: bool) -> None:
        """Give up what a worker does not need, if the kernel can keep it from that.

        Args:
            needed: whether nothing else keeps this worker from its supervisor.
            tells: whether to say so if it cannot; one worker says it for all.

        Raises:
            PixguardError: the kernel cannot, and it is needed.
        """
        try:
            enter()
        except PixguardError as error:
            if needed:
                raise PixguardError(
                    f"{error}: workers that run as the user of their supervisor need it"
                ) from error
            if tells:
                self._say(f"pixguard: {error}; workers run without it")

    def take_over(self) -> None:
        """Take up the connections that an earlier worker has written down, if one has."""
        text = self._connections.read()
        if not text:
            return
        self._connections.truncate(0)
        self._connections.seek(0)
        try:
            self._firewall.take_over(text, self._now())
        except PixguardError as error:
            self._say(f"pixguard: {error}; they are lost")
        else:
            self._say(f"pixguard: {self._firewall.flows} connections were taken over")

    def run(self) -> None:
        """Judge packets until the supervisor says stop or is gone."""
        queue, channel = self._queue.fileno(), self._channel.fileno()
        # Not by a selector, which takes longer than the engine for a packet that comes alone.
        with epoll() as waiting:
            waiting.register(queue, EPOLLIN)
            waiting.register(channel, EPOLLIN)
            if self._packet_log:
                waiting.register(self._packet_log.fileno(), EPOLLIN)
            unsent = False
            tick = count = left_out = self._now()
            while self._running and not self._channel.ended:
                if self._channel.unsent != unsent:
                    unsent = self._channel.unsent
                    waiting.modify(channel, EPOLLIN | EPOLLOUT if unsent else EPOLLIN)
                busy = False
                for ready, events in waiting.poll(0 if self._copies else TICK):
                    if ready == queue:
                        busy = True
                        self._queue.drain()
                    elif ready != channel:
                        if self._packet_log and not self._copies:
                            self._copies.extend(self._packet_log.read())
                    elif events & EPOLLOUT:
                        self._channel.flush()
                    else:
                        self._obey()
                now = self._now()
                if self._copies and (not busy or now >= tick):
                    # Mail goes before, but for a little each time.
                    self._tell_of_copies(now)
                if now >= tick:
                    tick = now + TICK
                    self._expire(now)
                if now >= left_out:
                    left_out = now + LEFT_OUT_EVERY
                    self._tell_left_out()
                if now >= count:
                    count = now + COUNT_EVERY
                    self._count()
        self._queue.close()
        self._sender.close()
        for opened in (self._packet_log, self._conntrack):
            if opened:
                opened.close()
        if self._handing_over:
            # Nothing is judged any more: what is written down is all there is.
            self._connections.write(self._firewall.hand_over())
            self._connections.flush()
        self._tell_left_out()
        self._count()

    def _obey(self) -> None:
        for message in self._channel.receive():
            match message:
                case Configure():
                    self.configure(message)
                case Stop():
                    self._running = False
                case HandOver():
                    self._handing_over = True
                    self._running = False
                case _:
                    raise PixguardError(f"{message.kind} is no order")

    def _now(self) -> float:
        return self._offset + monotonic()

    def _judge(self, packet: Packet) -> None:
        """Give a packet its verdict; an error costs this packet and its connection, no more."""
        data = packet.get_payload()
        self._mark = packet.get_mark() & connmark.ALL
        now = self._now()
        try:
            verdict = self._firewall.receive(
                data,
                now,
                self._name(packet.indev),
                self._name(packet.outdev),
                self._mark,
            )
        except Exception:
            self._fault(traceback.format_exc())
            verdict = DROP
        if not verdict.forward:
            self._queue.drop(packet)
        elif verdict.edited is None:
            self._queue.accept(packet, len(data))
        else:
            self._queue.replace(packet, verdict.edited)
        if verdict.released:
            self._queue.flush()
            self._release(verdict.released)
        self._meter.count(len(data), verdict, self._now() - now)

    def _expire(self, now: float) -> None:
        try:
            packets = self._firewall.expire(now)
        except Exception:
            self._fault(traceback.format_exc())
        else:
            self._release(packets)
        if self._denials:
            self._denials.expire(now)

    def _tell_of_copies(self, now: float) -> None:
        """Tell of denied packets, for a short time."""
        while self._denials and self._copies and self._now() < now + DENIALS_AT_ONCE:
            copy = self._copies.popleft()
            ingress, egress = self._name(copy.indev), self._name(copy.outdev)
            try:
                self._denials.take(copy, ingress, egress, now)
            except Exception:
                self._fault(traceback.format_exc())

    def _release(self, packets: tuple[bytes, ...]) -> None:
        for packet in packets:
            try:
                sent = self._sender.send(packet)
            except ValueError:  # no TCP packet
                self._fault(traceback.format_exc())
                sent = False
            if sent:
                self._counters.released += 1
            else:
                self._counters.unsent += 1

    def _fault(self, trace: str) -> None:
        self._counters.faults += 1
        if self._admits("a failure of the engine", self._now()):
            self._say(f"pixguard: the engine failed, and the packet is lost: {one_line(trace)}")

    def _name(self, index: int) -> str:
        name = self._names.get(index)
        if name is None:
            try:
                name = self._interfaces.get(socket.if_indextoname(index), "")
            except OSError:
                name = ""  # it is gone
            self._names[index] = name
        return name

    def _admit(self, opening: Opening) -> Admission:
        return self._admission.admit(opening, self._mark)

    def _report(self, event: Event) -> None:
        self._counters.count_event(kind(event))
        if isinstance(event, PacketDenied):
            self._counters.count_denial(event.reason.value)
        if isinstance(event, Fault):
            self._fault(event.trace)
            self._tell(Faulted(event.trace, event.packet.hex(), event.state.hex()))
        # Before the message is formed: an attack may draw 20,000 with one packet.
        line = self._line(event)
        if not (line.logged or self._records) or not self._admits(line.name, event.time):
            return
        message = self._message(event)
        if message is not None and line.logged:
            self._say(str(message))
        if self._records:
            self._tell(Recorded(record(event, message)))

    def _line(self, event: Event) -> _Line:
        """What becomes of an event, as the first one of its source has shown."""
        line = self._lines.get(source(event))
        if line is None:
            message = self._message(event)
            name = f"message {message.number}" if message else kind(event)
            line = _Line(name, message is not None and is_logged(message, self._logging))
            self._lines[source(event)] = line
        return line

    def _message(self, event: Event) -> Message | None:
        text = self._syslog.message(event)
        message = Message.parse(text) if text is not None else None
        return message.under(self._logging) if message else None

    def _admits(self, name: str, now: float) -> bool:
        admitted = self._rate.admits(name, now)
        if not admitted:
            self._counters.suppressed_lines += 1
        return admitted

    def _tell_left_out(self) -> None:
        for name, number in self._rate.left_out().items():
            self._say(
                f"pixguard: {name} came more than {LIMIT.lines:,} times in a second; "
                f"left out of the log: {number:,}"
            )

    def _say(self, text: str) -> None:
        self._tell(LogLine(text))

    def _tell(self, what: LogLine | Recorded | Faulted) -> None:
        if not self._channel.send(what):
            self._counters.lost_lines += 1

    def _count(self) -> None:
        room = self._firewall.room
        usage = Usage(self._firewall.flows, room.held, room.remembered)
        current = (self._counters + self._meter.read(), usage)
        now = self._now()
        due = current != self._counted or now >= self._sign_of_life
        if due and self._channel.send(Count(*current)):
            self._counted = current
            self._sign_of_life = now + SIGN_OF_LIFE_EVERY


def main() -> None:
    """Be a worker, with the supervisor at the other end of standard input.

    The one argument is the descriptor of the file for connections.
    """
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR2):
        signal.signal(number, signal.SIG_IGN)  # all of them are the supervisor's to act upon
    parent = os.getppid()
    channel = Channel(socket.socket(fileno=sys.stdin.fileno()))
    try:
        order = _first_order(channel)
        with os.fdopen(int(sys.argv[1]), "r+b") as connections:
            worker = Worker(channel, order.queue, order.box, connections)
            other = become(order.box.user)
            end_with(parent)
            worker.confine(needed=not other, tells=order.queue == order.box.queue)
            worker.take_over()
            worker.configure(order)
            gc.freeze()  # what there is now stays, and need not be searched for garbage
            worker.run()
    except PixguardError as error:
        channel.send(Failed(str(error)))
        sys.exit(1)


def _first_order(channel: Channel) -> Configure:
    with selectors.DefaultSelector() as selector:
        selector.register(channel, selectors.EVENT_READ)
        while not channel.ended:
            selector.select()
            for message in channel.receive():
                if isinstance(message, Configure):
                    return message
                raise PixguardError(f"{message.kind} came before a configuration")
    raise PixguardError("the supervisor has ended")
