"""The article's symptoms of attachments and of bodies that are not plain ASCII, by real Postfix."""

from __future__ import annotations

import smtplib
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from appliance.lab.namespace import Namespace
from appliance.lab.topology import SERVER, SERVER_MAPPED
from tests.e2e.postfix import Postfix
from tests.kb320027.site import Site, needs, site
from tests.waiting import eventually

pytestmark = needs("postfix")

ALICE, BOB = "alice@example.org", "bob@acme.com"

ATTACHMENT = "Größe;Preis\r\nZwölf;3,50 €\r\n".encode()


def message(recipient: str, name: str) -> bytes:
    """A mail with an attachment that is sent as it is, each byte of 8 bits."""
    head = [
        f"From: {ALICE}",
        f"To: {recipient}",
        "Subject: Prices",
        "Date: Thu, 4 Apr 2002 14:33:27 -0700",
        f"Message-ID: <{name}@example.org>",
        "MIME-Version: 1.0",
        'Content-Type: multipart/mixed; boundary="next"',
        "",
        "--next",
        "",
        "EHLO, here are the prices.",
        "--next",
        "Content-Type: text/csv; charset=utf-8",
        'Content-Disposition: attachment; filename="prices.csv"',
        "Content-Transfer-Encoding: 8bit",
        "",
        "",
    ]
    return "\r\n".join(head).encode() + ATTACHMENT + b"--next--\r\n"


@dataclass(frozen=True, slots=True)
class Mailers:
    """A Postfix outside that sends to a Postfix inside.

    Args:
        here: where they stand; each test puts in the firewall that it is about.
        outside: the one at the client.
        inside: the one at the server.
    """

    here: Site
    outside: Postfix
    inside: Postfix

    def submit(self, recipient: str, content: bytes, options: Sequence[str]) -> None:
        """Hand a mail to the outside one, which has to relay it."""

        def hand_in() -> None:
            with smtplib.SMTP("127.0.0.1", 25, "localhost", timeout=20) as connection:
                assert connection.sendmail(ALICE, [recipient], content, options) == {}

        self.here.lab.client.call(hand_in)


