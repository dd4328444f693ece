"""What is seen in the content of mails; Python's `email` package is the second opinion."""

from __future__ import annotations

import email
import email.policy
import sys
from copy import deepcopy

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.smtp.esmtp_map import Subject
from appliance.smtp.header import MAX_BOUNDARY
from appliance.smtp.message import MAX_DEPTH, Message
from appliance.smtp.parameter import MAX_VALUE
from tests.engine.mails import (
    BODIES,
    HOSTILE,
    LIMITS,
    MAILS,
    MEMORY,
    greatest,
    read,
    stuffed,
    texts,
)

TYPE, NAME, ENCODING = Subject.FILE_TYPE, Subject.FILE_NAME_LENGTH, Subject.ENCODING
EXE = b'Content-Disposition: attachment; filename="virus.exe"\r\n'


def part(fields: bytes, boundary: bytes = b"b") -> bytes:
    """A mail with one part, transferred."""
    head = b"Content-Type: multipart/mixed; boundary=" + boundary + b"\r\n\r\n"
    return stuffed(head + b"--" + boundary + b"\r\n" + fields + b"\r\nx\r\n")


def kinds(data: bytes) -> list[bytes]:
    """Types and file names that are seen."""
    return texts(read(data), TYPE)


# ---- cuts ----


@settings(max_examples=100)
@given(st.one_of(HOSTILE, BODIES, MAILS.map(stuffed)), st.randoms(use_true_random=False))
def test_cut_anywhere_a_mail_is_the_same(data, random):
    data += b"" if data.endswith(b"\r\n.\r\n") else b".\r\n"
    whole = read(data)
    assert read(data, range(1, len(data))) == whole
    for at in random.sample(range(len(data)), min(len(data), 20)):
        assert read(data, [at]) == whole, at
    cuts = sorted(random.sample(range(len(data)), min(len(data), 3)))
    assert read(data, cuts) == whole, cuts


@settings(max_examples=30)
@given(HOSTILE)
def test_cut_everywhere_a_mail_is_the_same(data):
    data += b".\r\n"
    whole = read(data)
    for at in range(1, len(data)):
        assert read(data, [at]) == whole, at


# ---- the second opinion ----


@settings(max_examples=150)
@given(MAILS)
def test_python_sees_the_same_parts(mail):
    seen = read(stuffed(mail))
    parsed = email.message_from_bytes(mail, policy=email.policy.compat32)
    types, names, encodings = [], [], []
    for each in parsed.walk():
        if each.get("content-type"):
            types.append(each.get_content_type().encode())
        for header, parameter in (("content-disposition", "filename"), ("content-type", "name")):
            value = each.get_param(parameter, None, header)
            if value is not None:
                names.append(email.utils.collapse_rfc2231_value(value).encode())
        encodings.append(
            str(each.get("content-transfer-encoding", "7bit")).strip().lower().encode()
        )
    assert sorted(texts(seen, TYPE)) == sorted(types + names)
    assert sorted(texts(seen, ENCODING)) == sorted(encodings)


@settings(max_examples=100)
@given(MAILS)
def test_lengths_are_those_of_header_and_body(mail):
    header, _, body = mail.partition(b"\r\n\r\n")
    seen = read(stuffed(mail), limits={subject: range(len(mail)) for subject in Subject})
    assert greatest(seen, Subject.HEADER_LENGTH) == len(header) + 2
    assert greatest(seen, Subject.BODY_LENGTH) == len(body)
    assert greatest(seen, Subject.HEADER_LINE_LENGTH) == max(map(len, header.split(b"\r\n")))
    assert greatest(seen, Subject.BODY_LINE_LENGTH) == max(map(len, body.split(b"\r\n")))
    assert greatest(seen, Subject.TO_FIELDS) == 1


# ---- lines ----


@pytest.mark.parametrize(
    ("mail", "header", "body"),
    [
        (b"A: " + b"x" * 30 + b"\r\n\r\n" + b"y" * 40 + b"\r\n", 33, 40),
        (b"A: x\r\n " + b"x" * 30 + b"\r\n\r\n", 31, 0),  # a folded line is two
        (b"A: x\r" + b"y" * 30 + b"\r\n\r\n", 35, 30),  # a bare CR may end a line
        (b"A: x\n" + b"y" * 30 + b"\r\n\r\nz\r\n", 35, 30),  # and so may a bare LF
        (b"A: x\r\nno field here " + b"y" * 30 + b"\r\n", 4, 44),  # no empty line
        (b"\r\n" + b"y" * 30 + b"\r\n", 0, 30),
        (b"A: x\r\n\r\n." + b"y" * 30 + b"\r\n", 4, 30),  # a dot of the transfer
        (b"A: x\r\n" + b"y" * 30 + b"\r\n", 30, 30),  # it could have been a field
        (b"A : x\r\nB: " + b"y" * 30 + b"\r\n\r\n", 33, 0),  # obsolete, but a field
        (b"From a@b Sat\r\nA: " + b"y" * 30 + b"\r\n\r\n", 33, 0),  # of a mailbox
    ],
)
def test_longest_lines(mail, header, body):
    seen = read(mail + b".\r\n", limits={subject: range(100) for subject in Subject})
    assert greatest(seen, Subject.HEADER_LINE_LENGTH) == header
    assert greatest(seen, Subject.BODY_LINE_LENGTH) == body


