"""Keeps Redis showing what is on record and who is on duty."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import ClassVar, Final, Never, TypeVar
from uuid import UUID

import redis
import structlog
import trio

from runtime import Actor, Address, AskFailed, Bus, Exit, Refusal, Subscription

from ..records.messages import EventsQuery, Query, SessionsQuery
from ..records.rows import Desired
from ..sessions.events import FactRecorded, SessionChanged
from ..sessions.messages import RosterMessage, RosterQuery
from ..settings import RedisSettings
from .connection import Store, ping
from .errors import RedisAway
from .keys import MOST_EVENTS, Keys, SessionFacts
from .picture import Picture
from .pipelines import Evidence, run_id, session_keys, write_change, write_everything

LOGGER: Final[structlog.stdlib.BoundLogger] = structlog.get_logger("mirror")
T = TypeVar("T")

HEARTBEAT: Final = 1.0
"""Seconds between two looks whether Redis still is the one that was filled."""
ROSTER_TIMEOUT: Final = 1.0
"""Seconds to wait for the roster, which starts after us: then the record alone must do."""
READER_TIMEOUT: Final = 3.0
"""Seconds to wait for the record, while changes wait too."""
RECENT: Final = 100
"""Sessions that Redis shows although they ended, while they are not too old."""
MOST_RUNNING: Final = 1000
CAPACITY: Final = 10_000
"""Events that may wait; when more are missed, everything is read again."""


class RedisSync(Actor[Never]):
    """Mirrors sessions and their events into Redis, many changes in one round trip.

    Nothing is in Redis alone. After each start of this actor, and when Redis
    turns out to have lost its data, all keys are written anew from the record,
    whatever was there. Redis being away is an absence; what happens meanwhile
    is read from the record afterwards. While the record is away, changes are
    mirrored all the same.

    Raises:
        RedisRefused: from making it, for an address that is none; from
            ``started``, for a wrong password or database. That Redis is away
            does not fail the start.
    """

    absences: ClassVar[tuple[type[BaseException], ...]] = (RedisAway,)

    def __init__(
        self,
        settings: RedisSettings,
        url: str,
        bus: Bus,
        roster: Address[RosterMessage],
        reader: Address[Query],
    ) -> None:
        self._store = Store(settings, url)
        self._interval = settings.flush_interval_seconds
        self._bus = bus
        self._roster = roster
        self._reader = reader
        self._keys = Keys(prefix=settings.key_prefix)
        # redis-py's calls end by their own time limits, so a thread is always waited for:
        # one that was left alone might write old news over what its successor wrote.
        self._limiter = trio.CapacityLimiter(1)
        self._picture = Picture()
        self._evidence: Evidence | None = None
        """None until everything is in Redis."""
        self._shown: set[UUID] = set()
        """Sessions that have keys."""

    async def started(self) -> None:
        self.context.detail.update(server=self._store.place, last_sync=None, lag_ms=None, keys=0, pending=0)
        try:
            await self._call(ping)
        except RedisAway as away:
            self.context.nursery.start_soon(self._fail, away)
        else:
            await self.context.nursery.start(self._serve)

    async def stopped(self, reason: Exit) -> None:
        self._store.close()

    async def _fail(self, away: RedisAway) -> None:
        """Let the supervisor try again: to fail the first start would end the whole tree."""
        raise away

    async def _serve(self, task_status: trio.TaskStatus[None]) -> None:
        with self._bus.subscribe(SessionChanged, FactRecorded, capacity=CAPACITY) as events:
            task_status.started()
            missed = 0
            beat = trio.current_time()
            while True:
                since = await self._gather(events, until=beat)
                if events.missed > missed:
                    missed, self._evidence = events.missed, None
                if since >= beat:
                    beat = since + max(HEARTBEAT, self._interval)
                    self._picture.renew()
                    if await self._is_lost() and await self._rebuild():
                        continue
                if not await self._flush(since):
                    beat = trio.current_time()

    async def _gather(self, events: Subscription, *, until: float) -> float:
        """Collect what happens until it is time to write it; return when the first of it came in."""
        since = until
        with trio.move_on_at(until):
            self._note(await anext(events))
            since = trio.current_time()
            await trio.sleep(self._interval)
        for event in events.drain():
            self._note(event)
        self.context.detail["pending"] = self._picture.pending
        return since

    def _note(self, event: object) -> None:
        if isinstance(event, SessionChanged):
            self._picture.show(event.session)
        elif isinstance(event, FactRecorded):
            self._picture.add(event)

    async def _flush(self, since: float) -> bool:
        """Write what is new; False when the marker says that the rest is lost."""
        change = self._picture.take(datetime.now(UTC))
        marker = await self._call(partial(write_change, keys=self._keys, change=change))
        self._shown.update(session.id for session in change.sessions)
        self._report(since)
        if self._evidence is None or marker == self._evidence.marker:
            return True
        LOGGER.warning("redis_lost_its_data", server=self._store.place)
        self._evidence = None
        return False

    async def _is_lost(self) -> bool:
        """Whether everything is to be written anew; the marker alone is looked at with each flush."""
        if self._evidence is not None and await self._call(run_id) != self._evidence.run_id:
            LOGGER.warning("redis_is_another", server=self._store.place)
            self._evidence = None
        return self._evidence is None

    async def _rebuild(self) -> bool:
        """Write everything anew; False while the record is away."""
        began = trio.current_time()
        # Looked up before the record is read: a session that is opened in between has keys to keep.
        there = await self._call(partial(session_keys, keys=self._keys))
        try:
            recent = await self._reader.ask(SessionsQuery(limit=RECENT), timeout=READER_TIMEOUT)
            wanted = await self._reader.ask(
                SessionsQuery(desired=Desired.RUNNING, limit=MOST_RUNNING), timeout=READER_TIMEOUT
            )
            events = await self._reader.ask(EventsQuery(limit=MOST_EVENTS), timeout=READER_TIMEOUT)
        except (AskFailed, Refusal) as error:
            LOGGER.info("rebuild_postponed", reason=str(error))
            return False
        sessions: list[SessionFacts] = [*recent, *wanted, *await self._on_duty()]
        self._picture.restart(sessions, events)
        change = self._picture.take(datetime.now(UTC))
        self._evidence = await self._call(
            partial(write_everything, keys=self._keys, change=change, stale=there)
        )
        self._shown = {session.id for session in change.sessions if session.seconds > 0}
        self._report(began)
        LOGGER.info("redis_rebuilt", sessions=len(change.sessions), events=len(change.events))
        return True

    async def _on_duty(self) -> tuple[SessionFacts, ...]:
        try:
            return (await self._roster.ask(RosterQuery(), timeout=ROSTER_TIMEOUT)).sessions
        except (AskFailed, Refusal):
            return ()

    def _report(self, since: float) -> None:
        self.context.detail.update(
            last_sync=datetime.now(UTC).isoformat(timespec="milliseconds"),
            lag_ms=round((trio.current_time() - since) * 1000, 1),
            keys=3 + 2 * len(self._shown),
            pending=self._picture.pending,
        )

    async def _call(self, work: Callable[[redis.Redis], T]) -> T:
        return await trio.to_thread.run_sync(self._store.call, work, limiter=self._limiter)
