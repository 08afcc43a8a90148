"""The task queue, whole."""

from __future__ import annotations

from datetime import datetime
from typing import Literal, NotRequired
from uuid import UUID

from pydantic import JsonValue
from typing_extensions import TypedDict

TaskStateName = Literal["pending", "delayed", "running", "completed", "failed", "cancelled", "dead"]


class TaskModel(TypedDict):
    """A task as it is on record."""

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
    """A page of tasks, newest first; the cursor leads to the next one."""

    tasks: list[TaskModel]
    next_cursor: str | None


class TasksPage(TypedDict):
    """Which of the tasks."""

    state: NotRequired[TaskStateName]
    type: NotRequired[str]
    group: NotRequired[str]
    parent_id: NotRequired[UUID]
    cursor: NotRequired[str]
    limit: NotRequired[int]


class TypeQuery(TypedDict):
    """One type; all where it is left out."""

    type: NotRequired[str]


class RetryRuleBody(TypedDict):
    """How long a failed task waits for its next attempt."""

    kind: NotRequired[Literal["fixed", "exponential"]]
    seconds: NotRequired[float]
    jitter: NotRequired[float]
    maximum_seconds: NotRequired[float]


class NewTaskBody(TypedDict):
    """A task to be added; a list of them, or `{"tasks": [...]}`, is added all or none."""

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
    """Whether it was created, or is the earlier one with its idempotency key."""

    id: UUID
    created: bool


class NewDataBody(TypedDict):
    """Other data for the new attempts."""

    data: NotRequired[dict[str, JsonValue]]


class PriorityBody(TypedDict):
    """Higher comes first."""

    priority: int


class LimitBody(TypedDict):
    """What runs at once and begins in a window; left out is unlimited."""

    scope: Literal["all", "type", "group"]
    name: NotRequired[str]
    max_running: NotRequired[int]
    rate: NotRequired[int]
    rate_seconds: NotRequired[float]


class PausedModel(TypedDict):
    """How it is now."""

    paused: bool
    type: str | None


class AttemptModel(TypedDict):
    """One attempt at a task."""

    token: int
    owner: str
    outcome: Literal["running", "completed", "failed", "cancelled", "stalled"]
    error: str | None
    started_at: datetime
    ended_at: datetime | None
    result: JsonValue


class AttemptsModel(TypedDict):
    """Oldest first."""

    attempts: list[AttemptModel]


class LogLineModel(TypedDict):
    """A line that a handler wrote, with the token of its attempt."""

    token: int
    level: str
    message: str
    created_at: datetime


class LogLinesModel(TypedDict):
    """A page of lines, oldest first; the cursor leads to the next one."""

    logs: list[LogLineModel]
    next_cursor: str | None


class LinesPage(TypedDict):
    """Which of the lines."""

    cursor: NotRequired[str]
    limit: NotRequired[int]


class ReasonModel(TypedDict):
    """Why a task does not run now."""

    kind: str
    text: str
    until: datetime | None
    by: list[str]


class ExplanationModel(TypedDict):
    """Every reason, by the rules that the claim itself uses."""

    task: TaskModel
    claimable: bool
    ahead: int
    reasons: list[ReasonModel]


class LimitModel(TypedDict):
    """A limit, and how much of it is used."""

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
    """Who works, on what, and why not on the rest."""

    owner: str
    types: list[str]
    closed: dict[str, str]
    slots: int
    seen_at: datetime


class QueueStatsModel(TypedDict):
    """How the queue stands."""

    states: dict[TaskStateName, int]
    types: dict[str, dict[TaskStateName, int]]
    paused: bool
    paused_types: list[str]
    limits: list[LimitModel]
    workers: list[WorkerModel]
    oldest_pending_at: datetime | None
    stale_writes: int
