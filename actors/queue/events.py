"""Facts of tasks, published after they were committed. A batch is one event with many tasks."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskEvent:
    """Something was committed about these tasks; what they are now is asked of the queue."""

    ids: tuple[UUID, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskAdded(TaskEvent):
    """They are on record, pending or delayed."""

    types: frozenset[str]
    due_in: float | None = None
    """Seconds until the first of those that are delayed may run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskStarted(TaskEvent):
    """``owner`` claimed them."""

    owner: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskProgressed(TaskEvent):
    """Their progress is what ``progress`` says, in the same order."""

    progress: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskCompleted(TaskEvent):
    """Their results are on record."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskFailed(TaskEvent):
    """They will not be tried again by themselves."""

    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskRetried(TaskEvent):
    """They are pending or delayed again: after a failure, a stall, a delay, or because somebody asked."""

    due_in: float | None = None
    """Seconds until the first of those that are delayed may run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskReprioritized(TaskEvent):
    """They come sooner or later than before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskCancelled(TaskEvent):
    """Nobody may work on them any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskDied(TaskEvent):
    """They stalled too often."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueChanged:
    """Something that concerns no single task: paused, resumed, limited."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteQueueChanged:
    """Another instance on the same database committed something that concerns who works here.

    It is no `TaskEvent`: whoever keeps books of tasks was told where it happened.
    """

    types: frozenset[str] | None
    """There may be more of these to claim; None: of any type."""
    cancelled: tuple[UUID, ...] = ()
    """Nobody may work on them any more, unless they were given out anew meanwhile."""
