"""Mails that hide from the default inspection map what a server or a reader of mail finds in them.

Each goes through a connection of its own, whole, byte by byte, and cut in two in many places.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from appliance.events import ConnectionClosed, Inspected, Kind
from appliance.smtp.release import RELEASES, Release, ShortSegment
from tests.evasion.case import ENVELOPE, told
from tests.wire import Wire

NAME = b"a" * 252 + b".exe"
"""A name of a file that is one byte too long."""

HEAD = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n"

every_release = pytest.mark.parametrize(
    "release",
    [RELEASES["8.4"], replace(RELEASES["8.4"], short_segment=ShortSegment.STREAM)],
    ids=["8.4, own", "8.4, stream"],
)


def case(attack: str, firewall: str, seen: str):
    """Tell of a case whose test follows, for a release that has inspection maps."""
    return lambda test: every_release(told(attack, firewall, seen)(test))


def pieces(text: bytes) -> Iterator[list[bytes]]:
    """Ways to cut a mail."""
    yield [text]
    yield [text[at : at + 1] for at in range(len(text))]
    for at in range(1, len(text), max(1, len(text) // 9)):
        yield [text[:at], text[at:]]


def matched(release: Release, cut: list[bytes]) -> tuple[list[str], bytes]:
    """What matches in a mail, and what of it the server gets."""
    wire = Wire(release).handshake()
    wire.server(b"220 mx\r\n")
    wire.client(ENVELOPE)
    wire.server(b"250 ok\r\n250 ok\r\n354 go\r\n")
    for piece in cut:
        wire.client(piece)
    details = [e.detail for e in wire.events if isinstance(e, Inspected) and e.kind is Kind.MATCHED]
    if any(isinstance(each, ConnectionClosed) for each in wire.events):
        details.append("closed")
    return details, wire.received(True).removeprefix(ENVELOPE)


def assert_found(release: Release, text: bytes, *rows: str) -> None:
    """A mail is stopped by one of the default map's matches, however it is cut."""
    for cut in pieces(text + b"\r\n.\r\n"):
        details, got = matched(release, cut)
        assert details == [*rows, "closed"], (text, len(cut))
        assert len(got) < len(text) + 5


def assert_passes(release: Release, text: bytes, *rows: str) -> None:
    """A mail passes, however it is cut."""
    for cut in pieces(text + b"\r\n.\r\n"):
        assert matched(release, cut) == ([*rows], text + b"\r\n.\r\n")


FILE_NAME = "matched Class 6: MIME filename length gt 255"
HEADER_LINE = "matched Class 4: header line length gt 998"
BODY_LINE = "matched Class 3: body line length gt 998"


@case(
    "folds the field that names a file, anywhere",
    "undoes the folds",
    "nothing of the file",
)
def test_folded_file_name(release: Release) -> None:
    for fields in (
        b'Content-Disposition: attachment;\r\n filename="' + NAME + b'"\r\n',
        b'Content-Disposition:\r\n\tattachment\r\n ;\r\n filename\r\n =\r\n "' + NAME + b'"\r\n',
        b"content-disposition:attachment;FILENAME=" + NAME + b"\r\n ; x=y\r\n",
    ):
        assert_found(release, HEAD + fields + b"\r\nMZ", FILE_NAME)
    assert_passes(release, HEAD + b"Content-Disposition: a;\r\n filename=" + NAME[1:] + b"\r\n\r\n")


@case(
    "writes the name of a file in encoded words, or in many percents",
    "decodes it, and counts the bytes that it means",
    "nothing of the file",
)
def test_encoded_file_name(release: Release) -> None:
    words = b"\r\n ".join(
        b"=?utf-8?Q?" + b"".join(b"=%02X" % byte for byte in NAME[at : at + 16]) + b"?="
        for at in range(0, len(NAME), 16)
    )
    percents = b"".join(b"%%%02x" % byte for byte in NAME)
    for parameter in (b'filename="' + words + b'"', b"filename*=utf-8''" + percents):
        fields = b"Content-Disposition: attachment; " + parameter + b"\r\n"
        assert_found(release, HEAD + fields + b"\r\nMZ", FILE_NAME)
    short = b"".join(b"%%%02x" % byte for byte in NAME[1:])
    fields = b"Content-Disposition: attachment; filename*=utf-8''" + short + b"\r\n"
    assert_passes(release, HEAD + fields + b"\r\nMZ")


@case(
    "cuts the name of a file into pieces (RFC 2231), in any order",
    "counts them together",
    "nothing of the file",
)
def test_file_name_in_pieces(release: Release) -> None:
    halves = (NAME[:100], NAME[100:])
    for fields in (
        b"Content-Disposition: a; filename*0=%s;\r\n filename*1=%s\r\n" % halves,
        b"Content-Disposition: a; filename*1=%s;\r\n filename*0*=''%s\r\n" % halves,
        b"Content-Type: a/b; name*0=%s; x=y; name*1=%s\r\n" % halves,
    ):
        assert_found(release, HEAD + fields + b"\r\nMZ", FILE_NAME)


