"""A task: what it is made of, and what it is on record."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final, TypeAlias
from uuid import UUID

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"
"""What a task's data and result are made of."""


class TaskState(StrEnum):
    """See `states.py` for the ways between them."""

    PENDING = "pending"
    DELAYED = "delayed"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    DEAD = "dead"


FINISHED: Final = frozenset({TaskState.COMPLETED, TaskState.FAILED, TaskState.CANCELLED, TaskState.DEAD})
"""States that a task leaves only when somebody retries it."""


class TaskType:
    """Types that the Compatibility API names. A type is any lower-case name: letters, digits, ``_ - .``."""

    LOGIN: Final = "login"
    JOB_CHECK: Final = "job_check"
    JOB_ACCEPT: Final = "job_accept"
    JOB_REJECT: Final = "job_reject"
    NAVIGATION: Final = "navigation"
    SCREENSHOT: Final = "screenshot"


CONTRACT_TYPES: Final = frozenset(
    {
        TaskType.LOGIN,
        TaskType.JOB_CHECK,
        TaskType.JOB_ACCEPT,
        TaskType.JOB_REJECT,
        TaskType.NAVIGATION,
        TaskType.SCREENSHOT,
    }
)


class BackoffKind(StrEnum):
    """Whether the waits between attempts stay the same or double."""

    FIXED = "fixed"
    EXPONENTIAL = "exponential"


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryRule:
    """How long a failed task waits for its next attempt."""

    kind: BackoffKind = BackoffKind.EXPONENTIAL
    seconds: float = 1.0
    """The wait after the first failure; an exponential one doubles with each further failure."""
    jitter: float = 0.2
    """Up to this share is added at random."""
    maximum_seconds: float = 3600.0


class DedupMode(StrEnum):
    """What a second task with the same idempotency key does."""

    SIMPLE = "simple"
    """Nothing, as long as the first one is on record."""
    THROTTLE = "throttle"
    """Nothing for so many seconds after the first one was added."""
    DEBOUNCE = "debounce"
    """Each waits so many seconds, or as long as its delay if that is longer; one that is added meanwhile
    replaces its data, and the waiting begins anew."""


class ChildFailure(StrEnum):
    """What the failure, death or cancellation of a child means to the parent that waits for it."""

    FAIL = "fail"
    """The parent fails too."""
    IGNORE = "ignore"
    """The child counts as done."""
    WAIT = "wait"
    """The parent waits until somebody retries the child with success."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewTask:
    """A task to be added. Its priority is internal: higher comes first, 0 is usual; see `priority.py`."""

    type: str
    data: dict[str, Json] = field(default_factory=dict[str, Json])
    priority: int = 0
    delay_seconds: float = 0.0
    group: str | None = None
    max_attempts: int = 3
    retry: RetryRule = RetryRule()
    timeout_seconds: float = 300.0
    """One attempt may take so long."""
    idempotency_key: str | None = None
    dedup: DedupMode = DedupMode.SIMPLE
    dedup_seconds: float = 0.0
    children: tuple[NewTask, ...] = ()
    """Tasks that must finish before this one begins; they are added with it."""
    on_child_failure: ChildFailure = ChildFailure.FAIL


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskView:
    """A task as it is on record."""

    id: UUID
    type: str
    state: TaskState
    priority: int
    group: str | None
    data: dict[str, Json]
    result: Json
    error: str | None
    """What the last attempt that did not succeed ended with."""
    progress: float
    """0 to 100."""
    attempts: int
    """Attempts begun, without those that stalled."""
    max_attempts: int
    stalls: int
    """Times that the lease ran out under it."""
    run_at: datetime | None
    """Not before; None while it waits for its children."""
    created_at: datetime
    started_at: datetime | None
    """Of the last attempt."""
    finished_at: datetime | None
    parent_id: UUID | None
    idempotency_key: str | None
    timeout_seconds: float
    owner: str | None
    """Who has it, or had it last."""
    lease_until: datetime | None
    token: int
    """Goes up with each claim; only the holder of the current one may write."""
