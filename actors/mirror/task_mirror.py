"""Which tasks Redis should show, and which part of that is not there yet. Pure: many changes become one."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from ..database.rows import TaskRow
from .keys import KEPT, Hash, task_hash

MOST_LIVE: Final = 10_000
"""Tasks that run or wait and are shown; of a longer queue, not all are."""
MOST_FINISHED: Final = 1000
MOST_CHANGED: Final = 2000
"""With more changes at once, it costs less to look at everything that is in sight."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskShown:
    """One task as Redis is to show it."""

    id: UUID
    fields: Hash
    waiting: float | None
    """Its score in ``bot:tasks:queue``: what comes first has the lowest."""
    processing: float | None
    """Its score in ``bot:tasks:processing``: when it was started."""
    seconds: int | None
    """Until its key goes; None for one that has not ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskChange:
    """What is to be written."""

    shown: tuple[TaskShown, ...] = ()
    gone: tuple[UUID, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.shown or self.gone)

    def pieces(self, most: int) -> Iterator[TaskChange]:
        """The same in parts of a bearable size."""
        for start in range(0, len(self.gone), most):
            yield TaskChange(gone=self.gone[start : start + most])
        for start in range(0, len(self.shown), most):
            yield TaskChange(shown=self.shown[start : start + most])


_UNKNOWN: Final = TaskShown(id=UUID(int=0), fields={}, waiting=None, processing=None, seconds=None)
"""Stands for what may be shown of a task; the task itself differs from it, and is written."""


class TaskMirrorState:
    """Remembers which tasks are shown, and how."""

    def __init__(
        self,
        *,
        most_live: int = MOST_LIVE,
        most_finished: int = MOST_FINISHED,
        most_changed: int = MOST_CHANGED,
    ) -> None:
        self._most_live = most_live
        self._most_finished = most_finished
        self._most_changed = most_changed
        self._live: dict[UUID, TaskShown] = {}
        self._finished: dict[UUID, TaskShown] = {}
        self._changed: dict[UUID, None] = {}
        self._all_changed = True
        self._left_out = False

    @property
    def pending(self) -> int:
        """Tasks that changed since they were looked at."""
        return len(self._changed)

    @property
    def shown(self) -> int:
        """Tasks that Redis shows."""
        return len(self._live) + len(self._finished)

    @property
    def wants_all(self) -> bool:
        """Whether everything in sight is to be looked at, instead of what changed."""
        return self._all_changed or (self._left_out and len(self._live) < self._most_live // 2)

    @property
    def left_out(self) -> bool:
        """Whether live tasks are not shown, as there are too many."""
        return self._left_out

    @property
    def is_full(self) -> bool:
        """Whether there is no room for another live task."""
        return len(self._live) >= self._most_live

    def note(self, ids: Iterable[UUID]) -> None:
        """Something happened to these tasks."""
        if self._all_changed:
            return
        self._changed.update(dict.fromkeys(ids))
        if len(self._changed) > self._most_changed:
            self.doubt()

    def compare(self, live: Mapping[UUID, str], before: Mapping[UUID, str]) -> None:
        """Note whatever the tasks that run or wait, with their versions, say of what is shown.

        What has the version of ``before`` was looked at since then.
        """
        changed = [one for one, version in live.items() if one in self._live and before.get(one) != version]
        ended = [one for one in self._live if one not in live]
        unknown = [one for one in live if one not in self._live]
        # For the others there is no place.
        room = max(0, self._most_live - len(self._live) + len(ended))
        self.note([*changed, *ended, *unknown[:room]])

    def distrust(self, ids: Iterable[UUID]) -> None:
        """Redis may show these tasks in any way."""
        ids = list(ids)
        for one in ids:
            self._drop(one)
            self._live[one] = _UNKNOWN
        self.note(ids)

    @property
    def sizes(self) -> tuple[int, int]:
        """How many tasks wait, and how many run, of those that are shown."""
        live = self._live.values()
        return sum(one.waiting is not None for one in live), sum(one.processing is not None for one in live)

    def doubt(self) -> None:
        """Anything may have changed."""
        self._all_changed = True
        self._changed.clear()

    def forget(self) -> None:
        """Nothing is shown any more."""
        self._live.clear()
        self._finished.clear()
        self.doubt()

    def changed(self) -> tuple[UUID, ...]:
        """What to look at now. It counts as looked at."""
        changed = tuple(self._changed)
        self._changed.clear()
        self._all_changed = False
        return changed

    def put(self, asked: Collection[UUID], rows: Iterable[TaskRow]) -> TaskChange:
        """Those of the tasks that were asked for, as they are now."""
        found = {row.id: row for row in rows}
        return self._change(found, gone=[one for one in asked if one not in found])

    def put_all(self, rows: Iterable[TaskRow]) -> TaskChange:
        """All that are in sight, as they are now; what else is shown goes."""
        found = {row.id: row for row in rows}
        self._left_out = False
        return self._change(found, gone=[one for one in (*self._live, *self._finished) if one not in found])

    def _change(self, found: dict[UUID, TaskRow], gone: list[UUID]) -> TaskChange:
        gone = [one for one in gone if self._drop(one) is not None]
        shown: list[TaskShown] = []
        # Ended ones first: they make room.
        for row in sorted(found.values(), key=lambda row: row.finished_at is None):
            before = self._drop(row.id)
            if row.finished_at is None and before is None and self.is_full:
                self._left_out = True
                continue
            task = shown_task(row)
            (self._live if row.finished_at is None else self._finished)[row.id] = task
            if task != before:
                shown.append(task)
        while len(self._finished) > self._most_finished:
            oldest = next(iter(self._finished))
            del self._finished[oldest]
            gone.append(oldest)
        dropped = set(gone)
        return TaskChange(shown=tuple(one for one in shown if one.id not in dropped), gone=tuple(gone))

    def _drop(self, id: UUID) -> TaskShown | None:  # noqa: A002 - what it is
        return self._live.pop(id, None) or self._finished.pop(id, None)


def shown_task(row: TaskRow) -> TaskShown:
    """A task as Redis is to show it."""
    running = row.state == "running" and row.started_at is not None
    return TaskShown(
        id=row.id,
        fields=task_hash(row),
        # Ids are made in order of time, and Redis orders what is equal by name: first come, first shown.
        waiting=float(-row.priority) if row.state == "pending" else None,
        processing=row.started_at.timestamp() if running and row.started_at is not None else None,
        seconds=None if row.finished_at is None else round(KEPT.total_seconds()),
    )
