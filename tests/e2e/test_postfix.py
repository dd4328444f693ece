"""Mail between two Postfix servers through the firewall, and from swaks."""

from __future__ import annotations

import hashlib
import os
import re
import smtplib
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from appliance.lab.lab import Lab
from appliance.lab.namespace import Namespace
from appliance.lab.topology import SERVER, SERVER_MAPPED
from tests.e2e.postfix import Postfix
from tests.waiting import eventually

RULES = Path(__file__).parents[2] / "rules" / "pix-6.3.conf"

OUTSIDE_SERVER = "203.0.113.20"
"""Where the outside Postfix listens: on the client's address the lab has a server of its own."""

BANNER = "220 mail.acme.com ESMTP Postfix 2.0.20 (release 20040102)\r\n"
MASKED = "220 ****************************2*0*20 *********200*0*02*\r\n"
OUTSIDE_BANNER = "220 mx.example.org ESMTP Postfix\r\n"
OUTSIDE_MASKED = "220 ****************************\r\n"


@dataclass(frozen=True, slots=True)
class Site:
    """A Postfix on either side of the firewall.

    Args:
        lab: the lab they stand in.
        outside: the one at the client.
        inside: the server's.
    """

    lab: Lab
    outside: Postfix
    inside: Postfix


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with tempfile.TemporaryDirectory(prefix="pixguard-e2e-") as name:
        directory = Path(name)
        directory.chmod(0o755)
        inside = Postfix(
            directory / "inside",
            {
                "myhostname": "mail.acme.com",
                "smtpd_banner": BANNER[4:].strip(),
                "inet_interfaces": f"{SERVER}, 127.0.0.1",
                "virtual_mailbox_domains": "acme.com",
                "relayhost": f"[{OUTSIDE_SERVER}]",
            },
        )
        outside = Postfix(
            directory / "outside",
            {
                "myhostname": "mx.example.org",
                "smtpd_banner": OUTSIDE_BANNER[4:].strip(),
                "inet_interfaces": f"{OUTSIDE_SERVER}, 127.0.0.1",
                "virtual_mailbox_domains": "example.org",
                "relayhost": f"[{SERVER_MAPPED}]",
                "smtp_bind_address": OUTSIDE_SERVER,
                # So that the second workaround is met with at once, and takes no 10 s.
                "smtp_pix_workaround_threshold_time": "0s",
                "smtp_pix_workaround_delay_time": "1s",
            },
        )
        with Lab(RULES, prefix=f"pxe{os.getpid()}", server=inside.command) as lab:
            lab.client.ip("address", "add", f"{OUTSIDE_SERVER}/24", "dev", "eth0")
            process = subprocess.Popen(
                lab.client.command(*outside.command),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            try:
                eventually(lambda: "daemon started" in outside.log(), "the outside Postfix starts")
                yield Site(lab, outside, inside)
            finally:
                lab.close()  # kills what runs in the namespaces
                process.wait(10)


def message(sender: str, recipient: str, name: str, lines: list[str]) -> bytes:
    """A mail that nobody has to add a header to."""
    head = [
        f"From: {sender}",
        f"To: {recipient}",
        f"Subject: {name}",
        "Date: Thu, 4 Apr 2002 14:33:27 -0700",
        f"Message-ID: <{name}@example.org>",
        "",
    ]
    return "".join(f"{line}\r\n" for line in head + lines).encode()


def submit(namespace: Namespace, sender: str, recipient: str, content: bytes) -> None:
    """Hand a mail to the Postfix in a namespace, which has to relay it."""

    def hand_in() -> None:
        with smtplib.SMTP("127.0.0.1", timeout=20) as connection:
            assert connection.sendmail(sender, [recipient], content) == {}

    namespace.call(hand_in)


def arrived(postfix: Postfix, name: str, patience: float = 20) -> bytes:
    """A mail as it was delivered, its line ends those of the network."""
    mark = f"\nMessage-ID: <{name}@example.org>\n".encode()
    eventually(lambda: postfix.delivered(mark), f"mail {name} arrives", patience)
    (path,) = postfix.delivered(mark)
    return path.read_bytes().replace(b"\n", b"\r\n")


def assert_whole(delivered: bytes, sent: bytes) -> None:
    """Compare what was delivered, but for the headers put in front, with what was sent."""
    assert len(delivered) > len(sent)
    assert hashlib.sha256(delivered[-len(sent) :]).digest() == hashlib.sha256(sent).digest()


def queue_id(log: str, name: str) -> str:
    """The number that a Postfix gave to a mail."""
    found = re.search(rf"cleanup\[\d+\]: (\w+): message-id=<{name}@example\.org>", log)
    assert found, log
    return found[1]


TRICKY = [
    "VRFY in a mail is no command, and EHLO is none either:",
    "EHLO mx.example.org",
    ".",
    "..",
    ".QUIT",
    "RCPT TO:<someone|else@acme.com>",
    "220 2002 2.0 a greeting in a mail is none",
    *("x" * length for length in range(900, 990, 7)),
    "",
    "",
]


def test_postfix_meets_a_pix_and_the_mail_arrives_whole(site: Site) -> None:
    content = message("alice@example.org", "bob@acme.com", "inward", TRICKY)
    submit(site.lab.client, "alice@example.org", "bob@acme.com", content)
    assert_whole(arrived(site.inside, "inward"), content)
    log = site.outside.log()
    number = queue_id(log, "inward")
    assert (
        f"{number}: enabling PIX workarounds: disable_esmtp delay_dotcrlf "
        f"for {SERVER_MAPPED}[{SERVER_MAPPED}]:25"
    ) in log
    assert re.search(rf"{number}: to=<bob@acme\.com>, .*status=sent", log)
    assert (
        f"disconnect from unknown[{OUTSIDE_SERVER}] helo=1 mail=1 rcpt=1 data=1 quit=1"
    ) in site.inside.log()


def test_an_inside_postfix_meets_one_too(site: Site) -> None:
    content = message("bob@acme.com", "alice@example.org", "outward", TRICKY)
    submit(site.lab.server, "bob@acme.com", "alice@example.org", content)
    assert_whole(arrived(site.outside, "outward"), content)
    log = site.inside.log()
    # Alone: the other workaround is for mail that has waited, 500 s if nothing else is said.
    assert (
        f"{queue_id(log, 'outward')}: enabling PIX workarounds: disable_esmtp "
        f"for {OUTSIDE_SERVER}[{OUTSIDE_SERVER}]:25"
    ) in log


def test_the_greetings_are_those_of_a_pix(site: Site) -> None:
    for namespace, address, greeting in (
        (site.lab.client, SERVER_MAPPED, MASKED),
        (site.lab.server, OUTSIDE_SERVER, OUTSIDE_MASKED),
        (site.lab.server, SERVER, BANNER),
    ):
        with namespace.connection(10) as connection:
            connection.connect((address, 25))
            assert connection.recv(1000).decode() == greeting


def test_thirty_megabytes_arrive_whole(site: Site) -> None:
    lines = [hashlib.sha256(b"%d" % number).hexdigest() for number in range(470_000)]
    content = message("alice@example.org", "bob@acme.com", "large", lines)
    assert len(content) > 30_000_000
    submit(site.lab.client, "alice@example.org", "bob@acme.com", content)
    assert_whole(arrived(site.inside, "large", patience=60), content)


def test_swaks_is_refused_ehlo_and_says_helo(site: Site) -> None:
    content = message("carol@example.org", "bob@acme.com", "swaks", TRICKY)
    data = site.lab.directory / "swaks.eml"
    data.write_bytes(content.removesuffix(b"\r\n"))  # swaks adds one
    done = subprocess.run(
        site.lab.client.command(
            *("swaks", "--server", SERVER_MAPPED, "--ehlo", "client.example.org"),
            *("--from", "carol@example.org", "--to", "bob@acme.com", "--data", f"@{data}"),
        ),
        check=False,
        capture_output=True,
        text=True,
        timeout=30,
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    said = re.sub(r"^<\*\* 50[02]", "<** 50x", done.stdout, flags=re.MULTILINE)  # by version
    assert said.splitlines()[2:8] == [
        f"<-  {MASKED.strip()}",
        " -> EHLO client.example.org",
        "<** 50x 5.5.2 Error: command not recognized",
        " -> HELO client.example.org",
        "<-  250 mail.acme.com",
        " -> MAIL FROM:<carol@example.org>",
    ]
    assert_whole(arrived(site.inside, "swaks"), content)
    seen = site.lab.server_tap.settle().conversations[-1]
    assert seen.to_server.data.startswith(
        b"XXXX client.example.org\r\nHELO client.example.org\r\nMAIL FROM:"
    )
