"""Mail from many clients to three mail servers, through each kind of release.

docs/matrix.md says what becomes of it, and has what each party logged.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from appliance.lab.lab import Lab
from appliance.lab.sessions import converse
from appliance.lab.topology import SERVER
from appliance.replay.transcript import Conversation
from appliance.smtp.release import RELEASES, Blocked, Greeting, Release
from tests.e2e.clients import (
    CLIENTS,
    EXIM,
    RECIPIENT,
    SENDMAIL,
    Client,
    Errand,
    Extension,
    client_postfix,
    senders,
)
from tests.e2e.postfix import MAILBOX, Postfix
from tests.e2e.servers import (
    HOST,
    exim,
    exim_client,
    make_certificate,
    sendmail,
    sendmail_client,
)
from tests.e2e.test_vectors import CHOSEN, SERVERS, VERSION, rules
from tests.waiting import eventually

PAGE = Path(__file__).parents[2] / "docs" / "matrix.md"

SIMULTANEOUS = 8
"""Clients that send at a time."""


@dataclass(frozen=True, slots=True)
class Row:
    """A firewall to send mail through.

    Args:
        name: what the page calls it.
        release: what it inspects as, None where it does not.
        rules: the example that it is made of.
        settings: what its box file says besides the release.
    """

    name: str
    release: Release | None
    rules: str = "pix-6.3.conf"
    settings: dict[str, object] = field(default_factory=dict)

    @property
    def box(self) -> dict[str, object]:
        """What its box file says."""
        return self.settings | ({"release": self.release.name} if self.release else {})


ROWS = (
    Row("direct", None, "no-fixup.conf"),
    *(Row(name, RELEASES[name]) for name in CHOSEN),
    Row("8.4, allow-tls", RELEASES["8.4"].allowing_tls(), settings={"allow-tls": True}),
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a mail.

    Args:
        verb: the greeting that was answered 250, as the client saw it; "" for none.
        uses: the extension that was used.
        end: "" for a mail that arrived, KEPT, GIVEN_UP, or the code that MAIL was refused with.
    """

    verb: str
    uses: Extension | None = None
    end: str = ""

    def __str__(self) -> str:
        words = [self.verb or "-"]
        if self.uses:
            words.append({Extension.AUTH: "AUTH", Extension.TLS: "TLS"}[self.uses])
        return " ".join(words) + (f": {self.end}" if self.end else "")


KEPT, GIVEN_UP = "kept", "given up"

LIKE_A_PIX = frozenset({Greeting.FIRST_CODE, Greeting.TWO_AND_ZERO, Greeting.CODES})
"""The greetings that a wary client knows."""

BELIEVED = frozenset({Blocked.ANSWER_OK, Blocked.NOOP})
"""What answers a blocked EHLO 250, while the server hears no greeting."""


def ruled(release: Release | None, client: Client, ungreeted: str) -> Outcome:
    """What the rule makes of a mail.

    Args:
        release: what the firewall inspects as, None where it does not.
        client: who sends it.
        ungreeted: the code that the server gives to MAIL where it has heard no greeting.
    """

    def passes(verb: str) -> bool:
        return release is None or verb.encode() in release.verbs

    greeted = True
    offered: set[Extension] = set()
    if release and client.wary and release.greeting in LIKE_A_PIX:
        verb = "HELO"
    elif passes("EHLO"):
        verb = "EHLO"
        offered = {extension for extension in Extension if passes(extension.value)}
    elif release and release.blocked in BELIEVED:
        verb = "EHLO"
        greeted = False
    else:
        verb = "HELO" if client.falls_back else ""

    uses = client.uses if client.uses in offered else None
    if client.insists and not uses:
        return Outcome(verb, end=KEPT if client.keeps else GIVEN_UP)
    if not greeted and ungreeted != "250":
        return Outcome(verb, end=ungreeted)
    return Outcome(verb, uses)


