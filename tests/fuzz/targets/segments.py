"""A client that may be hostile, an honest server and a bad network, with the engine between them.

An input is three bytes that choose the release, one of switches, one that chooses the options of
the SYNs, and steps: see `STEPS` for what each byte does. Whatever the client does, a server
that ends lines and mail at CRLF only, behind a TCP that keeps first copies, must not take a command
whose verb the release blocks; all copies of a byte that leave are equal; and whatever leaves is a
whole packet.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from appliance.events import ConnectionBuilt
from appliance.firewall import Firewall
from appliance.smtp.release import Bug, Release
from appliance.verdict import DROP, Verdict
from tests.engine.test_attacks import BLOCKED, Path
from tests.fuzz.choices import Choices
from tests.fuzz.engine import check_end, check_events, check_lengths, check_room, check_verdict
from tests.fuzz.rows import row
from tests.wire import (
    ACK,
    CLIENT_START,
    FIN,
    PSH,
    RST,
    SERVER_START,
    SYN,
    URG,
    Seen,
    Wire,
    inspecting,
    packet,
)

LONGEST = 600
WORDS = (
    *(verb for verb in sorted(BLOCKED)),
    *(b"HELO", b"MAIL FROM:<", b"RCPT TO:<", b"DATA\r\n", b"\r\n.\r\n", b"NOOP", b"RSET", b"QUIT"),
    *(b"\n.\n", b"\n.\r\n", b"\r.\r", b"\r\n", b"AUTH LOGIN\r\n", b"VRFY x\r\n", b"\0\x0eVRFY x"),
)

TOKENS = (
    b"DATA\r\n", b"VRFY x\r\n", b"\r\n.\r\n", b"NOOP\r\n", b"QUIT\r\n", b"RSET\r\n", b"text",
    b"MAIL FROM:<a@b>\r\n", b"RCPT TO:<a|b>\r\n", b"RCPT TO:<<c>>\r\n", b"HELO x\r\n", b"HELO\r\n",
    b"EHLO y\r\n", b"AUTH LOGIN\r\n", b"STARTTLS\r\n", b"BDAT 3 LAST\r\n", b"EXPN z\r\n", b"\r\n",
    b"\r", b"\n", b".", b" ", b"\0", b"\xc4", b"D", b"ATA", b"VR", b"FY", b"VRFY", b"X", b"NO",
    b"OP x\r\n", b"." + b"\r\n", b"x" * 600 + b"\r\n", b"EXPN " + b"y" * 2040,
)  # fmt: skip
_FLAGS = (PSH | ACK, ACK, PSH | ACK | URG, FIN | ACK, FIN | PSH | ACK, 0)
_STRANGE = (SYN, SYN | ACK, RST, RST | ACK, FIN | ACK, FIN, SYN | FIN, RST | SYN, 0xFF, 0xC0 | ACK)
_STAMP = b"\x01\x01\x08\x0a\0\0\0"
_OPTIONS: tuple[Callable[[Choices], bytes], ...] = (
    lambda choices: b"",
    lambda choices: _STAMP + choices.bytes(1).ljust(5, b"\0"),
    lambda choices: _sack(choices.shift(), choices.byte()),
    lambda choices: b"\x22\x04ab",
    lambda choices: b"\x01\x05\x02\x08\x03",
    lambda choices: choices.bytes(choices.byte() % 41),
)
_SYN_OPTIONS = (
    b"",
    b"\x03\x03\x0e",
    b"\x02\x04\x05\xb4\x04\x02" + b"\x08\x0a\0\0\0\1\0\0\0\0" + b"\x01\x03\x03\x07",
)
_WINDOWS = (65535, 65535, 0, 1, 8, 600, 1000)
_OTHER = 7
"""A mark that is not the connection's."""


def _sack(shift: int, size: int) -> bytes:
    left = (SERVER_START + 1 + shift) % (1 << 32)
    right = (left + size) % (1 << 32)
    return b"\x01\x01\x05\x0a" + left.to_bytes(4) + right.to_bytes(4)


