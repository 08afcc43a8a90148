"""The tree of actors and its account."""

from __future__ import annotations

from datetime import datetime

from typing_extensions import TypedDict


class MailboxModel(TypedDict):
    """Messages that wait, and the most that ever did."""

    depth: int
    capacity: int
    high_water: int


class BudgetModel(TypedDict):
    """The restart intensity of a supervisor, and what is left of it."""

    maximum: int
    period: float
    used: int
    left: int
    frees_in: float | None


class NodeModel(TypedDict):
    """A child with all below it."""

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
    """The tree at this moment."""

    tree: NodeModel
    timestamp: datetime


class RestartModel(TypedDict):
    """One failure of one child, and what came of it."""

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
    """A message that took long."""

    path: str
    message: str
    seconds: float


class LoadModel(TypedDict):
    """Where the time of the process goes, in seconds."""

    lag: dict[str, float | int] | None
    slowest: list[SlowModel]


class ResentModel(TypedDict):
    """The letter waits for its actor again."""

    message: str
