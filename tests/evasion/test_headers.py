"""Odd flags, options and other fields of headers."""

from __future__ import annotations

import struct

from appliance.smtp.release import ANSWERS, Release
from tests.evasion.case import (
    HOSTILE,
    assert_unharmed,
    attack_with,
    case,
    greet,
    manoeuvre,
    send_mail,
)
from tests.evasion.path import Path, altered
from tests.evasion.reassembly import read
from tests.wire import ACK, FIN, PSH, RST, SYN, URG

FIRST = "the first copy"
ECE, CWR = 0x40, 0x80


def stamp(value: int) -> bytes:
    """A timestamp option."""
    return b"\x01\x01\x08\x0a" + struct.pack("!II", value, 1)


# ---- urgent data ----


@manoeuvre(
    "marks bytes as urgent, in both copies and at different places",
    "clears the flag and the pointer: all data is in-band",
    "the first copy, with the urgent byte in it",
)
def test_urgent_data(path: Path, text: bytes, other: bytes) -> None:
    path.send(0, text[:20], PSH | ACK | URG, urgent=3)
    path.send(0, other[:20], PSH | ACK | URG, urgent=7)
    path.send(20, text[20:], ACK | URG, urgent=1)


@case(
    "puts a byte too many into a verb and marks it as urgent: `EXzPN`, or `NOzOP`",
    "reads it in-band, as the server then must",
    "the line with that byte, its verb masked",
)
def test_urgent_byte_inside_a_verb(release: Release) -> None:
    for pointer in (0, 1, 2, 3, 4, 13, 40, 0xFFFF):
        for line in (b"EXzPN root\r\n", b"NOzOP root\r\n"):
            path = Path(release)
            greet(path)
            path.send(0, line, PSH | ACK | URG, urgent=pointer)
            path.settle(line)
            path.say(b"EXPN again\r\nNOOP mark\r\n")
            assert_unharmed(path, release)
            assert path.mailer.lines[-1] == b"NOOP mark"


@case(
    "marks a byte between two parts of a verb as urgent, in a segment of its own",
    "reads it in-band",
    "no verb",
)
def test_urgent_byte_between_segments(release: Release) -> None:
    path = Path(release)
    greet(path)
    for at, text in ((0, b"NOOP\r\nEX"), (8, b"z"), (9, b"PN root\r\n")):
        path.send(at, text, PSH | ACK | (URG if text == b"z" else 0), urgent=text == b"z")
    path.settle(b"NOOP\r\nEXzPN root\r\n")
    assert_unharmed(path, release)
    send_mail(path)


@manoeuvre(
    "sets an urgent pointer without the flag",
    "forwards it as it came: without the flag it means nothing",
    FIRST,
)
def test_urgent_pointer_without_the_flag(path: Path, text: bytes, other: bytes) -> None:
    path.send(0, text, PSH | ACK, urgent=3)
    path.send(0, other, PSH | ACK, urgent=5)


# ---- flags ----


@manoeuvre(
    "sends a segment without ACK, then another content with it",
    "drops what acknowledges nothing",
    "the content with ACK",
)
def test_data_without_ack(path: Path, text: bytes, other: bytes) -> None:
    path.send(0, other, PSH)
    path.send(0, other, 0)
    path.send(0, text)


@manoeuvre(
    "sends a segment without any flag (NULL), one with FIN, PSH and URG (XMAS), then the text",
    "drops both",
    "the text",
)
def test_null_and_xmas_segments(path: Path, text: bytes, other: bytes) -> None:
    path.send(0, other, 0)
    path.send(0, other, FIN | PSH | URG, urgent=4)
    path.send(0, text)


