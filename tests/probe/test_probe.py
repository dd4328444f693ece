"""`pixguard probe` as its user runs it, against servers on loopback."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from aiosmtpd.controller import Controller
from click.testing import CliRunner, Result

from appliance.cli import main
from appliance.probe import conversation
from appliance.probe.conversation import MAX_REPLY
from appliance.smtp.release import RELEASES
from tests.probe.path import SENDMAIL, SERVERS, listening, serving
from tests.probe.test_diagnosis import FAMILY
from tests.waiting import eventually


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A greeting without an end is waited for briefly."""
    monkeypatch.setattr(conversation, "QUIET", 0.2)


def probe(port: int, *options: str) -> Result:
    return CliRunner().invoke(main, ["probe", f"127.0.0.1:{port}", *options])


@contextmanager
def saying(*texts: bytes, hold: float = 0) -> Iterator[int]:
    """A server that says one text after each line that it is sent, the first unasked."""

    def serve(connection: socket.socket) -> None:
        for text in texts:
            connection.sendall(text)
            if not connection.recv(4096):
                return
        time.sleep(hold)

    with listening(serve) as port:
        yield port


@pytest.mark.parametrize("server", SERVERS)
@pytest.mark.parametrize("name", RELEASES)
def test_every_release_in_the_path_is_named(name, server):
    with serving(SERVERS[server], RELEASES[name]) as port:
        done = probe(port)
    assert done.exit_code == 0
    assert done.stdout.endswith(f"\nThere is a Mailguard in the path: {FAMILY[name]}.\n")


@pytest.mark.parametrize("server", SERVERS)
def test_no_release_in_the_path(server):
    with serving(SERVERS[server], None) as port:
        done = probe(port)
    assert done.exit_code == 0
    assert done.stdout.endswith("\nNo Mailguard is seen in the path.\n")


@pytest.mark.skipif(not shutil.which("smtp-sink"), reason="Postfix's smtp-sink is not installed")
def test_postfix_s_imitation_is_not_taken_for_a_firewall():
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with subprocess.Popen(["smtp-sink", "-u", "nobody", "-P", f"127.0.0.1:{port}", "10"]) as sink:
        try:
            eventually(lambda: probe(port).exit_code == 0, "smtp-sink listens")
            said = probe(port).stdout
        finally:
            sink.terminate()
    assert "220 ********" in said
    assert "imitates" in said
    assert "There is a Mailguard" not in said


def test_the_dialogue_is_printed():
    with serving(SENDMAIL, RELEASES["6.3"]) as port:
        lines = probe(port).stdout.splitlines()
    assert lines[:8] == [
        "S: 220-**20*************2002",
        "S: 220 **********0*20",
        "C: EHLO [127.0.0.1]",
        'S: 500 5.5.1 Command unrecognized: "XXXX"',
        "C: HELO [127.0.0.1]",
        "S: 250 mail Hello",
        "C: HELO",
        'S: 500 5.5.1 Command unrecognized: "XXXX"',
    ]
    assert "* The server quotes as X: EHLO, HELO, goodmorning, HELP, VRFY, EXPN." in lines


def test_json():
    with serving(SENDMAIL, RELEASES["fwsm-2"]) as port:
        done = probe(port, "--json")
    assert done.exit_code == 0
    assert done.stdout.count("\n") == 1
    told = json.loads(done.stdout)
    assert (told["host"], told["port"]) == ("127.0.0.1", port)
    assert told["verdict"] == "mailguard"
    assert told["releases"] == ["fwsm-2"]
    assert told["conclusion"] == "There is a Mailguard in the path: fwsm-2."
    assert told["greeting"] == ["220-mx20.example.com 2002", "220 ready at 10:20"]
    assert told["dialogue"][0] == {
        "sent": "EHLO [127.0.0.1]",
        "reply": ["250 2.0.0 OK"],
        "closed": False,
    }
    assert "goodmorning is accepted (250): the server has not seen it." in told["observations"]


def test_aiosmtpd_has_no_firewall():
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    controller = Controller(object(), hostname="127.0.0.1", port=port)
    controller.start()
    try:
        done = probe(port)
    finally:
        controller.stop()
    assert done.exit_code == 0
    assert "* The server quotes goodmorning as it was sent." in done.stdout
    assert done.stdout.endswith("\nNo Mailguard is seen in the path.\n")


