"""The tap, when the thread that reads is late."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from typing import cast

import pytest

from appliance.lab import tap as module
from appliance.lab.namespace import Namespace
from appliance.lab.tap import Tap
from tests.replay.packets import Talk

IPV4 = 0x0800


class Link:
    """A packet socket with packets in it that is never said to be readable."""

    def __init__(self) -> None:
        self._never, self._writer = os.pipe()
        self.waiting: list[tuple[bytes, str, int]] = []

    def call(self, function: Callable[[], object]) -> Link:
        """Stands in for the namespace, too: whatever is opened in it is this."""
        return self

    def fileno(self) -> int:
        return self._never

    def recvfrom(self, size: int) -> tuple[bytes, tuple[str, int]]:
        if not self.waiting:
            raise BlockingIOError
        packet, interface, protocol = self.waiting.pop(0)
        if not packet:
            raise OSError("the interface went down")
        return packet, (interface, protocol)

    def close(self) -> None:
        os.close(self._never)
        os.close(self._writer)


@pytest.fixture
def link() -> Link:
    return Link()


@pytest.fixture
def tap(link: Link) -> Iterator[Tap]:
    made = Tap(cast("Namespace", link))
    yield made
    made.close()


def packets(said: bytes) -> list[tuple[bytes, str, int]]:
    return [(each, "eth0", IPV4) for each in Talk().open().says(said).packets]


def test_what_waits_is_read_however_long_ago_the_last_packet_was(link: Link, tap: Tap) -> None:
    time.sleep(1.5 * module._QUIET)
    link.waiting = packets(b"HELO a\r\n")
    (seen,) = tap.settle().conversations
    assert seen.to_server.data == b"HELO a\r\n"


def test_an_interface_that_goes_down_does_not_hide_what_comes_after(link: Link, tap: Tap) -> None:
    link.waiting = [(b"", "eth1", IPV4), *packets(b"HELO a\r\n")]
    assert len(tap.settle().conversations) == 1
    assert link.waiting == []


def test_quiet_begins_when_it_is_asked_for(link: Link, tap: Tap) -> None:
    time.sleep(1.5 * module._QUIET)
    late = threading.Timer(module._QUIET / 2, link.waiting.extend, (packets(b"HELO a\r\n"),))
    late.start()
    assert len(tap.settle().conversations) == 1
    late.join()


def test_without_any_quiet_it_ends(link: Link, tap: Tap, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_QUIET", 0.02)
    endless = packets(b"HELO a\r\n")[0]

    class Endless(list[tuple[bytes, str, int]]):
        def pop(self, _index: object = -1) -> tuple[bytes, str, int]:
            return endless

    link.waiting = Endless([endless])
    began = time.monotonic()
    assert len(tap.settle().conversations) == 1
    assert time.monotonic() - began < 5
