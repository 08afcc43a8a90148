"""Generates the jobs of the practice portal from a seed; pure.

Job n depends only on the seed and n, so two runs, two machines and two engines get the same jobs in the same
order. The ledger has their status.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

JOB_TYPES = {
    "Telephone interpreting": 70,
    "Video interpreting": 12,
    "Face-to-Face": 8,
    "Onsite": 5,
    "Sight translation": 3,
    "Escort interpreting": 2,
}
"""Job types with weights: mostly by telephone, as at a real agency."""

LANGUAGES = {
    "Spanish": 20, "Arabic": 14, "Polish": 12, "Romanian": 10, "Urdu": 8, "Portuguese": 8, "Ukrainian": 7,
    "Farsi": 6, "Mandarin": 6, "Turkish": 5, "Somali": 4, "Vietnamese": 4, "Bengali": 4, "Albanian": 3,
    "Tigrinya": 2, "Haitian Creole": 1,
}  # fmt: skip

MINUTES = (15, 20, 30, 30, 30, 45, 60, 60, 90, 120)
INCOMPLETE_SHARE = 0.04
"""Share of jobs without one of the required fields."""
REQUIRED = ("appt_date", "appt_time", "duration", "language")


@dataclass(frozen=True, slots=True, kw_only=True)
class Posting:
    """A job as posted by its customer."""

    n: int
    ref: str
    lead_days: int
    """Days from the posting to the appointment."""
    appt_time: str
    duration: str
    language: str
    job_type: str
    missing: str | None
    """The required field that is empty, if any."""
    taken_after: float | None
    """Seconds until another interpreter takes it, or None."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """A posting and its time of arrival on the portal's clock."""

    posting: Posting
    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """A position in the stream of jobs."""

    next_n: int = 1
    previous_at: float = 0.0
    """When the job before `next_n` arrived, on the portal's clock."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Market:
    """The stream of jobs for one seed."""

    seed: int
    initial_jobs: int
    arrival_seconds: float
    taken_share: float
    taken_after_seconds: float

    def posting(self, n: int) -> Posting:
        """Return job n, counted from 1."""
        # All values are drawn with all settings, so that one setting does not change the other values.
        draw = Random(f"{self.seed}:{n}")
        incomplete, which = draw.random(), draw.choice(REQUIRED)
        taken, after = draw.random(), draw.expovariate(1.0)
        return Posting(
            n=n,
            ref=f"AZ-{100_000 + n}",
            lead_days=draw.randint(0, 21),
            appt_time=f"{draw.randint(7, 19):02}:{draw.choice((0, 15, 30, 45)):02}",
            duration=f"{draw.choice(MINUTES)} minutes",
            language=draw.choices(tuple(LANGUAGES), tuple(LANGUAGES.values()))[0],
            job_type=draw.choices(tuple(JOB_TYPES), tuple(JOB_TYPES.values()))[0],
            missing=which if incomplete < INCOMPLETE_SHARE else None,
            taken_after=after * self.taken_after_seconds if taken < self.taken_share else None,
        )

    def gap(self, n: int) -> float:
        """Return the seconds between the arrivals of jobs n - 1 and n; infinite if arrivals are off."""
        if n <= self.initial_jobs:
            return 0.0
        if self.arrival_seconds == 0:
            return math.inf
        return Random(f"{self.seed}:{n}:gap").expovariate(1.0) * self.arrival_seconds

    def arrivals(self, schedule: Schedule, *, now: float, limit: int) -> tuple[list[Arrival], Schedule]:
        """Return the arrivals until `now`, at most `limit`, and the new position in the stream.

        At the limit the stream pauses and loses no job: the next one arrives one gap after `now`.
        """
        arrived: list[Arrival] = []
        for arrival in self._stream(schedule):
            if arrival.at > now:
                break
            if len(arrived) >= limit:
                return arrived, Schedule(next_n=arrival.posting.n, previous_at=now)
            arrived.append(arrival)
            schedule = Schedule(next_n=arrival.posting.n + 1, previous_at=arrival.at)
        return arrived, schedule

    def _stream(self, schedule: Schedule) -> Iterator[Arrival]:
        n, at = schedule.next_n, schedule.previous_at
        while True:
            at += self.gap(n)
            yield Arrival(posting=self.posting(n), at=at)
            n += 1
