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
from actors.queue.priority import HIGHEST, LOWEST

from ..doors import Doors
from ..fields import Fields
from ..params import choice, identifier, json_body, unfit, whole_number
from ..schemas import Json
from ..task_params import LONGEST_NAME, is_several, new_tasks, task_data, task_limit
from ..task_schemas import attempt, explanation, log_line, queue_stats, task

ASK_TIMEOUT: Final = 5.0
ADD_TIMEOUT: Final = 10.0
MOST_ROWS: Final = 1000


def tasks_blueprint(doors: Doors) -> Blueprint:
    """The routes under ``/api/tasks``."""
    blueprint = Blueprint("tasks", __name__, url_prefix="/api/tasks")

    @blueprint.get("")
    async def listed() -> Json:
        query = TasksQuery(
            state=choice(request.args, "state", TaskState),
            type=_name("type"),
            group=_name("group"),
            parent_id=identifier(request.args, "parent_id"),
            cursor=request.args.get("cursor"),
            limit=whole_number(request.args, "limit", 100, least=1, most=MOST_ROWS),
        )
        page = await doors.queue.ask(query, timeout=ASK_TIMEOUT)
        return {"tasks": [task(view) for view in page.tasks], "next_cursor": page.next_cursor}

    @blueprint.post("")
    async def add() -> tuple[Json, int, dict[str, str]]:
        body = await json_body(request)
        tasks = new_tasks(body, request.headers.get("Idempotency-Key"))
        added = await doors.queue.ask(AddTasks(tasks=tasks), timeout=ADD_TIMEOUT)
        # The add alone is answered: a second look that fails would deny what was accepted.
        told: list[Json] = [{"id": str(one.id), "created": one.created} for one in added]
        status = 201 if any(one.created for one in added) else 200
        if is_several(body):
            return {"tasks": told}, status, {}
        return told[0], status, {"Location": f"/api/tasks/{told[0]['id']}"}

    @blueprint.get("/stats")
    async def stats() -> Json:
        return queue_stats(await doors.queue.ask(QueueStatsQuery(), timeout=ASK_TIMEOUT))

    @blueprint.post("/pause")
    async def pause() -> Json:
        kind = _name("type")
        await doors.queue.ask(PauseTasks(type=kind), timeout=ASK_TIMEOUT)
        return {"paused": True, "type": kind}

    @blueprint.post("/resume")
    async def resume() -> Json:
        kind = _name("type")
        await doors.queue.ask(ResumeTasks(type=kind), timeout=ASK_TIMEOUT)
        return {"paused": False, "type": kind}

    @blueprint.put("/limits")
    async def limit() -> Json:
        await doors.queue.ask(task_limit(Fields.of(await json_body(request), "")), timeout=ASK_TIMEOUT)
        return queue_stats(await doors.queue.ask(QueueStatsQuery(), timeout=ASK_TIMEOUT))

    @blueprint.get("/<uuid:task_id>")
    async def one(task_id: UUID) -> Json:
        return task(await doors.queue.ask(TaskQuery(id=task_id), timeout=ASK_TIMEOUT))

    @blueprint.delete("/<uuid:task_id>")
    @blueprint.post("/<uuid:task_id>/cancel")
    async def cancel(task_id: UUID) -> Json:
        return task(await doors.queue.ask(CancelTask(id=task_id), timeout=ASK_TIMEOUT))

    @blueprint.post("/<uuid:task_id>/retry")
    async def retry(task_id: UUID) -> Json:
        fields = Fields.of(await json_body(request), "")
        data = task_data(fields)
        fields.end()
        return task(await doors.queue.ask(RetryTask(id=task_id, data=data), timeout=ASK_TIMEOUT))

    @blueprint.post("/<uuid:task_id>/promote")
    async def promote(task_id: UUID) -> Json:
        return task(await doors.queue.ask(PromoteTask(id=task_id), timeout=ASK_TIMEOUT))

    @blueprint.route("/<uuid:task_id>/priority", methods=["POST", "PUT"])
    async def prioritise(task_id: UUID) -> Json:
        body = await json_body(request)
        fields = Fields.of(body, "")
        priority = fields.whole("priority", LOWEST - 1, least=LOWEST, most=HIGHEST)
        fields.end()
        if priority < LOWEST:
            raise unfit("priority", f"a whole number from {LOWEST} to {HIGHEST}", None)
        message = ReprioritizeTask(id=task_id, priority=priority)
        return task(await doors.queue.ask(message, timeout=ASK_TIMEOUT))

    @blueprint.get("/<uuid:task_id>/attempts")
    async def attempts(task_id: UUID) -> Json:
        made = await doors.queue.ask(AttemptsQuery(id=task_id), timeout=ASK_TIMEOUT)
        return {"attempts": [attempt(each) for each in made]}

    @blueprint.get("/<uuid:task_id>/logs")
    async def logs(task_id: UUID) -> Json:
        query = LogsQuery(id=task_id, limit=whole_number(request.args, "limit", 100, least=1, most=MOST_ROWS))
        return {"logs": [log_line(line) for line in await doors.queue.ask(query, timeout=ASK_TIMEOUT)]}

    @blueprint.get("/<uuid:task_id>/explain")
    async def explain(task_id: UUID) -> Json:
        return explanation(await doors.queue.ask(ExplainQuery(id=task_id), timeout=ASK_TIMEOUT))

    return blueprint


def _name(parameter: str) -> str | None:
    """A type or a group of the query; None where it is not given."""
    text = request.args.get(parameter)
    if text is not None and not (1 <= len(text) <= LONGEST_NAME and text.isprintable()):
        raise unfit(parameter, f"a text of 1 to {LONGEST_NAME} printable characters", text)
    return text
