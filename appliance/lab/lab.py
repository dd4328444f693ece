"""The lab as one thing: the namespaces, the appliance between them, a mail server on either side.

with Lab(ready_example("pix-6.3.conf")) as lab:
    outcome = converse(lab.client, SERVER_MAPPED, MAIL)
    print(lab.log())
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any

from appliance.box import Box, load_box
from appliance.errors import PixguardError, printable
from appliance.lab.namespace import Namespace
from appliance.lab.tap import Tap
from appliance.lab.topology import CLIENT, INTERFACES, SERVER, Topology
from appliance.live.privileges import CHANGE_OF_USER, SUPERVISOR, require_capabilities
from appliance.live.state import counters_file

PATIENCE = 20.0
"""Seconds that the appliance, or a server, has to come up or to end."""

LAST_WORDS = 20
"""Lines shown of what a server said before it failed."""

HOST = "mail.acme.com"
IDENT = (
    "Microsoft ESMTP MAIL Service, Version: 5.0.2195.4905 ready at  Thu, 4 Apr 2002 14:33:27 -0700"
)
"""The inside server greets like the one whose masked greeting Microsoft KB 320027 prints."""

OUTSIDE_HOST = "mx.example.org"
OUTSIDE_IDENT = "ESMTP Postfix 2.0.20 (release 20040102)"

COMMANDS = {
    "ip": "iproute2",
    "iptables": "iptables",
    "iptables-restore": "iptables",
    "setpriv": "util-linux",
}
"""The commands that the lab and the appliance run, and the packages that have them."""


class Lab:
    """Client, firewall and mail server, for the length of a `with` block.

    Args:
        rules: the firewall's rule file; its interfaces are outside and inside.
        prefix: what the names of namespaces begin with; one lab of a prefix at a time.
        server: the command of another mail server than the lab's own, for 10.1.1.5 port 25.
        keep: whether all of it is left standing at the end of the block.
        release: what the appliance imitates whatever the rule file says; a change of the attribute
            holds from `start_appliance` on.
        bugs: names of faults of old releases that it imitates, too.
    """

    def __init__(
        self,
        rules: Path,
        prefix: str = "pixguard",
        server: Sequence[str] = (),
        keep: bool = False,
        release: str | None = None,
        bugs: Sequence[str] = (),
    ) -> None:
        self._rules = rules.absolute()
        self.own_server = not server
        self._server_command = tuple(server)
        self._keep = keep
        self.release = release
        self._bugs = tuple(bugs)
        self._topology = Topology(prefix)
        self._taps: list[Tap] = []
        self._processes: list[subprocess.Popen[bytes]] = []
        self.directory = self._topology.directory
        self.client = self._topology.client
        self.router = self._topology.router
        self.server = self._topology.server
        self.box: Box
        self.client_tap: Tap
        self.server_tap: Tap
        self.appliance: subprocess.Popen[bytes]

    def __enter__(self) -> Lab:
        try:
            self._build()
        except BaseException:
            self._keep = False
            self.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._keep = self._keep and kind is None
        self.close()

    def close(self) -> None:
        """Remove everything, or let go of what is to be left standing; again if need be."""
        with ExitStack() as stack:  # each step is taken whatever becomes of those before it
            if self._keep:
                stack.callback(self._topology.release)
            else:
                stack.callback(self._topology.demolish)
                for process in self._processes:
                    stack.callback(_end_process, process)
            while self._taps:
                stack.callback(self._taps.pop().close)

    def _build(self) -> None:
        require_tools()
        self._topology.build()
        for spool in (self.server_spool, self.client_spool):
            spool.mkdir()
        self.client_tap = self._tap(self.client)
        self.server_tap = self._tap(self.server)
        outside = _mail_server(CLIENT, OUTSIDE_HOST, OUTSIDE_IDENT, self.client_spool)
        own = "the lab's mail server"
        self._start_server(self.client, CLIENT, outside, own, "client-mail-server.log")
        inside = self._server_command or _mail_server(SERVER, HOST, IDENT, self.server_spool)
        what = f"--server: {printable(inside[0])}" if self._server_command else own
        self._start_server(self.server, SERVER, inside, what, "server-mail-server.log")
        self.start_appliance()

    def _tap(self, namespace: Namespace) -> Tap:
        tap = Tap(namespace)
        self._taps.append(tap)
        return tap

    @property
    def server_spool(self) -> Path:
        """Where the inside server puts its mail, `1.eml` and so on."""
        return self.directory / "server-mail"

    @property
    def client_spool(self) -> Path:
        """Where the outside server puts its mail."""
        return self.directory / "client-mail"

    @property
    def log_file(self) -> Path:
        """The appliance's log."""
        return self.directory / "appliance.log"

    def log(self) -> tuple[str, ...]:
        """The appliance's log lines so far."""
        return tuple(self.log_file.read_text("latin-1").splitlines())

    def counters(self) -> dict[str, Any]:
        """The appliance's counters; they are a second old at most."""
        content: dict[str, Any] = json.loads(
            self.router.call(counters_file, self.box.state).read_text()
        )
        return content

    def start_appliance(self, *options: str) -> None:
        """Start the appliance in the router's namespace, and wait until it is up.

        Args:
            options: of `pixguard run`, besides the files.

        Raises:
            PixguardError: it does not come up; what it said.
        """
        box_file = self.directory / "box.yaml"
        state = self.directory / "state"
        state.mkdir(exist_ok=True)
        # Every JSON text is a YAML text.
        interfaces = {each: each for each in INTERFACES}
        box: dict[str, Any] = {"interfaces": interfaces, "state": str(state)}
        if self.release:
            box["release"] = self.release
        if self._bugs:
            box["bugs"] = self._bugs
        box_file.write_text(json.dumps(box))
        self.box = load_box(box_file)
        notify = self.directory / "notify"
        notify.unlink(missing_ok=True)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ready:
            ready.bind(str(notify))
            ready.settimeout(0.05)
            self.appliance = self._start(
                self.router,
                (
                    *(sys.executable, "-P", "-m", "appliance", "run"),
                    *("--config", str(self._rules), "--box", str(box_file), *options),
                ),
                self.log_file,
                {"NOTIFY_SOCKET": str(notify)},
            )

            def is_ready() -> bool:
                try:
                    return ready.recv(100) == b"READY=1"
                except TimeoutError:
                    return False

            self._await(self.appliance, is_ready, "the appliance", "come up", self.log_file)

    def _start_server(
        self, namespace: Namespace, address: str, command: Sequence[str], what: str, log: str
    ) -> None:
        output = self.directory / log
        process = self._start(namespace, command, output)
        aim = f"listen on {address} port 25"
        self._await(process, lambda: namespace.listens(25), what, aim, output)

    def _start(
        self,
        namespace: Namespace,
        command: Sequence[str],
        output: Path,
        environment: dict[str, str] | None = None,
    ) -> subprocess.Popen[bytes]:
        with output.open("ab") as file:
            process = subprocess.Popen(
                namespace.command(*command, outlive=self._keep),
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
                env=os.environ | (environment or {}),
                start_new_session=True,  # Ctrl-C is the lab's to act upon
            )
        self._processes.append(process)
        return process

    def _await(
        self,
        process: subprocess.Popen[bytes],
        is_up: Callable[[], bool],
        what: str,
        aim: str,
        output: Path,
    ) -> None:
        """Wait until something is up; a server may have gone to the background meanwhile.

        Args:
            process: the process that is to bring it up.
            is_up: whether it is.
            what: what to call it in a message.
            aim: what it is to do, for a message.
            output: the file that it writes to.
        """
        deadline = time.monotonic() + PATIENCE
        while not is_up():
            late = time.monotonic() > deadline
            if late or process.poll():
                how = f"ended with code {process.returncode}"
                if late:
                    how = f"did not {aim} within {PATIENCE:.0f} s"
                lines = output.read_text("latin-1").splitlines()[-LAST_WORDS:]
                said = "\n".join(map(printable, lines)) or "nothing"
                raise PixguardError(f"{what} {how}; it said: {said}")
            time.sleep(0.02)


def require_tools() -> None:
    """Check that this machine can carry a lab.

    Raises:
        PixguardError: something is missing; what to do.
    """
    if os.geteuid() != 0:
        raise PixguardError(
            "the lab makes network namespaces and loads netfilter rules in them, which takes "
            "root: try sudo; `pixguard replay` needs no root"
        )
    require_capabilities("CAP_SYS_ADMIN", *SUPERVISOR, *CHANGE_OF_USER)
    missing = {package for command, package in COMMANDS.items() if not shutil.which(command)}
    if missing:
        raise PixguardError(f"a command is missing; install: {' '.join(sorted(missing))}")


def _mail_server(address: str, host: str, ident: str, spool: Path) -> tuple[str, ...]:
    """The command of the lab's own mail server (see `appliance.lab.mail_server.serve`)."""
    command = (sys.executable, "-P", "-m", "appliance.lab.mail_server")
    return (*command, address, "25", host, ident, str(spool))


def _end_process(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
