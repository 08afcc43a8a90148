"""What a session has on record: its rules, its row, and every job that it decided on."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final, TypeVar

import trio

from runtime import Address, AskFailed, MailboxFull, Refusal, Request

from ..portals.job import Job
from ..records.configuration_messages import ConfigurationQuery
from ..records.journal_messages import (
    Fact,
    FactWrite,
    JournalMessage,
    KeepFact,
    RecordOutcome,
    RecordSession,
    SettleJournal,
)
from ..records.messages import Claim, OpenIntentsQuery, Query, RecordIntent, Write
from ..records.refusals import NoSuchConfiguration, RecordAway, WriteRefused
from ..records.rows import Decision, JobRow, JobStatus, SessionRow
from ..records.session_messages import JobQuery
from .claims import Claims
from .dates import parse_date, parse_moment, parse_time
from .look import Ending
from .rules import Rules
from .states import LoginStatus, SessionStatus, login_step, step
from .teller import Teller

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Desks:
    """Where the record is written and read."""

    writer: Address[Write]
    reader: Address[Query]
    journal: Address[JournalMessage]


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenJob:
    """A job that was decided and has no outcome yet."""

    intent: RecordIntent
    ours: bool
    """Whether it is known to be on record as this session's; what is not must be claimed first."""


class Books:
    """Keeps a session's row, and publishes each fact once it is kept in the journal.

    What happened is never dropped, whether PostgreSQL is there or not; so the
    row here is ahead of the one on record by what still waits in the journal.
    What is about to happen needs PostgreSQL: a job that cannot be claimed is
    left for later.
    """

    def __init__(
        self, row: SessionRow, owner: str | None, desks: Desks, teller: Teller, claims: Claims
    ) -> None:
        self.row = row
        self.status = SessionStatus.STARTING
        self.login = LoginStatus.NOT_STARTED
        self.teller = teller
        self._owner = owner
        self._desks = desks
        self._claims = claims

    # Reading

    async def rules(self, kept: Rules | None = None) -> Rules:
        """The rules as they are configured now; while they cannot be read, those that were kept."""
        while True:
            try:
                return await self._configuration()
            except (AskFailed, Refusal) as error:
                if kept is not None:
                    self.teller.rules_kept(str(error))
                    return kept
                self.trouble(error)
                await trio.sleep(INSIST_PAUSE)

    async def _configuration(self) -> Rules:
        own = self.row.config_id
        try:
            query = ConfigurationQuery(config_id=own)
            return Rules.of(await self._desks.reader.ask(query, timeout=ASK_TIMEOUT))
        except NoSuchConfiguration:
            if own is None:
                raise
            # It was deleted; on record the session has none of its own any more.
            self.row = replace(self.row, config_id=None)
            return Rules.of(await self._desks.reader.ask(ConfigurationQuery(), timeout=ASK_TIMEOUT))

    async def unsettled(self) -> dict[str, OpenJob]:
        """What was decided, here or by a session that is gone, and has no outcome yet."""
        # What an earlier life clicked may be in the journal only, and would be taken for open.
        await self._insist(self._desks.journal, SettleJournal())
        query = OpenIntentsQuery(session_id=self.row.id, portal=self.row.portal)
        jobs = await self._insist(self._desks.reader, query)
        return {
            job.job_ref: OpenJob(intent=self._same_intent(job), ours=job.session_id == self.row.id)
            for job in jobs
        }

    async def job(self, ref: str) -> JobRow | None:
        """What is on record of a job.

        Raises:
            RecordAway
        """
        try:
            query = JobQuery(portal=self.row.portal, job_ref=ref)
            return await self._desks.reader.ask(query, timeout=CLAIM_TIMEOUT)
        except AskFailed as error:
            raise RecordAway(f"the record cannot be read: {error}") from error

    # Writing

    async def begin(self, fact: Fact) -> None:
        """Record that the session runs, and take its counters from the record."""
        self.status = step(self.status, SessionStatus.RUNNING)
        recorded = await self._insist(self._desks.writer, self._state(0, fact))
        self.row = replace(recorded, config_id=self.row.config_id)
        self.teller.fact(fact)
        self._show_view()

    async def show(
        self, *, login: LoginStatus | None = None, looked: bool = False, fact: Fact | None = None
    ) -> None:
        """Keep how the session stands, and one look more when it ``looked``; then tell everybody."""
        if login is not None:
            self.login = login_step(self.login, login)
        if looked:
            self.status = step(self.status, SessionStatus.RUNNING)
            self.teller.well()
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
        self.teller.fact(fact)
        self._show_view()

    async def fail(self, error: Exception) -> None:
        """Keep that only a person can help, and with what."""
        was, self.status = self.status, step(self.status, SessionStatus.FAILED)
        news = self.teller.trouble(error)
        if news or was is not self.status:
            await self.show(fact=new_fact("bot_error", message=str(error)))

    def trouble(self, error: Exception) -> None:
        """Say what keeps the session from its work, for now."""
        if self.teller.trouble(error):
            self._show_view()

    async def claim(self, intent: RecordIntent) -> Claim | None:
        """Record what will be clicked; None where the record cannot hold what the portal shows.

        Raises:
            RecordAway: it may be on record or not; do not click, and decide again at the next look.
        """
        if self._claims.is_anothers(intent.portal, intent.job_ref, intent.session_id):
            return Claim.ANOTHERS
        try:
            claim = await self._desks.writer.ask(intent, timeout=CLAIM_TIMEOUT)
        except WriteRefused as refusal:
            self.teller.unrecordable(intent.job_ref, str(refusal))
            return None
        except (AskFailed, MailboxFull) as error:
            raise RecordAway(f"nothing is clicked that cannot be recorded first: {error}") from error
        if claim is Claim.OURS:
            self._claims.note(intent.portal, intent.job_ref, intent.session_id)
        return claim

    async def record_ending(self, ref: str, ending: Ending) -> None:
        """Keep how a job of ours ended, with its event and the session's totals."""
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
        self.row = replace(
            self.row,
            total_accepted=self.row.total_accepted + (ending.status is JobStatus.ACCEPTED),
            total_rejected=self.row.total_rejected + (ending.status is JobStatus.REJECTED),
            updated_at=max(self.row.updated_at, outcome.at),
        )
        self.teller.ended(fact, ref, ending)
        self._show_view()

    def intent(self, job: Job, decision: Decision, reason: str | None) -> RecordIntent:
        """What to claim for a row of the portal's table."""
        return RecordIntent(
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
            owner=self._owner,
        )

    def _same_intent(self, job: JobRow) -> RecordIntent:
        return RecordIntent(
            session_id=self.row.id,
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

    def _state(self, looks: int, fact: Fact | None) -> RecordSession:
        return RecordSession(
            id=self.row.id,
            status=self.status,
            login_status=self.login,
            total_checks=self.row.total_checks + looks,
            facts=() if fact is None else (fact,),
            owner=self._owner,
        )

    def _show_view(self) -> None:
        self.teller.view(self.row, self.status, self.login)

    async def _keep(self, fact: FactWrite) -> None:
        await self._insist(self._desks.journal, KeepFact(fact=fact))

    async def _insist(
        self, address: Address[Write] | Address[Query] | Address[JournalMessage], request: Request[R]
    ) -> R:
        while True:
            try:
                return await address.ask(request, timeout=ASK_TIMEOUT)
            except (AskFailed, MailboxFull, RecordAway) as error:
                self.trouble(error)
                await trio.sleep(INSIST_PAUSE)


def new_fact(kind: str, **data: object) -> Fact:
    """An event of a session, as of now."""
    return Fact(type=kind, data=data, timestamp=datetime.now(UTC))
