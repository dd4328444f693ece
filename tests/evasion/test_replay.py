"""Checksums and fragments, which the kernel judges live and `pixguard replay` by itself."""

from __future__ import annotations

import struct
from itertools import permutations, product
from pathlib import Path as File

import pytest
from scapy.utils import RawPcapReader

from appliance.replay.fragments import MAX_CHAIN, TIMEOUT
from appliance.replay.replay import replay_files
from appliance.smtp.release import RELEASES, Release
from tests.evasion.case import KNOWN, MAIL, case, greet, send_mail, told
from tests.evasion.mailer import Mailer, digest
from tests.evasion.path import FROM_CLIENT, Path, receivers
from tests.evasion.reassembly import Receiver, put_together
from tests.replay.packets import ethernet, pcap, pseudo_sum
from tests.wire import checksum

NOOP, EXPN = b"NOOP alpha\r\nNOOP beta\r\n", b"EXPN alpha\r\nEXPN beta\r\n"
RELEASE = RELEASES["6.3"]

every_pair = pytest.mark.parametrize(
    ("first", "second"), [(NOOP, EXPN), (EXPN, NOOP)], ids=["NOOP first", "EXPN first"]
)


class Replay:
    """Captures of connections that begin alike, through `pixguard replay`.

    Args:
        directory: for captures.
    """

    def __init__(self, directory: File) -> None:
        self.directory = directory
        self.path = Path(None)
        greet(self.path)

    def segment(self, payload: bytes, offset: int = 0) -> bytes:
        """The client's segment behind HELO and the reply to it."""
        return self.path.segment(offset, payload)

    def streams(
        self, packets: list[bytes], checksums: str = "auto", step: float = 0.01
    ) -> set[bytes]:
        """What the server's TCPs read when these packets end the connection.

        Args:
            packets: what the client sends behind HELO.
            checksums: as `--checksums`.
            step: seconds between packets.
        """
        before = [seen.packet for seen in self.path.wire.seen]
        left = self.replay([*before, *packets], checksums, step)
        return {delivered(left, receiver) for receiver in receivers()}

    def replay(
        self, packets: list[bytes], checksums: str = "auto", step: float = 0.01
    ) -> list[bytes]:
        """What leaves the firewall of a capture."""
        came, left = self.directory / "came.pcap", self.directory / "left.pcap"
        came.write_bytes(pcap(ethernet(packets), step=step))
        assert replay_files((came,), None, RELEASE.name, checksums, left, None) == 0
        with RawPcapReader(str(left)) as frames:
            packets = [frame[14:][: int.from_bytes(frame[16:18])] for frame, _ in frames]
        assert all(checksum(packet[:20]) == 0 for packet in packets)
        return packets


def delivered(packets: list[bytes], receiver: Receiver) -> bytes:
    """What a server's TCP makes of packets that its IP has put together; their sums must be
    right."""
    for packet in put_together(packets, receiver.last_wins):
        assert checksum(packet[12:20] + struct.pack("!HH", 6, len(packet) - 20) + packet[20:]) == 0
        if packet[12:16] == FROM_CLIENT:
            receiver.take(packet)
        else:
            receiver.sent(packet)
    return receiver.streams[0]


@pytest.fixture
def replay(tmp_path: File) -> Replay:
    return Replay(tmp_path)


def read_by(streams: set[bytes]) -> bytes:
    """What all of the server's TCPs read behind HELO, and no blocked verb in it."""
    (stream,) = streams
    assert Mailer.verbs_in(stream) & (KNOWN - RELEASE.verbs) == set()
    return stream.split(b"\r\n", 1)[1]


MASKED = {NOOP: NOOP, EXPN: b"XXXX alpha\r\nXXXX beta\r\n"}


# ---- checksums ----


