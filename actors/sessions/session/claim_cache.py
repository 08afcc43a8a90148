"""Which jobs are in whose hands, as far as the sessions of one house have heard. Pure."""

from __future__ import annotations

from typing import Final
from uuid import UUID

MOST: Final = 10_000
"""Jobs that are remembered; of more, the first are forgotten."""


class ClaimCache:
    """Remembers claims that are on record, so that not every session has to ask for every job.

    Only the record decides: what is not known here is asked there. What a
    session has claimed is forgotten with the session, as anybody may have it then.
    """

    def __init__(self) -> None:
        self._holders: dict[tuple[str, str], UUID] = {}

    def note(self, portal: str, ref: str, holder: UUID) -> None:
        """The record says whose job this is."""
        self._holders[portal, ref] = holder
        if len(self._holders) > MOST:
            del self._holders[next(iter(self._holders))]

    def is_anothers(self, portal: str, ref: str, session: UUID) -> bool:
        """Whether somebody else at work in this house has claimed it."""
        return self._holders.get((portal, ref), session) != session

    def forget(self, holder: UUID) -> None:
        """A session has ended."""
        for job in [job for job, whose in self._holders.items() if whose == holder]:
            del self._holders[job]
