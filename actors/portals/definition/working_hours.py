"""Working hours of a portal, parsed from text such as "Mon-Fri 08:00-18:00, Sat 09:00-12:00"."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_EXPECTED = 'hours such as "Mon-Fri 08:00-18:00, Sat 09:00-12:00"'
_SPAN = re.compile(r"(?:([a-z]{3})(?:-([a-z]{3}))?\s+)?(\d\d):(\d\d)-(\d\d):(\d\d)")
_DAY_MINUTES = 24 * 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A time range on some days of the week."""

    days: frozenset[int]
    """Days on which the range begins; Monday is 0."""
    start: int
    """Minutes after midnight."""
    end: int
    """Minutes after the same midnight; more than 1440 if the range ends on the next day."""

    def on(self, day: date, zone: ZoneInfo) -> tuple[datetime, datetime]:
        """Return its begin and end, as UTC, when it begins on this day."""
        return _moment(day, self.start, zone), _moment(day, self.end, zone)


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkingHours:
    """Time ranges in a time zone; daylight saving time is taken into account."""

    spans: tuple[Span, ...]
    zone: ZoneInfo

    def next_opening(self, now: datetime) -> datetime | None:
        """Return when the hours next begin, in their own zone, or None if `now` is within them."""
        begins: list[datetime] = []
        for start, end in self._around(now):
            if start <= now < end:
                return None
            if start > now:
                begins.append(start)
        return min(begins).astimezone(self.zone)

    def _around(self, now: datetime) -> Iterator[tuple[datetime, datetime]]:
        today = now.astimezone(self.zone).date()
        # From yesterday, whose hours may last past midnight, to the same weekday next week.
        for distance in range(-1, 8):
            day = today + timedelta(days=distance)
            yield from (span.on(day, self.zone) for span in self.spans if day.weekday() in span.days)


def parse_hours(text: str) -> tuple[Span, ...]:
    """Parse comma-separated ranges. A range without days applies to every day.

    Raises:
        ValueError: the text is malformed; the message says what was expected.
    """
    return tuple(_span(part.strip().casefold()) for part in text.split(","))


def _span(text: str) -> Span:
    found = _SPAN.fullmatch(text)
    if found is None:
        raise ValueError(_EXPECTED)
    first, last, *clock = found.groups()
    start, end = _minutes(*clock[:2]), _minutes(*clock[2:])
    if start in {_DAY_MINUTES, end}:
        raise ValueError(_EXPECTED)
    return Span(days=_days(first, last), start=start, end=end if end > start else end + _DAY_MINUTES)


def _days(first: str | None, last: str | None) -> frozenset[int]:
    if first is None:
        return frozenset(range(7))
    if first not in _DAYS or (last or first) not in _DAYS:
        raise ValueError(_EXPECTED)
    begin, end = _DAYS.index(first), _DAYS.index(last or first)
    # "Fri-Mon" wraps around the end of the week.
    return frozenset((begin + step) % 7 for step in range((end - begin) % 7 + 1))


def _minutes(hours: str, minutes: str) -> int:
    total = int(hours) * 60 + int(minutes)
    if int(minutes) > 59 or total > _DAY_MINUTES:
        raise ValueError(_EXPECTED)
    return total


def _moment(day: date, minutes: int, zone: ZoneInfo) -> datetime:
    """Return a local time as UTC: Python compares times of one zone by their wall clock."""
    days, minutes = divmod(minutes, _DAY_MINUTES)
    clock = time(minutes // 60, minutes % 60)
    return datetime.combine(day + timedelta(days=days), clock, tzinfo=zone).astimezone(UTC)
