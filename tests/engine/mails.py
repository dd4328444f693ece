"""Mails made up for tests, and how the scanner reads them in every cut."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from hypothesis import strategies as st

from appliance.smtp.esmtp_map import Subject
from appliance.smtp.message import MAX_DEPTH, Message
from appliance.smtp.observation import Observation

END = b".\r\n"
MEMORY = 150_000
"""Bytes that the reading of one mail never takes, whatever it says (docs/limits.md)."""

LIMITS = dict.fromkeys(Subject, (5, 20, 60))
"""Low ones, so that small mails pass them."""


def read(
    data: bytes, cuts: Iterable[int] = (), limits: Mapping[Subject, Iterable[int]] | None = None
) -> list[Observation]:
    """What is seen in a mail, with indexes counted from its first byte.

    Args:
        data: the mail as it is transferred, its end included.
        cuts: where it is cut.
        limits: what its lengths are compared with; `LIMITS` if not told.
    """
    message = Message(LIMITS if limits is None else limits, parts=True)
    seen: list[Observation] = []
    ends = [*cuts, len(data)]
    for start, end in zip([0, *ends], ends, strict=False):
        piece = data[start:end]
        seen += [each._replace(at=each.at + start) for each in message.feed(piece, 0, len(piece))]
    return seen + message.finish(len(data) - 1)


def texts(seen: Iterable[Observation], subject: Subject) -> list[bytes]:
    """What was seen of a subject that is no number, in order."""
    return [
        text
        for each in seen
        if each.subject is subject and (not each.complete or subject is Subject.ENCODING)
        for text in each.texts
    ]


def greatest(seen: Iterable[Observation], subject: Subject) -> int:
    """How much there was of a subject that is a number."""
    return max((each.number for each in seen if each.subject is subject), default=0)


def stuffed(text: bytes) -> bytes:
    """A mail as it is transferred: with its dots doubled, and its end (RFC 5321, section 4.5.2)."""
    lines = text.split(b"\r\n")
    return b"\r\n".join(b"." + line if line.startswith(b".") else line for line in lines) + END


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a mail, or a mail.

    Args:
        fields: its header, in whole lines.
        inner: what is inside it: bytes in whole lines, or parts.
        boundary: of a multipart.
    """

    fields: bytes
    inner: bytes | tuple[Part, ...]
    boundary: bytes = b""

    def encoded(self) -> bytes:
        """The part as it is written."""
        if isinstance(self.inner, bytes):
            return self.fields + b"\r\n" + self.inner
        if not self.boundary:
            return self.fields + b"\r\n" + self.inner[0].encoded()
        start = b"--" + self.boundary
        parts = b"".join(start + b"\r\n" + part.encoded() for part in self.inner)
        return self.fields + b"\r\npreamble\r\n" + parts + start + b"--\r\nepilogue\r\n"


_LINES = st.lists(
    st.sampled_from([b"text", b"", b".", b"..", b"--", b"--b", b"-- ", b"x" * 70, b"a: b"]),
    max_size=4,
).map(lambda lines: b"".join(line + b"\r\n" for line in lines))
_NAMES = st.sampled_from(
    [
        b'attachment; filename="a b.exe"',
        b"attachment; filename=plain.txt",
        b"inline;\r\n filename=folded.txt; size=3",
        b"attachment; filename*=utf-8''%e2%82%ac.pdf",
        b'attachment; filename*0="one-"; filename*1=two;\r\n\tfilename*2*=%2ebin',
        b"attachment; filename*1*=%20b; filename*0*=iso-8859-1'en'%e4",
    ]
)
_ENCODINGS = st.sampled_from([b"7bit", b"8bit", b"BASE64", b"Quoted-Printable", b"x-odd"])


@st.composite
def _leaf(draw: st.DrawFn) -> Part:
    fields = b""
    if draw(st.booleans()):
        fields += b"Content-Type: application/x-y; name=n.txt\r\n"
    if draw(st.booleans()):
        fields += b"content-disposition: " + draw(_NAMES) + b"\r\n"
    if draw(st.booleans()):
        fields += b"Content-Transfer-Encoding:  " + draw(_ENCODINGS) + b"\r\n"
    if not fields:
        fields = b"X-Nothing: here\r\n"
    return Part(fields, draw(_LINES))


