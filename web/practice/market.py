"""Which jobs there are in the practice world: pure, and the same for the same seed.

Job n is a function of the seed and n alone, so two runs, two machines and two engines meet the same jobs
in the same order. What has become of them is the ledger's.
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
"""Each with its weight: mostly by telephone, as at an agency."""

LANGUAGES = {
    "Spanish": 20, "Arabic": 14, "Polish": 12, "Romanian": 10, "Urdu": 8, "Portuguese": 8, "Ukrainian": 7,
    "Farsi": 6, "Mandarin": 6, "Turkish": 5, "Somali": 4, "Vietnamese": 4, "Bengali": 4, "Albanian": 3,
    "Tigrinya": 2, "Haitian Creole": 1,
}  # fmt: skip

MINUTES = (15, 20, 30, 30, 30, 45, 60, 60, 90, 120)
INCOMPLETE_SHARE = 0.04
"""Share of jobs that come without one of the fields that an interpreter needs."""
REQUIRED = ("appt_date", "appt_time", "duration", "language")


@dataclass(frozen=True, slots=True, kw_only=True)
class Posting:
    """A job as its customer put it up."""

    n: int
    ref: str
    lead_days: int
    """Days from its posting to the appointment."""
    appt_time: str
    duration: str
    language: str
    job_type: str
    missing: str | None
    """The one required field that was left empty, if any."""
    taken_after: float | None
    """Seconds until somebody else takes it, or None when nobody does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """A posting that reached the portal, and when on the world's clock."""

    posting: Posting
    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """How far the stream of jobs has come."""

    next_n: int = 1
    previous_at: float = 0.0
    """When the job before `next_n` arrived, on the world's clock."""


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
        # Every draw is made whatever the settings are, so that turning one quirk off changes nothing else.
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
        """Return the seconds between the arrivals of job n - 1 and job n; infinite when arrivals are off."""
        if n <= self.initial_jobs:
            return 0.0
        if self.arrival_seconds == 0:
            return math.inf
        return Random(f"{self.seed}:{n}:gap").expovariate(1.0) * self.arrival_seconds

    def arrivals(self, schedule: Schedule, *, now: float, room: int) -> tuple[list[Arrival], Schedule]:
        """Return what arrives until `now`, at most `room` jobs, and how far the stream has come then.

        When the room runs out the stream is held, not lost: the next job comes its gap after `now`.
        """
        arrived: list[Arrival] = []
        for arrival in self._stream(schedule):
            if arrival.at > now:
                break
            if len(arrived) >= room:
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
