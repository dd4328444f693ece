"""A machine for one test: network, mounts and processes of its own, and an empty /run and /tmp.

Whatever else runs on this computer, what is found here after a program has ended was left by it.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.waiting import eventually

EMPTY = ("/run", "/tmp", "/dev/shm")  # noqa: S108

PROJECT = Path(__file__).parents[2]

BOOT = " && ".join(
    (
        *(f"mount -t tmpfs tmpfs {directory}" for directory in EMPTY),
        # The project may lie in one of those. This shell still stands in it.
        'mkdir -p "$1" && mount --no-canonicalize --bind . "$1"',
        "ip link set lo up",
        # What stays when these have run once is theirs: /run/netns, /run/xtables.lock.
        "ip netns add first && ip netns delete first",
        "iptables-save && ip6tables-save",
        "echo up",
        # It gets the children of those who are gone, and wants to hear nothing of their end.
        "exec env --ignore-signal=CHLD sleep infinity",
    )
)


class Machine:
    """The machine, running.

    Args:
        init: number of its first process, as seen from here.
    """

    def __init__(self, init: int) -> None:
        self._init = init
        self._started: list[subprocess.Popen[str]] = []

    def command(self, *command: str) -> list[str]:
        """A command line that runs a command in it."""
        enter = ("nsenter", f"--target={self._init}", "--net", "--mount", "--pid", "--wd=/tmp")
        return [*enter, "--", *command]

    def run(self, *command: str, timeout: float = 60) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        return subprocess.run(
            self.command(*command),
            check=False,
            capture_output=True,
            text=True,
            timeout=timeout,
            stdin=subprocess.DEVNULL,
        )

    def output(self, *command: str) -> str:
        """What a command prints; it must not fail."""
        done = self.run(*command)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def start(self, *command: str) -> Started:
        """Start a command."""
        process = subprocess.Popen(
            self.command(*command),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._started.append(process)
        return Started(process)

    def path(self, path: str) -> Path:
        """A file of the machine, as seen from here."""
        return Path(f"/proc/{self._init}/root") / path.removeprefix("/")

    def processes(self) -> list[str]:
        """The command lines of all processes but its first and the one that asks."""
        lines = self.output("ps", "-e", "-o", "pid=,args=").splitlines()
        return [line for line in lines if line.split()[0] != "1" and "ps -e -o" not in line]

    def state(self) -> dict[str, list[str]]:
        """All that a program may leave behind, by what it is."""
        rules = self.output("iptables-save") + self.output("ip6tables-save")
        sysctls = self.output("sysctl", "-a", "-r", r"^net\.(ipv4|ipv6|netfilter)\.")
        return {
            "processes": self.processes(),
            "files": sorted(self.output("find", *EMPTY, "-xdev").splitlines()),
            "mounts": [
                line
                for line in self.output("cat", "/proc/self/mounts").splitlines()
                if " /run/netns/" not in line  # of the computer, too; those of here are files
            ],
            "namespaces": self.output("ip", "netns", "list").splitlines(),
            "links": self.output("ip", "-br", "link").splitlines(),
            "addresses": self.output("ip", "-br", "address").splitlines(),
            "routes": self.output("ip", "route", "show", "table", "all").splitlines(),
            "policies": self.output("ip", "rule").splitlines(),
            "neighbours": self.output("ip", "neighbour").splitlines(),
            "proxies": self.output("ip", "neighbour", "show", "proxy").splitlines(),
            # Without dates and counters. An empty table is as good as none.
            "rules": [
                line.split(" [")[0]
                for line in rules.splitlines()
                if line[0] not in "#*" and line != "COMMIT" and not line.endswith("ACCEPT [0:0]")
            ],
            "sysctls": [line for line in sysctls.splitlines() if "nf_conntrack_count" not in line],
        }

    def end_all(self) -> None:
        """Forget what was started; it ends with the machine."""
        for process in self._started:
            process.communicate(timeout=10)


class Started:
    """A command that was started in a machine.

    Args:
        process: the nsenter that waits for it.
    """

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
        eventually(lambda: process.poll() is not None or children.read_text(), "it starts")
        assert process.poll() is None, process.communicate()
        self.number = int(children.read_text())
        """The number of its process, as seen from here."""

    def ended(self, timeout: float = 30) -> tuple[int, str]:
        """Its exit code and what it printed, once it has ended."""
        output, _ = self._process.communicate(timeout=timeout)
        return self._process.returncode, output


@contextmanager
def running_machine() -> Iterator[Machine]:
    """A machine for the length of a `with` block.

    Raises:
        OSError: this computer cannot carry one; what it said.
    """
    process = subprocess.Popen(
        [
            *("unshare", "--net", "--mount", "--pid", "--ipc", "--fork", "--kill-child"),
            *("--mount-proc", "sh", "-c", BOOT, "sh", str(PROJECT)),
        ],
        cwd=PROJECT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    said = ""
    while not said.endswith("up\n"):
        line = process.stdout.readline()
        if not line:
            raise OSError(said)
        said += line
    (init,) = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    machine = Machine(int(init))
    try:
        yield machine
    finally:
        process.kill()  # and with it, its child, and with that, all of the machine
        process.communicate()
        machine.end_all()
