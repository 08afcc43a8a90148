"""What workers ask of the queue, and the leases that they hold."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from runtime import Request

from .tasks import Json, TaskState


@dataclass(frozen=True, slots=True, kw_only=True)
class LeasedTask:
    """A task as its worker needs to know it; all else is on record, see `TaskQuery`."""

    id: UUID
    type: str
    data: dict[str, Json]
    priority: int
    group: str | None
    attempts: int
    """Attempts begun, this one included, without those that stalled."""
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
    """Take up to ``limit`` tasks of these types, those that come first; perhaps none."""

    owner: str
    types: tuple[str, ...]
    limit: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Renewed:
    """What an owner still has, and what it has lost."""

    seconds: float
    """The leases are good for so long from when the request was sent."""
    lost: frozenset[UUID]
    """Tasks that are not the owner's any more: end their work, it counts for nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RenewLeases(Request[Renewed]):
    """Keep leases, and say that this owner is there and works on these types."""

    owner: str
    types: tuple[str, ...]
    leases: tuple[tuple[UUID, int], ...]
    """Ids with their tokens."""
    closed: dict[str, str] = field(default_factory=dict[str, str])
    """Types that it has a handler for and does not take now, each with the reason."""
    slots: int = 1
    """Tasks that it works on at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportProgress(Request[None]):
    """0 to 100. Refused with `StaleToken`."""

    id: UUID
    token: int
    progress: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportLog(Request[None]):
    """Keep a log line with the task. Refused with `StaleToken`."""

    id: UUID
    token: int
    message: str
    level: str = "info"


@dataclass(frozen=True, slots=True, kw_only=True)
class Completion:
    """What came of a task, as the holder of its lease says."""

    id: UUID
    token: int
    result: Json = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CompleteTasks(Request[frozenset[UUID]]):
    """Record results. The reply names the tasks whose token was stale: nothing was changed for those."""

    completions: tuple[Completion, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class FailTask(Request[TaskState]):
    """Record that an attempt failed; the reply is the task's state then: delayed, pending or failed.

    Refused with `StaleToken`.
    """

    id: UUID
    token: int
    error: str
    permanent: bool = False
    """No further attempt would help."""
    retry_after: float | None = None
    """Seconds that whoever refused us asked us to wait; it replaces a shorter backoff."""
    counts: bool = True
    """False: it is as if it had never been begun; it may begin again after ``retry_after`` seconds."""