def one_input(data: bytes) -> None:
    """Play what an input says, and see what came of it."""
    choices = Choices(data)
    release = row(choices)
    honest = not choices.byte() & 1
    site = Site(release, choices, honest)
    while choices:
        site.step()
    site.send_again()
    path = site.path
    check_events(path.wire.events)
    if honest and Bug.DATA_BEFORE_REPLY not in release.bugs:
        for line in path.server.commands:
            # However much a server strips, and wherever it thinks that a verb ends.
            words = re.split(rb"[^A-Za-z0-9]+", line.strip())
            first = next((word for word in words if word), b"")
            assert first.upper() not in BLOCKED - release.verbs, line
    check_end(path.wire.firewall, path.wire.now)


class _Path(Path):
    """Engine, server and network.

    Args:
        release: what the engine inspects as.
        accepts: asked at each DATA whether mail may come.
        options: those of both SYNs.
    """

    def __init__(self, release: Release, accepts: Callable[[], bool], options: bytes) -> None:
        super().__init__(release, accepts)
        self.wire = Wire(release).handshake(options)
        self._heard = len(self.wire.events)
        self._reopened = False

    def give(self, data: bytes) -> None:
        """Hand the engine a packet; what leaves goes on."""
        self._give(data, lost=False)

    def give_apart(self, data: bytes, ingress: str, egress: str, mark: int = 0) -> Verdict:
        """Hand the engine a packet of another place or translation; what leaves goes nowhere."""
        verdict = self.wire.firewall.receive(data, self.wire.now, ingress, egress, mark)
        check_verdict(verdict, data)
        self._heard = len(self.wire.events)
        return verdict

    def _give(self, data: bytes, lost: bool) -> Verdict:
        seen = len(self.wire.seen)
        verdict = super()._give(data, lost)
        for each in self.wire.seen[seen:]:
            check_lengths(each.packet)
        check_room(self.wire.firewall)
        return verdict

    def _agree(self, seen: Seen) -> None:
        news = self.wire.events[self._heard :]
        self._heard += len(news)
        self._reopened |= any(isinstance(event, ConnectionBuilt) for event in news)
        if not self._reopened:  # else the numbers are another connection's
            super()._agree(seen)


