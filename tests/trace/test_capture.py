"""The first packet of each flow of a capture, judged as a replay judges it."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import pytest

from appliance.trace.command import trace_packets
from tests.replay.packets import ACK, SYN, ethernet, ipv4, pcap, tcp

ROOT = Path(__file__).parents[2]
RULES = ROOT / "rules" / "pix-6.3.conf"
CLIENT, SERVER = ("203.0.113.10", 40000), ("203.0.113.5", 25)


def write(path: Path, *packets: bytes) -> Path:
    path.write_bytes(pcap(ethernet(list(packets))))
    return path


def traced(capture: Path, capsys: pytest.CaptureFixture[str], code: int = 0) -> list[dict]:
    assert trace_packets(RULES, None, capture, (), True) == code
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_each_flow_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    web = ("203.0.113.5", 80)
    echo = ipv4(CLIENT[0], SERVER[0], b"\x0d\x00\xf2\xff" + bytes(4), protocol=1)
    dns = ipv4(CLIENT[0], SERVER[0], struct.pack("!HHHH", 1024, 53, 8, 0), protocol=17)
    capture = write(
        tmp_path / "flows.pcap",
        tcp(CLIENT, SERVER, 1, flags=SYN),
        tcp(SERVER, CLIENT, 9, 2, flags=SYN | ACK),
        tcp(CLIENT, SERVER, 2, 10),
        tcp(CLIENT, web, 1, flags=SYN),
        tcp(CLIENT, web, 1, flags=SYN),
        echo,
        dns,
        dns,
    )
    found = traced(capture, capsys)
    assert [(each["number"], each["action"]) for each in found] == [
        (1, "allow"),
        (4, "drop"),
        (6, "drop"),
        (7, "drop"),
    ]
    mail, refused, ping, question = found
    assert mail["inspected"] == "6.3"
    assert mail["server"]["address"] == "10.1.1.5"
    assert "%PIX-4-106023: Deny tcp" in refused["message"]
    assert (ping["packet"]["type"], ping["packet"]["code"]) == (13, 0)
    assert question["packet"]["destination_port"] == 53


def test_a_flow_that_began_before_the_capture(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The client is the end whose SYN would have been let in, whoever is heard first."""
    capture = write(tmp_path / "late.pcap", tcp(SERVER, CLIENT, 9, 2), tcp(CLIENT, SERVER, 2, 10))
    (each,) = traced(capture, capsys)
    assert (each["action"], each["packet"]["destination_port"]) == ("allow", 25)
    assert trace_packets(RULES, None, capture, (), False) == 0
    first = capsys.readouterr().out.splitlines()[0]
    assert first.endswith("to 203.0.113.5/25, of a flow that began before the capture")
    web = write(tmp_path / "web.pcap", tcp(CLIENT, ("203.0.113.9", 80), 5, 5))
    (each,) = traced(web, capsys)
    assert (each["action"], each["reason"]) == ("drop", "(tcp-not-syn) First TCP packet not SYN")
    assert "%PIX-6-106015" in each["message"]


def test_a_capture_that_is_cut_short(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    whole = write(tmp_path / "whole.pcap", tcp(CLIENT, SERVER, 1, flags=SYN), b"x" * 60)
    whole.write_bytes(whole.read_bytes()[:-5])
    assert trace_packets(RULES, None, whole, (), True) == 1
    captured = capsys.readouterr()
    assert captured.out.count("\n") == 1
    assert captured.err.startswith(f"pixguard: {whole}: ")