def told(conversation: Conversation, arrived: bool, kept: bool) -> Outcome:
    """What became of a mail.

    Args:
        conversation: as seen where the client is.
        arrived: whether the server has it.
        kept: whether the client says that it keeps it.
    """
    last_lines = re.findall(rb"^(\d{3})(?: .*)?\r\n", conversation.to_client.data, re.MULTILINE)
    commands = conversation.to_server.data.split(b"\r\n")
    verb, uses = "", None
    end = "" if arrived else KEPT if kept else GIVEN_UP
    for command, code in zip(commands, last_lines[1:], strict=False):
        match command.upper().split()[:1], code:
            case [b"EHLO" | b"HELO" as greeting], b"250":
                verb = greeting.decode()
            case [b"AUTH"], b"235":
                uses = Extension.AUTH
            case [b"STARTTLS"], b"220":
                uses = Extension.TLS
                break
            case [b"MAIL"], _:
                if code[:1] == b"5":
                    end = code.decode()
                break
    return Outcome(verb, uses, end)


SERVER_TELLING = {
    "Postfix": re.compile(r"disconnect from unknown\S+ (.*) commands="),
    "Exim": re.compile(r"SMTP \w+ error in.*|rejected MAIL.*"),
    "Sendmail": re.compile(r"<<< (?:XXXX|NOOP).*|>>> 50.*"),
}
FIREWALL_TELLING = re.compile(r"%(?:PIX|ASA)-\d-(?!106015)\d+")
"""A packet that comes when all is over (106015) may come or not."""

PLAIN = (
    (re.compile(r"(?:203\.0\.113|10\.1\.1)\.[567]\b"), "SERVER"),
    (re.compile(r"203\.0\.113\.[23]\d\b"), "CLIENT"),
    (re.compile(r"[\w-]+\.\w+@example\.org"), "SENDER"),
    (re.compile(r"\bX=TLS\S+(?: CV=\w+)?(?: K)?"), "X=TLS"),
)


def plain(line: str) -> str:
    """A log line without what differs from one connection to the next."""
    for pattern, word in PLAIN:
        line = pattern.sub(word, line)
    return line.strip()


def notable(telling: re.Pattern[str], log: str) -> Counter[str]:
    """The lines of a log that tell something, and how often each was written."""
    return Counter(map(plain, telling.findall(log)))


def log_table(lines: Mapping[str, Counter[str]]) -> str:
    """What each party logged, as docs/matrix.md has it: the party, how often, the line."""
    width = max(map(len, lines))
    return "".join(
        f"{party:{width}}  {count:3}  {line}\n"
        for party, counter in lines.items()
        for line, count in sorted(counter.items())
    )


def mark(*key: str) -> str:
    """What names a mail: row, client and server."""
    return re.sub(r"[^\w.]+", "-", ".".join(key))


def mail(name: str) -> bytes:
    """A mail that nobody has to add a header to, and whose lines are not easy on SMTP."""
    head = (
        "From: alice@example.org",
        f"To: {RECIPIENT}",
        f"Subject: {name}",
        "Date: Thu, 4 Apr 2002 14:33:27 -0700",
        f"Message-ID: <{name}@example.org>",
        "",
    )
    body = (
        "EHLO mx.example.org",
        "STARTTLS",
        *(".", "..", ".QUIT"),
        "250-SIZE and 220 2002 and a | in <text>",
        *("x" * length for length in (900, 987)),
        "",
        name,
    )
    return "".join(f"{line}\r\n" for line in head + body).encode()


def digest(content: bytes) -> str:
    """The digest of a mail's body, whatever its line ends are."""
    _, _, body = content.replace(b"\r\n", b"\n").partition(b"\n\n")
    return hashlib.sha256(body).hexdigest()


