"""The bench works; what it measures is for no test to judge."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from appliance.events import Phase
from appliance.replay.capture import read_capture
from appliance.smtp.release import RELEASES
from bench.dialogue import Session, State
from bench.engine import permitting
from bench.offline import write_capture
from tests.namespaces import needs_namespaces

ROOT = Path(__file__).parents[2]


@needs_namespaces
def test_a_small_bench_prints_every_table() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "bench", "--small"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    for row in ("plain", "null", "6.3", "syn", "data", "pixguard replay", "tshark"):
        (line, *_) = [each for each in done.stdout.splitlines() if each.startswith(f"| {row} |")]
        assert re.search(r"\d", line)
    assert not list(Path("/run/netns").glob("pixbench-*"))


@pytest.mark.parametrize("state", State)
def test_the_packets_bring_a_connection_as_far_as_they_say(state: State) -> None:
    firewall = permitting(RELEASES["6.3"])
    verdicts = [firewall.receive(packet, 0.0) for packet in Session(7).until(state)]
    assert all(verdict.forward for verdict in verdicts)
    ((_, flow),) = firewall._flows
    assert flow.phase is (Phase.EMBRYONIC if state is State.SYN else Phase.ESTABLISHED)


def test_a_capture_holds_whole_sessions(tmp_path: Path) -> None:
    capture = write_capture(tmp_path / "mails.pcap", 23)
    frames = list(read_capture(capture.path, "mails.pcap"))
    assert len(frames) == capture.packets
    assert sum(len(frame.data) for frame in frames) == capture.size
    firewall = permitting(RELEASES["8.4"])
    assert all(firewall.receive(frame.data, 0.0).forward for frame in frames)
    assert {flow.closing.value for _, flow in firewall._flows if flow.closing} == {"fin"}
