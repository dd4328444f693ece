"""TCP as the engine sees it: copies, holes, acknowledgements, ends."""

from __future__ import annotations

import struct

import pytest

from appliance.events import (
    Closing,
    ConnectionClosed,
    Denial,
    Inspected,
    Kind,
    PacketDenied,
    Phase,
)
from appliance.smtp.release import DEFAULT
from appliance.tcp import room
from appliance.verdict import DROP, FORWARD
from tests.wire import (
    ACK,
    CLIENT_START,
    FIN,
    PSH,
    RST,
    SERVER_START,
    SYN,
    URG,
    Wire,
    packet,
    take_apart,
)


def open_mail() -> Wire:
    """A connection in the data phase."""
    wire = Wire().handshake()
    wire.server(b"220 x\r\n")
    wire.client(b"DATA\r\n")
    wire.server(b"354 go\r\n")
    wire.seen = [seen for seen in wire.seen if not seen.from_client]
    return wire


def details(wire: Wire, kind: Kind) -> list[str]:
    return [e.detail for e in wire.events if isinstance(e, Inspected) and e.kind is kind]


def closings(wire: Wire) -> list[Closing]:
    return [e.closing for e in wire.events if isinstance(e, ConnectionClosed)]


def phase(wire: Wire) -> Phase:
    (closed,) = [e for e in wire.events if isinstance(e, ConnectionClosed)]
    return closed.phase


def test_unedited_packet_is_forwarded_as_it_came():
    wire = open_mail()
    assert wire.client(b"text\r\n") is FORWARD


def test_edited_packet_keeps_its_header():
    wire = Wire().handshake()
    wire.server(b"220 x\r\n")
    sent = packet(True, CLIENT_START + 1, SERVER_START + 8, PSH | ACK, b"VRFY\r\n", window=1234)
    verdict = wire.give(sent)
    assert verdict.edited is not None
    assert verdict.edited[:36] == sent[:36]  # all but the checksum and the payload
    assert verdict.edited[40:] == b"XXXX\r\n"


def test_retransmission_carries_the_edit():
    wire = Wire().handshake()
    wire.server(b"220 x\r\n")
    wire.client(b"VRFY root\r\n")
    for start, end in ((0, 11), (0, 2), (3, 8), (10, 11)):
        wire.segment(True, start, b"VRFY root\r\n"[start:end])
        assert wire.seen[-1].payload == b"XXXX root\r\n"[start:end]
    assert Kind.INCONSISTENT_RETRANSMISSION not in wire.kinds()


def test_retransmission_carries_the_edit_after_its_acknowledgement():
    wire = Wire().handshake()
    wire.server(b"220 x\r\n")
    wire.client(b"VRFY root\r\n")
    wire.server(b"500 no\r\n")
    verdict = wire.segment(True, 0, b"VRFY root\r\n")
    assert take_apart(verdict.edited or b"").payload == b"XXXX root\r\n"


def test_changed_retransmission_is_corrected():
    wire = Wire().handshake()
    wire.server(b"220 x\r\n")
    wire.client(b"NOOP x\r\n")
    wire.segment(True, 0, b"VRFY x\r\n")
    assert wire.received(True) == wire.received(True, last_wins=True) == b"NOOP x\r\n"
    assert wire.kinds()[-1] is Kind.INCONSISTENT_RETRANSMISSION


def test_changed_retransmission_with_new_bytes():
    wire = Wire().handshake()
    wire.server(b"220 x\r\n")
    wire.client(b"NOOP x\r\n")
    wire.segment(True, 0, b"VRFY x\r\nNOOP\r\n")
    assert wire.received(True) == wire.received(True, last_wins=True) == b"NOOP x\r\nNOOP\r\n"


def test_first_copy_wins_among_held_segments():
    wire = Wire().handshake()
    wire.server(b"220 x\r\n")
    assert not wire.segment(True, 6, b"NOOP y\r\n").forward
    assert not wire.segment(True, 6, b"VRFY z\r\n").forward
    wire.segment(True, 0, b"RSET\r\nEXPN q\r\n")
    assert wire.received(True) == wire.received(True, last_wins=True) == b"RSET\r\nNOOP y\r\n"
    assert Kind.INCONSISTENT_RETRANSMISSION in wire.kinds()


