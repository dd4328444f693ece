"""A tap on the interfaces of a namespace: who said what to whom, as seen there."""

from __future__ import annotations

import os
import selectors
import socket
import threading
import time

from appliance.lab.namespace import Namespace
from appliance.replay.transcript import Transcript

_ETH_P_ALL = 3  # linux/if_ether.h; outgoing packets are seen by no narrower socket
_ETH_P_IP = 0x0800
_SO_RCVBUFFORCE = 33  # asm-generic/socket.h

_DATAGRAM = 72 << 10
_BUFFER = 64 << 20
_QUIET = 0.2  # seconds without a packet


class Tap:
    """Reads along in a thread of its own until it is closed.

    Args:
        namespace: where.
    """

    def __init__(self, namespace: Namespace) -> None:
        self._transcript = Transcript()
        self._lock = threading.Lock()
        self._last = time.monotonic()
        self._socket = namespace.call(_open)
        self._stop, self._stopped = os.pipe()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self._socket, selectors.EVENT_READ)
            selector.register(self._stop, selectors.EVENT_READ)
            while all(key.fd != self._stop for key, _ in selector.select()):
                self._take()

    def _take(self) -> bool:
        """Read a packet; returns whether there may be another."""
        with self._lock:  # around both steps, or packets could overtake each other
            try:
                packet, (interface, protocol, *_) = self._socket.recvfrom(_DATAGRAM)
            except BlockingIOError:
                return False
            except OSError:
                return True  # an interface went down, which is told once
            if protocol == _ETH_P_IP and interface != "lo":
                self._last = time.monotonic()
                self._transcript.add(packet, time.time())
        return True

    def settle(self) -> Transcript:
        """What was said so far, once nothing has been said for a moment (at most seconds)."""
        # A packet that waits to be read is no quiet, nor is the time before this was asked: the
        # thread that reads may be late.
        quiet_from = time.monotonic()
        deadline = quiet_from + 20 * _QUIET
        while True:
            while self._take() and time.monotonic() < deadline:
                pass
            rest = min(max(self._last, quiet_from) + _QUIET, deadline) - time.monotonic()
            if rest <= 0:
                break
            time.sleep(min(rest, _QUIET / 4))
        with self._lock:
            return self._transcript

    def close(self) -> None:
        """Stop reading."""
        os.write(self._stopped, b".")
        self._thread.join()
        self._socket.close()
        os.close(self._stop)
        os.close(self._stopped)


def _open() -> socket.socket:
    opened = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(_ETH_P_ALL))
    opened.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _BUFFER)
    opened.setblocking(False)
    return opened
