"""What a session has on record of itself: its row, and the facts of its life."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

from ...database.journal.messages import (
    AppendEvent,
    JournalEntry,
    RecordOutcome,
    RecordSession,
    SessionEventEntry,
)
from ...database.rows import JobStatus, SessionRow
from ..database_actors import DatabaseActors, ask_until_answered
from ..states import LoginStatus, SessionStatus, login_step, step
from .check_result import JobResult
from .session_publisher import SessionPublisher

FACTS: Final = {
    JobStatus.ACCEPTED: "job_accepted",
    JobStatus.REJECTED: "job_rejected",
    JobStatus.FAILED: "job_failed",
}


class SessionState:
    """Keeps a session's row, and publishes each fact once it is kept in the journal.

    What happened is never dropped, whether PostgreSQL is there or not; so the
    row here is ahead of the one on record by what still waits in the journal.
    """

    def __init__(
        self, row: SessionRow, owner: str | None, database: DatabaseActors, publisher: SessionPublisher
    ) -> None:
        self.row = row
        self.status = SessionStatus.STARTING
        self.login = LoginStatus.NOT_STARTED
        self.publisher = publisher
        self._owner = owner
        self._database = database

    async def begin(self, fact: SessionEventEntry) -> None:
        """Record that the session runs, and take its counters from the record."""
        self.status = step(self.status, SessionStatus.RUNNING)
        recorded = await ask_until_answered(self._database.writer, self._state(0, fact), self.trouble)
        self.row = replace(recorded, config_id=self.row.config_id)
        self.publisher.fact(fact)
        self._show_view()

    async def show(
        self, *, login: LoginStatus | None = None, looked: bool = False, fact: SessionEventEntry | None = None
    ) -> None:
        """Keep how the session stands, and one look more when it ``looked``; then tell everybody."""
        if login is not None:
            self.login = login_step(self.login, login)
        if looked:
            self.status = step(self.status, SessionStatus.RUNNING)
            self.publisher.well()
        state = self._state(looked, fact)
        await self._keep(state)
        self.row = replace(
            self.row,
            status=state.status,
            login_status=state.login_status,
            total_checks=state.total_checks,
            end_time=None,
            updated_at=max(self.row.updated_at, state.at),
        )
        self.publisher.fact(fact)
        self._show_view()

    def lose_configuration(self) -> None:
        """The session's own was deleted, so on record it has none any more."""
        self.row = replace(self.row, config_id=None)

    async def fail(self, error: Exception) -> None:
        """Keep that only a person can help, and with what."""
        was, self.status = self.status, step(self.status, SessionStatus.FAILED)
        news = self.publisher.trouble(error)
        if news or was is not self.status:
            await self.show(fact=new_fact("bot_error", message=str(error)))

    def trouble(self, error: Exception) -> None:
        """Say what keeps the session from its work, for now."""
        if self.publisher.trouble(error):
            self._show_view()

    async def record_ending(self, ref: str, ending: JobResult) -> None:
        """Keep how a job of ours ended, with its event and the session's totals."""
        fact = new_fact(
            FACTS[ending.status],
            job_ref=ref,
            reason=ending.reason,
            outcome_source=ending.outcome_source.value,
        )
        outcome = RecordOutcome(
            session_id=self.row.id,
            portal=self.row.portal,
            job_ref=ref,
            status=ending.status,
            outcome_source=ending.outcome_source,
            reason=ending.reason,
            events=(fact,),
        )
        await self._keep(outcome)
        self.row = replace(
            self.row,
            total_accepted=self.row.total_accepted + (ending.status is JobStatus.ACCEPTED),
            total_rejected=self.row.total_rejected + (ending.status is JobStatus.REJECTED),
            updated_at=max(self.row.updated_at, outcome.at),
        )
        self.publisher.ended(fact, ref, ending)
        self._show_view()

    def _state(self, looks: int, fact: SessionEventEntry | None) -> RecordSession:
        return RecordSession(
            id=self.row.id,
            status=self.status,
            login_status=self.login,
            total_checks=self.row.total_checks + looks,
            events=() if fact is None else (fact,),
            owner=self._owner,
        )

    def _show_view(self) -> None:
        self.publisher.view(self.row, self.status, self.login)

    async def _keep(self, fact: JournalEntry) -> None:
        await ask_until_answered(self._database.journal, AppendEvent(entry=fact), self.trouble)


def new_fact(kind: str, **data: object) -> SessionEventEntry:
    """An event of a session, as of now."""
    return SessionEventEntry(type=kind, data=data, timestamp=datetime.now(UTC))
