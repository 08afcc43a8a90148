"""What can be asked of the task queue, by those who have work and by those who do it.

Everything that changes a task is answered after its commit. While PostgreSQL is
away each message is refused with `QueueUnavailable`. What was under way when it went,
or was answered too late, may be done or not: ask again, with an idempotency key
where twice would be once too often.
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
    Renewed,
    RenewLeases,
    ReportLog,
    ReportProgress,
)
from .refusals import InvalidTask, InvalidTaskState, NoSuchTask, QueueUnavailable, StaleToken
from .requests import (
    AddTasks,
    AttemptsQuery,
    CancelTask,
    ExplainQuery,
    LimitTasks,
    LogsQuery,
    PauseTasks,
    PromoteTask,
    QueueStatsQuery,
    ReprioritizeTask,
    ResumeTasks,
    RetryTask,
    TaskQuery,
    TasksQuery,
)
from .tasks import (
    CONTRACT_TYPES,
    FINISHED,
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
    Added,
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
    "AddTasks",
    "Added",
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
    "Renewed",
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
