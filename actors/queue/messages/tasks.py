"""A task: its states, its options and their limits, and its row in the database."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final, TypeAlias
from uuid import UUID

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"
"""A task's data and result."""

MAX_TASKS: Final = 1000
"""Tasks in one `AddTasks`, children included."""
MAX_NAME_LENGTH: Final = 100
"""Characters of a type and of a group."""
MAX_KEY_LENGTH: Final = 255
"""Characters of an idempotency key."""
MAX_ATTEMPTS: Final = 1000
MAX_DELAY_SECONDS: Final = 366 * 86_400.0
"""Longest delay of a task, and longest time that an idempotency key holds."""
MIN_TIMEOUT_SECONDS: Final = 0.001
MAX_TIMEOUT_SECONDS: Final = 86_400.0
MAX_BACKOFF_SECONDS: Final = 86_400.0
"""Longest wait after the first failure."""
MAX_BACKOFF_MAXIMUM_SECONDS: Final = 7 * 86_400.0
"""Longest wait after any failure."""
MAX_LIMIT: Final = 1_000_000
"""Most running tasks or starts that a `LimitTasks` may allow."""
MIN_WINDOW_SECONDS: Final = 0.001
MAX_WINDOW_SECONDS: Final = 86_400.0
"""Longest window of a rate limit."""


class TaskState(StrEnum):
    """See `states.py` for the transitions."""

    PENDING = "pending"
    DELAYED = "delayed"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    DEAD = "dead"


FINISHED: Final = frozenset({TaskState.COMPLETED, TaskState.FAILED, TaskState.CANCELLED, TaskState.DEAD})
"""States that a task leaves only by `RetryTask`."""


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
    """Whether the wait between attempts is constant or doubles."""

    FIXED = "fixed"
    EXPONENTIAL = "exponential"


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryRule:
    """Backoff: how long a failed task waits for its next attempt."""

    kind: BackoffKind = BackoffKind.EXPONENTIAL
    seconds: float = 1.0
    """The wait after the first failure; an exponential one doubles with each further failure."""
    jitter: float = 0.2
    """Largest share of the wait that is added at random."""
    maximum_seconds: float = 3600.0


class DedupMode(StrEnum):
    """What adding a second task with the same idempotency key does."""

    SIMPLE = "simple"
    """Nothing, as long as the first one is in the database."""
    THROTTLE = "throttle"
    """Nothing for ``dedup_seconds`` after the first one was added."""
    DEBOUNCE = "debounce"
    """Each waits ``dedup_seconds``, or its delay if that is longer; a task that is added meanwhile
    replaces its data and restarts the wait."""


class ChildFailure(StrEnum):
    """What happens to a parent when a child that it waits for fails, dies or is cancelled."""

    FAIL = "fail"
    """The parent fails too."""
    IGNORE = "ignore"
    """The child counts as completed."""
    WAIT = "wait"
    """The parent waits until the child is retried and completes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewTask:
    """A task to be added. A higher priority comes first, 0 is the default; see `priority.py`."""

    type: str
    data: dict[str, Json] = field(default_factory=dict[str, Json])
    priority: int = 0
    delay_seconds: float = 0.0
    group: str | None = None
    max_attempts: int = 3
    retry: RetryRule = RetryRule()
    timeout_seconds: float = 300.0
    """Time limit of one attempt."""
    idempotency_key: str | None = None
    dedup: DedupMode = DedupMode.SIMPLE
    dedup_seconds: float = 0.0
    children: tuple[NewTask, ...] = ()
    """Tasks that must finish before this one starts; they are added with it."""
    on_child_failure: ChildFailure = ChildFailure.FAIL


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskView:
    """A task as it is in the database."""

    id: UUID
    type: str
    state: TaskState
    priority: int
    group: str | None
    data: dict[str, Json]
    result: Json
    error: str | None
    """Of the last attempt that did not succeed."""
    progress: float
    """0 to 100."""
    attempts: int
    """Attempts started, without those that stalled."""
    max_attempts: int
    stalls: int
    """Times that its lease expired."""
    run_at: datetime | None
    """Earliest start; None while it waits for its children."""
    created_at: datetime
    started_at: datetime | None
    """Of the last attempt."""
    finished_at: datetime | None
    parent_id: UUID | None
    idempotency_key: str | None
    timeout_seconds: float
    owner: str | None
    """The worker that holds the lease, or held it last."""
    lease_until: datetime | None
    token: int
    """Fencing token: grows with each claim; only the holder of the current one may write."""
