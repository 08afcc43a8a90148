"""The task queue: what this resource brings to the front end."""

from __future__ import annotations

from typing import Final

from actors.queue.messages import InvalidTask, InvalidTaskState, NoSuchTask, QueueUnavailable, StaleToken

from ...capability import WebCapability
from ...errors import ProblemKind
from .metrics import task_metrics
from .routes import tasks_blueprint

TASKS: Final = WebCapability(
    name="tasks",
    description="The task queue.",
    routes=tasks_blueprint,
    metrics=task_metrics,
    problems={
        QueueUnavailable: ProblemKind(status=503, code="queue_unavailable"),
        NoSuchTask: ProblemKind(status=404, code="no_such_task"),
        InvalidTaskState: ProblemKind(status=409, code="invalid_task_state"),
        StaleToken: ProblemKind(status=409, code="stale_token"),
        InvalidTask: ProblemKind(status=422, code="invalid_task"),
    },
)
