"""What can be asked of the task queue, by those who have work and by those who do it.

Everything that changes a task is answered after its commit. While PostgreSQL is
away each message is refused with `QueueAway`: nothing was accepted then.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final, TypeAlias
from uuid import UUID

from runtime import Refusal, Request

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
    """Types that the contract names. A type is any lower-case name: letters, digits, ``_ - .``."""

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
    """It replaces the data of a first one that has not begun, which then waits so many seconds anew."""


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


# What anybody may ask


@dataclass(frozen=True, slots=True, kw_only=True)
class Added:
    id: UUID
    created: bool
    """False where the idempotency key was known: this is the id of the earlier task."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AddTasks(Request[tuple[Added, ...]]):
    """Add tasks, all or none. One reply each, in order, without the children.

    Refused with `InvalidTask`.
    """

    tasks: tuple[NewTask, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskQuery(Request[TaskView]):
    """One task. Refused with `NoSuchTask`."""

    id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskPage:
    tasks: tuple[TaskView, ...]
    next_cursor: str | None
    """For the next page; None at the end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TasksQuery(Request[TaskPage]):
    """Tasks, newest first. Refused with `InvalidTask` where the cursor is not one."""

    state: TaskState | None = None
    type: str | None = None
    group: str | None = None
    parent_id: UUID | None = None
    cursor: str | None = None
    limit: int = 100


class AttemptOutcome(StrEnum):
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    STALLED = "stalled"


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    token: int
    owner: str
    outcome: AttemptOutcome
    error: str | None
    started_at: datetime
    ended_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptsQuery(Request[tuple[Attempt, ...]]):
    """The attempts at a task, oldest first. Refused with `NoSuchTask`."""

    id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class LogLine:
    token: int
    """Of the attempt that wrote it."""
    level: str
    message: str
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class LogsQuery(Request[tuple[LogLine, ...]]):
    """The log lines of a task, oldest first. Refused with `NoSuchTask`."""

    id: UUID
    limit: int = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelTask(Request[TaskView]):
    """Cancel a task, and with it the children that it waits for. Its handler is ended where it runs.

    Refused with `NoSuchTask`, `TaskStateForbids`.
    """

    id: UUID
    reason: str = "cancelled on request"


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryTask(Request[TaskView]):
    """Give a finished task a new set of attempts, with other data if it is given.

    Refused with `NoSuchTask`, `TaskStateForbids`.
    """

    id: UUID
    data: dict[str, Json] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PromoteTask(Request[TaskView]):
    """Make a delayed task pending now. Refused with `NoSuchTask`, `TaskStateForbids`."""

    id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class ReprioritizeTask(Request[TaskView]):
    """Change the priority of a task that has not begun. Refused with `NoSuchTask`, `TaskStateForbids`."""

    id: UUID
    priority: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PauseTasks(Request[None]):
    """No more claims of this type (of any type: None); what runs goes on."""

    type: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ResumeTasks(Request[None]):
    """Take back a `PauseTasks` with the same type."""

    type: str | None = None


class LimitScope(StrEnum):
    ALL = "all"
    TYPE = "type"
    GROUP = "group"


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitTasks(Request[None]):
    """Limit the tasks of a type or a group; None lifts that limit."""

    scope: LimitScope
    name: str
    max_running: int | None = None
    rate: int | None = None
    """At most so many starts in each window of ``rate_seconds``."""
    rate_seconds: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitView:
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
    owner: str
    types: tuple[str, ...]
    seen_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueStats:
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


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueStatsQuery(Request[QueueStats]):
    """How the queue stands now."""


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
    AHEAD = "ahead"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    kind: ReasonKind
    text: str
    """A sentence for people."""
    until: datetime | None = None
    """When it will be gone by itself, where that is known."""
    by: tuple[str, ...] = ()
    """Who or what is in the way: owners, task ids, types."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    task: TaskView
    claimable: bool
    """Whether a worker for its type with room for it and for ``ahead`` more would get it now."""
    ahead: int
    """Pending tasks of its type that come before it; counted up to 1000."""
    reasons: tuple[Reason, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExplainQuery(Request[Explanation]):
    """Why a task is not running now, by the rules that the claim uses. Refused with `NoSuchTask`."""

    id: UUID


# What workers ask


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """The right to work on a task until ``until``, unless it is renewed."""

    task: TaskView
    token: int
    until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimTasks(Request[tuple[Lease, ...]]):
    """Take up to ``limit`` tasks of these types, those that come first; perhaps none."""

    owner: str
    types: tuple[str, ...]
    limit: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Renewed:
    seconds: float
    """The leases are good for so long from when the request was sent."""
    lost: frozenset[UUID]
    """Tasks that are not the owner's any more: end their work, it counts for nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RenewLeases(Request[Renewed]):
    """Keep leases, and say that this owner is there and works on these types."""

    owner: str
    types: tuple[str, ...]
    leases: tuple[tuple[UUID, int], ...]
    """Ids with their tokens."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportProgress(Request[None]):
    """0 to 100. Refused with `StaleToken`."""

    id: UUID
    token: int
    progress: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportLog(Request[None]):
    """Keep a log line with the task. Refused with `StaleToken`."""

    id: UUID
    token: int
    message: str
    level: str = "info"


@dataclass(frozen=True, slots=True, kw_only=True)
class Completion:
    id: UUID
    token: int
    result: Json = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CompleteTasks(Request[frozenset[UUID]]):
    """Record results. The reply names the tasks whose token was stale: nothing was changed for those."""

    completions: tuple[Completion, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class FailTask(Request[TaskState]):
    """Record that an attempt failed; the reply is the task's state then: delayed, pending or failed.

    Refused with `StaleToken`.
    """

    id: UUID
    token: int
    error: str
    permanent: bool = False
    """No further attempt would help."""
    retry_after: float | None = None
    """Seconds that whoever refused us asked us to wait; it replaces a shorter backoff."""


# Refusals


class NoSuchTask(Refusal):
    """No task on record has this id."""


class TaskStateForbids(Refusal):
    """The task's state does not allow this."""


class StaleToken(Refusal):
    """The task was given to somebody else, cancelled or finished meanwhile. Nothing was changed."""


class InvalidTask(Refusal):
    """A value is not one that the queue can keep. Nothing was changed."""


class QueueAway(Refusal):
    """PostgreSQL is away. Whether a command under way was done is unknown; a new one was not taken."""


QueueMessage: TypeAlias = (
    AddTasks
    | TaskQuery
    | TasksQuery
    | AttemptsQuery
    | LogsQuery
    | CancelTask
    | RetryTask
    | PromoteTask
    | ReprioritizeTask
    | PauseTasks
    | ResumeTasks
    | LimitTasks
    | QueueStatsQuery
    | ExplainQuery
    | ClaimTasks
    | RenewLeases
    | ReportProgress
    | ReportLog
    | CompleteTasks
    | FailTask
)
