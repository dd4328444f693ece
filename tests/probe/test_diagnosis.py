"""What a session tells, without a network: each release, published examples, any server."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.probe.candidate import CANDIDATES, NO_FIREWALL, Candidate
from appliance.probe.diagnosis import Verdict, diagnose
from appliance.probe.reply import Exchange, Question, Reply, Session
from appliance.smtp.release import RELEASES, Greeting, Release
from tests.probe.path import ONE_LINE, SERVERS, Server, conversation, reply

FAMILIES = {
    "4.0 to 4.1": ("4.0", "4.1"),
    "4.2 to 4.3": ("4.2", "4.3"),
    "4.4": ("4.4",),
    "5.0": ("5.0",),
    "5.1 to 6.3, fwsm-3": ("5.1", "5.2", "5.3", "6.0", "6.1", "6.2", "6.3", "fwsm-3"),
    "7.0 to 9.x": ("7.0", "7.1", "7.2", *(f"8.{minor}" for minor in range(8)), "9.x"),
    "fwsm-2": ("fwsm-2",),
}
FAMILY = {name: family for family, names in FAMILIES.items() for name in names}

STARS_ALONE = {
    "4.4": {"4.4"},
    "5.0": {"5.0", "5.1 to 6.3, fwsm-3"},
    "7.0": {"7.0 to 9.x"},
}
"""What is left of a greeting without 2 and 0 in its text."""


def of(release: Release) -> Candidate:
    [candidate] = [each for each in CANDIDATES if each.release == release]
    return candidate


def labels(session: Session) -> set[str]:
    return {str(candidate) for candidate in diagnose(session).candidates}


def test_every_release_has_a_family():
    assert set(FAMILY) == set(RELEASES)


@pytest.mark.parametrize("server", SERVERS)
@pytest.mark.parametrize("name", RELEASES)
def test_every_release_is_named_behind_a_greeting_of_two_lines(name, server):
    diagnosis = diagnose(conversation(SERVERS[server], RELEASES[name]))
    assert [str(each) for each in diagnosis.candidates] == [FAMILY[name]]
    assert name in diagnosis.candidates[0].names
    assert diagnosis.verdict is Verdict.MAILGUARD
    assert diagnosis.conclusion == f"There is a Mailguard in the path: {FAMILY[name]}."


@pytest.mark.parametrize("server", SERVERS)
@pytest.mark.parametrize("name", RELEASES)
def test_every_release_is_among_those_named_behind_a_greeting_of_one_line(name, server):
    found = labels(conversation(replace(SERVERS[server], greeting=ONE_LINE), RELEASES[name]))
    assert found == STARS_ALONE.get(name, {FAMILY[name]})


@pytest.mark.parametrize("server", SERVERS)
@pytest.mark.parametrize("greeting", [ONE_LINE, b"220-a\r\n220 b\r\n", b"220 \r\n", b"554 no\r\n"])
def test_none_is_seen_where_there_is_none(server, greeting):
    diagnosis = diagnose(conversation(replace(SERVERS[server], greeting=greeting), None))
    assert diagnosis.candidates == (NO_FIREWALL,)
    assert diagnosis.verdict is Verdict.NONE
    assert diagnosis.conclusion == "No Mailguard is seen in the path."


SETTINGS = {
    ("allow-tls",): RELEASES["8.4"].allowing_tls(),
    ("no mask-banner",): replace(RELEASES["8.4"], greeting=Greeting.UNTOUCHED),
    ("allow-tls", "no mask-banner"): replace(
        RELEASES["8.4"], greeting=Greeting.UNTOUCHED
    ).allowing_tls(),
}


@pytest.mark.parametrize("settings", SETTINGS)
def test_settings_of_a_map_are_named(settings):
    [candidate] = diagnose(conversation(SERVERS["sendmail"], SETTINGS[settings])).candidates
    assert candidate.settings == settings
    assert str(candidate) == f"7.2 to 9.x with {' and '.join(settings)}"


def greeted(*lines: bytes) -> Session:
    return Session(Reply(lines))


PUBLISHED_GREETINGS = {
    # Microsoft KB 320027, its two lines joined, the blank after 220 put back.
    b"220 " + b"*" * 55 + b"0*2******0" + b"*" * 23 + b"2002*******2***0*00": {"5.1"},
    # Microsoft KB 295725.
    b"220 *********0" + b"*" * 77 + b"2*************": {"5.1"},
    # blogs.technet.com/pamal, 2008.
    b"220 ****2" + b"*" * 36: {"5.1"},
    # gordano.com, one line and two; of the second the code is gone.
    b"220 " + b"*" * 82: {"4.4", "5.0", "5.1", "7.0"},
    b"220-" + b"*" * 49 + b"\n" + b"*" * 88: {"4.4", "5.0"},
    # zimmerman.io, 2014.
    b"220 " + b"*" * 36: {"4.4", "5.0", "5.1", "7.0"},
    # nmap-service-probes, ArGoSoft: the codes of both lines are there.
    b"220-" + b"*" * 89 + b"\n220 " + b"*" * 32: {"5.1", "7.0"},
    # recog, smtp_banners.xml.
    b"220 SMTP/cmap ready" + b"_" * 72: {"4.0", "4.2"},
    # Postfix, smtp-sink.c.
    b"220 ********": {"4.4", "5.0", "5.1", "7.0"},
}


@pytest.mark.parametrize("greeting", PUBLISHED_GREETINGS)
def test_published_greetings(greeting):
    diagnosis = diagnose(greeted(*greeting.split(b"\n")))
    assert {each.names[0] for each in diagnosis.candidates} == PUBLISHED_GREETINGS[greeting]
    assert diagnosis.verdict is Verdict.MAILGUARD


PLAIN = (
    b"220 mail.example.com ESMTP",
    b"220 SMTP",  # not what 4.x makes of a greeting, though its mask would leave it as it is
    b"220 *** welcome ***",
)


@pytest.mark.parametrize("greeting", PLAIN)
def test_a_greeting_in_plain_text_is_no_sign_of_a_firewall(greeting):
    diagnosis = diagnose(greeted(greeting))
    assert NO_FIREWALL in diagnosis.candidates
    assert diagnosis.verdict is Verdict.UNCLEAR  # nothing more was said


def ehlo(*lines: bytes) -> Session:
    exchange = Exchange(Question.EHLO, b"EHLO x", Reply(lines))
    return Session(Reply((b"220 ********",)), (exchange,))


PUBLISHED_REPLIES = {
    # Ubuntu forums, 2013: sendmail.
    b"250-mail pleased to meet you\n250-ENHANCEDSTATUSCODES\n250-PIPELINING\n250-8BITMIME\n"
    b"250-SIZE\n250-DSN\n250-ETRN\n250-AUTH DIGEST-MD5 CRAM-MD5\n250-XXXXXXXXA\n250 XXXB": (),
    # zimmerman.io, 2014: Postfix.
    b"250-metagross\n250-PIPELINING\n250-SIZE 10240000\n250-VRFY\n250-ETRN\n250-XXXXXXXA\n"
    b"250-ENHANCEDSTATUSCODES\n250-8BITMIME\n250 DSN": (),
    # nmap-service-probes, 2010: ArGoSoft.
    b"250-Welcome [host], nice to meet you...\n250-AUTH=LOGIN\n250-AUTH LOGIN\n250-SIZE 1\n"
    b"250-DSN\n250-ETRN\n250 XXXA": (),
    # Notes on GitHub: TLS allowed.
    b"250-host Hello client\n250-STARTTLS\n250-PIPELINING\n250-8BITMIME\n250 XXXA": ("allow-tls",),
    # Cisco document 118550.
    b"250-host\n250-8BITMIME\n250-SIZE 14680064\n250 XXXXXXXA": (),
    # The letter needs the line's end in the same segment.
    b"250-host\n250-8BITMIME\n250 XXXXXXXX": (),
}


@pytest.mark.parametrize("text", PUBLISHED_REPLIES)
def test_published_replies_to_ehlo(text):
    [candidate] = diagnose(ehlo(*text.split(b"\n"))).candidates
    assert candidate.release is not None
    assert candidate.release.ehlo_keywords
    assert candidate.settings == PUBLISHED_REPLIES[text]


@pytest.mark.parametrize(
    "lines",
    [
        (b"250-host", b"250-CHUNKING", b"250 DSN"),  # would be masked
        (b"250-host", b"250-XXXB", b"250 XXXA"),  # letters count upwards
    ],
)
def test_a_reply_to_ehlo_that_no_release_leaves_contradicts_a_masked_greeting(lines):
    diagnosis = diagnose(ehlo(*lines))
    assert diagnosis.candidates == ()
    assert diagnosis.verdict is Verdict.UNCLEAR
    assert diagnosis.conclusion.startswith("No release does all of this")


ALL = {"4.0", "4.2", "4.4", "5.0", "5.1", "7.0", "fwsm-2", "none"}
MASKING = {"4.2", "4.4", "5.0", "5.1"}
"""Releases that mask EHLO, HELP and VRFY."""

EVIDENCE: list[tuple[dict[str, str], set[str]]] = [
    ({}, ALL),
    ({"NONSENSE": "500 no"}, ALL - {"4.0", "fwsm-2"}),
    ({"NONSENSE": "250 OK"}, {"4.0", "fwsm-2"}),
    ({"NONSENSE": "500 Goodmorning?"}, {"none"}),
    ({"NONSENSE": "500 XXXXXXXXXXX?"}, MASKING | {"7.0"}),
    ({"NONSENSE": "500 XXXXXXXXXXXX?"}, ALL - {"4.0", "fwsm-2"}),
    ({"NONSENSE": "500 XXXX?"}, ALL - {"4.0", "fwsm-2"}),
    ({"EHLO": "502 XXXX?"}, MASKING),
    ({"EHLO": "502 no"}, ALL - {"4.0", "fwsm-2"}),
    ({"EHLO": "250 OK"}, ALL - MASKING),
    ({"EHLO": "250-mail\n250-CHUNKING\n250 HELP"}, {"none"}),
    ({"EHLO": "250-mail\n250-XXXXXXXA\n250 XXXB"}, {"7.0"}),
    ({"EHLO": "250-mail\n250 DSN"}, {"7.0", "none"}),
    ({"NONSENSE": "500 no", "HELP": "214 commands"}, {"7.0", "none"}),
    ({"NONSENSE": "500 no", "VRFY": "252 maybe"}, {"7.0", "none"}),
    ({"NONSENSE": "500 no", "EXPN": "550 no"}, {"none"}),
    ({"NONSENSE": "500 no", "BARE_HELO": "501 no"}, {"4.2", "4.4", "7.0", "none"}),
    ({"NONSENSE": "500 no", "BARE_HELO": "500 no"}, {"5.0", "5.1"}),
    ({"NONSENSE": "500 no", "BARE_HELO": "500 syntax"}, MASKING | {"7.0", "none"}),
    (
        {"NONSENSE": "500 no", "EHLO": "500 no", "HELP": "500 no", "VRFY": "500 no"},
        MASKING | {"none"},
    ),
    ({"NOOP": "250 OK", "HELP": "214-a\n214 b"}, ALL - {"fwsm-2"}),
    ({"NOOP": "250 OK", "HELP": "250-a\n250 b"}, ALL - {"fwsm-2"}),
    ({"NOOP": "250 OK", "HELP": "250 OK"}, ALL),
    ({"SHORT": "250 OK"}, {"4.0"}),
    ({"SHORT": "500 no"}, ALL - {"4.0"}),
]
"""Replies behind a greeting that tells nothing, and what may stand in the path."""


@pytest.mark.parametrize(("said", "left"), EVIDENCE, ids=lambda value: str(value)[:60])
def test_each_piece_of_evidence(said, left):
    exchanges = tuple(
        Exchange(Question[name], b"", Reply(tuple(text.encode("ascii").split(b"\n"))))
        for name, text in said.items()
    )
    candidates = diagnose(Session(Reply((b"554 no mail today",)), exchanges)).candidates
    assert {each.names[0] if each.names else "none" for each in candidates} == left


def test_the_vector_of_a_groupwise_server_behind_5_0():
    """The smtpscan list: bare HELO and all but NOOP draw 500; directly, bare HELO draws 250."""
    codes = {
        Question.EHLO: b"500",
        Question.HELO: b"250",
        Question.BARE_HELO: b"500",
        Question.NONSENSE: b"500",
        Question.NOOP: b"250",
        Question.HELP: b"500",
        Question.VRFY: b"500",
        Question.EXPN: b"500",
    }
    said = {question: Reply((code + b" text",)) for question, code in codes.items()}

    def session(**changed: bytes) -> Session:
        replies = said | {Question[name]: Reply((text,)) for name, text in changed.items()}
        return Session(
            Reply((b"220 ****",)),
            tuple(Exchange(question, b"", reply) for question, reply in replies.items()),
        )

    assert labels(session()) == {"5.0", "5.1 to 6.3, fwsm-3"}
    assert labels(session(BARE_HELO=b"250 hello")) == {"4.4"}


def test_a_server_that_imitates_the_greeting_alone_is_not_taken_for_a_firewall():
    """As Postfix's smtp-sink -P does."""
    server = Server(
        b"220 ********\r\n",
        {b"HELO": b"250 smtp-sink\r\n", b"NOOP": b"250 Ok\r\n", b"VRFY": b"250 Ok\r\n"},
        b"500 5.5.1 Error: unknown command\r\n",
    )
    diagnosis = diagnose(conversation(server, None))
    assert diagnosis.verdict is Verdict.UNCLEAR
    assert "imitates" in diagnosis.conclusion


