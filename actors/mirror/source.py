"""Where the mirror reads what it should show: the record, and who is on duty."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final
from uuid import UUID

from runtime import Address, AskFailed, Refusal

from ..records.journal_messages import JournalMessage, SettleJournal
from ..records.messages import EventsQuery, Query, SessionsQuery, TasksByIdQuery, TasksInSightQuery
from ..records.rows import Desired, TaskRow
from ..sessions.messages import RosterMessage, RosterQuery
from .compare import Expected
from .keys import MOST_EVENTS, SessionFacts
from .shelf import MOST_FINISHED, MOST_LIVE

ROSTER_TIMEOUT: Final = 1.0
"""Seconds to wait for the roster, which starts after the mirror: then the record alone must do."""
READER_TIMEOUT: Final = 3.0
"""Seconds to wait for the record, while changes wait too."""
RECENT: Final = 100
"""Sessions that Redis shows although they ended, while they are not too old."""
MOST_RUNNING: Final = 1000


class Source:
    """Asks for it. Each question may fail with ``AskFailed``, ``MailboxFull`` or a ``Refusal``."""

    def __init__(
        self, roster: Address[RosterMessage], reader: Address[Query], journal: Address[JournalMessage]
    ) -> None:
        self._roster = roster
        self._reader = reader
        self._journal = journal

    async def everything(self) -> Expected:
        """All that should be shown now, with what only memory knows of the sessions on duty."""
        recorded = await self.recorded()
        return replace(recorded, sessions=_newest([*recorded.sessions, *await self._on_duty()]))

    async def recorded(self) -> Expected:
        """All that should be shown now, as the record has it."""
        # What was told already but is not on record yet would be missing.
        await self._journal.ask(SettleJournal(), timeout=READER_TIMEOUT)
        recent = await self._reader.ask(SessionsQuery(limit=RECENT), timeout=READER_TIMEOUT)
        wanted = await self._reader.ask(
            SessionsQuery(desired=Desired.RUNNING, limit=MOST_RUNNING), timeout=READER_TIMEOUT
        )
        events = await self._reader.ask(EventsQuery(limit=MOST_EVENTS), timeout=READER_TIMEOUT)
        tasks = await self.tasks()
        return Expected(
            sessions=_newest([*recent, *wanted]),
            events=events,
            tasks=tasks,
            every_task=sum(task.finished_at is None for task in tasks) < MOST_LIVE,
        )

    async def tasks(self) -> list[TaskRow]:
        """All tasks that should be shown now."""
        query = TasksInSightQuery(live=MOST_LIVE, finished=MOST_FINISHED)
        return await self._reader.ask(query, timeout=READER_TIMEOUT)

    async def tasks_by_id(self, ids: Sequence[UUID]) -> list[TaskRow]:
        """These tasks, as far as they exist."""
        return await self._reader.ask(TasksByIdQuery(ids=tuple(ids)), timeout=READER_TIMEOUT)

    async def _on_duty(self) -> tuple[SessionFacts, ...]:
        try:
            return (await self._roster.ask(RosterQuery(), timeout=ROSTER_TIMEOUT)).sessions
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
