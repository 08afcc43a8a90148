"""Tasks, events, metrics and system status of the bot, under ``/api/bot``."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from quart import Blueprint, request

from actors.database.sessions.messages import EventsQuery, SessionQuery
from actors.monitor.status import ServiceName
from actors.queue.messages import CONTRACT_TYPES, AddTasks, QueueStats, QueueStatsQuery, TaskState
from actors.queue.priority import clamp_priority
from actors.sessions.messages import SessionsViewQuery
from runtime import AskFailed, MailboxFull, Refusal, TreeQuery

from ...errors import Problem
from ..addresses import ActorAddresses
from ..documented import documented
from ..health.responses import is_running
from ..query_params import integer, invalid_value, json_object
from ..serializers import Json
from ..sessions.responses import session_event
from ..tasks.requests import new_tasks
from ..timeouts import COMMAND_TIMEOUT, QUERY_TIMEOUT
from .responses import bot_session, bot_state, session_metrics
from .task_models import (
    AddTaskQuery,
    BotTasksModel,
    EventsModel,
    EventsPage,
    MetricsModel,
    SystemStatusModel,
    TaskAddedModel,
)

MAX_ROWS: Final = 1000
MAX_PRIORITY: Final = 1_000_000_000
"""Largest priority number that clients may send; the queue maps it to its own range."""


def bot_tasks_blueprint(actors: ActorAddresses) -> Blueprint:
    """Routes of tasks, events, metrics and system status under ``/api/bot``."""
    blueprint = Blueprint("bot_tasks", __name__, url_prefix="/api/bot")

    @blueprint.get("/tasks")
    @documented(BotTasksModel)
    async def get_tasks() -> Json:
        """Count the tasks and list the running sessions."""
        stats = await actors.queue.ask(QueueStatsQuery(), timeout=QUERY_TIMEOUT)
        view = await actors.session_controller.ask(SessionsViewQuery(), timeout=QUERY_TIMEOUT)
        return {
            **_counts(stats),
            "bot_state": bot_state(next(iter(view.sessions), None), datetime.now(UTC)),
            "active_sessions": [bot_session(session) for session in view.sessions],
        }

    @blueprint.post("/tasks/add")
    @documented(TaskAddedModel, query=AddTaskQuery, body=dict[str, object])
    async def add_task() -> Json:
        """Add a task; the body is its data."""
        kind = request.args.get("task_type")
        if kind is None:
            raise invalid_value("task_type", f"one of {', '.join(sorted(CONTRACT_TYPES))}", None)
        if kind not in CONTRACT_TYPES:
            shown = kind[:100] if kind.isprintable() else f"{kind[:100]!a}"
            raise Problem(400, "invalid_task_type", f"Invalid task type: {shown}")
        priority = integer(request.args, "priority", 0, minimum=-MAX_PRIORITY, maximum=MAX_PRIORITY)
        body = {"type": kind, "priority": clamp_priority(priority), "data": await json_object(request)}
        tasks = new_tasks(body, request.headers.get("Idempotency-Key"))
        (added,) = await actors.queue.ask(AddTasks(tasks=tasks), timeout=COMMAND_TIMEOUT)
        return {"message": "Task added successfully", "task_id": str(added.id)}

    @blueprint.get("/events/<uuid:session_id>")
    @documented(EventsModel, query=EventsPage)
    async def list_events(session_id: UUID) -> Json:
        """List the events of a session, newest first."""
        limit = integer(request.args, "limit", 50, minimum=1, maximum=MAX_ROWS)
        query = EventsQuery(session_id=session_id, limit=limit)
        rows = await actors.reader.ask(query, timeout=QUERY_TIMEOUT)
        return {"events": [session_event(row) for row in rows]}

    @blueprint.get("/metrics/<uuid:session_id>")
    @documented(MetricsModel)
    async def get_metrics(session_id: UUID) -> Json:
        """Get the metrics of a session."""
        now = datetime.now(UTC)
        local_sessions = (
            await actors.session_controller.ask(SessionsViewQuery(), timeout=QUERY_TIMEOUT)
        ).sessions
        for session in local_sessions:
            if session.id == session_id:
                return {"metrics": session_metrics(session, now)}
        row = await actors.reader.ask(SessionQuery(id=session_id), timeout=QUERY_TIMEOUT)
        return {"metrics": session_metrics(row, now)}

    @blueprint.get("/system-status")
    @documented(SystemStatusModel)
    async def get_system_status() -> Json:
        """Get the bot, its tasks and the Redis connection; ``error`` names what is unavailable."""
        view = await actors.session_controller.ask(SessionsViewQuery(), timeout=QUERY_TIMEOUT)
        tree = await actors.tree.ask(TreeQuery(), timeout=QUERY_TIMEOUT)
        status: Json = {
            "bot_state": bot_state(next(iter(view.sessions), None), datetime.now(UTC)),
            "active_sessions_count": len(view.sessions),
            "active_sessions": [bot_session(session) for session in view.sessions],
            "pending_tasks": None,
            "processing_tasks": None,
            "redis_connected": is_running(tree, ServiceName.REDIS),
            "error": None,
        }
        try:
            return {**status, **_counts(await actors.queue.ask(QueueStatsQuery(), timeout=QUERY_TIMEOUT))}
        except (AskFailed, MailboxFull, Refusal) as error:
            return {**status, "error": str(error)}

    return blueprint


def _counts(stats: QueueStats) -> Json:
    """Counts of the Compatibility API, which has waiting and running tasks only."""
    return {
        "pending_tasks": stats.states[TaskState.PENDING] + stats.states[TaskState.DELAYED],
        "processing_tasks": stats.states[TaskState.RUNNING],
    }