def test_a_server_that_accepts_anything_is_not_taken_for_a_firewall():
    diagnosis = diagnose(conversation(Server(ONE_LINE, {}, b"250 OK\r\n"), None))
    assert diagnosis.verdict is Verdict.UNCLEAR
    assert diagnosis.candidates == ()


def test_a_masked_line_that_a_server_hangs_up_on_tells_nothing_of_the_command():
    unusable = Exchange(Question.EXPN, b"EXPN x", Reply((b"554 too many",)), closed=True)
    session = conversation(SERVERS["exim"], RELEASES["6.3"])
    assert labels(replace(session, exchanges=(*session.exchanges, unusable))) == labels(session)
    busy = replace(unusable, reply=Reply((b"421 busy",)), closed=False)
    assert labels(replace(session, exchanges=(busy, *session.exchanges))) == labels(session)


PRINTABLE = st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=40)
NO_STAR = PRINTABLE.map(lambda text: text.replace("*", "x"))
REPLIES = st.sampled_from([b"214", b"250", b"252", b"500", b"501", b"502", b"550"])


@st.composite
def servers(draw: st.DrawFn) -> Server:
    texts = draw(st.lists(NO_STAR, min_size=1, max_size=3))
    last = len(texts) - 1
    greeting = "".join(
        f"220{' ' if at == last else '-'}{text}\r\n" for at, text in enumerate(texts)
    )
    unknown = draw(st.sampled_from([b"500", b"502"]))
    keywords = st.sampled_from(["STARTTLS", "SIZE 100", "HELP", "X-A B", "DSN", "AUTH=LOGIN"])
    extensions = draw(st.lists(keywords, max_size=5))
    hello = ["250-mail", *(f"250-{each}" for each in extensions)]
    hello[-1] = hello[-1].replace("-", " ", 1)
    known = {
        b"EHLO": "".join(f"{line}\r\n" for line in hello).encode("ascii"),
        b"HELO": draw(st.sampled_from([b"501 a name, please\r\n", b"250 welcome\r\n"])),
        b"HELO [127.0.0.1]": b"250 mail\r\n",
        b"NOOP": b"250 nothing\r\n",
        b"QUIT": b"221 bye\r\n",
    }
    for verb in (b"HELP", b"VRFY", b"EXPN"):
        known[verb] = draw(REPLIES) + b" as asked\r\n"
    return Server(
        greeting.encode("ascii"),
        known,
        unknown + draw(st.sampled_from([b" what is %s?\r\n", b" unknown\r\n"])),
        draw(st.integers(2, 20)),
    )


