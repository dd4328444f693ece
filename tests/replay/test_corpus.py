"""Captures of other projects, where they are at hand: replayed without an exception or warning."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from email import message_from_bytes
from email.header import decode_header, make_header
from email.message import Message
from email.utils import collapse_rfc2231_value
from functools import cache, partial
from pathlib import Path

import pytest
from click.testing import CliRunner

from appliance.admission import Admission, Opening
from appliance.cli import main
from appliance.replay.capture import Frame, read_capture
from appliance.replay.checksums import Checksums, Judge, Sum, header_sum, tcp_sum
from appliance.replay.connections import Connections
from appliance.replay.frames import Arrival, arrival
from appliance.replay.open_policy import OpenPolicy
from appliance.replay.passage import Passage
from appliance.replay.report import json_line, summary
from appliance.replay.survey import unreliable_senders
from appliance.smtp.esmtp_map import DEFAULT_MAP, Action, Criterion, EsmtpMap, Row, Subject
from appliance.smtp.expression import Expression
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
        survey: tells the senders whose checksums are not to be looked at.
    """

    frames: list[Frame]
    survey: Callable[[], frozenset[bytes]]


@cache
def recording(capture: Path) -> Recording:
    name = capture.name
    return Recording(
        list(read_capture(capture, name)), cache(partial(unreliable_senders, capture, name))
    )


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
        judge = Judge(Checksums.AUTO, read.survey)
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
        assert list(summary(capture.name, judge.unreliable, passage.tally, connections.all))


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


HASTY = "smtp-pipelining"
"""A capture whose client sends its mail before the server has asked for it: it is masked."""


def passed(capture: Path, esmtp_map: EsmtpMap = DEFAULT_MAP) -> tuple[Connections, list[int]]:
    """The connections of a capture behind an inspection map, and what each of its rows matched."""
    read = recording(capture)
    connections = Connections(Syslog("ASA", RELEASES["8.4"]), streams=True)
    policy = OpenPolicy(RELEASES["8.4"])

    def admit(opening: Opening) -> Admission:
        return replace(policy.admit(opening), esmtp_map=esmtp_map)

    passage = Passage(admit, connections, Judge(Checksums.AUTO, read.survey), None)
    for frame in read.frames:
        passage.receive(frame)
    passage.close()
    matched = [tally.rows for tally in passage.maps]
    return connections, [
        sum(column) for column in zip([0] * len(esmtp_map.rows), *matched, strict=True)
    ]


def mails(capture: Path) -> list[bytes]:
    """The mails that clients sent, as they were transferred."""
    connections, _ = passed(capture)
    sent = (bytes(each.sent.to_server.data) for each in connections.all if each.release)
    return [
        mail for text in sent for mail in re.findall(rb"(?si)\r\ndata\r\n(.*?\r\n\.\r\n)", text)
    ]


@pytest.mark.skipif(not CAPTURES, reason=f"no captures: {CORPUS} is not there")
def test_mails_have_the_parts_that_python_sees() -> None:
    compared = 0
    for mail in (mail for capture in CAPTURES for mail in mails(capture)):
        parsed = read_by_python(mail)
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


def log(subject: Subject, **asks: object) -> Row:
    return Row(Criterion(subject, **asks), Action(log=True))  # type: ignore[arg-type]


ASKED = ("text/html", "image/", "application/", "multipart/", r"\.txt", r"\.zip", r"\.exe")
ROWS = (
    *(log(Subject.ENCODING, words=(word,)) for word in ("7bit", "8bit", "base64")),
    log(Subject.ENCODING, words=("quoted-printable",)),
    *(log(Subject.FILE_NAME_LENGTH, limit=limit) for limit in (1, 12, 40, 255)),
    *(
        log(Subject.FILE_TYPE, regex="asked", expressions=(Expression("asked", each),))
        for each in ASKED
    ),
)


def matching(mail: bytes) -> list[bool]:
    """Which of `ROWS` Python says that a mail matches."""
    parsed = read_by_python(mail)
    encodings, names, kinds = set(), set(), set()
    for each in parsed.walk():
        encodings.add(str(each.get("content-transfer-encoding", "7bit")).strip().lower())
        kinds.add(each.get_content_type())
        for parameter, field_ in NAMED.items():
            value = each.get_param(parameter, None, field_)
            if value is not None:
                names.add(str(make_header(decode_header(collapse_rfc2231_value(value)))))
    longest = max((len(name.encode()) for name in names), default=0)
    return [
        *(word in encodings for word in ("7bit", "8bit", "base64", "quoted-printable")),
        *(longest > limit for limit in (1, 12, 40, 255)),
        *(any(re.search(each, text) for text in kinds | names) for each in ASKED),
    ]


def read_by_python(mail: bytes) -> Message:
    return message_from_bytes(re.sub(rb"(?m)^\.", b"", mail.removesuffix(b".\r\n")))


def longest(text: bytes) -> int:
    return max(map(len, text.split(b"\r\n")))


def matching_by_default(mail: bytes) -> list[bool]:
    """Which rows of the default map that ask for content Python says that a mail matches."""
    header, _, body = re.sub(rb"(?m)^\.", b"", mail).partition(b"\r\n\r\n")
    return [longest(body) > 998, longest(header) > 998, matching(mail)[7]]


@pytest.mark.skipif(not CAPTURES, reason=f"no captures: {CORPUS} is not there")
@pytest.mark.parametrize(
    ("esmtp_map", "rows", "judge", "some"),
    [
        (EsmtpMap("asking", rows=ROWS), range(len(ROWS)), matching, 11),
        (DEFAULT_MAP, (2, 3, 5), matching_by_default, 1),
    ],
    ids=lambda value: value.name if isinstance(value, EsmtpMap) else "",
)
def test_mails_match_as_python_says(
    esmtp_map: EsmtpMap, rows: Sequence[int], judge: Callable[[bytes], list[bool]], some: int
) -> None:
    matched = [0] * len(rows)
    for capture in CAPTURES:
        if capture.stem == HASTY:
            continue
        _, counted = passed(capture, esmtp_map)
        expected = [
            sum(row) for row in zip([0] * len(rows), *map(judge, mails(capture)), strict=True)
        ]
        assert [counted[row] for row in rows] == expected, capture
        matched = [a + b for a, b in zip(matched, expected, strict=True)]
    assert len(matched) - matched.count(0) >= some
