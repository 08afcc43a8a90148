"""The result of one check of a portal, and of each of its jobs."""

from __future__ import annotations

from dataclasses import dataclass

from ...database.rows import JobStatus, OutcomeSource


@dataclass(frozen=True, slots=True, kw_only=True)
class JobResult:
    """The outcome of a job: its status, how that is known, and the reason."""

    status: JobStatus
    outcome_source: OutcomeSource
    reason: str | None = None


@dataclass(slots=True)
class CheckResult:
    """Counts the results of one check while it runs."""

    cycle: int
    total: int
    number: int = 0
    """The current job, from 1."""
    accepted: int = 0
    rejected: int = 0
    skipped: int = 0

    def count(self, result: JobResult | None) -> None:
        """Count the result of one job; None counts as skipped."""
        match result:
            case JobResult(status=JobStatus.ACCEPTED):
                self.accepted += 1
            case JobResult(status=JobStatus.REJECTED):
                self.rejected += 1
            case _:
                self.skipped += 1
