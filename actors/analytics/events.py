"""Events of analytics, published after the commit."""

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
    """Whether these figures are final."""
