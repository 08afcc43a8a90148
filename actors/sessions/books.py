"""What a session has on record, and what it tells others of it."""

from __future__ import annotations

from dataclasses import replace
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
    FactWrite,
    JournalMessage,
    KeepFact,
    OpenIntentsQuery,
    Query,
    RecordAway,
    RecordIntent,
    RecordOutcome,
    RecordSession,
    SettleJournal,
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
CLAIM_TIMEOUT: Final = 2.0
"""Seconds until a decision that could not be committed is left for the next look."""
INSIST_PAUSE: Final = 0.2
"""Seconds until what got no answer is sent again."""

FACTS: Final = {
    JobStatus.ACCEPTED: "job_accepted",
    JobStatus.REJECTED: "job_rejected",
    JobStatus.FAILED: "job_failed",
}


class Books:
    """Keeps a session's row, and publishes each fact once it is kept in the journal.

    What happened is never dropped, whether PostgreSQL is there or not; so the
    row here is ahead of the one on record by what still waits in the journal.
    What is about to happen needs PostgreSQL: a job that cannot be claimed is
    left for later.
    """

    def __init__(
        self,
        row: SessionRow,
        engine: str,
        writer: Address[Write],
        reader: Address[Query],
        journal: Address[JournalMessage],
        context: Context,
    ) -> None:
        self.row = row
        self.status = SessionStatus.STARTING
        self.login = LoginStatus.NOT_STARTED
        self._engine = engine
        self._writer = writer
        self._reader = reader
        self._journal = journal
        self._foreign: set[str] = set()
        """Open jobs that a session decided which is gone: their outcomes count for that one."""
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
        # What an earlier life clicked may be in the journal only, and would be taken for open.
        await self._insist(self._journal, SettleJournal())
        query = OpenIntentsQuery(session_id=self.row.id, portal=self.row.portal)
        jobs = await self._insist(self._reader, query)
        self._foreign = {job.job_ref for job in jobs if job.session_id != self.row.id}
        return {job.job_ref: job.decision for job in jobs}

    # Writing

    async def begin(self, fact: Fact) -> None:
        """Record that the session runs, and take its counters from the record."""
        self.status = SessionStatus.RUNNING
        self.row = await self._insist(self._writer, self._state(0, fact))
        self._publish_fact(fact)
        self._publish_view()

    async def show(
        self, *, login: LoginStatus | None = None, looked: bool = False, fact: Fact | None = None
    ) -> None:
        """Keep how the session stands, and one look more when it ``looked``; then tell everybody."""
        self.login = self.login if login is None else login
        if looked:
            self._message = None
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
        self._publish_fact(fact)
        self._publish_view()

    async def claim(self, job: Job, decision: Decision, reason: str | None) -> Claim | None:
        """Record what will be clicked; None where the record cannot hold what the portal shows.

        Raises:
            RecordAway: it may be on record or not; do not click, and decide again at the next look.
        """
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
            claim = await self._writer.ask(intent, timeout=CLAIM_TIMEOUT)
        except WriteRefused as refusal:
            self._log.warning("job_unrecordable", ref=job.ref, reason=str(refusal))
            return None
        except (AskFailed, MailboxFull) as error:
            raise RecordAway(f"nothing is clicked that cannot be recorded first: {error}") from error
        if claim is Claim.OURS:
            self._foreign.discard(job.ref)
        return claim

    async def record_ending(self, ref: str, ending: Ending) -> None:
        """Keep how a job ended, with its event and the session's totals."""
        fact = new_fact(FACTS[ending.status], job_ref=ref, reason=ending.reason, settled=ending.settled.value)
        outcome = RecordOutcome(
            session_id=self.row.id,
            portal=self.row.portal,
            job_ref=ref,
            status=ending.status,
            settled=ending.settled,
            reason=ending.reason,
            facts=(fact,),
        )
        await self._keep(outcome)
        ours = ref not in self._foreign
        self._foreign.discard(ref)
        self.row = replace(
            self.row,
            total_accepted=self.row.total_accepted + (ours and ending.status is JobStatus.ACCEPTED),
            total_rejected=self.row.total_rejected + (ours and ending.status is JobStatus.REJECTED),
            updated_at=max(self.row.updated_at, outcome.at),
        )
        self._publish_fact(fact)
        self._publish_view()
        self._log.info(fact.type, ref=ref, reason=ending.reason, settled=ending.settled.value)

    def _state(self, looks: int, fact: Fact | None) -> RecordSession:
        return RecordSession(
            id=self.row.id,
            status=self.status,
            login_status=self.login,
            total_checks=self.row.total_checks + looks,
            facts=() if fact is None else (fact,),
        )

    async def _keep(self, fact: FactWrite) -> None:
        await self._insist(self._journal, KeepFact(fact=fact))

    async def _insist(
        self, address: Address[Write] | Address[Query] | Address[JournalMessage], request: Request[R]
    ) -> R:
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
