"""OpenAPI models of ``/api/supervisor``."""

from __future__ import annotations

from datetime import datetime

from typing_extensions import TypedDict


class MailboxModel(TypedDict):
    """Messages waiting now, and at most since the start."""

    depth: int
    capacity: int
    high_water: int


class BudgetModel(TypedDict):
    """Restart intensity of a supervisor and its current use."""

    maximum: int
    period: float
    used: int
    left: int
    frees_in: float | None


class NodeModel(TypedDict):
    """A node with its descendants."""

    id: str
    path: str
    kind: str
    state: str
    restarts: int
    last_error: str | None
    last_cause: str | None
    uptime_seconds: float | None
    mailbox: MailboxModel
    message: str | None
    busy_seconds: float | None
    backoff_until: datetime | None
    next_delay_seconds: float | None
    crashes_to_exit: int | None
    budget: BudgetModel | None
    detail: dict[str, str | int | float | bool | None]
    children: list[NodeModel]


class TreeModel(TypedDict):
    """The supervisor tree."""

    tree: NodeModel
    timestamp: datetime


class RestartModel(TypedDict):
    """A failure of a child and its outcome."""

    number: int
    path: str
    time: datetime
    cause: str
    error: str | None
    traceback_hash: str | None
    message: str | None
    delay_seconds: float | None
    outcome: str


class LedgerModel(TypedDict):
    """Failures, newest first."""

    entries: list[RestartModel]


class LetterModel(TypedDict):
    """A message that was not handled."""

    number: int
    to: str
    message: str
    reason: str
    crashes: int


class LettersModel(TypedDict):
    """Dead letters, newest first."""

    letters: list[LetterModel]


class SlowModel(TypedDict):
    """A slow message."""

    path: str
    message: str
    seconds: float


class LoadModel(TypedDict):
    """Event-loop lag and the slowest messages, in seconds."""

    lag: dict[str, float | int] | None
    slowest: list[SlowModel]


class ResentModel(TypedDict):
    """The dead letter was sent again."""

    message: str
