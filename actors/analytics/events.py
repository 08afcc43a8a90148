"""Facts of analytics, published after they were committed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class AnalyticsUpdated:
    """A period of ``analytics_periods`` has new figures."""

    message: str
    period_start: datetime
    period_end: datetime
    is_final: bool
    """These figures will not change any more."""
