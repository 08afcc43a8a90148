"""Where the mirror reads what it should show: the record, and who is on duty."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final
from uuid import UUID

from runtime import Address, AskFailed, Refusal

from ..database.journal.messages import FlushJournal, JournalMessage
from ..database.messages import (
    EventsQuery,
    LiveTasksQuery,
    MirroredTasksQuery,
    Query,
    SessionsQuery,
    TasksByIdQuery,
)
from ..database.rows import Desired, EventRow, TaskRow
from ..sessions.messages import ControllerMessage, SessionsViewQuery
from .compare import Expected
from .keys import MOST_EVENTS, SessionFacts
from .task_mirror import MOST_FINISHED, MOST_LIVE

CONTROLLER_TIMEOUT: Final = 1.0
"""Seconds to wait for the session controller, which starts after the mirror: then the record alone must do."""
READER_TIMEOUT: Final = 3.0
"""Seconds to wait for the record, while changes wait too."""
RECENT: Final = 100
"""Sessions that Redis shows although they ended, while they are not too old."""
MOST_RUNNING: Final = 1000
NEWEST_EVENTS: Final = 100
"""So many are looked at to see whether there are new ones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseSummary:
    """What the record says, as far as it is cheap to know."""

    sessions: list[SessionFacts]
    events: list[EventRow]
    """At most `NEWEST_EVENTS`, newest first."""
    live: str
    """As `LiveTasksQuery` answers."""


class DatabaseReader:
    """Asks for it. Each question may fail with ``AskFailed``, ``MailboxFull`` or a ``Refusal``."""

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
        """All that should be shown now, with what only memory knows of the sessions on duty."""
        recorded = await self.recorded()
        on_duty = await self._on_duty()
        here = {session.id for session in on_duty}
        return replace(
            recorded,
            sessions=_newest([*recorded.sessions, *on_duty]),
            elsewhere=frozenset(session.id for session in recorded.sessions if session.id not in here),
        )

    async def recorded(self) -> Expected:
        """All that should be shown now, as the record has it."""
        # What was told already but is not on record yet would be missing.
        await self._journal.ask(FlushJournal(), timeout=READER_TIMEOUT)
        sessions = await self._sessions()
        events = await self.events(MOST_EVENTS)
        tasks = await self.tasks()
        return Expected(
            sessions=sessions,
            events=events,
            tasks=tasks,
            every_task=sum(task.finished_at is None for task in tasks) < MOST_LIVE,
        )

    async def glance(self) -> DatabaseSummary:
        """What is cheap to know of all that should be shown now."""
        await self._journal.ask(FlushJournal(), timeout=READER_TIMEOUT)
        return DatabaseSummary(
            sessions=await self._sessions(),
            events=await self.events(NEWEST_EVENTS),
            live=await self._reader.ask(LiveTasksQuery(limit=MOST_LIVE), timeout=READER_TIMEOUT),
        )

    async def events(self, limit: int) -> list[EventRow]:
        """The newest of them, newest first."""
        return await self._reader.ask(EventsQuery(limit=limit), timeout=READER_TIMEOUT)

    async def tasks(self) -> list[TaskRow]:
        """All tasks that should be shown now."""
        query = MirroredTasksQuery(live=MOST_LIVE, finished=MOST_FINISHED)
        return await self._reader.ask(query, timeout=READER_TIMEOUT)

    async def tasks_by_id(self, ids: Sequence[UUID]) -> list[TaskRow]:
        """These tasks, as far as they exist."""
        return await self._reader.ask(TasksByIdQuery(ids=tuple(ids)), timeout=READER_TIMEOUT)

    async def _sessions(self) -> list[SessionFacts]:
        recent = await self._reader.ask(SessionsQuery(limit=RECENT), timeout=READER_TIMEOUT)
        wanted = await self._reader.ask(
            SessionsQuery(desired=Desired.RUNNING, limit=MOST_RUNNING), timeout=READER_TIMEOUT
        )
        return _newest([*recent, *wanted])

    async def _on_duty(self) -> tuple[SessionFacts, ...]:
        try:
            return (
                await self._session_controller.ask(SessionsViewQuery(), timeout=CONTROLLER_TIMEOUT)
            ).sessions
        except (AskFailed, Refusal):
            return ()


def _newest(sessions: Sequence[SessionFacts]) -> list[SessionFacts]:
    """Each session once, as it was seen last."""
    newest: dict[UUID, SessionFacts] = {}
    for session in sessions:
        known = newest.get(session.id)
        if known is None or session.updated_at >= known.updated_at:
            newest[session.id] = session
    return list(newest.values())
