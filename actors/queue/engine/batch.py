"""Carries out a batch of messages: in one transaction, or one by one where some of them cannot be. Blocks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from random import Random
from typing import Final, TypeAlias, TypeVar, assert_never
from uuid import UUID

import structlog

from runtime import Refusal

from ...database.connections.connection import (
    UNSENDABLE,
    Connection,
    first_line,
    is_conflict,
    is_lost,
    is_slow,
)
from ..messages import (
    AddTasks,
    CancelTask,
    ClaimTasks,
    CompleteTasks,
    FailTask,
    InvalidTask,
    LimitTasks,
    PauseTasks,
    PromoteTask,
    QueueUnavailable,
    RenewLeases,
    ReportLog,
    ReportProgress,
    ReprioritizeTask,
    ResumeTasks,
    RetryTask,
)
from ..statements.admin import cancel, limit, pause, promote, reprioritize, retry
from ..statements.claiming import claim
from ..statements.inserting import add
from ..statements.lease_updates import RENEW, complete, fail, log, progress, renewed, renewing
from ..statements.sql import fetch
from ..statements.transaction import QueueConfig, QueueTransaction

LOGGER: Final[structlog.stdlib.BoundLogger] = structlog.get_logger("task_queue")
M = TypeVar("M")

Change: TypeAlias = (
    AddTasks
    | CancelTask
    | ClaimTasks
    | CompleteTasks
    | FailTask
    | LimitTasks
    | PauseTasks
    | PromoteTask
    | RenewLeases
    | ReportLog
    | ReportProgress
    | ReprioritizeTask
    | ResumeTasks
    | RetryTask
)
"""A message that writes."""

TRIES: Final = 5
"""Attempts at a batch that others get in the way of: a deadlock has to end for one of them."""


@dataclass(slots=True, kw_only=True)
class BatchResult:
    """What became of a batch, all of it durable."""

    replies: list[object]
    """In the order of the messages; a `Refusal` is for its asker alone."""
    events: list[object] = field(default_factory=list[object])


def execute(link: Connection, changes: Sequence[Change], policy: QueueConfig, random: Random) -> BatchResult:
    """Do it, and return when it is committed.

    Raises:
        Link.Error: the database is away, see `is_away`. Each change may be done or not.
    """
    try:
        return _retry_conflicts(link, changes, policy, random)
    except Exception as error:  # whatever a message may bring about, it is for its own asker
        # Others can be served while somebody keeps one statement waiting.
        if is_lost(link, error):
            raise
        if len(changes) == 1:
            return BatchResult(replies=[_refusal(changes[0], error)])
    done = BatchResult(replies=[])
    for change in changes:
        alone = execute(link, [change], policy, random)
        done.replies += alone.replies
        done.events += alone.events
    return done


def _refusal(change: Change, error: Exception) -> Refusal:
    what = type(change).__name__
    if is_slow(error):
        return QueueUnavailable(f"this {what} was kept waiting for too long: {first_line(error)}")
    if not isinstance(error, UNSENDABLE):
        LOGGER.error("message_failed", message=what, exc_info=error)
    return InvalidTask(f"the record cannot hold this {what}: {first_line(error)}")


def _retry_conflicts(
    link: Connection, changes: Sequence[Change], policy: QueueConfig, random: Random
) -> BatchResult:
    for left in reversed(range(TRIES)):
        try:
            return _together(link, changes, policy, random)
        except Connection.Error as error:
            if not is_conflict(error) or left == 0:
                raise
    raise AssertionError("unreachable")


def _together(
    link: Connection, changes: Sequence[Change], policy: QueueConfig, random: Random
) -> BatchResult:
    done = BatchResult(replies=[None] * len(changes))
    with link.transaction():
        _BatchTransaction(
            QueueTransaction(link, policy, random, done.events.append), changes, done.replies
        ).run()
    return done


class _BatchTransaction:
    """A batch in its transaction: like with like, and claims last, so that they see what the others did."""

    def __init__(self, store: QueueTransaction, changes: Sequence[Change], replies: list[object]) -> None:
        self._store = store
        self._changes = changes
        self._replies = replies

    def run(self) -> None:
        store = self._store
        self._all(AddTasks, partial(add, store))
        self._all(CompleteTasks, partial(complete, store))
        self._all(FailTask, partial(fail, store))
        self._all(ReportProgress, partial(progress, store))
        self._all(ReportLog, partial(log, store))
        claims: list[tuple[int, ClaimTasks]] = []
        for place, change in enumerate(self._changes):
            match change:
                case AddTasks() | CompleteTasks() | FailTask() | ReportProgress() | ReportLog():
                    pass
                case ClaimTasks():
                    claims.append((place, change))
                case _:
                    try:
                        self._replies[place] = self._one(change)
                    except Refusal as refusal:
                        self._replies[place] = refusal
        for place, change in claims:
            self._replies[place] = claim(store, change)

    def _all(self, kind: type[M], work: Callable[[Sequence[M]], Sequence[object]]) -> None:
        places = [place for place, change in enumerate(self._changes) if isinstance(change, kind)]
        if places:
            same = [change for change in self._changes if isinstance(change, kind)]
            for place, reply in zip(places, work(same), strict=True):
                self._replies[place] = reply

    def _one(
        self,
        change: CancelTask
        | LimitTasks
        | PauseTasks
        | PromoteTask
        | RenewLeases
        | ReprioritizeTask
        | ResumeTasks
        | RetryTask,
    ) -> object:
        store = self._store
        match change:
            case RenewLeases():
                kept = fetch(store.link, RENEW, renewing(change, store.policy))
                return renewed(change, store.policy, (task_id for (task_id,) in kept))
            case CancelTask():
                return cancel(store, change)
            case RetryTask():
                return retry(store, change)
            case PromoteTask():
                return promote(store, change)
            case ReprioritizeTask():
                return reprioritize(store, change)
            case PauseTasks() | ResumeTasks():
                pause(store, change)
                return None
            case LimitTasks():
                limit(store, change)
                return None
            case _:
                assert_never(change)


def ids_of(change: Change) -> tuple[UUID, ...]:
    """The tasks that a message names as those to be changed."""
    match change:
        case CompleteTasks():
            return tuple(one.id for one in change.completions)
        case CancelTask() | FailTask() | PromoteTask() | ReprioritizeTask() | RetryTask():
            return (change.id,)
        case _:
            return ()
