"""Keeps Redis in sync with the database and with the sessions that run here; see `RedisSync`.

``MirrorStatusQuery`` and ``RepairMirror`` are collected in `StatusRequests`, so that one comparison
replies to all that wait for one.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import ClassVar, Final

import structlog
import trio

from runtime import Actor, Address, AskFailed, Bus, Deferred, Exit, MailboxFull, Refusal, Subscription

from ..cluster.events import PeerLost
from ..database.journal.messages import JournalMessage
from ..database.messages import Query
from ..queue.events import TaskEvent, TaskProgressed
from ..sessions.events import SessionChanged, SessionEventRecorded
from ..sessions.messages import ControllerMessage
from ..settings import RedisSettings
from .connection import RedisUnavailable
from .consistency_check import check_consistency
from .database_reader import DatabaseReader
from .drift_detector import DriftDetector
from .messages import MirrorBusy, MirrorMessage, MirrorStatus, MirrorStatusUnavailable, RepairMirror
from .redis_writer import RedisWriter
from .session_mirror import SessionMirrorState
from .task_mirror import TaskMirrorState

LOGGER: Final[structlog.stdlib.BoundLogger] = structlog.get_logger("mirror")

HEARTBEAT: Final = 1.0
"""Seconds between checks whether Redis is still the server that was filled."""
CAPACITY: Final = 10_000
"""Events that may wait; when more are missed, everything is read again."""
TASK_SHARE: Final = 0.1
"""Mirroring tasks takes at most this share of the time, however many there are."""
MAX_WAITING: Final = 32
"""Status requests that may wait: far more than operators and dashboards send at once."""


class RedisSync(Actor[MirrorMessage]):
    """Mirrors sessions, their events and tasks into Redis, many changes in one round trip.

    Redis holds no data of its own. After each start of this actor, and after
    Redis has lost its data, all keys are rewritten from the database. While
    Redis is unavailable this actor restarts with backoff, which does not count
    as a failure; what happens meanwhile is read from the database afterwards.
    While the database is unavailable, changes of sessions are still mirrored.

    Raises:
        RedisRejected: from the constructor, for an invalid address; from
            ``started``, for a wrong password or database. An unavailable Redis
            does not fail the start.
    """

    dependency_errors: ClassVar[tuple[type[BaseException], ...]] = (RedisUnavailable,)

    def __init__(
        self,
        settings: RedisSettings,
        url: str,
        bus: Bus,
        session_controller: Address[ControllerMessage],
        reader: Address[Query],
        journal: Address[JournalMessage],
    ) -> None:
        self._writer = RedisWriter(settings, url)
        self._interval = settings.flush_interval_seconds
        self._bus = bus
        self._reader = DatabaseReader(session_controller, reader, journal)
        self._sessions = SessionMirrorState()
        self._tasks = TaskMirrorState()
        self._drift = DriftDetector(self._writer, self._reader, self._sessions, self._tasks)
        self._requests = StatusRequests()
        self._pause = trio.CancelScope()
        self._wake_at = math.inf
        """When to stop collecting, before the next heartbeat."""
        self._oldest_change: float | None = None
        """Time of the first change that is not written yet."""
        self._tasks_at = 0.0
        """Tasks are not read before."""
        self._rebuilds = 0
        self._last_sync: datetime | None = None
        self._last_rebuild: datetime | None = None
        self._lag_ms: float | None = None

    async def started(self) -> None:
        self.context.detail.update(server=self._writer.server, last_sync=None, lag_ms=None)
        self.context.detail.update(keys=0, pending=0, rebuilds=0, warning=None)
        try:
            await self._writer.ping()
        except RedisUnavailable as unavailable:
            self.context.nursery.start_soon(self._fail, unavailable)
        else:
            await self.context.nursery.start(self._follow_tasks)
            await self.context.nursery.start(self._sync)

    async def handle(self, message: MirrorMessage) -> None:
        self._requests.check_capacity()
        # Replied between two flushes, so that nothing changes in the middle.
        self._requests.add(message, self.context.defer())
        self._wake_by(trio.current_time())

    async def stopped(self, reason: Exit) -> None:
        self._writer.close()

    async def _fail(self, unavailable: RedisUnavailable) -> None:
        """Fail after the start, so that the supervisor retries: a failed first start ends the whole tree."""
        raise unavailable

    async def _sync(self, task_status: trio.TaskStatus[None]) -> None:
        kinds = (SessionChanged, SessionEventRecorded, PeerLost)
        with self._bus.subscribe(*kinds, capacity=CAPACITY) as events:
            task_status.started()
            missed = 0
            beat = trio.current_time()
            while True:
                await self._collect(events, until=beat)
                if events.missed > missed:
                    missed = events.missed
                    self._writer.invalidate_all()
                if trio.current_time() >= beat:
                    beat = trio.current_time() + max(HEARTBEAT, self._interval)
                    self._sessions.renew()
                    if await self._writer.needs_rebuild():
                        await self._rebuild()
                    elif self._drift.is_due:
                        await self._scan()
                if not (await self._flush() and await self._flush_tasks()):
                    beat = trio.current_time()
                if batch := self._requests.take():
                    await self._reply(batch)

    async def _scan(self) -> None:
        try:
            await self._drift.scan()
        except (AskFailed, MailboxFull, Refusal) as error:
            LOGGER.info("drift_check_deferred", reason=str(error))
            self._drift.defer()

    # Collecting

    async def _collect(self, events: Subscription, *, until: float) -> None:
        """Collect changes until it is time to write them."""
        with trio.CancelScope(deadline=min(until, self._wake_at)) as self._pause:
            self._note(await anext(events))
            await trio.sleep(self._interval)
        self._wake_at = math.inf
        for event in events.drain():
            self._note(event)
        self.context.detail["pending"] = self._pending

    def _note(self, event: object) -> None:
        if isinstance(event, PeerLost):
            self._drift.request_scan()
            return
        if isinstance(event, SessionChanged):
            self._sessions.update_local(event.session)
        elif isinstance(event, SessionEventRecorded):
            self._sessions.add_event(event)
        self._note_change()

    async def _follow_tasks(self, task_status: trio.TaskStatus[None]) -> None:
        with self._bus.subscribe(TaskEvent, capacity=CAPACITY) as events:
            task_status.started()
            missed = 0
            async for event in events:
                # Redis does not show progress.
                if isinstance(event, TaskEvent) and not isinstance(event, TaskProgressed):
                    self._tasks.mark_changed(event.ids)
                if events.missed > missed:
                    missed = events.missed
                    self._tasks.invalidate_all()
                self._note_change()
                self._wake_by(max(trio.current_time() + self._interval, self._tasks_at))

    def _note_change(self) -> None:
        if self._oldest_change is None:
            self._oldest_change = trio.current_time()

    def _wake_by(self, time: float) -> None:
        """Stop collecting at this time or earlier."""
        self._wake_at = min(self._wake_at, time)
        self._pause.deadline = min(self._pause.deadline, self._wake_at)

    @property
    def _pending(self) -> int:
        return self._sessions.pending + self._tasks.pending

    # Writing

    async def _flush(self) -> bool:
        """Write changes of sessions; False when the marker shows that Redis lost its data."""
        since, self._oldest_change = self._oldest_change, None
        writes = self._sessions.drain(datetime.now(UTC))
        is_intact = await self._writer.write_sessions(writes)
        self._record_sync(since)
        return is_intact

    async def _flush_tasks(self) -> bool:
        """Write changed tasks; False when the marker shows that Redis lost its data."""
        began = trio.current_time()
        if not self._writer.is_complete or not (self._tasks.pending or self._tasks.needs_all):
            return True
        if began < self._tasks_at:
            self._wake_by(self._tasks_at)
            return True
        try:
            if self._tasks.needs_all:
                self._tasks.take_changed()
                writes = self._tasks.apply_all(await self._reader.tasks())
            else:
                changed = self._tasks.take_changed()
                writes = self._tasks.apply(changed, await self._reader.tasks_by_id(changed))
        except (AskFailed, MailboxFull, Refusal) as error:
            LOGGER.info("task_sync_deferred", reason=str(error))
            self._tasks.invalidate_all()
            self._tasks_at = trio.current_time() + HEARTBEAT
            return True
        is_intact = await self._writer.write_tasks(writes)
        self._tasks_at = trio.current_time() + (trio.current_time() - began) * (1 / TASK_SHARE - 1)
        self._record_sync(began)
        return is_intact

    async def _rebuild(self) -> bool:
        """Rewrite everything; False while the database is unavailable."""
        # Read before the database: a session that is created in between keeps its keys.
        present = await self._writer.names()
        self._tasks.clear()
        self._tasks.take_changed()
        try:
            expected = await self._reader.everything()
        except (AskFailed, MailboxFull, Refusal) as error:
            LOGGER.info("rebuild_deferred", reason=str(error))
            self._tasks.invalidate_all()
            return False
        self._oldest_change = None
        began = trio.current_time()
        self._sessions.reset(expected.sessions, expected.events, expected.remote)
        writes = self._sessions.drain(datetime.now(UTC))
        await self._writer.rewrite(writes, present)
        await self._writer.write_tasks(self._tasks.apply_all(expected.tasks))
        await self._check_server()
        self._drift.reset(expected.sessions)
        self._rebuilds += 1
        self._last_rebuild = datetime.now(UTC)
        self._record_sync(began)
        LOGGER.info(
            "redis_rebuilt", sessions=len(writes.sessions), events=len(writes.events), tasks=self._tasks.shown
        )
        return True

    # Replying

    async def _reply(self, batch: StatusBatch) -> None:
        try:
            if batch.wants_repair:
                LOGGER.info("repair_requested")
                if not await self._rebuild():
                    raise MirrorStatusUnavailable("Database unavailable; Redis was not changed.")
            batch.reply(await self._status())
        except MirrorStatusUnavailable as refusal:
            batch.refuse(refusal)
        except (AskFailed, MailboxFull, Refusal) as error:
            batch.refuse(MirrorStatusUnavailable(f"Cannot compare Redis with the database: {error}"))
        except RedisUnavailable as unavailable:
            batch.refuse(MirrorStatusUnavailable(str(unavailable)))
            raise

    async def _status(self) -> MirrorStatus:
        # An operator may change the server's settings while it runs.
        await self._check_server()
        found = await check_consistency(
            self._writer, self._reader, flush=self._flush_all, pause=self._interval
        )
        return MirrorStatus(
            server=self._writer.server,
            last_sync=self._last_sync,
            lag_ms=self._lag_ms,
            pending=self._pending,
            keys=self._key_count,
            rebuilds=self._rebuilds,
            last_rebuild=self._last_rebuild,
            eviction_policy=self._writer.eviction_policy,
            warning=self._writer.warning,
            compared=found.compared,
            differences=found.differences,
            more_differences=found.more,
        )

    async def _flush_all(self) -> None:
        self._tasks_at = 0.0
        # Changes of other instances arrive with the next scan, so without this they would be differences.
        await self._drift.catch_up()
        await self._flush()
        await self._flush_tasks()

    async def _check_server(self) -> None:
        await self._writer.check_server()
        self.context.detail["warning"] = self._writer.warning

    @property
    def _key_count(self) -> int:
        return 5 + 2 * len(self._writer.shown) + self._tasks.shown

    def _record_sync(self, since: float | None) -> None:
        self._last_sync = datetime.now(UTC)
        if since is not None:
            self._lag_ms = round((trio.current_time() - since) * 1000, 1)
        self.context.detail.update(
            last_sync=self._last_sync.isoformat(timespec="milliseconds"),
            lag_ms=self._lag_ms,
            keys=self._key_count,
            pending=self._pending,
            rebuilds=self._rebuilds,
        )


class StatusRequests:
    """Collects requests for the status, so that any number of them costs one comparison. Pure."""

    def __init__(self) -> None:
        self._waiting: list[tuple[MirrorMessage, Deferred[object]]] = []

    def check_capacity(self) -> None:
        """Refuse another request while too many wait.

        Raises:
            MirrorBusy
        """
        self._drop_abandoned()
        if len(self._waiting) >= MAX_WAITING:
            raise MirrorBusy(f"{MAX_WAITING} requests for the mirror's status wait already; retry later")

    def add(self, message: MirrorMessage, deferred: Deferred[object]) -> None:
        """Note a request."""
        self._waiting.append((message, deferred))

    def take(self) -> StatusBatch:
        """Return all waiting requests; later ones are for the next batch."""
        self._drop_abandoned()
        taken, self._waiting = self._waiting, []
        return StatusBatch(taken)

    def _drop_abandoned(self) -> None:
        self._waiting = [(message, deferred) for message, deferred in self._waiting if not deferred.done]


class StatusBatch:
    """Requests that share a reply; false when there is none."""

    def __init__(self, requests: list[tuple[MirrorMessage, Deferred[object]]]) -> None:
        self._requests = requests

    def __bool__(self) -> bool:
        return bool(self._requests)

    @property
    def wants_repair(self) -> bool:
        """Whether one of them is a ``RepairMirror``."""
        return any(isinstance(message, RepairMirror) for message, _ in self._requests)

    def reply(self, status: MirrorStatus) -> None:
        """Reply to all of them."""
        for _, deferred in self._requests:
            deferred.set(status)

    def refuse(self, refusal: Exception) -> None:
        """Refuse all of them."""
        for _, deferred in self._requests:
            deferred.fail(refusal)
