"""OpenAPI models of the bot's tasks, events and metrics: the fields of the Compatibility API."""

from __future__ import annotations

from datetime import datetime
from typing import Literal, NotRequired
from uuid import UUID

from typing_extensions import TypedDict

from .models import BotSessionModel, SessionState

ContractTaskType = Literal["login", "job_check", "job_accept", "job_reject", "navigation", "screenshot"]


class BotStateModel(TypedDict):
    """State of the bot as in the Redis key `bot:state`."""

    state: SessionState
    session_id: UUID | None
    timestamp: datetime
    updated_by: str
    current_session_id: UUID | None


class BotTasksModel(TypedDict):
    """Task counts and running sessions."""

    pending_tasks: int
    processing_tasks: int
    bot_state: BotStateModel
    active_sessions: list[BotSessionModel]


class AddTaskQuery(TypedDict):
    """Type and priority of the task; a higher priority runs first."""

    task_type: ContractTaskType
    priority: NotRequired[int]


class TaskAddedModel(TypedDict):
    """The task is saved."""

    message: Literal["Task added successfully"]
    task_id: UUID


class EventModel(TypedDict):
    """An event of a session."""

    id: UUID
    session_id: UUID
    type: str
    data: dict[str, object]
    timestamp: datetime


class EventsModel(TypedDict):
    """Events, newest first."""

    events: list[EventModel]


class EventsPage(TypedDict):
    """Page of events."""

    limit: NotRequired[int]


class MetricsModel(TypedDict):
    """Metrics of a session; all values are strings, as in Redis."""

    metrics: dict[str, str]


class SystemStatusModel(TypedDict):
    """Summary of the system; `error` names what is unavailable."""

    bot_state: BotStateModel
    active_sessions_count: int
    active_sessions: list[BotSessionModel]
    pending_tasks: int | None
    processing_tasks: int | None
    redis_connected: bool
    error: str | None
