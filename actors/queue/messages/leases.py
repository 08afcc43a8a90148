"""Messages of workers: claims, leases, progress and results."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from runtime import Request

from .tasks import Json, TaskState


@dataclass(frozen=True, slots=True, kw_only=True)
class LeasedTask:
    """The part of a task that its worker needs; `TaskQuery` returns all of it."""

    id: UUID
    type: str
    data: dict[str, Json]
    priority: int
    group: str | None
    attempts: int
    """Attempts started, this one included, without those that stalled."""
    max_attempts: int
    timeout_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """The right to work on a task until ``until``, unless it is renewed."""

    task: LeasedTask
    token: int
    until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimTasks(Request[tuple[Lease, ...]]):
    """Lease up to ``limit`` tasks of these types, in order; the reply may be empty."""

    owner: str
    types: tuple[str, ...]
    limit: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RenewResult:
    """The leases that an owner has lost, and how long the others hold."""

    seconds: float
    """The leases hold for this long after the request was sent."""
    lost: frozenset[UUID]
    """Tasks whose leases were lost: their handlers must be cancelled, their results are rejected."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RenewLeases(Request[RenewResult]):
    """Renew leases; this is also the heartbeat of the owner and of the types that it accepts."""

    owner: str
    types: tuple[str, ...]
    leases: tuple[tuple[UUID, int], ...]
    """Ids with their tokens."""
    unavailable_types: dict[str, str] = field(default_factory=dict[str, str])
    """Types that it has a handler for and does not accept now, each with the reason."""
    concurrency: int = 1
    """Tasks that it runs at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportProgress(Request[None]):
    """Set the progress, 0 to 100. Refused with `StaleToken`."""

    id: UUID
    token: int
    progress: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportLog(Request[None]):
    """Add a line to the task's log. Refused with `StaleToken`."""

    id: UUID
    token: int
    message: str
    level: str = "info"


@dataclass(frozen=True, slots=True, kw_only=True)
class Completion:
    """The result of a task, with its lease's token."""

    id: UUID
    token: int
    result: Json = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CompleteTasks(Request[frozenset[UUID]]):
    """Save results. The reply has the ids whose token was stale; those tasks are unchanged."""

    completions: tuple[Completion, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class FailTask(Request[TaskState]):
    """End an attempt as failed; the reply is the task's new state: delayed, pending or failed.

    Refused with `StaleToken`.
    """

    id: UUID
    token: int
    error: str
    permanent: bool = False
    """Do not retry."""
    retry_after: float | None = None
    """Seconds to wait, as a remote server demanded; it replaces a shorter backoff."""
    counts: bool = True
    """False: the attempt does not count; the task may start again after ``retry_after`` seconds."""