def spoilt(packet: bytes, at: int) -> bytes:
    """The packet with a wrong checksum at this place, one that offloading leaves nowhere."""
    return packet[:at] + bytes((packet[at] ^ 0x5A, packet[at + 1] ^ 0xA5)) + packet[at + 2 :]


@told(
    "sends one content with a wrong TCP checksum, then another with a right one (replay)",
    "`auto` and `verify`: the first never came; `ignore`: it is the first copy, and leaves with a "
    "right sum",
    "the first that is believed, judged",
)
@every_pair
def test_wrong_tcp_checksum(replay: Replay, first: bytes, second: bytes) -> None:
    packets = [spoilt(replay.segment(first), 36), replay.segment(second)]
    assert read_by(replay.streams(packets, "auto")) == MASKED[second]
    assert read_by(replay.streams(packets, "verify")) == MASKED[second]
    assert read_by(replay.streams(packets, "ignore")) == MASKED[first]


@told(
    "does the same with the IP header's checksum (replay)",
    "likewise",
    "the first that is believed, judged",
)
@every_pair
def test_wrong_ip_checksum(replay: Replay, first: bytes, second: bytes) -> None:
    packets = [spoilt(replay.segment(first), 10), replay.segment(second)]
    assert read_by(replay.streams(packets, "auto")) == MASKED[second]
    assert read_by(replay.streams(packets, "verify")) == MASKED[second]
    assert read_by(replay.streams(packets, "ignore")) == MASKED[first]


@told(
    "sends one content with the sum of the pseudo-header alone, as before a network card, then "
    "another (replay)",
    "`auto` and `ignore` believe the first and complete its sum; `verify` does not",
    "the first that is believed, judged",
)
@every_pair
def test_checksum_left_to_the_network_card(replay: Replay, first: bytes, second: bytes) -> None:
    whole = replay.segment(first)
    packets = [whole[:36] + pseudo_sum(whole).to_bytes(2) + whole[38:], replay.segment(second)]
    assert read_by(replay.streams(packets, "auto")) == MASKED[first]
    assert read_by(replay.streams(packets, "ignore")) == MASKED[first]
    assert read_by(replay.streams(packets, "verify")) == MASKED[second]


@told(
    "sends most segments with wrong checksums (replay)",
    "`auto` believes all of that sender's; `verify` none of the wrong ones",
    "what is believed, judged",
)
@every_pair
def test_sender_whose_checksums_mean_nothing(replay: Replay, first: bytes, second: bytes) -> None:
    wrong = spoilt(replay.segment(first), 36)
    packets = [wrong] * 20 + [replay.segment(second)]
    assert read_by(replay.streams(packets, "auto")) == MASKED[first]
    assert read_by(replay.streams(packets, "verify")) == MASKED[second]


# ---- fragments ----