@pytest.mark.parametrize(
    ("options", "conclusion"),
    [
        (("-P",), "or a server that imitates a Mailguard, as Postfix's smtp-sink -P does."),
        ((), "No Mailguard is seen in the path."),
    ],
)
def test_the_imitation_of_postfix(options, conclusion):
    sink = shutil.which("smtp-sink", path="/usr/sbin:/usr/bin:/usr/local/sbin")
    if sink is None:
        pytest.skip("smtp-sink is not installed (package postfix)")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sink, "-u", "nobody", *options, f"127.0.0.1:{port}", "10"]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)

    def listens() -> bool:
        with socket.socket() as client:
            return client.connect_ex(("127.0.0.1", port)) == 0

    try:
        eventually(listens, "smtp-sink does not listen")
        done = probe(port)
    finally:
        process.kill()
        process.wait()
    assert done.exit_code == 0
    assert done.stdout.rstrip("\n").endswith(conclusion)


def is_printable(text: bytes) -> bool:
    """Whether it is printable ASCII in lines; a tab moves the cursor and no more."""
    return all(byte in b"\t\n" or 32 <= byte <= 126 for byte in text)


def test_hostile_bytes_do_not_reach_the_terminal():
    every = bytes(set(range(256)) - set(b"\n"))
    hostile = b"\x1b]0;owned\x07\x1b[2J\r" + every + b"\r\n"
    replies = [b"250-" + hostile + b"250 " + hostile, b"500 " + hostile, hostile]
    escapes, lines = 3, 5  # the greeting of the second connection is not shown
    with saying(b"220 " + hostile, *replies) as port:
        for option, escape in (("--timeout=5", r"\x1b"), ("--json", r"\u001b")):
            done = probe(port, option)
            assert done.exit_code == 0
            assert is_printable(done.stdout_bytes)
            assert done.stdout.count(escape) == escapes * (lines + lines - 1)
    with saying(hostile) as port:
        done = probe(port)
        assert done.exit_code == 1
        assert r"\x1b]0;owned\x07" in done.stderr
        assert is_printable(done.stderr_bytes)


def test_the_reply_may_come_byte_by_byte():
    def serve(connection: socket.socket) -> None:
        for text in (b"220-****\r\n220 ****\r\n", b"250-a\r\n250 XXXA\r\n"):
            for at in range(len(text)):
                connection.sendall(text[at : at + 1])
                time.sleep(0.001)
            connection.recv(4096)

    with listening(serve) as port:
        told = json.loads(probe(port, "--json").stdout)
    assert told["greeting"] == ["220-****", "220 ****"]
    assert told["dialogue"][0]["reply"] == ["250-a", "250 XXXA"]
    assert told["dialogue"][1]["reply"] is None


NO_SERVERS = {
    b"": "does not greet within 1 s",
    b"SSH-2.0-OpenSSH_9.6\r\n": "is no SMTP server: its greeting has no reply code: SSH-2.0-",
    b"\r\n\r\n": "is no SMTP server: its greeting has no reply code",
    b"220" * 100_000: "does not greet within 1 s",
    b"22x hello\r\n": "is no SMTP server",
    b"220-hello\r\n": "its greeting has no end within 1 s and 65536 bytes",
    b"220-hello\r\n" * MAX_REPLY: "its greeting has no end within 1 s and 65536 bytes",
}


@pytest.mark.parametrize("text", NO_SERVERS, ids=lambda text: f"{text[:11]!r}-{len(text)}")
def test_what_is_no_smtp_server(text):
    with saying(text, hold=0.1) as port:
        begin = time.monotonic()
        done = probe(port, "--timeout", "1")
        assert time.monotonic() - begin < 3
    assert done.exit_code == 1
    assert NO_SERVERS[text] in done.stderr
    assert done.stderr.startswith(f"pixguard: 127.0.0.1 port {port} ")
    assert done.stdout == ""


def test_a_port_where_nobody_listens():
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    done = probe(port)
    assert done.exit_code == 1
    assert done.stderr == f"pixguard: no connection to 127.0.0.1 port {port}: Connection refused\n"


