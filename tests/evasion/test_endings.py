"""FIN and RST where they do not belong, what comes behind them, and ports that are used again."""

from __future__ import annotations

from appliance.smtp.release import Release
from tests.evasion.case import (
    HOSTILE,
    Content,
    assert_unharmed,
    case,
    come_back,
    greet,
    manoeuvre,
    send_mail,
)
from tests.evasion.path import Path, altered
from tests.wire import ACK, FIN, PSH, RST

QUIT = b"QUIT\r\n"

HALF_CLOSED = 640.0
"""Seconds after which a half-closed connection is forgotten."""


def go_on(path: Path, release: Release, text: bytes) -> None:
    """Let the connection go on, and see that it is whole and judged."""
    path.settle(text)
    path.say(b"\r\n.\r\nEXPN omega\r\nNOOP mark\r\n")
    assert_unharmed(path, release)
    assert path.mailer.lines[-1:] == [b"NOOP mark"]


# ---- FIN ----


@case(
    "sends data behind its FIN, before and after it is acknowledged",
    "drops it",
    "what was before the FIN",
)
def test_data_after_fin(release: Release) -> None:
    for content in HOSTILE[:2]:
        path = Path(release)
        greet(path)
        path.send(0, content.text, PSH | ACK | FIN)
        end = len(content.text)
        path.send(end, content.other)
        path.serve()
        path.send(end + 1, content.other)
        path.send(end, content.other)
        path.send(end - 9, content.other)
        assert_unharmed(path, release)
        begins = path.base + end
        assert all(len(stream) <= begins for server in path.servers for stream in server.streams)
    path = Path(release)
    greet(path)
    send_mail(path)
    path.send(path.sent - path.base, QUIT, PSH | ACK | FIN)
    path.serve()
    assert path.mailer.lines[-1] == b"QUIT"


@case(
    "sends a FIN in the middle of a line, data behind it, and the FIN again elsewhere",
    "lets the first FIN stand, drops what is behind it",
    "the line up to the FIN",
)
def test_fin_that_moves(release: Release) -> None:
    for content in HOSTILE[:2]:
        path = Path(release)
        greet(path)
        text, other = content.text, content.other
        path.send(0, text[:20], PSH | ACK | FIN)
        path.send(20, other[20:])
        path.send(len(text), b"", FIN | ACK)
        path.send(10, b"", FIN | ACK)
        path.send(0, other, FIN | ACK)
        path.send(0, other[:20], FIN | ACK)
        assert_unharmed(path, release)
        assert {len(stream) for server in path.servers for stream in server.streams} <= {
            path.base + 20,
            path.base + len(b"NOOP alpha\r\n"),  # of a release that waits for a line's end
            path.base,
        }
        come_back(path, HALF_CLOSED)


@case(
    "sends two FINs ahead of a gap, at different places, and bytes that overtake them",
    "takes the one that is at its place when the gap is filled",
    "the bytes up to it",
)
def test_held_fins(release: Release) -> None:
    for content in HOSTILE[:2]:
        path = Path(release)
        greet(path)
        text, other = content.text, content.other
        path.send(24, text[24:30], FIN | ACK)
        path.send(18, other[18:24], FIN | ACK)
        path.send(10, text[10:18])
        path.send(0, text[:10])
        path.send(18, other[18:])
        path.settle(text)
        assert_unharmed(path, release)
        come_back(path, HALF_CLOSED)


@case(
    "sends a FIN that dies before the server, then goes on",
    "drops what is behind the FIN",
    "what was before it",
)
def test_fin_that_dies_on_the_way(release: Release) -> None:
    path = Path(release)
    greet(path)
    path.give(altered(path.segment(0, b"NOOP x\r\n", PSH | ACK | FIN), lifetime=2))
    path.send(8, b"EXPN root\r\n")
    path.send(0, b"NOOP x\r\nEXPN root\r\n")
    assert_unharmed(path, release)
    assert path.verbs() == {b"HELO"}
    path.send(0, b"NOOP x\r\n", PSH | ACK | FIN)  # sent again
    path.serve()
    assert path.mailer.lines[1:] == [b"NOOP x"]


@case(
    "closes its side and reads on (half-close)",
    "lets the server speak to its end",
    "the whole mail; the client every reply",
)
def test_half_close(release: Release) -> None:
    path = Path(release)
    greet(path)
    send_mail(path)
    path.send(path.sent - path.base, QUIT, PSH | ACK | FIN)
    for _ in range(3):
        path.serve()
    path.serve(PSH | ACK | FIN)
    assert path.mailer.lines[-1] == b"QUIT"
    (heard,) = path.client.streams
    assert heard.endswith(b"250 queued\r\n250 ok\r\n")
    assert path.client.connections[0].fin == len(heard)
    assert path.wire.firewall.flows == 1


# ---- RST ----


@case(
    "resets the connection, then sends data",
    "ends the connection, drops the data",
    "nothing behind the RST",
)
def test_data_after_reset(release: Release) -> None:
    for flags in (RST, RST | ACK, RST | PSH | ACK):
        path = Path(release)
        greet(path)
        path.send(0, b"", flags)
        path.send(0, b"EXPN root\r\n")
        path.send(1, b"EXPN root\r\n")
        assert_unharmed(path, release)
        assert path.verbs() == {b"HELO"}
        come_back(path)


