"""How every command ends: exit codes, and what is told of output that cannot be written."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.namespaces import needs_namespaces

ROOT = Path(__file__).parents[2]
GOOD = str(ROOT / "rules" / "pix-6.3.conf")
BOX = str(ROOT / "rules" / "box.yaml")
CAPTURE = str(ROOT / "docs" / "examples" / "mail.pcap")
ESCAPE = "\x1b[31mred\x1b[0m\x07"
FULL = "pixguard: the output cannot be written: No space left on device\n"

COMMANDS = [
    ("--help",),
    ("--version",),
    ("replay", "--help"),
    ("check", GOOD),
    ("rules", "--config", GOOD, "--box", BOX),
    ("replay", CAPTURE),
    ("trace", "--config", GOOD, "--pcap", CAPTURE),
    ("diff", GOOD, str(ROOT / "rules" / "no-fixup.conf")),
]


def pixguard(*arguments: str, **streams: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "appliance", *arguments]
    chosen = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **streams}
    return subprocess.run(command, text=True, timeout=60, check=False, cwd=ROOT, **chosen)  # type: ignore[call-overload,no-any-return]


def unprintable(text: str) -> set[str]:
    return {c for c in text if not " " <= c <= "~" and c not in "\t\n"}


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_full_disk_is_told_in_one_line(command: tuple[str, ...]) -> None:
    with Path("/dev/full").open("wb") as full:
        done = pixguard(*command, stdout=full)
    assert (done.returncode, done.stderr) == (1, FULL)


@needs_namespaces
def test_a_lab_on_a_full_disk_is_told_in_one_line_and_leaves_nothing() -> None:
    name = f"pxfull{os.getpid()}"
    with Path("/dev/full").open("wb") as full:
        done = pixguard("lab", "--name", name, stdout=full)
    assert (done.returncode, done.stderr) == (1, FULL)
    assert name not in subprocess.check_output(["ip", "netns"], text=True)


def test_json_on_a_full_standard_output_is_told_in_one_line() -> None:
    with Path("/dev/full").open("wb") as full:
        done = pixguard("replay", "--json", "-", CAPTURE, stdout=full)
    assert done.returncode == 1
    # The summary goes to standard error meanwhile.
    (told,) = [line for line in done.stderr.splitlines() if line.startswith("pixguard: ")]
    assert told.endswith("cannot be written: No space left on device")
    assert "Traceback" not in done.stderr


def test_findings_on_a_full_disk_are_one_line_too(tmp_path: Path) -> None:
    bad = tmp_path / "bad.conf"
    bad.write_text("nonsense\n" * 5000)  # more than any buffer holds
    with Path("/dev/full").open("wb") as full:
        assert pixguard("check", str(bad), stdout=full).stderr == FULL


@pytest.mark.parametrize(
    ("command", "code"), [(("check", "no-such-file"), 1), (("nonsense",), 2), (("--help",), 1)]
)
def test_without_any_output_the_exit_code_is_still_right(
    command: tuple[str, ...], code: int
) -> None:
    with Path("/dev/full").open("wb") as full:
        assert pixguard(*command, stdout=full, stderr=full).returncode == code


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_pipe_that_nobody_reads_is_left_in_silence(command: tuple[str, ...]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = pixguard(*command, stdout=writing)
    finally:
        os.close(writing)
    assert (done.returncode, done.stderr) == (1, "")


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (("check", ESCAPE), 1),
        (("rules", "--config", ESCAPE, "--box", BOX), 1),
        (("rules", "--config", GOOD, "--box", ESCAPE), 1),
        (("replay", ESCAPE), 1),
        (("trace", "--config", ESCAPE), 1),
        (("trace", "--config", GOOD, "--box", ESCAPE), 1),
        (("trace", "--config", GOOD, "--pcap", ESCAPE), 1),
        (("trace", "--config", GOOD, "input", ESCAPE), 2),
        (("trace", "--config", GOOD, "input", "outside", ESCAPE), 2),
        (("trace", "--config", GOOD, "input", "outside", "tcp", ESCAPE), 2),
        (("diff", ESCAPE, GOOD), 2),
        (("diff", GOOD, ESCAPE), 2),
        (("replay", "--config", ESCAPE, CAPTURE), 1),
        (("replay", "--release", ESCAPE, CAPTURE), 2),
        (("replay", "--checksums", ESCAPE, CAPTURE), 2),
        (("replay", f"--{ESCAPE}", CAPTURE), 2),
        (("replay", "--json", f"/dev/null/{ESCAPE}", CAPTURE), 1),
        ((ESCAPE,), 2),
    ],
    ids=lambda value: " ".join(value).replace(ESCAPE, "ESC") if isinstance(value, tuple) else "",
)
def test_what_a_user_types_reaches_no_terminal_unescaped(
    command: tuple[str, ...], code: int
) -> None:
    done = pixguard(*command)
    said = done.stdout + done.stderr
    assert unprintable(said) == set()
    assert "\\x1b[31mred" in said
    assert "Traceback" not in said
    assert done.returncode == code


def commands_reading(file: str) -> list[tuple[str, ...]]:
    return [
        ("check", file),
        ("rules", "--config", file, "--box", BOX),
        ("rules", "--config", GOOD, "--box", file),
        ("replay", file),
        ("replay", "--config", file, CAPTURE),
        ("trace", "--config", file, "--pcap", CAPTURE),
        ("trace", "--config", GOOD, "--box", file, "--pcap", CAPTURE),
        ("trace", "--config", GOOD, "--pcap", file),
        ("diff", file, GOOD),
        ("diff", GOOD, file),
    ]


@pytest.mark.parametrize("number", range(len(commands_reading(""))))
@pytest.mark.parametrize("kind", ["missing", "directory", "unreadable"])
def test_a_file_that_cannot_be_read_is_one_line(tmp_path: Path, kind: str, number: int) -> None:
    file = tmp_path / "file"
    reason = {
        "missing": "No such file or directory",
        "directory": "Is a directory",
        "unreadable": "Permission denied",
    }[kind]
    if kind == "directory":
        file.mkdir()
    elif kind == "unreadable":
        file.touch(mode=0)
        if os.access(file, os.R_OK):
            # Root reads it all the same, but nobody reads the memory of a process that is gone.
            file, reason = Path("/proc/self/mem"), "Input/output error"
    done = pixguard(*commands_reading(str(file))[number])
    said = done.stdout + done.stderr
    assert done.returncode == (2 if "diff" in commands_reading("")[number] else 1)
    assert said.count("\n") == 1
    assert str(file) in said
    assert reason in said


def test_a_file_cannot_be_written_where_a_directory_is(tmp_path: Path) -> None:
    done = pixguard("replay", "--write", str(tmp_path), CAPTURE)
    assert done.returncode == 1
    assert done.stderr == f"pixguard: {tmp_path}: cannot be written: Is a directory\n"


def test_an_interface_that_the_box_file_leaves_out_is_told(tmp_path: Path) -> None:
    rules, box = tmp_path / "three.conf", tmp_path / "box.yaml"
    third = "nameif ethernet2 dmz security50\nip address dmz 10.2.2.1 255.255.255.0\n"
    text = Path(GOOD).read_text().replace("nameif ethernet1", f"{third}nameif ethernet1")
    rules.write_text(text)
    line = text.splitlines().index("nameif ethernet2 dmz security50") + 1
    # The user is not there, so that `run` ends before it touches anything.
    box.write_text("interfaces: {outside: eth0, inside: eth1}\nuser: no-such-user\n")
    problem = "the box file does not say which Linux interface is `dmz`"
    warning = f"{rules}:{line}:1: warning: {problem}\n"
    done = pixguard("rules", "--config", str(rules), "--box", str(box))
    assert done.returncode == 0
    assert done.stderr.startswith(warning)
    assert "dmz" not in done.stdout
    done = pixguard("run", "--config", str(rules), "--box", str(box))
    assert done.returncode == 1
    assert done.stderr.startswith(warning)
    done = pixguard("rules", "--config", GOOD, "--box", str(box))
    assert (done.returncode, done.stderr) == (0, "")


def test_a_trace_with_a_box_file(tmp_path: Path) -> None:
    box = tmp_path / "box.yaml"
    box.write_text("interfaces: {outside: eth0}\nrelease: '5.1'\n")
    words = "tcp 198.51.100.7 1024 203.0.113.5 smtp"
    command = ("trace", "--config", GOOD, "--box", str(box), "input")
    done = pixguard(*command, "outside", *words.split())
    assert done.returncode == 0
    assert "the box file does not say which Linux interface is `inside`" in done.stderr
    assert "port 25 is inspected as release 5.1" in done.stdout
    done = pixguard(*command, "inside", *words.split())
    assert done.returncode == 2
    assert "nothing comes in by inside: the box file does not name it" in done.stderr


def test_a_trace_takes_a_packet_or_a_capture() -> None:
    done = pixguard("trace", "--config", GOOD, "--pcap", CAPTURE, "input", "outside")
    assert done.returncode == 2
    assert "not both" in done.stderr
