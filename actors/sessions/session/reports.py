"""A session's regular reports: what it did, and which jobs it turned down."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

import trio

from runtime import Address, AskFailed, Refusal

from ...database.jobs.messages import JobsQuery
from ...database.messages import Query
from ...database.rows import JobRow, JobStatus, SessionRow
from ..events import RejectedReported, ResultsReported
from .rules import Rules
from .session_state import SessionState

ASK_TIMEOUT: Final = 10.0
MOST_JOBS: Final = 1000
"""Of a period, so many of the latest are counted."""
SHOWN: Final = 20


class Reports:
    """Makes each report when it is due, whatever the session is busy with.

    Results are reported at the rules' interval, as an event; where there were
    any, also as a line in the log. Jobs that were turned down are reported at
    fixed times, counted from the session's start, so that a restart begins no
    new period; a report that fell due while the session did not run is not made up for.
    """

    def __init__(self, state: SessionState, reader: Address[Query]) -> None:
        self._state = state
        self._reader = reader
        self._rules: Rules | None = None
        self._changed = trio.Event()

    def follow(self, rules: Rules) -> None:
        """The rules are these now."""
        if rules != self._rules:
            self._rules = rules
            self._changed.set()

    async def run(self) -> None:
        """Report for ever."""
        before, since = self._state.row, trio.current_time()
        while True:
            self._changed = trio.Event()
            rules, now = self._rules, datetime.now(UTC)
            results = math.inf if rules is None or rules.results_interval is None else rules.results_interval
            rejected = None if rules is None else rules.rejected_interval
            due = None if rejected is None else next_boundary(before.start_time, rejected, now)
            wait = math.inf if due is None else (due - now).total_seconds()
            with trio.move_on_at(min(since + results, trio.current_time() + wait)):
                await self._changed.wait()
                continue
            if trio.current_time() >= since + results:
                self._report_results(before, seconds=trio.current_time() - since)
                before, since = self._state.row, trio.current_time()
            if due is not None and rejected is not None and datetime.now(UTC) >= due:
                await self._report_rejected(due - timedelta(seconds=rejected), due)

    def _report_results(self, before: SessionRow, *, seconds: float) -> None:
        row = self._state.row
        report = ResultsReported(
            session_id=row.id,
            timestamp=datetime.now(UTC),
            seconds=round(seconds, 3),
            checks=max(0, row.total_checks - before.total_checks),
            accepted=max(0, row.total_accepted - before.total_accepted),
            rejected=max(0, row.total_rejected - before.total_rejected),
            total_checks=row.total_checks,
            total_accepted=row.total_accepted,
            total_rejected=row.total_rejected,
        )
        self._state.publisher.publish(report)
        if report.accepted or report.rejected:
            self._state.publisher.note(
                f"results of {report.seconds:.0f} s: {report.checks} checks, {report.accepted} accepted,"
                f" {report.rejected} rejected; in all {report.total_checks}, {report.total_accepted},"
                f" {report.total_rejected}"
            )

    async def _report_rejected(self, start: datetime, end: datetime) -> None:
        row = self._state.row
        query = JobsQuery(session_id=row.id, status=JobStatus.REJECTED, since=start, limit=MOST_JOBS)
        try:
            jobs = await self._reader.ask(query, timeout=ASK_TIMEOUT)
        except (AskFailed, Refusal) as error:
            self._state.publisher.note(f"no report of rejected jobs: {error}", level="warning")
            return
        report = rejected_report(row, [job for job in jobs if job.created_at < end], start, end)
        self._state.publisher.publish(report)
        listed = "; ".join(f"{count} x {reason}" for reason, count in report.reasons.items())
        since = f"since {start:%Y-%m-%d %H:%M:%S} UTC"
        self._state.publisher.note(f"{report.rejected} jobs rejected {since}{': ' if listed else ''}{listed}")


def next_boundary(start: datetime, interval: float, now: datetime) -> datetime:
    """The first end of a period after ``now``, when periods follow each other from the start on."""
    periods = math.floor((now - start).total_seconds() / interval) + 1
    return start + timedelta(seconds=periods * interval)


def rejected_report(
    row: SessionRow, jobs: Sequence[JobRow], start: datetime, end: datetime
) -> RejectedReported:
    """What to report of these jobs, newest first."""
    reasons = Counter(job.rejection_reason or "no reason given" for job in jobs)
    return RejectedReported(
        session_id=row.id,
        timestamp=end,
        period_start=start,
        period_end=end,
        rejected=len(jobs),
        reasons=dict(reasons.most_common()),
        jobs=tuple((job.job_ref, job.rejection_reason or "no reason given") for job in jobs[:SHOWN]),
    )
