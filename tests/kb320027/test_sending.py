"""The article's symptoms of mail that does not come, is refused, or comes again and again."""

from __future__ import annotations

import smtplib
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from appliance.lab.namespace import Namespace
from appliance.lab.sessions import INWARD, OUTWARD, Mail, converse
from appliance.lab.topology import CLIENT, SERVER_MAPPED
from tests.kb320027.exchange import PASSWORD, RELAYING_DENIED, TWO_LINE_GREETING, USER
from tests.kb320027.site import Site, exchange, needs, site, smtp_session
from tests.waiting import eventually

OUTSIDE_SERVER = "203.0.113.20"
"""Where a server of the tests' own listens: on the client's address the lab has one."""


def send(connection: smtplib.SMTP) -> None:
    connection.sendmail(INWARD.sender, [INWARD.recipient], INWARD.content)


def test_no_mail_comes_from_who_believes_the_ok() -> None:
    """The server never heard a greeting from the client, so it takes no mail from it.

    A client that says HELO all the same is served, in the same connection.
    """
    ehlo = "EHLO client.example.com\r\n"
    with site("4.0") as here:
        with pytest.raises(smtplib.SMTPSenderRefused) as refused:
            here.session(send)
        assert (refused.value.smtp_code, here.delivered()) == (503, [])
        _, mail_from, *_ = INWARD.session
        outcome = converse(here.lab.client, SERVER_MAPPED, (ehlo, mail_from, *INWARD.session))
        assert outcome.failure == ""
        assert outcome.codes == ("220", "250", "503", "250", "250", "250", "354", "250", "221")
        here.switch_mailguard_off()
        here.session(send)
        mails = here.delivered()
        assert len(mails) == 2
        assert all(mail.endswith(INWARD.content.encode()) for mail in mails)


def test_no_internet_mail_is_received_where_the_greeting_has_two_lines() -> None:
    """4.4 masks the code of the second line: no client can tell that the greeting is over."""
    with site("4.4", options=[TWO_LINE_GREETING]) as here:
        with pytest.raises(smtplib.SMTPConnectError):
            here.session(send)
        assert here.delivered() == []
        here.switch_mailguard_off()
        here.session(send)
        assert len(here.delivered()) == 1


@contextmanager
def second_domain(here: Site, spool: Path) -> Iterator[None]:
    """Another domain's server outside, whose greeting has two lines."""
    client = here.lab.client
    client.ip("address", "add", f"{OUTSIDE_SERVER}/24", "dev", "eth0")
    command = exchange(OUTSIDE_SERVER, spool, TWO_LINE_GREETING)
    process = subprocess.Popen(client.command(*command))
    try:
        eventually(lambda: is_open(client, OUTSIDE_SERVER), "the second domain's server is up")
        yield
    finally:
        process.terminate()
        process.wait(10)


def is_open(namespace: Namespace, address: str) -> bool:
    with namespace.connection(1) as connection:
        return connection.connect_ex((address, 25)) == 0


def test_certain_domains_cannot_be_sent_to(tmp_path: Path) -> None:
    """Those whose server greets with two lines; one line arrives masked, and does no harm."""

    def send_to_first(connection: smtplib.SMTP) -> None:
        connection.sendmail(OUTWARD.sender, [OUTWARD.recipient], OUTWARD.content)

    with site("4.4") as here, second_domain(here, tmp_path):
        inside = here.lab.server
        smtp_session(inside, CLIENT, send_to_first)
        assert len(list(here.lab.client_spool.glob("*.eml"))) == 1
        with pytest.raises(smtplib.SMTPConnectError):
            smtp_session(inside, OUTSIDE_SERVER, send)
        assert list(tmp_path.glob("*.eml")) == []
        here.switch_mailguard_off()
        smtp_session(inside, OUTSIDE_SERVER, send)
        assert len(list(tmp_path.glob("*.eml"))) == 1


def swaks(here: Site) -> subprocess.CompletedProcess[str]:
    """A user on the road sends to another domain, and logs on where the server offers it."""
    return subprocess.run(
        here.lab.client.command(
            *("swaks", "--server", SERVER_MAPPED, "--ehlo", "client.example.com"),
            *("--from", "bob@acme.com", "--to", "alice@example.com"),
            *("--auth-optional", "LOGIN", "--auth-user", USER, "--auth-password", PASSWORD),
        ),
        check=False,
        capture_output=True,
        text=True,
        timeout=30,
        stdin=subprocess.DEVNULL,
    )


