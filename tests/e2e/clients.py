"""Mail clients, each with an address of its own, by which the logs of all parties name it."""

from __future__ import annotations

import re
import smtplib
import ssl
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from appliance.lab.namespace import Namespace
from tests.e2e.postfix import Postfix
from tests.e2e.servers import CLIENT_HOST, HOST, PASSWORD, USER
from tests.waiting import eventually

PATIENCE = 20
"""Seconds that a client may take over a mail."""

RECIPIENT = f"bob@{HOST}"


class Extension(Enum):
    """A service extension, by its keyword."""

    AUTH = "AUTH"
    TLS = "STARTTLS"


@dataclass(frozen=True, slots=True)
class Client:
    """A mail client, told what to do about extensions.

    Args:
        name: its name.
        program: what it is, or a part of.
        number: the last byte of its address.
        telling: what to show of what it says.
        uses: what it uses where that is offered.
        insists: whether it sends nothing without it.
        falls_back: whether it says HELO where EHLO is refused.
        wary: whether it says HELO to a greeting that is blanks, `*`, `2` and `0`.
        keeps: how it says that it keeps a mail to try again, None if it never does.
    """

    name: str
    program: str
    number: int
    telling: re.Pattern[str]
    uses: Extension | None = None
    insists: bool = False
    falls_back: bool = True
    wary: bool = False
    keeps: re.Pattern[str] | None = None

    @property
    def address(self) -> str:
        """Its address."""
        return f"203.0.113.{self.number}"

    def sender(self, server: str) -> str:
        """From whom it sends to a server."""
        return f"{re.sub('[^a-z]+', '-', self.name.lower())}.{server.lower()}@example.org"


_POSTFIX = re.compile("enabling PIX workarounds: .*|status=(?:sent|.*)")
_EXIM = re.compile(r"SMTP<< 5\d\d|(?:=>|\*\*|==) bob@.*?(?= C=|$)", re.MULTILINE)
_SENDMAIL = re.compile(r"^5\d\d|^bob@\S+ Sent", re.MULTILINE)
_SWAKS = re.compile(r"^<\*\* \d+|^\*\*\* .*", re.MULTILINE)
_SMTPLIB = re.compile(".+")
_CURL = re.compile("^curl: .*", re.MULTILINE)

POSTFIX = Client(
    name="Postfix",
    program="Postfix",
    number=20,
    telling=_POSTFIX,
    uses=Extension.TLS,
    wary=True,
    keeps=re.compile("status=deferred"),
)
POSTFIX_TLS = Client(
    name="Postfix, TLS only",
    program="Postfix",
    number=21,
    telling=_POSTFIX,
    uses=Extension.TLS,
    insists=True,
    wary=True,
    keeps=POSTFIX.keeps,
)
"""The same Postfix by another service of it."""
EXIM = Client(
    name="Exim",
    program="Exim",
    number=22,
    telling=_EXIM,
    uses=Extension.TLS,
    keeps=re.compile("== bob@"),
)
SENDMAIL = Client(
    name="Sendmail",
    program="Sendmail",
    number=23,
    telling=_SENDMAIL,
    uses=Extension.TLS,
    keeps=re.compile(r"^bob@\S+ (?:Deferred|queued)", re.MULTILINE),
)
SWAKS = Client(name="swaks", program="swaks", number=24, telling=_SWAKS)
SWAKS_AUTH_OPTIONAL = Client(
    name="swaks, AUTH if offered",
    program="swaks",
    number=25,
    telling=_SWAKS,
    uses=Extension.AUTH,
)
SWAKS_AUTH = Client(
    name="swaks, AUTH only",
    program="swaks",
    number=26,
    telling=_SWAKS,
    uses=Extension.AUTH,
    insists=True,
)
SWAKS_TLS = Client(
    name="swaks, TLS only",
    program="swaks",
    number=32,
    telling=_SWAKS,
    uses=Extension.TLS,
    insists=True,
)
SMTPLIB = Client(name="smtplib", program="Python", number=27, telling=_SMTPLIB)
SMTPLIB_LOGIN = Client(
    name="smtplib, login",
    program="Python",
    number=28,
    telling=_SMTPLIB,
    uses=Extension.AUTH,
    insists=True,
)
SMTPLIB_STARTTLS = Client(
    name="smtplib, starttls",
    program="Python",
    number=29,
    telling=_SMTPLIB,
    uses=Extension.TLS,
    insists=True,
)
CURL = Client(name="curl", program="curl", number=30, telling=_CURL)
CURL_TLS = Client(
    name="curl, TLS only",
    program="curl",
    number=31,
    telling=_CURL,
    uses=Extension.TLS,
    insists=True,
    falls_back=False,
)

CLIENTS = (
    *(POSTFIX, POSTFIX_TLS, EXIM, SENDMAIL),
    *(SWAKS, SWAKS_AUTH_OPTIONAL, SWAKS_AUTH, SWAKS_TLS),
    *(SMTPLIB, SMTPLIB_LOGIN, SMTPLIB_STARTTLS),
    *(CURL, CURL_TLS),
)


@dataclass(frozen=True, slots=True)
class Errand:
    """A mail to send.

    Args:
        namespace: where the client runs.
        client: who sends it.
        server: the server's address, as the client knows it.
        sender: from whom.
        mail: the file that has it, with line ends of the network.
        certificate: a PEM file with the server's certificate.
    """

    namespace: Namespace
    client: Client
    server: str
    sender: str
    mail: Path
    certificate: Path

    def run(self, *command: str, mail: bytes = b"") -> str:
        """Run a command where the client is.

        Args:
            command: the command.
            mail: its standard input.

        Returns:
            what it said.
        """
        done = subprocess.run(
            self.namespace.command(*command),
            check=False,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=PATIENCE,
            input=mail,
        )
        return done.stdout.decode("latin-1")


