"""Looks through a whole capture, for what must be known of it in advance."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from appliance.replay.capture import CaptureError, read_capture
from appliance.replay.checksums import Senders
from appliance.replay.fragments import is_fragment
from appliance.replay.frames import Arrival, arrival


@dataclass(frozen=True, slots=True)
class Form:
    """What a capture of the same packets must be able to hold.

    Args:
        links: numbers of the link types of its frames.
        nanoseconds: whether its times are finer than microseconds.
    """

    links: frozenset[int]
    nanoseconds: bool


def form(path: Path, name: str) -> Form:
    """Look which form the frames of a capture have.

    Args:
        path: the file.
        name: what the capture is called.
    """
    links = set()
    nanoseconds = False
    with suppress(CaptureError):  # the passage reports where it cannot be read
        for frame in read_capture(path, name):
            nanoseconds |= frame.time % 1000 != 0
            if isinstance(arrival(frame), Arrival):
                links.add(frame.link)
    return Form(frozenset(links), nanoseconds)


def unreliable_senders(path: Path, name: str) -> frozenset[bytes]:
    """Look which senders of a capture, as four bytes, have mostly wrong checksums.

    Args:
        path: the file.
        name: what the capture is called.
    """
    senders = Senders()
    with suppress(CaptureError):
        for frame in read_capture(path, name):
            came = arrival(frame)
            if isinstance(came, Arrival) and not is_fragment(came.packet):
                senders.note(came.packet)
    return senders.unreliable()