@needs("swaks")
def test_a_user_who_could_log_on_is_refused_as_a_relay() -> None:
    """AUTH is in the reply to EHLO, which nobody gets: the server sees a stranger that relays.

    This is the article's `550 5.7.1`. Outlook's own number for it, 0x800CCC79 (a recipient was
    refused), is missing: Outlook is no free software.
    """
    with site("6.3") as here:
        done = swaks(here)
        assert f"<** {RELAYING_DENIED}\n" in done.stdout
        assert "AUTH LOGIN" not in done.stdout
        assert (done.returncode, here.delivered()) == (24, [])  # 24: a recipient was refused
        here.switch_mailguard_off()
        done = swaks(here)
        assert " -> AUTH LOGIN\n" in done.stdout
        assert "<-  235 " in done.stdout
        assert done.returncode == 0
        assert len(here.delivered()) == 1


def test_a_mail_declared_as_eight_bit_is_refused() -> None:
    """Without EHLO there is no 8BITMIME: a sender may not declare it, and one that does is refused.

    The article's NDR, `554 5.6.1 Body type not supported by Remote Host`, is Exchange's own way to
    give such a mail back; it is missing, since no free software has it.
    test_attachments.py shows what Postfix does in its place.
    """

    def declare(connection: smtplib.SMTP) -> tuple[bool, int]:
        connection.ehlo_or_helo_if_needed()
        code, _ = connection.docmd("MAIL", "FROM:<alice@example.com> BODY=8BITMIME")
        return connection.has_extn("8bitmime"), code

    with site("6.3") as here:
        assert here.session(declare) == (False, 501)
        here.switch_mailguard_off()
        assert here.session(declare) == (True, 250)


def send_split(namespace: Namespace, address: str, mail: Mail, patience: float) -> bytes:
    """Send a mail whose final CRLF comes in a packet of its own; the reply to it, b"" if none."""
    *commands, content, _ = mail.session
    with namespace.connection(patience) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.connect((address, 25))
        connection.recv(1000)
        for command in commands:
            connection.sendall(command.encode())
            connection.recv(1000)
        for packet in (content[:-2], content[-2:]):
            connection.sendall(packet.encode())
            time.sleep(0.1)
        try:
            return connection.recv(1000)
        except TimeoutError:
            return b""


ATTEMPTS = 3


@pytest.mark.parametrize("sent", [True, False], ids=["sent", "received"])
def test_a_mail_is_sent_again_and_again(sent: bool) -> None:
    """With the fault of old releases a mail cut behind its dot never ends: the sender keeps it.

    Each attempt carries all of it through the firewall, and is a duplicate at a receiver that
    keeps a mail whose end has not come. Such a receiver is missing: a server that holds to the
    standard, as this one, throws it away, so copies are counted where they reach it.
    """
    with site("5.1", bugs=["split-terminator"]) as here:
        lab = here.lab
        if sent:
            sender, address, mail, tap = lab.server, CLIENT, OUTWARD, lab.client_tap
        else:
            sender, address, mail, tap = lab.client, SERVER_MAPPED, INWARD, lab.server_tap
        spool = lab.client_spool if sent else here.mail

        def copies() -> tuple[int, int]:
            """How many copies reached the server, and how many of them it has."""
            subject = next(each for each in mail.content.splitlines() if "Subject" in each)
            heard = [each.to_server.data for each in tap.settle().conversations]
            reached = [each for each in heard if f"\r\n{subject}\r\n".encode() in each]
            return len(reached), len(list(spool.glob("*.eml")))

        assert converse(sender, address, mail.session).failure == ""
        assert copies() == (1, 1)
        for _ in range(ATTEMPTS):
            assert send_split(sender, address, mail, patience=0.5) == b""
        assert copies() == (1 + ATTEMPTS, 1)
        here.switch_mailguard_off()
        assert send_split(sender, address, mail, patience=10).startswith(b"250 ")
        assert copies() == (1 + ATTEMPTS + 1, 2)
