"""Observations and health histories for tests."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import trio

from actors.monitor.check_schedule import CheckSchedule
from actors.monitor.health_history import HealthHistory, Observation
from actors.monitor.status import ServiceStatus
from runtime import Backoff

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
BACKOFF = Backoff(minimum=5.0, maximum=30.0, factor=2.0, jitter=0.0)
SCHEDULE = CheckSchedule(interval=30.0, max_retries=3, backoff=BACKOFF)


def observation(at: float = 0.0, status: ServiceStatus = ServiceStatus.HEALTHY) -> Observation:
    return Observation(
        at=at,
        checked_at=NOON + timedelta(seconds=at),
        status=status,
        latency_ms=1.5,
        evidence=f"it was {status}",
        error=None if status is ServiceStatus.HEALTHY else f"it was {status}",
    )


def history(*observations: Observation) -> HealthHistory:
    """The history of these observations, oldest first."""
    result = HealthHistory()
    for one in observations:
        result = result.after(one, BACKOFF)
    return result


async def eventually(is_true: Callable[[], bool]) -> None:
    """Wait until a condition holds that has no event."""
    with trio.fail_after(10):
        while True:
            if is_true():
                return
            await trio.sleep(0.02)
