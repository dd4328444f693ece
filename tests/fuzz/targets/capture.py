"""The bytes of a capture, replayed as `pixguard replay` does it."""

from __future__ import annotations

import json
from functools import partial
from io import BytesIO
from pathlib import Path

from appliance.replay.capture import CaptureError, read_capture, read_frames
from appliance.replay.checksums import Checksums, Judge
from appliance.replay.connections import Connections
from appliance.replay.open_policy import OpenPolicy
from appliance.replay.output import Output
from appliance.replay.passage import Passage
from appliance.replay.report import json_line, summary
from appliance.replay.survey import unreliable_senders
from appliance.replay.writer import PcapNgWriter
from appliance.smtp.release import RELEASES
from appliance.syslog import Syslog
from tests.fuzz.files import in_memory
from tests.fuzz.messages import check_shown

LONGEST = 4096
WORDS = (
    *(bytes.fromhex(magic) for magic in ("a1b2c3d4", "d4c3b2a1", "4d3cb2a1", "0a0d0d0a")),
    *(bytes.fromhex(mark) for mark in ("1a2b3c4d", "4d3c2b1a", "0800", "8100", "86dd", "4500")),
    *(b"\1\0\0\0", b"\2\0\0\0", b"\3\0\0\0", b"\6\0\0\0", b"\x71\0\0\0", b"\x65\0\0\0"),
    *(b"\r\n", b"220 x\r\n", b"354 go\r\n", b"DATA\r\n", b"VRFY x\r\n", b"EHLO x\r\n"),
)

_WAYS = (("4.0", Checksums.IGNORE), ("6.3", Checksums.AUTO), ("9.x", Checksums.VERIFY))


def one_input(data: bytes) -> None:
    """Replay a capture as three releases, and read what was written."""
    with in_memory(data) as path:
        for release, checksums in _WAYS:
            _replay(path, release, checksums)


def _replay(path: Path, name: str, checksums: Checksums) -> None:
    release = RELEASES[name]
    judge = Judge(checksums, partial(unreliable_senders, path, "mail.pcap"))
    connections = Connections(Syslog("PIX", release), streams=True)
    written = BytesIO()
    sink = PcapNgWriter(Output(Path("out.pcap"), written))
    passage = Passage(OpenPolicy(release).admit, connections, judge, sink)
    try:
        for frame in read_capture(path, "mail.pcap"):
            passage.receive(frame)
    except CaptureError as error:
        check_shown(str(error))
    passage.close()
    tally = passage.tally
    assert not tally.faults, tally.faults[0][1]
    for line in summary("mail.pcap", judge.unreliable, tally, connections.all):
        check_shown(line)
    for connection in connections.all:
        line = json_line(connection)
        check_shown(line)
        json.loads(line)
    written.seek(0)
    frames = sum(1 for _ in read_frames(written, "out.pcap"))
    # A packet whose edited fragments are shorter needs fewer of them, one that grew no more.
    assert frames <= tally.forwarded + tally.released
    assert tally.forwarded <= tally.read
