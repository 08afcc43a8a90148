"""Which jobs a session takes: a pure decision from a job and the rules."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from ...database.rows import ConfigurationRow, Decision
from ...portals.portal import Job

REQUIRED: Final = ("ref", "submitted", "appt_date", "appt_time", "duration", "language", "status")
"""Fields without which a job cannot be judged, named as the portal definition names them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What a session looks for."""

    job_type_filter: str
    """Accept only types that contain this text, in any case; "" accepts all."""
    exclude_types: tuple[str, ...]
    """Reject types that contain one of these, in any case and however they are hyphenated."""
    max_accept_per_run: int
    """Accept at most so many in one look at the portal; the rest is left for the next."""
    check_interval: float
    """Seconds between two looks."""
    quick_check_interval: float | None = None
    """Seconds after which the table alone is read between two looks; None does not."""
    results_interval: float | None = None
    """Seconds between two reports of what was done; None makes none."""
    rejected_interval: float | None = None
    """Seconds between two reports of the jobs that were turned down; None makes none."""

    @classmethod
    def of(cls, row: ConfigurationRow) -> Rules:
        return cls(
            job_type_filter=row.job_type_filter,
            exclude_types=row.exclude_types,
            max_accept_per_run=row.max_accept_per_run,
            check_interval=float(row.check_interval_seconds),
            quick_check_interval=_period(row.enable_quick_check, row.quick_check_interval_seconds),
            results_interval=_period(row.enable_results_reporting, row.results_report_interval_seconds),
            rejected_interval=_period(row.enable_rejected_reporting, row.rejected_report_interval_seconds),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What to do about a job; None means to leave it for the next look."""

    decision: Decision | None
    reason: str | None = None


def decide(job: Job, rules: Rules, *, accepted: int) -> Verdict:
    """Judge a job, when ``accepted`` jobs were accepted in this look already."""
    missing = [name for name in REQUIRED if not getattr(job, name)]
    if missing:
        return Verdict(decision=Decision.REJECT, reason=f"required field missing: {', '.join(missing)}")
    kind = _folded(job.job_type)
    for excluded in rules.exclude_types:
        if _folded(excluded) in kind:
            return Verdict(decision=Decision.REJECT, reason=f"excluded type: {excluded}")
    if _folded(rules.job_type_filter) not in kind:
        shown = job.job_type or "unknown"
        return Verdict(decision=Decision.REJECT, reason=f"type is {shown}, not {rules.job_type_filter}")
    if accepted >= rules.max_accept_per_run:
        return Verdict(decision=None, reason=f"{accepted} accepted in this run, which is the most")
    return Verdict(decision=Decision.ACCEPT)


def _period(enabled: bool, seconds: int) -> float | None:
    # The table allows 0, which must not become a busy loop.
    return max(1.0, float(seconds)) if enabled else None


def _folded(text: str) -> str:
    return " ".join(text.casefold().replace("-", " ").split())
