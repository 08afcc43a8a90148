"""On what terms sessions are on duty in an instance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

STOP_TIMEOUT_SECONDS: Final = 6.0
"""Seconds that a session may take to end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionsConfig:
    """What the settings say of the sessions of this instance."""

    portal: str
    """Where a session works that names none."""
    engine: str
    autostart: bool
    session_name: str
    max_sessions: int
    owner: str
    """This instance, also after its restart."""
    lease_seconds: float
    shared: bool
    """Whether other instances may work on the same record."""
    leave: float = STOP_TIMEOUT_SECONDS
