"""Cases of evasion, by name: how each is run, and the table of docs/evasion.md."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest

from appliance.smtp.release import RELEASES, Release, ShortSegment
from tests.evasion.mailer import Mailer, digest
from tests.evasion.path import Path

NAMES = ("4.0", "4.2", "6.3", "7.0", "8.4", "fwsm-2")
"""A release of each kind of treatment that a blocked line gets."""

KNOWN = frozenset(
    b"HELO MAIL RCPT DATA RSET NOOP QUIT AUTH EHLO ETRN HELP SAML SEND SOML VRFY EXPN STARTTLS "
    b"BDAT TURN ATRN XCLIENT XFORWARD XEXCH50 VERB ONEX LHLO".split()
)
"""Verbs that some server obeys."""


def _rows() -> dict[str, Release]:
    rows = {}
    for name in NAMES:
        own = RELEASES[name]
        rows[f"{name}, own"] = own
        rows[f"{name}, stream"] = replace(own, short_segment=ShortSegment.STREAM)
    return rows


ROWS = _rows()
every_release = pytest.mark.parametrize("release", ROWS.values(), ids=list(ROWS))


@dataclass(frozen=True, slots=True)
class Content:
    """What is sent by a manoeuvre.

    Args:
        text: what the client means to say, or says first.
        other: what it sends in its place in other copies, as long as the text.
        in_mail: whether it is sent in the mail, else as commands.
    """

    text: bytes
    other: bytes
    in_mail: bool

    def turned(self) -> Content:
        """The same with both contents exchanged."""
        return Content(self.other, self.text, self.in_mail)


_PAIRS = (
    # Other verbs.
    Content(
        b"NOOP alpha\r\nNOOP beta\r\nNOOP gamma\r\nRSET\r\n",
        b"EXPN alpha\r\nEXPN beta\r\nEXPN gamma\r\nEXPN\r\n",
        False,
    ),
    # An argument, or a line of its own.
    Content(
        b"NOOP alpha__EXPN beta__EXPN gamma__EXPN delta\r\n",
        b"NOOP alpha\r\nEXPN beta\r\nEXPN gamma\r\nEXPN delta\r\n",
        False,
    ),
    # Mail, or commands behind its end.
    Content(
        b"alphabe.\r\nEXPN beta\r\nEXPN gamma\r\nEXPN delta\r\n",
        b"alpha\r\n.\r\nEXPN beta\r\nEXPN gamma\r\nEXPN delta\r\n",
        True,
    ),
)
HOSTILE = tuple(each for pair in _PAIRS for each in (pair, pair.turned()))
"""Two contents of the same bytes, either first: what passes of one must not become the other."""

ENVELOPE = b"MAIL FROM:<a@client.example>\r\nRCPT TO:<b@mx.example>\r\nDATA\r\n"
MAIL = b"Subject: x\r\n\r\nEXPN is a verb\r\n..\r\nVRFY too\r\nand here it ends\r\n"
HONEST = (Content(ENVELOPE, ENVELOPE, False), Content(MAIL, MAIL, True))

HARMLESS = Content(MAIL, MAIL.swapcase(), True)
"""Two mails, either of which would pass: they tell whose bytes did."""

Play = Callable[[Path, bytes, bytes], None]


@dataclass(frozen=True, slots=True)
class Case:
    """A case, in words.

    Args:
        test: the name of its test.
        chapter: the module of its test.
        attack: what the attacker does.
        firewall: what the firewall does.
        seen: what both receivers see.
    """

    test: str
    chapter: str
    attack: str
    firewall: str
    seen: str


CASES: dict[str, Case] = {}
"""All cases, by the name of their test, as they are told."""

PLAYS: dict[str, tuple[Play, Callable[[Release | None], Path]]] = {}
"""How the manoeuvres among them are played, and on which path."""


def told(attack: str, firewall: str, seen: str) -> Callable[[Callable[..., None]], Any]:
    """Tell of a case whose test follows; see `Case`."""

    def tell(test: Callable[..., None]) -> Any:
        name, chapter = test.__name__, test.__module__.rsplit(".", 1)[-1]
        assert name not in CASES, name
        CASES[name] = Case(name, chapter, attack, firewall, seen)
        return test

    return tell


def case(attack: str, firewall: str, seen: str) -> Callable[[Callable[..., None]], Any]:
    """Tell of a case whose test follows, and run it for each release; see `Case`."""
    return lambda test: every_release(told(attack, firewall, seen)(test))


def manoeuvre(
    attack: str,
    firewall: str,
    seen: str,
    *,
    first_stands: bool = False,
    splits_verbs: bool = False,
    **path: Any,
) -> Callable[[Play], Any]:
    """Tell of a case that is a way to send some bytes, and make a test of it.

    The test sends two contents in that way, as commands and as mail, either first; and an honest
    mail, its envelope and its text, where both are the same.

    Args:
        attack, firewall, seen: see `Case`.
        first_stands: whether the server gets each byte as it was first sent.
        splits_verbs: whether segments that start a command end inside its verb, which a release
            without `segmentation: stream` takes ill.
        path: arguments of `Path`.
    """

    def make(play: Play) -> Any:
        def build(release: Release | None) -> Path:
            return Path(release, **path)

        def test(release: Release) -> None:
            for content in HOSTILE:
                attack_with(play, content, build(release), release)
            if first_stands:
                compare_with_first(play, HARMLESS, build(release))
                compare_with_first(play, HARMLESS.turned(), build(release))
            for content in HONEST:
                own = release.short_segment is not ShortSegment.STREAM
                if content.in_mail or not (splits_verbs and own):
                    send_honestly(play, content, build(release))

        test.__name__, test.__doc__, test.__module__ = play.__name__, play.__doc__, play.__module__
        PLAYS[play.__name__] = (play, build)
        return case(attack, firewall, seen)(test)

    return make


def reached(test: str) -> str:
    """Whom a forbidden verb reaches by a manoeuvre where there is no firewall.

    Args:
        test: the name of its test.

    Returns:
        "neither", or which of the two receivers; "-" if the case is no manoeuvre.
    """
    if test not in PLAYS:
        return "-"
    play, build = PLAYS[test]
    harmed: set[str] = set()
    for content in HOSTILE[::2]:
        path = build(None)
        greet(path, content.in_mail)
        play(path, content.text, content.other)
        path.settle(content.text)
        for server in path.servers:
            if b"EXPN" in Mailer.verbs_in(server.streams[0]):
                harmed.add("last copy wins" if server.last_wins else "first copy wins")
    return "both" if len(harmed) == 2 else "".join(harmed) or "neither"


def greet(path: Path, in_mail: bool = False) -> None:
    """Open a connection, say HELO, and begin a mail if it is wanted."""
    path.open()
    path.serve()
    path.say(b"HELO client.example\r\n")
    if in_mail:
        for line in ENVELOPE.splitlines(keepends=True):
            path.say(line)
    path.base = path.sent


def attack_with(play: Play, content: Content, path: Path, release: Release | None) -> None:
    """Play a manoeuvre with two contents, and see that no server is harmed."""
    greet(path, content.in_mail)
    play(path, content.text, content.other)
    path.settle(content.text)
    path.say(b"\r\n.\r\nEXPN omega\r\nNOOP mark\r\n")
    if release is not None:
        assert_unharmed(path, release)
        assert path.mailer.lines[-1:] == [b"NOOP mark"], f"stuck: {content}"


def assert_unharmed(path: Path, release: Release) -> None:
    """The receivers agree, and no server saw a verb that the release blocks."""
    path.assert_agreed()
    assert path.verbs() & (KNOWN - release.verbs) == set()


def send_honestly(play: Play, content: Content, path: Path) -> None:
    """Send a mail, a part of it by a manoeuvre with nothing hidden in it."""
    greet(path, content.in_mail)
    play(path, content.text, content.other)
    path.settle(content.text)
    finish_mail(path, content)


def compare_with_first(play: Play, content: Content, path: Path) -> None:
    """Play a manoeuvre with two contents, and see that the first copy of each byte arrives."""
    greet(path, content.in_mail)
    play(path, content.text, content.other)
    path.settle(content.text)
    ends = slice(path.base, path.base + len(content.text))
    first = bytes(path.first[at] for at in range(ends.start, ends.stop))
    for server in path.servers:
        assert server.streams[0][ends] == first


def finish_mail(path: Path, content: Content) -> None:
    """Send the rest of a mail behind a part of it, and see that it arrived whole."""
    rest = b"the end\r\n" if content.in_mail else MAIL
    path.say(rest + b".\r\n")
    mail = content.text + rest if content.in_mail else rest
    assert path.mailer.mails == [digest(mail)], path.mailer.lines
    path.assert_agreed()
    for server in path.servers:
        assert server.streams == path.servers[0].streams, "a strict TCP got less"


def send_mail(path: Path) -> None:
    """Send a whole mail on a connection that is open, and see that it arrived."""
    path.serve()
    path.say(b"HELO client.example\r\n")
    for line in ENVELOPE.splitlines(keepends=True):
        path.say(line)
    path.say(MAIL + b".\r\n")
    assert path.mailer.mails == [digest(MAIL)], path.mailer.lines
    path.assert_agreed()


def come_back(path: Path, after: float = 0) -> None:
    """The client opens another connection from the same port, and sends a mail.

    Args:
        path: the path, whose ends have given up the connection before.
        after: seconds later.
    """
    path.wait(after)
    path.open_again(0x1234_5678)
    send_mail(path)
