"""Snapshots of a supervisor tree."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from ._actor import Detail
from ._exit import Cause
from ._mailbox import MailboxStatistics
from ._strategy import Budget


class ChildState(StrEnum):
    """Where a child is in its life cycle."""

    STARTING = "starting"
    RUNNING = "running"
    BACKOFF = "backoff"
    """It ended, or was stopped together with a sibling that did, and will be restarted."""
    STOPPING = "stopping"
    STOPPED = "stopped"
    """It ended and is not restarted."""
    FAILED = "failed"
    """It failed, and its supervisor has not handled that yet, or a requested start failed."""


class Kind(StrEnum):
    """Whether a child is an actor or a supervisor."""

    WORKER = "worker"
    SUPERVISOR = "supervisor"
    DYNAMIC = "dynamic"


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One child at this moment, with its descendants. Times are in seconds."""

    id: str
    path: str
    kind: Kind
    state: ChildState
    restarts: int
    last_error: str | None
    uptime: float | None
    """Since this incarnation was ready."""
    retry_in: float | None
    """Until the next start, in backoff."""
    mailbox: MailboxStatistics
    detail: dict[str, Detail]
    children: tuple[Node, ...] = ()
    last_cause: Cause | None = None
    """Why its last incarnation ended."""
    message: str | None = None
    """The type of the message that it handles now."""
    busy_for: float | None = None
    """Since it began to handle that message."""
    next_delay: float | None = None
    """Backoff before jitter if it failed now; None if it would not be restarted."""
    crashes_to_exit: int | None = None
    """Crashes of it in quick succession that would end the process; None when no number would."""
    budget: Budget | None = None
    """A supervisor's restart budget."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildInfo:
    """One line of OTP's ``which_children``."""

    id: str
    path: str
    kind: Kind
    state: ChildState


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildCounts:
    """OTP's ``count_children``."""

    specs: int
    """Children, dead or alive."""
    active: int
    """Children that run."""
    supervisors: int
    workers: int
