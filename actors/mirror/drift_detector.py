"""Finds where Redis differs from the database, whichever of them changed."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

import structlog
import trio

from ..database.rows import EventRow
from .database_reader import DatabaseReader
from .keys import MAX_EVENTS, SessionFields, event_id, is_active
from .orphans import is_behind, is_current, is_renewed, mismatched_tasks, orphaned_events
from .pipelines import RedisSummary
from .redis_writer import RedisWriter
from .session_mirror import SessionMirrorState
from .task_mirror import TaskMirrorState

LOGGER: Final[structlog.stdlib.BoundLogger] = structlog.get_logger("mirror")

SCAN_SECONDS: Final = 2.0
"""Interval of scans: Redis shows within about that what another instance changed.

Changes of this instance are shown at once; a scan finds those without an
event. While nothing changes, scans take 0.1 per cent of a core with 1,000
waiting tasks, and 0.8 with 100,000, more than half of it in the servers.
"""
SCAN_SHARE: Final = 0.05
"""Scans take at most this share of the time, also where much changes all the time."""
FULL_SCAN_SECONDS: Final = 60.0
"""Interval of scans of every key, unless one is requested earlier."""
FULL_SCAN_SHARE: Final = 0.005
"""Full scans that were not requested take at most this share of the time."""


class DriftDetector:
    """Compares Redis with the database, and marks what differs to be written again.

    Each mirror corrects only what it wrote itself, so that several mirrors on
    one Redis do not overwrite each other for ever. What a mirror left behind
    that is gone is found by a full scan of every key: when an instance is lost,
    when Redis has another number of tasks than this mirror wrote although the
    database is at rest, and from time to time.
    """

    def __init__(
        self,
        writer: RedisWriter,
        reader: DatabaseReader,
        sessions: SessionMirrorState,
        tasks: TaskMirrorState,
    ) -> None:
        self._writer = writer
        self._reader = reader
        self._sessions = sessions
        self._tasks = tasks
        self._scan_at = 0.0
        self._full_scan_at = math.inf
        self._count_at = 0.0
        """Task counts are not compared before."""
        self._full_scan_requested = False
        self._rows: dict[UUID, SessionFields] = {}
        """Sessions at the last scan."""
        self._verified: dict[UUID, datetime] = {}
        """Ended sessions that Redis shows correctly, with the version that was compared."""
        self._newest_event: UUID | None = None
        """At the last scan."""
        self._live = ""
        self._versions: dict[UUID, str] = {}
        """Live tasks at the last scan."""

    @property
    def is_due(self) -> bool:
        """Whether it is time for a scan."""
        return trio.current_time() >= self._scan_at

    def request_scan(self) -> None:
        """Scan every key as soon as possible, as an instance that may have written to Redis is lost."""
        self._full_scan_requested = True
        self._scan_at = 0.0

    def defer(self) -> None:
        """Scan after the next interval, as it is impossible now."""
        self._scan_at = trio.current_time() + SCAN_SECONDS

    def reset(self, sessions: Sequence[SessionFields]) -> None:
        """Start anew after a full rewrite with these sessions."""
        self._full_scan_requested = False
        self._rows = {row.id: row for row in sessions}
        self._verified.clear()
        self._newest_event = None
        self._live, self._versions = "", {}
        self._full_scan_at = trio.current_time() + FULL_SCAN_SECONDS
        self.defer()

    async def scan(self) -> None:
        """Mark what is to be written; a full scan also deletes sessions and events without a row.

        Raises:
            AskFailed, MailboxFull, Refusal: the database cannot be read.
            RedisUnavailable, RedisRejected
        """
        began = trio.current_time()
        await self.catch_up()
        took = trio.current_time() - began
        self._scan_at = began + max(SCAN_SECONDS, took / SCAN_SHARE)
        if self._full_scan_requested or trio.current_time() >= self._full_scan_at:
            await self._scan_every_key()

    async def catch_up(self) -> None:
        """Mark what is new in the database; orphans in Redis stay until the next `scan`.

        Raises like `scan`.
        """
        began = trio.current_time()
        # Every change reaches the database first: read in this order, Redis never seems ahead.
        redis = await self._writer.summary()
        database = await self._reader.summary()
        is_quiet = database.live == self._live and not (self._tasks.pending or self._tasks.needs_all)
        if is_quiet and redis.tasks != self._tasks.counts and began >= self._count_at:
            self._full_scan_requested = True
        self._compare_tasks(database.live)
        await self._compare_sessions(redis, database.sessions)
        await self._add_events(database.events)

    # Tasks

    def _compare_tasks(self, live: str) -> None:
        if live == self._live:
            return
        pairs = (one.partition(" ") for one in live.split(",")) if live else ()
        versions = {UUID(name): version for name, _, version in pairs}
        self._tasks.compare(versions, self._versions)
        self._live, self._versions = live, versions

    # Sessions

    async def _compare_sessions(self, redis: RedisSummary, rows: Sequence[SessionFields]) -> None:
        self._sessions.update(rows)
        unverified = [
            row
            for row in rows
            if not self._sessions.is_local(row.id)
            and (
                self._verified.get(row.id) != row.updated_at
                or is_active(row) != (str(row.id) in redis.active)
            )
        ]
        now = datetime.now(UTC)
        stored = await self._writer.sessions([row.id for row in unverified])
        for row in unverified:
            if is_current(row, stored[row.id], active=str(row.id) in redis.active, now=now):
                if not is_active(row):
                    self._verified[row.id] = row.updated_at
                continue
            before = self._rows.get(row.id)
            # The instance that runs a session may be ahead of the database, as long as it renews the keys.
            is_unchanged = before is not None and before.updated_at == row.updated_at
            if is_behind(row, before, stored[row.id]) or (
                is_unchanged and not is_renewed(stored[row.id], now)
            ):
                self._sessions.mark_changed(row.id)
        self._rows = {row.id: row for row in rows}
        self._verified = {key: time for key, time in self._verified.items() if key in self._rows}
        if self._unknown(redis.active, rows):
            self._full_scan_requested = True

    def _unknown(self, active: Collection[str], rows: Sequence[SessionFields]) -> set[str]:
        present = {str(row.id) for row in rows}
        return {name for name in active if name not in present and not self._is_local(name)}

    def _is_local(self, name: str) -> bool:
        try:
            return self._sessions.is_local(UUID(name))
        except ValueError:
            return False

    # Events

    async def _add_events(self, events: list[EventRow]) -> None:
        newest = events[0].id if events else None
        if newest == self._newest_event:
            return
        if self._newest_event not in {event.id for event in events}:
            events = await self._reader.events(MAX_EVENTS)
        self._newest_event = newest
        unknown = [event for event in reversed(events) if not self._sessions.knows_event(event.id)]
        if not unknown:
            return
        shown = set(map(event_id, await self._writer.events()))
        for event in unknown:
            if str(event.id) in shown:
                self._sessions.mark_shown(event.id)
            else:
                self._sessions.add_event(event)

    # Every key

    async def _scan_every_key(self) -> None:
        began = trio.current_time()
        contents = await self._writer.contents()
        expected = await self._reader.expected()
        tasks = mismatched_tasks(self._writer.keys, contents, expected)
        self._tasks.invalidate(tasks)
        self._verified.clear()
        surplus = list(orphaned_events(contents, expected.events))
        unknown = self._unknown(contents.active, expected.sessions)
        await self._writer.remove(sessions=unknown, events=surplus)
        shown = set(map(event_id, contents.events))
        for event in reversed(expected.events):
            if str(event.id) not in shown:
                self._sessions.restore_event(event)
        if self._full_scan_requested:
            LOGGER.info("full_scan_completed", keys=contents.size, tasks=len(tasks), events=len(surplus))
        self._full_scan_requested = False
        now = trio.current_time()
        self._full_scan_at = now + max(FULL_SCAN_SECONDS, (now - began) / FULL_SCAN_SHARE)
        self._count_at = now + (now - began) / SCAN_SHARE
