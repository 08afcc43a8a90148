"""Timeouts of API calls to actors, and the checks that precede slow or refusable calls.

A working actor replies in milliseconds; a timeout is how long a request waits for a
reply that does not come. The client then gets a 503 and may retry.
"""

from __future__ import annotations

from typing import Final

from actors.database.sessions.messages import SessionsQuery
from actors.monitor.messages import HealthQuery
from runtime import AskFailed, MailboxFull

from ..errors import Problem
from .addresses import ActorAddresses

QUERY_TIMEOUT: Final = 2.0
"""Seconds for a query answered from memory or by a few indexed rows."""
COMMAND_TIMEOUT: Final = 2.0
"""Seconds for a command to commit; the session controller allows its own commits as long.

A commit in progress may still succeed after the timeout; one that has not begun by then is not begun.
"""
ANALYTICS_TIMEOUT: Final = 10.0
"""Seconds for aggregates over any number of rows; the default statement timeout of the database."""
START_TIMEOUT: Final = 15.0
"""Seconds for a session to start, after its desired state is committed."""
STOP_TIMEOUT: Final = 25.0
"""Seconds for a session to stop; longer than the session controller's own limit."""

UNHEALTHY_RETRY_AFTER: Final = {"Retry-After": "5"}


async def require_database(actors: ActorAddresses) -> None:
    """Check that the database answers a quick query, before a slow one.

    So a request waits for a busy database, and not for one that does not answer.

    Raises:
        AskFailed, MailboxFull, DatabaseUnavailable: it gives no answer.
    """
    await actors.reader.ask(SessionsQuery(limit=1), timeout=QUERY_TIMEOUT)


async def require_healthy(actors: ActorAddresses) -> None:
    """Check that no critical service is known to be broken; an unknown status passes.

    Raises:
        Problem: 503 with the reasons.
    """
    try:
        view = await actors.monitor.ask(HealthQuery(), timeout=QUERY_TIMEOUT)
    except (AskFailed, MailboxFull):
        return  # the statuses are unknown; the call itself fails if a service is unavailable
    if view.blocking_issues:
        reasons = "; ".join(view.blocking_issues)
        raise Problem(
            503,
            "unhealthy",
            f"Cannot start bot: Critical services are not healthy: {reasons}",
            headers=UNHEALTHY_RETRY_AFTER,
        )
