"""Publishes the events of a session on the bus, and writes its log lines to the table ``system_logs``."""

from __future__ import annotations

from collections import deque
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

import structlog
import trio

from runtime import Address, AskFailed, Context, MailboxFull

from ...database.errors import DatabaseOutage, WriteRefused
from ...database.journal.messages import SessionEventEntry
from ...database.messages import Write
from ...database.rows import SessionRow
from ...database.sessions.messages import RecordLog
from ...portals.portal import Job
from ..events import (
    CheckStarted,
    CycleCompleted,
    JobProcessed,
    SessionChanged,
    SessionDegraded,
    SessionEventRecorded,
)
from ..messages import view_of
from ..states import LoginStatus, SessionStatus
from .commands import CheckResult, JobResult

LOGGER: Final[structlog.stdlib.BoundLogger] = structlog.get_logger("sessions")

COMPONENT: Final = "session"
MAX_WAITING_LINES: Final = 200
"""Maximum number of buffered lines; beyond it, the oldest are dropped."""
ASK_TIMEOUT: Final = 10.0
"""Seconds until a write times out."""
RETRY_PAUSE: Final = 1.0
"""Seconds between two attempts to write a line."""
MAX_LINE_LENGTH: Final = 2000
"""Maximum length of a line, in characters; the excess is cut."""


class SessionPublisher:
    """Publishes events on the bus, and writes log lines for operators."""

    def __init__(self, row: SessionRow, engine: str, context: Context, session_log: SessionLog) -> None:
        self._id: UUID = row.id
        self._engine = engine
        self._context = context
        self._session_log = session_log
        self._log = LOGGER.bind(session=row.session_name)
        self._message: str | None = None

    # The session itself

    def session_changed(self, row: SessionRow, status: SessionStatus, login: LoginStatus) -> None:
        """Publish the current state of the session."""
        self._context.detail.update(engine=self._engine, login=login.value, accepted=row.total_accepted)
        view = view_of(row, engine=self._engine, status=status, login=login, message=self._message)
        self._context.publish(SessionChanged(session_id=self._id, timestamp=datetime.now(UTC), session=view))

    def recovered(self) -> None:
        """Clear the message: the session works again."""
        self._message = None

    def report_degraded(self, error: Exception | str) -> bool:
        """Report what prevents the session from working; False if that is already the message."""
        if self._message == str(error):
            return False
        self._message = str(error)
        self._log.warning("session_degraded", reason=self._message)
        self._session_log.add(self._message, level="warning")
        self._context.publish(
            SessionDegraded(session_id=self._id, timestamp=datetime.now(UTC), message=self._message)
        )
        return True

    def add_log_line(self, message: str, *, level: str = "info") -> None:
        """Append a line to the session's log."""
        self._session_log.add(message, level=level)

    # Session events and jobs

    def session_event(self, event: SessionEventEntry | None) -> None:
        """Publish a session event that is in the journal; None publishes nothing."""
        if event is not None:
            self._context.publish(
                SessionEventRecorded(
                    session_id=self._id,
                    timestamp=event.timestamp,
                    id=event.id,
                    type=event.type,
                    data=event.data,
                )
            )

    def job_finished(self, event: SessionEventEntry, ref: str, result: JobResult) -> None:
        """Publish and log the outcome of a job, once it is in the journal."""
        self.session_event(event)
        self._log.info(event.type, ref=ref, reason=result.reason, outcome_source=result.outcome_source.value)

    def outcome_unknown(self, ref: str, error: Exception) -> None:
        """Log that the answer to a click was lost, so the outcome is read from the portal."""
        self._log.info("outcome_unknown", ref=ref, reason=str(error))
        self._session_log.add(f"the outcome of job {ref} is read from the portal: {error}", level="warning")

    def insert_rejected(self, ref: str, reason: str) -> None:
        """Log that the database rejected the data of a job."""
        self._log.warning("job_insert_rejected", ref=ref, reason=reason)
        self._session_log.add(f"job {ref} is skipped; the database rejected it: {reason}", level="warning")

    def configuration_read_failed(self, reason: str) -> None:
        """Log that the configuration could not be read; the session continues with its current rules."""
        self._log.info("configuration_read_failed", reason=reason)

    # Checks

    def check_started(self, cycle: int) -> None:
        """Publish that a check starts."""
        self._context.publish(CheckStarted(session_id=self._id, timestamp=datetime.now(UTC), cycle=cycle))

    def job_processed(self, job: Job, result: JobResult, check: CheckResult) -> None:
        """Publish the result of one job of a check."""
        self._context.publish(
            JobProcessed(
                session_id=self._id,
                timestamp=datetime.now(UTC),
                cycle=check.cycle,
                job_number=check.number,
                total_jobs=check.total,
                accepted=check.accepted,
                rejected=check.rejected,
                skipped=check.skipped,
                job_ref=job.ref,
                language=job.language,
                job_type=job.job_type,
                duration=job.duration,
                status=result.status,
                reason=result.reason,
            )
        )

    def cycle_completed(self, check: CheckResult, row: SessionRow, *, skipped: int) -> None:
        """Publish that a check is complete; ``skipped`` counts the jobs skipped in all checks."""
        self._context.publish(
            CycleCompleted(
                session_id=self._id,
                timestamp=datetime.now(UTC),
                cycle=check.cycle,
                total_jobs=check.total,
                accepted=check.accepted,
                rejected=check.rejected,
                skipped=check.skipped,
                total_checks=row.total_checks,
                total_accepted=row.total_accepted,
                total_rejected=row.total_rejected,
                total_skipped=skipped,
            )
        )

    def publish(self, event: object) -> None:
        """Publish any other event."""
        self._context.publish(event)


class SessionLog:
    """Buffers lines and writes them in order.

    Log lines are no session events, which go through the journal: while the
    database is unavailable only the latest lines are buffered, and the buffer is
    lost when the session ends.
    """

    def __init__(self, session: UUID, writer: Address[Write]) -> None:
        self._session = session
        self._writer = writer
        self._waiting: deque[RecordLog] = deque(maxlen=MAX_WAITING_LINES)
        self._line_added = trio.Event()

    def add(self, message: str, *, level: str = "info") -> None:
        """Append a line to the buffer. Never blocks."""
        self._waiting.append(
            RecordLog(
                session_id=self._session,
                log_level=level,
                message=message[:MAX_LINE_LENGTH].replace("\0", ""),
                component=COMPONENT,
                created_at=datetime.now(UTC),
            )
        )
        self._line_added.set()

    async def write_forever(self) -> None:
        """Write the buffered lines to the database until cancelled."""
        while True:
            await self._line_added.wait()
            self._line_added = trio.Event()
            while self._waiting:
                line = self._waiting[0]
                try:
                    await self._writer.ask(line, timeout=ASK_TIMEOUT)
                except (AskFailed, MailboxFull, DatabaseOutage):
                    await trio.sleep(RETRY_PAUSE)
                    continue
                except WriteRefused:
                    pass  # a retry would not help
                if self._waiting and self._waiting[0] is line:
                    self._waiting.popleft()
