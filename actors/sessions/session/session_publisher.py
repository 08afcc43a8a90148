"""Tells the house what a session does, and keeps what it says of itself."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final
from uuid import UUID

import structlog

from runtime import Context

from ...database.journal.messages import SessionEventEntry
from ...database.rows import SessionRow
from ...portals.portal import Job
from ..controller.views import view_of
from ..events import (
    CheckStarted,
    CycleCompleted,
    JobProcessed,
    SessionChanged,
    SessionDegraded,
    SessionEventRecorded,
)
from ..states import LoginStatus, SessionStatus
from .check_result import CheckResult, JobResult
from .session_log import SessionLog

LOGGER: Final[structlog.stdlib.BoundLogger] = structlog.get_logger("sessions")


class SessionPublisher:
    """Publishes events on the bus, and writes for people what they would want to read later."""

    def __init__(self, row: SessionRow, engine: str, context: Context, session_log: SessionLog) -> None:
        self._id: UUID = row.id
        self._engine = engine
        self._context = context
        self._session_log = session_log
        self._log = LOGGER.bind(session=row.session_name)
        self._message: str | None = None

    # The session itself

    def view(self, row: SessionRow, status: SessionStatus, login: LoginStatus) -> None:
        """How it stands now."""
        self._context.detail.update(engine=self._engine, login=login.value, accepted=row.total_accepted)
        view = view_of(row, engine=self._engine, status=status, login=login, message=self._message)
        self._context.publish(SessionChanged(session_id=self._id, timestamp=datetime.now(UTC), session=view))

    def well(self) -> None:
        """Nothing is in its way any more."""
        self._message = None

    def trouble(self, error: Exception | str) -> bool:
        """Say what keeps the session from its work; False where that is no news."""
        if self._message == str(error):
            return False
        self._message = str(error)
        self._log.warning("session_troubled", reason=self._message)
        self._session_log.note(self._message, level="warning")
        self._context.publish(
            SessionDegraded(session_id=self._id, timestamp=datetime.now(UTC), message=self._message)
        )
        return True

    def note(self, message: str, *, level: str = "info") -> None:
        """Keep a line for people."""
        self._session_log.note(message, level=level)

    # Facts and jobs

    def fact(self, fact: SessionEventEntry | None) -> None:
        """A fact is kept."""
        if fact is not None:
            self._context.publish(
                SessionEventRecorded(
                    session_id=self._id,
                    timestamp=fact.timestamp,
                    id=fact.id,
                    type=fact.type,
                    data=fact.data,
                )
            )

    def ended(self, fact: SessionEventEntry, ref: str, ending: JobResult) -> None:
        """A job has its outcome, and that is kept."""
        self.fact(fact)
        self._log.info(fact.type, ref=ref, reason=ending.reason, outcome_source=ending.outcome_source.value)

    def uncertain(self, ref: str, error: Exception) -> None:
        """An answer was lost, and the portal will be read instead."""
        self._log.info("outcome_uncertain", ref=ref, reason=str(error))
        self._session_log.note(f"the outcome of job {ref} is read from the portal: {error}", level="warning")

    def unrecordable(self, ref: str, reason: str) -> None:
        """The record cannot hold what the portal shows."""
        self._log.warning("job_unrecordable", ref=ref, reason=reason)
        self._session_log.note(f"job {ref} is left alone: {reason}", level="warning")

    def rules_kept(self, reason: str) -> None:
        """The configuration could not be read."""
        self._log.info("rules_kept", reason=reason)

    # Looks

    def looking(self, cycle: int) -> None:
        """A look begins."""
        self._context.publish(CheckStarted(session_id=self._id, timestamp=datetime.now(UTC), cycle=cycle))

    def processed(self, job: Job, ending: JobResult, look: CheckResult) -> None:
        """One job of a look has its ending."""
        self._context.publish(
            JobProcessed(
                session_id=self._id,
                timestamp=datetime.now(UTC),
                cycle=look.cycle,
                job_number=look.number,
                total_jobs=look.total,
                accepted=look.accepted,
                rejected=look.rejected,
                skipped=look.skipped,
                job_ref=job.ref,
                language=job.language,
                job_type=job.job_type,
                duration=job.duration,
                status=ending.status,
                reason=ending.reason,
            )
        )

    def completed(self, look: CheckResult, row: SessionRow, *, skipped: int) -> None:
        """A look is over; ``skipped`` counts those of all looks."""
        self._context.publish(
            CycleCompleted(
                session_id=self._id,
                timestamp=datetime.now(UTC),
                cycle=look.cycle,
                total_jobs=look.total,
                accepted=look.accepted,
                rejected=look.rejected,
                skipped=look.skipped,
                total_checks=row.total_checks,
                total_accepted=row.total_accepted,
                total_rejected=row.total_rejected,
                total_skipped=skipped,
            )
        )

    def publish(self, event: object) -> None:
        """Any other event."""
        self._context.publish(event)