@dataclass(slots=True)
class Matrix:
    """What was measured.

    Args:
        versions: the programs, with their versions.
        absent: why a program could not be had.
        ungreeted: by server, the code that it gives to MAIL where it has heard no greeting.
        outcomes: by row, client and server.
        damaged: mails that arrived otherwise than they were sent, or more than once.
        logs: what each party logged, by row.
    """

    versions: dict[str, str] = field(default_factory=dict)
    absent: dict[str, str] = field(default_factory=dict)
    ungreeted: dict[str, str] = field(default_factory=dict)
    outcomes: dict[tuple[str, str, str], Outcome] = field(default_factory=dict)
    damaged: list[str] = field(default_factory=list)
    logs: dict[str, dict[str, Counter[str]]] = field(default_factory=dict)

    def of(self, row: str, client: Client) -> dict[str, Outcome]:
        """The outcomes of a client, by server; the test is skipped if the client is absent."""
        if client.program in self.absent:
            pytest.skip(self.absent[client.program])
        return {server: self.outcomes[row, client.name, server] for server in self.ungreeted}

    def table(self, client: Client) -> str:
        """A client's outcomes, as docs/matrix.md has them."""
        rows = [("", *self.ungreeted)]
        rows += [(row.name, *map(str, self.of(row.name, client).values())) for row in ROWS]
        lines = ("".join(f"{cell:16}" for cell in cells).rstrip() for cells in rows)
        return "".join(f"{line}\n" for line in lines)

    def on_page(self) -> str:
        """The page, if it has these versions; the test is skipped otherwise."""
        if self.absent:
            pytest.skip("; ".join(self.absent.values()))
        found = ", ".join(self.versions.values())
        page = PAGE.read_text()
        if f"\n{found}.\n" not in page:
            pytest.skip(f"{PAGE.name} has other versions than {found}; the rule holds for both")
        return page


@dataclass(frozen=True, slots=True)
class Try:
    """One mail on its way.

    Args:
        conversation: as seen where the client is.
        kept: whether the client says that it keeps the mail.
        ruled: what the rule makes of it.
    """

    conversation: Conversation
    kept: bool
    ruled: Outcome


