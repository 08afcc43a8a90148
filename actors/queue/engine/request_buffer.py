"""Buffers the requests that no writer has taken yet, by how they can be executed."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Final, TypeAlias

from runtime import Deferred

from ..messages import AddTasks, ClaimTasks, CompleteTasks, DedupMode, RenewLeases
from .batch import Change

MIN_SHARE: Final = 16
"""Requests that are worth a statement and a commit of their own while other writers are idle."""

PendingRequest: TypeAlias = tuple[Change, Deferred[object]]
"""A change, and the reply that its caller waits for."""


def size_of(change: Change) -> int:
    """The number of rows that a change is about."""
    match change:
        case AddTasks(tasks=tasks):
            return len(tasks)
        case CompleteTasks(completions=completions):
            return len(completions)
        case _:
            return 1


class RequestBuffer:
    """A queue for each type of request that the fast path can execute, and one for all others."""

    def __init__(self, batch_size: int) -> None:
        self._batch_size = batch_size
        self._adds: deque[PendingRequest] = deque()
        self._completions: deque[PendingRequest] = deque()
        self._claims: deque[PendingRequest] = deque()
        self._renewals: deque[PendingRequest] = deque()
        self._transactional: deque[PendingRequest] = deque()
        # Round robin: the queue that is served goes to the end.
        self._fast = deque((self._adds, self._completions, self._claims, self._renewals))
        self._count = 0

    def __len__(self) -> int:
        return self._count

    @property
    def full(self) -> bool:
        """Whether a whole batch is waiting."""
        return self._count >= self._batch_size

    def enqueue(self, change: Change, deferred: Deferred[object]) -> bool:
        """Add a request; returns whether the fast path may execute it."""
        queue = self._queue_of(change)
        queue.append((change, deferred))
        self._count += 1
        return queue is not self._transactional

    def requeue_transactional(self, change: Change, deferred: Deferred[object]) -> None:
        """Add a request that the fast path could not execute."""
        self._transactional.append((change, deferred))
        self._count += 1

    def next_fast_batch(self, writers: int) -> list[PendingRequest]:
        """Take requests of one type for the fast path: a fair share for one of ``writers`` idle writers.

        Two halves whose commits overlap are done sooner than the whole.
        """
        for _ in range(len(self._fast)):
            queue = self._fast[0]
            self._fast.rotate(-1)
            if queue:
                # Each claim and each renewal is a statement of its own.
                alone = queue is self._claims or queue is self._renewals
                return self._take(queue, 1 if alone else max(MIN_SHARE, -(-len(queue) // writers)))
        return []

    def next_transactional_batch(self) -> list[PendingRequest]:
        """Take requests that need a transaction."""
        return self._take(self._transactional, len(self._transactional))

    def drain(self) -> Iterator[PendingRequest]:
        """Take all requests."""
        for queue in (*self._fast, self._transactional):
            while queue:
                self._count -= 1
                yield queue.popleft()

    def _queue_of(self, change: Change) -> deque[PendingRequest]:
        match change:
            case AddTasks():
                for task in change.tasks:
                    keyed = task.idempotency_key is not None or task.dedup is not DedupMode.SIMPLE
                    if keyed or task.children or task.dedup_seconds:
                        return self._transactional
                return self._adds
            case CompleteTasks():
                return self._completions
            case ClaimTasks():
                return self._claims
            case RenewLeases():
                return self._renewals
            case _:
                return self._transactional

    def _take(self, queue: deque[PendingRequest], maximum: int) -> list[PendingRequest]:
        requests: list[PendingRequest] = []
        rows_left = self._batch_size
        while queue and len(requests) < maximum and rows_left > 0:
            request = queue.popleft()
            requests.append(request)
            rows_left -= size_of(request[0])
        self._count -= len(requests)
        return requests
