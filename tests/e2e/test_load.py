"""Two hundred sessions at a time, with the queue as long as it is by default."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterable
from dataclasses import replace
from itertools import accumulate
from pathlib import Path

from appliance.box import Box
from appliance.lab.lab import Lab
from appliance.lab.topology import SERVER, SERVER_MAPPED
from appliance.lab.view import exchanges
from tests.waiting import eventually

RULES = Path(__file__).parents[2] / "rules" / "pix-6.3.conf"

SESSIONS = 200
MAILS = 1000
SIZE = 2048

RECIPIENT = re.compile(rb"^X-Rcpt-Args: <(\d+)bob@acme\.com>$", re.MULTILINE)
RECEIVED = re.compile(rb"^Received: .*\n\t.*\n\t.*\n", re.MULTILINE)


def content() -> bytes:
    """A mail of SIZE bytes whose lines all differ; none of it looks like something masked."""
    text = "Subject: one of many\n\nVRFY bob\n.\n..\n"
    number = 0
    while len(text) < SIZE:
        text += f"{number * 2654435761 % (1 << 32):032b}\n"  # 2 to the 32 by the golden ratio
        number += 1
    return text.encode()


def most_at_a_time(log: Iterable[str]) -> int:
    """The most connections that stood at a time, by what the firewall logged."""
    steps = (("%PIX-6-302013: " in line) - ("%PIX-6-302014: " in line) for line in log)
    return max(accumulate(steps))


def kernel_says(lab: Lab) -> list[str]:
    """The kernel's own line of the queue."""
    table = Path("/proc/thread-self/net/netfilter/nfnetlink_queue")
    (line,) = lab.router.call(table.read_text).splitlines()
    return line.split()


def test_two_hundred_parallel_sessions_lose_nothing() -> None:
    with tempfile.TemporaryDirectory(prefix="pixguard-e2e-") as name:
        directory = Path(name)
        shutil.chown(directory, "nobody")
        sink = (
            *("smtp-sink", "-u", "nobody", "-d", f"{directory}/mails/"),
            *("-w", "1"),  # seconds before DATA is answered, so that all sessions stand at once
            *(f"{SERVER}:25", "1000"),
        )
        with Lab(RULES, prefix=f"pxl{os.getpid()}", server=sink) as lab:
            assert lab.box == replace(Box(lab.box.interfaces), state=lab.box.state)
            mail = lab.directory / "mail"
            mail.write_bytes(content())
            done = subprocess.run(
                lab.client.command(
                    *("smtp-source", "-s", str(SESSIONS), "-m", str(MAILS), "-N"),
                    *("-f", "alice@example.org", "-t", "bob@acme.com", "-F", str(mail)),
                    f"{SERVER_MAPPED}:25",
                ),
                check=False,
                capture_output=True,
                text=True,
                timeout=60,
            )
            assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
            eventually(
                lambda: lab.counters()["total"]["events"].get("connection-closed") == MAILS,
                "all connections end",
            )
            total = lab.counters()["total"]
            log = lab.log()
            seen = exchanges(lab.client_tap.settle(), lab.server_tap.settle())
            number, _, waiting, _, _, dropped, overflowed, *_ = kernel_says(lab)
        mails = [path.read_bytes() for path in (directory / "mails").iterdir()]
    recipients = [RECIPIENT.findall(mail) for mail in mails]
    assert len(mails) == MAILS
    assert len({each for (each,) in recipients}) == MAILS
    # smtp-source and smtp-sink each put an empty line at the end.
    assert {RECEIVED.split(mail)[-1] for mail in mails} == {content() + b"\n\n"}
    assert len(seen) == MAILS
    for each in seen:
        assert each.server is not None
        assert each.server.to_server.data == each.client.to_server.data
        assert each.client.to_server.data.count(b"\r\n\r\n.\r\nQUIT\r\n") == 1
    assert most_at_a_time(log) > SESSIONS * 3 // 4
    assert (number, waiting, dropped, overflowed) == ("2500", "0", "0", "0")
    assert total["events"]["greeting-masked"] == MAILS
    assert "command-blocked" not in total["events"]
    assert total["faults"] == total["unsent"] == total["lost_lines"] == 0
    # smtp-source closes before it has read the reply to QUIT, so its kernel resets; what comes
    # after a reset belongs to no connection.
    refused = [line for line in log if "%PIX-6-106015: " in line]
    assert len(refused) == total["dropped"]
    assert all(re.search(r" flags (RST|FIN ACK) ", line) for line in refused)
