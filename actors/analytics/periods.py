"""The four-hour periods of a day in UTC, and which of them are due for counting. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

LENGTH: Final = timedelta(hours=4)
MARGIN: Final = timedelta(minutes=1)
"""A period is over this long after its end: a job's time is the begin of its transaction, not the commit."""


@dataclass(frozen=True, slots=True, order=True)
class Period:
    """Four hours from 00, 04, 08, 12, 16 or 20 o'clock; the end is excluded."""

    start: datetime

    @classmethod
    def of(cls, time: datetime) -> Period:
        """The period that contains a time."""
        time = time.astimezone(UTC)
        return cls(time.replace(hour=time.hour // 4 * 4, minute=0, second=0, microsecond=0))

    @property
    def end(self) -> datetime:
        """The end, excluded."""
        return self.start + LENGTH

    @property
    def next(self) -> Period:
        """The following period."""
        return Period(self.end)

    def is_over(self, now: datetime) -> bool:
        """Whether no further job can be added to it."""
        return now >= self.end + MARGIN

    def __str__(self) -> str:
        return f"{self.start:%Y-%m-%d %H:%M} to {self.end:%H:%M} UTC"


def due_periods(
    now: datetime, *, provisional: Iterable[Period], last: Period | None, first: datetime
) -> list[Period]:
    """The periods to count now, in order: those that may change, those never counted, and the current one.

    ``last`` is the latest counted period. Without one, counting begins with the
    period of ``first``.
    """
    current = Period.of(now)
    missing = _from(Period.of(min(first, now)) if last is None else last.next, current)
    return sorted({*provisional, *missing, current})


def next_count(now: datetime, interval: timedelta) -> datetime:
    """When to count again: after the interval, or as soon as the current period is over."""
    return min(now + interval, Period.of(now).end + MARGIN)


def _from(period: Period, current: Period) -> Iterator[Period]:
    while period <= current:
        yield period
        period = period.next
