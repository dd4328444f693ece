"""The inputs that are not text, as code: `python -m tests.fuzz.seeds` writes them to the corpus."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from appliance.smtp.release import RELEASES
from tests.fuzz.rows import ROWS
from tests.fuzz.target import TARGETS
from tests.fuzz.targets.segments import STEPS, TOKENS
from tests.replay.packets import (
    CLIENT,
    SERVER,
    Talk,
    enhanced,
    ethernet,
    interface,
    ipv4,
    mail,
    pcap,
    section,
)
from tests.wire import (
    ACK,
    CLIENT_START,
    FIN,
    PSH,
    RST,
    SERVER_START,
    SYN,
    URG,
    packet,
)

_ROW, _STREAM = 0, 3
_NAMES = [step.__name__ for step in STEPS]


# ---- segments ----


def _head(name: str, short_segment: int = _ROW, switches: int = 0, hostile: int = 0) -> bytes:
    return bytes((ROWS.index(RELEASES[name]), short_segment, switches, hostile, 0))


def _do(step: str, *arguments: int | bytes) -> bytes:
    """A step with what it asks for: numbers, and texts of the table or others."""
    out = bytes([_NAMES.index(step)])
    for each in arguments:
        if isinstance(each, int):
            out += bytes([each % 256])
        elif each in TOKENS:
            out += bytes([TOKENS.index(each)])
        else:
            out += bytes([191 + len(each)]) + each
    return out


_SERVE = _do("serve", 255)
_TO_DATA = b"".join(
    [
        _SERVE,
        *(_do("say", line) + _SERVE for line in (b"HELO x\r\n", b"MAIL FROM:<a@b>\r\n")),
        _do("say", b"RCPT TO:<a|b>\r\n") + _SERVE,
        _do("say", b"DATA\r\n") + b"\1" + _SERVE,
    ]
)
_MAIL = _TO_DATA + b"".join(
    [
        _do("say", b"VRFY x\r\n") + _do("cut", b"text\r\n.\r\n", 14) + _SERVE,
        *(_do("say", line) + _SERVE for line in (b"VRFY x\r\n", b"EXPN z\r\n", b"QUIT\r\n")),
    ]
)
_ASTRAY = b"".join(
    [
        _SERVE,
        _do("say", b"NOOP\r\n"),
        _do("differ", -6, b"VRFY x\r\n", 0, 0, 0, 0),
        _do("lose", b"RSET\r\n") + _do("repeat", 6, 5),
        _do("vary", b"NOOP\r\n") + b"\1\5\0",
        _do("vary", b"VRFY x\r\n") + b"\2\0\x08\3",
        _do("acknowledge") + b"\4" + _do("wait", 30),
        _do("say", b"VR") + _do("say", b"FY") + _do("repeat", 4, 4) + _do("hand_over"),
        _do("say_several", 1, b"DATA\r\n", b".\r\n", b"VRFY x\r\n") + b"\0" + _SERVE,
        _do("forge", 0) + bytes([TOKENS.index(b"NOOP\r\n"), 0]),
        _do("enter_marked", 1, 0, 0, 0, b"NOOP\r\n"),
        _do("strange", 0, 3, b"\0") + _do("wait", 255),
    ]
)


def _segments() -> Iterator[tuple[str, bytes]]:
    for name in ("4.0", "4.4", "5.0", "6.3", "7.0", "8.4", "fwsm-2"):
        yield f"mail-{name}", _head(name) + _MAIL
        yield f"astray-{name}", _head(name) + _ASTRAY
        yield f"astray-{name}-stream", _head(name, _STREAM) + _ASTRAY
    yield "tls", _head("8.4", switches=1) + _SERVE + _do("say", b"STARTTLS\r\n") + _MAIL
    yield "bugs", _head("5.1", switches=6) + _MAIL
    yield "smuggling", _head("6.3", switches=8) + _TO_DATA + _do("say", b"\n.\n")
    forged = b"".join(
        _do("forge", shift, text, 0) for shift, text in ((0, b"220 a\r\n"), (7, b"354 b\r\n"))
    )
    for name in ("4.0", "6.3", "8.4"):
        yield f"forged-{name}", _head(name, hostile=1) + forged + _MAIL


# ---- packets ----

_STAMP = b"\1\1\x08\x0a\0\0\0\5\0\0\0\6"
_C, _S = CLIENT_START + 1, SERVER_START + 1


def _queue(name: str, packets: list[bytes], place: int = 0, mode: int = 0) -> bytes:
    """Packets, as the target of that name reads them; 0.25 s pass before each."""
    head = bytes((ROWS.index(RELEASES[name]), _ROW, 0, mode))
    return head + b"".join(struct.pack("!HBB", len(each), place, 5) + each for each in packets)


def _packets() -> Iterator[tuple[str, bytes]]:
    handshake = [
        packet(True, CLIENT_START, 0, SYN, options=b"\x02\x04\x05\xb4\x03\x03\x0e" + _STAMP),
        packet(False, SERVER_START, _C, SYN | ACK, options=b"\x03\x03\x07" + _STAMP),
        packet(True, _C, _S, ACK),
    ]
    talk = [
        packet(False, _S, _C, PSH | ACK, b"220 x\r\n"),
        packet(True, _C, _S + 7, PSH | ACK, b"EHLO y\r\n", options=_STAMP),
        packet(True, _C + 12, _S + 7, PSH | ACK, b"DATA\r\n"),
        packet(True, _C + 8, _S + 7, PSH | ACK | URG, b"AB\r\n", urgent=2),
        packet(False, _S + 7, _C + 18, ACK, options=b"\1\1\5\x0a" + struct.pack("!II", _C, _C + 4)),
        packet(False, _S + 7, _C + 18, PSH | ACK, b"250-x\r\n250-XA\r\n250 y\r\n354 z\r\n"),
        packet(True, _C + 18, _S + 36, PSH | ACK | FIN, b"text\r\n.\r\nQUIT\r\n"),
        packet(False, _S + 36, _C + 34, FIN | ACK),
        packet(True, _C + 34, _S + 37, RST | ACK),
    ]
    for name in ("4.0", "6.3", "8.4"):
        yield f"mail-{name}", _queue(name, handshake + talk)
        yield f"adopted-{name}", _queue(name, talk, mode=1)
        yield f"unchecked-{name}", _queue(name, handshake + talk, mode=2)
    fast = packet(True, CLIENT_START, 0, SYN, b"VRFY x\r\n", options=b"\x22\x06abcd")
    yield "syn", _queue("6.3", [fast, fast, *handshake], place=0b0110)
    datagram = struct.pack("!HHHH", 4000, 53, 12, 0) + b"text"
    yield (
        "others",
        _queue(
            "6.3", [ipv4(CLIENT[0], SERVER[0], datagram, protocol) for protocol in (17, 1, 47)] * 2
        ),
    )


# ---- captures ----


def _captures() -> Iterator[tuple[str, bytes]]:
    packets = mail().packets
    yield "pcap", pcap(ethernet(packets))
    yield "nanoseconds", pcap(packets, link=101, order=">", nano=True)
    tagged = [frame[:12] + b"\x81\0\0\1" + frame[12:] for frame in ethernet(packets)]
    yield "tagged", pcap(tagged)
    cooked = [b"\0\0\0\1\0\6\2\0\0\0\0\1\0\0\x08\0" + each for each in packets]
    yield "cooked", pcap(cooked, link=113)
    blocks = [enhanced(each, units=1000 * at) for at, each in enumerate(ethernet(packets))]
    clock = struct.pack("<HHB3xHHq", 9, 1, 6, 14, 8, 5)
    yield "pcapng", section() + interface(1, options=clock) + b"".join(blocks)
    yield "big-endian", section(">") + interface(101, ">") + enhanced(packets[0], order=">")
    talk = Talk().says(b"DATA\r\nVRFY x\r\n").says(b".\r\nVRFY x\r\n")
    yield "one-side", pcap(ethernet(talk.packets))
    talk = Talk().open().answers(b"220 x\r\n").says(b"EHLO y\r\nVRFY z\r\n")
    talk.answers(b"250-x\r\n250-XB\r\n250 y\r\n252 z\r\n").says(b"DATA\r\n").answers(b"354 go\r\n")
    yield "esmtp", pcap(ethernet(talk.says(b"text\r\n.\r\n").close().packets))
    whole = packets[4]
    first = ipv4(CLIENT[0], SERVER[0], whole[20:44], identification=7, fragment=0x2000)
    rest = ipv4(CLIENT[0], SERVER[0], whole[44:], identification=7, fragment=3)
    yield "fragments", pcap(ethernet([*packets[:4], rest, first]))


MADE = {"segments": _segments, "packets": _packets, "capture": _captures}
"""Pairs of a name and an input, by target."""

if __name__ == "__main__":
    for name, inputs in MADE.items():
        for title, data in inputs():
            (TARGETS[name].corpus / title).write_bytes(data)
