"""What those who look at the queue see besides the tasks."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from .tasks import Json, TaskState, TaskView


@dataclass(frozen=True, slots=True, kw_only=True)
class Added:
    """What an added task is called, or the one that was there before it."""

    id: UUID
    created: bool
    """False where the idempotency key was known: this is the id of the earlier task."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskPage:
    """Some of the tasks that were asked for, and where the next ones begin."""

    tasks: tuple[TaskView, ...]
    next_cursor: str | None
    """For the next page; None at the end."""


class AttemptOutcome(StrEnum):
    """How an attempt ended, or that it has not."""

    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    STALLED = "stalled"
    """Its lease ran out: whoever had it died, or lost the database for too long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One run of a task's handler, from the claim on; its token tells it from the others."""

    token: int
    owner: str
    outcome: AttemptOutcome
    error: str | None
    started_at: datetime
    ended_at: datetime | None
    result: Json
    """None but where it completed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogLine:
    """A line that a handler wrote while it was at work."""

    token: int
    """Of the attempt that wrote it."""
    level: str
    message: str
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class LogPage:
    """Some of a task's log lines, oldest first, and where the next ones begin."""

    lines: tuple[LogLine, ...]
    next_cursor: str | None
    """For the next page; None at the end."""


class LimitScope(StrEnum):
    """Whose tasks a limit counts together: everybody's, those of a type, or those of a group."""

    ALL = "all"
    TYPE = "type"
    GROUP = "group"


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitView:
    """A limit or a pause, and how much of it is used up; what is None is unlimited."""

    scope: LimitScope
    name: str
    """``""`` for the scope ``all``."""
    paused: bool
    max_running: int | None
    running: int
    rate: int | None
    rate_seconds: float
    rate_used: int
    """Starts in the present window."""
    window_until: datetime | None
    """When the present window ends; None where none is open."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerView:
    """An instance's workers, as they last made themselves heard."""

    owner: str
    types: tuple[str, ...]
    seen_at: datetime
    closed: dict[str, str] = field(default_factory=dict[str, str])
    """Types that it has a handler for and does not take now, each with the reason."""
    slots: int = 1
    """Tasks that it works on at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueStats:
    """How many tasks there are, what holds them back and who does them."""

    states: dict[TaskState, int]
    """Tasks on record in each state; every state is there."""
    types: dict[str, dict[TaskState, int]]
    """The same by type, where there are any."""
    paused: bool
    paused_types: tuple[str, ...]
    limits: tuple[LimitView, ...]
    workers: tuple[WorkerView, ...]
    """Those that were heard of within a lease."""
    oldest_pending_at: datetime | None
    """When the oldest pending task was added."""
    stale_writes: int
    """Writes with a token that was not current, refused since this actor started."""


class ReasonKind(StrEnum):
    """Why a task is not running now."""

    FINISHED = "finished"
    RUNNING = "running"
    CHILDREN = "children"
    DELAYED = "delayed"
    BACKOFF = "backoff"
    PAUSED = "paused"
    CONCURRENCY = "concurrency"
    RATE = "rate"
    NO_WORKER = "no_worker"
    DEPENDENCY_AWAY = "dependency_away"
    """Workers that could do it wait for something that they need themselves."""
    BUSY = "busy"
    """Workers that could do it have no slot free."""
    AHEAD = "ahead"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """One of the things that keep a task from running."""

    kind: ReasonKind
    text: str
    """A sentence for people."""
    until: datetime | None = None
    """When it will be gone by itself, where that is known."""
    by: tuple[str, ...] = ()
    """Who or what is in the way: owners, task ids, types."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """A task and all that keeps it from running, as of one moment."""

    task: TaskView
    claimable: bool
    """Whether a worker for its type with room for it and for ``ahead`` more would get it now."""
    ahead: int
    """Pending tasks of its type that come before it; counted up to 1000."""
    reasons: tuple[Reason, ...]
