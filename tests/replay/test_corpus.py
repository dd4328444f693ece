"""Captures of other projects, where they are at hand: replayed without an exception or warning."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import dataclass, field
from email import message_from_bytes
from email.header import decode_header, make_header
from email.utils import collapse_rfc2231_value
from functools import cache
from pathlib import Path

import pytest
from click.testing import CliRunner

from appliance.cli import main
from appliance.replay.capture import Frame, read_capture
from appliance.replay.checksums import Checksums, Judge, Sum, header_sum, tcp_sum
from appliance.replay.connections import Connections
from appliance.replay.frames import Arrival, arrival
from appliance.replay.open_policy import OpenPolicy
from appliance.replay.passage import Passage
from appliance.replay.report import json_line, summary
from appliance.replay.survey import survey
from appliance.smtp.esmtp_map import Subject
from appliance.smtp.release import ANSWERS, RELEASES
from appliance.syslog import Syslog
from tests.engine.mails import read as read_mail
from tests.engine.mails import texts

ROOT = Path(__file__).parents[2]
CORPUS = ROOT.parent / "shared" / "corpus" / "pcaps"
CAPTURES = sorted(CORPUS.glob("*/*.pcap"))

pytestmark = pytest.mark.filterwarnings("error")


def test_the_corpus_is_at_hand() -> None:
    if not CORPUS.is_dir():
        pytest.skip(f"no captures: {CORPUS} is not there")
    assert CAPTURES


@pytest.mark.parametrize("capture", CAPTURES, ids=lambda path: path.stem)
def test_replayed(capture: Path, tmp_path: Path) -> None:
    out, lines = tmp_path / "out.pcap", tmp_path / "out.json"
    arguments = ["replay", str(capture), "--write", str(out), "--json", str(lines)]
    result = CliRunner().invoke(main, arguments, catch_exceptions=False)
    assert (result.exit_code, result.stderr) == (0, "")
    for line in lines.read_text().splitlines():
        record = json.loads(line)
        assert len(record["to_server"]) <= len(record["from_client"])
        assert len(record["to_client"]) <= len(record["from_server"])
    assert_right_sums(out, list(read_capture(out, "out")))


# ---- under every release ----


@dataclass(frozen=True, slots=True)
class Recording:
    """A capture in memory.

    Args:
        frames: its frames.
        unreliable: senders whose checksums are not to be looked at.
    """

    frames: list[Frame]
    unreliable: frozenset[bytes]


@cache
def recording(capture: Path) -> Recording:
    name = capture.name
    return Recording(list(read_capture(capture, name)), survey(capture, name).unreliable)


@dataclass
class Sink:
    """Keeps what leaves the firewall."""

    frames: list[Frame] = field(default_factory=list)

    def write(self, time: int, link: int, data: bytes) -> None:
        self.frames.append(Frame(len(self.frames) + 1, time, link, data, len(data)))


def assert_right_sums(where: Path, frames: list[Frame]) -> None:
    for frame in frames:
        came = arrival(frame)
        assert isinstance(came, Arrival), where
        assert header_sum(came.packet) is Sum.RIGHT, where
        assert tcp_sum(came.packet) is Sum.RIGHT, where


@pytest.mark.skipif(not CAPTURES, reason=f"no captures: {CORPUS} is not there")
@pytest.mark.parametrize("name", RELEASES)
def test_replayed_under_every_release(name: str) -> None:
    release = RELEASES[name]
    for capture in CAPTURES:
        read = recording(capture)
        sink = Sink()
        connections = Connections(Syslog("PIX", release), streams=True)
        judge = Judge(Checksums.AUTO, read.unreliable)
        passage = Passage(OpenPolicy(release).admit, connections, judge, sink)
        for frame in read.frames:
            passage.receive(frame)
        passage.close()
        assert passage.tally.faults == [], capture
        assert_right_sums(capture, sink.frames)
        for each in connections.all:
            record = json.loads(json_line(each))
            assert len(record["to_server"]) <= len(record["from_client"]), capture
            if release.blocked not in ANSWERS:
                assert len(record["to_client"]) <= len(record["from_server"]), capture
        assert list(summary(capture.name, read.unreliable, passage.tally, connections.all))


@pytest.mark.skipif(not CAPTURES, reason=f"no captures: {CORPUS} is not there")
@pytest.mark.parametrize("name", ["4.0", "6.3", "9.x"])
def test_the_program_warns_of_nothing(name: str, tmp_path: Path) -> None:
    command = [sys.executable, "-W", "error", "-m", "appliance", "replay", "--release", name]
    command += ["--write", str(tmp_path / "out.pcap"), "--json", str(tmp_path / "out.json")]
    done = subprocess.run(
        [*command, *map(str, CAPTURES)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


# ---- mails in captures ----

NAMED = {"filename": "content-disposition", "name": "content-type"}
"""Parameters that name files, and their fields."""


def mails(capture: Path) -> list[bytes]:
    """The mails that clients sent, as they were transferred."""
    read = recording(capture)
    connections = Connections(Syslog("PIX", RELEASES["8.4"]), streams=True)
    judge = Judge(Checksums.AUTO, read.unreliable)
    passage = Passage(OpenPolicy(RELEASES["8.4"]).admit, connections, judge, None)
    for frame in read.frames:
        passage.receive(frame)
    passage.close()
    sent = (bytes(each.sent.to_server.data) for each in connections.all if each.release)
    return [
        mail for text in sent for mail in re.findall(rb"(?si)\r\ndata\r\n(.*?\r\n\.\r\n)", text)
    ]


@pytest.mark.skipif(not CAPTURES, reason=f"no captures: {CORPUS} is not there")
def test_mails_have_the_parts_that_python_sees() -> None:
    compared = 0
    for mail in (mail for capture in CAPTURES for mail in mails(capture)):
        parsed = message_from_bytes(re.sub(rb"(?m)^\.", b"", mail.removesuffix(b".\r\n")))
        if parsed.defects:
            continue
        expected = []
        for each in parsed.walk():
            if each.get("content-type"):
                expected.append(each.get_content_type())
            for parameter, field_ in NAMED.items():
                value = each.get_param(parameter, None, field_)
                if value is not None:
                    name = make_header(decode_header(collapse_rfc2231_value(value)))
                    expected.append(str(name))
        found = texts(read_mail(mail), Subject.FILE_TYPE)
        # A name that two fields of a part say is seen once.
        assert {text.decode() for text in found} == set(expected), mail[:200]
        compared += len(expected) > 1
    assert compared
