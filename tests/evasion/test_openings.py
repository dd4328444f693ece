"""Handshakes that are none, and data that does not wait for one."""

from __future__ import annotations

from appliance.smtp.release import Release
from tests.evasion.case import HOSTILE, assert_unharmed, case, come_back, greet, send_mail
from tests.evasion.path import Path, altered
from tests.wire import ACK, CLIENT_START, FIN, PSH, RST, SERVER_START, SYN, packet

COOKIE = b"\x22\x0aabcdefgh\x01\x01"
OTHER_START = 77_000

EMBRYONIC, ESTABLISHED = 64.0, 3700.0
"""Seconds after which a connection is forgotten."""
FIRST = "the first copy that passed"


def resume(path: Path, text: bytes, release: Release) -> None:
    """Let the connection go on, and see that it is whole and judged."""
    path.serve()
    path.settle(text)
    path.say(b"\r\n.\r\nEXPN omega\r\nNOOP mark\r\n")
    assert_unharmed(path, release)
    assert path.mailer.lines[-1:] == [b"NOOP mark"]


def assert_nothing_passed(path: Path) -> None:
    """No server has read a byte."""
    assert not any(stream for server in path.servers for stream in server.streams)


# ---- data in the handshake ----


def open_fast(release: Release, options: bytes) -> None:
    """Send data in a SYN, and again behind the handshake, as others."""
    for content in HOSTILE[:4]:
        path = Path(release, options=options, answer=b"")
        path.synchronize(content.text)
        (passed,) = path.wire.seen
        assert passed.packet[40:] == b"\x01" * len(options)
        path.answer_syn()
        path.give(path.segment(0, flags=ACK))
        path.send(0, content.other)
        resume(path, content.other, release)
    path = Path(release, options=options, answer=b"")
    path.synchronize(b"HELO client.example\r\n")
    path.answer_syn()
    path.give(path.segment(0, flags=ACK))
    path.serve()
    path.say(b"HELO client.example\r\n")
    send_mail(path)


@case(
    "sends data in the SYN with a fast-open cookie, then others in its place",
    "takes out the data and the option; the client sends it again, and it is judged",
    "what was sent behind the handshake",
)
def test_fast_open_with_cookie(release: Release) -> None:
    open_fast(release, COOKIE)


@case(
    "asks for a fast-open cookie, or uses the experimental option, with data in the SYN",
    "likewise",
    "what was sent behind the handshake",
)
def test_fast_open_without_cookie(release: Release) -> None:
    open_fast(release, b"\x22\x02\x01\x01")
    open_fast(release, b"\xfe\x0c\xf9\x89abcdefgh")


@case(
    "sends data in the SYN without any option, then others in its place",
    "takes out the data",
    "what was sent behind the handshake",
)
def test_data_in_the_syn(release: Release) -> None:
    open_fast(release, b"")


@case(
    "sends the SYN twice, each time with other data",
    "takes it out of both",
    "what was sent behind the handshake",
)
def test_syn_again_with_other_data(release: Release) -> None:
    for content in HOSTILE[:4]:
        path = Path(release, options=COOKIE)
        path.synchronize(content.text)
        path.synchronize(content.other)
        path.answer_syn()
        path.synchronize(content.other)
        path.give(path.segment(0, flags=ACK))
        resume(path, content.text, release)


@case(
    "sends data with the third segment of the handshake, before the greeting, and others again",
    "judges it as any other",
    "the first copy",
)
def test_data_in_the_third_segment(release: Release) -> None:
    for content in HOSTILE[:4]:
        path = Path(release)
        path.synchronize()
        path.answer_syn()
        path.send(0, content.text)
        path.send(0, content.other)
        resume(path, content.text, release)


@case(
    "sends data before the server has answered the SYN, then others",
    "drops it",
    "what was sent behind the handshake",
)
def test_data_before_the_syn_is_answered(release: Release) -> None:
    for content in HOSTILE[:4]:
        path = Path(release)
        path.synchronize()
        path.send(0, content.text, ack=0)
        path.send(0, content.text, ack=70)
        assert_nothing_passed(path)
        path.answer_syn()
        path.send(0, content.other)
        resume(path, content.other, release)


@case(
    "does not look at the server's SYN, and acknowledges a number of its own",
    "drops what acknowledges bytes that were never sent",
    "nothing",
)
def test_client_that_ignores_the_handshake(release: Release) -> None:
    for ack in (2000, 1 << 30, -70_000):
        path = Path(release)
        path.synchronize()
        path.answer_syn()
        path.give(path.segment(0, flags=ACK, ack=ack))
        path.send(0, b"EXPN root\r\n", ack=ack)
        assert_nothing_passed(path)
        come_back(path, EMBRYONIC)


# ---- other numbers ----


@case(
    "sends a SYN, and another with other numbers before the answer, then data by either",
    "follows the second; what answers or follows the first is dropped",
    "nothing that was not judged",
)
def test_second_syn_before_the_answer(release: Release) -> None:
    for first, second in ((CLIENT_START, OTHER_START), (OTHER_START, CLIENT_START)):
        for lost in (False, True):
            path = Path(release)
            path.client_start = first
            path.give(packet(True, first, 0, SYN), lost=lost)
            path.give(packet(True, second, 0, SYN))
            for start in (first, second):
                path.client_start = start
                path.answer_syn()
                path.give(path.segment(0, flags=ACK))
                path.send(0, b"EXPN a\r\nNOOP b\r\n")
            assert_unharmed(path, release)
            if not lost:
                assert_nothing_passed(path)
            come_back(path, ESTABLISHED)
            assert_unharmed(path, release)


