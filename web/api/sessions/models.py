"""Sessions one by one, with their logs and pictures."""

from __future__ import annotations

from datetime import datetime
from typing import Literal, NotRequired
from uuid import UUID

from typing_extensions import TypedDict

from ..bot.models import BotSessionModel, SessionState

Wanted = Literal["running", "stopped"]


class SessionModel(BotSessionModel):
    """A session by what is on record and, where it is on duty here, by what is known since."""

    portal: str
    config_id: UUID | None
    on_duty: bool
    engine: str | None
    message: str | None
    desired: Wanted
    owner: str | None
    lease_until: datetime | None


class SessionsModel(TypedDict):
    """Sessions, newest first, and how many are on duty in this instance."""

    sessions: list[SessionModel]
    on_duty: int


class SessionsQueryModel(TypedDict):
    """Which of the sessions."""

    limit: NotRequired[int]
    offset: NotRequired[int]
    status: NotRequired[SessionState]
    desired: NotRequired[Wanted]
    portal: NotRequired[str]
    on_duty: NotRequired[bool]


class NewSessionBody(TypedDict):
    """How the session is to be called, where it works and by which rules."""

    session_name: NotRequired[str]
    portal: NotRequired[str]
    config_id: NotRequired[UUID]


class LogLineModel(TypedDict):
    """A line written for people, or something that happened."""

    timestamp: datetime
    kind: Literal["log", "event"]
    level: str
    component: str
    message: str
    data: dict[str, object]


class LogsModel(TypedDict):
    """Newest first."""

    logs: list[LogLineModel]


class SessionEventModel(TypedDict):
    """Something that happened."""

    id: UUID
    session_id: UUID
    type: str
    data: dict[str, object]
    timestamp: datetime


class SessionEventsModel(TypedDict):
    """Newest first."""

    events: list[SessionEventModel]


class ScreenshotModel(TypedDict):
    """A picture, and where it is served."""

    name: str
    taken_at: datetime
    bytes: int
    path: str


class ScreenshotsModel(TypedDict):
    """Newest first."""

    screenshots: list[ScreenshotModel]


class SomeModel(TypedDict):
    """How many."""

    limit: NotRequired[int]
