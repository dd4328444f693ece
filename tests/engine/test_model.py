"""Random dialogues: the engine against the slow model of each release."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.smtp.release import ANSWERS, RELEASES, Blocked, Bug
from tests.engine.feeding import Case
from tests.wire import Wire

line = st.sampled_from(
    [
        b"HELO x\r\n", b"HELO\r\n", b"EHLO x\r\n", b"MAIL FROM:<a@b>\r\n", b"rcpt to:<c@d>\r\n",
        b"DATA\r\n", b"DATA\r\n", b"RSET\r\n", b"VRFY root\r\n", b"AUTH LOGIN\r\n", b"NOOP x\r\n",
        b"WIZ\r\n", b"AB cd\r\n", b"\r\n", b" NOOP\r\n", b"goodmorning\r\n", b"STARTTLS\r\n",
        b"BDAT 3 LAST\r\n", b"N\xc3OP\r\n", b"NO\0P x\r\n", b"QUIT\nVRFY x\r\n", b".\r\n",
        b"NOOP \0x\r\n", b"MAILX\r\n",
    ]
)  # fmt: skip
scrap = st.sampled_from(
    [
        b"H",
        b"HE",
        b"LO",
        b"VR",
        b"FY",
        b" x",
        b"\r",
        b"\n",
        b"\r\n",
        b".",
        b"\0",
        b"X",
        b"\xe9",
        b"DA",
        b"TA",
    ]
)
address = st.sampled_from([b"MAIL FROM:<a|b>\r\n", b"RCPT TO:<<x>>\r\n", b"MAIL FROM:a>b\r\n"])
replies = st.sampled_from(
    [
        b"250 ok\r\n",
        b"250-mx\r\n250-SIZE 10\r\n250-STARTTLS\r\n250-AUTH=LOGIN\r\n250 HELP\r\n",
        b"500 no\r\n",
        b"220 go\r\n",
        b"354 go\r\n",
        b"354 go\r\n",
        b"334 VXNl\r\n",
    ]
)
greetings = st.sampled_from(
    [b"220 mx 2.0 ready 10 \r\n", b"220-a 2 0 b\r\n220 c 20 d\r\n", b"554 no 2\r\n"]
)


names = st.frozensets(st.sampled_from(Bug))


def cut(data: st.DataObject, text: bytes) -> list[bytes]:
    """A text in segments, most often in one."""
    places = st.frozensets(st.integers(1, len(text) - 1), max_size=3)
    marks = sorted({0, *data.draw(st.just(frozenset()) | places), len(text)})
    return [text[start:end] for start, end in pairwise(marks)]


@pytest.mark.parametrize("stream", [False, True], ids=["row", "stream"])
@pytest.mark.parametrize("name", RELEASES)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_engine_agrees_with_the_slow_model(name, stream, data):
    case = Case(
        "",
        (),
        name,
        blocked=data.draw(st.none() | st.sampled_from(Blocked)),
        tls=RELEASES[name].may_allow_tls and data.draw(st.booleans()),
        bugs=data.draw(st.just(frozenset()) | names),
        resets=data.draw(st.booleans()),
    )
    release, model = case.traits(stream), case.model(stream)
    wire = Wire(release).handshake()
    parts = st.one_of(line, scrap, address)
    segments = st.one_of(line, scrap, st.lists(parts, min_size=1, max_size=5).map(b"".join))
    greeting = data.draw(greetings)
    wire.server(greeting)
    model.reply(greeting)
    for _ in range(data.draw(st.integers(1, 25))):
        if data.draw(st.booleans()):
            text = data.draw(segments)
            forwarded = model.segment(text)
            assert wire.segment(True, wire.client_sent, text).forward is forwarded
            wire.client_sent += len(text) * forwarded
        else:
            for piece in cut(data, data.draw(replies)):
                wire.server(piece)
                model.reply(piece)
        held = model.mail is not None and release.blocked in ANSWERS
        if not held:  # what was taken in goes on with the mail's next bytes
            assert wire.received(True) == model.forwarded
        assert wire.received(False) == model.to_client
