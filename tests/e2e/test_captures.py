"""What leaves the firewall, as captures on both sides of it have it, and the same in replay."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from appliance.lab.lab import Lab
from appliance.lab.sessions import FORBIDDEN, INWARD, OUTWARD, Outcome, converse
from appliance.lab.topology import CLIENT, SERVER_MAPPED
from tests.e2e.capture import Capture, sum_in_software

RULES = Path(__file__).parents[2] / "rules" / "pix-6.3.conf"

GREETING = (
    "220 mail.acme.com Microsoft ESMTP MAIL Service, Version: 5.0.2195.4905 "
    "ready at  Thu, 4 Apr 2002 14:33:27 -0700\r\n"
)
MASKED = (
    "220 *******************************************************0*2******0**********************"
    "*2002*******2***0*00\r\n"
)
"""Microsoft KB 320027, its two fragments joined."""

GOOD = "ip.checksum.status == 1 && tcp.checksum.status == 1"
VERIFY = ("-o", "ip.check_checksum:TRUE", "-o", "tcp.check_checksum:TRUE")


@dataclass(frozen=True, slots=True)
class Held:
    """Sessions that were held, and what was captured of them.

    Args:
        forbidden: EHLO, VRFY and goodmorning from outside.
        inward: a mail from outside.
        outward: a mail from inside.
        outside: the capture on the client's interface.
        inside: the capture on the server's.
    """

    forbidden: Outcome
    inward: Outcome
    outward: Outcome
    outside: Path
    inside: Path


def hold_sessions(directory: Path, in_software: bool) -> Held:
    """Hold the sessions in a lab of their own."""
    with Lab(RULES, prefix=f"pxk{os.getpid()}") as lab, ExitStack() as stack:
        if in_software:
            for namespace in (lab.client, lab.server):
                sum_in_software(namespace, "eth0")
            for interface in ("outside", "inside"):
                sum_in_software(lab.router, interface)
        outside = stack.enter_context(Capture(lab.client, "eth0", directory / "outside.pcap"))
        inside = stack.enter_context(Capture(lab.server, "eth0", directory / "inside.pcap"))
        return Held(
            converse(lab.client, SERVER_MAPPED, FORBIDDEN),
            converse(lab.client, SERVER_MAPPED, INWARD.session),
            converse(lab.server, CLIENT, OUTWARD.session),
            outside.path,
            inside.path,
        )


@pytest.fixture(scope="module")
def held(tmp_path_factory: pytest.TempPathFactory) -> Held:
    return hold_sessions(tmp_path_factory.mktemp("captures"), in_software=True)


@pytest.fixture(scope="module")
def held_offloaded(tmp_path_factory: pytest.TempPathFactory) -> Held:
    return hold_sessions(tmp_path_factory.mktemp("offloaded"), in_software=False)


def replayed(capture: Path, *options: str) -> list[dict[str, Any]]:
    """What `pixguard replay` says of a capture's connections."""
    done = subprocess.run(
        [sys.executable, "-m", "appliance", "replay", str(capture), "--json", "-", *options],
        check=False,
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def tshark(capture: Path, filter_: str, *arguments: str) -> list[str]:
    """What tshark prints of the packets that a filter lets through."""
    done = subprocess.run(
        ["tshark", "-n", "-r", str(capture), *VERIFY, "-Y", filter_, *arguments],
        check=True,
        capture_output=True,
        text=True,
        timeout=30,
    )
    return done.stdout.splitlines()


def received(outcome: Outcome) -> str:
    """All that a client received."""
    assert outcome.failure == ""
    return b"".join(outcome.replies).decode("latin-1")


def test_the_greeting_of_kb_320027_comes_out_byte_for_byte(held: Held) -> None:
    assert held.inward.replies[0].decode() == MASKED
    assert held.forbidden.replies[0].decode() == MASKED


@pytest.mark.parametrize("options", [(), ("--config", str(RULES))])
def test_replay_gives_the_client_what_it_received_live(
    held: Held, options: tuple[str, ...]
) -> None:
    forbidden, inward, _ = replayed(held.inside, *options)
    assert forbidden["from_server"].startswith(GREETING)
    assert forbidden["to_client"] == received(held.forbidden)
    assert inward["from_server"].startswith(GREETING)
    assert inward["to_client"] == received(held.inward)
    *_, outward = replayed(held.outside, *options)
    assert outward["from_server"].startswith("220 mx.example.org ESMTP Postfix")
    assert outward["to_client"] == received(held.outward)


def test_replay_gives_the_server_what_it_received_live(held: Held) -> None:
    """The outside capture has what the client sent, the inside one what came of it."""
    for sent, arrived in zip(replayed(held.outside)[:2], replayed(held.inside)[:2], strict=True):
        assert sent["client"] == arrived["client"]
        assert sent["to_server"] == arrived["from_client"]
    forbidden = replayed(held.outside)[0]
    assert forbidden["from_client"] == "".join(FORBIDDEN)
    assert forbidden["to_server"] == (
        "XXXX client.example.com\r\nXXXX postmaster\r\nXXXXXXXXXXX\r\nQUIT\r\n"
    )


@pytest.mark.parametrize("side", ["outside", "inside"])
def test_tshark_finds_no_wrong_checksum_and_no_gap(held: Held, side: str) -> None:
    capture: Path = getattr(held, side)
    everything = tshark(capture, "tcp")
    assert len(everything) > 40
    assert tshark(capture, f"tcp && {GOOD}") == everything
    assert not tshark(capture, "tcp.analysis.lost_segment || tcp.analysis.ack_lost_segment")
    assert not tshark(capture, "_ws.malformed")


def test_tshark_would_find_a_wrong_checksum(held: Held, tmp_path: Path) -> None:
    broken = tmp_path / "broken.pcap"
    broken.write_bytes(held.outside.read_bytes().replace(b"HELO client", b"HELO Client"))
    (line,) = tshark(broken, f"tcp && !({GOOD})")
    assert "HELO Client" in line


def test_edited_packets_have_whole_checksums_whoever_left_them_out(held_offloaded: Held) -> None:
    """Between namespaces the sender leaves the sum to a card that is not there."""
    for capture, of_a_mask in (
        (held_offloaded.outside, 'tcp.payload contains "*******"'),
        (held_offloaded.inside, 'tcp.payload contains "XXXX "'),
    ):
        edited = tshark(capture, of_a_mask)
        assert len(edited) == 2
        assert tshark(capture, f"{of_a_mask} && {GOOD}") == edited
    assert tshark(held_offloaded.inside, f"tcp && !({GOOD})")  # the others are as they were


def test_tshark_sees_the_commands_masked(held: Held) -> None:
    session = "tcp.stream == 0 && smtp.req.command"
    fields = ("-T", "fields", "-e", "smtp.req.command", "-e", "smtp.req.parameter")
    assert tshark(held.outside, session, *fields) == [
        "EHLO\tclient.example.com",
        "VRFY\tpostmaster",
        "QUIT\t",
    ]
    assert tshark(held.inside, session, *fields) == [
        "XXXX\tclient.example.com",
        "XXXX\tpostmaster",
        "QUIT\t",
    ]
    greetings = ("smtp.response.code == 220", "-T", "fields", "-e", "smtp.rsp.parameter")
    assert f"220 {tshark(held.inside, *greetings)[0]}\r\n" == GREETING
    assert f"220 {tshark(held.outside, *greetings)[0]}\r\n" == MASKED