class Site:
    """The lab, three servers inside it, and what the clients need.

    Args:
        directory: where to put everything; nobody but root may put files above it.
        matrix: where to note what is found.
        stack: what is to be undone.
    """

    def __init__(self, directory: Path, matrix: Matrix, stack: ExitStack) -> None:
        self.directory = directory
        self.matrix = matrix
        self._stack = stack
        self._tries: dict[tuple[str, str, str], Try] = {}
        (directory / "mail").mkdir()
        self._addresses = {name: f"203.0.113.{number}" for name, number in SERVERS.items()}
        self._certificate = directory / "certificate"
        make_certificate(self._certificate, self._addresses.values())
        postfix = self._postfix()
        rule_file = directory / "rules.conf"
        rule_file.write_text(rules("pix-6.3.conf"))
        self._lab = stack.enter_context(
            Lab(rule_file, prefix=f"pxm{os.getpid()}", server=postfix.command)
        )
        self._lab.appliance.terminate()
        assert self._lab.appliance.wait(20) == 0
        self._server_logs = {"Postfix": postfix.directory / "log"}
        self._mailboxes = {"Postfix": postfix.directory / "mail" / MAILBOX / "new"}
        self._start("Exim", "mainlog")
        self._start("Sendmail", "traffic")
        self._servers = [name for name in SERVERS if name not in matrix.absent]
        self._clients = [each for each in CLIENTS if each.program not in matrix.absent]
        for client in self._clients:
            self._lab.client.ip("address", "add", f"{client.address}/24", "dev", "eth0")
        self._send = senders(self._client_postfix(), self._mtas())
        self._ask_servers()

    def _postfix(self) -> Postfix:
        made = Postfix(
            self.directory / "Postfix",
            {
                "myhostname": HOST,
                "smtpd_banner": "$myhostname ESMTP $mail_name $mail_version",
                "inet_interfaces": SERVER,
                "virtual_mailbox_domains": HOST,
            },
        )
        made.offer(self._certificate)
        return made

    def _start(self, server: str, log: str) -> None:
        directory = self.directory / server
        address = f"10.1.1.{SERVERS[server]}"
        make = {"Exim": exim, "Sendmail": sendmail}[server]
        try:
            command = make(directory, address, self._certificate)
        except LookupError as error:
            self.matrix.absent[server] = str(error)
            return
        self._lab.server.ip("address", "add", f"{address}/24", "dev", "eth0")
        self._run(self._lab.server.command(*command), self.directory / f"{server}.output")
        eventually(
            lambda: not converse(self._lab.server, address, ("QUIT\r\n",)).failure,
            f"{server} starts",
        )
        self._server_logs[server] = directory / log
        self._mailboxes[server] = directory / "mail" / "new"

    def _run(self, command: list[str], output: Path) -> subprocess.Popen[bytes]:
        with output.open("ab") as said:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=said, stderr=said)
        self._stack.callback(process.wait, 10)
        self._stack.callback(process.kill)
        return process

    def _client_postfix(self) -> Postfix:
        made = client_postfix(self.directory / "client", self._addresses)
        self._run(self._lab.client.command(*made.command), self.directory / "client.output")
        eventually(lambda: "daemon started" in made.log(), "the client's Postfix starts")
        return made

    def _mtas(self) -> dict[Client, dict[str, tuple[str, ...]]]:
        return {
            client: {
                address: make(self.directory / f"{client.name}-{address}", client.address, address)
                for address in self._addresses.values()
            }
            for client, make in ((EXIM, exim_client), (SENDMAIL, sendmail_client))
            if client in self._clients
        }

    def _ask_servers(self) -> None:
        versions = self.matrix.versions
        for server in self._servers:
            session = ("MAIL FROM:<a@example.org>\r\n", "QUIT\r\n")
            outcome = converse(self._lab.server, f"10.1.1.{SERVERS[server]}", session)
            self.matrix.ungreeted[server] = outcome.codes[1]
            greeting = outcome.replies[0].decode()
            found = VERSION.match(greeting)
            assert found, greeting
            versions[server] = found[1]
        for program in ("swaks", "curl"):
            said = subprocess.run([program, "--version"], check=True, capture_output=True)
            number = re.search(r"\d[\d.]+", said.stdout.decode())
            assert number, said
            versions[program] = f"{program} {number[0]}"
        versions["Python"] = f"Python {'.'.join(platform.python_version_tuple()[:2])}"

    def measure(self, row: Row) -> None:
        """Have every client send to every server through a firewall."""
        before = {server: path.stat().st_size for server, path in self._server_logs.items()}
        with self._firewall(row) as log, ThreadPoolExecutor(SIMULTANEOUS) as pool:
            futures = {
                (client, server): pool.submit(self._try, row, client, server)
                for client in self._clients
                for server in self._servers
            }
            said = {key: future.result() for key, future in futures.items()}
            eventually(lambda: all_ended(log.read_text()), f"{row.name}: all connections end")
            # It logs a session when that is over.
            eventually(
                lambda: self._since(before, "Postfix").count(": disconnect ") == len(self._clients),
                f"{row.name}: Postfix has logged every session",
            )
        lines: dict[str, Counter[str]] = {}
        for client in self._clients:
            texts = "\n".join(said[client, server] for server in self._servers)
            lines[client.name] = notable(client.telling, texts)
        for server in self._servers:
            text = self._since(before, server)
            lines[f"{server} (server)"] = notable(SERVER_TELLING[server], text)
        lines["firewall"] = notable(FIREWALL_TELLING, log.read_text())
        self.matrix.logs[row.name] = lines
        ends = {
            (str(each.client.address), str(each.server.address)): each
            for each in self._lab.client_tap.settle().conversations
        }
        for (client, server), text in said.items():
            key = row.name, client.name, server
            self._tries[key] = Try(
                ends[client.address, self._addresses[server]],
                bool(client.keeps and client.keeps.search(text)),
                ruled(row.release, client, self.matrix.ungreeted[server]),
            )

    def _since(self, before: dict[str, int], server: str) -> str:
        """What a server has logged since its log had a size."""
        return self._server_logs[server].read_bytes()[before[server] :].decode("latin-1")

    def _try(self, row: Row, client: Client, server: str) -> str:
        file = self.directory / "mail" / mark(row.name, client.name, server)
        file.write_bytes(mail(file.name))
        return self._send[client](
            Errand(
                self._lab.client,
                client,
                self._addresses[server],
                client.sender(server),
                file,
                self._certificate,
            )
        )

    @contextmanager
    def _firewall(self, row: Row) -> Iterator[Path]:
        """An appliance in the lab's place for one; yields its log."""
        name = f"firewall-{row.name}"
        rule_file, box_file, log = (
            self.directory / f"{name}.{kind}" for kind in ("conf", "yaml", "log")
        )
        rule_file.write_text(rules(row.rules))
        box = json.loads((self._lab.directory / "box.yaml").read_text())
        box_file.write_text(json.dumps(box | row.box))  # every JSON text is a YAML text
        command = (sys.executable, "-P", "-m", "appliance", "run")
        files = ("--config", str(rule_file), "--box", str(box_file))
        process = self._run(self._lab.router.command(*command, *files), log)
        eventually(lambda: "the firewall is up" in log.read_text(), f"{name} is up")
        yield log
        process.terminate()
        assert process.wait(20) == 0

    def collect(self) -> None:
        """Note what became of every mail."""
        expected = {key for key, each in self._tries.items() if not each.ruled.end}
        deadline = time.monotonic() + 10
        while expected - set(arrived := self._arrived()) and time.monotonic() < deadline:
            time.sleep(0.1)
        for key, each in self._tries.items():
            got = arrived.get(key, [])
            self.matrix.outcomes[key] = told(each.conversation, bool(got), each.kept)
            if got not in ([], [digest(mail(mark(*key)))]):
                self.matrix.damaged.append(f"{key}: {len(got)} of another content")

    def _arrived(self) -> dict[tuple[str, str, str], list[str]]:
        """The digests of the mails that the servers have."""
        marks = {mark(*key): key for key in self._tries}
        found: dict[tuple[str, str, str], list[str]] = {}
        for server, mailbox in self._mailboxes.items():
            for path in mailbox.glob("*"):
                content = path.read_bytes()
                subject = re.search(rb"^Subject: (.*?)\r?$", content, re.MULTILINE)
                assert subject, content
                key = marks[subject[1].decode()]
                assert key[2] == server, key
                found.setdefault(key, []).append(digest(content))
        return found


