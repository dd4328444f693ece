"""`pixguard lab` as its user runs it; whatever happens to it, nothing of it is left."""

from __future__ import annotations

import os
import pty
import re
import shutil
import signal
import subprocess
import sys
import sysconfig
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.errors import PixguardError
from appliance.lab import lab as module
from appliance.lab.lab import Lab, require_tools
from appliance.lab.rules import ready_example
from appliance.lab.sessions import INWARD, Mail
from appliance.lab.show import run_lab
from tests.namespaces import needs_namespaces
from tests.waiting import eventually

RULES = Path(__file__).parents[2] / "rules"
NAME = f"pxl{os.getpid()}"
PROGRAM = (sys.executable, "-m", "appliance", "lab", "--name", NAME)
GREETING = (
    "220 mail.acme.com Microsoft ESMTP MAIL Service, Version: 5.0.2195.4905 "
    "ready at  Thu, 4 Apr 2002 14:33:27 -0700"
)
MASKED = (
    "220 *******************************************************0*2******0***********************"
    "2002*******2***0*00"
)


def remains() -> list[str]:
    """What a lab leaves behind if it does not clean up."""
    found = [str(path) for path in Path("/run").glob(f"{NAME}-*")]
    found += [str(path) for path in Path("/run/netns").glob(f"{NAME}-*")]
    for directory in Path("/proc").glob("[0-9]*"):
        try:
            command = (directory / "cmdline").read_bytes().replace(b"\0", b" ").decode("latin-1")
            if f"/run/{NAME}-lab" in command:
                found.append(command)
        except OSError:
            continue
    return found


def is_clean() -> bool:
    return remains() == []


def sleeps() -> bool:
    """Whether the command that the tests give, `sleep 60`, runs in the client's namespace."""
    inside = subprocess.run(
        ["ip", "netns", "pids", f"{NAME}-client"], check=False, capture_output=True, text=True
    )
    return any(
        Path(f"/proc/{process}/cmdline").read_bytes() == b"sleep\x0060\0"
        for process in inside.stdout.split()
        if Path(f"/proc/{process}").exists()
    )


_started: list[subprocess.Popen[bytes]] = []


@pytest.fixture(autouse=True)
def nothing_is_left() -> Iterator[None]:
    yield
    while _started:
        process = _started.pop()
        if process.poll() is None:  # the test has failed
            process.terminate()
            process.communicate()
    assert is_clean(), remains()


