"""Working hours: when a portal may be worked on, as in "Mon-Fri 08:00-18:00, Sat 09:00-12:00"."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_EXPECTED = 'hours like "Mon-Fri 08:00-18:00, Sat 09:00-12:00"'
_SPAN = re.compile(r"(?:([a-z]{3})(?:-([a-z]{3}))?\s+)?(\d\d):(\d\d)-(\d\d):(\d\d)")
_DAY_MINUTES = 24 * 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """Hours that are the same on some days of the week."""

    days: frozenset[int]
    """Monday is 0; the days on which it begins."""
    start: int
    """Minutes after midnight."""
    end: int
    """Minutes after the same midnight; more than a day's where it ends on the next."""

    def on(self, day: date, zone: ZoneInfo) -> tuple[datetime, datetime]:
        """Return when it begins and ends on a day."""
        return _moment(day, self.start, zone), _moment(day, self.end, zone)


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkingHours:
    """Some spans in a time zone, summer time and all."""

    spans: tuple[Span, ...]
    zone: ZoneInfo

    def opening(self, now: datetime) -> datetime | None:
        """Return when the hours begin next, in their own zone, or None when it is within them."""
        begins: list[datetime] = []
        for start, end in self._around(now):
            if start <= now < end:
                return None
            if start > now:
                begins.append(start)
        return min(begins).astimezone(self.zone)

    def _around(self, now: datetime) -> Iterator[tuple[datetime, datetime]]:
        today = now.astimezone(self.zone).date()
        # From yesterday, whose hours may last over midnight, to this day of the next week.
        for distance in range(-1, 8):
            day = today + timedelta(days=distance)
            yield from (span.on(day, self.zone) for span in self.spans if day.weekday() in span.days)


def parse_hours(text: str) -> tuple[Span, ...]:
    """Return the spans that a text names; without days, a span is on each of them.

    Raises:
        ValueError: with what was expected.
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
    # "Fri-Mon" goes over the week's end.
    return frozenset((begin + step) % 7 for step in range((end - begin) % 7 + 1))


def _minutes(hours: str, minutes: str) -> int:
    total = int(hours) * 60 + int(minutes)
    if int(minutes) > 59 or total > _DAY_MINUTES:
        raise ValueError(_EXPECTED)
    return total


def _moment(day: date, minutes: int, zone: ZoneInfo) -> datetime:
    """Return a moment as UTC: times of one zone are compared by their digits, over a clock change too."""
    days, minutes = divmod(minutes, _DAY_MINUTES)
    clock = time(minutes // 60, minutes % 60)
    return datetime.combine(day + timedelta(days=days), clock, tzinfo=zone).astimezone(UTC)
