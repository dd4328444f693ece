"""Telling the service manager how the appliance is (sd_notify(3), sd_watchdog_enabled(3))."""

from __future__ import annotations

import contextlib
import os
import socket
import time

STATUS_EVERY = 10.0
"""Seconds between two sentences on how the appliance is."""


def notify(*assignments: str) -> None:
    """Tell the service manager, if there is one.

    Args:
        assignments: what to tell, "READY=1".
    """
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    if address.startswith("@"):
        address = "\0" + address[1:]  # systemd writes an abstract address so
    # A manager that has gone away is no reason to stop.
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.setblocking(False)
        sender.sendto("\n".join(assignments).encode(), address)


def notify_reloading() -> None:
    """Tell that a reload has begun; READY=1 tells that it is over."""
    notify("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")


class Heartbeat:
    """Signs of life, as often as the service manager wants them, and how the appliance is."""

    def __init__(self) -> None:
        self._period = _watchdog_period()
        self._beat_at = self._tell_at = 0.0

    def beat(self, now: float, alive: bool, status: str) -> None:
        """Tell what is due.

        Args:
            now: time of the monotonic clock in seconds.
            alive: whether the appliance does what it is for.
            status: how it is, one line.
        """
        if self._period is not None and alive and now >= self._beat_at:
            # Twice as often as need be, as sd_watchdog_enabled(3) recommends.
            self._beat_at = now + self._period / 2
            notify("WATCHDOG=1")
        if now >= self._tell_at:
            self._tell_at = now + STATUS_EVERY
            notify(f"STATUS={status}")


def _watchdog_period() -> float | None:
    """Seconds without a sign of life after which the service manager acts, None for never."""
    wanted = os.environ.get("WATCHDOG_USEC", "")
    if not wanted.isascii() or not wanted.isdecimal():
        return None
    if os.environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return None
    return int(wanted) / 1_000_000 or None
