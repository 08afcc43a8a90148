"""Executes a batch of changes in one transaction, or one by one if some of them fail. Blocks."""

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
    STATEMENT_ERRORS,
    Connection,
    first_line,
    is_conflict,
    is_connection_lost,
    is_timeout,
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
from ..statements.lease_updates import RENEW, complete, fail, log, progress, renew_parameters, renew_result
from ..statements.sql import QueueConfig, QueueTransaction, fetch

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
"""A message that changes the database."""

MAX_TRIES: Final = 5
"""Attempts at a batch that conflicts with other transactions: a deadlock ends by aborting one of them."""


@dataclass(slots=True, kw_only=True)
class BatchResult:
    """The outcome of a batch; all of it is committed."""

    replies: list[object]
    """In the order of the changes; a `Refusal` is the reply to one change."""
    events: list[object] = field(default_factory=list[object])


def execute(
    connection: Connection, changes: Sequence[Change], config: QueueConfig, random: Random
) -> BatchResult:
    """Execute the changes, and return once they are committed.

    Raises:
        Connection.Error: the connection is lost, see `is_connection_lost`. Each change may be result or not.
    """
    try:
        return _retry_conflicts(connection, changes, config, random)
    except Exception as error:  # an error of one change is the reply to that change
        if is_connection_lost(connection, error):
            raise
        if len(changes) == 1:
            return BatchResult(replies=[_refusal(changes[0], error)])
    result = BatchResult(replies=[])
    for change in changes:
        alone = execute(connection, [change], config, random)
        result.replies += alone.replies
        result.events += alone.events
    return result


def _refusal(change: Change, error: Exception) -> Refusal:
    what = type(change).__name__
    if is_timeout(error):
        return QueueUnavailable(f"{what} timed out: {first_line(error)}")
    if not isinstance(error, STATEMENT_ERRORS):
        LOGGER.error("message_failed", message=what, exc_info=error)
    return InvalidTask(f"{what} cannot be stored: {first_line(error)}")


def _retry_conflicts(
    connection: Connection, changes: Sequence[Change], config: QueueConfig, random: Random
) -> BatchResult:
    for left in reversed(range(MAX_TRIES)):
        try:
            return _execute_together(connection, changes, config, random)
        except Connection.Error as error:
            if not is_conflict(error) or left == 0:
                raise
    raise AssertionError("unreachable")


def _execute_together(
    connection: Connection, changes: Sequence[Change], config: QueueConfig, random: Random
) -> BatchResult:
    result = BatchResult(replies=[None] * len(changes))
    with connection.transaction():
        _BatchTransaction(
            QueueTransaction(connection, config, random, result.events.append), changes, result.replies
        ).run()
    return result


class _BatchTransaction:
    """A batch in its transaction: changes of one type together, claims last, so that they see the others."""

    def __init__(
        self, transaction: QueueTransaction, changes: Sequence[Change], replies: list[object]
    ) -> None:
        self._store = transaction
        self._changes = changes
        self._replies = replies

    def run(self) -> None:
        """Execute all changes; the replies are set by index."""
        transaction = self._store
        self._execute_all(AddTasks, partial(add, transaction))
        self._execute_all(CompleteTasks, partial(complete, transaction))
        self._execute_all(FailTask, partial(fail, transaction))
        self._execute_all(ReportProgress, partial(progress, transaction))
        self._execute_all(ReportLog, partial(log, transaction))
        claims: list[tuple[int, ClaimTasks]] = []
        for index, change in enumerate(self._changes):
            match change:
                case AddTasks() | CompleteTasks() | FailTask() | ReportProgress() | ReportLog():
                    pass
                case ClaimTasks():
                    claims.append((index, change))
                case _:
                    try:
                        self._replies[index] = self._execute_one(change)
                    except Refusal as refusal:
                        self._replies[index] = refusal
        for index, change in claims:
            self._replies[index] = claim(transaction, change)

    def _execute_all(self, change_type: type[M], work: Callable[[Sequence[M]], Sequence[object]]) -> None:
        indices = [index for index, change in enumerate(self._changes) if isinstance(change, change_type)]
        if indices:
            matching = [change for change in self._changes if isinstance(change, change_type)]
            for index, reply in zip(indices, work(matching), strict=True):
                self._replies[index] = reply

    def _execute_one(
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
        transaction = self._store
        match change:
            case RenewLeases():
                kept = fetch(transaction.connection, RENEW, renew_parameters(change, transaction.config))
                return renew_result(change, transaction.config, (task_id for (task_id,) in kept))
            case CancelTask():
                return cancel(transaction, change)
            case RetryTask():
                return retry(transaction, change)
            case PromoteTask():
                return promote(transaction, change)
            case ReprioritizeTask():
                return reprioritize(transaction, change)
            case PauseTasks() | ResumeTasks():
                pause(transaction, change)
                return None
            case LimitTasks():
                limit(transaction, change)
                return None
            case _:
                assert_never(change)


def ids_of(change: Change) -> tuple[UUID, ...]:
    """The tasks that a change names."""
    match change:
        case CompleteTasks():
            return tuple(one.id for one in change.completions)
        case CancelTask() | FailTask() | PromoteTask() | ReprioritizeTask() | RetryTask():
            return (change.id,)
        case _:
            return ()
