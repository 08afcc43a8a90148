"""Requests to the task queue, and the refusals that it answers with."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from runtime import Refusal, Request

from .tasks import Json, NewTask, TaskState, TaskView
from .views import AddResult, Attempt, Explanation, LimitScope, LogPage, QueueStats, TaskPage


class NoSuchTask(Refusal):
    """No task has this id."""


class InvalidTaskState(Refusal):
    """The task's state does not allow this."""


class StaleToken(Refusal):
    """The lease was lost: the task was reassigned, cancelled or finished. Nothing was changed."""


class InvalidTask(Refusal):
    """A value is out of range or cannot be stored. Nothing was changed."""


class QueueUnavailable(Refusal):
    """PostgreSQL is unavailable. A command in progress may have been executed; a new one was not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AddTasks(Request[tuple[AddResult, ...]]):
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
    """Tasks, newest first. Refused with `InvalidTask` for an invalid cursor."""

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

    Refused with `NoSuchTask`, and with `InvalidTask` for an invalid cursor.
    """

    id: UUID
    cursor: str | None = None
    limit: int = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelTask(Request[TaskView]):
    """Cancel a task and the children that it waits for. A running handler is cancelled, on any instance.

    Refused with `NoSuchTask`, `InvalidTaskState`.
    """

    id: UUID
    reason: str = "cancelled on request"


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryTask(Request[TaskView]):
    """Give a finished task a new set of attempts, with new data if given.

    Refused with `NoSuchTask`, `InvalidTaskState`.
    """

    id: UUID
    data: dict[str, Json] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PromoteTask(Request[TaskView]):
    """Make a delayed task pending now. Refused with `NoSuchTask`, `InvalidTaskState`."""

    id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class ReprioritizeTask(Request[TaskView]):
    """Change the priority of a task that has not started. Refused with `NoSuchTask`, `InvalidTaskState`."""

    id: UUID
    priority: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PauseTasks(Request[None]):
    """Stop claims of this type (None: of all types); running tasks continue."""

    type: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ResumeTasks(Request[None]):
    """Undo a `PauseTasks` of the same type."""

    type: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitTasks(Request[None]):
    """Limit the tasks of a type, a group or all; None removes that limit."""

    scope: LimitScope
    name: str
    max_running: int | None = None
    rate: int | None = None
    """Most starts in each window of ``rate_seconds``."""
    rate_seconds: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueStatsQuery(Request[QueueStats]):
    """Counts, limits and workers of the queue."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExplainQuery(Request[Explanation]):
    """Why a task is not running now, by the rules of the claim statement. Refused with `NoSuchTask`."""

    id: UUID
