"""Periodic reports of a session: its results, and the jobs that it rejected."""

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
"""Seconds until a query of the database times out."""
MAX_JOBS: Final = 1000
"""Maximum number of jobs counted in one period, the latest first."""
MAX_LISTED_JOBS: Final = 20
"""Maximum number of jobs listed in a report."""


class Reports:
    """Publishes each report when it is due, whatever else the session is doing.

    Results are published as an event at the interval of the rules, and also
    logged if there are any. Rejected jobs are reported at fixed times, counted
    from the session's start, so that a restart starts no new period. A report
    that was due while the session did not run is skipped.
    """

    def __init__(self, state: SessionState, reader: Address[Query]) -> None:
        self._state = state
        self._reader = reader
        self._rules: Rules | None = None
        self._changed = trio.Event()

    def follow(self, rules: Rules) -> None:
        """Use the intervals of these rules from now on."""
        if rules != self._rules:
            self._rules = rules
            self._changed.set()

    async def run(self) -> None:
        """Publish reports until cancelled."""
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
            self._state.publisher.add_log_line(
                f"results of {report.seconds:.0f} s: {report.checks} checks, {report.accepted} accepted,"
                f" {report.rejected} rejected; in all {report.total_checks}, {report.total_accepted},"
                f" {report.total_rejected}"
            )

    async def _report_rejected(self, start: datetime, end: datetime) -> None:
        row = self._state.row
        query = JobsQuery(session_id=row.id, status=JobStatus.REJECTED, since=start, limit=MAX_JOBS)
        try:
            jobs = await self._reader.ask(query, timeout=ASK_TIMEOUT)
        except (AskFailed, Refusal) as error:
            self._state.publisher.add_log_line(f"report of rejected jobs failed: {error}", level="warning")
            return
        report = rejected_report(row, [job for job in jobs if job.created_at < end], start, end)
        self._state.publisher.publish(report)
        listed = "; ".join(f"{count} x {reason}" for reason, count in report.reasons.items())
        since = f"since {start:%Y-%m-%d %H:%M:%S} UTC"
        self._state.publisher.add_log_line(
            f"{report.rejected} jobs rejected {since}{': ' if listed else ''}{listed}"
        )


def next_boundary(start: datetime, interval: float, now: datetime) -> datetime:
    """The end of the current period, with periods of ``interval`` seconds from ``start`` on."""
    periods = math.floor((now - start).total_seconds() / interval) + 1
    return start + timedelta(seconds=periods * interval)


def rejected_report(
    row: SessionRow, jobs: Sequence[JobRow], start: datetime, end: datetime
) -> RejectedReported:
    """Create the report of these jobs, newest first."""
    reasons = Counter(job.rejection_reason or "no reason given" for job in jobs)
    return RejectedReported(
        session_id=row.id,
        timestamp=end,
        period_start=start,
        period_end=end,
        rejected=len(jobs),
        reasons=dict(reasons.most_common()),
        jobs=tuple(
            (job.job_ref, job.rejection_reason or "no reason given") for job in jobs[:MAX_LISTED_JOBS]
        ),
    )