@case(
    "sends a RST with a number in the window that is not the one expected, then data",
    "forwards it for the server to challenge (RFC 5961); the connection lives, and is judged",
    "the connection as it was; a TCP of RFC 793 resets it",
)
def test_reset_with_another_number(release: Release) -> None:
    for shift in (1, 5, 3000, 60_000):
        for content in HOSTILE[:2]:
            path = Path(release)
            greet(path)
            path.give(path.segment(shift, b"", RST))
            path.send(0, content.text)
            path.send(0, content.other)
            go_on(path, release, content.text)


@case(
    "sends a RST with a number outside the window, then data",
    "drops it; the connection lives, and is judged",
    "the connection as it was",
)
def test_reset_outside_the_window(release: Release) -> None:
    for shift in (-5, -1, 70_000, 1 << 31):
        path = Path(release)
        greet(path)
        before = len(path.wire.seen)
        path.give(path.segment(shift, b"", RST))
        assert len(path.wire.seen) == before
        path.send(0, b"EXPN a\r\nNOOP b\r\n")
        go_on(path, release, b"EXPN a\r\nNOOP b\r\n")
        send_mail(path)


@case(
    "puts bytes into a RST",
    "takes them out",
    "nothing of them",
)
def test_reset_with_data(release: Release) -> None:
    for shift in (0, 5):
        path = Path(release)
        greet(path)
        path.give(path.segment(shift, b"EXPN root\r\n", RST | ACK))
        passed = path.wire.seen[-1]
        assert passed.flags & RST
        assert passed.payload == b""
        path.send(0, b"EXPN root\r\n")
        if shift:
            go_on(path, release, b"EXPN root\r\n")
        else:
            assert path.verbs() == {b"HELO"}
            come_back(path)


@case(
    "sends a RST that dies before the server, goes on, then opens the connection anew through it",
    "takes the connection for ended: drops what goes on, and the server's challenge",
    "nothing behind the RST",
)
def test_reset_that_dies_on_the_way(release: Release) -> None:
    path = Path(release)
    greet(path)
    path.give(altered(path.segment(0, b"", RST), lifetime=1))
    path.send(0, b"EXPN a\r\n")
    path.synchronize()
    path.send(0, b"EXPN b\r\n")
    path.from_server(path.servers[0].heard)
    path.send(0, b"EXPN c\r\n")
    path.client_start += 5
    path.synchronize()
    path.send(0, b"EXPN d\r\n")
    assert_unharmed(path, release)
    assert path.verbs() == {b"HELO"}
    come_back(path)


@manoeuvre(
    "sends keep-alives with a byte that differs from the one before, some with none",
    "puts the byte there that was there, without taking it for an attack",
    "the byte that was there",
)
def test_keep_alive_with_another_byte(path: Path, text: bytes, other: bytes) -> None:
    path.send(0, text[:13])
    for last in range(12, 17):
        path.serve()
        path.give(path.segment(last, b"", ACK))
        path.give(path.segment(last, other[last : last + 1], ACK))
        path.send(last + 1, text[last + 1 : last + 2])
    path.send(18, text[18:])


# ---- ports that are used again ----


def drift(path: Path, content: Content, old_start: int, base: int) -> None:
    """Packets of the connection before arrive late, with two contents."""
    own, start = path.client_start, path.base
    path.client_start, path.base = old_start, base
    for at in (0, 8):
        path.give(path.segment(at, content.other[at:]))
        path.give(path.segment(at, content.text[at:]))
    path.give(path.segment(len(content.text), b"", FIN | ACK))
    path.give(path.segment(0, b"", RST))
    path.client_start, path.base = own, start


def use_again(release: Release, end: int, start: int) -> None:
    """End a connection, open another with other numbers, and let packets of the first drift in."""
    for content in HOSTILE[:2]:
        path = Path(release)
        greet(path)
        old, base = path.client_start, path.base
        if end & RST:
            path.send(0, b"", RST)
        else:
            path.send(0, b"", FIN | ACK)
            path.serve(FIN | ACK)
            path.send(1, b"", ACK)
        for server in path.servers:
            if server.current:
                server.current.over = True
        drift(path, content, old, base)
        path.open_again(start)
        drift(path, content, old, base)
        path.serve()
        path.say(b"HELO client.example\r\n")
        path.base = path.sent
        drift(path, content, old, base)
        path.send(0, content.text)
        path.send(0, content.other)
        go_on(path, release, content.text)
        send_mail(path)


@case(
    "opens a connection between the same ports after a RST, while packets of the old one come",
    "judges by the numbers of the new one; the old packets are outside its window",
    "the new connection",
)
def test_ports_used_again_after_reset(release: Release) -> None:
    use_again(release, RST, 0x4000_0000)


@case(
    "opens a connection between the same ports after FINs, while packets of the old one come",
    "judges by the numbers of the new one; the old packets are outside its window",
    "the new connection",
)
def test_ports_used_again_after_fin(release: Release) -> None:
    use_again(release, FIN, 0x4000_0000)


@case(
    "does so with numbers just above the old ones",
    "cuts off what is before the new connection's first byte",
    "the new connection",
)
def test_ports_used_again_with_numbers_near_by(release: Release) -> None:
    for end in (RST, FIN):
        use_again(release, end, 200)
