"""Connections whose beginning the firewall did not see, taken up with `adopt: true`."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.events import Closing, ConnectionClosed, Kind, PacketDenied
from appliance.firewall import Firewall
from appliance.smtp.release import ANSWERS, RELEASES, Greeting, ShortSegment
from tests.engine.feeding import ROWS
from tests.engine.hosts import Host, Network
from tests.wire import (
    ACK,
    CLIENT_START,
    FIN,
    PSH,
    RST,
    SERVER_START,
    SYN,
    Wire,
    inspecting,
    packet,
)

EVEN = [name for name in ROWS if RELEASES[name].blocked not in ANSWERS]
"""Rows under which a byte stands for a byte: there alone a connection may be taken up."""

MASKED = (b"XXXX\r\n", b"NOOP\r\n")
"""What becomes of TURN."""


def client(wire: Wire, offset: int, payload: bytes, acknowledged: int = 0) -> bytes | None:
    """The client sends; what of it goes on to the server, None if nothing does."""
    return _passed(
        wire,
        packet(
            True,
            CLIENT_START + 1 + offset,
            SERVER_START + 1 + acknowledged,
            PSH | ACK,
            payload,
        ),
    )


def server(wire: Wire, offset: int, payload: bytes, acknowledged: int = 0) -> bytes | None:
    """The same for the server."""
    return _passed(
        wire,
        packet(
            False,
            SERVER_START + 1 + offset,
            CLIENT_START + 1 + acknowledged,
            PSH | ACK,
            payload,
        ),
    )


def _passed(wire: Wire, data: bytes) -> bytes | None:
    before = len(wire.seen)
    wire.give(data)
    seen = wire.seen[before:]
    return b"".join(each.payload for each in seen) if seen else None


@pytest.fixture(params=EVEN)
def wire(request: pytest.FixtureRequest) -> Wire:
    return Wire(RELEASES[request.param], adopts=True)


def taken_up(release: str = "6.3") -> Wire:
    """A connection whose ends have said where they are; nothing has been said since."""
    wire = Wire(RELEASES[release], adopts=True)
    assert client(wire, 0, b"") == b""
    assert server(wire, 0, b"") == b""
    return wire


def test_who_sends_first_has_the_other_say_where_it_is(wire: Wire) -> None:
    assert client(wire, 0, b"NOOP\r\n") == b""
    probe = wire.seen[-1]
    assert (probe.seq, probe.flags) == ((CLIENT_START + 0) % (1 << 32), ACK)
    assert server(wire, 0, b"") == b""
    assert client(wire, 0, b"NOOP\r\n") == b"NOOP\r\n"
    assert server(wire, 0, b"250 ok\r\n", 6) == b"250 ok\r\n"
    assert wire.kinds()[0] is Kind.ADOPTED


def test_what_was_lost_meanwhile_comes_again(wire: Wire) -> None:
    """The last of three segments is the first to be seen; the server still waits for the others."""
    assert client(wire, 12, b"NOOP\r\n") == b""
    assert server(wire, 0, b"") == b""
    assert client(wire, 12, b"NOOP\r\n") == b""  # held, and the client is told what is missing
    assert client(wire, 0, b"RSET\r\n") == b"RSET\r\n"
    assert client(wire, 6, b"NOOP\r\n") == b"NOOP\r\nNOOP\r\n"


def test_a_server_that_sends_first(wire: Wire) -> None:
    assert server(wire, 0, b"250 ok\r\n") == b""
    assert client(wire, 0, b"") == b""
    assert server(wire, 0, b"250 ok\r\n") == b"250 ok\r\n"
    assert (
        client(wire, 0, b"TURN\r\n", 8)
        == (b"X" * 4 if wire.release.name != "fwsm-2" else b"NOOP") + b"\r\n"
    )


def test_a_mail_passes_whole_once_the_server_has_replied(wire: Wire) -> None:
    text = b"TURN is a word here\r\n" * 3 + b".\r\n"
    sent = [b"NOOP\r\n", b"MAIL FROM:<a@b>\r\n", b"RCPT TO:<c@d>\r\n", b"DATA\r\n", text]
    replies = [b"250 ok\r\n", b"250 ok\r\n", b"250 ok\r\n", b"354 go\r\n", b"250 queued\r\n"]
    client(wire, 0, b"")
    server(wire, 0, b"")
    said = heard = 0
    for command, reply in zip(sent, replies, strict=True):
        assert client(wire, said, command, heard) == command
        said += len(command)
        assert server(wire, heard, reply, said) == reply
        heard += len(reply)
    assert client(wire, said, b"TURN\r\n", heard) != b"TURN\r\n"


@pytest.mark.parametrize(
    "said",
    [
        pytest.param(b"the midst of a mail\r\n", id="text"),
        pytest.param(b"NOOP\r\nthe midst of a mail\r\n", id="a command and text"),
        pytest.param(b".\r\n", id="the end of a mail"),
        pytest.param(b"TURN\r\n", id="a blocked verb"),
        pytest.param(b"NO", id="half a verb"),
        pytest.param(b"NOOP", id="half a line"),
        pytest.param(b"\x16\x03\x01\x02\x00", id="TLS"),
        pytest.param(b"dXNlcg==\r\n", id="a name for AUTH"),
    ],
)
def test_what_may_be_no_command_waits(wire: Wire, said: bytes) -> None:
    client(wire, 0, b"")
    server(wire, 0, b"")
    assert client(wire, 0, said) is None
    assert wire.kinds()[-1] is Kind.SEGMENT_DROPPED
    assert client(wire, len(said), b"NOOP\r\n") is None, "what follows it waits, too"
    assert server(wire, 0, b"250 ok\r\n") == b"250 ok\r\n"
    if said == b"TURN\r\n":
        assert client(wire, 0, said, 8) in MASKED


def test_lines_of_a_mail_that_look_like_commands_pass_unchanged(wire: Wire) -> None:
    client(wire, 0, b"")
    server(wire, 0, b"")
    assert client(wire, 0, b"QUIT\r\n\r\nNOOP\r\n") == b"QUIT\r\n\r\nNOOP\r\n"
    assert client(wire, 14, b"text\r\n") is None


@pytest.mark.parametrize("code", [b"220", b"334", b"354"])
@pytest.mark.parametrize("before", [b"", b"250 ok\r\n"], ids=["at once", "later"])
def test_a_reply_that_nobody_was_seen_to_ask_for_ends_it(
    wire: Wire, code: bytes, before: bytes
) -> None:
    client(wire, 0, b"")
    server(wire, 0, b"")
    if before:
        assert server(wire, 0, before) == before
    assert server(wire, len(before), code + b" go\r\n") is None
    assert client(wire, 0, b"NOOP\r\n") is None
    (closed,) = [event for event in wire.events if isinstance(event, ConnectionClosed)]
    assert closed.closing is Closing.DROPPED


def test_what_does_not_begin_like_a_reply_ends_it(wire: Wire) -> None:
    client(wire, 0, b"")
    server(wire, 0, b"")
    assert server(wire, 0, b"ARTTLS\r\n250 SIZE\r\n") is None
    assert client(wire, 0, b"NOOP\r\n") is None


@pytest.mark.parametrize("release", ["7.0", "8.4"])
def test_any_reply_of_several_lines_may_be_one_to_ehlo(release: str) -> None:
    wire = taken_up(release)
    reply = b"250-mx\r\n250-STARTTLS\r\n250 SIZE\r\n"
    passed = server(wire, 0, reply)
    assert passed is not None
    assert b"STARTTLS" not in passed
    assert (passed[:8], passed[-10:]) == (reply[:8], reply[-10:])


def test_a_release_that_knows_tls_hands_it_over_as_ever() -> None:
    wire = Wire(RELEASES["8.4"].allowing_tls(), adopts=True)
    client(wire, 0, b"")
    server(wire, 0, b"")
    assert client(wire, 0, b"STARTTLS\r\n") == b"STARTTLS\r\n"
    assert server(wire, 0, b"220 go\r\n", 10) == b"220 go\r\n"
    assert client(wire, 10, b"\x16\x03\x01", 8) == b"\x16\x03\x01"


@pytest.mark.parametrize("flags", [RST, RST | ACK, SYN | ACK, SYN | ACK | FIN])
@pytest.mark.parametrize("from_client", [True, False])
def test_no_connection_begins_with_these(flags: int, from_client: bool) -> None:
    wire = Wire(adopts=True)
    wire.give(packet(from_client, CLIENT_START, SERVER_START, flags))
    assert wire.seen == []
    assert isinstance(wire.events[-1], PacketDenied)


def test_a_syn_in_its_midst_changes_nothing() -> None:
    wire = Wire(adopts=True)
    client(wire, 0, b"")
    wire.give(packet(False, SERVER_START + 77, CLIENT_START + 1, SYN | ACK))
    assert len(wire.seen) == 1
    assert server(wire, 0, b"") == b""
    assert client(wire, 0, b"NOOP\r\n") == b"NOOP\r\n"


def test_it_ends_as_others_do() -> None:
    wire = taken_up()
    wire.give(packet(True, CLIENT_START + 1, SERVER_START + 1, FIN | ACK))
    wire.give(packet(False, SERVER_START + 1, CLIENT_START + 2, FIN | ACK))
    wire.give(packet(True, CLIENT_START + 2, SERVER_START + 2, ACK))
    (closed,) = [event for event in wire.events if isinstance(event, ConnectionClosed)]
    assert closed.closing is Closing.FIN


GREETING = b"220 mx.example.com ESMTP\r\n"
COMMANDS = [
    b"HELO a\r\n",
    b"TURN\r\n",
    b"MAIL FROM:<a@b>\r\n",
    b"RCPT TO:<c@d>\r\n",
    b"DATA\r\n",
    b"TURN is a word\r\nNOOP\r\n\r\n..\r\n" + b"text of some length\r\n" * 60 + b".\r\n",
    b"NOOP\r\n",
    b"QUIT\r\n",
]


class Speaker:
    """A client that waits for each reply, and then says its next command."""

    def __init__(self) -> None:
        self.said = 0

    def hear(self, host: Host) -> None:
        while host.heard.count(b"\n") > self.said and self.said < len(COMMANDS):
            host.say(COMMANDS[self.said])
            self.said += 1


def _reply(host: Host) -> None:
    """A server: a greeting, a reply to each command, one to the mail."""
    commands, begun, rest = bytes(host.heard).partition(b"DATA\r\n")
    replies = [GREETING] + [b"250 ok\r\n"] * commands.count(b"\r\n")
    if begun:
        replies.append(b"354 go\r\n")
        _, ended, after = rest.partition(b"\r\n.\r\n")
        if ended:
            replies += [b"250 queued\r\n"] * (1 + after.count(b"\r\n"))
    everything = b"".join(replies)
    host.say(everything[len(host.sent) :])


@pytest.mark.parametrize("stream", [False, True], ids=["row", "stream"])
@pytest.mark.parametrize("name", EVEN)
@settings(max_examples=12, deadline=None)
@given(seed=st.integers(0, 1 << 30), after=st.integers(1, 90), badness=st.sampled_from([0, 0.2]))
def test_a_restart_at_any_time_changes_no_byte(
    name: str, stream: bool, seed: int, after: int, badness: float
) -> None:
    """Whatever comes through is what would have come through without it, if not all of it."""
    row = RELEASES[name]
    release = replace(row, short_segment=ShortSegment.STREAM) if stream else row
    network = Network(release, seed, badness, Speaker().hear, _reply)
    network.server.say(GREETING)
    for _ in range(after):
        network.step()
    network.firewall = Firewall(inspecting(release, adopts=True), network.events.append)
    for _ in range(600):
        network.step()
    masked = MASKED[name == "fwsm-2"]
    expected = b"".join(COMMANDS).replace(b"TURN\r\n", masked, 1)
    assert expected.startswith(network.server.heard)
    if release.greeting is not Greeting.UNTOUCHED:
        assert GREETING not in network.client.heard


def test_a_restart_between_two_commands_harms_no_mail() -> None:
    """Without loss the mail arrives; not where the restart falls behind a line that waits for the
    server to speak first, or before a reply that turns the dialogue, or in the mail."""
    outcomes = []
    for after in range(1, 64):
        network = Network(RELEASES["6.3"], 1, 0, Speaker().hear, _reply)
        network.server.say(GREETING)
        for _ in range(after):
            network.step()
        state = network.client.heard.count(b"\n"), min(network.server.heard.count(b"\n"), 6)
        network.firewall = Firewall(inspecting(RELEASES["6.3"], adopts=True), network.events.append)
        for _ in range(400):
            network.step()
        outcomes.append((state, network.server.heard.endswith(b"QUIT\r\n")))
    assert {state for state, arrived in outcomes if not arrived} == {
        (0, 0),  # the greeting is on its way
        (1, 1),  # TURN is on its way
        (2, 1),
        (5, 4),  # DATA is on its way, then 354
        (5, 5),
        (6, 5),  # the mail is on its way
        (6, 6),
    }
    assert sum(arrived for _, arrived in outcomes) > len(outcomes) / 2
