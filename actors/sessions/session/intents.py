"""Claims jobs: records the intent of each decision in the database before the click.

An intent has the job's dates and times as `parse_date`, `parse_time` and
`parse_moment` read them: ISO, or day first. `ClaimCache` saves queries for jobs
that another session of the process has claimed.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Final
from uuid import UUID

from runtime import AskFailed, MailboxFull

from ...database.errors import DatabaseOutage, WriteRefused
from ...database.jobs.messages import Claim, JobQuery, OpenIntentsQuery, RecordIntent
from ...database.journal.messages import FlushJournal
from ...database.rows import Decision, JobRow
from ...portals.portal import Job
from .session_state import DatabaseActors, SessionState, ask_until_answered

CLAIM_TIMEOUT: Final = 2.0
"""Seconds until a decision that could not be committed is left for the next check."""
MAX_CLAIMS: Final = 10_000
"""Maximum number of cached claims; beyond it, the oldest are evicted."""
DATES: Final = ("%Y-%m-%d", "%d/%m/%Y", "%d.%m.%Y", "%d-%m-%Y", "%d %b %Y", "%d %B %Y")
TIMES: Final = ("%H:%M", "%H:%M:%S", "%I:%M %p", "%I %p")


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


class ClaimCache:
    """Caches claims that are in the database, so that not every session queries every job.

    Only the database decides: a job that is not cached is queried there. The
    claims of a session are evicted when it ends, as another session may then claim its jobs.
    """

    def __init__(self) -> None:
        self._holders: dict[tuple[str, str], UUID] = {}

    def remember(self, portal: str, ref: str, holder: UUID) -> None:
        """Cache a claim that is in the database."""
        self._holders[portal, ref] = holder
        if len(self._holders) > MAX_CLAIMS:
            del self._holders[next(iter(self._holders))]

    def is_claimed_by_other(self, portal: str, ref: str, session: UUID) -> bool:
        """Whether another session of this process has claimed the job."""
        return self._holders.get((portal, ref), session) != session

    def forget(self, holder: UUID) -> None:
        """Evict the claims of a session that has ended."""
        for job in [job for job, claimed_by in self._holders.items() if claimed_by == holder]:
            del self._holders[job]


def parse_date(text: str) -> date | None:
    """Parse a date; None if the text is none."""
    parsed = _first(text, DATES)
    return None if parsed is None else parsed.date()


def parse_time(text: str) -> time | None:
    """Parse a time of day; None if the text is none."""
    parsed = _first(text, TIMES)
    return None if parsed is None else parsed.time()


def parse_moment(text: str) -> datetime | None:
    """Parse a date and time, in UTC unless the text has a zone; None if the text is neither."""
    text = " ".join(text.split())
    try:
        parsed: datetime | None = datetime.fromisoformat(text)
    except ValueError:
        parsed = _first(text, tuple(f"{day} {hour}" for day in DATES for hour in TIMES))
    if parsed is None:
        return None
    return parsed if parsed.tzinfo is not None else parsed.replace(tzinfo=UTC)


def _first(text: str, formats: tuple[str, ...]) -> datetime | None:
    text = " ".join(text.split())
    for pattern in formats:
        try:
            return datetime.strptime(text, pattern).replace(tzinfo=UTC)
        except ValueError:
            continue
    return None
