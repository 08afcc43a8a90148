"""What a session is about to do, on record before it does it: every job that it decided on."""

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
"""Seconds until a decision that could not be committed is left for the next look."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenJob:
    """A job that was decided and has no outcome yet."""

    intent: RecordIntent
    ours: bool
    """Whether it is known to be on record as this session's; what is not must be claimed first."""


class Intents:
    """Claims jobs for a session, and knows which of them have no outcome yet.

    What is about to happen needs PostgreSQL: a job that cannot be claimed is
    left for later.
    """

    def __init__(
        self, state: SessionState, owner: str | None, database: DatabaseActors, claims: ClaimCache
    ) -> None:
        self._state = state
        self._owner = owner
        self._database = database
        self._claims = claims

    async def unsettled(self) -> dict[str, OpenJob]:
        """What was decided, here or by a session that is gone, and has no outcome yet."""
        # What an earlier life clicked may be in the journal only, and would be taken for open.
        await ask_until_answered(self._database.journal, FlushJournal(), self._state.trouble)
        row = self._state.row
        query = OpenIntentsQuery(session_id=row.id, portal=row.portal)
        jobs = await ask_until_answered(self._database.reader, query, self._state.trouble)
        return {job.job_ref: OpenJob(intent=self._again(job), ours=job.session_id == row.id) for job in jobs}

    async def recorded(self, ref: str) -> JobRow | None:
        """What is on record of a job.

        Raises:
            DatabaseOutage: the record did not answer, so that nothing is known of it.
        """
        try:
            query = JobQuery(portal=self._state.row.portal, job_ref=ref)
            return await self._database.reader.ask(query, timeout=CLAIM_TIMEOUT)
        except AskFailed as error:
            raise DatabaseOutage(f"the record cannot be read: {error}") from error

    async def claim(self, intent: RecordIntent) -> Claim | None:
        """Record what will be clicked; None where the record cannot hold what the portal shows.

        Raises:
            DatabaseOutage: it may be on record or not; do not click, and decide again at the next look.
        """
        if self._claims.is_anothers(intent.portal, intent.job_ref, intent.session_id):
            return Claim.TAKEN
        try:
            claim = await self._database.writer.ask(intent, timeout=CLAIM_TIMEOUT)
        except WriteRefused as refusal:
            self._state.publisher.unrecordable(intent.job_ref, str(refusal))
            return None
        except (AskFailed, MailboxFull) as error:
            raise DatabaseOutage(f"nothing is clicked that cannot be recorded first: {error}") from error
        if claim is Claim.OURS:
            self._claims.note(intent.portal, intent.job_ref, intent.session_id)
        return claim

    def of(self, job: Job, decision: Decision, reason: str | None) -> RecordIntent:
        """What to claim for a row of the portal's table."""
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

    def _again(self, job: JobRow) -> RecordIntent:
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
