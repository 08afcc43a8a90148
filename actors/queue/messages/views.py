"""Results of queries: pages, attempts, log lines, statistics, explanations."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from .tasks import Json, TaskState, TaskView


@dataclass(frozen=True, slots=True, kw_only=True)
class AddResult:
    """The id of an added task, or of the earlier one with its idempotency key."""

    id: UUID
    created: bool
    """False: a task with this idempotency key already exists, and this is its id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskPage:
    """A page of tasks."""

    tasks: tuple[TaskView, ...]
    next_cursor: str | None
    """For the next page; None at the end."""


class AttemptOutcome(StrEnum):
    """How an attempt ended, or `RUNNING`."""

    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    STALLED = "stalled"
    """Its lease expired: its worker died, or was disconnected from the database for too long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One run of a task's handler, identified by its token."""

    token: int
    owner: str
    outcome: AttemptOutcome
    error: str | None
    started_at: datetime
    ended_at: datetime | None
    result: Json
    """None unless it completed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogLine:
    """A line that a handler logged."""

    token: int
    """Of the attempt that wrote it."""
    level: str
    message: str
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class LogPage:
    """A page of a task's log lines, oldest first."""

    lines: tuple[LogLine, ...]
    next_cursor: str | None
    """For the next page; None at the end."""


class LimitScope(StrEnum):
    """The tasks that a limit counts together: all, those of a type, or those of a group."""

    ALL = "all"
    TYPE = "type"
    GROUP = "group"


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitView:
    """A limit or a pause, and how much of it is used; None is unlimited."""

    scope: LimitScope
    name: str
    """``""`` for the scope ``all``."""
    paused: bool
    max_running: int | None
    running: int
    rate: int | None
    rate_seconds: float
    rate_used: int
    """Starts in the current window."""
    window_until: datetime | None
    """End of the current window; None without one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerView:
    """The workers of an instance, as of their last heartbeat."""

    owner: str
    types: tuple[str, ...]
    seen_at: datetime
    unavailable_types: dict[str, str] = field(default_factory=dict[str, str])
    """Types that it has a handler for and does not accept now, each with the reason."""
    concurrency: int = 1
    """Tasks that it runs at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueStats:
    """Counts of tasks, limits and live workers."""

    states: dict[TaskState, int]
    """Tasks by state; every state is a key."""
    types: dict[str, dict[TaskState, int]]
    """Tasks by type and state, without zeros."""
    paused: bool
    paused_types: tuple[str, ...]
    limits: tuple[LimitView, ...]
    workers: tuple[WorkerView, ...]
    """Those with a heartbeat within the last ``lease_seconds``."""
    oldest_pending_at: datetime | None
    """When the oldest pending task was added."""
    stale_writes: int
    """Writes with a stale token that were rejected since this actor started."""


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
    DEPENDENCY_UNAVAILABLE = "dependency_unavailable"
    """The handlers of its type are behind a closed gate."""
    NO_FREE_SLOT = "no_free_slot"
    """All slots of the workers that accept its type are busy."""
    QUEUED_BEHIND = "queued_behind"
    """Other tasks of its type come first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """One cause that keeps a task from running."""

    kind: ReasonKind
    text: str
    """A sentence for the operator."""
    until: datetime | None = None
    """When it ends by itself, if known."""
    by: tuple[str, ...] = ()
    """What blocks the task: owners, task ids, types."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """A task and every reason why it is not running, in one snapshot."""

    task: TaskView
    claimable: bool
    """Whether a claim of its type with a limit above ``ahead`` would return it now."""
    ahead: int
    """Pending tasks of its type that come first; counted up to 1000."""
    reasons: tuple[Reason, ...]
