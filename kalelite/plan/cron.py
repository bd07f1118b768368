"""Times by the five fields of cron: minute, hour, day of the month, month, day of the week."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date, datetime, timedelta

from kalelite.errors import UsageError
from kalelite.frozen import frozen

_MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
_DAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]
_WHOLE = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
_LOOKED_AHEAD = 366 * 9
"""Days: there are eight years between two 29 February, at the turn of some centuries."""


@frozen
class _Field:
    title: str
    low: int
    high: int
    names: tuple[str, ...] = ()
    first: int = 0
    """The number of the first name."""

    def read(self, text: str) -> tuple[int, ...]:
        """The numbers that a text stands for, sorted; raises `UsageError`."""
        found: set[int] = set()
        for part in text.split(","):
            found.update(self._part(part.strip(), text))
        return tuple(sorted(found))

    def _part(self, part: str, text: str) -> range:
        match = re.fullmatch(r"(\*|\w+)(?:-(\w+))?(?:/(\d+))?", part)
        if match is None:
            raise self._wrong(text, f"{part!r} is none of *, 5, 1-5, */15 and lists of these")
        begin, end, step = match.groups()
        if begin == "*":
            if end is not None:
                raise self._wrong(text, f"{part!r} goes from * to something")
            low, high = self.low, self.high
        else:
            low = self._number(begin, text)
            high = self._number(end, text) if end else (self.high if step else low)
        if low > high:
            raise self._wrong(text, f"{part!r} ends before it begins")
        if step == "0":
            raise self._wrong(text, f"{part!r} has steps of nothing")
        return range(low, high + 1, int(step or 1))

    def _number(self, text: str, whole: str) -> int:
        if text.lower() in self.names:
            return self.names.index(text.lower()) + self.first
        if not text.isdecimal() or not self.low <= int(text) <= self.high:
            names = f", {self.names[0]} to {self.names[-1]}" if self.names else ""
            raise self._wrong(whole, f"{text!r} is not from {self.low} to {self.high}{names}")
        return int(text)

    def _wrong(self, text: str, why: str) -> UsageError:
        return UsageError(f"the {self.title} {text!r} of a schedule: {why}")


_FIELDS = (
    _Field("minute", 0, 59),
    _Field("hour", 0, 23),
    _Field("day of the month", 1, 31),
    _Field("month", 1, 12, tuple(_MONTHS), 1),
    _Field("day of the week", 0, 7, tuple(_DAYS)),
)


@frozen
class Cron:
    """A schedule. Where both kinds of days are restricted, one of them is enough, as in cron."""

    text: str
    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: tuple[int, ...]
    months: tuple[int, ...]
    weekdays: tuple[int, ...]
    any_day: bool
    any_weekday: bool

    @classmethod
    def parse(cls, text: str) -> Cron:
        """Read five fields, or a word such as ``@daily``; raises `UsageError`."""
        given = _WHOLE.get(text.strip().lower(), text).split()
        if len(given) != len(_FIELDS):
            raise UsageError(
                f"{text!r} is no schedule: it has {len(given)} fields, not five",
                hint="Minute, hour, day of the month, month, day of the week: '0 6 * * *' is every "
                "day at six, '*/15 9-17 * * mon-fri' each quarter of an hour at work; or @daily.",
            )
        minutes, hours, days, months, weekdays = (
            field.read(part) for field, part in zip(_FIELDS, given, strict=True)
        )
        starred = [part.startswith("*/") for part in (given[2], given[4])]
        if any(starred) and "*" not in (given[2], given[4]):
            raise UsageError(
                f"the days of {text!r} may be meant in two ways", hint="List them: 1,3,5,7."
            )
        weekdays = tuple(sorted({day % 7 for day in weekdays}))
        found = cls(text, minutes, hours, days, months, weekdays, given[2] == "*", given[4] == "*")
        if next(found._days(date(2000, 1, 1)), None) is None:
            raise UsageError(f"the schedule {text!r} has no day: there is no such date")
        return found

    def with_seconds(self) -> str:
        """The schedule with a field of seconds before it, in numbers: as KFP's controller reads it."""

        def field(numbers: tuple[int, ...], size: int) -> str:
            return "*" if len(numbers) == size else ",".join(map(str, numbers))

        day = "*" if self.any_day else ",".join(map(str, self.days))
        weekday = "*" if self.any_weekday else ",".join(map(str, self.weekdays))
        month = field(self.months, 12)
        return f"0 {field(self.minutes, 60)} {field(self.hours, 24)} {day} {month} {weekday}"

    def next_times(self, after: datetime, count: int = 5) -> list[datetime]:
        """The next times after one, in its time zone."""
        found: list[datetime] = []
        for day in self._days(after.date()):
            for hour in self.hours:
                for minute in self.minutes:
                    at = datetime(day.year, day.month, day.day, hour, minute, tzinfo=after.tzinfo)
                    if at > after:
                        found.append(at)
                        if len(found) == count:
                            return found
        return found

    def _days(self, first: date) -> Iterator[date]:
        for ahead in range(_LOOKED_AHEAD):
            day = first + timedelta(ahead)
            if day.month in self.months and self._has(day):
                yield day

    def _has(self, day: date) -> bool:
        by_day = day.day in self.days
        by_weekday = day.isoweekday() % 7 in self.weekdays
        if self.any_day or self.any_weekday:
            return by_day and by_weekday
        return by_day or by_weekday
