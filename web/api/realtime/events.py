"""Events of external programs, forwarded to WebSocket clients."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from ..serializers import Json

REALTIME_TYPES: Final = frozenset(
    {
        "analytics_update",
        "bot_error",
        "bot_started",
        "bot_starting",
        "bot_stopped",
        "bot_stopping",
        "checking_jobs",
        "configuration_updated",
        "connection_check",
        "cycle_complete",
        "database_update",
        "error",
        "job_accepted",
        "job_processed",
        "job_processing_complete",
        "job_rejected",
        "login_attempt",
        "login_attempting",
        "login_failed",
        "login_success",
        "metric_update",
        "no_jobs",
        "processing_jobs",
        "running",
        "starting",
        "status_change",
        "stopped",
    }
)
"""Message types that external programs may send; only botvisor itself sends the others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RealtimeUpdate:
    """A message of an external program; it changes no state."""

    type: str
    """One of :data:`REALTIME_TYPES`."""
    data: Json
    """The data as sent, with ``external: true`` added."""
    timestamp: datetime
