"""`mailhost` of 4.0 and 4.1: a static, a conduit and Mailguard in one."""

from __future__ import annotations

from ipaddress import IPv4Address

import pytest

from appliance.admission import Opening
from appliance.events import Denial
from appliance.policy.policy import Policy
from appliance.smtp.release import RELEASES
from tests.policy.rules import TWO_INTERFACES, configuration

CLIENT = IPv4Address("203.0.113.10")
MAPPED = IPv4Address("203.0.113.5")
REAL = IPv4Address("10.1.1.5")

VERSION = "PIX Version 4.1(7)"


def opening(destination: IPv4Address = MAPPED, port: int = 25) -> Opening:
    return Opening(6, CLIENT, 40000, destination, port, ingress="outside")


@pytest.mark.parametrize("pair", ["", "(inside,outside) "])
def test_mail_to_it_is_permitted_translated_and_inspected(pair: str) -> None:
    read = configuration(VERSION, TWO_INTERFACES, f"mailhost {pair}203.0.113.5 10.1.1.5 0 0")
    assert read.mail_hosts == (REAL,)
    assert read.smtp_ports == ()
    policy = Policy(read, RELEASES["4.1"])
    admission = policy.admit(opening())
    assert admission.denial is None
    assert (admission.server.address, admission.server.mapped) == (REAL, MAPPED)
    assert admission.inspection is RELEASES["4.1"]
    assert policy.admit(opening(port=80)).denial is Denial.NO_PERMIT


def test_other_mail_is_not_inspected() -> None:
    read = configuration(
        VERSION,
        TWO_INTERFACES,
        "mailhost 203.0.113.5 10.1.1.5",
        "static (inside,outside) 203.0.113.6 10.1.1.6",
        "conduit permit tcp host 203.0.113.6 eq smtp any",
    )
    admission = Policy(read, RELEASES["4.1"]).admit(opening(IPv4Address("203.0.113.6")))
    assert (admission.denial, admission.inspection) == (None, None)


def test_no_mailhost_takes_everything_back() -> None:
    read = configuration(
        VERSION,
        TWO_INTERFACES,
        "mailhost 203.0.113.5 10.1.1.5",
        "no mailhost 203.0.113.5 10.1.1.5",
    )
    assert (read.mail_hosts, read.statics, read.conduits) == ((), (), ())


def test_with_4_2_fixup_begins() -> None:
    assert configuration("PIX Version 4.2(1)", TWO_INTERFACES).smtp_ports == ((25, 25),)
