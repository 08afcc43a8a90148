"""``/api/bot/tasks`` and what the Compatibility API tells of the bot's state beside it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from quart import Blueprint, request

from actors.database.messages import EventsQuery
from actors.database.sessions.messages import SessionQuery
from actors.monitor.status import ServiceName
from actors.queue.messages import CONTRACT_TYPES, AddTasks, QueueStats, QueueStatsQuery, TaskState
from actors.queue.priority import from_number
from actors.sessions.messages import SessionsViewQuery
from runtime import AskFailed, MailboxFull, Refusal, TreeQuery

from ...errors import Problem
from ..addresses import ActorAddresses
from ..documented import documented
from ..health.responses import is_kept
from ..query_params import json_object, unfit, whole_number
from ..serializers import Json, bot_session, bot_state, session_event, session_metrics
from ..tasks.requests import new_tasks
from ..timeouts import COMMIT, LOOK
from .task_models import (
    AddTaskQuery,
    BotTasksModel,
    EventsModel,
    EventsPage,
    MetricsModel,
    SystemStatusModel,
    TaskAddedModel,
)

MOST_ROWS: Final = 1000
LARGEST: Final = 1_000_000_000
"""Of the numbers that callers give as a priority."""


def bot_tasks_blueprint(doors: ActorAddresses) -> Blueprint:
    """More routes under ``/api/bot``."""
    blueprint = Blueprint("bot_tasks", __name__, url_prefix="/api/bot")

    @blueprint.get("/tasks")
    @documented(BotTasksModel)
    async def tasks() -> Json:
        """Count the tasks, and name who does them."""
        stats = await doors.queue.ask(QueueStatsQuery(), timeout=LOOK)
        view = await doors.session_controller.ask(SessionsViewQuery(), timeout=LOOK)
        return {
            **_counts(stats),
            "bot_state": bot_state(next(iter(view.sessions), None), datetime.now(UTC)),
            "active_sessions": [bot_session(session) for session in view.sessions],
        }

    @blueprint.post("/tasks/add")
    @documented(TaskAddedModel, query=AddTaskQuery, body=dict[str, object])
    async def add() -> Json:
        """Add a task for the bot; the body is its data."""
        kind = request.args.get("task_type")
        if kind is None:
            raise unfit("task_type", f"one of {', '.join(sorted(CONTRACT_TYPES))}", None)
        if kind not in CONTRACT_TYPES:
            shown = kind[:100] if kind.isprintable() else f"{kind[:100]!a}"
            raise Problem(400, "invalid_task_type", f"Invalid task type: {shown}")
        priority = whole_number(request.args, "priority", 0, least=-LARGEST, most=LARGEST)
        body = {"type": kind, "priority": from_number(priority), "data": await json_object(request)}
        tasks = new_tasks(body, request.headers.get("Idempotency-Key"))
        (added,) = await doors.queue.ask(AddTasks(tasks=tasks), timeout=COMMIT)
        return {"message": "Task added successfully", "task_id": str(added.id)}

    @blueprint.get("/events/<uuid:session_id>")
    @documented(EventsModel, query=EventsPage)
    async def events(session_id: UUID) -> Json:
        """Read what happened in a session."""
        limit = whole_number(request.args, "limit", 50, least=1, most=MOST_ROWS)
        query = EventsQuery(session_id=session_id, limit=limit)
        found = await doors.reader.ask(query, timeout=LOOK)
        return {"events": [session_event(row) for row in found]}

    @blueprint.get("/metrics/<uuid:session_id>")
    @documented(MetricsModel)
    async def metrics(session_id: UUID) -> Json:
        """Read the figures of a session."""
        now = datetime.now(UTC)
        on_duty = (await doors.session_controller.ask(SessionsViewQuery(), timeout=LOOK)).sessions
        for session in on_duty:
            if session.id == session_id:
                return {"metrics": session_metrics(session, now)}
        row = await doors.reader.ask(SessionQuery(id=session_id), timeout=LOOK)
        return {"metrics": session_metrics(row, now)}

    @blueprint.get("/system-status")
    @documented(SystemStatusModel)
    async def system_status() -> Json:
        """Answers whatever is away, and says so."""
        view = await doors.session_controller.ask(SessionsViewQuery(), timeout=LOOK)
        tree = await doors.tree.ask(TreeQuery(), timeout=LOOK)
        status: Json = {
            "bot_state": bot_state(next(iter(view.sessions), None), datetime.now(UTC)),
            "active_sessions_count": len(view.sessions),
            "active_sessions": [bot_session(session) for session in view.sessions],
            "pending_tasks": None,
            "processing_tasks": None,
            "redis_connected": is_kept(tree, ServiceName.REDIS),
            "error": None,
        }
        try:
            return {**status, **_counts(await doors.queue.ask(QueueStatsQuery(), timeout=LOOK))}
        except (AskFailed, MailboxFull, Refusal) as error:
            return {**status, "error": str(error)}

    return blueprint


def _counts(stats: QueueStats) -> Json:
    """The Compatibility API knows two kinds of tasks: those that wait, and those in work."""
    return {
        "pending_tasks": stats.states[TaskState.PENDING] + stats.states[TaskState.DELAYED],
        "processing_tasks": stats.states[TaskState.RUNNING],
    }
