"""Queries of tasks for readers outside the queue, such as the Redis mirror."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from runtime import Request

from ..rows import TaskRow


@dataclass(frozen=True, slots=True, kw_only=True)
class TasksByIdQuery(Request[list[TaskRow]]):
    """Those of these tasks that are in the database, in no particular order."""

    ids: tuple[UUID, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class MirroredTasksQuery(Request[list[TaskRow]]):
    """Tasks that run or wait, and the newest of the finished ones.

    At most ``live`` tasks that run or wait: running ones first, otherwise in
    no promised order. At most ``finished`` others.
    """

    live: int
    finished: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveTasksQuery(Request[str]):
    """The tasks that run or wait, at most ``limit``, as text: ``id version,id version``.

    Selects the same tasks as `MirroredTasksQuery`. A version never returns
    after the task was changed; renewing a lease is no change. As one text, an
    unchanged list is recognised at almost no cost.
    """

    limit: int
