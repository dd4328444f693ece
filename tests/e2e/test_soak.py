"""Much mail over bad lines: none is lost, changed or doubled."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from appliance.lab.namespace import Namespace
from tests.e2e.impairment import MARK, QUEUE
from tests.live.mailing import RECIPIENT, BoxedLab, Mail, await_mails, mails, open_session

SENDERS = 12
MAILS = 24  # of each sender
SMALLEST, LARGEST = 1_000, 200_000

PATIENCE = 60.0
"""Seconds that an end may be silent; TCP's own waits double each time, from a second on."""

BLOCKED = {"4.1": 250, "6.3": 500, "8.4": 500}
"""Releases, and what a client hears to a blocked command: from 4.1 itself, else from the server."""


@contextmanager
def bad_line(namespace: Namespace, seed: int) -> Iterator[dict[str, int]]:
    """Impair all TCP of a namespace; yields what is filled in at the end."""
    for chain in ("INPUT", "OUTPUT"):
        rule = ("-p", "tcp", "-m", "mark", "!", "--mark", str(MARK))
        command = ("iptables", "-A", chain, *rule, "-j", "NFQUEUE", "--queue-num", str(QUEUE))
        subprocess.run(namespace.command(*command), check=True, capture_output=True)
    done: dict[str, int] = {}
    program = Path(__file__).with_name("impairment.py")
    with subprocess.Popen(
        namespace.command(sys.executable, str(program), str(seed)), stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        try:
            assert process.stdout.readline() == b"up\n"
            yield done
        finally:
            process.terminate()
        done |= json.loads(process.stdout.read())


def send(sent: Sequence[Mail], blocked: int) -> None:
    """Send mails in one session, with a blocked command between them."""
    with open_session(PATIENCE) as session:
        for number, mail in enumerate(sent):
            assert session.docmd("EXPN", f"list{number}")[0] == blocked
            assert session.sendmail("alice@example.org", RECIPIENT, mail.content) == {}
        assert session.docmd("TURN")[0] == blocked


@pytest.mark.parametrize("release", BLOCKED)
def test_every_mail_arrives_once_and_as_it_was_sent(release: str) -> None:
    sent = mails(SENDERS * MAILS, 5, SMALLEST, LARGEST)
    with BoxedLab(f"pxs{os.getpid()}", {"workers": 2}, release=release) as lab, ExitStack() as ends:
        lines = [ends.enter_context(bad_line(lab.client, 1))]
        lines.append(ends.enter_context(bad_line(lab.server, 2)))
        with ThreadPoolExecutor(SENDERS) as pool:
            shares = (sent[at : at + MAILS] for at in range(0, len(sent), MAILS))
            sessions = [pool.submit(lab.client.call, send, e, BLOCKED[release]) for e in shares]
            for each in sessions:
                each.result()
        await_mails(lab, sent)
        ends.close()
        total = lab.counters()["total"]
        unknown, built = lab.unknown(), lab.built()
        queues = lab.counters()["queues"]
    for line in lines:
        assert min(line["lost"], line["delayed"], line["doubled"]) > line["packets"] // 200
    assert unknown <= {"XXXX\r\n", "XXXX mx.example.org\r\n"} | {
        f"XXXX list{number}\r\n" for number in range(MAILS)
    }
    assert bool(unknown) is (BLOCKED[release] == 500)
    assert min(built) >= SENDERS // 4
    assert total["events"]["greeting-masked"] == SENDERS
    assert total["faults"] == total["lost_lines"] == 0
    assert "inconsistent-retransmission" not in total["events"]
    assert all(each["dropped"] == each["overflowed"] == 0 for each in queues)