@case(
    "names a file behind a comment or quotes that never end, or 6,000 bytes of other parameters",
    "reads the field with comments and without; of other parameters it keeps nothing",
    "nothing of the file",
)
def test_file_name_behind_rubbish(release: Release) -> None:
    for rubbish in (b"a (; ", b'a ("); ', b'a; x="\\"; ("; ', b"a; " + b"x=yyyyyyyy; " * 500):
        field = b"\r\n ".join(rubbish[at : at + 900] for at in range(0, len(rubbish), 900))
        field = b"Content-Disposition: " + field + b"\r\n filename=" + NAME + b"\r\n"
        assert_found(release, HEAD + field + b"\r\nMZ", FILE_NAME)


@case(
    "ends lines with a bare LF or CR around a boundary and in the part's header",
    "reads the mail as a server does that takes them for line ends, too",
    "nothing of the file",
)
def test_parts_behind_bare_line_ends(release: Release) -> None:
    part = b"Content-Disposition: a; filename=" + NAME
    for end in (b"\n", b"\r"):
        assert_found(release, HEAD + b"\r\n" + end + b"--b" + end + part + end + end, FILE_NAME)
        text = (HEAD + part).replace(b"\r\n", end) + end + end
        assert_found(release, text, FILE_NAME)


@case(
    "hides a part: no empty line, two boundaries, one that came to an end, one inside another",
    "takes every line for a boundary that some reader may take for one",
    "nothing of the file",
)
def test_hidden_parts(release: Release) -> None:
    part = b"Content-Disposition: a; filename=" + NAME + b"\r\n\r\nMZ"
    other = b"Content-Type: multipart/mixed; boundary=x\r\n"
    for head in (
        b"Content-Type: multipart/mixed; boundary=b\r\n--b\r\n",
        other + HEAD,
        HEAD.replace(b"\r\n\r\n", b"\r\n" + other + b"\r\n", 1),
        HEAD + b"--b--\r\nepilogue\r\n--b\r\n",
        HEAD + other + b"\r\n--x\r\n\r\nx\r\n--b\r\n",
        HEAD + b"Content-Type: message/rfc822\r\n\r\n" + HEAD.replace(b"b\r\n", b"y\r\n"),
        HEAD.replace(b"=b\r\n", b'="b"; boundary=x\r\n'),
        HEAD.replace(b"--b", b"--b \t "),
        HEAD.replace(b"boundary=b", b'boundary=".b"').replace(b"--b", b"--.b"),
    ):
        assert_found(release, head + part, FILE_NAME)


@case(
    "nests multiparts deeper than anybody looks",
    "past 32 takes every line that begins like a boundary for one",
    "nothing of the file",
)
def test_parts_too_deep(release: Release) -> None:
    head = b"".join(
        b"Content-Type: multipart/mixed; boundary=d%d\r\n\r\n--d%d\r\n" % (n, n) for n in range(40)
    )
    part = b"Content-Disposition: a; filename=" + NAME + b"\r\n\r\nMZ"
    assert_found(release, head + part, FILE_NAME)


@case(
    "breaks a long header line with a bare CR or LF, or has it never end",
    "ends no line there that a server may see whole; acts at the byte that is too many",
    "at most 998 bytes of the line",
)
def test_long_header_line(release: Release) -> None:
    for line in (
        b"X: " + b"x" * 996,
        b"X: " + b"x" * 400 + b"\r" + b"x" * 600,
        b"X: y\r\n " + b"x" * 998,
        b"X : " + b"x" * 995,
        b"From someone\r\nX: " + b"x" * 996,
        b"x" * 999,  # it may yet be the name of a field
    ):
        details, got = matched(release, [line[at : at + 1] for at in range(len(line))])
        assert details == [HEADER_LINE, "closed"], line
        assert len(got.rpartition(b"\r\n")[2]) == 998
        assert_found(release, line, HEADER_LINE)
    for line in (b"X: " + b"x" * 995 + b"\r\n", b"X: y\r\n " + b"x" * 997 + b"\r\n"):
        assert_passes(release, line + b"\r\nbody")


@case(
    "doubles the dots of lines, or begins a header line with one",
    "undoes what the transfer adds before it counts",
    "a mail whose lines are as long as they may be",
)
def test_doubled_dots(release: Release) -> None:
    assert_passes(release, b"\r\n." + b"." * 998 + b"\r\n." + b"x" * 998)
    assert_passes(release, b".X: " + b"x" * 995 + b"\r\n\r\nbody")
    assert_passes(release, b"\r\n." + b"." * 999, BODY_LINE)
    assert_found(release, HEAD.replace(b"--b", b".--b") + b"Content-Type: a/b; name=" + NAME
                 + b"\r\n\r\n", FILE_NAME)  # fmt: skip


@case(
    "sends a long line behind one that is no field, or an empty one of a bare LF",
    "tells of it as the body's, where it is one for some server, and drops it where it is a header",
    "a body line of any length; no header line of more than 998 bytes",
)
def test_end_of_the_header(release: Release) -> None:
    long = b"X: " + b"x" * 996
    assert_passes(release, b"no field\r\n" + long, BODY_LINE)
    assert_passes(release, b"\r\n" + long, BODY_LINE)
    for text in (b"X: y\n\n" + long, b"X: y\n\nz: a\r\n" + long):
        for cut in pieces(text + b"\r\n.\r\n"):
            details, _ = matched(release, cut)
            assert details[-2:] == [HEADER_LINE, "closed"]