@given(server=servers(), name=st.sampled_from(sorted(RELEASES)))
def test_the_release_in_the_path_is_always_among_those_named(server, name):
    diagnosis = diagnose(conversation(server, RELEASES[name]))
    assert name in {each for candidate in diagnosis.candidates for each in candidate.names}
    assert diagnosis.verdict is not Verdict.NONE


@given(server=servers())
def test_no_firewall_is_never_taken_for_one(server):
    diagnosis = diagnose(conversation(server, None))
    assert NO_FIREWALL in diagnosis.candidates
    assert diagnosis.verdict is not Verdict.MAILGUARD


LINE = st.binary(max_size=30).map(lambda line: line.replace(b"\n", b""))
ANY_REPLY = st.builds(
    lambda code, lines: Reply(tuple(code + line for line in lines)),
    st.sampled_from([b"220 ", b"250-", b"500 ", b"", b"220"]),
    st.lists(LINE, min_size=1, max_size=4),
)
ANY_EXCHANGE = st.builds(
    Exchange, st.sampled_from(Question), st.just(b""), st.none() | ANY_REPLY, st.booleans()
)


@given(
    greeting=ANY_REPLY.filter(lambda reply: reply.code),
    exchanges=st.lists(ANY_EXCHANGE, max_size=9),
)
def test_whatever_is_said_is_judged_in_printable_words(greeting, exchanges):
    diagnosis = diagnose(Session(greeting, tuple(exchanges)))
    for text in (diagnosis.conclusion, *(each.text for each in diagnosis.observations)):
        assert text.isascii()
        assert text.isprintable()


def test_replies_are_complete_with_their_last_line():
    assert reply(b"250-a\r\n250 b\r\n").complete
    assert reply(b"250\r\n").complete
    assert not reply(b"250-a\r\n").complete
    assert not reply(b"220-***\r\n***\r\n").complete
    assert not Reply(()).complete
