"""The first look at a capture, before anything of it goes through the firewall."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from appliance.replay.capture import CaptureError, read_capture
from appliance.replay.checksums import Senders
from appliance.replay.fragments import is_fragment
from appliance.replay.frames import Arrival, arrival


@dataclass(frozen=True, slots=True)
class Survey:
    """What must be known of a capture in advance.

    Args:
        unreliable: senders, as four bytes, most of whose TCP packets have wrong checksums.
        links: numbers of the link types of its frames.
        nanoseconds: whether its times are finer than microseconds.
    """

    unreliable: frozenset[bytes]
    links: frozenset[int]
    nanoseconds: bool


def survey(path: Path, name: str) -> Survey:
    """Read a capture through, as far as that goes; the passage reports where it cannot be read.

    Args:
        path: the file.
        name: what the capture is called.
    """
    senders = Senders()
    links = set()
    nanoseconds = False
    try:
        for frame in read_capture(path, name):
            nanoseconds |= frame.time % 1000 != 0
            came = arrival(frame)
            if isinstance(came, Arrival):
                links.add(frame.link)
                if not is_fragment(came.packet):
                    senders.note(came.packet)
    except CaptureError:
        pass
    return Survey(senders.unreliable(), frozenset(links), nanoseconds)