class Site:
    """The connection, and what the client has sent in it.

    Args:
        release: what the engine inspects as.
        choices: the input.
        honest: whether all that comes as the server's is the server's.
    """

    def __init__(self, release: Release, choices: Choices, honest: bool) -> None:
        self._release = release
        self._choices = choices
        self._honest = honest
        self._text = b""  # what an honest client would have sent
        options = choices.of(_SYN_OPTIONS)
        self.path = _Path(release, lambda: bool(choices.byte() & 1), options)

    def step(self) -> None:
        """Take the next step."""
        self._choices.of(STEPS)(self)

    def send_again(self) -> None:
        """The client's TCP sends all of its stream once more, in pieces of its own."""
        self.path.serve(65000)
        for at in range(0, len(self._text), 400):
            self.path.client(at, self._text[at : at + 400])
            self.path.serve(65000)

    def _content(self) -> bytes:
        """A text: one of the table's, or one that the input spells out."""
        size = self._choices.byte()
        if size < 192:
            return TOKENS[size % len(TOKENS)]
        return self._choices.bytes(size - 191)

    def say(self) -> None:
        """The client sends its next bytes."""
        content = self._content()
        self.path.client(len(self._text), content)
        self._text += content

    def say_several(self) -> None:
        """Likewise, several texts in one segment."""
        content = b"".join(self._content() for _ in range(2 + self._choices.byte() % 6))
        self.path.client(len(self._text), content)
        self._text += content

    def cut(self) -> None:
        """Likewise, a text in two segments, the second of them first if the byte is odd."""
        content, at = self._content(), self._choices.byte()
        start, middle = len(self._text), at // 2 % (len(content) or 1)
        halves = [(start, content[:middle]), (start + middle, content[middle:])]
        self._text += content
        for offset, piece in reversed(halves) if at & 1 else halves:
            self.path.client(offset, piece)

    def repeat(self) -> None:
        """The client sends bytes of its stream again, cut anew."""
        start = max(0, len(self._text) - self._choices.byte())
        self.path.client(start, self._text[start : start + 1 + self._choices.byte()])

    def differ(self) -> None:
        """The client sends other bytes near where it is, lost behind the firewall or not."""
        offset = len(self._text) + self._choices.shift()
        content = self._content()
        self.path.client(
            offset,
            content,
            self._choices.of(_FLAGS),
            lost=bool(self._choices.byte() & 1),
            ack=max(0, self.path.shown + min(0, self._choices.shift())),
            urgent=self._choices.byte(),
        )

    def lose(self) -> None:
        """The client's next bytes get lost behind the firewall."""
        content = self._content()
        self.path.client(len(self._text), content, lost=True)
        self._text += content

    def vary(self) -> None:
        """The client's next bytes come with options and a window of their own."""
        content = self._content()
        options = self._choices.of(_OPTIONS)(self._choices)[:40]
        self.path.give(
            packet(
                True,
                CLIENT_START + 1 + len(self._text),
                SERVER_START + 1 + self.path.shown,
                PSH | ACK,
                content,
                window=self._choices.of(_WINDOWS),
                options=options,
            )
        )
        self._text += content

    def strange(self) -> None:
        """A segment with flags that are no data's."""
        shift = self._choices.shift()
        flags = self._choices.of(_STRANGE)
        self.path.client(len(self._text) + shift, self._content()[:6], flags, lost=True)

    def serve(self) -> None:
        """The server's next bytes pass."""
        self.path.serve(1 + self._choices.byte())

    def acknowledge(self) -> None:
        """The server acknowledges what it has and no more, with a window of its own."""
        self.path.give(
            packet(
                False,
                SERVER_START + 1 + self.path.shown,
                CLIENT_START + 1 + len(self.path.server.received),
                ACK,
                window=self._choices.of(_WINDOWS),
            )
        )

    def forge(self) -> None:
        """Somebody sends what the server would, or the client as if it were the server."""
        from_client = self._honest
        shift, content = self._choices.shift(), self._content()
        data = packet(
            from_client,
            (CLIENT_START + 1 + len(self._text) if from_client else SERVER_START + 1) + shift,
            (SERVER_START + 1 if from_client else CLIENT_START + 1 + len(self._text)),
            self._choices.of((*_FLAGS, *_STRANGE)),
            content,
        )
        if self._honest:
            self._enter_elsewhere(data)
        else:
            self.path.give(data)

    def _enter_elsewhere(self, data: bytes) -> None:
        """A packet of the connection that comes in by the other end's interface is dropped."""
        verdict = self.path.give_apart(data, "inside", "inside")
        begins = data[33] & (SYN | ACK | RST | FIN) == SYN
        assert verdict == DROP or begins

    def enter_marked(self) -> None:
        """A packet with the same addresses belongs to another translation: none of ours."""
        data = packet(
            bool(self._choices.byte() & 1),
            CLIENT_START + self._choices.byte(),
            SERVER_START + self._choices.byte(),
            self._choices.of((SYN, SYN | ACK, *_FLAGS)),
            self._content(),
        )
        self.path.give_apart(data, "outside", "inside", _OTHER)

    def wait(self) -> None:
        """Time goes by."""
        self.path.wait(self._choices.byte() ** 2 / 100)

    def hand_over(self) -> None:
        """Another process takes up the connections."""
        wire = self.path.wire
        written = wire.firewall.hand_over()
        wire.firewall = Firewall(inspecting(self._release), wire.events.append)
        wire.firewall.take_over(written, wire.now)


STEPS: tuple[Callable[[Site], None], ...] = (
    Site.say, Site.serve, Site.say_several, Site.cut, Site.repeat, Site.differ, Site.lose,
    Site.vary, Site.strange, Site.acknowledge, Site.forge, Site.enter_marked, Site.wait,
    Site.hand_over,
)  # fmt: skip
"""What a byte of an input may do, modulo their number."""
