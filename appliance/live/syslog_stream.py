"""A syslog server that is reached by TCP: `logging host ... tcp/PORT`."""

from __future__ import annotations

import select
import socket
from errno import EINPROGRESS

from appliance.config.model import LogHost

CONNECT_PATIENCE = 5.0
"""Seconds that a server has to answer; well below what the kernel would wait."""

RETRY_AFTER = 5.0
"""Seconds between two attempts to reach a server."""

MAX_WAITING = 256 << 10
"""Bytes that wait for a server which takes them slowly: some thousand messages."""


class SyslogStream:
    """A connection that is made, and made again, without anybody waiting for it.

    Args:
        host: the server.
    """

    def __init__(self, host: LogHost) -> None:
        self.host = host
        self.is_up = False
        """Whether the server has answered, and not ended the connection."""
        self._socket: socket.socket | None = None
        self._waiting = bytearray()
        self._due = 0.0
        """When to try again, or when to give up trying, on the monotonic clock."""

    def turn(self, now: float) -> None:
        """Do what is due; to be called often.

        Args:
            now: time of the monotonic clock in seconds.
        """
        if self._socket is None:
            if now >= self._due:
                self._begin(now)
        elif self.is_up:
            self._flush(now)
            self._look_for_end(now)
        elif self._is_writable():
            if self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
                self._end(now)
            else:
                self.is_up = True
        elif now >= self._due:
            self._end(now)

    def send(self, message: bytes, now: float) -> bool:
        """Send a message, now or as soon as there is room.

        Args:
            message: the message, which gets a newline behind it (RFC 6587, section 3.4.2).
            now: time of the monotonic clock in seconds.

        Returns:
            whether it was taken; not while the server is away.
        """
        if not self.is_up or len(self._waiting) > MAX_WAITING:
            return False
        self._waiting += message + b"\n"
        self._flush(now)
        return self.is_up

    def close(self) -> None:
        """End the connection."""
        if self._socket:
            self._socket.close()
        self._socket = None
        self._waiting.clear()
        self.is_up = False

    def _begin(self, now: float) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self._socket.setblocking(False)
        self._due = now + CONNECT_PATIENCE
        if self._socket.connect_ex((str(self.host.address), self.host.port)) not in (
            0,
            EINPROGRESS,
        ):
            self._end(now)

    def _end(self, now: float) -> None:
        self.close()
        self._due = now + RETRY_AFTER

    def _is_writable(self) -> bool:
        poll = select.poll()
        poll.register(self._socket or -1, select.POLLOUT)
        return bool(poll.poll(0))

    def _flush(self, now: float) -> None:
        try:
            while self._socket and self._waiting:
                del self._waiting[: self._socket.send(self._waiting)]
        except BlockingIOError:
            pass
        except OSError:
            self._end(now)

    def _look_for_end(self, now: float) -> None:
        try:
            # A server has nothing to say; what it says is thrown away.
            if self._socket and not self._socket.recv(4096):
                self._end(now)
        except BlockingIOError:
            pass
        except OSError:
            self._end(now)
