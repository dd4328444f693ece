"""The article's symptoms that one command shows, and its own test of Mailguard."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.lab.lab import HOST
from appliance.lab.namespace import Namespace
from appliance.lab.sessions import converse
from appliance.lab.topology import SERVER_MAPPED
from tests.kb320027.exchange import EXTENSIONS
from tests.kb320027.site import Site, site

NAME = "client.example.com"
EHLO = f"EHLO {NAME}\r\n"
GOODMORNING = "goodmorning\r\n"

GREETING = (
    b"220 mail.acme.com Microsoft ESMTP MAIL Service, Version: 5.0.2195.4905 ready at  "
    b"Thu, 4 Apr 2002 14:33:27 -0700\r\n"
)
STARS = (
    b"220 *******************************************************0*2******0**********************"
    b"*2002*******2***0*00\r\n"
)
CMAP = b"220 SMTP/cmap ready" + b"_" * (len(GREETING) - 21) + b"\r\n"

UNRECOGNIZED = b'500 Error: command "%b" not recognized\r\n'


@pytest.fixture(scope="module")
def here() -> Iterator[Site]:
    """A site that all share; each test puts in the firewall that it is about."""
    with site("6.3") as made:
        yield made


def say(here: Site, *lines: str) -> tuple[bytes, ...]:
    """The greeting, and the reply to each line."""
    outcome = converse(here.lab.client, SERVER_MAPPED, lines)
    assert not outcome.failure
    return outcome.replies


@pytest.mark.parametrize("release", ["4.0", "4.1"])
def test_ehlo_is_answered_ok(here: Site, release: str) -> None:
    """The firewall says OK itself, and the server does not hear of it."""
    here.put_in(release)
    assert say(here, EHLO)[1] == b"250 OK\r\n"
    assert here.server_heard() == b""
    here.switch_mailguard_off()
    assert say(here, EHLO)[1].startswith(b"250-" + HOST.encode() + b"\r\n250-SIZE ")
    assert here.server_heard() == EHLO.encode()


def test_ehlo_is_answered_command_unrecognized(here: Site) -> None:
    """The server says it, of the X that reached it."""
    here.put_in("6.3")
    assert say(here, EHLO)[1] == UNRECOGNIZED % b"XXXX"
    assert here.server_heard() == f"XXXX {NAME}\r\n".encode()
    here.switch_mailguard_off()
    assert say(here, EHLO)[1].startswith(b"250-" + HOST.encode() + b"\r\n250-SIZE ")


@pytest.mark.parametrize(
    ("release", "greeting", "reply", "heard"),
    [
        ("4.0", CMAP, b"250 OK\r\n", b""),
        ("6.3", STARS, UNRECOGNIZED % b"XXXXXXXXXXX", b"XXXXXXXXXXX\r\n"),
    ],
)
def test_the_articles_own_test(
    here: Site, release: str, greeting: bytes, reply: bytes, heard: bytes
) -> None:
    """`goodmorning`, and the greeting, with Mailguard on and off."""
    here.put_in(release)
    assert say(here, GOODMORNING) == (greeting, reply)
    assert here.server_heard() == heard
    here.switch_mailguard_off()
    assert say(here, GOODMORNING) == (GREETING, UNRECOGNIZED % b"GOODMORNING")
    assert here.server_heard() == GOODMORNING.encode()


def send_each_key_alone(client: Namespace) -> None:
    """Have the client's TCP repeat a segment as it was sent, as the TCP of that time did.

    Linux puts what has been typed since into the segment that it repeats, so the verb would come
    whole after all.
    """
    client.call(lambda: Path("/proc/sys/net/ipv4/tcp_retrans_collapse").write_text("0"))


def typed(client: Namespace, line: str, patience: float = 10) -> bytes:
    """The reply to a line typed into a telnet in character mode; b"" if none comes in time."""
    with client.connection(patience) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.connect((SERVER_MAPPED, 25))
        connection.recv(1000)
        for key in line.encode():
            connection.sendall(bytes((key,)))
            time.sleep(0.01)
        try:
            return connection.recv(1000)
        except TimeoutError:
            return b""


def test_telnet_in_character_mode_hangs(here: Site) -> None:
    """6.3 discards the first key, and again each time it is repeated; whole lines work."""
    helo = f"HELO {NAME}\r\n"
    here.put_in("6.3")
    send_each_key_alone(here.lab.client)
    assert typed(here.lab.client, helo, patience=1.5) == b""
    assert here.server_heard() == b""
    assert say(here, helo)[1] == f"250 {HOST}\r\n".encode()
    here.switch_mailguard_off()
    assert typed(here.lab.client, helo) == f"250 {HOST}\r\n".encode()


def test_telnet_in_character_mode_is_not_understood(here: Site) -> None:
    """7.0 lets the keys pass and masks the verb, which it has not seen whole."""
    helo = f"HELO {NAME}\r\n"
    here.put_in("7.0")
    assert typed(here.lab.client, helo) == UNRECOGNIZED % b"XXXX"
    assert here.server_heard() == f"XXXX {NAME}\r\n".encode()
    here.switch_mailguard_off()
    assert typed(here.lab.client, helo) == f"250 {HOST}\r\n".encode()


@pytest.mark.parametrize("release", ["6.3", "8.4"])
def test_link_state_and_the_routing_group_connectors_log_on_are_blocked(
    here: Site, release: str
) -> None:
    """X-LINK2STATE carries link state between routing groups, X-EXPS GSSAPI their log-on.

    Two Exchange servers are missing: there is no free software that speaks these extensions, so
    what is tried is whether their keywords and verbs pass.
    """
    verbs = ("X-LINK2STATE LAST CHUNK={00000001}\r\n", "X-EXPS GSSAPI\r\n")
    announced = [f"250-{said}\r\n".encode() for said, _ in EXTENSIONS.values()]
    here.put_in(release)
    _, offer, *replies = say(here, EHLO, *verbs)
    assert not any(line in offer for line in announced)
    assert replies == [UNRECOGNIZED % (b"X" * 12), UNRECOGNIZED % b"XXXXXX"]
    if release == "8.4":
        assert b"\r\n250-XXXXXXXXXXXA\r\n250-XXXXXXXXXXXXXXXXXXXXXXXB\r\n" in offer
    assert here.server_heard().endswith(b"XXXXXXXXXXXX LAST CHUNK={00000001}\r\nXXXXXX GSSAPI\r\n")
    here.switch_mailguard_off()
    _, offer, *replies = say(here, EHLO, *verbs)
    assert all(line in offer for line in announced)
    assert replies == [f"{reply}\r\n".encode() for _, reply in EXTENSIONS.values()]
