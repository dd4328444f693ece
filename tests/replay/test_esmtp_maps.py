"""Captures through an inspection map of a rule file, and through the default one."""

from __future__ import annotations

import pytest

from tests.replay.packets import Talk, ethernet, pcap
from tests.replay.test_replay import Desk, desk

__all__ = ["desk"]

RULES = """\
ASA Version 8.2(1)
interface Ethernet0
 nameif outside
 security-level 0
 ip address 198.51.100.1 255.255.255.0
interface Ethernet1
 nameif inside
 security-level 100
 ip address 10.0.0.1 255.255.255.0
regex spammer "^spam@"
access-list in extended permit tcp any host 198.51.100.5 eq smtp
static (inside,outside) 198.51.100.5 10.0.0.5 netmask 255.255.255.255
access-group in in interface outside
policy-map type inspect esmtp strict
 parameters
  no mask-banner
 match sender-address regex spammer
  reset log
 match body line length gt 998
  log
class-map inspection_default
 match default-inspection-traffic
policy-map global_policy
 class inspection_default
  inspect esmtp strict
service-policy global_policy global
route outside 0.0.0.0 0.0.0.0 198.51.100.254 1
"""

LONG_HEADER = b"X: " + b"x" * 1000 + b"\r\n\r\n.\r\n"
LONG_BODY = b"Subject: x\r\n\r\n" + b"x" * 1000 + b"\r\n.\r\n"


def capture(sender: bytes, text: bytes) -> bytes:
    talk = Talk().open()
    talk.answers(b"220 mx\r\n")
    talk.says(b"MAIL FROM:<" + sender + b">\r\n").answers(b"250 ok\r\n")
    talk.says(b"RCPT TO:<b@mx.example>\r\nDATA\r\n").answers(b"250 ok\r\n354 go\r\n")
    talk.says(text).answers(b"250 queued\r\n")
    return pcap(ethernet(talk.close().packets))


@pytest.mark.parametrize(
    ("arguments", "sender", "text", "closed", "said", "counted"),
    [
        ((), b"a@b", LONG_HEADER, "fin", [], ""),
        (
            ("--release", "8.4"),
            b"a@b",
            LONG_HEADER,
            "dropped",
            ["108004: ESMTP Classification: Dropped connection for", "507003", "302014"][:2],
            "    match header line length gt 998\n      drop-connection log, packet 1\n",
        ),
        (
            ("--release", "8.4"),
            b"a@b",
            LONG_BODY,
            "fin",
            ["108005: ESMTP Classification: Received"],
            "    match body line length gt 998\n      log, packet 1\n",
        ),
        (
            ("--config", "rules.cfg"),
            b"a@b",
            LONG_HEADER,
            "fin",
            [],
            "    match body line length gt 998\n      log, packet 0\n",
        ),
        (
            ("--config", "rules.cfg"),
            b"spam@b",
            LONG_BODY,
            "dropped",
            ["108004: ESMTP Classification: Reset connection for", "507003"],
            "  Inspect: esmtp strict, packet 5, drop 0, reset-drop 1\n"
            "    match sender-address regex spammer\n      reset log, packet 1\n",
        ),
    ],
)
def test_mail_goes_through_its_map(
    desk: Desk,
    arguments: tuple[str, ...],
    sender: bytes,
    text: bytes,
    closed: str,
    said: list[str],
    counted: str,
) -> None:
    desk.put("rules.cfg", RULES.encode())
    desk.put("long.pcap", capture(sender, text))
    result = desk("long.pcap", *arguments, "--json", "out.json")
    assert result.exit_code == 0, result.stderr
    (record,) = desk.records("out.json")
    assert record["closed"] == closed
    found = [each["message"] for each in record["events"] if each["message"]]
    assert len(found) == len(said)
    assert all(part in line for part, line in zip(said, found, strict=True))
    assert counted in result.stdout
    assert (text.decode() in record["to_server"]) is (closed == "fin")
    assert ("Inspect: esmtp" in result.stdout) is bool(arguments)