def test_a_limit_is_passed_at_the_byte_that_passes_it():
    seen = read(b"A: " + b"x" * 30 + b"\r\n\r\n.\r\n", limits={Subject.HEADER_LINE_LENGTH: (10,)})
    passed = [each for each in seen if each.subject is Subject.HEADER_LINE_LENGTH]
    assert [(each.at, each.number, each.complete) for each in passed] == [
        (10, 11, False),
        (36, 11, True),
    ]


def test_fields_named_to_are_counted():
    mail = b"To: a, b\r\nTO : c\r\nX-To: d\r\nTo: e\r\n\r\nTo: f\r\n.\r\n"
    assert greatest(read(mail), Subject.TO_FIELDS) == 3


# ---- parts ----


@pytest.mark.parametrize(
    "fields",
    [
        EXE,
        b"content-DISPOSITION:attachment;FileName = virus.exe ;x=y\r\n",
        b'Content-Disposition: attachment;\r\n filename\r\n =\r\n "virus\r\n .exe"\r\n'.replace(
            b"virus\r\n .exe", b"virus.exe"
        ),
        b"Content-Type: a/b; name=virus.exe\r\n",
        b"Content-Disposition: attachment; filename==?utf-8?B?dmlydXMuZXhl?=\r\n",
        b'Content-Disposition: inline; filename="=?utf-8?Q?vir?=\r\n =?us-ascii?q?us=2Eexe?="\r\n',
        b"Content-Disposition: attachment; filename*=utf-8''virus%2Eexe\r\n",
        b"Content-Disposition: a; filename*1=s.exe; filename*0*=''vi%72u\r\n",
        b"Content-Disposition: attachment; filename=virus.exe",  # the mail ends in the header
        b'Content-Disposition: attachment; x="a;filename=no.exe"; filename=virus.exe\r\n',
        b"Content-Disposition: attachment (a comment); filename=virus.exe\r\n",
        b"Content-Disposition: attachment (; filename=virus.exe\r\n",  # one that never ends
        b'Content-Disposition: attachment ("); filename=virus.exe\r\n',
        b'Content-Disposition: attachment; filename="virus.exe\r\n',
        b"X: y\r\nContent-Disposition : attachment; filename=virus.exe\r\n",
    ],
)
def test_a_file_name_is_seen_however_it_is_written(fields):
    assert b"virus.exe" in kinds(part(fields))
    assert b"virus.exe" in kinds(stuffed(fields + b"\r\n"))


@pytest.mark.parametrize(
    ("fields", "length", "text"),
    [
        (b"filename=" + b"a" * 300, 300, b"a" * 300),
        (b'filename="' + b'\\"' * 30 + b'"', 30, b'"' * 30),
        (b'filename="=?utf-8?B?' + b"w6Q=" * 1 + b'?="', 2, "ä".encode()),
        (b'filename="=?iso-8859-1?Q?=E4=E4?= =?iso-8859-1?Q?=E4?="', 3, "äää".encode()),
        (b"filename*=iso-8859-1'de'%E4" + b"x" * 70, 71, "ä".encode() + b"x" * 70),
        (b"filename*=no-such'de'%E4", 1, b"\xe4"),
        (b'filename="=?no-such?B?w6Q=?="', 2, "ä".encode()),
        (b'filename="=?idna?Q?xn--?="', 4, b"xn--"),
        (b"filename*0=" + b"a" * 200 + b"; filename*1=" + b"b" * 200, 400, None),
        (b"filename=" + b"a" * (MAX_VALUE + 1000), MAX_VALUE + 1000, b"a" * MAX_VALUE),
        (b"".join(b"filename*%d=aaaa; " % n for n in range(500)), 2000, None),
    ],
)
def test_length_and_text_of_a_file_name(fields, length, text):
    seen = read(part(b"Content-Disposition: attachment; " + fields + b"\r\n"))
    assert greatest(seen, NAME) == length
    if text is not None:
        assert text in texts(seen, TYPE)


