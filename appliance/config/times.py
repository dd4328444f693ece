"""When rules are in force: `time-range`, from 7.0 on."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from appliance.config.command import GLOBAL, Command, Mode
from appliance.config.draft import Draft, TimeRangeEntry
from appliance.config.grammar import Argument, Arguments, Combined, Keyword, Options, Sequence
from appliance.config.kinds import Choice, Integer, Mismatch, Names
from appliance.config.language import SEVEN
from appliance.config.line import quoted
from appliance.config.model import Configuration, Period, TimeRange
from appliance.config.rules import TIMES

TIME_RANGE = Mode("time-range", GLOBAL)

_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_SETS = {"daily": tuple(range(7)), "weekdays": tuple(range(5)), "weekend": (5, 6)}
_MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)
_DAY = Choice("DAY", "a day of the week", {day.lower(): n for n, day in enumerate(_DAYS)})
_MONTH = Choice("MONTH", "a month", {month.lower(): n for n, month in enumerate(_MONTHS, 1)})


@dataclass(frozen=True, slots=True)
class _Clock:
    """A time of the day; the value is its minute."""

    label = "HH:MM"
    expects = "a time of the day from 0:00 to 23:59"

    def parse(self, word: str, names: Names) -> int:
        """Read one word, see `Kind`."""
        found = re.fullmatch(r"([0-9]{1,2}):([0-9]{2})", word)
        if not found or int(found[1]) > 23 or int(found[2]) > 59:
            raise Mismatch(f"{quoted(word)} is not {self.expects}")
        return int(found[1]) * 60 + int(found[2])


_CLOCK = _Clock()


def _make_moment(arguments: Arguments) -> datetime:
    minute = arguments.need("minute", int)
    year, month, day = (arguments.need(key, int) for key in ("year", "month", "day"))
    try:
        return datetime(year, month, day, minute // 60, minute % 60, tzinfo=UTC)
    except ValueError:
        name = _MONTHS[month - 1]
        problem = f"{name} {year} has no day {day}"
        raise arguments.refusal("day", problem, "write a day that there is") from None


def _moment(key: str) -> Sequence:
    form = Sequence(
        Argument("minute", _CLOCK),
        Argument("day", Integer(1, 31, "DAY")),
        Argument("month", _MONTH),
        Argument("year", Integer(1993, 2035, "YEAR")),
    )
    return Sequence(Keyword(key), Combined(key, form, _make_moment))


def _enter(draft: Draft, arguments: Arguments) -> TimeRangeEntry:
    name = arguments.need("name", str)
    return draft.time_ranges.setdefault(name, TimeRangeEntry(TimeRange(name), arguments.place))


def _undo(draft: Draft, arguments: Arguments) -> None:
    entry = draft.time_ranges.pop(arguments.need("name", str), None)
    if entry is None:
        raise arguments.refusal("name", "there is no such time range", "remove what is defined")
    draft.kept.close((entry.heading,))


def _enter_absolute(draft: Draft, arguments: Arguments) -> None:
    entry = arguments.subject(TimeRangeEntry)
    start, end = arguments.get("start", datetime), arguments.get("end", datetime)
    if start and end and end < start:
        raise arguments.refusal("end", "it ends before it begins", "write a later end")
    if start is None and end is None:
        raise arguments.refusal("", "incomplete command", "expected: `start` or `end`")
    entry.times = replace(entry.times, start=start, end=end)


def _undo_absolute(draft: Draft, arguments: Arguments) -> None:
    entry = arguments.subject(TimeRangeEntry)
    entry.times = replace(entry.times, start=None, end=None)


def _period(arguments: Arguments) -> Period:
    days = {n for n, day in enumerate(_DAYS) if arguments.get(day.lower(), bool)}
    days.update(day for key, known in _SETS.items() if arguments.get(key, bool) for day in known)
    if not days:
        raise arguments.refusal("begin", "no day is given", f"expected: {_DAY.expects}, or daily")
    begin, end = arguments.need("begin", int), arguments.need("end", int)
    last_day = arguments.get("last_day", int)
    if last_day is not None and len(days) > 1:
        raise arguments.refusal(
            "last_day", "it begins on several days", "write one day before `to`, or none after it"
        )
    if last_day is None and end < begin:
        raise arguments.refusal(
            "end", "it ends before it begins", "name the day that it ends on, or write two lines"
        )
    return Period(tuple(sorted(days)), begin, last_day, end)


def _enter_periodic(draft: Draft, arguments: Arguments) -> None:
    entry, period = arguments.subject(TimeRangeEntry), _period(arguments)
    if period not in entry.times.periods:
        entry.times = replace(entry.times, periods=(*entry.times.periods, period))


def _undo_periodic(draft: Draft, arguments: Arguments) -> None:
    entry, period = arguments.subject(TimeRangeEntry), _period(arguments)
    left = tuple(each for each in entry.times.periods if each != period)
    if left == entry.times.periods:
        raise arguments.refusal("", "there is no such period", "remove what is defined")
    entry.times = replace(entry.times, periods=left)


def _clock(minute: int) -> str:
    return f"{minute // 60}:{minute % 60:02}"


def _written(moment: datetime) -> str:
    return f"{moment:%H:%M %d} {_MONTHS[moment.month - 1]} {moment.year}"


def _print(configuration: Configuration) -> Iterator[str]:
    for each in configuration.time_ranges:
        yield each.heading
        bounds = (("start", each.start), ("end", each.end))
        written = [f"{key} {_written(moment)}" for key, moment in bounds if moment]
        if written:
            yield f" absolute {' '.join(written)}"
        for period in each.periods:
            known = [word for word, days in _SETS.items() if days == period.days]
            days = known or [_DAYS[day] for day in period.days]
            last = f"{_DAYS[period.last_day]} " if period.last_day is not None else ""
            yield f" periodic {' '.join(days)} {_clock(period.begin)} to {last}{_clock(period.end)}"
        yield "!"


_ABSOLUTE = Options(_moment("start"), _moment("end"))

COMMANDS = (
    Command(
        "time-range",
        "name times at which rules are in force",
        _enter,
        Argument("name", TIMES),
        _undo,
        defines=(0,),
        since=SEVEN,
        opens=TIME_RANGE,
        printed=_print,
        detail="All times are UTC: neither `clock timezone` nor the machine's time zone counts.",
    ),
    Command(
        "absolute",
        "from when on, and until when",
        _enter_absolute,
        _ABSOLUTE,
        _undo_absolute,
        Options(_ABSOLUTE),
        since=SEVEN,
        mode=TIME_RANGE,
        defines=(0,),
    ),
    Command(
        "periodic",
        "times of every week, between the two above if there are such",
        _enter_periodic,
        Sequence(
            Options(
                *(Keyword(word, word) for word in _SETS),
                *(Keyword(day.lower(), day.lower()) for day in _DAYS),
            ),
            Argument("begin", _CLOCK),
            Keyword("to"),
            Options(Argument("last_day", _DAY)),
            Argument("end", _CLOCK),
        ),
        _undo_periodic,
        since=SEVEN,
        mode=TIME_RANGE,
        defines=(0,),
        detail="The minute that it ends in belongs to it.",
    ),
)
