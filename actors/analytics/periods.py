"""The four-hour periods of UTC's day, and which of them are to be counted. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

LENGTH: Final = timedelta(hours=4)
MARGIN: Final = timedelta(minutes=1)
"""So long after its end a period is over: a job is dated when its transaction begins, and commits later."""


@dataclass(frozen=True, slots=True, order=True)
class Period:
    """From 00, 04, 08, 12, 16 or 20 o'clock, the end excluded."""

    start: datetime

    @classmethod
    def of(cls, moment: datetime) -> Period:
        """The one that a moment lies in."""
        moment = moment.astimezone(UTC)
        return cls(moment.replace(hour=moment.hour // 4 * 4, minute=0, second=0, microsecond=0))

    @property
    def end(self) -> datetime:
        return self.start + LENGTH

    @property
    def next(self) -> Period:
        return Period(self.end)

    def is_over(self, now: datetime) -> bool:
        """Whether no further job can come into it."""
        return now >= self.end + MARGIN

    def __str__(self) -> str:
        return f"{self.start:%Y-%m-%d %H:%M} to {self.end:%H:%M} UTC"


def due(now: datetime, *, unsettled: Iterable[Period], last: Period | None, first: datetime) -> list[Period]:
    """The periods to count now, in order: those that may change or that nobody counted, and the present one.

    ``last`` is the latest that was ever counted. Where there is none, counting
    begins with the period of ``first``.
    """
    present = Period.of(now)
    missing = _from(Period.of(min(first, now)) if last is None else last.next, present)
    return sorted({*unsettled, *missing, present})


def next_look(now: datetime, every: timedelta) -> datetime:
    """When to count again: after a while, and as soon as the present period is over."""
    return min(now + every, Period.of(now).end + MARGIN)


def _from(period: Period, present: Period) -> Iterator[Period]:
    while period <= present:
        yield period
        period = period.next
