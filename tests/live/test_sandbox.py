"""What the kernel refuses a worker, what it goes on to do, and a kernel that refuses nothing."""

from __future__ import annotations

import ast
import json
import os
import shutil
import signal
import subprocess
import sys
from errno import EPERM
from pathlib import Path

import pytest

from appliance.lab.lab import Lab
from appliance.lab.sessions import INWARD, converse
from appliance.lab.topology import SERVER_MAPPED
from tests.live.test_appliance import MASKED, end, own_box, workers
from tests.namespaces import needs_namespaces
from tests.waiting import eventually

pytestmark = needs_namespaces

RULES = Path(__file__).parents[2] / "rules" / "pix-6.3.conf"

PROGRAM = """\
import ctypes, os, resource, signal, socket, subprocess, sys, threading
from appliance.live.privileges import _prctl
from appliance.live.sandbox import enter

libc = ctypes.CDLL(None, use_errno=True)
kept = open("kept", "w+b")
stream = socket.create_server(("127.0.0.1", 0))
AT_FDCWD, PTRACE_ATTACH, NOBODY = -100, 16, 0x3FFFFFFF

def call(result):
    if result < 0:
        raise OSError(ctypes.get_errno(), "refused")

if sys.argv[1] == "confined":
    _prctl(38, 1)  # PR_SET_NO_NEW_PRIVS
    enter()
outcomes = []
for attempt in sys.argv[2:]:
    try:
        exec(attempt)
        outcomes.append("done")
    except OSError as error:
        outcomes.append(error.errno)
    except RuntimeError as error:
        outcomes.append(str(error))
print(outcomes)
"""

REFUSED = [
    "os.execv('/nowhere', ['nowhere'])",
    "subprocess.run(['true'], check=True)",
    "os.posix_spawn('/bin/true', ['true'], {})",
    "os.fork() or os._exit(0)",
    "open('new', 'w')",
    "open('old', 'a')",
    "open('old', 'r+b')",
    "os.open('other', os.O_RDONLY | os.O_CREAT)",
    "os.open('old', os.O_RDONLY | os.O_TRUNC)",
    "os.truncate('old', 0)",
    "os.mkdir('directory')",
    "os.symlink('old', 'symbolic')",
    "os.link('old', 'hard')",
    "os.rename('old', 'older')",
    "os.remove('older')",
    "os.chmod('old', 0o600)",
    "os.chown('old', 0, 0)",
    "os.utime('old')",
    "os.setxattr('old', 'user.a', b'b')",
    "os.kill(os.getppid(), 0)",
    "os.setpriority(os.PRIO_PROCESS, os.getppid(), 1)",
    "os.sched_setaffinity(os.getppid(), os.sched_getaffinity(0))",
    "resource.prlimit(os.getppid(), resource.RLIMIT_CPU)",
    "signal.pidfd_send_signal(os.pidfd_open(os.getppid()), 0)",
    "call(libc.tgkill(os.getppid(), os.getppid(), 0))",
    "call(libc.ptrace(PTRACE_ATTACH, NOBODY, 0, 0))",
    "call(libc.syscall(437, AT_FDCWD, b'old', 0, 0))",  # openat2
    "call(libc.unshare(0))",
    "socket.socket(socket.AF_INET, socket.SOCK_STREAM)",
    "socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)",
    "socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)",
    "socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)",
    "socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)",
    "socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12)",
    "socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM)",
    "socket.socket(socket.AF_INET, socket.SOCK_DGRAM).bind(('127.0.0.1', 0))",
    "stream.listen()",
]

ALLOWED = [
    "kept.write(b'connections'); kept.flush(); kept.truncate(0)",
    "open('old').read()",
    "resource.getrlimit(resource.RLIMIT_CPU)",
    "import tomllib",  # nothing that the program has loaded needs it
    "socket.if_indextoname(1)",
    "socket.socket(socket.AF_INET, socket.SOCK_DGRAM).connect(('127.0.0.1', 1))",
    "one, other = socket.socketpair(); one.send(b'x')",
    "signal.raise_signal(signal.SIGURG)",
]

DEAF = """\
import pyseccomp

deaf = pyseccomp.SyscallFilter(pyseccomp.ALLOW)
deaf.add_rule(pyseccomp.ERRNO(22), "seccomp")  # EINVAL, as where the kernel was built without
deaf.add_rule(pyseccomp.ERRNO(22), "prctl", pyseccomp.Arg(0, pyseccomp.EQ, 22))
try:
    deaf.load()
except OSError:
    pass  # the process that started this one has done so
"""

