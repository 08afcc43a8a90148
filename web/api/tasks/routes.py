"""``/api/tasks``: the task queue, in full."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from quart import Blueprint, request

from actors.queue.messages import (
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
from ..query_params import choice, identifier, json_body, json_object, unfit, whole_number
from ..serializers import Json
from ..timeouts import COMMIT, LOOK
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
from .requests import LONGEST_NAME, is_several, new_data, new_priority, new_tasks, task_limit
from .responses import attempt, explanation, log_line, queue_stats, task

MOST_ROWS: Final = 1000


def tasks_blueprint(doors: ActorAddresses) -> Blueprint:
    """The routes under ``/api/tasks``."""
    blueprint = Blueprint("tasks", __name__, url_prefix="/api/tasks")

    @blueprint.get("")
    @documented(TasksModel, query=TasksPage)
    async def listed() -> Json:
        """List tasks, newest first, a page at a time."""
        query = TasksQuery(
            state=choice(request.args, "state", TaskState),
            type=_name("type"),
            group=_name("group"),
            parent_id=identifier(request.args, "parent_id"),
            cursor=request.args.get("cursor"),
            limit=whole_number(request.args, "limit", 100, least=1, most=MOST_ROWS),
        )
        page = await doors.queue.ask(query, timeout=LOOK)
        return {"tasks": [task(view) for view in page.tasks], "next_cursor": page.next_cursor}

    @blueprint.post("")
    @documented(AddedModel, body=NewTaskBody, status=201)
    async def add() -> tuple[Json, int, dict[str, str]]:
        """Add tasks, all or none; with an `Idempotency-Key` it may be sent again, and answers 200 then."""
        body = await json_body(request)
        tasks = new_tasks(body, request.headers.get("Idempotency-Key"))
        added = await doors.queue.ask(AddTasks(tasks=tasks), timeout=COMMIT)
        # The add alone is answered: a second look that fails would deny what was accepted.
        told: list[Json] = [{"id": str(one.id), "created": one.created} for one in added]
        status = 201 if any(one.created for one in added) else 200
        if is_several(body):
            return {"tasks": told}, status, {}
        return told[0], status, {"Location": f"/api/tasks/{told[0]['id']}"}

    @blueprint.get("/stats")
    @documented(QueueStatsModel)
    async def stats() -> Json:
        """Count the tasks, and show limits and workers."""
        return queue_stats(await doors.queue.ask(QueueStatsQuery(), timeout=LOOK))

    @blueprint.post("/pause")
    @documented(PausedModel, query=TypeQuery)
    async def pause() -> Json:
        """Begin no more tasks, of one type or of any; what runs goes on."""
        kind = _name("type")
        await doors.queue.ask(PauseTasks(type=kind), timeout=COMMIT)
        return {"paused": True, "type": kind}

    @blueprint.post("/resume")
    @documented(PausedModel, query=TypeQuery)
    async def resume() -> Json:
        """Begin tasks again."""
        kind = _name("type")
        await doors.queue.ask(ResumeTasks(type=kind), timeout=COMMIT)
        return {"paused": False, "type": kind}

    @blueprint.put("/limits")
    @documented(QueueStatsModel, body=LimitBody)
    async def limit() -> Json:
        """Set or lift a limit."""
        await doors.queue.ask(task_limit(BodyReader(await json_object(request))), timeout=COMMIT)
        return queue_stats(await doors.queue.ask(QueueStatsQuery(), timeout=LOOK))

    @blueprint.get("/<uuid:task_id>")
    @documented(TaskModel)
    async def one(task_id: UUID) -> Json:
        """Show a task."""
        return task(await doors.queue.ask(TaskQuery(id=task_id), timeout=LOOK))

    @blueprint.delete("/<uuid:task_id>")
    @blueprint.post("/<uuid:task_id>/cancel")
    @documented(TaskModel)
    async def cancel(task_id: UUID) -> Json:
        """Cancel a task, also while it runs, and what it waits for."""
        return task(await doors.queue.ask(CancelTask(id=task_id), timeout=COMMIT))

    @blueprint.post("/<uuid:task_id>/retry")
    @documented(TaskModel, body=NewDataBody)
    async def retry(task_id: UUID) -> Json:
        """Give a finished task new attempts."""
        data = new_data(BodyReader(await json_object(request)))
        return task(await doors.queue.ask(RetryTask(id=task_id, data=data), timeout=COMMIT))

    @blueprint.post("/<uuid:task_id>/promote")
    @documented(TaskModel)
    async def promote(task_id: UUID) -> Json:
        """Begin a delayed task now."""
        return task(await doors.queue.ask(PromoteTask(id=task_id), timeout=COMMIT))

    @blueprint.route("/<uuid:task_id>/priority", methods=["POST", "PUT"])
    @documented(TaskModel, body=PriorityBody)
    async def prioritise(task_id: UUID) -> Json:
        """Move a task to where it would be, had it had this priority from the start."""
        priority = new_priority(BodyReader(await json_object(request)))
        message = ReprioritizeTask(id=task_id, priority=priority)
        return task(await doors.queue.ask(message, timeout=COMMIT))

    @blueprint.get("/<uuid:task_id>/attempts")
    @documented(AttemptsModel)
    async def attempts(task_id: UUID) -> Json:
        """List the attempts at a task."""
        made = await doors.queue.ask(AttemptsQuery(id=task_id), timeout=LOOK)
        return {"attempts": [attempt(each) for each in made]}

    @blueprint.get("/<uuid:task_id>/logs")
    @documented(LogLinesModel, query=LinesPage)
    async def logs(task_id: UUID) -> Json:
        """List the newest 10,000 lines that a task's handlers wrote, oldest first, a page at a time."""
        query = LogsQuery(
            id=task_id,
            cursor=request.args.get("cursor"),
            limit=whole_number(request.args, "limit", 100, least=1, most=MOST_ROWS),
        )
        page = await doors.queue.ask(query, timeout=LOOK)
        return {"logs": [log_line(line) for line in page.lines], "next_cursor": page.next_cursor}

    @blueprint.get("/<uuid:task_id>/explain")
    @documented(ExplanationModel)
    async def explain(task_id: UUID) -> Json:
        """Say every reason why a task does not run now."""
        return explanation(await doors.queue.ask(ExplainQuery(id=task_id), timeout=LOOK))

    return blueprint


def _name(parameter: str) -> str | None:
    """A type or a group of the query; None where it is not given."""
    text = request.args.get(parameter)
    if text is not None and not (1 <= len(text) <= LONGEST_NAME and text.isprintable()):
        raise unfit(parameter, f"a text of 1 to {LONGEST_NAME} printable characters", text)
    return text