def test_held_segments_follow_the_one_that_fills_the_hole():
    wire = open_mail()
    for start in (22, 14, 30):
        assert not wire.segment(True, start, b"x" * 8).forward
    assert [s.payload for s in wire.seen if s.from_client] == []
    verdict = wire.segment(True, 6, b"y" * 8)
    assert len(verdict.released) == 3
    assert wire.received(True) == b""  # DATA itself was taken out of what was seen
    sent = [(s.seq - CLIENT_START - 1) % (1 << 32) for s in wire.seen if s.from_client]
    assert sent == [6, 14, 22, 30]


@pytest.mark.parametrize("permitted", [True, False])
def test_who_sends_what_is_held_is_told_what_is_missing(permitted):
    """Nobody else would: the receiver sees no hole."""
    wire = Wire().handshake(options=b"\x04\x02\x01\x01" if permitted else b"")
    wire.server(b"220 x\r\n")

    def told(start: int) -> list[int]:
        (said,) = wire.segment(True, start, b"x" * 8).released
        seen = take_apart(said)
        assert (seen.from_client, seen.flags, seen.payload) == (False, ACK, b"")
        assert seen.seq == SERVER_START + 1 + 7
        assert seen.ack == (CLIENT_START + 1) % (1 << 32)
        edges = struct.unpack(f"!{(len(said) - 44) // 4}I", said[44:]) if permitted else ()
        return [(edge - CLIENT_START - 1) % (1 << 32) for edge in edges]

    if not permitted:
        assert told(22) == []
        return
    assert told(22) == [22, 30]
    assert told(30) == [22, 38], "one range"
    assert told(6) == [6, 14, 22, 38], "the newest first"
    assert told(54) == [54, 62, 6, 14, 22, 38]
    assert told(80) == [80, 88, 6, 14, 22, 38], "no more than three"


def test_released_segments_are_no_older_than_the_one_that_released_them():
    wire = open_mail()

    def stamped(offset: int, value: int) -> None:
        options = b"\x01\x01\x08\x0a" + struct.pack("!II", value, 1)
        wire.segment(True, offset, b"x" * 4, options=options)

    stamped(10, 100)
    stamped(6, 250)
    values = [struct.unpack("!I", s.packet[44:48])[0] for s in wire.seen if s.from_client]
    assert values == [250, 250]


def test_hole_is_bounded():
    wire = open_mail()
    size = 1400
    for number in range(1, 400):
        wire.segment(True, 6 + number * size, b"x" * size, window=65535, ack=None or 5000 + 16)
    _, connection = next(iter(wire.firewall._flows))
    assert sum(len(h.segment.packet) for h in connection._client.held) <= room.HELD
    assert details(wire, Kind.SEGMENT_DROPPED)


def test_forgotten_bytes_are_cut_off():
    wire = open_mail()
    body = b"0123456789abcdef" * 200  # more than is remembered
    wire.client(body)
    wire.segment(False, wire.server_sent, b"", ACK, ack=CLIENT_START + 1 + 6 + len(body))
    verdict = wire.segment(True, 6, b"VRFY root\r\n")
    seen = take_apart(verdict.edited or b"")
    assert (seen.payload, seen.seq) == (b"", (CLIENT_START + 7) % (1 << 32))


def test_keep_alive_passes_with_the_byte_that_was_there():
    wire = Wire().handshake()
    wire.server(b"220 x\r\n")
    wire.client(b"NOOP\r\n")
    wire.segment(False, 7, b"", ACK)
    verdict = wire.segment(True, 5, b"\0", ACK)
    assert take_apart(verdict.edited or b"").payload == b"\n"
    assert Kind.INCONSISTENT_RETRANSMISSION not in wire.kinds()


def test_data_in_a_syn_is_removed_with_the_fast_open_option():
    wire = Wire()
    cookie = bytes((34, 10)) + b"coockie!"
    mss = b"\x02\x04\x05\xb4"
    wire.give(packet(True, CLIENT_START, 0, SYN, b"VRFY root\r\n", options=mss + cookie))
    (seen,) = wire.seen
    assert seen.payload == b""
    assert seen.packet[40:44] == mss
    assert set(seen.packet[44:54]) == {1}


def test_urgent_data_is_in_band():
    wire = open_mail()
    verdict = wire.client(b"text\r\n", flags=PSH | ACK | URG, urgent=3)
    seen = take_apart(verdict.edited or b"")
    assert seen.flags == PSH | ACK
    assert seen.packet[38:40] == b"\0\0"


