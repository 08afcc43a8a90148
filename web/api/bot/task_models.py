"""The bot's tasks, events and metrics, as clients of the Compatibility API read them."""

from __future__ import annotations

from datetime import datetime
from typing import Literal, NotRequired
from uuid import UUID

from typing_extensions import TypedDict

from .models import BotSessionModel, SessionState

ContractTaskType = Literal["login", "job_check", "job_accept", "job_reject", "navigation", "screenshot"]


class BotStateModel(TypedDict):
    """The state of the bot as Redis has it."""

    state: SessionState
    session_id: UUID | None
    timestamp: datetime
    updated_by: str
    current_session_id: UUID | None


class BotTasksModel(TypedDict):
    """How many tasks there are, and who does them."""

    pending_tasks: int
    processing_tasks: int
    bot_state: BotStateModel
    active_sessions: list[BotSessionModel]


class AddTaskQuery(TypedDict):
    """What to do, and how urgent it is: a higher number comes first."""

    task_type: ContractTaskType
    priority: NotRequired[int]


class TaskAddedModel(TypedDict):
    """The task is on record."""

    message: Literal["Task added successfully"]
    task_id: UUID


class EventModel(TypedDict):
    """Something that happened in a session."""

    id: UUID
    session_id: UUID
    type: str
    data: dict[str, object]
    timestamp: datetime


class EventsModel(TypedDict):
    """Newest first."""

    events: list[EventModel]


class EventsPage(TypedDict):
    """How many."""

    limit: NotRequired[int]


class MetricsModel(TypedDict):
    """A session's figures, all of them texts as in Redis."""

    metrics: dict[str, str]


class SystemStatusModel(TypedDict):
    """The whole at a glance; what is away is said and not left out."""

    bot_state: BotStateModel
    active_sessions_count: int
    active_sessions: list[BotSessionModel]
    pending_tasks: int | None
    processing_tasks: int | None
    redis_connected: bool
    error: str | None
