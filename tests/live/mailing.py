"""Mails whose arrival can be checked to the byte, the lab that they pass, and their senders."""

from __future__ import annotations

import json
import random
import smtplib
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from subprocess import Popen
from typing import Any

from appliance.box import load_box
from appliance.lab.lab import Lab
from appliance.lab.namespace import Namespace
from appliance.lab.topology import SERVER, SERVER_MAPPED
from tests.waiting import eventually

RULES = Path(__file__).parents[2] / "rules" / "pix-6.3.conf"

RECIPIENT = "bob@acme.com"


@dataclass(frozen=True, slots=True)
class Mail:
    """A mail.

    Args:
        identity: its Message-ID.
        content: its lines, each with CRLF, as they are before dots are doubled.
    """

    identity: str
    content: bytes

    @property
    def digest(self) -> str:
        return sha256(self.content).hexdigest()


def mails(count: int, seed: int, smallest: int, largest: int, label: str = "") -> list[Mail]:
    """Mails that differ, of sizes that are spread evenly over their orders of magnitude.

    Args:
        count: how many.
        seed: equal seeds make equal mails.
        smallest: bytes of a mail, at least.
        largest: bytes, about at most.
        label: begins their Message-IDs.
    """
    chance = random.Random(seed)  # noqa: S311
    made = []
    for number in range(count):
        identity = f"<{label}{seed}.{number}@example.org>"
        size = smallest * (largest / smallest) ** chance.random()
        content = bytearray(f"Message-ID: {identity}\r\nSubject: one of many\r\n\r\n".encode())
        while len(content) < size:
            content += _line(chance, int(size) - len(content)) + b"\r\n"
        made.append(Mail(identity, bytes(content)))
    return made


def _line(chance: random.Random, room: int) -> bytes:
    """A line of a mail: text, or what software has stumbled over."""
    match chance.randrange(8):
        case 0:
            return b"." * chance.randrange(4) + bytes(chance.choices(b"ab. ", k=20))
        case 1:
            return bytes(chance.choices(range(128, 256), k=70))
        case 2:
            return bytes(chance.choices(b"0123456789abcdef", k=min(9000, room + 1000)))
        case 3:
            return chance.choice((b"", b".", b"EXPN bob", b"QUIT", b"RCPT TO:<a|b@c.example>"))
        case _:
            return f"{chance.getrandbits(230):070x}".encode()


class BoxedLab(Lab):
    """A lab whose box file says more, and whose mail server writes down what it gets.

    Args:
        prefix: as for a Lab.
        settings: keys of the box file.
        release: as for a Lab.
        rules: the rule file.
    """

    def __init__(
        self,
        prefix: str,
        settings: dict[str, object] | None = None,
        release: str | None = None,
        rules: Path = RULES,
    ) -> None:
        super().__init__(rules, prefix, release=release)
        self._settings = settings or {}
        self._written = self.directory / "arrived"
        program = Path(__file__).with_name("mail_sink.py")
        self._server_command = (sys.executable, str(program), SERVER, "25", str(self._written))

    def _start(
        self,
        namespace: Namespace,
        command: Sequence[str],
        output: Path,
        environment: dict[str, str] | None = None,
    ) -> Popen[bytes]:
        if namespace is self.router:
            file = self.directory / "box.yaml"
            file.write_text(json.dumps(json.loads(file.read_text()) | self._settings))
            self.box = load_box(file)
        return super()._start(namespace, command, output, environment)

    def _noted(self) -> Iterator[dict[str, str]]:
        # What follows the last newline is being written.
        return map(json.loads, self._written.read_text().split("\n")[:-1])

    def arrived(self) -> Counter[tuple[str, str]]:
        """How often each Message-ID came to the server with each digest."""
        return Counter((each["mail"], each["digest"]) for each in self._noted() if "mail" in each)

    def unknown(self) -> set[str]:
        """The lines that the server took for commands and did not know."""
        return {each["unknown"] for each in self._noted() if "unknown" in each}

    def by_worker(self, key: str) -> list[Any]:
        """A value of each worker's counters."""
        return [each[key] for each in self.counters()["workers"]]

    def built(self) -> list[int]:
        """How many connections each worker has seen begin."""
        return [each.get("connection-built", 0) for each in self.by_worker("events")]


def expected(sent: Sequence[Mail]) -> Counter[tuple[str, str]]:
    """What `arrived` says if each mail has come once and as it was sent."""
    return Counter((mail.identity, mail.digest) for mail in sent)


def await_mails(lab: BoxedLab, sent: Sequence[Mail]) -> None:
    """Wait until all of these mails have come once and as they were sent, and no other."""
    eventually(lambda: lab.arrived().total() >= len(sent), "the mails arrive")
    assert lab.arrived() == expected(sent)


def open_session(timeout: float) -> smtplib.SMTP:
    """A greeted session with the lab's server, of the calling thread's namespace."""
    return smtplib.SMTP(SERVER_MAPPED, 25, local_hostname="mx.example.org", timeout=timeout)


def send(sent: Sequence[Mail], timeout: float = 60, recipient: str = RECIPIENT) -> None:
    """Send mails in one session.

    Args:
        sent: the mails.
        timeout: seconds that the server may be silent.
        recipient: whom to.
    """
    with open_session(timeout) as session:
        for mail in sent:
            session.sendmail("alice@example.org", recipient, mail.content)
