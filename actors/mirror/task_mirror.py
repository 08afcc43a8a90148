"""Tracks which tasks Redis should show, and which of them are not written yet.

Pure. Several changes of one task become one write.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from ..database.rows import TaskRow
from .keys import RETENTION, Hash, task_hash

MAX_LIVE: Final = 10_000
"""Running and waiting tasks in Redis; a longer queue is shown in part."""
MAX_FINISHED: Final = 1000
MAX_CHANGED: Final = 2000
"""Beyond so many changes at once, reading all mirrored tasks costs less."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderedTask:
    """The keys of one task, as they are to be written."""

    id: UUID
    fields: Hash
    waiting: float | None
    """Score in ``bot:tasks:queue``: the next task has the lowest."""
    processing: float | None
    """Score in ``bot:tasks:processing``: the time when it started."""
    ttl_seconds: int | None
    """Until its key expires; None for a task that has not finished."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskWrites:
    """Tasks to write and to delete."""

    written: tuple[RenderedTask, ...] = ()
    deleted: tuple[UUID, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.written or self.deleted)

    def chunks(self, size: int) -> Iterator[TaskWrites]:
        """Split into parts of at most ``size`` tasks."""
        for start in range(0, len(self.deleted), size):
            yield TaskWrites(deleted=self.deleted[start : start + size])
        for start in range(0, len(self.written), size):
            yield TaskWrites(written=self.written[start : start + size])


_UNKNOWN: Final = RenderedTask(id=UUID(int=0), fields={}, waiting=None, processing=None, ttl_seconds=None)
"""Stands for an unknown state in Redis: every task differs from it, so it is written."""


class TaskMirrorState:
    """Remembers which tasks Redis shows, and with which contents."""

    def __init__(
        self,
        *,
        max_live: int = MAX_LIVE,
        max_finished: int = MAX_FINISHED,
        max_changed: int = MAX_CHANGED,
    ) -> None:
        self._max_live = max_live
        self._max_finished = max_finished
        self._max_changed = max_changed
        self._live: dict[UUID, RenderedTask] = {}
        self._finished: dict[UUID, RenderedTask] = {}
        self._changed: dict[UUID, None] = {}
        self._all_changed = True
        self._is_truncated = False

    @property
    def pending(self) -> int:
        """Tasks that changed since they were last read."""
        return len(self._changed)

    @property
    def shown(self) -> int:
        """Tasks in Redis."""
        return len(self._live) + len(self._finished)

    @property
    def needs_all(self) -> bool:
        """Whether all mirrored tasks must be read, instead of those that changed."""
        return self._all_changed or (self._is_truncated and len(self._live) < self._max_live // 2)

    @property
    def is_truncated(self) -> bool:
        """Whether live tasks are left out of Redis, as there are too many."""
        return self._is_truncated

    @property
    def is_full(self) -> bool:
        """Whether Redis shows as many live tasks as it may."""
        return len(self._live) >= self._max_live

    @property
    def counts(self) -> tuple[int, int]:
        """Number of waiting and of running tasks in Redis."""
        live = self._live.values()
        return sum(one.waiting is not None for one in live), sum(one.processing is not None for one in live)

    def mark_changed(self, ids: Iterable[UUID]) -> None:
        """Have these tasks read again."""
        if self._all_changed:
            return
        self._changed.update(dict.fromkeys(ids))
        if len(self._changed) > self._max_changed:
            self.invalidate_all()

    def compare(self, live: Mapping[UUID, str], before: Mapping[UUID, str]) -> None:
        """Mark as changed what differs between the live tasks, with their versions, and what Redis shows.

        A task that has the same version as in ``before`` was read since then.
        """
        changed = [one for one, version in live.items() if one in self._live and before.get(one) != version]
        ended = [one for one in self._live if one not in live]
        unknown = [one for one in live if one not in self._live]
        # Only as many new tasks as there are free places.
        free = max(0, self._max_live - len(self._live) + len(ended))
        self.mark_changed([*changed, *ended, *unknown[:free]])

    def invalidate(self, ids: Iterable[UUID]) -> None:
        """Treat the state of these tasks in Redis as unknown."""
        ids = list(ids)
        for one in ids:
            self._drop(one)
            self._live[one] = _UNKNOWN
        self.mark_changed(ids)

    def invalidate_all(self) -> None:
        """Have all mirrored tasks read again."""
        self._all_changed = True
        self._changed.clear()

    def clear(self) -> None:
        """Note that Redis shows no task any more."""
        self._live.clear()
        self._finished.clear()
        self.invalidate_all()

    def take_changed(self) -> tuple[UUID, ...]:
        """Return the changed tasks, which count as read from now on."""
        changed = tuple(self._changed)
        self._changed.clear()
        self._all_changed = False
        return changed

    def apply(self, requested: Collection[UUID], rows: Iterable[TaskRow]) -> TaskWrites:
        """Return the writes for the requested tasks; those without a row are deleted."""
        found = {row.id: row for row in rows}
        return self._writes(found, deleted=[one for one in requested if one not in found])

    def apply_all(self, rows: Iterable[TaskRow]) -> TaskWrites:
        """Return the writes for all mirrored tasks; every other task in Redis is deleted."""
        found = {row.id: row for row in rows}
        self._is_truncated = False
        return self._writes(
            found, deleted=[one for one in (*self._live, *self._finished) if one not in found]
        )

    def _writes(self, found: dict[UUID, TaskRow], deleted: list[UUID]) -> TaskWrites:
        deleted = [one for one in deleted if self._drop(one) is not None]
        written: list[RenderedTask] = []
        # Finished tasks first: they free places.
        for row in sorted(found.values(), key=lambda row: row.finished_at is None):
            before = self._drop(row.id)
            if row.finished_at is None and before is None and self.is_full:
                self._is_truncated = True
                continue
            task = render_task(row)
            (self._live if row.finished_at is None else self._finished)[row.id] = task
            if task != before:
                written.append(task)
        while len(self._finished) > self._max_finished:
            oldest = next(iter(self._finished))
            del self._finished[oldest]
            deleted.append(oldest)
        dropped = set(deleted)
        return TaskWrites(
            written=tuple(one for one in written if one.id not in dropped), deleted=tuple(deleted)
        )

    def _drop(self, id: UUID) -> RenderedTask | None:  # noqa: A002 - the field's name
        return self._live.pop(id, None) or self._finished.pop(id, None)


def render_task(row: TaskRow) -> RenderedTask:
    """Render a task's keys."""
    running = row.state == "running" and row.started_at is not None
    return RenderedTask(
        id=row.id,
        fields=task_hash(row),
        # Ids ascend in time and Redis orders equal scores by member: first in, first shown.
        waiting=float(-row.priority) if row.state == "pending" else None,
        processing=row.started_at.timestamp() if running and row.started_at is not None else None,
        ttl_seconds=None if row.finished_at is None else round(RETENTION.total_seconds()),
    )
