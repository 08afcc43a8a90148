"""Reads what Redis should show: from the database, and from the sessions that run here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final
from uuid import UUID

from runtime import Address, AskFailed, Refusal

from ..database.journal.messages import FlushJournal, JournalMessage
from ..database.messages import Query
from ..database.rows import Desired, EventRow, TaskRow
from ..database.sessions.messages import EventsQuery, SessionsQuery
from ..database.tasks.messages import LiveTasksQuery, MirroredTasksQuery, TasksByIdQuery
from ..sessions.messages import ControllerMessage, SessionsViewQuery
from .keys import MAX_EVENTS, SessionFields
from .task_mirror import MAX_FINISHED, MAX_LIVE

CONTROLLER_TIMEOUT: Final = 1.0
"""Seconds to wait for the session controller, which starts after the mirror and is optional."""
READER_TIMEOUT: Final = 3.0
"""Seconds to wait for the database, while changes wait too."""
RECENT: Final = 100
"""Sessions that Redis shows after their end, until their keys expire."""
MAX_RUNNING: Final = 1000
NEWEST_EVENTS: Final = 100
"""Events that a scan reads to find new ones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What Redis should show."""

    sessions: Sequence[SessionFields]
    events: Sequence[EventRow]
    """Newest first."""
    tasks: Sequence[TaskRow]
    every_task: bool
    """False where there are more live tasks than Redis shows."""
    remote: frozenset[UUID] = frozenset()
    """Sessions that do not run here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseSummary:
    """What the database has, as far as it is cheap to read."""

    sessions: list[SessionFields]
    events: list[EventRow]
    """At most `NEWEST_EVENTS`, newest first."""
    live: str
    """As ``LiveTasksQuery`` returns it."""


class DatabaseReader:
    """Queries of the mirror. Each may fail with ``AskFailed``, ``MailboxFull`` or a ``Refusal``."""

    def __init__(
        self,
        session_controller: Address[ControllerMessage],
        reader: Address[Query],
        journal: Address[JournalMessage],
    ) -> None:
        self._session_controller = session_controller
        self._reader = reader
        self._journal = journal

    async def everything(self) -> Expected:
        """Everything that Redis should show, with the newest state of the sessions that run here."""
        expected = await self.expected()
        local = await self._local_sessions()
        local_ids = {session.id for session in local}
        return replace(
            expected,
            sessions=_newest([*expected.sessions, *local]),
            remote=frozenset(session.id for session in expected.sessions if session.id not in local_ids),
        )

    async def expected(self) -> Expected:
        """Everything that Redis should show, as the database has it."""
        # Entries that are still in the journal would be missing.
        await self._journal.ask(FlushJournal(), timeout=READER_TIMEOUT)
        sessions = await self._sessions()
        events = await self.events(MAX_EVENTS)
        tasks = await self.tasks()
        return Expected(
            sessions=sessions,
            events=events,
            tasks=tasks,
            every_task=sum(task.finished_at is None for task in tasks) < MAX_LIVE,
        )

    async def summary(self) -> DatabaseSummary:
        """The part of `expected` that is cheap to read."""
        await self._journal.ask(FlushJournal(), timeout=READER_TIMEOUT)
        return DatabaseSummary(
            sessions=await self._sessions(),
            events=await self.events(NEWEST_EVENTS),
            live=await self._reader.ask(LiveTasksQuery(limit=MAX_LIVE), timeout=READER_TIMEOUT),
        )

    async def events(self, limit: int) -> list[EventRow]:
        """The newest events, newest first."""
        return await self._reader.ask(EventsQuery(limit=limit), timeout=READER_TIMEOUT)

    async def tasks(self) -> list[TaskRow]:
        """All tasks that Redis should show."""
        query = MirroredTasksQuery(live=MAX_LIVE, finished=MAX_FINISHED)
        return await self._reader.ask(query, timeout=READER_TIMEOUT)

    async def tasks_by_id(self, ids: Sequence[UUID]) -> list[TaskRow]:
        """These tasks, as far as they exist."""
        return await self._reader.ask(TasksByIdQuery(ids=tuple(ids)), timeout=READER_TIMEOUT)

    async def _sessions(self) -> list[SessionFields]:
        recent = await self._reader.ask(SessionsQuery(limit=RECENT), timeout=READER_TIMEOUT)
        running = await self._reader.ask(
            SessionsQuery(desired=Desired.RUNNING, limit=MAX_RUNNING), timeout=READER_TIMEOUT
        )
        return _newest([*recent, *running])

    async def _local_sessions(self) -> tuple[SessionFields, ...]:
        try:
            return (
                await self._session_controller.ask(SessionsViewQuery(), timeout=CONTROLLER_TIMEOUT)
            ).sessions
        except (AskFailed, Refusal):
            return ()


def _newest(sessions: Sequence[SessionFields]) -> list[SessionFields]:
    """Each session once, in its newest state."""
    newest: dict[UUID, SessionFields] = {}
    for session in sessions:
        known = newest.get(session.id)
        if known is None or session.updated_at >= known.updated_at:
            newest[session.id] = session
    return list(newest.values())
