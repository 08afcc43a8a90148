"""Configuration of the sessions of an instance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

STOP_TIMEOUT_SECONDS: Final = 6.0
"""Seconds that a session may take to stop."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionsConfig:
    """The settings of this instance's sessions."""

    portal: str
    """The portal of sessions that name none."""
    engine: str
    autostart: bool
    session_name: str
    max_sessions: int
    owner: str
    """The id of this instance; the same after a restart."""
    lease_seconds: float
    shared: bool
    """Whether other instances may use the same database."""
    stop_timeout: float = STOP_TIMEOUT_SECONDS
    """Seconds reserved at the end of a lease for stopping the session."""
