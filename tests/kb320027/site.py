"""A site as the article has it: a mail server behind a PIX, and the article's remedy.

with site("6.3") as here:
    ...                           # Mailguard is on
    here.switch_mailguard_off()   # no fixup protocol smtp 25
    ...
"""

from __future__ import annotations

import os
import shutil
import signal
import smtplib
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import pytest

from appliance.lab.lab import Lab
from appliance.lab.namespace import Namespace
from appliance.lab.topology import SERVER, SERVER_MAPPED
from tests.waiting import eventually

T = TypeVar("T")

RULES = Path(__file__).parents[2] / "rules"
REMEDY = "no fixup protocol smtp 25"

RELOADED = "pixguard: reloaded: "


def exchange(address: str, spool: Path, *options: str) -> tuple[str, ...]:
    """The command of a mail server with what the article's Exchange had (exchange.py)."""
    script = Path(__file__).with_name("exchange.py")
    return (sys.executable, str(script), address, str(spool), *options)


@dataclass(frozen=True, slots=True)
class Site:
    """A mail server, the firewall and a client.

    Args:
        lab: where they are.
        rules: the firewall's rule file.
        mail: where the lab's `exchange` puts its mail.
    """

    lab: Lab
    rules: Path
    mail: Path

    def put_in(self, release: str) -> None:
        """Put another firewall in, with Mailguard on."""
        self.lab.appliance.terminate()
        assert self.lab.appliance.wait(20) == 0
        shutil.copy(RULES / "pix-6.3.conf", self.rules)
        self.lab.release = release
        self.lab.start_appliance()

    def switch_mailguard_off(self) -> None:
        """Do what the article says: the command in the rule file, and a reload."""
        remedied = (RULES / "no-fixup.conf").read_text()
        assert REMEDY in remedied.splitlines()
        self.rules.write_text(remedied)
        before = self._reloads()
        self.lab.appliance.send_signal(signal.SIGHUP)
        eventually(lambda: self._reloads() > before, "the rules are read again")

    def _reloads(self) -> int:
        return sum(RELOADED in line for line in self.lab.log())

    def delivered(self) -> list[bytes]:
        """The mails that the server has."""
        return [path.read_bytes() for path in sorted(self.mail.glob("*.eml"))]

    def server_heard(self) -> bytes:
        """What reached the server in the latest connection."""
        return self.lab.server_tap.settle().conversations[-1].to_server.data

    def session(self, talk: Callable[[smtplib.SMTP], T], address: str = SERVER_MAPPED) -> T:
        """Call a function with an smtplib session from the outside client to a server."""
        return smtp_session(self.lab.client, address, talk)


def smtp_session(namespace: Namespace, address: str, talk: Callable[[smtplib.SMTP], T]) -> T:
    """Call a function with an smtplib session of its own in a namespace."""

    def hold() -> T:
        # A name, so that none is looked up.
        client = smtplib.SMTP(address, 25, "client.example.com", timeout=10)
        try:
            return talk(client)
        finally:
            client.close()

    return namespace.call(hold)


@contextmanager
def site(
    release: str,
    bugs: Sequence[str] = (),
    options: Sequence[str] = (),
    server: Sequence[str] = (),
) -> Iterator[Site]:
    """A site whose firewall has Mailguard on.

    Args:
        release: what the firewall is.
        bugs: faults that it has.
        options: what exchange.py is told.
        server: the command of another server.
    """
    with tempfile.TemporaryDirectory(prefix="pixguard-kb-") as name:
        rules = Path(shutil.copy(RULES / "pix-6.3.conf", Path(name) / "rules.conf"))
        mail = Path(name) / "mail"
        mail.mkdir()
        with Lab(
            rules,
            prefix=f"pxkb{os.getpid()}",
            server=server or exchange(SERVER, mail, *options),
            release=release,
            bugs=bugs,
        ) as lab:
            yield Site(lab, rules, mail)


def needs(program: str) -> pytest.MarkDecorator:
    """Skip a test, and say why, where a program is not installed."""
    return pytest.mark.skipif(
        not shutil.which(program), reason=f"needs the Debian package {program}"
    )
