"""What supervisors publish about their children."""

from __future__ import annotations

from dataclasses import dataclass

from ._exit import Cause


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
    cause: Cause = Cause.CRASH
    message: str | None = None
    """The type of the message in hand."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildStopped(LifecycleEvent):
    """The child ended without a failure. ``killed`` says that it outlasted its time limit."""

    killed: bool
    error: BaseException | None = None
    """What went wrong while it was stopped."""
