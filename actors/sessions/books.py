"""What a session has on record, and what it tells others of it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final, TypeVar

import structlog
import trio

from runtime import Address, AskFailed, Context, MailboxFull, Refusal, Request

from ..portals.job import Job
from ..records.messages import (
    Claim,
    ConfigurationQuery,
    Fact,
    OpenIntentsQuery,
    Query,
    RecordAway,
    RecordIntent,
    RecordOutcome,
    RecordSession,
    Write,
    WriteRefused,
)
from ..records.rows import Decision, JobStatus, SessionRow
from .dates import parse_date, parse_moment, parse_time
from .events import CycleCompleted, FactRecorded, JobProcessed, SessionChanged, SessionTroubled
from .look import Ending, Look
from .messages import LoginStatus, SessionStatus, SessionView
from .rules import Rules

LOGGER: Final[structlog.stdlib.BoundLogger] = structlog.get_logger("sessions")
R = TypeVar("R")

ASK_TIMEOUT: Final = 10.0
INSIST_PAUSE: Final = 0.2
"""Seconds until a write that got no answer is sent again."""

FACTS: Final = {
    JobStatus.ACCEPTED: "job_accepted",
    JobStatus.REJECTED: "job_rejected",
    JobStatus.FAILED: "job_failed",
}


class Books:
    """Keeps a session's row, and publishes each fact once it is committed.

    Writing goes on for as long as it takes: a fact is never dropped, and every
    write may be repeated.
    """

    def __init__(
        self,
        row: SessionRow,
        engine: str,
        writer: Address[Write],
        reader: Address[Query],
        context: Context,
    ) -> None:
        self.row = row
        self.status = SessionStatus.STARTING
        self.login = LoginStatus.NOT_STARTED
        self._engine = engine
        self._writer = writer
        self._reader = reader
        self._context = context
        self._message: str | None = None
        self._log = LOGGER.bind(session=row.session_name)

    # Reading

    async def rules(self, kept: Rules | None = None) -> Rules:
        """The rules as they are configured now; while they cannot be read, those that were kept."""
        if kept is None:
            return Rules.of(await self._insist(self._reader, ConfigurationQuery()))
        try:
            return Rules.of(await self._reader.ask(ConfigurationQuery(), timeout=ASK_TIMEOUT))
        except (AskFailed, Refusal) as error:
            self._log.info("rules_kept", reason=str(error))
            return kept

    async def unsettled(self) -> dict[str, Decision]:
        """What was decided, here or by a session that is gone, and has no outcome yet."""
        query = OpenIntentsQuery(session_id=self.row.id, portal=self.row.portal)
        return {job.job_ref: job.decision for job in await self._insist(self._reader, query)}

    # Writing

    async def show(
        self,
        status: SessionStatus | None = None,
        *,
        login: LoginStatus | None = None,
        looked: bool = False,
        fact: Fact | None = None,
    ) -> None:
        """Record how the session stands, and one look more when it ``looked``; then tell everybody."""
        self.status = self.status if status is None else status
        self.login = self.login if login is None else login
        if looked:
            self._message = None
        self.row = await self._insist(
            self._writer,
            RecordSession(
                id=self.row.id,
                status=self.status,
                login_status=self.login,
                total_checks=self.row.total_checks + looked,
                facts=() if fact is None else (fact,),
            ),
        )
        self._publish_fact(fact)
        self._publish_view()

    async def claim(self, job: Job, decision: Decision, reason: str | None) -> Claim | None:
        """Record what will be clicked; None where the record cannot hold what the portal shows."""
        intent = RecordIntent(
            session_id=self.row.id,
            portal=self.row.portal,
            job_ref=job.ref,
            language=job.language,
            appointment_date=parse_date(job.appt_date),
            appointment_time=parse_time(job.appt_time),
            duration=job.duration,
            submitted_at=parse_moment(job.submitted),
            job_type=job.job_type,
            decision=decision,
            reason=reason,
            scraped_at=datetime.now(UTC),
        )
        try:
            return await self._insist(self._writer, intent)
        except WriteRefused as refusal:
            self._log.warning("job_unrecordable", ref=job.ref, reason=str(refusal))
            return None

    async def record_ending(self, ref: str, ending: Ending) -> None:
        """Record how a job ended, with its event and the session's totals."""
        fact = new_fact(FACTS[ending.status], job_ref=ref, reason=ending.reason, settled=ending.settled.value)
        self.row = await self._insist(
            self._writer,
            RecordOutcome(
                session_id=self.row.id,
                portal=self.row.portal,
                job_ref=ref,
                status=ending.status,
                settled=ending.settled,
                reason=ending.reason,
                facts=(fact,),
            ),
        )
        self._publish_fact(fact)
        self._publish_view()
        self._log.info(fact.type, ref=ref, reason=ending.reason, settled=ending.settled.value)

    async def _insist(self, address: Address[Write] | Address[Query], request: Request[R]) -> R:
        while True:
            try:
                return await address.ask(request, timeout=ASK_TIMEOUT)
            except (AskFailed, MailboxFull, RecordAway) as error:
                self.trouble(error)
                await trio.sleep(INSIST_PAUSE)

    # Telling

    def trouble(self, error: Exception) -> None:
        """Say what keeps the session from its work; the same again is not news."""
        if self._message == str(error):
            return
        self._message = str(error)
        self._log.warning("session_troubled", reason=self._message)
        self._context.publish(
            SessionTroubled(session_id=self.row.id, timestamp=datetime.now(UTC), message=self._message)
        )
        self._publish_view()

    def uncertain(self, ref: str, error: Exception) -> None:
        """Note that an answer was lost and the portal will be read instead."""
        self._log.info("outcome_uncertain", ref=ref, reason=str(error))

    def tell_processed(self, job: Job, ending: Ending, look: Look) -> None:
        """One job of a look has its ending."""
        self._context.publish(
            JobProcessed(
                session_id=self.row.id,
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

    def tell_completed(self, cycle: int, *, skipped: int) -> None:
        """A look is over."""
        self._context.publish(
            CycleCompleted(
                session_id=self.row.id,
                timestamp=datetime.now(UTC),
                cycle=cycle,
                total_checks=self.row.total_checks,
                total_accepted=self.row.total_accepted,
                total_rejected=self.row.total_rejected,
                total_skipped=skipped,
            )
        )

    def _publish_fact(self, fact: Fact | None) -> None:
        if fact is not None:
            self._context.publish(
                FactRecorded(
                    session_id=self.row.id,
                    timestamp=fact.timestamp,
                    id=fact.id,
                    type=fact.type,
                    data=fact.data,
                )
            )

    def _publish_view(self) -> None:
        self._context.detail.update(
            engine=self._engine, login=self.login.value, accepted=self.row.total_accepted
        )
        view = view_of(
            self.row, engine=self._engine, status=self.status, login=self.login, message=self._message
        )
        self._context.publish(
            SessionChanged(session_id=self.row.id, timestamp=datetime.now(UTC), session=view)
        )


def new_fact(kind: str, **data: object) -> Fact:
    """An event of a session, as of now."""
    return Fact(type=kind, data=data, timestamp=datetime.now(UTC))


def view_of(
    row: SessionRow, *, engine: str, status: SessionStatus, login: LoginStatus, message: str | None = None
) -> SessionView:
    """A session's row with what only memory knows of it."""
    return SessionView(
        id=row.id,
        session_name=row.session_name,
        portal=row.portal,
        engine=engine,
        start_time=row.start_time,
        end_time=row.end_time,
        status=status,
        login_status=login,
        total_checks=row.total_checks,
        total_accepted=row.total_accepted,
        total_rejected=row.total_rejected,
        created_at=row.created_at,
        updated_at=row.updated_at,
        message=message,
    )
