"""Keeps Redis showing what is on record and who is on duty."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import ClassVar, Final

import structlog
import trio

from runtime import Actor, Address, AskFailed, Bus, Exit, MailboxFull, Refusal, Subscription

from ..cluster.events import PeerLost
from ..database.journal.messages import JournalMessage
from ..database.messages import Query
from ..queue.events import TaskEvent, TaskProgressed
from ..sessions.events import SessionChanged, SessionEventRecorded
from ..sessions.messages import ControllerMessage
from ..settings import RedisSettings
from .consistency_check import inspect
from .database_reader import DatabaseReader
from .drift_detector import DriftDetector
from .errors import RedisUnavailable
from .messages import MirrorMessage, MirrorStatus, MirrorStatusUnavailable
from .redis_writer import RedisWriter
from .session_mirror import SessionMirrorState
from .status_requests import StatusBatch, StatusRequests
from .task_mirror import TaskMirrorState

LOGGER: Final[structlog.stdlib.BoundLogger] = structlog.get_logger("mirror")

HEARTBEAT: Final = 1.0
"""Seconds between two looks whether Redis still is the one that was filled."""
CAPACITY: Final = 10_000
"""Events that may wait; when more are missed, everything is read again."""
TASK_SHARE: Final = 0.1
"""At most this share of the time goes into mirroring tasks, however many there are."""


class RedisSync(Actor[MirrorMessage]):
    """Mirrors sessions, their events and tasks into Redis, many changes in one round trip.

    Nothing is in Redis alone. After each start of this actor, and when Redis
    turns out to have lost its data, all keys are written anew from the record,
    whatever was there. Redis being away is an absence; what happens meanwhile
    is read from the record afterwards. While the record is away, changes of
    sessions are mirrored all the same.

    Raises:
        RedisRefused: from making it, for an address that is none; from
            ``started``, for a wrong password or database. That Redis is away
            does not fail the start.
    """

    absences: ClassVar[tuple[type[BaseException], ...]] = (RedisUnavailable,)

    def __init__(
        self,
        settings: RedisSettings,
        url: str,
        bus: Bus,
        session_controller: Address[ControllerMessage],
        reader: Address[Query],
        journal: Address[JournalMessage],
    ) -> None:
        self._replica = RedisWriter(settings, url)
        self._interval = settings.flush_interval_seconds
        self._bus = bus
        self._source = DatabaseReader(session_controller, reader, journal)
        self._picture = SessionMirrorState()
        self._shelf = TaskMirrorState()
        self._lookout = DriftDetector(self._replica, self._source, self._picture, self._shelf)
        self._askers = StatusRequests()
        self._pause = trio.CancelScope()
        self._due = math.inf
        """When to look around, before the heartbeat."""
        self._since: float | None = None
        """When the first of what is not written yet happened."""
        self._tasks_at = 0.0
        """Tasks are not looked at before."""
        self._rebuilds = 0
        self._last_sync: datetime | None = None
        self._last_rebuild: datetime | None = None
        self._lag_ms: float | None = None

    async def started(self) -> None:
        self.context.detail.update(server=self._replica.place, last_sync=None, lag_ms=None)
        self.context.detail.update(keys=0, pending=0, rebuilds=0, warning=None)
        try:
            await self._replica.ping()
        except RedisUnavailable as away:
            self.context.nursery.start_soon(self._fail, away)
        else:
            await self.context.nursery.start(self._follow_tasks)
            await self.context.nursery.start(self._serve)

    async def handle(self, message: MirrorMessage) -> None:
        self._askers.refuse_crowd()
        # Answered between two flushes, so that nothing changes in the middle.
        self._askers.add(message, self.context.defer())
        self._hurry(trio.current_time())

    async def stopped(self, reason: Exit) -> None:
        self._replica.close()

    async def _fail(self, away: RedisUnavailable) -> None:
        """Let the supervisor try again: to fail the first start would end the whole tree."""
        raise away

    async def _serve(self, task_status: trio.TaskStatus[None]) -> None:
        kinds = (SessionChanged, SessionEventRecorded, PeerLost)
        with self._bus.subscribe(*kinds, capacity=CAPACITY) as events:
            task_status.started()
            missed = 0
            beat = trio.current_time()
            while True:
                await self._gather(events, until=beat)
                if events.missed > missed:
                    missed = events.missed
                    self._replica.doubt()
                if trio.current_time() >= beat:
                    beat = trio.current_time() + max(HEARTBEAT, self._interval)
                    self._picture.renew()
                    if await self._replica.is_lost():
                        await self._rebuild()
                    elif self._lookout.is_due:
                        await self._look()
                if not (await self._flush() and await self._flush_tasks()):
                    beat = trio.current_time()
                if audience := self._askers.take():
                    await self._answer(audience)

    async def _look(self) -> None:
        try:
            await self._lookout.look()
        except (AskFailed, MailboxFull, Refusal) as error:
            LOGGER.info("look_postponed", reason=str(error))
            self._lookout.postpone()

    # Collecting

    async def _gather(self, events: Subscription, *, until: float) -> None:
        """Collect what happens until it is time to write it."""
        with trio.CancelScope(deadline=min(until, self._due)) as self._pause:
            self._note(await anext(events))
            await trio.sleep(self._interval)
        self._due = math.inf
        for event in events.drain():
            self._note(event)
        self.context.detail["pending"] = self._pending

    def _note(self, event: object) -> None:
        if isinstance(event, PeerLost):
            self._lookout.suspect()
            return
        if isinstance(event, SessionChanged):
            self._picture.show(event.session)
        elif isinstance(event, SessionEventRecorded):
            self._picture.add(event)
        self._happened()

    async def _follow_tasks(self, task_status: trio.TaskStatus[None]) -> None:
        with self._bus.subscribe(TaskEvent, capacity=CAPACITY) as events:
            task_status.started()
            missed = 0
            async for event in events:
                # Progress is not shown.
                if isinstance(event, TaskEvent) and not isinstance(event, TaskProgressed):
                    self._shelf.note(event.ids)
                if events.missed > missed:
                    missed = events.missed
                    self._shelf.doubt()
                self._happened()
                self._hurry(max(trio.current_time() + self._interval, self._tasks_at))

    def _happened(self) -> None:
        if self._since is None:
            self._since = trio.current_time()

    def _hurry(self, time: float) -> None:
        """Look around then, at the latest."""
        self._due = min(self._due, time)
        self._pause.deadline = min(self._pause.deadline, self._due)

    @property
    def _pending(self) -> int:
        return self._picture.pending + self._shelf.pending

    # Writing

    async def _flush(self) -> bool:
        """Write what is new of sessions; False when the marker says that the rest is lost."""
        since, self._since = self._since, None
        change = self._picture.take(datetime.now(UTC))
        ours = await self._replica.write(change)
        self._report(since)
        return ours

    async def _flush_tasks(self) -> bool:
        """Write how tasks stand that changed; False when the marker says that the rest is lost."""
        began = trio.current_time()
        if not self._replica.is_whole or not (self._shelf.pending or self._shelf.wants_all):
            return True
        if began < self._tasks_at:
            self._hurry(self._tasks_at)
            return True
        try:
            if self._shelf.wants_all:
                self._shelf.changed()
                change = self._shelf.put_all(await self._source.tasks())
            else:
                changed = self._shelf.changed()
                change = self._shelf.put(changed, await self._source.tasks_by_id(changed))
        except (AskFailed, MailboxFull, Refusal) as error:
            LOGGER.info("tasks_postponed", reason=str(error))
            self._shelf.doubt()
            self._tasks_at = trio.current_time() + HEARTBEAT
            return True
        ours = await self._replica.write_tasks(change)
        self._tasks_at = trio.current_time() + (trio.current_time() - began) * (1 / TASK_SHARE - 1)
        self._report(began)
        return ours

    async def _rebuild(self) -> bool:
        """Write everything anew; False while the record is away."""
        # Looked up before the record is read: a session that is opened in between has keys to keep.
        there = await self._replica.names()
        self._shelf.forget()
        self._shelf.changed()
        try:
            known = await self._source.everything()
        except (AskFailed, MailboxFull, Refusal) as error:
            LOGGER.info("rebuild_postponed", reason=str(error))
            self._shelf.doubt()
            return False
        self._since = None
        began = trio.current_time()
        self._picture.restart(known.sessions, known.events, known.elsewhere)
        change = self._picture.take(datetime.now(UTC))
        await self._replica.rewrite(change, there)
        await self._replica.write_tasks(self._shelf.put_all(known.tasks))
        await self._look_at_the_server()
        self._lookout.restart(known.sessions)
        self._rebuilds += 1
        self._last_rebuild = datetime.now(UTC)
        self._report(began)
        LOGGER.info(
            "redis_rebuilt", sessions=len(change.sessions), events=len(change.events), tasks=self._shelf.shown
        )
        return True

    # Answering

    async def _answer(self, audience: StatusBatch) -> None:
        try:
            if audience.wants_repair:
                LOGGER.info("repair_asked_for")
                if not await self._rebuild():
                    raise MirrorStatusUnavailable(
                        "the record cannot be read at the moment; nothing was changed"
                    )
            audience.tell(await self._status())
        except MirrorStatusUnavailable as unknown:
            audience.refuse(unknown)
        except (AskFailed, MailboxFull, Refusal) as error:
            audience.refuse(MirrorStatusUnavailable(f"the record cannot be compared at the moment: {error}"))
        except RedisUnavailable as away:
            audience.refuse(MirrorStatusUnavailable(str(away)))
            raise

    async def _status(self) -> MirrorStatus:
        # Operators turn its settings while it runs.
        await self._look_at_the_server()
        found = await inspect(self._replica, self._source, write_all=self._write_all, pause=self._interval)
        return MirrorStatus(
            server=self._replica.place,
            last_sync=self._last_sync,
            lag_ms=self._lag_ms,
            pending=self._pending,
            keys=self._key_count,
            rebuilds=self._rebuilds,
            last_rebuild=self._last_rebuild,
            eviction_policy=self._replica.eviction_policy,
            warning=self._replica.warning,
            compared=found.compared,
            differences=found.differences,
            more_differences=found.more,
        )

    async def _write_all(self) -> None:
        self._tasks_at = 0.0
        # What others do all the time is behind by a moment, and no difference.
        await self._lookout.catch_up()
        await self._flush()
        await self._flush_tasks()

    async def _look_at_the_server(self) -> None:
        await self._replica.look_at_the_server()
        self.context.detail["warning"] = self._replica.warning

    @property
    def _key_count(self) -> int:
        return 5 + 2 * len(self._replica.shown) + self._shelf.shown

    def _report(self, since: float | None) -> None:
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
