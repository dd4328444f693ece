"""What a syslog server gets, to the blank, and which messages it gets at all."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.config.model import Logging, LogHost
from appliance.live.framing import Message, datagram, file_level, is_logged, level
from appliance.live.log import Log

LOOPBACK = IPv4Address("127.0.0.1")
PLAIN = LogHost(LOOPBACK, 514, emblem=False)
EMBLEM = LogHost(LOOPBACK, 514, emblem=True)
NIGHT = datetime(2025, 7, 23, 23, 59, 9, tzinfo=UTC)
BUILT = Message("PIX", 6, 302013, "Built")


def logging(
    *levels: tuple[str, int],
    on: bool = True,
    hosts: tuple[LogHost, ...] = (),
    facility: int = 20,
    timestamp: bool = False,
    device_id: str = "",
    disabled: tuple[int, ...] = (),
    severities: tuple[tuple[int, int], ...] = (),
) -> Logging:
    return Logging(
        on=on,
        levels=levels,
        hosts=hosts,
        facility=facility,
        timestamp=timestamp,
        device_id=device_id,
        disabled=disabled,
        severities=severities,
    )


# Beginnings of lines that people published: a firewall's datagrams of 2025 (facility by default),
# of 2023 (`logging facility 21`) and of 2022; two lines with a device ID, of 2014 and 2007. Their
# ends are shortened here. Those that begin with a time were taken from the server's file, so the
# priority before it is ours.
@pytest.mark.parametrize(
    ("message", "settings", "when", "expected"),
    [
        (
            Message(
                "ASA", 6, 302013, "Built inbound TCP connection 1085592 for dmz:192.168.20.120"
            ),
            logging(timestamp=True),
            datetime(2025, 7, 23, 23, 59, 9, tzinfo=UTC),
            b"<166>Jul 23 2025 23:59:09: %ASA-6-302013: Built inbound TCP connection 1085592 "
            b"for dmz:192.168.20.120",
        ),
        (
            Message("ASA", 4, 106023, "Deny tcp src outside:123.93.187.190/63659"),
            logging(timestamp=True),
            datetime(2022, 8, 28, 19, 34, 14, tzinfo=UTC),
            b"<164>Aug 28 2022 19:34:14: %ASA-4-106023: Deny tcp src outside:123.93.187.190/63659",
        ),
        (
            Message("ASA", 4, 106023, "..."),
            logging(timestamp=True, facility=21),
            datetime(2023, 2, 13, 2, 31, 56, tzinfo=UTC),
            b"<172>Feb 13 2023 02:31:56: %ASA-4-106023: ...",
        ),
        (
            Message("PIX", 3, 106014, "Deny inbound icmp"),
            logging(timestamp=True, device_id="device1"),
            datetime(2014, 1, 14, 19, 33, 41, tzinfo=UTC),
            b"<163>Jan 14 2014 19:33:41 device1 : %PIX-3-106014: Deny inbound icmp",
        ),
        (
            Message("PIX", 6, 302013, "Built outbound TCP connection 4506013"),
            logging(timestamp=True, device_id="172.31.254.1"),
            datetime(2007, 1, 2, 8, 41, 55, tzinfo=UTC),
            b"<166>Jan 02 2007 08:41:55 172.31.254.1 : "
            b"%PIX-6-302013: Built outbound TCP connection 4506013",
        ),
    ],
)
def test_lines_that_people_published(
    message: Message, settings: Logging, when: datetime, expected: bytes
) -> None:
    assert datagram(message, settings, PLAIN, when) == expected


# The same, from the forms in docs/live.md.
@pytest.mark.parametrize(
    ("settings", "host", "expected"),
    [
        (logging(), PLAIN, b"<166>%PIX-6-302013: Built"),
        (logging(timestamp=True), PLAIN, b"<166>Jul 23 2025 23:59:09: %PIX-6-302013: Built"),
        (logging(device_id="device1"), PLAIN, b"<166>device1 : %PIX-6-302013: Built"),
        (logging(), EMBLEM, b"<166>:%PIX-6-302013: Built"),
        (logging(device_id="device1"), EMBLEM, b"<166>:%PIX-6-302013: Built"),
        (logging(timestamp=True), EMBLEM, b"<166>:Jul 23 23:59:09 UTC: %PIX-6-302013: Built"),
        (logging(facility=16), PLAIN, b"<134>%PIX-6-302013: Built"),
        (logging(facility=23), PLAIN, b"<190>%PIX-6-302013: Built"),
    ],
)
def test_every_setting(settings: Logging, host: LogHost, expected: bytes) -> None:
    assert datagram(BUILT, settings, host, NIGHT) == expected


def test_the_time_is_local_and_in_emblem_utc() -> None:
    when = datetime(2007, 1, 1, 23, 41, 55, tzinfo=timezone(timedelta(hours=-9)))
    settings = logging(timestamp=True)
    assert datagram(BUILT, settings, PLAIN, when).startswith(b"<166>Jan 01 2007 23:41:55: %")
    assert datagram(BUILT, settings, EMBLEM, when).startswith(b"<166>:Jan 02 08:41:55 UTC: %PIX-6-")


@given(st.text(), st.integers(0, 7), st.integers(16, 23), st.booleans(), st.booleans())
def test_a_datagram_is_one_printable_line(
    body: str, severity: int, facility: int, timestamp: bool, emblem: bool
) -> None:
    message = Message("PIX", severity, 108002, body)
    settings = logging(facility=facility, timestamp=timestamp)
    data = datagram(message, settings, EMBLEM if emblem else PLAIN, NIGHT)
    assert all(0x20 <= byte < 0x7F or byte == 0x09 for byte in data)
    assert data.startswith(b"<%d>" % (facility * 8 + severity))


@given(st.text())
def test_taking_a_message_apart_loses_nothing(body: str) -> None:
    message = Message("ASA", 2, 108002, body)
    assert Message.parse(str(message)) == message


@pytest.mark.parametrize(
    "text",
    ["", "pixguard: %PIX-6-302013: a", "%PIX-8-302013: a", "%IOS-6-302013: a", "%PIX-6-3: a"],
)
def test_what_is_no_message_of_a_device(text: str) -> None:
    assert Message.parse(text) is None


@pytest.mark.parametrize(
    ("settings", "of_file", "of_hosts"),
    [
        (logging(("trap", 7), on=False), -1, -1),
        (logging(), -1, -1),
        (logging(("trap", 0)), 0, 0),
        (logging(("trap", 4), ("buffered", 6), ("console", 2)), 6, 4),
        (logging(("buffered", 6)), 6, -1),
    ],
)
def test_the_file_takes_what_any_destination_would_and_servers_what_trap_says(
    settings: Logging, of_file: int, of_hosts: int
) -> None:
    assert (file_level(settings), level(settings, "trap")) == (of_file, of_hosts)


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (logging(("trap", 6)), "%PIX-6-302013: Built"),
        (logging(("trap", 5)), None),
        (logging(("trap", 5), severities=((302013, 5),)), "%PIX-5-302013: Built"),
        (logging(("trap", 6), severities=((302013, 7),)), None),
        (logging(("trap", 6), severities=((302014, 7),)), "%PIX-6-302013: Built"),
        (logging(("trap", 6), disabled=(302013,)), None),
        (logging(("trap", 6), disabled=(302014,)), "%PIX-6-302013: Built"),
        (logging(("trap", 6), on=False), None),
    ],
)
def test_single_messages_are_chosen(settings: Logging, expected: str | None) -> None:
    message = BUILT.under(settings)
    assert (str(message) if is_logged(message, settings) else None) == expected


@pytest.fixture
def server() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as made:
        made.bind((str(LOOPBACK), 0))
        made.settimeout(5)
        yield made


def test_each_sink_gets_its_own(tmp_path: Path, server: socket.socket) -> None:
    path = tmp_path / "log"
    log = Log(path)
    host = LogHost(LOOPBACK, server.getsockname()[1], emblem=False)
    log.configure(logging(("trap", 4), ("buffered", 6), hosts=(host,)))
    log.take("%PIX-6-302013: for the file alone")
    log.take("pixguard: of itself")
    log.take("%PIX-7-609001: for nobody")
    log.take("%PIX-2-108002: for \x1b[31m\nboth")
    assert server.recv(1000) == rb"<162>%PIX-2-108002: for \x1b[31m\nboth"
    log.configure(logging(("trap", 4), on=False, hosts=(host,)))
    log.take("%PIX-2-108002: for nobody")
    log.configure(logging(("trap", 4), hosts=(host, host)))
    log.take("%PIX-4-106023: twice")
    assert [server.recv(1000) for _ in range(2)] == [b"<164>%PIX-4-106023: twice"] * 2
    server.setblocking(False)
    with pytest.raises(BlockingIOError):
        server.recv(1000)
    log.close()
    assert [line.split(": ", 1)[1] for line in path.read_text().splitlines()] == [
        "%PIX-6-302013: for the file alone",
        "pixguard: of itself",
        r"%PIX-2-108002: for \x1b[31m",
        "both",
        "%PIX-4-106023: twice",
    ]
    assert (log.datagrams.sent, log.datagrams.lost) == (3, 0)


def test_what_cannot_be_sent_is_counted_and_stops_nothing(
    tmp_path: Path, server: socket.socket
) -> None:
    log = Log(tmp_path / "log")
    nowhere = LogHost(IPv4Address("255.255.255.255"), 514, emblem=False)  # not permitted
    somewhere = LogHost(LOOPBACK, server.getsockname()[1], emblem=False)
    log.configure(logging(("trap", 7), hosts=(nowhere, somewhere)))
    log.take("%PIX-6-302013: arrives")
    assert server.recv(1000) == b"<166>%PIX-6-302013: arrives"
    log.take("%PIX-6-302013: " + "x" * 70_000)
    log.close()
    assert (log.datagrams.sent, log.datagrams.lost) == (1, 3)


def test_a_server_that_does_not_read_blocks_nobody(tmp_path: Path, server: socket.socket) -> None:
    log = Log(tmp_path / "log")
    host = LogHost(LOOPBACK, server.getsockname()[1], emblem=False)
    log.configure(logging(("trap", 7), hosts=(host,)))
    for _ in range(2_000):
        log.take("%PIX-6-302013: " + "x" * 1_000)
    log.close()
    assert log.datagrams.sent + log.datagrams.lost == 2_000


def test_events_are_lines_of_json_and_the_file_can_be_rotated(tmp_path: Path) -> None:
    path = tmp_path / "events"
    log = Log(tmp_path / "log", path)
    log.record({"kind": "command-blocked", "original": "\x00\x1b\x7f\xff\n", "offset": 5})
    path.rename(tmp_path / "events.1")
    log.reopen()
    log.record({"time": 1.5})
    log.close()
    line = (tmp_path / "events.1").read_bytes()
    assert all(0x20 <= byte < 0x7F for byte in line[:-1])
    assert line.endswith(b"\n")
    assert json.loads(line) == {
        "kind": "command-blocked",
        "original": "\x00\x1b\x7f\xff\n",
        "offset": 5,
    }
    assert path.read_text() == '{"time": 1.5}\n'
    assert path.stat().st_mode & 0o137 == 0