def test_a_name_that_never_ends_is_long_before_its_end():
    data = b'Content-Type: a/b; name="' + b"x" * (MAX_VALUE + 300)
    message = Message({NAME: (255,)}, parts=True)
    seen = message.feed(data, 0, len(data))
    assert [each.subject for each in seen if each.number == 256] == [NAME]


@pytest.mark.parametrize(
    ("field", "word"),
    [
        (b"Content-Transfer-Encoding: base64", b"base64"),
        (b"content-transfer-encoding:BASE64 (x)", b"base64"),
        (b"Content-Transfer-Encoding: (x) base64", b"base64"),
        (b'Content-Transfer-Encoding: "base64"', b"base64"),
        (b"Content-Transfer-Encoding:\r\n base64", b"base64"),
        (b"X: y", b"7bit"),
    ],
)
def test_encoding(field, word):
    assert word in texts(read(part(field + b"\r\n")), ENCODING)


@pytest.mark.parametrize(
    "mail",
    [
        b"Content-Type: multipart/mixed; boundary=b\r\n--b\r\n" + EXE,  # no empty line
        b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b \t\r\n" + EXE,
        b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b--\r\n--b\r\n" + EXE,
        b"Content-Type: multipart/mixed; boundary=x\r\n"
        b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n" + EXE,
        b"Content-Type: multipart/mixed; boundary=b\r\nContent-Type: text/plain\r\n\r\n--b\r\n"
        + EXE,
        b"Content-Type: multipart/mixed; boundary=x; boundary=b\r\n\r\n--b\r\n" + EXE,
        b"Content-Type: multipart/mixed; boundary*0=b; boundary*1=c\r\n\r\n--bc\r\n" + EXE,
        b"Content-Type: multipart/mixed; boundary=b (c)\r\n\r\n--b\r\n" + EXE,
        b'Content-Type: multipart/mixed; boundary="b c"\r\n\r\n--b c\r\n' + EXE,
        b'Content-Type: multipart/mixed; boundary="b:c"\r\n\r\n--b:c\r\n' + EXE,
        b'Content-Type: multipart/mixed; boundary=".b"\r\n\r\n--.b\r\n' + EXE,
        b"Content-Type: multipart/mixed; boundary="
        + b"b" * 900
        + b"\r\n\r\n--"
        + b"b" * 900
        + b"\r\n"
        + EXE,
        b"Content-Type: multipart/mixed; boundary=a\r\n\r\n--a\r\n"
        b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nx\r\n--a\r\n" + EXE,
        b"Content-Type: message/rfc822\r\n\r\nSubject: x\r\n" + EXE,
        b"Content-Type: multipart/digest; boundary=b\r\n\r\n--b\r\n\r\n" + EXE,
        b"Content-Type: message/rfc822\r\n\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
        b"--b\r\n" + EXE,
        b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\n" + EXE,  # as some servers read
        b"Content-Type: multipart/mixed; boundary=b\n\n--b\n" + EXE,
        b"Content-Type: multipart/mixed; boundary=b\r\r--b\r" + EXE,
        b"X: y\rContent-Type: multipart/mixed; boundary=b\n\n--b\n" + EXE,
        # A line need only begin like a boundary (RFC 2046, section 5.1.1).
        b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--bc\r\n" + EXE,
        b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b c\r\n" + EXE,
        b'Content-Type: multipart/mixed; boundary=""\r\n\r\n--\r\n' + EXE,
        # An encoded word is none in a boundary.
        b'Content-Type: multipart/mixed; boundary="=?x?q?b?="\r\n\r\n--=?x?q?b?=\r\n' + EXE,
        # It must not be encoded, and Python reads it as if it were not.
        b"Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\n" + EXE,
        b"Content-Type: multipart / mixed; boundary=b\r\n\r\n--b\r\n" + EXE,
        b"Content-Type: multipart/mixed;\v boundary\f=\vb\r\n\r\n--b\r\n" + EXE,
        b"Content-Type: multipart/mixed"
        + b"".join(b"; boundary=%d" % n for n in range(9))
        + b"; boundary=b\r\n\r\n--b\r\n"
        + EXE,
        b"Content-Type: multipart/mixed; boundary=b\r\n"
        + b"".join(b"Content-Type: a/%d\r\n" % n for n in range(9))
        + b"\r\n--b\r\n"
        + EXE,
    ],
)
def test_a_part_is_found_however_it_is_hidden(mail):
    assert b"virus.exe" in kinds(stuffed(mail + b"\r\n"))


