"""The reply codes that real mail servers give to fifteen probes, through each kind of release.

docs/vectors.md says what the probes are and where the rule comes from, and has the codes.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from appliance.lab.lab import Lab
from appliance.lab.sessions import converse
from appliance.smtp.release import RELEASES, Release
from tests.e2e.postfix import Postfix
from tests.e2e.servers import HOST, exim, sendmail
from tests.waiting import eventually

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "vectors.md"

HELO = "HELO client.example.org"

PROBES: tuple[tuple[str, ...], ...] = (
    ("MAIL FROM: <a@b>",),
    ("HELO",),
    (HELO, "MAIL FROM test"),
    (HELO, "MAIL FROM: <>"),
    (HELO, "MAIL FROM: <a@b"),
    (HELO, "MAIL FROM: <a@nowhere.invalid>"),
    (HELO, "MAIL FROM: <a@b>", "RCPT TO: test"),
    (HELO, "HELP"),
    (HELO, "VRFY root"),
    (HELO, "EXPN root"),
    (HELO, "TURN"),
    (HELO, "SOML FROM: <a@b>"),
    (HELO, "SAML FROM: <a@b>"),
    (HELO, "NOOP"),
    ("EHLO client.example.org",),
)
"""T1 to T15: the code is the one that the last line gets."""

UNKNOWN = (HELO, "WXYZ")
"""A verb that no server knows."""

NOOP = 14
BLOCKED = frozenset({8, 9, 10, 11, 12, 13, 15})
NOT_ESMTP = frozenset({10, 11})

BARE_HELO = 2


@dataclass(frozen=True, slots=True)
class Vector:
    """What a server, or one behind a firewall, answers.

    Args:
        greeting: its first reply.
        codes: those of T1 to T15; "0" for none.
        unknown: the one for a verb that it does not know.
    """

    greeting: str
    codes: tuple[str, ...]
    unknown: str

    def with_code(self, probes: frozenset[int], code: str) -> tuple[str, ...]:
        """Its codes, with another one for some of the probes."""
        return tuple(code if number in probes else own for number, own in enumerate(self.codes, 1))


def ruled(release: str, direct: Vector) -> tuple[str, ...]:
    """What the rule makes of the codes that a server gives directly."""
    match release:
        case "4.0":
            return direct.with_code(BLOCKED, "250")
        case "4.2" | "4.4":
            return direct.with_code(BLOCKED, direct.unknown)
        case "5.0" | "5.1" | "6.3":
            return direct.with_code(BLOCKED | {BARE_HELO}, direct.unknown)
        case "7.0" | "8.4":
            return direct.with_code(NOT_ESMTP, direct.unknown)
        case "fwsm-2":
            return direct.with_code(BLOCKED | {BARE_HELO}, direct.codes[NOOP - 1])
    raise ValueError(release)


CHOSEN = ("4.0", "4.2", "4.4", "5.0", "5.1", "6.3", "7.0", "8.4", "fwsm-2")
"""One release of each kind."""

SERVERS = {"Postfix": 5, "Exim": 6, "Sendmail": 7}
"""The last byte of each server's address, 10.1.1.5 inside and 203.0.113.5 outside."""

DIRECT = "direct"

VERSION = re.compile(r"220 \S+ ESMTP (\w+ [\d.]*\d)")


@dataclass(frozen=True, slots=True)
class Measured:
    """What was measured.

    Args:
        vectors: by server, then by release, or DIRECT where mail is not inspected.
        absent: why a server could not be measured.
    """

    vectors: dict[str, dict[str, Vector]]
    absent: dict[str, str]

    def of(self, server: str) -> dict[str, Vector]:
        """A server's, by release; the test is skipped if it could not be measured."""
        if server in self.absent:
            pytest.skip(self.absent[server])
        return self.vectors[server]

    def version(self, server: str) -> str:
        """A server's name and version, by its own greeting."""
        found = VERSION.match(self.of(server)[DIRECT].greeting)
        assert found, self.of(server)[DIRECT].greeting
        return found[1]

    def table(self, server: str) -> str:
        """A server's vectors, as docs/vectors.md has them."""
        rows = [
            f"{release:10}{' '.join(f'{code:>3}' for code in vector.codes)}\n"
            for release, vector in self.of(server).items()
        ]
        head = " ".join(f"{f'T{number}':>3}" for number in range(1, len(PROBES) + 1))
        return f"{'':10}{head}\n{''.join(rows)}"


