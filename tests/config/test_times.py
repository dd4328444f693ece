"""Time ranges: how they are written, when they include a time, and what rules do then."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.admission import Opening
from appliance.config.model import TimeRange
from appliance.config.printing import printed
from appliance.events import Denial, Event, PacketDenied
from appliance.firewall import Firewall
from appliance.policy.access_list import Rules
from appliance.policy.policy import Policy
from appliance.smtp.release import RELEASES
from tests.config.reading import error_of
from tests.config.seven import error, good
from tests.wire import CLIENT_START, SYN, packet

WORK = ("time-range work", " periodic weekdays 8:00 to 17:59")


def time_range(*lines: str) -> TimeRange:
    (found,) = good("time-range t", *lines).time_ranges
    return found


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


# 2026-11-23 is a Monday.
@pytest.mark.parametrize(
    ("lines", "inside", "outside"),
    [
        (
            ("periodic weekdays 8:00 to 17:59",),
            ("2026-11-23T08:00:00", "2026-11-27T17:59:59"),
            ("2026-11-23T07:59:59", "2026-11-23T18:00:00", "2026-11-28T12:00:00"),
        ),
        (
            ("periodic weekend 0:00 to 23:59",),
            ("2026-11-28T00:00:00", "2026-11-29T23:59:30"),
            ("2026-11-30T00:00:00",),
        ),
        (
            ("periodic Monday Wednesday 10:00 to 11:00",),
            ("2026-11-23T10:30:00", "2026-11-25T11:00:30"),
            ("2026-11-24T10:30:00",),
        ),
        (
            ("periodic Friday 18:00 to Monday 6:00",),
            ("2026-11-27T18:00:00", "2026-11-29T12:00:00", "2026-11-30T06:00:59"),
            ("2026-11-27T17:59:59", "2026-11-30T06:01:00", "2026-11-25T12:00:00"),
        ),
        (
            ("periodic Monday 8:00 to Monday 6:00",),
            ("2026-11-23T08:00:00", "2026-11-26T12:00:00", "2026-11-30T06:00:00"),
            ("2026-11-30T07:00:00",),
        ),
        (
            ("absolute start 8:00 1 January 2026 end 9:00 2 January 2026",),
            ("2026-01-01T08:00:00", "2026-01-02T09:00:59"),
            ("2026-01-01T07:59:59", "2026-01-02T09:01:00"),
        ),
        (
            ("absolute end 9:00 2 January 2026", "periodic daily 0:00 to 12:00"),
            ("2026-01-01T08:00:00", "1995-01-02T00:00:00"),
            ("2026-01-01T13:00:00", "2026-01-02T10:00:00"),
        ),
    ],
)
def test_when(lines: tuple[str, ...], inside: tuple[str, ...], outside: tuple[str, ...]) -> None:
    found = time_range(*lines)
    assert [found.includes(at(each)) for each in inside] == [True] * len(inside)
    assert [found.includes(at(each)) for each in outside] == [False] * len(outside)


@given(
    st.integers(0, 6),
    st.integers(0, 1439),
    st.integers(0, 6),
    st.integers(0, 1439),
    st.integers(0, 7 * 1440 - 1),
)
def test_a_period_over_days_is_one_stretch_of_the_week(
    first: int, begin: int, last: int, end: int, minute: int
) -> None:
    days = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
    clock = [f"{m // 60}:{m % 60:02}" for m in (begin, end)]
    found = time_range(f"periodic {days[first]} {clock[0]} to {days[last]} {clock[1]}")
    start, stop = first * 1440 + begin, last * 1440 + end
    expected = (minute - start) % 10080 <= (stop - start) % 10080
    moment = datetime(2026, 11, 23, tzinfo=UTC) + timedelta(minutes=minute)
    assert found.includes(moment.timestamp()) == expected


def test_a_rule_is_in_force_within_its_time_range() -> None:
    line = "access-list 1 extended permit ip any any time-range work"
    found = good(*WORK, line)
    packet = Opening(6, IPv4Address("10.1.1.1"), 1, IPv4Address("10.1.1.2"), 25)
    listed = found.access_lists[0].rules
    assert Rules(listed).first_match(replace(packet, time=at("2026-11-23T12:00:00")))
    assert not Rules(listed).first_match(replace(packet, time=at("2026-11-23T22:00:00")))
    assert Rules(listed).first_match(packet)
    assert f"{line} " in printed(found)


def test_how_it_is_printed() -> None:
    lines = printed(
        good(
            "time-range t",
            "absolute start 08:00 01 jan 2026 end 9:30 2 February 2026",
            "periodic Friday 18:00 to Monday 6:00",
            "periodic mon wed 9:00 to 9:30",
            "periodic daily 0:00 to 1:00",
        )
    )
    start = lines.index("time-range t")
    assert lines[start : start + 6] == [
        "time-range t",
        " absolute start 08:00 01 January 2026 end 09:30 02 February 2026",
        " periodic Friday 18:00 to Monday 6:00",
        " periodic Monday Wednesday 9:00 to 9:30",
        " periodic daily 0:00 to 1:00",
        "!",
    ]


def test_what_is_removed() -> None:
    assert good(*WORK, "no time-range work").time_ranges == ()
    assert good(*WORK, "clear configure time-range").time_ranges == ()
    two = (*WORK, "periodic daily 1:00 to 2:00", "no periodic weekdays 8:00 to 17:59")
    assert len(good(*two).time_ranges[0].periods) == 1
    bounds = ("absolute end 9:00 2 January 2026", "no absolute")
    assert good(*WORK, *bounds).time_ranges[0].end is None


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        (("time-range t", "absolute"), "incomplete command"),
        (("time-range t", "absolute start 8:00 31 April 2026"), "April 2026 has no day 31"),
        (
            ("time-range t", "absolute start 8:00 2 May 2026 end 8:00 1 May 2026"),
            "it ends before it begins",
        ),
        (("time-range t", "periodic 8:00 to 9:00"), "no day is given"),
        (("time-range t", "periodic daily 8:00 to 24:00"), "is not a time of the day"),
        (("time-range t", "periodic daily 8:00 to 7:00"), "it ends before it begins"),
        (("time-range t", "periodic daily 8:00 to Monday 9:00"), "it begins on several days"),
        (("time-range t", "no periodic daily 8:00 to 9:00"), "there is no such period"),
        (("no time-range t",), "there is no such time range"),
        (("access-list 1 permit ip any any time-range t",), "time-range t does not exist"),
        (
            ("time-range t", "access-list 1 permit ip any any time-range t"),
            "time-range t says no time",
        ),
    ],
)
def test_what_is_wrong(lines: tuple[str, ...], problem: str) -> None:
    assert problem in error(*lines).problem


def test_it_is_of_7_0() -> None:
    assert "from 7.0 on only" in error_of("time-range t").problem
    assert "is not expected" in error_of("access-list 1 permit ip any any time-range t").problem


def test_the_firewall_judges_by_the_time_of_the_packet() -> None:
    found = good(
        *WORK,
        "route outside 0 0 203.0.113.254",
        "static (inside,outside) 203.0.113.5 10.1.1.5 netmask 255.255.255.255",
        "access-list 1 extended permit ip any any time-range work",
        "access-group 1 in interface outside",
    )
    events: list[Event] = []
    firewall = Firewall(Policy(found, RELEASES["7.2"]).admit, events.append)
    for port, time in ((1, "2026-11-23T12:00:00"), (2, "2026-11-23T22:00:00")):
        syn = packet(True, CLIENT_START, 0, SYN, ports=(port, 25))
        assert firewall.receive(syn, at(time)).forward == (port == 1)
    (denied,) = [event for event in events if isinstance(event, PacketDenied)]
    assert denied.reason is Denial.ACCESS_LIST
