"""Decides which jobs a session accepts, and loads the rules of that decision from the configuration.

`decide` is a pure function: a job and the rules in, the verdict and its reason out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import trio

from runtime import Address, AskFailed, Refusal

from ...database.configurations.messages import ConfigurationQuery
from ...database.errors import NoSuchConfiguration
from ...database.messages import Query
from ...database.rows import ConfigurationRow, Decision
from ...portals.portal import Job
from .session_state import ASK_TIMEOUT, RETRY_PAUSE, SessionState

REQUIRED: Final = ("ref", "submitted", "appt_date", "appt_time", "duration", "language", "status")
"""Fields that a decision needs, with the names of the portal definition."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """The configuration of a session: which jobs it accepts, and its intervals."""

    job_type_filter: str
    """Accept only types that contain this text, in any case; "" accepts all."""
    exclude_types: tuple[str, ...]
    """Reject types that contain one of these, ignoring case and hyphens."""
    max_accept_per_run: int
    """Maximum number of jobs accepted in one check; further jobs are left for the next check."""
    check_interval: float
    """Seconds between two checks."""
    quick_check_interval: float | None = None
    """Seconds between two quick checks, which only read the table; None disables them."""
    results_interval: float | None = None
    """Seconds between two reports of results; None disables them."""
    rejected_interval: float | None = None
    """Seconds between two reports of rejected jobs; None disables them."""

    @classmethod
    def of(cls, row: ConfigurationRow) -> Rules:
        """The rules of a configuration in the database."""
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
    """The decision on a job and its reason; None leaves the job for the next check."""

    decision: Decision | None
    reason: str | None = None


def decide(job: Job, rules: Rules, *, accepted: int) -> Verdict:
    """Decide on a job, given the number of jobs accepted in this check so far."""
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
        return Verdict(decision=None, reason=f"{accepted} accepted in this run, which is the limit")
    return Verdict(decision=Decision.ACCEPT)


def _period(enabled: bool, seconds: int) -> float | None:
    # The table allows 0, which must not become a busy loop.
    return max(1.0, float(seconds)) if enabled else None


def _folded(text: str) -> str:
    return " ".join(text.casefold().replace("-", " ").split())


class RulesLoader:
    """Reads the configuration of a session."""

    def __init__(self, state: SessionState, reader: Address[Query]) -> None:
        self._state = state
        self._reader = reader

    async def read(self, current: Rules | None) -> Rules:
        """Read the configured rules; if that fails, return ``current``, or retry if it is None."""
        while True:
            try:
                return await self._configured()
            except (AskFailed, Refusal) as error:
                if current is not None:
                    self._state.publisher.configuration_read_failed(str(error))
                    return current
                self._state.report_degraded(error)
                await trio.sleep(RETRY_PAUSE)

    async def _configured(self) -> Rules:
        own = self._state.row.config_id
        try:
            query = ConfigurationQuery(config_id=own)
            return Rules.of(await self._reader.ask(query, timeout=ASK_TIMEOUT))
        except NoSuchConfiguration:
            if own is None:
                raise
            self._state.drop_configuration()
            return Rules.of(await self._reader.ask(ConfigurationQuery(), timeout=ASK_TIMEOUT))