@case(
    "sends bytes with each of the 64 combinations of flags, then others",
    "judges bytes only under flags with which the server would read them",
    "the first copy that passed; nothing behind an end",
)
def test_every_combination_of_flags(release: Release) -> None:
    for flags in range(64):
        content = HOSTILE[flags // 8 % 2]
        path = Path(release)
        greet(path)
        path.send(0, content.text, flags, urgent=3)
        path.send(0, content.other)
        path.settle(content.text)
        path.say(b"EXPN omega\r\nNOOP mark\r\n")
        assert_unharmed(path, release)
        if not flags & (SYN | RST | FIN):
            assert path.mailer.lines[-1] == b"NOOP mark", flags


@manoeuvre(
    "acknowledges bytes that the server never sent, with one content, then sends another",
    "drops the segment",
    "the content that acknowledges what there was",
)
def test_acknowledgement_of_unsent_bytes(path: Path, text: bytes, other: bytes) -> None:
    path.send(0, other, ack=5000)
    path.send(0, other, ack=1 << 30)
    path.send(0, text)


@manoeuvre(
    "acknowledges what is older than any window, with one content, then sends another",
    "drops the segment (RFC 5961, section 5)",
    "the content that acknowledges what there was",
)
def test_acknowledgement_of_long_ago(path: Path, text: bytes, other: bytes) -> None:
    path.send(0, other, ack=-70_000)
    path.send(0, text)


@manoeuvre(
    "plays with the bits of congestion notification, in TCP and in IP",
    "forwards them as they are",
    FIRST,
)
def test_congestion_bits(path: Path, text: bytes, other: bytes) -> None:
    path.give(altered(path.segment(0, text[:20], PSH | ACK | CWR), service=3))
    path.give(altered(path.segment(0, other[:20], PSH | ACK | ECE), service=1))
    path.give(altered(path.segment(20, text[20:], PSH | ACK | CWR | ECE), service=2, reserved=1))
    path.sent = path.base + len(text)


@case(
    "nothing: the bits of congestion notification are honest",
    "leaves CWR, ECE, NS and the ECN bits of IP in what it edits, too",
    "the bits as they were sent",
)
def test_congestion_bits_stay(release: Release) -> None:
    for line in (b"NOOP x\r\n", b"EXPN x\r\nNOOP y\r\n"):
        path = Path(release)
        greet(path)
        path.give(altered(path.segment(0, line, ACK | CWR | ECE), service=3, reserved=1))
        passed = next(seen for seen in reversed(path.wire.seen) if seen.from_client)
        assert passed.packet[1] == 3
        assert passed.packet[32] & 15 == 1
        assert passed.flags == ACK | CWR | ECE


# ---- IP ----

IP_OPTIONS = {
    "no operation": b"\x01\x01\x01\x01",
    "record route": b"\x07\x0b\x04" + bytes(8),
    "loose source route": b"\x83\x07\x04\x0a\x01\x01\x05",
    "strict source route": b"\x89\x07\x04\x0a\x01\x01\x05",
    "timestamp": b"\x44\x0c\x05\x00" + bytes(8),
    "router alert": b"\x94\x04\x00\x00",
    "of no length": b"\x07\x00\x04\x00",
    "longest": b"\x01" * 40,
}


@case(
    "puts IP options before the segment (record route, source routes, no operation), then another "
    "content without",
    "reads the segment behind them, forwards them as they are",
    FIRST,
)
def test_ip_options(release: Release) -> None:
    def play(path: Path, text: bytes, other: bytes) -> None:
        path.give(altered(path.segment(0, text), ip_options=options))
        path.send(0, other)
        path.give(altered(path.segment(0, other), ip_options=options))

    for options in IP_OPTIONS.values():
        for content in HOSTILE[:2]:
            path = Path(release)
            attack_with(play, content, path, release)
            kept = [seen for seen in path.wire.seen if seen.packet[0] & 15 > 5]
            assert kept
            assert all(seen.packet[20:].startswith(options) for seen in kept)
        path = Path(release)
        greet(path)
        path.give(altered(path.segment(0, b"NOOP x\r\n"), ip_options=options))
        path.sent += 8
        send_mail(path)


@manoeuvre(
    "sends one content that dies before the server (time to live), then another",
    "makes the second the first: what it forwarded once stands",
    FIRST,
)
def test_segment_that_dies_on_the_way(path: Path, text: bytes, other: bytes) -> None:
    path.give(altered(path.segment(0, text), lifetime=2))
    path.send(0, other)


@manoeuvre(
    "sends the same, its first content early and held",
    "releases it as it was; the second copy of it carries the same bytes",
    FIRST,
)
def test_held_segment_that_dies_on_the_way(path: Path, text: bytes, other: bytes) -> None:
    path.give(altered(path.segment(16, text[16:]), lifetime=2))
    path.send(0, text[:16])
    path.send(16, other[16:])


# ---- TCP options ----


@manoeuvre(
    "sends one content with an old timestamp, then another with a new one",
    "makes the second the first, whether the server threw that away (PAWS) or not",
    FIRST,
    options=stamp(1000),
    every=stamp(1000),
)
def test_old_timestamps(path: Path, text: bytes, other: bytes) -> None:
    path.send(0, text, options=stamp(1))
    path.send(0, other)


@manoeuvre(
    "leaves the timestamps out in the middle of a connection, with one content, then sends another",
    "makes the second the first, whether the server threw that away or not",
    FIRST,
    options=stamp(1000),
    every=stamp(1000),
)
def test_timestamps_that_vanish(path: Path, text: bytes, other: bytes) -> None:
    path.send(0, text, options=b"")
    path.send(0, other)


@manoeuvre(
    "fills a gap with a timestamp newer than those of the held segments",
    "releases them with the newer one, so that no server takes them for old",
    FIRST,
    options=stamp(1000),
    every=stamp(1000),
)
def test_timestamps_of_held_segments(path: Path, text: bytes, other: bytes) -> None:
    path.send(24, text[24:], options=stamp(1001))
    path.send(16, text[16:24], options=stamp(1002))
    path.every = stamp(2000)
    path.send(0, other[:4] + text[4:16])
    path.send(0, other)


OPTIONS = {
    "no MSS": b"",
    "MSS 0": b"\x02\x04\x00\x00",
    "MSS 1": b"\x02\x04\x00\x01",
    "MSS 65535": b"\x02\x04\xff\xff",
    "MSS of a wrong length": b"\x02\x06\x05\xb4\x00\x00",
    "twice": b"\x02\x04\x05\xb4\x02\x04\x00\x08",
    "length 0": b"\x02\x00\x05\xb4",
    "length 1": b"\x02\x01\x05\xb4",
    "beyond the header": b"\x02\x28\x05\xb4",
    "cut off": b"\x01\x01\x01\x02",
    "fast open, beyond the header": b"\x01\x01\x22\x28",
    "SACK without blocks": b"\x05\x02\x01\x01",
    "SACK of odd length": b"\x05\x0c" + bytes(10),
    "timestamps of a wrong length": b"\x08\x08" + bytes(6),
    "MD5": b"\x13\x12" + bytes(16) + b"\x01\x01",
    "unknown": b"\xfd\x06\x12\x34\x56\x78",
    "end, then more": b"\x00\x02\x04\x05\xb4",
}


@case(
    "sends an MSS that is tiny, absent or odd, options of wrong or cut lengths, an MD5 signature",
    "reads as far as lengths make sense, forwards the options as they are",
    FIRST,
)
def test_odd_options(release: Release) -> None:
    def play(path: Path, text: bytes, other: bytes) -> None:
        path.send(0, text)
        path.send(0, other)

    for options in OPTIONS.values():
        for content in (HOSTILE[0], HOSTILE[3]):
            attack_with(play, content, Path(release, options=options, every=options), release)
        path = Path(release, options=options, every=options)
        path.open()
        send_mail(path)


@case(
    "gives the TCP header a length beyond the packet, or of less than 20 bytes",
    "drops the packet",
    "nothing of it",
)
def test_header_length_that_does_not_fit(release: Release) -> None:
    for length in (0, 4, 16, 60):
        path = Path(release)
        greet(path)
        data = bytearray(path.segment(0, b"EXPN root\r\n"))
        data[32] = length << 2
        path.give(altered(bytes(data)))
        assert path.verbs() == {b"HELO"}
        send_mail(path)


@case(
    "reports bytes as received that stand behind a line that the firewall left out (SACK)",
    "counts SACK blocks as the client does; drops those it cannot",
    "the lines that pass, whole",
)
def test_selective_acknowledgement(release: Release) -> None:
    path = Path(release, options=b"\x04\x02")
    greet(path)
    lines = (b"NOOP a\r\nEXPN b\r\n", b"NOOP c\r\n", b"NOOP d\r\n")
    path.send(0, lines[0])
    path.send(16, lines[1], lost=True)
    path.send(24, lines[2])
    server = path.servers[0].current
    assert server is not None
    assert server.next == path.base + (8 if release.blocked in ANSWERS else 16)
    early = max(server.copies) + 1 - server.next  # the hole and what is behind it
    at = (server.opened + 1 + server.next) % (1 << 32)
    block = struct.pack("!II", (at + early - 8) % (1 << 32), (at + early) % (1 << 32))
    path.from_server(path.servers[0].heard, options=b"\x01\x01\x05\x0a" + block)
    told = path.wire.seen[-1].packet
    left, right = struct.unpack("!II", told[-8:])
    start = path.client_start + 1 + path.base
    assert ((left - start) % (1 << 32), (right - start) % (1 << 32)) == (24, 32)
    assert (read(told).acknowledgement - start) % (1 << 32) == 16
    path.send(16, b"EXPN c\r\n")
    path.settle(b"".join(lines))
    assert_unharmed(path, release)
    send_mail(path)
