"""The whole appliance and a syslog server beside the mail server: what reaches which sink."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from appliance.lab.lab import Lab
from appliance.lab.sessions import FORBIDDEN, converse
from appliance.lab.topology import SERVER, SERVER_MAPPED
from tests.namespaces import needs_namespaces
from tests.waiting import eventually

pytestmark = needs_namespaces

RULES = Path(__file__).parents[2] / "rules"
BUILT = (
    r"Built inbound TCP connection \d+ for outside:203\.0\.113\.10/\d+ "
    r"\(203\.0\.113\.10/\d+\) to inside:10\.1\.1\.5/25 \(203\.0\.113\.5/25\)"
)
STAMP = r"[A-Z][a-z]{2} \d\d \d{4} \d\d:\d\d:\d\d"


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    return Path(shutil.copy(RULES / "pix-6.3.conf", tmp_path / "rules.conf"))


@pytest.fixture
def lab(rules: Path) -> Iterator[Lab]:
    with Lab(rules, prefix=f"pxs{os.getpid()}") as made:
        yield made


def set_logging(rules: Path, *lines: str) -> None:
    text = (RULES / "pix-6.3.conf").read_text()
    kept = [line for line in text.splitlines() if not line.startswith(("logging ", ": end"))]
    rules.write_text("\n".join([*kept, *lines, ""]))


def reload(lab: Lab) -> None:
    before = sum("pixguard: reloaded: " in line for line in lab.log())
    lab.appliance.send_signal(signal.SIGHUP)
    eventually(lambda: sum("pixguard: reloaded: " in line for line in lab.log()) > before)


@contextmanager
def syslog_server(lab: Lab, port: int) -> Iterator[socket.socket]:
    with lab.server.call(socket.socket, socket.AF_INET, socket.SOCK_DGRAM) as made:
        made.bind((SERVER, port))
        made.settimeout(20)
        yield made


def received(server: socket.socket) -> str:
    return server.recv(65536).decode("ascii")


def test_servers_get_what_the_rule_file_says_and_a_reload_changes_it(lab: Lab, rules: Path) -> None:
    with syslog_server(lab, 514) as server, syslog_server(lab, 1514) as other:
        host = f"logging host inside {SERVER}"
        set_logging(rules, "logging on", "logging trap 6", host)
        reload(lab)
        converse(lab.client, SERVER_MAPPED, ("QUIT\r\n",))
        assert re.fullmatch(f"<166>%PIX-6-302013: {BUILT}", received(server))
        assert re.match(r"<166>%PIX-6-302014: Teardown TCP connection \d+ for ", received(server))

        set_logging(
            rules,
            *("logging on", "logging trap 5", "logging buffered 6", f"{host} 17/1514"),
            *("logging timestamp", "logging device-id hostname", "logging facility 23"),
            "logging message 302013 level 5",
            "hostname acme-fw",
        )
        reload(lab)
        converse(lab.client, SERVER_MAPPED, ("QUIT\r\n",))
        line = received(other)
        assert re.fullmatch(f"<189>{STAMP} acme-fw : %PIX-5-302013: {BUILT}", line)
        message = line[line.index("%") :]
        eventually(lambda: any(each.endswith(f": {message}") for each in lab.log()))
        number = message.split()[5]
        teardown = f"%PIX-6-302014: Teardown TCP connection {number} "
        eventually(lambda: any(teardown in each for each in lab.log()))

        set_logging(
            rules,
            *("logging on", "logging trap 6", f"{host} udp/1514 format emblem"),
            *("logging timestamp", "logging device-id hostname", "no logging message 302013"),
        )
        reload(lab)
        converse(lab.client, SERVER_MAPPED, ("QUIT\r\n",))
        # Neither the disabled message nor, before it, the one of too low a severity came.
        assert re.match(
            r"<166>:[A-Z][a-z]{2} \d\d \d\d:\d\d:\d\d UTC: %PIX-6-302014: Teardown TCP connection ",
            received(other),
        )
        for each in (server, other):
            each.setblocking(False)
            with pytest.raises(BlockingIOError):
                each.recv(65536)
        eventually(lambda: lab.counters()["syslog"] == {"sent": 4, "lost": 0})


def test_a_server_that_is_not_there_does_not_hold_up_mail(lab: Lab, rules: Path) -> None:
    absent = ("10.1.1.77", SERVER, "192.0.2.200")  # no neighbour, no listener, no route
    hosts = (f"logging host {address}" for address in absent)
    set_logging(rules, "logging on", "logging trap 7", *hosts)
    reload(lab)
    for _ in range(5):
        assert converse(lab.client, SERVER_MAPPED, FORBIDDEN).codes[-1] == "221"

    def has_counted() -> bool:
        counted: dict[str, int] = lab.counters()["syslog"]
        return sum(counted.values()) == len(absent) * 10  # two messages a connection

    eventually(has_counted)


def test_events_are_written_as_json_whatever_is_logged(
    lab: Lab, rules: Path, tmp_path: Path
) -> None:
    lab.appliance.send_signal(signal.SIGTERM)
    assert lab.appliance.wait(20) == 0
    set_logging(rules, "no logging on", "logging message 302013 level 3")
    events, log, box = tmp_path / "events.json", tmp_path / "log", tmp_path / "box.yaml"
    box.write_text(
        json.dumps(
            {
                "interfaces": {"outside": "outside", "inside": "inside"},
                "state": str(tmp_path),
                "log": str(log),
                "json-log": str(events),
            }
        )
    )
    with subprocess.Popen(
        lab.router.command(
            *(sys.executable, "-P", "-m", "appliance", "run"),
            *("--config", str(rules), "--box", str(box)),
        )
    ) as appliance:
        try:
            eventually(lambda: log.exists() and "the firewall is up" in log.read_text())
            converse(lab.client, SERVER_MAPPED, FORBIDDEN)
            eventually(lambda: "connection-closed" in events.read_text())
        finally:
            appliance.terminate()
    records = [json.loads(line) for line in events.read_text().splitlines()]
    ends = [(each["client"].split(":")[0], each["server"]) for each in records]
    assert set(ends) == {("203.0.113.10", "10.1.1.5:25")}
    built, greeting, *_, closed = records
    assert (built["kind"], built["severity"], built["number"]) == ("connection-built", 3, 302013)
    assert re.fullmatch(f"%PIX-3-302013: {BUILT}", built["message"])
    assert (greeting["kind"], greeting["direction"]) == ("greeting-masked", "to-client")
    assert greeting["original"].startswith("220 mail.acme.com Microsoft ESMTP")
    assert greeting["rewritten"].startswith("220 ****")
    assert "message" not in greeting
    first = next(each for each in records if each["kind"] == "command-blocked")
    assert (first["offset"], first["direction"]) == (0, "to-server")
    assert first["original"].startswith("EHLO")
    assert first["rewritten"].startswith("XXXX")
    assert (closed["closed"], closed["number"]) == ("fin", 302014)
    assert "%PIX" not in log.read_text()
