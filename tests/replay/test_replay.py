from __future__ import annotations

import json
import os
import signal
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from appliance.cli import main
from appliance.replay import transcript
from appliance.replay.capture import Frame, read_capture
from tests.replay.packets import (
    ACK,
    CLIENT,
    ETHERNET,
    FIN,
    SERVER,
    SYN,
    Talk,
    enhanced,
    ethernet,
    interface,
    mail,
    pcap,
    section,
    tcp,
)

GREETING = b"220 mail.example.net ESMTP 2026\r\n"
MASKED = b"220 " + b"*" * 23 + b"202*\r\n"

RULES = """\
PIX Version 6.2(2)
nameif ethernet0 outside security0
nameif ethernet1 inside security100
ip address outside 198.51.100.1 255.255.255.0
ip address inside 10.0.0.1 255.255.255.0
static (inside,outside) 198.51.100.5 10.0.0.5 netmask 255.255.255.255 0 0
access-list in permit tcp any host 198.51.100.5 eq smtp
access-group in in interface outside
fixup protocol smtp 25
route outside 0.0.0.0 0.0.0.0 198.51.100.254 1
"""


class Desk:
    """A directory with captures, and `pixguard replay` run in it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def __call__(self, *arguments: str) -> Result:
        names = [
            str(self.directory / each) if "." in each and not each[0].isdigit() else each
            for each in arguments
        ]
        return CliRunner().invoke(main, ["replay", *names], catch_exceptions=False)

    def put(self, name: str, data: bytes) -> None:
        (self.directory / name).write_bytes(data)

    def frames(self, name: str) -> list[Frame]:
        return list(read_capture(self.directory / name, name))

    def records(self, name: str) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.directory / name).read_text().splitlines()]

    @property
    def names(self) -> set[str]:
        return {path.name for path in self.directory.iterdir()}


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    made = Desk(tmp_path)
    made.put("mail.pcap", pcap(ethernet(mail().packets)))
    return made


def test_the_whole_of_it(desk: Desk) -> None:
    result = desk("mail.pcap", "--write", "out.pcap", "--json", "out.json")
    assert (result.exit_code, result.stderr) == (0, "")
    (record,) = desk.records("out.json")
    assert list(record) == [
        "client",
        "server",
        "release",
        "permitted",
        "to_server",
        "to_client",
        "from_client",
        "from_server",
        "events",
        "closed",
    ]
    assert record["client"] == "192.0.2.9:40001"
    assert record["server"] == "198.51.100.5:25"
    assert record["release"] == "6.3"
    assert record["permitted"] is True
    assert record["closed"] == "fin"
    assert record["from_client"] == "VRFY root\r\nQUIT\r\n"
    assert record["to_server"] == "XXXX root\r\nQUIT\r\n"
    assert record["from_server"].encode() == GREETING + b"500 what?\r\n221 bye\r\n"
    assert record["to_client"].encode() == MASKED + b"500 what?\r\n221 bye\r\n"
    assert [event["kind"] for event in record["events"]] == ["greeting-masked", "command-blocked"]
    blocked = record["events"][1]
    assert set(blocked) == {
        "time",
        "kind",
        "direction",
        "offset",
        "original",
        "rewritten",
        "message",
    }
    assert blocked["time"] == pytest.approx(1_000_000_000.04)
    assert (blocked["direction"], blocked["offset"]) == ("to-server", 0)
    assert (blocked["original"], blocked["rewritten"]) == ("VRFY", "XXXX")
    frames, before = desk.frames("out.pcap"), desk.frames("mail.pcap")
    assert [frame.time for frame in frames] == [frame.time for frame in before]
    assert [frame.number for frame, old in zip(frames, before, strict=True) if frame != old] == [
        4,
        5,
    ]
    lines = result.stdout.splitlines()
    assert lines[0].endswith(
        "mail.pcap: 11 packets read, 11 forwarded (2 edited), 0 dropped; 1 connection"
    )
    assert lines[1].split()[:4] == ["1", "192.0.2.9:40001", ">", "198.51.100.5:25"]
    assert "'VRFY' -> 'XXXX'" in lines[3]


def test_twice_the_same(desk: Desk) -> None:
    for number in "12":
        desk("mail.pcap", "--write", f"out{number}.pcap", "--json", f"out{number}.json")
    for kind in ("pcap", "json"):
        first, second = (desk.directory / f"out{number}.{kind}" for number in "12")
        assert first.read_bytes() == second.read_bytes()


def test_json_to_standard_output_is_all_that_is_there(desk: Desk) -> None:
    result = desk("mail.pcap", "mail.pcap", "--json", "-")
    records = [json.loads(line) for line in result.stdout.splitlines()]
    assert [record["closed"] for record in records] == ["fin", "fin"]
    assert "11 packets read" in result.stderr


def test_each_capture_has_its_own_firewall(desk: Desk) -> None:
    half = mail().packets
    desk.put("later.pcap", pcap(ethernet(half[:4]), start=2_000_000_000))
    desk.put("earlier.pcap", pcap(ethernet(half[4:]), start=1_000_000_000))
    result = desk("later.pcap", "earlier.pcap", "--json", "out.json", "--write", "out.pcap")
    assert result.exit_code == 0
    first, second = desk.records("out.json")
    assert first["closed"] == "open"
    assert second["events"][0]["kind"] == "adopted"
    assert second["to_server"] == "XXXX root\r\nQUIT\r\n"
    assert [frame.time // 10**9 for frame in desk.frames("out.pcap")] == [2 * 10**9] * 4 + [
        10**9
    ] * 7


def test_out_of_order_segments_leave_in_order(desk: Desk) -> None:
    talk = Talk().open().answers(GREETING).says(b"HELO a\r\n")
    talk.says(b"RSET\r\n").answers(b"250 a\r\n250 b\r\n")
    talk.packets[4], talk.packets[5] = talk.packets[5], talk.packets[4]
    desk.put("swapped.pcap", pcap(ethernet(talk.packets)))
    result = desk("swapped.pcap", "--json", "out.json", "--write", "out.pcap")
    assert "7 packets read, 6 forwarded (1 edited), 1 held back, 1 released" in result.stdout
    (record,) = desk.records("out.json")
    assert record["to_server"] == record["from_client"] == "HELO a\r\nRSET\r\n"
    assert len(desk.frames("out.pcap")) == 7
    assert [frame.data[54:] for frame in desk.frames("out.pcap")][4:6] == [
        b"HELO a\r\n",
        b"RSET\r\n",
    ]


def test_other_ports_are_not_inspected(desk: Desk) -> None:
    talk = Talk(server=("198.51.100.5", 2525)).open().answers(GREETING).says(b"VRFY a\r\n")
    desk.put("other.pcap", pcap(ethernet(talk.packets)))
    result = desk("other.pcap", "--json", "out.json", "--write", "out.pcap")
    (record,) = desk.records("out.json")
    assert record["release"] == ""
    assert record["to_server"] == "VRFY a\r\n"
    assert record["to_client"].encode() == GREETING
    assert [each.data for each in desk.frames("out.pcap")] == ethernet(talk.packets)
    assert "not inspected" in result.stdout


def test_release(desk: Desk) -> None:
    desk("mail.pcap", "--json", "out.json", "--release", "5.1")
    assert desk.records("out.json")[0]["release"] == "5.1"


def test_unknown_release_is_a_usage_error_that_lists_them(desk: Desk) -> None:
    result = desk("mail.pcap", "--release", "12")
    assert result.exit_code == 2
    assert "5.1" in result.stderr
    assert "6.3" in result.stderr


def test_bad_config_is_told(desk: Desk) -> None:
    desk.put("bad.cfg", b"frobnicate\n")
    result = desk("mail.pcap", "--config", "bad.cfg", "--json", "out.json")
    assert result.exit_code == 1
    assert "bad.cfg:1" in result.stderr
    assert desk.names == {"mail.pcap", "bad.cfg"}


def test_config(desk: Desk) -> None:
    desk.put("rules.cfg", RULES.encode())
    syn = tcp(("192.0.2.9", 40002), ("198.51.100.5", 80), 1, 0, SYN)
    desk.put("both.pcap", pcap(ethernet([*mail().packets, syn, syn])))
    result = desk("both.pcap", "--config", "rules.cfg", "--json", "out.json", "--write", "o.pcap")
    assert result.exit_code == 0, result.stderr
    permitted, denied = desk.records("out.json")
    assert permitted["release"] == "6.2"
    assert permitted["server"] == "198.51.100.5:25"
    assert permitted["to_server"] == "XXXX root\r\nQUIT\r\n"
    assert denied == {
        "client": "192.0.2.9:40002",
        "server": "198.51.100.5:80",
        "release": "",
        "permitted": False,
        "to_server": "",
        "to_client": "",
        "from_client": "",
        "from_server": "",
        "events": [],
        "closed": "dropped",
    }
    assert len(desk.frames("o.pcap")) == 11
    assert "2  106023 denied by an access list" in result.stdout
    assert "%PIX-4-106023: Deny tcp src outside:192.0.2.9/40002" in result.stdout


def test_hostile_bytes_are_escaped(desk: Desk) -> None:
    talk = Talk().open().answers(GREETING).says(b"\x1b[2J\x07\x9b\x7f\r\n")
    desk.put("evil.pcap", pcap(ethernet(talk.packets)))
    result = desk("evil.pcap", "--json", "-")
    shown = result.stdout + result.stderr
    assert all(" " <= c <= "~" or c == "\n" for c in shown)
    assert "\\x1b[2J" in result.stderr
    assert json.loads(result.stdout)["from_client"] == "\x1b[2J\x07\x9b\x7f\r\n"


@pytest.mark.parametrize(
    ("data", "problem", "read"),
    [
        (b"", "the file is empty", 0),
        (b"not a capture", "neither a pcap nor a pcapng", 0),
        (pcap(ethernet(mail().packets))[:20], "file header", 0),
        (pcap(ethernet(mail().packets))[:-3], "inside packet 11", 10),
        (pcap(ethernet(mail().packets)) + b"\0" * 7, "the header of packet 12", 11),
        (pcap(ethernet(mail().packets)) + b"\xff" * 16, "packet 12 is said to be", 11),
    ],
)
def test_broken_captures(desk: Desk, data: bytes, problem: str, read: int) -> None:
    desk.put("broken.pcap", data)
    result = desk("broken.pcap", "mail.pcap", "--json", "out.json", "--write", "out.pcap")
    assert result.exit_code == 1
    assert problem in result.stderr
    told = f"broken.pcap: {read} packets read" in result.stdout
    assert told if read else "broken.pcap" not in result.stdout
    assert len(desk.frames("out.pcap")) == read + 11
    assert len(desk.records("out.json")) == (2 if read else 1)


def test_a_missing_capture_does_not_stop_the_others(desk: Desk) -> None:
    result = desk("none.pcap", "mail.pcap")
    assert result.exit_code == 1
    assert "none.pcap: No such file or directory" in result.stderr
    assert "none.pcap" not in result.stdout
    assert "mail.pcap: 11 packets read" in result.stdout


def test_a_directory_is_no_capture(desk: Desk, tmp_path: Path) -> None:
    (tmp_path / "dir.d").mkdir()
    result = desk("dir.d")
    assert result.exit_code == 1
    assert "dir.d: Is a directory" in result.stderr


def test_cut_packets_are_named_and_not_forwarded(desk: Desk) -> None:
    frames = ethernet(mail().packets)
    data = pcap(frames[:3])
    for frame in frames[3:]:
        size = min(60, len(frame))
        data += struct.pack("<IIII", 1_000_000_000, 500_000, size, len(frame)) + frame[:size]
    desk.put("cut.pcap", data)
    result = desk("cut.pcap", "--write", "out.pcap")
    assert result.exit_code == 1
    assert "4 packets, the first of them packet 4, not replayed: cut by the snap length" in (
        result.stderr
    )
    assert "dropped 4  cut by the snap length" in result.stdout.splitlines()[1]
    for written in desk.frames("out.pcap"):
        assert int.from_bytes(written.data[16:18]) == len(written.data) - len(ETHERNET)


def test_a_link_type_that_is_not_read_is_named(desk: Desk) -> None:
    desk.put("radio.pcap", pcap([b"\0" * 40], link=105))
    result = desk("radio.pcap")
    assert result.exit_code == 1
    assert "radio.pcap: packet 1 not replayed: link type other than Ethernet" in result.stderr


def test_one_side_only(desk: Desk) -> None:
    packets = [packet for packet in mail().packets if packet[12] == 192]
    desk.put("half.pcap", pcap(ethernet(packets)))
    result = desk("half.pcap", "--json", "out.json")
    assert result.exit_code == 0
    assert "one side only" in result.stdout
    (record,) = desk.records("out.json")
    assert record["from_client"] == "VRFY root\r\nQUIT\r\n"
    assert record["from_server"] == ""


def test_several_link_types_are_written_as_pcapng(desk: Desk) -> None:
    packets = mail().packets
    mixed = section() + interface(1) + interface(101)
    for index, packet in enumerate(packets):
        frame = packet if index % 2 else ETHERNET + packet
        mixed += enhanced(frame, index % 2, index * 1000)
    desk.put("mixed.pcapng", mixed)
    assert desk("mixed.pcapng", "--write", "out.pcap").exit_code == 0
    frames = desk.frames("out.pcap")
    assert [frame.link for frame in frames] == [frame.link for frame in desk.frames("mixed.pcapng")]
    assert frames[0].data == ETHERNET + packets[0]
    assert frames[1].data == packets[1]
    assert [frame.time for frame in frames] == [index * 1_000_000 for index in range(11)]


@pytest.mark.parametrize("checksums", ["auto", "verify", "ignore"])
def test_checksums(desk: Desk, checksums: str) -> None:
    # The client's packets all have wrong sums, as where its card was to fill them in.
    packets = [
        packet[:36] + b"\x12\x34" + packet[38:] if packet[12] == 192 else packet
        for packet in mail().packets
    ]
    desk.put("sums.pcap", pcap(ethernet(packets)))
    result = desk("sums.pcap", "--checksums", checksums, "--write", "out.pcap")
    assert result.exit_code == 0
    frames = [frame.data for frame in desk.frames("out.pcap")]
    if checksums == "verify":
        assert "6  wrong checksum" in result.stdout
        assert len(frames) == 5
    else:
        assert "0 dropped" in result.stdout
        assert frames[0] == ETHERNET + mail().packets[0]
    assert ("checksums of 192.0.2.9 are not looked at" in result.stdout) == (checksums == "auto")


def test_a_single_wrong_checksum_is_as_if_it_had_never_come(desk: Desk) -> None:
    packets = mail().packets
    false = tcp(CLIENT, SERVER, 1001, 9034, ACK, b"KILL me!!\r\n")
    packets.insert(4, false[:36] + b"\x12\x34" + false[38:])
    desk.put("sums.pcap", pcap(ethernet(packets)))
    desk("sums.pcap", "--json", "out.json")
    (record,) = desk.records("out.json")
    assert record["from_client"] == "VRFY root\r\nQUIT\r\n"
    assert record["closed"] == "fin"


@pytest.mark.parametrize(
    ("numbers", "expected"),
    [
        ((signal.SIGINT,), {130}),
        ((signal.SIGTERM,), {143}),
        ((signal.SIGHUP,), {129}),
        ((signal.SIGINT, signal.SIGHUP, signal.SIGTERM), {129, 130, 143}),
    ],
)
def test_ended_by_a_signal_it_leaves_nothing(
    desk: Desk, numbers: tuple[int, ...], expected: set[int]
) -> None:
    pipe = desk.directory / "pipe"
    os.mkfifo(pipe)
    command = [sys.executable, "-m", "appliance", "replay", "pipe", "--write", "out.pcap"]
    process = subprocess.Popen(
        ["env", "--default-signal=HUP", *command, "--json", "out.json"],
        cwd=desk.directory,
        env=os.environ | {"TMPDIR": str(desk.directory)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    with pipe.open("wb") as writer:  # it waits for the rest
        writer.write(pcap(ethernet(mail().packets)))
        writer.flush()
        assert len([name for name in desk.names if name.endswith(".part")]) == 2
        for number in numbers:
            process.send_signal(number)
        output, _ = process.communicate(timeout=20)
    assert (process.returncode in expected, output) == (True, b"")
    assert desk.names == {"mail.pcap", "pipe"}


def test_under_nohup_a_hangup_does_not_end_it(desk: Desk) -> None:
    pipe = desk.directory / "pipe"
    os.mkfifo(pipe)
    command = [sys.executable, "-m", "appliance", "replay", "pipe"]
    process = subprocess.Popen(
        ["env", "--ignore-signal=HUP", *command], cwd=desk.directory, stdout=subprocess.PIPE
    )
    with pipe.open("wb") as writer:
        process.send_signal(signal.SIGHUP)
        writer.write(pcap(ethernet(mail().packets)))
    output, _ = process.communicate(timeout=20)
    assert process.returncode == 0
    assert output.startswith(b"pipe: 11 packets read")


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (["--write", "mail.pcap"], "is a capture that is read"),
        (["--json", "mail.pcap"], "is a capture that is read"),
        (["--write", "out.x", "--json", "out.x"], "is what --write writes"),
        (["--write", "-"], "needs the name of a file"),
    ],
)
def test_what_may_not_be_written(desk: Desk, options: list[str], problem: str) -> None:
    result = desk("mail.pcap", *options)
    assert result.exit_code == 2
    assert problem in result.stderr
    assert desk.names == {"mail.pcap"}


def test_where_nothing_can_be_written(desk: Desk) -> None:
    result = desk("mail.pcap", "--write", "none/out.pcap")
    assert result.exit_code == 1
    assert "cannot be written: No such file or directory" in result.stderr
    assert result.stdout == ""


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(st.data())
def test_any_mutation_is_replayed_without_an_exception(desk: Desk, data: st.DataObject) -> None:
    mutated = bytearray(pcap(ethernet(mail().packets)))
    for _ in range(data.draw(st.integers(1, 8))):
        mutated[data.draw(st.integers(0, len(mutated) - 1))] = data.draw(st.integers(0, 255))
    desk.put("fuzz.pcap", bytes(mutated))
    checksums = data.draw(st.sampled_from(["auto", "ignore"]))
    result = desk("fuzz.pcap", "--json", "out.json", "--write", "o.pcap", "--checksums", checksums)
    assert result.exit_code in (0, 1)
    assert (result.exit_code == 1) == bool(result.stderr)
    desk.frames("o.pcap")
    desk.records("out.json")


def test_closed_connections_and_the_packets_after(desk: Desk) -> None:
    talk = mail()
    stray = tcp(CLIENT, SERVER, 5_000_000, 1, ACK | FIN, b"x")
    desk.put("stray.pcap", pcap(ethernet([*talk.packets, stray])))
    result = desk("stray.pcap", "--json", "out.json")
    assert result.exit_code == 0
    assert desk.records("out.json")[0]["closed"] == "fin"
    assert "1 dropped" in result.stdout


def test_a_stream_that_is_cut_in_the_json_is_told(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transcript, "MAX_STREAM", 12)
    result = desk("mail.pcap", "--json", "out.json")
    assert "MiB in the JSON" in result.stdout
    assert desk.records("out.json")[0]["from_client"] == "VRFY root\r\nQ"


def test_without_a_rule_file_it_imports_what_packets_need_and_no_more(desk: Desk) -> None:
    program = (
        "import sys\n"
        "from appliance.replay.replay import replay_files\n"
        "from pathlib import Path\n"
        "replay_files((Path(sys.argv[1]),), None, None, 'auto', None, None)\n"
        "print(*sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(desk.directory / "mail.pcap")],
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = set(done.stdout.splitlines()[-1].split())
    assert "appliance.firewall" in loaded
    for needless in ("appliance.config.load", "appliance.policy", "appliance.live", "scapy"):
        assert needless not in loaded