@pytest.fixture(scope="module")
def mailers() -> Iterator[Mailers]:
    """Both of them, and a firewall between; a Postfix takes its time to start."""
    with tempfile.TemporaryDirectory(prefix="pixguard-kb-") as name:
        directory = Path(name)
        directory.chmod(0o755)
        inside = Postfix(
            directory / "inside",
            {
                "myhostname": "mail.acme.com",
                "inet_interfaces": f"{SERVER}, 127.0.0.1",
                "virtual_mailbox_domains": "acme.com",
            },
        )
        outside = Postfix(
            directory / "outside",
            {
                "myhostname": "mx.example.org",
                "inet_interfaces": "127.0.0.1",
                "virtual_mailbox_domains": "example.org",
                "relayhost": f"[{SERVER_MAPPED}]",
            },
        )
        with site("6.3", server=inside.command) as here:
            process = subprocess.Popen(
                here.lab.client.command(*outside.command),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            try:
                eventually(lambda: "daemon started" in outside.log(), "the outside Postfix starts")
                yield Mailers(here, outside, inside)
            finally:
                here.lab.close()  # kills what runs in the namespaces
                process.wait(10)


def arrived(postfix: Postfix, text: str) -> bytes:
    """The mail with a text near its beginning, its line ends those of the network."""
    mark = text.encode()
    eventually(lambda: postfix.delivered(mark), f"a mail with {text} arrives")
    (path,) = postfix.delivered(mark)
    return path.read_bytes().replace(b"\n", b"\r\n")


def test_an_attachment_does_not_arrive_as_it_was_sent(mailers: Mailers) -> None:
    """8BITMIME is lost with EHLO, so the sender has to recode: a signature over it breaks.

    Exchange, which could not recode, gave the mail back with `554 5.6.1`; what is missing is said
    in test_sending.py.
    """
    eight_bit = ["BODY=8BITMIME"]
    mailers.here.put_in("6.3")
    content = message(BOB, "recoded")
    mailers.submit(BOB, content, eight_bit)
    mail = arrived(mailers.inside, "Message-ID: <recoded@example.org>")
    assert not mail.endswith(content)
    assert ATTACHMENT not in mail
    assert b"Content-Transfer-Encoding: quoted-printable\r\n" in mail
    assert b"3,50 =E2=82=AC\r\n" in mail
    mailers.here.switch_mailguard_off()
    content = message(BOB, "whole")
    mailers.submit(BOB, content, eight_bit)
    assert arrived(mailers.inside, "Message-ID: <whole@example.org>").endswith(content)


def test_a_mail_that_needs_an_extension_is_given_back(mailers: Mailers) -> None:
    """A real sender's non-delivery report for an extension that the firewall has hidden.

    It is SMTPUTF8, `5.6.7`: a later extension than the article's, as no free sender gives back a
    mail for want of 8BITMIME (`554 5.6.1`).
    """
    recipient = "größe@acme.com"
    options = ["SMTPUTF8", "BODY=8BITMIME"]
    mailers.here.put_in("6.3")
    mailers.submit(recipient, message(recipient, "returned"), options)
    report = arrived(mailers.outside, "Subject: Undelivered Mail Returned to Sender")
    assert b"Status: 5.6.7\r\n" in report
    assert b"SMTPUTF8 is required" in report.replace(b"\r\n    ", b" ")
    mailers.here.switch_mailguard_off()
    mailers.submit(recipient, message(recipient, "passed"), options)
    arrived(mailers.inside, "Message-ID: <passed@example.org>")


def send_in_chunks(client: Namespace, content: bytes) -> tuple[bytes, bytes]:
    """Send a mail by BDAT; the reply to EHLO, and the reply to BDAT."""
    with client.connection(10) as connection, connection.makefile("rb") as replies:
        connection.connect((SERVER_MAPPED, 25))

        def reply() -> bytes:
            lines = b""
            while True:
                line = replies.readline()
                assert line, f"the server closed the connection after {lines!r}"
                lines += line
                if line[3:4] != b"-":
                    return lines

        def say(data: bytes) -> bytes:
            connection.sendall(data)
            return reply()

        reply()
        offer = say(b"EHLO client.example.org\r\n")
        assert say(f"MAIL FROM:<{ALICE}> BODY=8BITMIME\r\n".encode()).startswith(b"250 ")
        assert say(f"RCPT TO:<{BOB}>\r\n".encode()).startswith(b"250 ")
        return offer, say(b"BDAT %d LAST\r\n" % len(content) + content)


def test_an_attachment_sent_in_chunks_is_garbled(mailers: Mailers) -> None:
    """BDAT is blocked, so the mail behind it is read as commands, and its words are masked.

    A sender that honours the reply to EHLO does not try: CHUNKING is masked there.
    """
    mailers.here.put_in("8.4")
    content = message(BOB, "chunks")
    offer, refusal = send_in_chunks(mailers.here.lab.client, content)
    assert b"CHUNKING" not in offer
    assert b"250-8BITMIME\r\n" in offer
    assert refusal.startswith(b"5")
    heard = mailers.here.server_heard()
    assert b"\r\nXXXX %d LAST\r\nXXXXX %b\r\n" % (len(content), ALICE.encode()) in heard
    assert content[:100] not in heard
    assert not mailers.inside.delivered(b"Message-ID: <chunks@example.org>")
    mailers.here.switch_mailguard_off()
    offer, taken = send_in_chunks(mailers.here.lab.client, content)
    assert b"CHUNKING\r\n" in offer
    assert taken.startswith(b"250 ")
    assert arrived(mailers.inside, "Message-ID: <chunks@example.org>").endswith(content)
