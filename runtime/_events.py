"""What supervisors publish about their children."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class LifecycleEvent:
    """Something happened to the child at ``path``."""

    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildStarted(LifecycleEvent):
    """The child is ready. ``restarts`` counts the starts after its first."""

    restarts: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildFailed(LifecycleEvent):
    """The child failed with ``error``. It starts again in ``delay`` seconds; None means never."""

    error: BaseException
    absence: bool
    """Something outside was away: no restart was spent."""
    delay: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildStopped(LifecycleEvent):
    """The child ended without an error. ``killed`` says that it outlasted its time limit."""

    killed: bool
