"""Where commands run as root, all the same to a test: in a namespace or in a virtual machine."""

from __future__ import annotations

import json
import shlex
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import IO, cast

from tests.waiting import eventually

PATIENCE = 120.0
"""Seconds that a command may take in a machine whose processor is emulated."""


@dataclass(frozen=True, slots=True)
class Place:
    """A host of the network.

    Args:
        wrap: makes a command line that runs a command there.
        project: where the project's directory is there.
    """

    wrap: Callable[[list[str]], list[str]]
    project: PurePosixPath

    def run(
        self, *command: str, stdin: str = "", timeout: float = PATIENCE
    ) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        return subprocess.run(
            self.wrap(list(command)),
            check=False,
            input=stdin,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout,
        )

    def output(self, *command: str, stdin: str = "", timeout: float = PATIENCE) -> str:
        """What a command prints; it must not fail."""
        done = self.run(*command, stdin=stdin, timeout=timeout)
        assert done.returncode == 0, f"{shlex.join(command)}: {done.stdout}{done.stderr}"
        return done.stdout

    @contextmanager
    def running(self, *command: str) -> Iterator[subprocess.Popen[str]]:
        """A command that runs for the length of a `with` block; it ends with its input."""
        pipe = subprocess.PIPE
        process = subprocess.Popen(self.wrap(list(command)), stdin=pipe, stdout=pipe, text=True)
        try:
            yield process
        finally:
            cast(IO[str], process.stdin).close()
            cast(IO[str], process.stdout).close()
            process.wait(PATIENCE)

    def talk(self, address: str) -> tuple[str, ...]:
        """The command that talks SMTP with a server."""
        return "python3", f"{self.project}/tests/vagrant/talk.py", address

    @contextmanager
    def conversation(self, address: str) -> Iterator[Conversation]:
        """An SMTP session from here with a server, for the length of a `with` block."""
        with self.running(*self.talk(address)) as process:
            yield Conversation(process)


class Conversation:
    """An SMTP session.

    Args:
        process: talk.py.
    """

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._sent = cast(IO[str], process.stdin)
        self._replies = cast(IO[str], process.stdout)
        self.greeting = self._reply()

    def say(self, line: str) -> list[str]:
        """Send a line.

        Args:
            line: what to say, without its end.

        Returns:
            the lines of the reply.
        """
        self._sent.write(f"{line}\n")
        self._sent.flush()
        return self._reply()

    def _reply(self) -> list[str]:
        line = self._replies.readline()
        assert line, "the server said nothing"
        return [str(each) for each in json.loads(line)]


@dataclass(frozen=True, slots=True)
class Mailer:
    """A Postfix somewhere.

    Args:
        place: where.
        log: its log file.
        mail: a shell's pattern of the files that it delivers to.
    """

    place: Place
    log: str
    mail: str

    def submit(self, name: str, body: str) -> None:
        """Hand a mail to it that it has to relay.

        Args:
            name: its subject.
            body: lines, with LF at the end of each.
        """
        head = f"From: alice@example.org\nTo: bob@example.com\nSubject: {name}\n\n"
        self.place.output(
            *("swaks", "--silent", "2", "--server", "127.0.0.1", "--helo", "client.example.org"),
            *("--from", "alice@example.org", "--to", "bob@example.com", "--data", "-"),
            stdin=f"{head}{body}.\n",  # a dot at the end is swaks's own, and not sent as it is
        )

    def told(self) -> str:
        """Its log."""
        return self.place.output("cat", self.log)

    def delivered(self, name: str) -> str:
        """All that it has delivered, once the mail of this subject is among it."""
        found = ""

        def arrived() -> bool:
            nonlocal found
            found = self.place.run("sh", "-c", f"cat {self.mail}").stdout
            return f"\nSubject: {name}\n" in found

        eventually(arrived, f"mail {name} arrives", PATIENCE)
        return found