@case(
    "sends a SYN with other numbers that dies before the server, then the real one, data by either",
    "follows the one that the server answers",
    "what was judged",
)
def test_syn_that_dies_on_the_way(release: Release) -> None:
    for content in HOSTILE[:2]:
        path = Path(release)
        path.give(altered(packet(True, OTHER_START, 0, SYN), lifetime=1))
        path.open()
        path.give(packet(True, OTHER_START + 1, SERVER_START + 1, PSH | ACK, content.text))
        path.send(0, content.text)
        path.send(0, content.other)
        resume(path, content.text, release)


@case(
    "sends a SYN with other numbers inside the connection, with data behind it",
    "forwards the SYN for the server to challenge, and changes nothing of its own",
    "the connection as it was; a TCP of RFC 793 resets it",
)
def test_syn_inside_the_connection(release: Release) -> None:
    for shift in (1, 30, 3000, 1 << 20, 1 << 31, -5):
        path = Path(release)
        greet(path)
        start = (path.client_start + 1 + path.base + shift) % (1 << 32)
        path.give(packet(True, start, 0, SYN, b"EXPN a\r\n"))
        path.give(packet(True, start + 1, SERVER_START + 1 + path.client.heard, ACK, b"EXPN b\r\n"))
        path.send(0, b"EXPN c\r\nNOOP d\r\n")
        path.settle(b"EXPN c\r\nNOOP d\r\n")
        assert_unharmed(path, release)
        if abs(shift) > 1000:
            path.say(b"EXPN e\r\nNOOP mark\r\n")
            assert path.mailer.lines[-1] == b"NOOP mark"


@case(
    "has the server's SYN-ACK come again with other numbers",
    "drops it",
    "the connection as it was",
)
def test_second_answer_with_other_numbers(release: Release) -> None:
    path = Path(release)
    path.synchronize()
    path.answer_syn()
    other = packet(False, 99, CLIENT_START + 1, SYN | ACK)
    assert not path.wire.give(other).forward
    path.give(path.segment(0, flags=ACK))
    assert not path.wire.give(other).forward
    send_mail(path)
    assert_unharmed(path, release)


@case(
    "sets RST or FIN beside SYN",
    "drops the segment",
    "nothing",
)
def test_syn_that_is_an_end_too(release: Release) -> None:
    for extra in (RST, FIN, RST | FIN, RST | ACK, FIN | ACK):
        path = Path(release)
        path.give(packet(True, CLIENT_START, 0, SYN | extra, b"EXPN\r\n"))
        assert not path.wire.seen
        path.open()
        path.serve()
        before = len(path.wire.seen)
        path.send(0, b"EXPN a\r\n", SYN | extra)
        assert len(path.wire.seen) == before
        path.sent = 0
        send_mail(path)


# ---- handshakes of other shapes ----


@case(
    "opens at the same time as the server (simultaneous open)",
    "drops the server's SYN, since it answers nothing: the connection does not come about",
    "nothing",
)
def test_simultaneous_open(release: Release) -> None:
    path = Path(release)
    path.synchronize()
    path.from_server(-1, flags=SYN)
    path.send(-1, flags=SYN | ACK)
    path.send(0, b"EXPN root\r\n")
    path.from_server(0, ack=0)
    path.send(0, b"EXPN root\r\n")
    assert_nothing_passed(path)
    come_back(path)


@case(
    "answers the SYN with an ACK and a SYN of its own (split handshake, four segments)",
    "drops both: neither answers the SYN",
    "nothing",
)
def test_split_handshake_of_four(release: Release) -> None:
    path = Path(release)
    path.synchronize()
    path.from_server(0, ack=0)
    path.from_server(-1, flags=SYN)
    path.send(-1, flags=SYN | ACK)
    path.send(0, b"EXPN root\r\n")
    assert_nothing_passed(path)
    come_back(path)


@case(
    "answers the SYN with a SYN, and goes on with ACKs from both sides (five segments)",
    "drops the server's SYN and all that follows",
    "nothing",
)
def test_split_handshake_of_five(release: Release) -> None:
    path = Path(release)
    path.synchronize()
    path.from_server(-1, flags=SYN, window=0)
    path.give(path.segment(-1, flags=SYN | ACK))
    path.give(path.segment(0, flags=ACK))
    path.from_server(0, flags=ACK, ack=0)
    path.from_server(0, b"220 x\r\n", PSH | ACK, ack=0)
    path.send(0, b"EXPN root\r\n")
    assert_nothing_passed(path)
    come_back(path)


@case(
    "begins in the middle, without a handshake",
    "drops it (106015)",
    "nothing",
)
def test_midstream(release: Release) -> None:
    path = Path(release)
    for flags in (ACK, PSH | ACK, FIN | ACK, SYN | ACK, 0):
        path.send(0, b"EXPN root\r\n", flags)
        path.from_server(0, b"220 x\r\n", flags | ACK)
    assert not path.wire.seen
    path.sent = 0
    path.open()
    send_mail(path)


@case(
    "has only the client's packets pass the firewall",
    "lets the SYN through, and nothing behind it",
    "nothing",
)
def test_one_direction_only(release: Release) -> None:
    path = Path(release)
    path.synchronize()
    for ack in range(0, 40, 7):
        path.send(0, b"NOOP x\r\nEXPN root\r\n", ack=ack)
    assert_nothing_passed(path)
    assert len(path.wire.seen) == 1
    come_back(path)


@case(
    "has only the server's packets pass the firewall",
    "drops them",
    "nothing",
)
def test_other_direction_only(release: Release) -> None:
    path = Path(release)
    path.from_server(-1, flags=SYN | ACK, ack=0)
    path.from_server(0, b"220 x\r\n", PSH | ACK, ack=0)
    path.send(0, b"EXPN root\r\n")
    assert not path.wire.seen
    path.sent = 0
    path.open()
    send_mail(path)