def all_ended(log: str) -> bool:
    """Whether a firewall's log has the end of each connection that began."""
    return log.count(": Built ") == log.count(": Teardown ")


@pytest.fixture(scope="module")
def matrix() -> Iterator[Matrix]:
    missing = [program for program in ("curl", "openssl") if not shutil.which(program)]
    if missing:
        pytest.skip(f"needs these programs, and Debian packages: {' '.join(missing)}")
    with ExitStack() as stack:
        # sendmail takes no key from a directory below one that everybody may write to.
        name = stack.enter_context(tempfile.TemporaryDirectory(prefix="pixguard-e2e-", dir="/run"))
        Path(name).chmod(0o755)
        site = Site(Path(name), Matrix(), stack)
        for row in ROWS:
            site.measure(row)
        site.collect()
        yield site.matrix


@pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.name)
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_the_rule_holds(matrix: Matrix, row: Row, client: Client) -> None:
    assert matrix.of(row.name, client) == {
        server: ruled(row.release, client, code) for server, code in matrix.ungreeted.items()
    }


def test_what_arrived_is_what_was_sent(matrix: Matrix) -> None:
    assert matrix.damaged == []


def test_both_kinds_of_server_took_part(matrix: Matrix) -> None:
    """One that takes mail from a client that has not said who it is, and one that does not."""
    if "Exim" in matrix.absent:
        pytest.skip(matrix.absent["Exim"])
    assert {"250", "503"} <= set(matrix.ungreeted.values())


@pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.name)
def test_the_page_has_the_outcomes(matrix: Matrix, client: Client) -> None:
    table = matrix.table(client)
    print(f"### {client.name}\n\n```text\n{table}```\n")
    assert f"### {client.name}\n\n```text\n{table}```\n" in matrix.on_page()


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_the_page_has_what_was_logged(matrix: Matrix, row: Row) -> None:
    table = log_table(matrix.logs[row.name])
    print(f"### {row.name}\n\n```text\n{table}```\n")
    assert f"### {row.name}\n\n```text\n{table}```\n" in matrix.on_page()


def test_every_release_is_of_a_kind_that_was_chosen() -> None:
    def kind(release: Release) -> tuple[object, ...]:
        return release.greeting, release.verbs, release.blocked

    chosen = {kind(row.release) for row in ROWS if row.release}
    assert {kind(release) for release in RELEASES.values()} <= chosen
