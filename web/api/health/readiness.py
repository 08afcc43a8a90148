"""Whether a bot may be started now: not while a service that it cannot do without is known to be broken."""

from __future__ import annotations

from typing import Final

from actors.monitor.messages import HealthQuery
from runtime import AskFailed, MailboxFull

from ...errors import Problem
from ..addresses import ActorAddresses
from ..timeouts import LOOK

RETRY_AFTER: Final = {"Retry-After": "5"}


async def require_healthy(doors: ActorAddresses) -> None:
    """Pass while no critical service is known to be broken; one that was not observed yet is not.

    Raises:
        Problem: 503 with the reasons.
    """
    try:
        view = await doors.monitor.ask(HealthQuery(), timeout=LOOK)
    except (AskFailed, MailboxFull):
        return  # nothing is known, also nothing bad; what is really away will say so itself
    if view.hindrances:
        reasons = "; ".join(view.hindrances)
        raise Problem(
            503,
            "unhealthy",
            f"Cannot start bot: Critical services are not healthy: {reasons}",
            headers=RETRY_AFTER,
        )