def test_segment_of_no_connection_is_denied():
    wire = Wire()
    assert wire.give(packet(True, 1, 1, ACK, b"VRFY\r\n")) is DROP
    (event,) = wire.events
    assert isinstance(event, PacketDenied)
    assert event.reason is Denial.NO_CONNECTION


def test_segment_beyond_the_window_is_dropped():
    wire = open_mail()
    assert wire.segment(True, 6 + 65536, b"xx") is DROP
    assert "window" in details(wire, Kind.SEGMENT_DROPPED)[0]


def test_window_scale_counts_when_both_ends_have_it():
    wire = Wire().handshake(options=b"\x03\x03\x07")
    wire.server(b"220 x\r\n")
    assert not wire.segment(True, 70000, b"NOOP\r\n").forward
    assert not details(wire, Kind.SEGMENT_DROPPED)  # held


def test_acknowledgement_of_unsent_bytes_is_dropped_live():
    wire = Wire().handshake()
    assert wire.segment(False, 0, b"220 x\r\n", ack=CLIENT_START + 100) is DROP


def test_acknowledgement_of_unsent_bytes_is_clamped_in_a_capture():
    wire = Wire(recorded=True).handshake()
    wire.segment(False, 0, b"220 x\r\n", ack=CLIENT_START + 100)
    assert wire.seen[-1].ack == (CLIENT_START + 1) % (1 << 32)
    assert wire.kinds() == [Kind.REPLY_TO_UNSENT, Kind.GREETING_MASKED]


def test_acknowledgement_of_long_ago_is_dropped_live():
    """It is nothing that the other end believes (RFC 5961, section 5.2)."""
    wire = Wire().handshake()
    wire.server(b"220 x\r\n")
    assert wire.segment(True, 0, b"NOOP\r\n", ack=SERVER_START + 1 - 70_000) is DROP
    assert details(wire, Kind.SEGMENT_DROPPED) == ["acknowledges bytes of long ago"]
    assert wire.segment(True, 0, b"NOOP\r\n", ack=SERVER_START + 1 - 60_000) is FORWARD


def test_data_beyond_fin_is_dropped():
    wire = open_mail()
    wire.client(b"x", flags=ACK | FIN)
    assert wire.client(b"VRFY\r\n") is DROP


@pytest.mark.parametrize(
    ("shift", "forwarded", "ended"), [(0, True, True), (5, True, False), (-5, False, False)]
)
def test_reset_needs_the_exact_number(shift, forwarded, ended):
    wire = open_mail()
    verdict = wire.segment(True, 6 + shift, b"", RST)
    assert verdict.forward is forwarded
    assert (closings(wire) == [Closing.RESET]) is ended
    assert (wire.client(b"text") is DROP) is ended


def test_refused_connection_is_over():
    wire = Wire()
    wire.give(packet(True, CLIENT_START, 0, SYN))
    assert wire.give(packet(False, 0, CLIENT_START + 1, RST | ACK)) is FORWARD
    assert closings(wire) == [Closing.RESET]


def test_forged_refusal_is_dropped():
    wire = Wire()
    wire.give(packet(True, CLIENT_START, 0, SYN))
    assert wire.give(packet(False, 0, CLIENT_START + 7, RST | ACK)) is DROP
    assert closings(wire) == []


@pytest.mark.parametrize("lost", [b"", b"NOOP\r\n"])
def test_reset_with_the_number_acknowledged_last_ends(lost):
    """The receiver may have had nothing of what was sent since."""
    wire = Wire().handshake()
    wire.server(b"220 x\r\n")
    wire.segment(True, 0, b"", ACK)
    acknowledged = wire.server_sent
    wire.server(lost, flags=FIN | ACK)
    assert wire.segment(False, acknowledged, b"", RST).forward
    assert closings(wire) == [Closing.RESET]


def test_payload_of_a_reset_is_removed():
    wire = open_mail()
    wire.segment(True, 6, b"VRFY\r\n", RST)
    assert wire.seen[-1].payload == b""


def test_new_connection_between_the_same_ends():
    wire = Wire().handshake()
    wire.server(b"220 x\r\n", flags=PSH | ACK | FIN)
    wire.segment(True, 0, b"", ACK | FIN, ack=SERVER_START + 9)
    wire.segment(False, 8, b"", ACK, ack=CLIENT_START + 2)
    assert closings(wire) == [Closing.FIN]
    wire.give(packet(True, 77, 0, SYN))
    wire.give(packet(False, 99, 78, SYN | ACK))
    wire.give(packet(False, 100, 78, PSH | ACK, b"220 again\r\n"))
    assert wire.seen[-1].payload == b"220 *****\r\n"


