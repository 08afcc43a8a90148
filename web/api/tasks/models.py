"""OpenAPI models of ``/api/tasks``."""

from __future__ import annotations

from datetime import datetime
from typing import Literal, NotRequired
from uuid import UUID

from pydantic import JsonValue
from typing_extensions import TypedDict

TaskStateName = Literal["pending", "delayed", "running", "completed", "failed", "cancelled", "dead"]


class TaskModel(TypedDict):
    """A task."""

    id: UUID
    type: str
    state: TaskStateName
    priority: int
    group: str | None
    data: dict[str, JsonValue]
    result: JsonValue
    error: str | None
    progress: float
    attempts: int
    max_attempts: int
    stalls: int
    run_at: datetime | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    parent_id: UUID | None
    idempotency_key: str | None
    timeout_seconds: float
    owner: str | None
    lease_until: datetime | None


class TasksModel(TypedDict):
    """A page of tasks, newest first, with the cursor of the next page."""

    tasks: list[TaskModel]
    next_cursor: str | None


class TasksPage(TypedDict):
    """Filter and page of tasks."""

    state: NotRequired[TaskStateName]
    type: NotRequired[str]
    group: NotRequired[str]
    parent_id: NotRequired[UUID]
    cursor: NotRequired[str]
    limit: NotRequired[int]


class TypeQuery(TypedDict):
    """A task type; all types if it is missing."""

    type: NotRequired[str]


class RetryRuleBody(TypedDict):
    """Backoff between attempts."""

    kind: NotRequired[Literal["fixed", "exponential"]]
    seconds: NotRequired[float]
    jitter: NotRequired[float]
    maximum_seconds: NotRequired[float]


class NewTaskBody(TypedDict):
    """A task to add; a list of tasks, or `{"tasks": [...]}`, is added all or none."""

    type: str
    data: NotRequired[dict[str, JsonValue]]
    priority: NotRequired[int]
    delay_seconds: NotRequired[float]
    group: NotRequired[str]
    max_attempts: NotRequired[int]
    retry: NotRequired[RetryRuleBody]
    timeout_seconds: NotRequired[float]
    idempotency_key: NotRequired[str]
    dedup: NotRequired[Literal["simple", "throttle", "debounce"]]
    dedup_seconds: NotRequired[float]
    children: NotRequired[list[NewTaskBody]]
    on_child_failure: NotRequired[Literal["fail", "ignore", "wait"]]


class AddedModel(TypedDict):
    """The task; `created` is false if one with its idempotency key already existed."""

    id: UUID
    created: bool


class NewDataBody(TypedDict):
    """Other data for the retry."""

    data: NotRequired[dict[str, JsonValue]]


class PriorityBody(TypedDict):
    """New priority; higher runs first."""

    priority: int


class LimitBody(TypedDict):
    """Limit of concurrent tasks and of starts in a time window; a missing value is unlimited."""

    scope: Literal["all", "type", "group"]
    name: NotRequired[str]
    max_running: NotRequired[int]
    rate: NotRequired[int]
    rate_seconds: NotRequired[float]


class PausedModel(TypedDict):
    """The pause state after the change."""

    paused: bool
    type: str | None


class AttemptModel(TypedDict):
    """One attempt of a task."""

    token: int
    owner: str
    outcome: Literal["running", "completed", "failed", "cancelled", "stalled"]
    error: str | None
    started_at: datetime
    ended_at: datetime | None
    result: JsonValue


class AttemptsModel(TypedDict):
    """Attempts, oldest first."""

    attempts: list[AttemptModel]


class LogLineModel(TypedDict):
    """A log line of a task, with the token of its attempt."""

    token: int
    level: str
    message: str
    created_at: datetime


class LogLinesModel(TypedDict):
    """A page of log lines, oldest first, with the cursor of the next page."""

    logs: list[LogLineModel]
    next_cursor: str | None


class LinesPage(TypedDict):
    """Page of log lines."""

    cursor: NotRequired[str]
    limit: NotRequired[int]


class ReasonModel(TypedDict):
    """A reason why a task is not running."""

    kind: str
    text: str
    until: datetime | None
    by: list[str]


class ExplanationModel(TypedDict):
    """All reasons, by the same rules as a claim."""

    task: TaskModel
    claimable: bool
    ahead: int
    reasons: list[ReasonModel]


class LimitModel(TypedDict):
    """A limit and its current use."""

    scope: Literal["all", "type", "group"]
    name: str
    paused: bool
    max_running: int | None
    running: int
    rate: int | None
    rate_seconds: float
    rate_used: int
    window_until: datetime | None


class WorkerModel(TypedDict):
    """A worker, its task types, and those it cannot accept now with the reason."""

    owner: str
    types: list[str]
    unavailable_types: dict[str, str]
    concurrency: int
    seen_at: datetime


class QueueStatsModel(TypedDict):
    """Task counts, pauses, limits and workers."""

    states: dict[TaskStateName, int]
    types: dict[str, dict[TaskStateName, int]]
    paused: bool
    paused_types: list[str]
    limits: list[LimitModel]
    workers: list[WorkerModel]
    oldest_pending_at: datetime | None
    stale_writes: int