Send = Callable[[Errand], str]
"""Has a client send a mail, and returns what the client said."""


def senders(
    instance: Postfix, mtas: Mapping[Client, Mapping[str, tuple[str, ...]]]
) -> dict[Client, Send]:
    """How each client sends.

    Args:
        instance: the Postfix that `client_postfix` made.
        mtas: the commands of Exim and sendmail, by the address of the server to relay to.
    """
    by_name = ("--auth-user", USER, "--auth-password", PASSWORD)
    return {
        POSTFIX: _postfix(instance),
        POSTFIX_TLS: _postfix(instance),
        **{client: _mta(commands) for client, commands in mtas.items()},
        SWAKS: _swaks(),
        SWAKS_AUTH_OPTIONAL: _swaks("--auth-optional", "PLAIN", *by_name),
        SWAKS_AUTH: _swaks("--auth", "PLAIN", *by_name),
        SWAKS_TLS: _swaks("--tls"),
        SMTPLIB: _smtplib(lambda session, errand: None),
        SMTPLIB_LOGIN: _smtplib(lambda session, errand: session.login(USER, PASSWORD)),
        SMTPLIB_STARTTLS: _smtplib(_start_tls),
        CURL: _curl(),
        CURL_TLS: _curl("--ssl-reqd"),
    }


def client_postfix(directory: Path, servers: Mapping[str, str]) -> Postfix:
    """A Postfix that takes mail at 127.0.0.1 and relays it to a server by its sender.

    Args:
        directory: where to put it, not there yet.
        servers: the servers' addresses, by name.
    """
    levels = {POSTFIX: "may", POSTFIX_TLS: "encrypt"}
    relays = ", ".join(
        f"{{{client.sender(server)}={level}:[{address}]}}"
        for client, level in levels.items()
        for server, address in servers.items()
    )
    return Postfix(
        directory,
        {
            "myhostname": CLIENT_HOST,
            "inet_interfaces": "127.0.0.1",
            "virtual_mailbox_domains": "example.org",
            "sender_dependent_default_transport_maps": f"inline:{{{relays}}}",
            # A server that one mail could not be sent to is tried with the next all the same.
            "default_destination_concurrency_failed_cohort_limit": "0",
        },
        "".join(
            f"{level} unix - - n - - smtp"
            f" -o smtp_tls_security_level={level} -o smtp_bind_address={client.address}\n"
            for client, level in levels.items()
        ),
    )


_DONE = re.compile("removed$|status=deferred", re.MULTILINE)


def _postfix(instance: Postfix) -> Send:
    def hand_in(errand: Errand) -> str:
        with smtplib.SMTP("127.0.0.1", timeout=PATIENCE) as session:
            session.ehlo_or_helo_if_needed()
            session.mail(errand.sender)
            session.rcpt(RECIPIENT)
            code, reply = session.data(errand.mail.read_bytes())
        assert code == 250, reply
        return reply.decode().split()[-1]

    def send(errand: Errand) -> str:
        number = errand.namespace.call(hand_in, errand)

        def said() -> str:
            lines = instance.log().splitlines(keepends=True)
            return "".join(line for line in lines if f" {number}: " in line)

        eventually(lambda: _DONE.search(said()), f"{number} is done with", PATIENCE)
        return said()

    return send


def _mta(commands: Mapping[str, tuple[str, ...]]) -> Send:
    def send(errand: Errand) -> str:
        mail = errand.mail.read_bytes().replace(b"\r\n", b"\n")
        return errand.run(*commands[errand.server], "-f", errand.sender, RECIPIENT, mail=mail)

    return send


def _swaks(*options: str) -> Send:
    def send(errand: Errand) -> str:
        return errand.run(
            *("swaks", "--server", errand.server, "--local-interface", errand.client.address),
            *("--ehlo", CLIENT_HOST, "--from", errand.sender, "--to", RECIPIENT, "--data", "-"),
            *options,
            mail=errand.mail.read_bytes().removesuffix(b"\r\n"),  # swaks adds one
        )

    return send


def _smtplib(prepare: Callable[[smtplib.SMTP, Errand], object]) -> Send:
    def talk(errand: Errand) -> None:
        source = (errand.client.address, 0)
        with smtplib.SMTP(errand.server, 25, CLIENT_HOST, PATIENCE, source) as session:
            prepare(session, errand)
            session.sendmail(errand.sender, [RECIPIENT], errand.mail.read_bytes())

    def send(errand: Errand) -> str:
        try:
            errand.namespace.call(talk, errand)
        except (OSError, smtplib.SMTPException) as error:
            return f"{type(error).__name__}: {error}"
        return ""

    return send


def _start_tls(session: smtplib.SMTP, errand: Errand) -> None:
    session.starttls(context=ssl.create_default_context(cafile=str(errand.certificate)))


def _curl(*options: str) -> Send:
    def send(errand: Errand) -> str:
        return errand.run(
            *("curl", "--silent", "--show-error", "--interface", errand.client.address),
            *("--cacert", str(errand.certificate), "--upload-file", str(errand.mail)),
            *("--mail-from", errand.sender, "--mail-rcpt", RECIPIENT),
            *options,
            f"smtp://{errand.server}/{CLIENT_HOST}",
        )

    return send
