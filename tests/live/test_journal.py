"""Lines in systemd's journal, and when they go there."""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.config.model import Logging
from appliance.live import journal
from appliance.live.journal import Journal
from appliance.live.log import Log


@pytest.fixture
def listener(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """A socket in the place of the journal's."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as made:
        made.bind(str(tmp_path / "journal"))
        made.settimeout(5)
        monkeypatch.setattr(journal.Journal.__init__, "__defaults__", (tmp_path / "journal",))
        yield made


def entry(listener: socket.socket) -> dict[str, str]:
    """The fields of the next entry, in either of their two forms."""
    data, fields = listener.recv(1 << 16), {}
    while data:
        line, data = data.split(b"\n", 1)
        name, equals, value = line.partition(b"=")
        if not equals:
            (size,) = struct.unpack_from("<Q", data)
            value, data = data[8 : 8 + size], data[8 + size + 1 :]
        fields[name.decode()] = value.decode()
    return fields


def behind_stderr(monkeypatch: pytest.MonkeyPatch) -> None:
    state = os.fstat(2)
    monkeypatch.setenv("JOURNAL_STREAM", f"{state.st_dev}:{state.st_ino}")


def test_messages_come_with_their_fields(
    listener: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    behind_stderr(monkeypatch)
    log = Log(None)
    log.configure(Logging(on=True, levels=(("buffered", 6),)))
    log.take("%ASA-4-106023: Deny \x1b[31m")
    assert entry(listener) == {
        "SYSLOG_IDENTIFIER": "pixguard",
        "MESSAGE": r"%ASA-4-106023: Deny \x1b[31m",
        "PRIORITY": "4",
        "PIXGUARD_MESSAGE_ID": "106023",
        "PIXGUARD_PRODUCT": "ASA",
    }
    log.take("%ASA-7-609001: too verbose")
    log.write("pixguard: one\ntwo=2")
    assert entry(listener) == {
        "SYSLOG_IDENTIFIER": "pixguard",
        "MESSAGE": "pixguard: one\ntwo=2",
        "PRIORITY": "5",
    }
    log.close()


def test_lines_go_to_standard_error_where_that_is_not_the_journal(
    listener: socket.socket, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    for stream in (None, "1:2", "nonsense"):
        if stream:
            monkeypatch.setenv("JOURNAL_STREAM", stream)
        log = Log(None)
        log.write("pixguard: a line")
        log.close()
        assert capfd.readouterr().err.endswith(": pixguard: a line\n")
    listener.setblocking(False)
    with pytest.raises(BlockingIOError):
        listener.recv(1)


def test_a_file_is_a_file(
    listener: socket.socket, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    behind_stderr(monkeypatch)
    log = Log(tmp_path / "log")
    log.write("pixguard: a line")
    log.close()
    assert (tmp_path / "log").read_text().endswith(": pixguard: a line\n")


def test_what_the_journal_does_not_take_goes_to_standard_error(
    listener: socket.socket, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    behind_stderr(monkeypatch)
    log = Log(None)
    listener.close()
    log.write("pixguard: a line")
    log.close()
    assert capfd.readouterr().err.endswith(": pixguard: a line\n")


def test_without_a_listener_there_is_no_journal(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        Journal(tmp_path / "nobody")
