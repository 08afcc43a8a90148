"""Advances the practice portal in time: jobs of the market arrive in the ledger, and others take some.

Each request calls `catch_up` first, so that an idle portal costs nothing and needs no background task.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from .ledger import JobEntry, JobLedger, PostingStatus
from .market import Market
from .settings import MAX_OPEN_JOBS


class World:
    """The state behind the pages.

    Args:
        monotonic: a monotonic clock in seconds, with any origin.
        wall: the wall-clock time.
    """

    def __init__(
        self,
        ledger: JobLedger,
        market: Market,
        *,
        monotonic: Callable[[], float],
        wall: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.ledger = ledger
        self._market = market
        self._monotonic = monotonic
        self._wall = wall
        # The clock continues from its last saved time, so that arrivals neither stop nor pile up during a
        # restart.
        self._origin = monotonic() - ledger.clock()

    def now(self) -> float:
        """Return the seconds since the first start, without the time when the portal was down."""
        return self._monotonic() - self._origin

    def catch_up(self) -> float:
        """Apply the arrivals and decisions of others until now, and return the time."""
        now = self.now()
        limit = MAX_OPEN_JOBS - self.ledger.count(PostingStatus.OPEN)
        arrivals, schedule = self._market.arrivals(self.ledger.schedule(), now=now, limit=limit)
        self.ledger.advance(now=now, arrivals=arrivals, schedule=schedule, wall=self._wall())
        return now

    def table(self) -> list[JobEntry]:
        """Return the rows of the job table."""
        return self.ledger.table(now=self.catch_up())

    def decide(self, ref: str, status: PostingStatus, *, reason: str = "") -> PostingStatus | None:
        """Accept or reject a job, once; see `Ledger.decide`."""
        return self.ledger.decide(ref, status, reason=reason, now=self.catch_up(), wall=self._wall())

    def result(self, ref: str) -> JobEntry | None:
        """Return a decided job, or None if it is open or unknown."""
        self.catch_up()
        return self.ledger.result(ref)