@pytest.mark.parametrize(
    "mail",
    [
        b"Subject: x\r\n\r\n" + EXE,
        b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + EXE,
        b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\n" + EXE,
        b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b--\r\n" + EXE,
        b"Content-Type: text/plain; boundary=b\r\n\r\n--b\r\n" + EXE,
        b"X-Content-Disposition: attachment; filename=virus.exe\r\n\r\n",
        b"Content-Disposition: attachment; x-filename=virus.exe\r\n\r\n",
        b"Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\nx\r\n" + EXE,
    ],
)
def test_text_is_no_part(mail):
    assert b"virus.exe" not in kinds(stuffed(mail))


@pytest.mark.parametrize(
    "mail",
    [
        b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nX: y\r\n\r\n--bc\r\nx: y\r\n",
        b"Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\nx\r\n",
    ],
)
def test_what_may_be_a_part_says_nothing_by_what_it_leaves_out(mail):
    seen = read(stuffed(mail), limits={})
    encodings = 1 + mail.count(b"--b\r\n")
    assert len(texts(seen, ENCODING)) == encodings
    assert len([each for each in seen if each.subject is TYPE and each.complete]) == encodings


def test_parts_are_found_however_deep():
    for depth in (1, MAX_DEPTH - 1, MAX_DEPTH, MAX_DEPTH + 1, 3 * MAX_DEPTH):
        mail = b"".join(
            b"Content-Type: multipart/mixed; boundary=d%d\r\n\r\n--d%d\r\n" % (n, n)
            for n in range(depth)
        )
        assert b"virus.exe" in kinds(stuffed(mail + EXE + b"\r\n")), depth


# ---- memory ----


def size(thing: object, known: set[int]) -> int:
    """Bytes that an object takes with all inside it."""
    if id(thing) in known:
        return 0
    known.add(id(thing))
    total = sys.getsizeof(thing)
    slots = [name for kind in type(thing).__mro__ for name in getattr(kind, "__slots__", ())]
    inside: list[object] = [getattr(thing, name, None) for name in slots]
    if isinstance(thing, dict):
        inside += [*thing.keys(), *thing.values()]
    elif isinstance(thing, list | tuple | set | frozenset):
        inside += thing
    return total + sum(size(each, known) for each in inside)


def test_a_piece_that_begins_with_a_line_feed():
    message = Message({Subject.BODY_LENGTH: (9,)}, parts=False)
    seen = [
        each for piece in (b"\r\nVRFY\r\n", b"\nxyz") for each in message.feed(piece, 0, len(piece))
    ]
    assert greatest(seen, Subject.BODY_LENGTH) == 10


ENDLESS = {
    "line": (b"", b"x"),
    "field": (b"A: ", b"x"),
    "name of a field": (b"", b"xyz"),
    "parameters": (b"Content-Type: a/b", b"; name=x; filename*0=y; boundary*1=z; q=w"),
    "pieces": (b"Content-Type: a/b", b"; name*1=aaaaaaaaaaaaaaaaaaaaaaaa; name*22*=%41"),
    "value": (b'Content-Type: a/b; name="', b"x"),
    "name of a parameter": (b"Content-Type: a/b; ", b"x"),
    "comment": (b"Content-Type: ", b"("),
    "fields": (b"", b"Content-Type: multipart/mixed; boundary=b\r\n"),
    "boundaries": (
        b"Content-Type: multipart/mixed; boundary=b\r\n\r\n",
        b"--b\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n",
    ),
    "messages": (b"", b"Content-Type: message/rfc822\r\n\r\n"),
    "line like a boundary": (b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b", b" "),
    "line ends": (b"", b"\n\r\r\n"),
    "dots": (b"\r\n", b"..\r\n"),
}


@pytest.mark.parametrize(("head", "again"), ENDLESS.values(), ids=ENDLESS)
def test_memory_is_bounded(head, again):
    message = Message(LIMITS, parts=True)
    message.feed(head, 0, len(head))
    sizes = []
    for _ in range(4):
        piece = again * (20_000 // len(again))
        message.feed(piece, 0, len(piece))
        sizes.append(size(message, set()))
    assert sizes[3] <= sizes[1] + 100
    assert sizes[3] < MEMORY


def test_memory_of_the_deepest_mail():
    boundary = "n" * (MAX_BOUNDARY - 4)
    mail = "".join(
        f"Content-Type: multipart/mixed; boundary={boundary}{n}; boundary=a{boundary}{n}\r\n\r\n"
        f"--{boundary}{n}\r\n"
        for n in range(2 * MAX_DEPTH)
    ).encode()
    mail += b"\r\n\n\r" + mail
    message = Message(LIMITS, parts=True)
    message.feed(mail, 0, len(mail))
    assert size(message, set()) < MEMORY
    assert size(deepcopy(message), set()) < MEMORY
