"""Captures of other projects, where they are at hand: replayed without an exception or warning."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import pytest
from click.testing import CliRunner

from appliance.cli import main
from appliance.replay.capture import read_capture
from appliance.replay.checksums import Sum, header_sum, tcp_sum
from appliance.replay.frames import Arrival, arrival

CORPUS = Path(__file__).parents[3] / "shared" / "corpus" / "pcaps"
CAPTURES = sorted(CORPUS.glob("*/*.pcap"))


def test_the_corpus_is_at_hand() -> None:
    if not CORPUS.is_dir():
        pytest.skip(f"no captures: {CORPUS} is not there")
    assert CAPTURES


@pytest.mark.parametrize("capture", CAPTURES, ids=lambda path: path.stem)
def test_replayed(capture: Path, tmp_path: Path) -> None:
    out, lines = tmp_path / "out.pcap", tmp_path / "out.json"
    arguments = ["replay", str(capture), "--write", str(out), "--json", str(lines)]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = CliRunner().invoke(main, arguments, catch_exceptions=False)
    assert (result.exit_code, result.stderr) == (0, "")
    for line in lines.read_text().splitlines():
        record = json.loads(line)
        assert len(record["to_server"]) <= len(record["from_client"])
        assert len(record["to_client"]) <= len(record["from_server"])
    for frame in read_capture(out, "out"):
        came = arrival(frame)
        assert isinstance(came, Arrival)
        assert header_sum(came.packet) is Sum.RIGHT
        assert tcp_sum(came.packet) is Sum.RIGHT
