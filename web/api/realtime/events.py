"""News from programs outside, which the WebSocket clients are told under the types that they know."""

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
"""What others may tell. ``status_update`` and ``connection_established`` are the house's own word."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RealtimeUpdate:
    """Somebody outside wants the clients to know this; it changes nothing that the house knows itself."""

    type: str
    """One of :data:`REALTIME_TYPES`."""
    data: Json
    """As it was sent, and ``external: true`` in it, so that nobody takes it for the house's own."""
    timestamp: datetime
