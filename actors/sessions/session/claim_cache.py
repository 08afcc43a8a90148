"""Cache of the job claims known in this process. Pure."""

from __future__ import annotations

from typing import Final
from uuid import UUID

MAX_CLAIMS: Final = 10_000
"""Maximum number of cached claims; beyond it, the oldest are evicted."""


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
