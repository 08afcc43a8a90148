"""Releases the session leases at an orderly stop, so that other instances need not wait for expiry."""

from __future__ import annotations

from typing import Final, Never

import structlog

from runtime import Actor, Address, AskFailed, Cause, Exit, MailboxFull, Refusal

from ...database.messages import Write
from ...database.sessions.messages import ReleaseSessions

LOGGER: Final[structlog.stdlib.BoundLogger] = structlog.get_logger("session_controller")

ASK_TIMEOUT: Final = 0.8
"""Less than the shutdown time that the supervisor allows."""


class LeaseReleaser(Actor[Never]):
    """Starts before the fleet of sessions, so that it stops after the last session has ended."""

    def __init__(self, owner: str, writer: Address[Write]) -> None:
        self._owner = owner
        self._writer = writer

    async def stopped(self, reason: Exit) -> None:
        if reason.cause is not Cause.SHUTDOWN:
            return
        try:
            await self._writer.ask(ReleaseSessions(owner=self._owner), timeout=ASK_TIMEOUT)
        except (AskFailed, MailboxFull, Refusal) as error:
            LOGGER.info("lease_release_failed", reason=str(error))