@pytest.mark.parametrize("host", ["no-such-host.invalid", "a" * 70, "e\x1bvil.invalid"])
def test_a_host_that_is_not_there(host):
    done = CliRunner().invoke(main, ["probe", host])
    assert done.exit_code == 1
    assert done.stderr.startswith("pixguard: no connection to ")
    assert "\x1b" not in done.stderr


@pytest.mark.parametrize(
    "target", ["", "host:", "host:x", "host:0", "host:65536", "::1", "[::1", "a b", ":25", "h:1:2"]
)
def test_a_target_that_is_none(target):
    done = CliRunner().invoke(main, ["probe", target])
    assert done.exit_code == 2
    assert "HOST:PORT" in done.stderr


@pytest.mark.parametrize("seconds", ["0", "-1", "nan", "x", "3601"])
def test_a_timeout_that_is_none(seconds):
    assert probe(25, "--timeout", seconds).exit_code == 2


@pytest.mark.parametrize(
    "replies", [(b"220 ****\r\n",), (b"220 ****\r\n", b"250-never\r\n" * (MAX_REPLY // 8))]
)
def test_a_server_that_stops_talking_or_never_stops(replies):
    with saying(*replies, hold=1.5) as port:
        begin = time.monotonic()
        done = probe(port, "--timeout", "1")
        assert time.monotonic() - begin < 6
    assert done.exit_code == 0
    assert done.stdout.count("(no reply)") + done.stdout.count("(and nothing more)") == 2
    assert len(done.stdout) < 4 * MAX_REPLY
    assert "\nThere is a Mailguard in the path. What was said fits several releases: 4.4;" in (
        done.stdout
    )


@pytest.mark.parametrize("endless", [b"250-never\r\n", b"250 never"])
def test_a_reply_without_an_end_is_not_waited_for(endless):
    def serve(connection: socket.socket) -> None:
        connection.sendall(b"220 ****\r\n")
        connection.recv(4096)
        while True:
            connection.sendall(endless * 100)

    with listening(serve) as port:
        begin = time.monotonic()
        done = probe(port, "--json", "--timeout", "10")
        assert time.monotonic() - begin < 8
    first, *others = json.loads(done.stdout)["dialogue"]
    told = 0 if first["reply"] is None else len(first["reply"]) * len(endless)
    assert told in (0, *range(MAX_REPLY, MAX_REPLY + 8192))
    assert [exchange["sent"][:4] for exchange in others] in ([], ["HELO"])


def test_a_greeting_whose_end_is_masked_is_not_waited_for():
    with serving(SENDMAIL, RELEASES["4.4"]) as port:
        begin = time.monotonic()
        probe(port)
        assert time.monotonic() - begin < 8


def test_the_last_words_of_a_server_are_marked():
    with saying(b"220 hello\r\n", b"250 mail\r\n", b"554 enough\r\n") as port:
        dialogue = json.loads(probe(port, "--json").stdout)["dialogue"]
    assert [(each["reply"], each["closed"]) for each in dialogue[:3]] == [
        (["250 mail"], False),
        (["554 enough"], True),
        (None, False),
    ]


def test_a_server_that_takes_one_connection_only():
    served = []

    def serve(connection: socket.socket) -> None:
        served.append(connection)
        if len(served) > 1:
            return
        connection.sendall(b"220 SMTP/cmap ready___\r\n")
        while connection.recv(4096):
            connection.sendall(b"250 OK\r\n")

    with listening(serve) as port:
        done = probe(port)
    assert done.exit_code == 0
    assert done.stdout.endswith("\nThere is a Mailguard in the path: 4.0 to 4.1.\n")


def test_over_ipv6():
    try:
        listener = socket.create_server(("::1", 0), family=socket.AF_INET6)
    except OSError:
        pytest.skip("this machine has no IPv6 on loopback")
    with listener:
        listener.settimeout(0.1)
        port = listener.getsockname()[1]
        command = [sys.executable, "-m", "appliance", "probe", f"[::1]:{port}", "--timeout", "1"]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        listener.settimeout(30)
        connection, _ = listener.accept()
        with connection:
            connection.sendall(b"220 ****\r\n")
            assert connection.recv(4096) == b"EHLO [IPv6:::1]\r\n"
            listener.close()
        out, _ = process.communicate(timeout=30)
    assert process.returncode == 0
    assert "C: EHLO [IPv6:::1]\n" in out
