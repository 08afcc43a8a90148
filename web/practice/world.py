"""The practice world as time passes: the market's jobs arrive in the ledger, and others take some.

Nothing moves by itself. Whoever looks or acts calls `catch_up` first, so the world costs nothing while
nobody is there, and needs no task of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from .ledger import Entry, Ledger, Status
from .market import Market
from .settings import MAX_OPEN_JOBS


class World:
    """The one world behind the pages.

    Args:
        monotonic: seconds that only grow; any origin.
        wall: what people read on a clock.
    """

    def __init__(
        self,
        ledger: Ledger,
        market: Market,
        *,
        monotonic: Callable[[], float],
        wall: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.ledger = ledger
        self._market = market
        self._monotonic = monotonic
        self._wall = wall
        # The clock goes on from where it was written down last, so arrivals neither stop nor pile up
        # over a restart.
        self._origin = monotonic() - ledger.clock()

    def now(self) -> float:
        """Return the seconds since the world began, without those it was down."""
        return self._monotonic() - self._origin

    def catch_up(self) -> float:
        """Let happen what others did until now; return now."""
        now = self.now()
        room = MAX_OPEN_JOBS - self.ledger.count(Status.OPEN)
        arrivals, schedule = self._market.arrivals(self.ledger.schedule(), now=now, room=room)
        self.ledger.pass_time(now=now, arrivals=arrivals, schedule=schedule, wall=self._wall())
        return now

    def table(self) -> list[Entry]:
        """Return the rows of the job table."""
        return self.ledger.table(now=self.catch_up())

    def decide(self, ref: str, status: Status, *, reason: str = "") -> Status | None:
        """Accept or reject a job, once; see `Ledger.decide`."""
        return self.ledger.decide(ref, status, reason=reason, now=self.catch_up(), wall=self._wall())

    def result(self, ref: str) -> Entry | None:
        """Return what became of a job, however long ago, or None while it is open or not known."""
        self.catch_up()
        return self.ledger.result(ref)