def _multipart(inner: st.SearchStrategy[Part]) -> st.SearchStrategy[Part]:
    def build(parts: list[Part], boundary: bytes, kind: bytes, quoted: bool) -> Part:
        # A boundary of its own, since one inside another's parts would end those.
        own = boundary + b"%d" % (1 + max(map(_depth, parts)))
        written = b'"' + own + b'"' if quoted else own
        fields = b"Content-Type: multipart/" + kind + b";\r\n boundary=" + written + b"\r\n"
        return Part(fields, tuple(parts), own)

    return st.builds(
        build,
        st.lists(inner, min_size=1, max_size=3),
        st.sampled_from([b"b", b"=_next", b"a.b'c"]),
        st.sampled_from([b"mixed", b"alternative"]),
        st.just(True),
    )


def _enclosing(inner: st.SearchStrategy[Part]) -> st.SearchStrategy[Part]:
    return inner.map(lambda part: Part(b"Content-Type: message/rfc822\r\n", (part,)))


def _depth(part: Part) -> int:
    return 0 if isinstance(part.inner, bytes) else 1 + max(map(_depth, part.inner))


PARTS = st.recursive(
    _leaf(), lambda inner: st.one_of(_multipart(inner), _enclosing(inner)), max_leaves=6
)
"""Parts that are well formed."""

MAILS = PARTS.map(lambda part: b"From: a\r\nTo: b\r\nSubject: x\r\n\ty\r\n" + part.encoded())
"""Mails that are well formed."""

_PIECES = [
    b"\r\n", b"\n", b"\r", b".", b"--b", b"--", b" ", b"\t", b"a", b":", b"x" * 10, b"\0", b"\xe4",
    b"\r\n\r\n", b"\r\n--b\r\n", b"\r\n--b--\r\n", b"\r\n.", b"(", b")", b'"', b"\\", b";", b"=",
    b"To: a\r\n", b"to :", b"Content-Type: multipart/mixed; boundary=b\r\n",
    b"Content-Type: multipart/digest; boundary*0=b\r\n", b"Content-Type: message/rfc822\r\n\r\n",
    b'Content-Disposition: attachment; filename="abcdefghij.exe"\r\n', b"From a@b\r\n",
    b"filename*0=ab; ", b"filename*1*=%41%42;", b"=?utf-8?B?w6Q=?=", b"=?x?q?=41_?=",
    b"Content-Transfer-Encoding: base64\r\n", b"\r\nname*=us-ascii''%",
]  # fmt: skip
HOSTILE = st.lists(st.sampled_from(_PIECES), max_size=30).map(lambda all_: b"".join(all_) + b"\r\n")
"""Mails that are not."""

_HEADERS = [
    b"\r\n",
    b"Content-Type: multipart/mixed; boundary=b\r\n\r\n",
    b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n"
    b"Content-Type: multipart/digest; boundary=bb\r\n\r\n",
    b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n" * (MAX_DEPTH + 1),
]
_LINES_OF_ANY_KIND = [
    b"\r\n", b"\r\n", b"\n", b"\r", b"a\r\n", b"x" * 5 + b"\r\n", b"x" * 6 + b"\r\n", b"x" * 70,
    b".." + b"x" * 20 + b"\r\n",
    b".\r\n", b"..\r\n", b".", b"--b\r\n", b"--b--\r\n", b".--b \r\n", b"--bb\r\n", b"--", b"-",
    b"--x\r\n", b"a: b\r\n", b"name=", b" ",
]  # fmt: skip
BODIES = st.tuples(
    st.sampled_from(_HEADERS), st.lists(st.sampled_from(_LINES_OF_ANY_KIND), max_size=40)
).map(lambda mail: mail[0] + b"".join(mail[1]) + b"\r\n")
"""Mails of which most is body, as much of it as the scanner may pass over at once."""
