"""What anybody may ask of the queue."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from runtime import Request

from .tasks import Json, NewTask, TaskState, TaskView
from .views import Added, Attempt, Explanation, LimitScope, LogPage, QueueStats, TaskPage


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
class TasksQuery(Request[TaskPage]):
    """Tasks, newest first. Refused with `InvalidTask` where the cursor is not one."""

    state: TaskState | None = None
    type: str | None = None
    group: str | None = None
    parent_id: UUID | None = None
    cursor: str | None = None
    limit: int = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptsQuery(Request[tuple[Attempt, ...]]):
    """The attempts at a task, oldest first. Refused with `NoSuchTask`."""

    id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class LogsQuery(Request[LogPage]):
    """The log lines of a task, oldest first.

    Refused with `NoSuchTask`, and with `InvalidTask` where the cursor is not one.
    """

    id: UUID
    cursor: str | None = None
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
class QueueStatsQuery(Request[QueueStats]):
    """How the queue stands now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExplainQuery(Request[Explanation]):
    """Why a task is not running now, by the rules that the claim uses. Refused with `NoSuchTask`."""

    id: UUID