def ask(lab: Lab, server: str) -> Vector:
    """Send every probe to a server, each over a connection of its own."""

    def code(lines: tuple[str, ...]) -> str:
        outcome = converse(lab.client, address, tuple(f"{line}\r\n" for line in lines))
        return outcome.codes[-1] if len(outcome.codes) > len(lines) else "0"

    address = f"203.0.113.{SERVERS[server]}"
    greeting = converse(lab.client, address, ("QUIT\r\n",)).replies[0]
    return Vector(greeting.decode(), tuple(map(code, PROBES)), code(UNKNOWN))


def rules(name: str) -> str:
    """An example, with what the servers beyond its own need."""
    more = "".join(
        f"static (inside,outside) 203.0.113.{number} 10.1.1.{number} netmask 255.255.255.255 0 0\n"
        f"access-list outside_in permit tcp any host 203.0.113.{number} eq smtp\n"
        for number in SERVERS.values()
        if number != SERVERS["Postfix"]
    )
    text = (ROOT / "rules" / name).read_text()
    assert text.endswith(": end\n")
    return text.removesuffix(": end\n") + more


def start(lab: Lab, server: str, directory: Path, stack: ExitStack) -> None:
    """Start Exim or sendmail at its address in a lab.

    Raises:
        LookupError: it is not there.
    """
    address = f"10.1.1.{SERVERS[server]}"
    command = {"Exim": exim, "Sendmail": sendmail}[server](directory / server, address)
    lab.server.ip("address", "add", f"{address}/24", "dev", "eth0")
    said = stack.enter_context((directory / f"{server}.output").open("wb"))
    process = subprocess.Popen(
        lab.server.command(*command), stdin=subprocess.DEVNULL, stdout=said, stderr=said
    )
    stack.callback(process.wait, 10)
    stack.callback(process.kill)
    eventually(lambda: not converse(lab.server, address, ("QUIT\r\n",)).failure, f"{server} starts")


@pytest.fixture(scope="module")
def measured() -> Iterator[Measured]:
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="pixguard-e2e-")))
        directory.chmod(0o755)
        settings = {
            "myhostname": HOST,
            "smtpd_banner": "$myhostname ESMTP $mail_name $mail_version",
            "inet_interfaces": "10.1.1.5",
            "mydestination": HOST,
            "local_recipient_maps": "inline:{root=here}",
        }
        postfix = Postfix(directory / "Postfix", settings)
        rule_file = directory / "rules.conf"
        rule_file.write_text(rules("no-fixup.conf"))
        lab = stack.enter_context(
            Lab(rule_file, prefix=f"pxv{os.getpid()}", server=postfix.command)
        )
        absent: dict[str, str] = {}
        for server in ("Exim", "Sendmail"):
            try:
                start(lab, server, directory, stack)
            except LookupError as error:
                absent[server] = str(error)
        present = [server for server in SERVERS if server not in absent]
        vectors = {server: {DIRECT: ask(lab, server)} for server in present}
        rule_file.write_text(rules("pix-6.3.conf"))
        for release in CHOSEN:
            lab.appliance.send_signal(signal.SIGTERM)
            assert lab.appliance.wait(20) == 0
            lab.release = release
            lab.start_appliance()
            for server in present:
                vectors[server][release] = ask(lab, server)
        yield Measured(vectors, absent)


@pytest.mark.parametrize("release", CHOSEN)
@pytest.mark.parametrize("server", SERVERS)
def test_the_rule_holds(measured: Measured, server: str, release: str) -> None:
    vectors = measured.of(server)
    assert vectors[release].codes == ruled(release, vectors[DIRECT])


@pytest.mark.parametrize("server", SERVERS)
def test_the_codes_would_show_a_blocked_command_that_passes(
    measured: Measured, server: str
) -> None:
    """EHLO, bare HELO and VRFY get another code of the server than a verb that it does not know."""
    direct = measured.of(server)[DIRECT]
    assert "0" not in (*direct.codes, direct.unknown)
    assert direct.unknown not in (direct.codes[number - 1] for number in (BARE_HELO, 9, 15))


@pytest.mark.parametrize("server", SERVERS)
def test_the_page_has_the_codes(measured: Measured, server: str) -> None:
    table, version = measured.table(server), measured.version(server)
    print(f"{version}\n\n{table}")
    page = PAGE.read_text()
    if f"## {version}\n" not in page:
        assert f"## {server} " in page
        pytest.skip(f"{PAGE.name} has another version than {version}; the rule holds for both")
    assert f"## {version}\n\n```text\n{table}```\n" in page


def test_every_release_is_of_a_kind_that_was_chosen() -> None:
    def kind(release: Release) -> tuple[object, ...]:
        return release.greeting, release.verbs, release.argument_verbs, release.blocked

    chosen = {kind(RELEASES[name]) for name in CHOSEN}
    assert {kind(release) for release in RELEASES.values()} == chosen
