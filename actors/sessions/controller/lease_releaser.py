"""Gives the sessions back at an orderly stop, so that another instance need not wait for their leases."""

from __future__ import annotations

from typing import Final, Never

import structlog

from runtime import Actor, Address, AskFailed, Cause, Exit, MailboxFull, Refusal

from ...database.messages import Write
from ...database.sessions.messages import ReleaseSessions

LOGGER: Final[structlog.stdlib.BoundLogger] = structlog.get_logger("session_controller")

ASK_TIMEOUT: Final = 0.8
"""Less than a supervisor gives for last words."""


class LeaseReleaser(Actor[Never]):
    """Stands above the fleet in the tree, so that it is stopped when no session runs any more."""

    def __init__(self, owner: str, writer: Address[Write]) -> None:
        self._owner = owner
        self._writer = writer

    async def stopped(self, reason: Exit) -> None:
        if reason.cause is not Cause.SHUTDOWN:
            return
        try:
            await self._writer.ask(ReleaseSessions(owner=self._owner), timeout=ASK_TIMEOUT)
        except (AskFailed, MailboxFull, Refusal) as error:
            LOGGER.info("leases_run_out", reason=str(error))