ENTER = """
from appliance.errors import PixguardError
from appliance.live.sandbox import enter
try:
    enter()
except PixguardError as error:
    print(error)
"""


def python(program: str, *arguments: str, cwd: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": f"{cwd}:{Path(__file__).parents[2]}"},
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def attempted(how: str, attempts: list[str], directory: Path) -> dict[str, object]:
    directory.mkdir()
    (directory / "old").write_text("content")
    outcomes = ast.literal_eval(python(PROGRAM, how, *attempts, cwd=directory))
    return dict(zip(attempts, outcomes, strict=True))


def status(process: int) -> dict[str, str]:
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return dict(line.split(":\t", 1) for line in lines if ":\t" in line)


def test_it_refuses_what_works_without_it(tmp_path: Path) -> None:
    free = attempted("free", REFUSED, tmp_path / "free")
    assert EPERM not in free.values()
    confined = attempted("confined", REFUSED, tmp_path / "confined")
    assert confined == dict.fromkeys(REFUSED, EPERM)
    assert {path.name for path in (tmp_path / "confined").iterdir()} == {"kept", "old"}
    assert (tmp_path / "confined" / "old").read_text() == "content"


def test_what_a_worker_does_goes_on(tmp_path: Path) -> None:
    attempts = [*ALLOWED, "threading.Thread(target=print).start()"]
    outcomes = attempted("confined", attempts, tmp_path / "confined")
    assert outcomes.pop(attempts[-1]) == "can't start new thread"
    assert outcomes == dict.fromkeys(ALLOWED, "done")


def test_a_kernel_that_cannot_is_told(tmp_path: Path) -> None:
    said = python(DEAF + ENTER, cwd=tmp_path)
    assert said == "the kernel does not filter system calls (seccomp)\n"


def test_a_library_that_is_missing_is_told(tmp_path: Path) -> None:
    (tmp_path / "pyseccomp.py").write_text("raise RuntimeError('Unable to find libseccomp')")
    said = python(ENTER, cwd=tmp_path)
    assert said == "libseccomp.so.2, which filters system calls, is missing\n"


def test_a_service_manager_that_lets_no_one_call_seccomp_is_no_hindrance(tmp_path: Path) -> None:
    strict = DEAF.replace("ERRNO(22)", "KILL", 1).replace("ERRNO(22)", "ALLOW")
    strict = "\n".join(line for line in strict.splitlines() if '"prctl"' not in line)
    after = "print(open('/proc/self/status').read())"
    said = python(f"{strict}\n{ENTER}\n{after}", cwd=tmp_path)
    assert "Seccomp_filters:\t2\n" in said


def test_every_worker_is_under_it_and_mail_passes() -> None:
    with Lab(RULES, prefix=f"pxs{os.getpid()}") as lab:
        (process,) = workers(lab)
        assert status(process)["Seccomp"].strip() == "2"
        assert status(lab.appliance.pid)["Seccomp"].strip() == "0"
        outcome = converse(lab.client, SERVER_MAPPED, INWARD.session)
        assert outcome.replies[0] == MASKED
        assert outcome.codes == ("220", "250", "250", "250", "354", "250", "221")
        assert not any("run without it" in line for line in lab.log())


def test_where_the_kernel_cannot_it_says_so_once_and_mail_passes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Python runs a module of this name at its start.
    (tmp_path / "sitecustomize.py").write_text(DEAF)
    with Lab(RULES, prefix=f"pxd{os.getpid()}") as lab:
        assert end(lab, signal.SIGTERM) == 0
        box = own_box(lab) | {"workers": 2, "log": str(tmp_path / "log")}
        (tmp_path / "two.yaml").write_text(json.dumps(box))
        rules = shutil.copy(RULES, tmp_path)
        monkeypatch.setenv("PYTHONPATH", str(tmp_path))
        command = (sys.executable, "-m", "appliance", "run", "--config", str(rules))
        appliance = subprocess.Popen(
            lab.router.command(*command, "--box", str(tmp_path / "two.yaml"))
        )
        try:
            log = tmp_path / "log"
            eventually(lambda: log.exists() and "the firewall is up" in log.read_text())
            outcome = converse(lab.client, SERVER_MAPPED, INWARD.session)
            assert outcome.replies[0] == MASKED
            assert outcome.codes == ("220", "250", "250", "250", "354", "250", "221")
        finally:
            appliance.terminate()
            assert appliance.wait(20) == 0
        (line,) = (each for each in log.read_text().splitlines() if "without it" in each)
    assert line.endswith(
        ": pixguard: the kernel does not filter system calls (seccomp); workers run without it"
    )
