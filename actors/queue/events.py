"""Events of the task queue, published after the commit. A batch is one event with many ids."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskEvent:
    """These tasks changed; query the queue for their current state."""

    ids: tuple[UUID, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskAdded(TaskEvent):
    """They were added, pending or delayed."""

    types: frozenset[str]
    due_in: float | None = None
    """Seconds until the first delayed one may run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskStarted(TaskEvent):
    """``owner`` claimed them."""

    owner: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskProgressed(TaskEvent):
    """Their progress changed to ``progress``, in the order of the ids."""

    progress: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskCompleted(TaskEvent):
    """Their results are saved."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskFailed(TaskEvent):
    """They failed for good: no automatic retry follows."""

    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskRetried(TaskEvent):
    """They are pending or delayed again: after a failure, a stall, a delay, or on request."""

    due_in: float | None = None
    """Seconds until the first delayed one may run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskReprioritized(TaskEvent):
    """Their priority changed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskCancelled(TaskEvent):
    """They were cancelled: running handlers must stop."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskDied(TaskEvent):
    """They are dead: they stalled too often."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueChanged:
    """The queue was paused, resumed or limited."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteQueueChanged:
    """Another instance on the same database committed a change that concerns the workers here.

    It is not a `TaskEvent`: those are published on the instance where the change happened.
    """

    types: frozenset[str] | None
    """Types with new tasks to claim; None: any type."""
    cancelled: tuple[UUID, ...] = ()
    """Cancelled there; they may have been claimed again since."""
