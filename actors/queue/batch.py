"""Carries out a batch of messages: in one transaction, or one by one where some of them cannot be. Blocks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from random import Random
from typing import Final, TypeAlias, TypeVar, assert_never
from uuid import UUID

from runtime import Refusal

from ..records.connection import Link, is_away, is_conflict
from .claiming import claim
from .holding import complete, fail, log, progress, renew
from .messages import (
    AddTasks,
    CancelTask,
    ClaimTasks,
    CompleteTasks,
    FailTask,
    InvalidTask,
    LimitTasks,
    PauseTasks,
    PromoteTask,
    RenewLeases,
    ReportLog,
    ReportProgress,
    ReprioritizeTask,
    ResumeTasks,
    RetryTask,
)
from .operating import cancel, limit, pause, promote, reprioritize, retry
from .planting import add
from .store import Policy, Store

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

# What the driver raises for a value that it cannot even send.
_UNSENDABLE: Final = (Link.Error, ValueError, TypeError)


@dataclass(slots=True, kw_only=True)
class Done:
    """What became of a batch, all of it durable."""

    replies: list[object]
    """In the order of the messages; a `Refusal` is for its asker alone."""
    events: list[object] = field(default_factory=list[object])


def carry_out(link: Link, changes: Sequence[Change], policy: Policy, random: Random) -> Done:
    """Do it, and return when it is committed.

    Raises:
        Link.Error: the database is away, see `is_away`. Each change may be done or not.
    """
    try:
        return _insist(link, changes, policy, random)
    except _UNSENDABLE as error:
        if _hopeless(link, error):
            raise
    done = Done(replies=[])
    for change in changes:
        try:
            alone = _insist(link, [change], policy, random)
            done.replies += alone.replies
            done.events += alone.events
        except _UNSENDABLE as error:
            if _hopeless(link, error):
                raise
            sentence = f"the record cannot hold this {type(change).__name__}: {_line(error)}"
            done.replies.append(InvalidTask(sentence))
    return done


def _insist(link: Link, changes: Sequence[Change], policy: Policy, random: Random) -> Done:
    for left in reversed(range(TRIES)):
        try:
            return _together(link, changes, policy, random)
        except Link.Error as error:
            if not is_conflict(error) or left == 0:
                raise
    raise AssertionError("unreachable")


def _together(link: Link, changes: Sequence[Change], policy: Policy, random: Random) -> Done:
    done = Done(replies=[None] * len(changes))
    with link.transaction():
        _Together(Store(link, policy, random, done.events.append), changes, done.replies).run()
    return done


class _Together:
    """A batch in its transaction: like with like, and claims last, so that they see what the others did."""

    def __init__(self, store: Store, changes: Sequence[Change], replies: list[object]) -> None:
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
                return renew(store, change)
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


def _hopeless(link: Link, error: Exception) -> bool:
    return link.closed or (isinstance(error, Link.Error) and is_away(error))


def _line(error: Exception) -> str:
    text = (isinstance(error, Link.Error) and error.diag.message_primary) or str(error)
    return text.strip().partition("\n")[0] or type(error).__name__
