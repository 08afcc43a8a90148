"""The state of a session, its database row and its events, and the database actors that store them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final, TypeVar

import trio

from runtime import Address, AskFailed, MailboxFull, Request

from ...database.errors import DatabaseOutage
from ...database.journal.messages import (
    AppendEvent,
    JournalEntry,
    JournalMessage,
    RecordOutcome,
    RecordSession,
    SessionEventEntry,
)
from ...database.messages import Query, Write
from ...database.rows import JobStatus, SessionRow
from ..states import LoginStatus, SessionStatus, login_step, step
from .commands import JobResult
from .session_publisher import SessionPublisher

R = TypeVar("R")

ASK_TIMEOUT: Final = 10.0
"""Seconds until a request to a database actor times out."""
RETRY_PAUSE: Final = 0.2
"""Seconds before an unanswered request is sent again."""
EVENT_TYPES: Final = {
    JobStatus.ACCEPTED: "job_accepted",
    JobStatus.REJECTED: "job_rejected",
    JobStatus.FAILED: "job_failed",
}
"""The type of the session event for each job status."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseActors:
    """Addresses of the actors that write, read and append to the database."""

    writer: Address[Write]
    reader: Address[Query]
    journal: Address[JournalMessage]


class SessionState:
    """Holds a session's row, and publishes each event once it is in the journal.

    Events are never dropped, even while PostgreSQL is unavailable; so the row
    here is ahead of the database by the entries that are still in the journal.
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

    async def begin(self, event: SessionEventEntry) -> None:
        """Record that the session runs, and read its counters from the database."""
        self.status = step(self.status, SessionStatus.RUNNING)
        recorded = await ask_until_answered(
            self._database.writer, self._record(0, event), self.report_degraded
        )
        self.row = replace(recorded, config_id=self.row.config_id)
        self.publisher.session_event(event)
        self._publish_view()

    async def update(
        self,
        *,
        login: LoginStatus | None = None,
        checked: bool = False,
        event: SessionEventEntry | None = None,
    ) -> None:
        """Append the state to the journal, with one more check if ``checked``; then publish it."""
        if login is not None:
            self.login = login_step(self.login, login)
        if checked:
            self.status = step(self.status, SessionStatus.RUNNING)
            self.publisher.recovered()
        state = self._record(checked, event)
        await self._append(state)
        self.row = replace(
            self.row,
            status=state.status,
            login_status=state.login_status,
            total_checks=state.total_checks,
            end_time=None,
            updated_at=max(self.row.updated_at, state.at),
        )
        self.publisher.session_event(event)
        self._publish_view()

    def drop_configuration(self) -> None:
        """Use the active configuration: the session's own was deleted from the database."""
        self.row = replace(self.row, config_id=None)

    async def fail(self, error: Exception) -> None:
        """Record a failure that needs an operator: retries alone would not help."""
        was, self.status = self.status, step(self.status, SessionStatus.FAILED)
        changed = self.publisher.report_degraded(error)
        if changed or was is not self.status:
            await self.update(event=new_event_entry("bot_error", message=str(error)))

    def report_degraded(self, error: Exception) -> None:
        """Publish what prevents the session from working; publish it once."""
        if self.publisher.report_degraded(error):
            self._publish_view()

    async def record_result(self, ref: str, result: JobResult) -> None:
        """Record the outcome of a job of this session, with its event and the session's totals."""
        event = new_event_entry(
            EVENT_TYPES[result.status],
            job_ref=ref,
            reason=result.reason,
            outcome_source=result.outcome_source.value,
        )
        outcome = RecordOutcome(
            session_id=self.row.id,
            portal=self.row.portal,
            job_ref=ref,
            status=result.status,
            outcome_source=result.outcome_source,
            reason=result.reason,
            events=(event,),
        )
        await self._append(outcome)
        self.row = replace(
            self.row,
            total_accepted=self.row.total_accepted + (result.status is JobStatus.ACCEPTED),
            total_rejected=self.row.total_rejected + (result.status is JobStatus.REJECTED),
            updated_at=max(self.row.updated_at, outcome.at),
        )
        self.publisher.job_finished(event, ref, result)
        self._publish_view()

    def _record(self, checks: int, event: SessionEventEntry | None) -> RecordSession:
        return RecordSession(
            id=self.row.id,
            status=self.status,
            login_status=self.login,
            total_checks=self.row.total_checks + checks,
            events=() if event is None else (event,),
            owner=self._owner,
        )

    def _publish_view(self) -> None:
        self.publisher.session_changed(self.row, self.status, self.login)

    async def _append(self, entry: JournalEntry) -> None:
        await ask_until_answered(self._database.journal, AppendEvent(entry=entry), self.report_degraded)


async def ask_until_answered(
    address: Address[Write] | Address[Query] | Address[JournalMessage],
    request: Request[R],
    on_error: Callable[[Exception], object],
) -> R:
    """Repeat a request until the actor answers; call `on_error` after each failed attempt.

    Retries on :class:`AskFailed`, :class:`MailboxFull` and :class:`DatabaseOutage`; other errors propagate.
    """
    while True:
        try:
            return await address.ask(request, timeout=ASK_TIMEOUT)
        except (AskFailed, MailboxFull, DatabaseOutage) as error:
            on_error(error)
            await trio.sleep(RETRY_PAUSE)


def new_event_entry(kind: str, **data: object) -> SessionEventEntry:
    """Create a session event with the current time."""
    return SessionEventEntry(type=kind, data=data, timestamp=datetime.now(UTC))