def lab(*arguments: str, timeout: float = 60) -> tuple[int, str, str]:
    done = subprocess.run(
        [*PROGRAM, *arguments],
        check=False,
        capture_output=True,
        text=True,
        timeout=timeout,
        stdin=subprocess.DEVNULL,
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, done.stdout, done.stderr


def start(*arguments: str) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(
        ["env", "--default-signal=INT,HUP", *PROGRAM, *arguments],  # whatever the tests run under
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    _started.append(process)
    return process


def ended(process: subprocess.Popen[bytes]) -> tuple[int, str]:
    output, _ = process.communicate(timeout=30)
    return process.returncode, output.decode()


@needs_namespaces
def test_the_sessions_are_shown_as_both_ends_saw_them() -> None:
    code, output, _ = lab()
    assert code == 0, output
    lines = output.splitlines()
    assert f"  server sent  {GREETING}" in lines
    assert f"  client got   {MASKED}" in lines
    for sent, got in (
        ("EHLO client.example.com", "XXXX client.example.com"),
        ("VRFY postmaster", "XXXX postmaster"),
        ("goodmorning", "XXXXXXXXXXX"),
    ):
        assert re.search(rf"\| {re.escape(sent)} +\| >\* \| {re.escape(got)} +\|", output)
    assert "port 80: timed out after 3 s" in output
    assert "  Subject: The mail went through" in lines
    assert "Built inbound TCP connection 1 for outside:203.0.113.10/" in output
    assert "Built outbound TCP connection 3 for outside:203.0.113.10/25" in output
    assert re.search(r"^ +2  access-list outside_in permit tcp .* eq smtp$", output, re.MULTILINE)
    assert re.search(r"^ +[1-9]\d*  end of the access list on outside: denied$", output, re.M)
    assert not re.search(r"^NO ", output, re.MULTILINE)
    table = [line for line in lines if line.startswith(("|", "+"))]
    assert {len(line) for line in table} == {100}
    assert "\x1b" not in output


@needs_namespaces
def test_without_the_fixup_nothing_is_masked() -> None:
    code, output, _ = lab("--config", str(RULES / "no-fixup.conf"))
    assert code == 0, output
    assert "*****" not in output
    assert "XXXX" not in output
    assert "mail is not inspected" in output


@needs_namespaces
def test_conduits_serve_as_well() -> None:
    code, output, _ = lab("--config", str(RULES / "pix-5.1-conduit.conf"))
    assert code == 0, output
    assert f"  client got   {MASKED}" in output.splitlines()


@needs_namespaces
def test_what_is_not_as_it_should_be_fails(tmp_path: Path) -> None:
    """A server that refuses every mail."""
    server = tmp_path / "server.py"
    server.write_text(
        "import socket\n"
        "listener = socket.create_server(('10.1.1.5', 25))\n"
        "while True:\n"
        "    connection, _ = listener.accept()\n"
        "    connection.close()\n"
    )
    code, output, _ = lab("--server", f"{sys.executable} '{server}'")
    assert code == 1
    assert re.search(r"^NO +the mail from outside is let through$", output, re.MULTILINE)


@needs_namespaces
def test_another_server_greets_in_its_own_words(tmp_path: Path) -> None:
    command = f"{sys.executable} -m aiosmtpd -n -l 10.1.1.5:25 -c aiosmtpd.handlers.Sink"
    code, output, _ = lab("--server", command)
    assert code == 0, output
    assert re.search(r"server sent  220 .*Python SMTP", output)


@needs_namespaces
@pytest.mark.parametrize(
    ("command", "expected"), [("exit 0", 0), ("exit 7", 7), ("kill -9 $$", 137)]
)
def test_a_commands_exit_code_is_the_labs(command: str, expected: int) -> None:
    assert lab("--", "sh", "-c", command)[0] == expected


@needs_namespaces
def test_a_command_runs_where_the_client_is_and_its_connections_are_shown() -> None:
    script = (
        "import socket; s = socket.create_connection(('203.0.113.5', 25)); s.recv(999);"
        "print('I am', s.getsockname()[0]); s.sendall(b'WIZ\\r\\n'); print(s.recv(999))"
    )
    code, output, _ = lab("--", sys.executable, "-c", script)
    assert code == 0
    assert "I am 203.0.113.10\n" in output
    assert re.search(r"\| WIZ +\| >\* \| XXX +\|", output)
    assert "Built inbound TCP connection 1" in output
    assert "command-blocked" in output


def on_a_terminal(script: str, cue: bytes, typed: bytes) -> tuple[int, bytes]:
    """Run a shell script in the lab on a terminal, and type something at a cue."""
    process, terminal = pty.fork()
    if not process:
        os.execv(PROGRAM[0], [*PROGRAM, "--", "sh", "-c", script])  # noqa: S606
    output = b""
    try:
        while data := os.read(terminal, 4096):
            output += data
            if cue in output and typed:
                os.write(terminal, typed)
                typed = b""
    except OSError:
        pass  # how the end of a terminal shows
    _, status = os.waitpid(process, 0)
    os.close(terminal)
    return os.waitstatus_to_exitcode(status), output


@needs_namespaces
def test_a_command_has_the_terminal() -> None:
    script = "test -t 0 && test -t 1 && echo ready && read word && echo got:$word"
    code, output = on_a_terminal(script, b"ready", b"hello\n")
    assert code == 0
    assert b"got:hello" in output


@needs_namespaces
def test_ctrl_c_on_a_terminal_is_the_commands() -> None:
    script = "trap 'echo caught; exit 5' INT; echo ready; while :; do sleep 0.1; done"
    code, output = on_a_terminal(script, b"ready", b"\x03")
    assert code == 5
    assert b"caught" in output


@needs_namespaces
def test_ctrl_c_on_a_terminal_ends_a_command_that_does_not_mind_it() -> None:
    # Not a shell's own `echo` and `sleep`: one that has the signal in between waits for the latter.
    program = (
        "import signal, time; signal.signal(signal.SIGINT, signal.SIG_DFL); "
        'print("ready", flush=True); time.sleep(60)'
    )
    code, _ = on_a_terminal(f"exec {sys.executable} -c '{program}'", b"ready", b"\x03")
    assert code == 130


@needs_namespaces
@pytest.mark.parametrize("delay", [0.0, 0.05, 0.1, 0.2, 0.4, 0.8, 1.5, 3.0])
def test_ctrl_c_at_any_moment_leaves_nothing(delay: float) -> None:
    process = start()
    eventually(lambda: not is_clean())
    time.sleep(delay)
    os.kill(process.pid, signal.SIGINT)
    code, output = ended(process)
    assert code == 130, output
    assert "interrupted" in output
    assert "Traceback" not in output


@needs_namespaces
@pytest.mark.parametrize(("number", "expected"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_other_signals_leave_nothing_either(number: int, expected: int) -> None:
    process = start("--", "sleep", "60")
    eventually(sleeps)
    for _ in range(3):  # later ones do not disturb the cleaning up
        os.kill(process.pid, number)
        time.sleep(0.02)
    assert ended(process)[0] == expected


@needs_namespaces
def test_a_command_that_is_interrupted_without_a_terminal_ends() -> None:
    process = start("--", "sleep", "60")
    eventually(sleeps)
    os.kill(process.pid, signal.SIGINT)
    assert ended(process)[0] == 130


@needs_namespaces
def test_what_a_killed_lab_left_is_removed_by_the_next() -> None:
    process = start("--", "sleep", "60")
    eventually(sleeps)
    process.kill()
    process.communicate()
    assert not is_clean()
    eventually(lambda: not sleeps())
    code, output, _ = lab("--", "true")
    assert code == 0, output


@needs_namespaces
def test_a_kept_lab_stands_until_the_next_one() -> None:
    code, output, _ = lab("--keep", "--", "true")
    assert code == 0
    assert f"ip netns exec {NAME}-client bash" in output
    script = "import socket; print(socket.create_connection(('203.0.113.5', 25), 5).recv(999))"
    inside = ["ip", "netns", "exec", f"{NAME}-client", sys.executable, "-c", script]
    assert MASKED in subprocess.run(inside, check=True, capture_output=True, text=True).stdout
    assert lab("--", "true")[0] == 0


@needs_namespaces
def test_a_kept_lab_is_removed_as_it_says() -> None:
    _, output, _ = lab("--keep", "--", "true")
    commands = [line.strip() for line in output.split("at once:\n")[1].splitlines()]
    assert len(commands) == 5
    for command in commands:
        subprocess.run(command.split(), check=True)
    eventually(is_clean)


@needs_namespaces
def test_a_second_lab_at_the_same_time_is_refused() -> None:
    process = start("--", "sleep", "60")
    eventually(sleeps)
    code, _, error = lab("--", "true")
    assert code == 1
    assert f"another lab called {NAME} is running" in error
    process.terminate()
    ended(process)


@needs_namespaces
def test_a_namespace_that_no_lab_made_is_left_alone() -> None:
    subprocess.run(["ip", "netns", "add", f"{NAME}-server"], check=True)
    try:
        code, _, error = lab("--", "true")
        assert Path(f"/run/netns/{NAME}-server").exists()
    finally:
        subprocess.run(["ip", "netns", "delete", f"{NAME}-server"], check=True)
    assert code == 1
    assert f"ip netns delete {NAME}-server" in error


@needs_namespaces
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--config", "/proc/self/mem"), "/proc/self/mem"),
        (("--server", "no-such-command"), "no-such-command"),
        (("--server", "'unbalanced"), "--server"),
        (("--server", ""), "--server"),
        (("--server", "false"), "pixguard: --server: false ended with code 1; it said: nothing"),
        (
            ("--server", f"{sys.executable} -c 'exit(chr(27) + chr(10) + chr(155))'"),
            "it said: \\x1b\n\\xc2\\x9b",
        ),
        (("--name", "../etc"), "'../etc'"),
    ],
)
def test_what_cannot_be_is_told(arguments: tuple[str, ...], said: str) -> None:
    code, _, error = lab(*arguments)
    assert code == 1
    assert said in error


def test_a_bad_rule_file_is_told_with_all_places(tmp_path: Path) -> None:
    rules = tmp_path / "bad.conf"
    rules.write_text("hostname a\n" + "no such command, nor one like it\n" * 15)
    code, _, error = lab("--config", str(rules))
    assert code == 1
    for line in range(2, 17):
        assert f"{rules}:{line}:" in error
    assert "appliance" not in error


def test_a_rule_file_that_is_not_there_is_told_in_plain_words(tmp_path: Path) -> None:
    code, output, error = lab("--config", f"{tmp_path}/nosuch")
    assert (code, output) == (1, "")
    assert error == f"pixguard: {tmp_path}/nosuch: No such file or directory\n"


def test_a_rule_file_with_other_interfaces_is_told(tmp_path: Path) -> None:
    rules = tmp_path / "other.conf"
    names = "nameif ethernet0 outside security0\nnameif ethernet1 dmz security50\n"
    rules.write_text(f"PIX Version 6.3(5)\n{names}")
    code, _, error = lab("--config", str(rules))
    assert code == 1
    assert f"{rules}: names no interface inside; the lab's firewall has" in error


def test_a_rule_file_that_cannot_be_compiled_is_told(tmp_path: Path) -> None:
    rules = tmp_path / "old.conf"
    rules.write_text((RULES / "pix-6.3.conf").read_text().replace("Version 6.3", "Version 3.0"))
    code, _, error = lab("--config", str(rules))
    assert code == 1
    assert "release 3.0" in error


def test_a_command_that_is_not_there_is_told_as_a_shell_does() -> None:
    code, _, error = lab("--", "no-such-command")
    assert code == 127
    assert error == "pixguard: there is no command 'no-such-command'\n"


@needs_namespaces
def test_a_command_without_connections_is_said_to_have_none() -> None:
    code, output, _ = lab("--", "false")
    assert code == 1
    assert "\nno connections\n" in output


@needs_namespaces
def test_a_server_that_does_not_listen_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PATIENCE", 2.0)
    said = "^--server: sleep did not listen on 10.1.1.5 port 25 within 2 s; it said: nothing$"
    with (
        pytest.raises(PixguardError, match=said),
        Lab(RULES / "pix-6.3.conf", prefix=NAME, server=("sleep", "100")),
    ):
        pass


@needs_namespaces
@pytest.mark.parametrize("delay", [0.1, 0.5, 1.5])
def test_two_signals_at_once_are_as_one(delay: float) -> None:
    process = start()
    eventually(lambda: not is_clean())
    time.sleep(delay)
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
        os.kill(process.pid, number)
    code, output = ended(process)
    assert code in (129, 130, 143)
    assert output.endswith("interrupted; the lab is removed\n")
    assert "Traceback" not in output
    assert "race" not in output


@needs_namespaces
def test_an_appliance_that_is_killed_meanwhile_can_be_started_again() -> None:
    with Lab(RULES / "pix-6.3.conf", prefix=NAME) as standing:
        standing.appliance.kill()
        standing.appliance.wait()
        standing.start_appliance()


@needs_namespaces
def test_a_block_that_fails_leaves_nothing() -> None:
    with pytest.raises(ZeroDivisionError), Lab(RULES / "pix-6.3.conf", prefix=NAME, keep=True):
        raise ZeroDivisionError


def test_without_root_it_says_what_needs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(PixguardError, match=r"takes root.*replay"):
        run_lab(RULES / "pix-6.3.conf", None, False, (), NAME)


@needs_namespaces
@pytest.mark.parametrize("capability", ["sys_admin", "net_admin", "net_raw"])
def test_root_that_may_not_do_all_of_it_is_told_what_it_lacks(capability: str) -> None:
    done = subprocess.run(
        ["setpriv", "--bounding-set", f"-{capability}", *PROGRAM],
        check=False,
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert done.returncode == 1
    assert done.stderr.startswith(f"pixguard: CAP_{capability.upper()} missing")


@needs_namespaces
def test_a_missing_command_is_named_with_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None if "iptables" in name else name)
    with pytest.raises(PixguardError, match=r"install: iptables$"):
        require_tools()


def test_the_ready_example_is_found_in_a_checkout_and_where_a_wheel_puts_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert ready_example("pix-6.3.conf") == RULES / "pix-6.3.conf"
    installed = tmp_path / "share" / "pixguard" / "rules"
    installed.mkdir(parents=True)
    (installed / "other.conf").write_text("")
    monkeypatch.setattr(sysconfig, "get_path", lambda name: str(tmp_path))
    assert ready_example("other.conf") == installed / "other.conf"
    with pytest.raises(PixguardError, match="--config"):
        ready_example("absent.conf")


@pytest.mark.parametrize(
    ("content", "sent"),
    [
        ("a\r\n", "a\r\n.\r\n"),
        (".\r\n", "..\r\n.\r\n"),
        ("a\r\n..b\r\n", "a\r\n...b\r\n.\r\n"),
    ],
)
def test_dots_are_doubled(content: str, sent: str) -> None:
    assert Mail("h", "s", "r", content).session[4] == sent
    assert INWARD.session[4].endswith("\r\n..\r\n.\r\n")
