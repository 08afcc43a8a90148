"""Looks whether Redis still shows what is on record, whoever changed either, and however that one ended."""

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
from .keys import MOST_EVENTS, SessionFacts, is_active
from .orphans import RedisSummary, event_id, is_behind, is_right, is_tended, stray_tasks, surplus_events
from .redis_writer import RedisWriter
from .session_mirror import SessionMirrorState
from .task_mirror import TaskMirrorState

LOGGER: Final[structlog.stdlib.BoundLogger] = structlog.get_logger("mirror")

LOOK_SECONDS: Final = 2.0
"""From one look to the next: what another instance did is shown within that, and a moment.

What happens here is shown at once; a look finds what nobody told us of. While
nothing changes, looks take 0.1 per cent of a core with 1,000 tasks that wait,
and 0.8 with 100,000, more than half of it the server's.
"""
LOOK_SHARE: Final = 0.05
"""At most this share of the time goes into looks, also where much changes all the time."""
THOROUGH_SECONDS: Final = 60.0
"""From one look at every key to the next, where nothing makes us suspicious before."""
THOROUGH_SHARE: Final = 0.005
"""At most this share of the time goes into looks at every key that nothing made necessary."""


class DriftDetector:
    """Compares what Redis shows with the record, and has written anew only what differs.

    Each mirror corrects what it wrote itself, so that several of them on one
    Redis come to rest. What one wrote that is gone is found by a thorough look
    at every key: when an instance vanished, when the record rests and Redis
    shows another number of tasks than we did, and now and then.
    """

    def __init__(
        self,
        replica: RedisWriter,
        source: DatabaseReader,
        picture: SessionMirrorState,
        shelf: TaskMirrorState,
    ) -> None:
        self._replica = replica
        self._source = source
        self._picture = picture
        self._shelf = shelf
        self._look_at = 0.0
        self._thorough_at = math.inf
        self._count_at = 0.0
        self._suspicious = False
        self._recorded: dict[UUID, SessionFacts] = {}
        """Sessions as they were on record at the last look."""
        self._settled: dict[UUID, datetime] = {}
        """Sessions that ended, and were shown as they were on record."""
        self._newest: UUID | None = None
        """Of the events, at the last look."""
        self._live = ""
        self._versions: dict[UUID, str] = {}
        """Tasks that ran or waited at the last look."""

    @property
    def is_due(self) -> bool:
        """Whether it is time for a look."""
        return trio.current_time() >= self._look_at

    def suspect(self) -> None:
        """Somebody who may have written to Redis is gone: look at every key."""
        self._suspicious = True
        self._look_at = 0.0

    def postpone(self) -> None:
        """It cannot be looked now."""
        self._look_at = trio.current_time() + LOOK_SECONDS

    def restart(self, sessions: Sequence[SessionFacts]) -> None:
        """Everything was written anew, of sessions these."""
        self._suspicious = False
        self._recorded = {row.id: row for row in sessions}
        self._settled.clear()
        self._newest = None
        self._live, self._versions = "", {}
        self._thorough_at = trio.current_time() + THOROUGH_SECONDS
        self.postpone()

    async def look(self) -> None:
        """Note what is to be written; what is in nobody's books is removed.

        Raises:
            AskFailed, MailboxFull, Refusal: the record cannot be read.
            RedisAway, RedisRefused
        """
        began = trio.current_time()
        await self.catch_up()
        took = trio.current_time() - began
        self._look_at = began + max(LOOK_SECONDS, took / LOOK_SHARE)
        if self._suspicious or trio.current_time() >= self._thorough_at:
            await self._look_thoroughly()

    async def catch_up(self) -> None:
        """Note what is new on record; what others left behind in Redis stays for the next look.

        Raises like `look`.
        """
        began = trio.current_time()
        # Whoever changes something records it first: read in this order, Redis never seems ahead.
        outline = await self._replica.outline()
        glance = await self._source.glance()
        is_quiet = glance.live == self._live and not (self._shelf.pending or self._shelf.wants_all)
        if is_quiet and outline.tasks != self._shelf.sizes and began >= self._count_at:
            self._suspicious = True
        self._compare_tasks(glance.live)
        await self._compare_sessions(outline, glance.sessions)
        await self._add_events(glance.events)

    # Tasks

    def _compare_tasks(self, live: str) -> None:
        if live == self._live:
            return
        pairs = (one.partition(" ") for one in live.split(",")) if live else ()
        versions = {UUID(name): version for name, _, version in pairs}
        self._shelf.compare(versions, self._versions)
        self._live, self._versions = live, versions

    # Sessions

    async def _compare_sessions(self, outline: RedisSummary, rows: Sequence[SessionFacts]) -> None:
        self._picture.see(rows)
        doubtful = [
            row
            for row in rows
            if not self._picture.is_ours(row.id)
            and (
                self._settled.get(row.id) != row.updated_at
                or is_active(row) != (str(row.id) in outline.active)
            )
        ]
        now = datetime.now(UTC)
        seen = await self._replica.sessions([row.id for row in doubtful])
        for row in doubtful:
            shown = seen[row.id]
            if is_right(row, shown, active=str(row.id) in outline.active, now=now):
                if not is_active(row):
                    self._settled[row.id] = row.updated_at
                continue
            before = self._recorded.get(row.id)
            # Whoever has it on duty may be ahead of the record, but not for long without a word.
            rests = before is not None and before.updated_at == row.updated_at
            if is_behind(row, before, shown) or (rests and not is_tended(shown, now)):
                self._picture.repeat(row.id)
        self._recorded = {row.id: row for row in rows}
        self._settled = {key: time for key, time in self._settled.items() if key in self._recorded}
        if self._unknown(outline.active, rows):
            self._suspicious = True

    def _unknown(self, active: Collection[str], rows: Sequence[SessionFacts]) -> set[str]:
        there = {str(row.id) for row in rows}
        return {name for name in active if name not in there and not self._is_ours(name)}

    def _is_ours(self, name: str) -> bool:
        try:
            return self._picture.is_ours(UUID(name))
        except ValueError:
            return False

    # Events

    async def _add_events(self, events: list[EventRow]) -> None:
        newest = events[0].id if events else None
        if newest == self._newest:
            return
        if self._newest not in {event.id for event in events}:
            events = await self._source.events(MOST_EVENTS)
        self._newest = newest
        unknown = [event for event in reversed(events) if not self._picture.knows(event.id)]
        if not unknown:
            return
        shown = set(map(event_id, await self._replica.events()))
        for event in unknown:
            if str(event.id) in shown:
                self._picture.spare(event.id)
            else:
                self._picture.add(event)

    # Every key

    async def _look_thoroughly(self) -> None:
        began = trio.current_time()
        contents = await self._replica.contents()
        expected = await self._source.recorded()
        tasks = stray_tasks(self._replica.keys, contents, expected)
        self._shelf.distrust(tasks)
        self._settled.clear()
        surplus = list(surplus_events(contents, expected.events))
        unknown = self._unknown(contents.active, expected.sessions)
        await self._replica.remove(sessions=unknown, events=surplus)
        shown = set(map(event_id, contents.events))
        for event in reversed(expected.events):
            if str(event.id) not in shown:
                self._picture.put_back(event)
        if self._suspicious:
            LOGGER.info("looked_at_every_key", keys=contents.size, tasks=len(tasks), events=len(surplus))
        self._suspicious = False
        now = trio.current_time()
        self._thorough_at = now + max(THOROUGH_SECONDS, (now - began) / THOROUGH_SHARE)
        self._count_at = now + (now - began) / LOOK_SHARE
