"""``/api/tasks``: list, add and change tasks, pause the queue, set limits."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from quart import Blueprint, request

from actors.queue.messages import (
    MAX_NAME_LENGTH,
    AddTasks,
    AttemptsQuery,
    CancelTask,
    ExplainQuery,
    LogsQuery,
    PauseTasks,
    PromoteTask,
    QueueStatsQuery,
    ReprioritizeTask,
    ResumeTasks,
    RetryTask,
    TaskQuery,
    TasksQuery,
    TaskState,
)

from ..addresses import ActorAddresses
from ..body_reader import BodyReader
from ..documented import documented
from ..query_params import choice, identifier, integer, invalid_value, json_body, json_object
from ..serializers import Json
from ..timeouts import COMMAND_TIMEOUT, QUERY_TIMEOUT
from .models import (
    AddedModel,
    AttemptsModel,
    ExplanationModel,
    LimitBody,
    LinesPage,
    LogLinesModel,
    NewDataBody,
    NewTaskBody,
    PausedModel,
    PriorityBody,
    QueueStatsModel,
    TaskModel,
    TasksModel,
    TasksPage,
    TypeQuery,
)
from .requests import is_list, new_data, new_priority, new_tasks, task_limit
from .responses import attempt_json, explanation_json, log_line_json, queue_stats_json, task_json

MAX_ROWS: Final = 1000


def tasks_blueprint(actors: ActorAddresses) -> Blueprint:
    """Routes under ``/api/tasks``."""
    blueprint = Blueprint("tasks", __name__, url_prefix="/api/tasks")

    @blueprint.get("")
    @documented(TasksModel, query=TasksPage)
    async def list_tasks() -> Json:
        """List tasks, newest first, in pages."""
        query = TasksQuery(
            state=choice(request.args, "state", TaskState),
            type=_name("type"),
            group=_name("group"),
            parent_id=identifier(request.args, "parent_id"),
            cursor=request.args.get("cursor"),
            limit=integer(request.args, "limit", 100, minimum=1, maximum=MAX_ROWS),
        )
        page = await actors.queue.ask(query, timeout=QUERY_TIMEOUT)
        return {"tasks": [task_json(view) for view in page.tasks], "next_cursor": page.next_cursor}

    @blueprint.post("")
    @documented(AddedModel, body=NewTaskBody, status=201)
    async def add_tasks() -> tuple[Json, int, dict[str, str]]:
        """Add tasks, all or none; a repeat with the same `Idempotency-Key` answers 200."""
        body = await json_body(request)
        tasks = new_tasks(body, request.headers.get("Idempotency-Key"))
        added = await actors.queue.ask(AddTasks(tasks=tasks), timeout=COMMAND_TIMEOUT)
        # The tasks are not read back: a failed read would hide a successful add.
        results: list[Json] = [{"id": str(one.id), "created": one.created} for one in added]
        status = 201 if any(one.created for one in added) else 200
        if is_list(body):
            return {"tasks": results}, status, {}
        return results[0], status, {"Location": f"/api/tasks/{results[0]['id']}"}

    @blueprint.get("/stats")
    @documented(QueueStatsModel)
    async def get_stats() -> Json:
        """Get task counts, limits and workers."""
        return queue_stats_json(await actors.queue.ask(QueueStatsQuery(), timeout=QUERY_TIMEOUT))

    @blueprint.post("/pause")
    @documented(PausedModel, query=TypeQuery)
    async def pause_tasks() -> Json:
        """Pause one task type or all; running tasks continue."""
        task_type = _name("type")
        await actors.queue.ask(PauseTasks(type=task_type), timeout=COMMAND_TIMEOUT)
        return {"paused": True, "type": task_type}

    @blueprint.post("/resume")
    @documented(PausedModel, query=TypeQuery)
    async def resume_tasks() -> Json:
        """Resume one task type or all."""
        task_type = _name("type")
        await actors.queue.ask(ResumeTasks(type=task_type), timeout=COMMAND_TIMEOUT)
        return {"paused": False, "type": task_type}

    @blueprint.put("/limits")
    @documented(QueueStatsModel, body=LimitBody)
    async def set_limit() -> Json:
        """Set or remove a limit."""
        await actors.queue.ask(task_limit(BodyReader(await json_object(request))), timeout=COMMAND_TIMEOUT)
        return queue_stats_json(await actors.queue.ask(QueueStatsQuery(), timeout=QUERY_TIMEOUT))

    @blueprint.get("/<uuid:task_id>")
    @documented(TaskModel)
    async def get_task(task_id: UUID) -> Json:
        """Get a task."""
        return task_json(await actors.queue.ask(TaskQuery(id=task_id), timeout=QUERY_TIMEOUT))

    @blueprint.delete("/<uuid:task_id>")
    @blueprint.post("/<uuid:task_id>/cancel")
    @documented(TaskModel)
    async def cancel_task(task_id: UUID) -> Json:
        """Cancel a task, waiting or running, and its children."""
        return task_json(await actors.queue.ask(CancelTask(id=task_id), timeout=COMMAND_TIMEOUT))

    @blueprint.post("/<uuid:task_id>/retry")
    @documented(TaskModel, body=NewDataBody)
    async def retry_task(task_id: UUID) -> Json:
        """Retry a finished task, with other data if given."""
        data = new_data(BodyReader(await json_object(request)))
        return task_json(await actors.queue.ask(RetryTask(id=task_id, data=data), timeout=COMMAND_TIMEOUT))

    @blueprint.post("/<uuid:task_id>/promote")
    @documented(TaskModel)
    async def promote_task(task_id: UUID) -> Json:
        """Make a delayed task pending now."""
        return task_json(await actors.queue.ask(PromoteTask(id=task_id), timeout=COMMAND_TIMEOUT))

    @blueprint.route("/<uuid:task_id>/priority", methods=["POST", "PUT"])
    @documented(TaskModel, body=PriorityBody)
    async def set_priority(task_id: UUID) -> Json:
        """Change the priority of a task, as if it had been added with it."""
        priority = new_priority(BodyReader(await json_object(request)))
        message = ReprioritizeTask(id=task_id, priority=priority)
        return task_json(await actors.queue.ask(message, timeout=COMMAND_TIMEOUT))

    @blueprint.get("/<uuid:task_id>/attempts")
    @documented(AttemptsModel)
    async def list_attempts(task_id: UUID) -> Json:
        """List the attempts of a task, oldest first."""
        attempts = await actors.queue.ask(AttemptsQuery(id=task_id), timeout=QUERY_TIMEOUT)
        return {"attempts": [attempt_json(attempt) for attempt in attempts]}

    @blueprint.get("/<uuid:task_id>/logs")
    @documented(LogLinesModel, query=LinesPage)
    async def list_logs(task_id: UUID) -> Json:
        """List the newest 10,000 log lines of a task, oldest first, in pages."""
        query = LogsQuery(
            id=task_id,
            cursor=request.args.get("cursor"),
            limit=integer(request.args, "limit", 100, minimum=1, maximum=MAX_ROWS),
        )
        page = await actors.queue.ask(query, timeout=QUERY_TIMEOUT)
        return {"logs": [log_line_json(line) for line in page.lines], "next_cursor": page.next_cursor}

    @blueprint.get("/<uuid:task_id>/explain")
    @documented(ExplanationModel)
    async def explain_task(task_id: UUID) -> Json:
        """List every reason why a task is not running."""
        return explanation_json(await actors.queue.ask(ExplainQuery(id=task_id), timeout=QUERY_TIMEOUT))

    return blueprint


def _name(parameter: str) -> str | None:
    """A task type or a group; None if the parameter is missing."""
    text = request.args.get(parameter)
    if text is not None and not (1 <= len(text) <= MAX_NAME_LENGTH and text.isprintable()):
        raise invalid_value(parameter, f"a text of 1 to {MAX_NAME_LENGTH} printable characters", text)
    return text
