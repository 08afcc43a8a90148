"""Claims jobs: records the intent of each decision in the database before the click."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from runtime import AskFailed, MailboxFull

from ...database.errors import DatabaseOutage, WriteRefused
from ...database.jobs.messages import Claim, JobQuery, OpenIntentsQuery, RecordIntent
from ...database.journal.messages import FlushJournal
from ...database.rows import Decision, JobRow
from ...portals.portal import Job
from ..database_actors import DatabaseActors, ask_until_answered
from .claim_cache import ClaimCache
from .dates import parse_date, parse_moment, parse_time
from .session_state import SessionState

CLAIM_TIMEOUT: Final = 2.0
"""Seconds until a decision that could not be committed is left for the next check."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenJob:
    """A job with a decision and without an outcome."""

    intent: RecordIntent
    ours: bool
    """Whether the database has the claim of this session; otherwise the job must be claimed first."""


class Intents:
    """Claims jobs for a session, and reads which of them have no outcome yet.

    A claim needs PostgreSQL: a job that cannot be claimed is left for a later check.
    """

    def __init__(
        self, state: SessionState, owner: str | None, database: DatabaseActors, claims: ClaimCache
    ) -> None:
        self._state = state
        self._owner = owner
        self._database = database
        self._claims = claims

    async def unresolved(self) -> dict[str, OpenJob]:
        """Read the open jobs of this session and of sessions that have ended.

        Retries until the database replies.
        """
        # Outcomes of an earlier incarnation may be in the journal only; those jobs would appear open.
        await ask_until_answered(self._database.journal, FlushJournal(), self._state.report_degraded)
        row = self._state.row
        query = OpenIntentsQuery(session_id=row.id, portal=row.portal)
        jobs = await ask_until_answered(self._database.reader, query, self._state.report_degraded)
        return {
            job.job_ref: OpenJob(intent=self._intent_from_row(job), ours=job.session_id == row.id)
            for job in jobs
        }

    async def recorded(self, ref: str) -> JobRow | None:
        """Read a job from the database; None if it is not there.

        Raises:
            DatabaseOutage: the database did not reply, so the state of the job is unknown.
        """
        try:
            query = JobQuery(portal=self._state.row.portal, job_ref=ref)
            return await self._database.reader.ask(query, timeout=CLAIM_TIMEOUT)
        except AskFailed as error:
            raise DatabaseOutage(f"Database unavailable; the job cannot be read: {error}") from error

    async def claim(self, intent: RecordIntent) -> Claim | None:
        """Record an intent before its click; None if the database rejects the job's data.

        Raises:
            DatabaseOutage: the intent may be in the database or not; do not click, decide again at the
                next check.
        """
        if self._claims.is_claimed_by_other(intent.portal, intent.job_ref, intent.session_id):
            return Claim.TAKEN
        try:
            claim = await self._database.writer.ask(intent, timeout=CLAIM_TIMEOUT)
        except WriteRefused as refusal:
            self._state.publisher.insert_rejected(intent.job_ref, str(refusal))
            return None
        except (AskFailed, MailboxFull) as error:
            raise DatabaseOutage(f"Database unavailable; the job was not clicked: {error}") from error
        if claim is Claim.OURS:
            self._claims.remember(intent.portal, intent.job_ref, intent.session_id)
        return claim

    def intent_for(self, job: Job, decision: Decision, reason: str | None) -> RecordIntent:
        """Create the intent for a row of the portal's table."""
        return RecordIntent(
            session_id=self._state.row.id,
            portal=self._state.row.portal,
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
            owner=self._owner,
        )

    def _intent_from_row(self, job: JobRow) -> RecordIntent:
        return RecordIntent(
            session_id=self._state.row.id,
            portal=job.portal,
            job_ref=job.job_ref,
            language=job.language,
            appointment_date=job.appointment_date,
            appointment_time=job.appointment_time,
            duration=job.duration,
            submitted_at=job.submitted_at,
            job_type=job.job_type,
            decision=job.decision,
            reason=job.rejection_reason,
            scraped_at=job.scraped_at,
            owner=self._owner,
        )
