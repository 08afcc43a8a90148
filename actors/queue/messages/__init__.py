"""The messages of the task queue: what clients and workers ask of it.

Each change is answered after its commit. While PostgreSQL is unavailable each
message is refused with `QueueUnavailable`. A change that was in progress when
the connection was lost, or whose answer timed out, may be done or not: send it
again, with an idempotency key where it must not happen twice.
"""

from __future__ import annotations

from typing import TypeAlias

from .leases import (
    ClaimTasks,
    CompleteTasks,
    Completion,
    FailTask,
    Lease,
    LeasedTask,
    RenewLeases,
    RenewResult,
    ReportLog,
    ReportProgress,
)
from .requests import (
    AddTasks,
    AttemptsQuery,
    CancelTask,
    ExplainQuery,
    InvalidTask,
    InvalidTaskState,
    LimitTasks,
    LogsQuery,
    NoSuchTask,
    PauseTasks,
    PromoteTask,
    QueueStatsQuery,
    QueueUnavailable,
    ReprioritizeTask,
    ResumeTasks,
    RetryTask,
    StaleToken,
    TaskQuery,
    TasksQuery,
)
from .tasks import (
    CONTRACT_TYPES,
    FINISHED,
    MAX_ATTEMPTS,
    MAX_BACKOFF_MAXIMUM_SECONDS,
    MAX_BACKOFF_SECONDS,
    MAX_DELAY_SECONDS,
    MAX_KEY_LENGTH,
    MAX_LIMIT,
    MAX_NAME_LENGTH,
    MAX_TASKS,
    MAX_TIMEOUT_SECONDS,
    MAX_WINDOW_SECONDS,
    MIN_TIMEOUT_SECONDS,
    MIN_WINDOW_SECONDS,
    BackoffKind,
    ChildFailure,
    DedupMode,
    Json,
    NewTask,
    RetryRule,
    TaskState,
    TaskType,
    TaskView,
)
from .views import (
    AddResult,
    Attempt,
    AttemptOutcome,
    Explanation,
    LimitScope,
    LimitView,
    LogLine,
    LogPage,
    QueueStats,
    Reason,
    ReasonKind,
    TaskPage,
    WorkerView,
)

__all__ = [
    "CONTRACT_TYPES",
    "FINISHED",
    "MAX_ATTEMPTS",
    "MAX_BACKOFF_MAXIMUM_SECONDS",
    "MAX_BACKOFF_SECONDS",
    "MAX_DELAY_SECONDS",
    "MAX_KEY_LENGTH",
    "MAX_LIMIT",
    "MAX_NAME_LENGTH",
    "MAX_TASKS",
    "MAX_TIMEOUT_SECONDS",
    "MAX_WINDOW_SECONDS",
    "MIN_TIMEOUT_SECONDS",
    "MIN_WINDOW_SECONDS",
    "AddResult",
    "AddTasks",
    "Attempt",
    "AttemptOutcome",
    "AttemptsQuery",
    "BackoffKind",
    "CancelTask",
    "ChildFailure",
    "ClaimTasks",
    "CompleteTasks",
    "Completion",
    "DedupMode",
    "ExplainQuery",
    "Explanation",
    "FailTask",
    "InvalidTask",
    "InvalidTaskState",
    "Json",
    "Lease",
    "LeasedTask",
    "LimitScope",
    "LimitTasks",
    "LimitView",
    "LogLine",
    "LogPage",
    "LogsQuery",
    "NewTask",
    "NoSuchTask",
    "PauseTasks",
    "PromoteTask",
    "QueueMessage",
    "QueueStats",
    "QueueStatsQuery",
    "QueueUnavailable",
    "Reason",
    "ReasonKind",
    "RenewLeases",
    "RenewResult",
    "ReportLog",
    "ReportProgress",
    "ReprioritizeTask",
    "ResumeTasks",
    "RetryRule",
    "RetryTask",
    "StaleToken",
    "TaskPage",
    "TaskQuery",
    "TaskState",
    "TaskType",
    "TaskView",
    "TasksQuery",
    "WorkerView",
]

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
