"""A bad line: loses, delays and doubles packets that a network namespace sends and receives.

    python impairment.py SEED

It judges what the namespace's rules give to NFQUEUE 1 without a packet mark, until SIGTERM; then it
prints how many packets it did what to, as a JSON object. What is doubled goes out with mark 1.
"""

from __future__ import annotations

import heapq
import json
import random
import select
import signal
import socket
import sys
import time
from collections import Counter

from netfilterqueue import NetfilterQueue, Packet

LOST = 0.01
DELAYED = 0.05
DOUBLED = 0.02
"""Shares of the packets."""

DELAY = (0.002, 0.03)
"""Seconds, from and to; packets that are not delayed overtake."""

QUEUE = 1
MARK = 1
LOCAL_OUT = 3  # NF_INET_LOCAL_OUT, linux/netfilter.h
_SO_MARK = 36  # asm-generic/socket.h


class Line:
    def __init__(self, seed: int) -> None:
        self._chance = random.Random(seed)  # noqa: S311
        self._queue = NetfilterQueue()
        self._queue.bind(QUEUE, self._judge, max_len=100_000)
        self._sender = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
        self._sender.setsockopt(socket.SOL_SOCKET, _SO_MARK, MARK)
        self._delayed: list[tuple[float, int, Packet]] = []
        self.done: Counter[str] = Counter()
        self.stopping = False

    def _judge(self, packet: Packet) -> None:
        draw = self._chance.random()
        moment = time.monotonic() + self._chance.uniform(*DELAY)
        self.done["packets"] += 1
        if draw < LOST:
            self.done["lost"] += 1
            packet.drop()
            return
        if draw < LOST + DELAYED:
            self.done["delayed"] += 1
            packet.retain()
            heapq.heappush(self._delayed, (moment, self.done["packets"], packet))
            return
        packet.accept()
        if draw < LOST + DELAYED + DOUBLED and packet.hook == LOCAL_OUT:
            self.done["doubled"] += 1
            data = packet.get_payload()
            self._sender.sendto(data, (socket.inet_ntoa(data[16:20]), 0))

    def run(self) -> None:
        while not self.stopping:
            select.select([self._queue.get_fd()], [], [], 0.002 if self._delayed else 0.1)
            self._queue.run(block=False)
            now = time.monotonic()
            while self._delayed and self._delayed[0][0] <= now:
                heapq.heappop(self._delayed)[2].accept()
        self._queue.unbind()
        self._sender.close()


def main(seed: str) -> None:
    line = Line(int(seed))

    def stop(*_: object) -> None:
        line.stopping = True

    signal.signal(signal.SIGTERM, stop)
    print("up", flush=True)
    line.run()
    print(json.dumps(line.done))


if __name__ == "__main__":
    main(sys.argv[1])