def test_syn_of_other_numbers_changes_nothing():
    wire = Wire().handshake()
    wire.server(b"220 x\r\n")
    assert wire.give(packet(True, 12345, 0, SYN)) is FORWARD  # for the server to challenge
    wire.client(b"VRFY\r\n")
    assert wire.received(True) == b"XXXX\r\n"


def test_capture_without_handshake_is_adopted_in_the_state_that_lets_least_through():
    wire = Wire(recorded=True)
    wire.client(b"VRFY root\r\n")
    wire.server(b"252 x\r\n")
    assert wire.received(True) == b"XXXX root\r\n"
    assert wire.received(False) == b"252 x\r\n"
    assert wire.kinds()[0] is Kind.ADOPTED


def test_adopted_from_the_servers_side():
    wire = Wire(recorded=True)
    wire.server(b"220 x\r\n")
    wire.client(b"VRFY root\r\n")
    assert wire.received(True) == b"XXXX root\r\n"
    assert wire.received(False) == b"220 *\r\n"


def test_idle_connections_end():
    wire = Wire().handshake()
    wire.server(b"220 x\r\n")
    wire.client(b"NOOP\r\n")
    wire.firewall.expire(wire.now + 3590)
    assert wire.firewall.flows == 1
    wire.firewall.expire(wire.now + 3610)
    assert wire.firewall.flows == 0
    assert closings(wire) == [Closing.TIMEOUT]
    assert phase(wire) is Phase.ESTABLISHED


def test_embryonic_connections_end_sooner():
    wire = Wire()
    wire.give(packet(True, CLIENT_START, 0, SYN))
    wire.firewall.expire(wire.now + 40)
    assert wire.firewall.flows == 0
    assert closings(wire) == [Closing.TIMEOUT]
    assert phase(wire) is Phase.EMBRYONIC


@pytest.mark.parametrize("release", [DEFAULT, None])
def test_half_closed_connections_end_sooner(release):
    wire = Wire(release).handshake()
    wire.server(b"220 x\r\n")
    wire.client(b"", flags=FIN | ACK)
    wire.firewall.expire(wire.now + 590)
    assert not closings(wire)
    wire.firewall.expire(wire.now + 640)
    assert closings(wire) == [Closing.TIMEOUT]
    assert phase(wire) is Phase.HALF_CLOSED


def test_connection_that_is_not_inspected_passes_unread():
    wire = Wire(release=None).handshake()
    assert wire.server(b"220 x\r\n") is FORWARD
    assert wire.client(b"VRFY\r\n") is FORWARD
    assert wire.client(b"", flags=RST) is FORWARD
    assert closings(wire) == [Closing.RESET]


@pytest.mark.parametrize("length", range(0, 60, 3))
def test_cut_off_packets_are_dropped(length):
    wire = Wire().handshake()
    assert wire.give(packet(True, CLIENT_START + 1, 1, ACK, b"V" * 20)[:length]) is DROP


def test_a_server_that_forgot_the_connection_takes_a_new_one_from_the_same_port():
    """Like a host that came up again; conntrack follows it in the same way."""
    wire = Wire().handshake()
    wire.server(b"220 mx ready\r\n")
    start = CLIENT_START + 90_000
    assert wire.give(packet(True, start, 0, SYN)) is FORWARD
    assert wire.give(packet(False, 777, start + 9, SYN | ACK)) is DROP
    assert wire.give(packet(False, 777, start + 1, SYN | ACK)) is FORWARD
    assert wire.give(packet(True, start + 1, 778, ACK)) is FORWARD
    wire.give(packet(False, 778, start + 1, PSH | ACK, b"220 mx ready\r\n"))
    assert wire.seen[-1].payload == b"220 ********\r\n"
    wire.give(packet(True, start + 1, 778 + 14, PSH | ACK, b"VRFY x\r\n"))
    assert wire.seen[-1].payload == b"XXXX x\r\n"
    closed = [event for event in wire.events if isinstance(event, ConnectionClosed)]
    assert [event.closing for event in closed] == [Closing.TIMEOUT]


def test_a_server_that_remembers_the_connection_goes_on_with_it():
    wire = Wire().handshake()
    wire.give(packet(True, CLIENT_START + 90_000, 0, SYN))
    wire.client(b"VRFY x\r\n")
    assert wire.seen[-1].payload == b"XXXX x\r\n"