def fragment(packet: bytes, start: int, end: int, data: bytes | None = None) -> bytes:
    """A fragment of a packet: these bytes behind its IP header, or others in their place."""
    whole = packet[20:]
    more = 0x2000 if end < len(whole) else 0
    data = whole[start:end] if data is None else data
    head = bytearray(packet[:20])
    head[2:4] = (20 + len(data)).to_bytes(2)
    head[6:8] = (start // 8 | more).to_bytes(2)
    head[10:12] = b"\0\0"
    head[10:12] = checksum(bytes(head)).to_bytes(2)
    return bytes(head) + data


def fragments(packet: bytes, size: int) -> list[bytes]:
    """A packet in fragments of a size."""
    length = len(packet) - 20
    return [fragment(packet, at, min(at + size, length)) for at in range(0, length, size)]


@told(
    "sends a segment in fragments of 8, 16 or 24 bytes, in order or the last one first (replay)",
    "puts them together, judges the whole, and cuts it again where it was cut",
    "the whole, judged",
)
@pytest.mark.parametrize("size", [8, 16, 24])
def test_fragments_in_order_and_reversed(replay: Replay, size: int) -> None:
    for text in (NOOP, EXPN):
        parts = fragments(replay.segment(text), size)
        assert read_by(replay.streams(parts)) == MASKED[text]
        assert read_by(replay.streams(parts[::-1])) == MASKED[text]


@told(
    "sends four fragments in each of the 24 orders, one of them twice (replay)",
    "likewise",
    "the whole, judged",
)
def test_fragments_in_every_order(replay: Replay) -> None:
    parts = fragments(replay.segment(EXPN), 16)
    for order in permutations(range(len(parts))):
        sent = [parts[at] for at in order]
        assert read_by(replay.streams([sent[0], *sent])) == MASKED[EXPN]


@told(
    "sends fragments that overlap, with two contents, on either side or inside (replay)",
    "gives the packet up; what is sent anew is judged",
    "what was sent anew",
)
@every_pair
def test_fragments_that_overlap(replay: Replay, first: bytes, second: bytes) -> None:
    one, two = replay.segment(first), replay.segment(second)
    length = len(one) - 20
    for start, end in ((16, 32), (24, 40), (16, length), (24, 32), (8, length)):
        parts = [fragment(one, 0, 24), fragment(one, 24, length), fragment(two, start, end)]
        for order, checksums in product(permutations(parts), ("auto", "ignore")):
            streams = replay.streams([*order, replay.segment(NOOP)], checksums)
            assert read_by(streams) in (MASKED[first], NOOP)


@told(
    "cuts inside the TCP header, so that the flags or the text come in a second fragment (RFC "
    "1858), or sends a second fragment over the header",
    "looks at whole packets only; gives up what overlaps",
    "the whole, judged",
)
def test_fragments_of_the_header(replay: Replay) -> None:
    whole = replay.segment(EXPN)
    length = len(whole) - 20
    parts = [fragment(whole, 0, 8), fragment(whole, 8, length)]
    assert read_by(replay.streams(parts)) == MASKED[EXPN]
    hidden = [fragment(whole, 0, 24), fragment(whole, 8, length)]
    assert read_by(replay.streams(hidden)) == b""


@told(
    "never sends one of the fragments, sends too many, or waits too long between them (replay)",
    f"gives the packet up: {MAX_CHAIN} fragments, {TIMEOUT:.0f} seconds",
    "nothing of it",
)
def test_fragments_that_never_make_a_packet(replay: Replay) -> None:
    parts = fragments(replay.segment(EXPN), 16)
    for missing in range(len(parts)):
        assert read_by(replay.streams(parts[:missing] + parts[missing + 1 :])) == b""
    assert read_by(replay.streams(parts, step=TIMEOUT)) == b""
    many = fragments(replay.segment(EXPN * 10), 8)
    assert len(many) > MAX_CHAIN
    assert read_by(replay.streams(many)) == b""


@told(
    "nothing: the mail is honest, each packet of it in fragments (replay)",
    "puts the fragments together, and cuts them again",
    "the whole mail",
)
@pytest.mark.parametrize("reverse", [False, True])
def test_mail_in_fragments(replay: Replay, reverse: bool) -> None:
    path = Path(None)
    path.open()
    send_mail(path)
    packets = []
    for number, seen in enumerate(path.wire.seen):
        numbered = seen.packet[:4] + number.to_bytes(2) + seen.packet[6:]
        parts = fragments(numbered, 24)
        packets += parts[::-1] if reverse else parts
    left = replay.replay(packets)
    for receiver in receivers():
        mailer = Mailer()
        mailer.read(delivered(left, receiver))
        assert mailer.mails == [digest(MAIL)]


@case(
    "sends fragments (live)",
    "lets none through: before the queue, the kernel has put together what can be",
    "nothing of them",
)
def test_fragments_before_the_engine(release: Release) -> None:
    path = Path(release)
    greet(path)
    for part in fragments(path.segment(0, EXPN), 16):
        assert not path.wire.firewall.receive(part, path.wire.now).forward
    send_mail(path)
