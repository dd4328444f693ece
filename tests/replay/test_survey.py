from __future__ import annotations

from functools import partial
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from appliance.replay.capture import read_capture
from appliance.replay.checksums import Checksums, Judge
from appliance.replay.connections import Connections
from appliance.replay.open_policy import OpenPolicy
from appliance.replay.passage import Passage
from appliance.replay.survey import Form, form, unreliable_senders
from appliance.smtp.release import RELEASES
from appliance.syslog import Syslog
from tests.fuzz.files import in_memory
from tests.replay.packets import enhanced, ethernet, interface, mail, pcap, section

PACKETS = mail().packets
RELEASE = RELEASES["6.3"]
SUMS = {"header": 10, "segment": 36}
"""Where the checksums stand in the packets."""


def spoiled(packet: bytes, at: int) -> bytes:
    return packet[:at] + bytes((packet[at] ^ 0x55,)) + packet[at + 1 :]


def replayed(path: Path, judge: Judge) -> None:
    connections = Connections(Syslog("PIX", RELEASE), streams=False)
    passage = Passage(OpenPolicy(RELEASE).admit, connections, judge, None)
    for frame in read_capture(path, "x.pcap"):
        passage.receive(frame)


@given(
    st.lists(st.sampled_from([None, *SUMS]), min_size=len(PACKETS), max_size=len(PACKETS)),
)
def test_asked_for_late_the_senders_are_those_of_the_whole_capture(
    wrong: list[str | None],
) -> None:
    packets = [
        packet if which is None else spoiled(packet, SUMS[which])
        for packet, which in zip(PACKETS, wrong, strict=True)
    ]
    with in_memory(pcap(ethernet(packets))) as path:
        judge = Judge(Checksums.AUTO, partial(unreliable_senders, path, "x.pcap"))
        replayed(path, judge)
        assert judge.unreliable == unreliable_senders(path, "x.pcap")


def test_a_capture_without_wrong_sums_is_not_surveyed() -> None:
    def survey() -> frozenset[bytes]:
        raise AssertionError

    with in_memory(pcap(ethernet(PACKETS))) as path:
        replayed(path, Judge(Checksums.AUTO, survey))


def test_form() -> None:
    with in_memory(pcap(ethernet(PACKETS))) as path:
        assert form(path, "x.pcap") == Form(frozenset({1}), nanoseconds=False)
    with in_memory(pcap(PACKETS, link=101, nano=True, step=1e-9)) as path:
        assert form(path, "x.pcap") == Form(frozenset({101}), nanoseconds=True)
    blocks = section() + interface(1) + interface(101) + interface(147)
    blocks += enhanced(ethernet(PACKETS)[0]) + enhanced(PACKETS[1], 1) + enhanced(b"x", 2)
    with in_memory(blocks) as path:
        assert form(path, "x.pcapng") == Form(frozenset({1, 101}), nanoseconds=False)


def test_what_cannot_be_read_is_left_to_the_passage() -> None:
    with in_memory(pcap(ethernet([spoiled(PACKETS[0], 36)]))[:-1]) as path:
        assert unreliable_senders(path, "x.pcap") == frozenset()
        assert form(path, "x.pcap") == Form(frozenset(), nanoseconds=False)
