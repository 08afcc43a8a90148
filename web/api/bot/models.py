"""OpenAPI models of the bot, its sessions and its jobs: the fields of the Compatibility API."""

from __future__ import annotations

from datetime import date, datetime, time
from typing import Literal, NotRequired
from uuid import UUID

from typing_extensions import TypedDict

SessionState = Literal["starting", "running", "stopping", "stopped", "failed"]


class BotStatusModel(TypedDict):
    """Status of the bot: of the session that has been running longest, if any."""

    is_running: bool
    session_id: UUID | None
    session_name: str | None
    start_time: datetime | None
    status: SessionState
    login_status: str
    total_checks: int
    total_accepted: int
    total_rejected: int
    engine: str | None
    portal: str | None
    message: str | None


class BotSessionModel(TypedDict):
    """A session with its counters."""

    id: UUID
    session_name: str
    start_time: datetime
    end_time: datetime | None
    status: SessionState
    login_status: str
    total_checks: int
    total_accepted: int
    total_rejected: int
    created_at: datetime
    updated_at: datetime | None


class StartBody(TypedDict):
    """Name and configuration of the session to start."""

    session_name: NotRequired[str]
    config_id: NotRequired[UUID]


class StoppedModel(TypedDict):
    """The sessions that were stopped."""

    message: str
    status: Literal["stopped"]
    terminated_processes: list[str]


class ToggledModel(TypedDict):
    """Status after the change."""

    status: str
    running: bool


class JobRecordModel(TypedDict):
    """A job that a session decided on."""

    id: UUID
    session_id: UUID
    job_ref: str
    language: str
    appointment_date: date | None
    appointment_time: time | None
    duration: str
    submitted_at: datetime | None
    status: Literal["matched", "accepted", "rejected", "failed"]
    job_type: str
    rejection_reason: str | None
    scraped_at: datetime
    created_at: datetime


class SessionsPage(TypedDict):
    """Filter and page of sessions."""

    limit: NotRequired[int]
    offset: NotRequired[int]
    status: NotRequired[SessionState]


class JobsPage(TypedDict):
    """Filter and page of jobs."""

    session_id: NotRequired[UUID]
    status: NotRequired[Literal["matched", "accepted", "rejected", "failed"]]
    limit: NotRequired[int]
    offset: NotRequired[int]
