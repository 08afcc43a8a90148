"""OpenAPI models of ``/api/sessions``."""

from __future__ import annotations

from datetime import datetime
from typing import Literal, NotRequired
from uuid import UUID

from typing_extensions import TypedDict

from ..bot.models import BotSessionModel, SessionState

DesiredState = Literal["running", "stopped"]


class SessionModel(BotSessionModel):
    """A session; `local` is true if it runs in this instance."""

    portal: str
    config_id: UUID | None
    local: bool
    engine: str | None
    message: str | None
    desired: DesiredState
    owner: str | None
    lease_until: datetime | None


class SessionsModel(TypedDict):
    """Sessions, newest first, and how many run in this instance."""

    sessions: list[SessionModel]
    local_count: int


class SessionsQueryModel(TypedDict):
    """Filter and page of sessions."""

    limit: NotRequired[int]
    offset: NotRequired[int]
    status: NotRequired[SessionState]
    desired: NotRequired[DesiredState]
    portal: NotRequired[str]
    local: NotRequired[bool]


class NewSessionBody(TypedDict):
    """Name, portal and configuration of the session to start."""

    session_name: NotRequired[str]
    portal: NotRequired[str]
    config_id: NotRequired[UUID]


class SessionLogLineModel(TypedDict):
    """A log line or an event."""

    timestamp: datetime
    kind: Literal["log", "event"]
    level: str
    component: str
    message: str
    data: dict[str, object]


class LogsModel(TypedDict):
    """Log lines and events, newest first."""

    logs: list[SessionLogLineModel]


class SessionEventModel(TypedDict):
    """An event of a session."""

    id: UUID
    session_id: UUID
    type: str
    data: dict[str, object]
    timestamp: datetime


class SessionEventsModel(TypedDict):
    """Events, newest first."""

    events: list[SessionEventModel]


class ScreenshotModel(TypedDict):
    """A screenshot and its path."""

    name: str
    taken_at: datetime
    bytes: int
    path: str


class ScreenshotsModel(TypedDict):
    """Screenshots, newest first."""

    screenshots: list[ScreenshotModel]


class LimitQuery(TypedDict):
    """Most entries to return."""

    limit: NotRequired[int]
