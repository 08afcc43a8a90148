"""One look at a portal: what it found, and what became of each job."""

from __future__ import annotations

from dataclasses import dataclass

from ...database.rows import JobStatus, OutcomeSource


@dataclass(frozen=True, slots=True, kw_only=True)
class JobResult:
    """How a job ended."""

    status: JobStatus
    outcome_source: OutcomeSource
    reason: str | None = None


@dataclass(slots=True)
class CheckResult:
    """What one look has come to so far."""

    cycle: int
    total: int
    number: int = 0
    """The job in hand, from 1."""
    accepted: int = 0
    rejected: int = 0
    skipped: int = 0

    def count(self, ending: JobResult | None) -> None:
        """Take one job's ending into account; None for one that was left alone."""
        match ending:
            case JobResult(status=JobStatus.ACCEPTED):
                self.accepted += 1
            case JobResult(status=JobStatus.REJECTED):
                self.rejected += 1
            case _:
                self.skipped += 1
