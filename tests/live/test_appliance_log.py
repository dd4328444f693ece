"""The log: which lines, where to, and nothing raw in them."""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.config.model import Logging
from appliance.errors import PixguardError
from appliance.live.log import Log


def test_lines_are_appended_with_their_time(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_text("before\n")
    log = Log(path)
    log.write("%PIX-6-302013: Built")
    log.close()
    before, line = path.read_text().splitlines()
    assert before == "before"
    stamp, text = line.split(": ", 1)
    assert text == "%PIX-6-302013: Built"
    assert abs((datetime.now() - datetime.strptime(stamp, "%b %d %Y %H:%M:%S")).seconds) < 60


@given(st.text())
def test_every_line_is_printable_and_stamped(
    tmp_path_factory: pytest.TempPathFactory, text: str
) -> None:
    path = tmp_path_factory.mktemp("log") / "log"
    log = Log(path)
    log.write(text)
    log.close()
    content = path.read_bytes()
    assert all(0x20 <= byte < 0x7F or byte in b"\t\n" for byte in content)
    assert content.count(b"\n") == text.count("\n") + 1


def test_a_new_log_is_not_for_everybody_to_read(tmp_path: Path) -> None:
    Log(tmp_path / "log").close()
    assert (tmp_path / "log").stat().st_mode & 0o137 == 0


def test_a_rotated_log_is_opened_again(tmp_path: Path) -> None:
    path = tmp_path / "log"
    log = Log(path)
    log.write("one")
    path.rename(tmp_path / "log.1")
    log.write("two")
    log.reopen()
    log.write("three")
    log.close()
    assert [line[-3:] for line in (tmp_path / "log.1").read_text().splitlines()] == ["one", "two"]
    assert path.read_text().endswith(": three\n")


def test_a_log_that_cannot_be_opened_is_told_and_the_old_one_stays(tmp_path: Path) -> None:
    path = tmp_path / "directory" / "log"
    with pytest.raises(PixguardError, match="cannot open the log"):
        Log(path)
    path.parent.mkdir()
    log = Log(path)
    path.parent.rename(tmp_path / "moved")
    with pytest.raises(PixguardError, match="cannot open the log"):
        log.reopen()
    log.write("still here")
    log.close()
    assert "still here" in (tmp_path / "moved" / "log").read_text()


def test_a_full_disk_stops_nothing() -> None:
    log = Log(Path("/dev/full"))
    log.write("lost")
    log.write("lost, too")


def test_the_console_gets_what_the_rule_file_says(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = Log(tmp_path / "log")
    log.configure(Logging(on=True, levels=(("console", 4), ("buffered", 6))))
    log.take("%PIX-6-302013: Built")
    log.take("%PIX-4-106023: Deny")
    log.take("pixguard: ready")
    log.close()
    assert re.fullmatch(r".{20}: %PIX-4-106023: Deny\n", capsys.readouterr().err)
    assert len((tmp_path / "log").read_text().splitlines()) == 3


def test_without_a_file_lines_go_to_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    log = Log(None)
    log.write("here")
    log.close()
    assert capsys.readouterr().err.endswith(": here\n")
