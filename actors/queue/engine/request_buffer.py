"""What waits to be written, sorted by how it can be done."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Final, TypeAlias

from runtime import Deferred

from ..messages import AddTasks, ClaimTasks, CompleteTasks, DedupMode, RenewLeases
from .batch import Change

SHARE: Final = 16
"""Messages that are worth a statement and a commit of their own while more writers are free."""

PendingRequest: TypeAlias = tuple[Change, Deferred[object]]


def size_of(change: Change) -> int:
    """The rows that it is about."""
    match change:
        case AddTasks(tasks=tasks):
            return len(tasks)
        case CompleteTasks(completions=completions):
            return len(completions)
        case _:
            return 1


class RequestBuffer:
    """The messages that no writer has taken yet."""

    def __init__(self, batch_size: int) -> None:
        self._batch_size = batch_size
        self._adds: deque[PendingRequest] = deque()
        self._completions: deque[PendingRequest] = deque()
        self._claims: deque[PendingRequest] = deque()
        self._renewals: deque[PendingRequest] = deque()
        self._others: deque[PendingRequest] = deque()
        # Whoever is first is taken last the next time.
        self._simple = deque((self._adds, self._completions, self._claims, self._renewals))
        self._count = 0

    def __len__(self) -> int:
        return self._count

    @property
    def full(self) -> bool:
        """Whether there is a batch of them."""
        return self._count >= self._batch_size

    def put(self, change: Change, deferred: Deferred[object]) -> bool:
        """Let it wait among its like; True where one statement may do, see `fast_path.py`."""
        line = self._line(change)
        line.append((change, deferred))
        self._count += 1
        return line is not self._others

    def put_to_others(self, change: Change, deferred: Deferred[object]) -> None:
        """It was less simple than it looked."""
        self._others.append((change, deferred))
        self._count += 1

    def take_simple(self, writers: int) -> list[PendingRequest]:
        """Messages of one kind that a statement may do, see `fast_path.py`; a fair share for one of so many.

        Whoever waits for a commit has nothing else to do: two halves whose
        commits overlap are done sooner than the whole.
        """
        for _ in range(len(self._simple)):
            line = self._simple[0]
            self._simple.rotate(-1)
            if line:
                # Each claim and each renewal is a statement of its own.
                alone = line is self._claims or line is self._renewals
                return self._rows(line, 1 if alone else max(SHARE, -(-len(line) // writers)))
        return []

    def take_others(self) -> list[PendingRequest]:
        """The messages that take several statements."""
        return self._rows(self._others, len(self._others))

    def take_all(self) -> Iterator[PendingRequest]:
        """Everything, for it to be refused."""
        for line in (*self._simple, self._others):
            while line:
                self._count -= 1
                yield line.popleft()

    def _line(self, change: Change) -> deque[PendingRequest]:
        match change:
            case AddTasks():
                for task in change.tasks:
                    keyed = task.idempotency_key is not None or task.dedup is not DedupMode.SIMPLE
                    if keyed or task.children or task.dedup_seconds:
                        return self._others
                return self._adds
            case CompleteTasks():
                return self._completions
            case ClaimTasks():
                return self._claims
            case RenewLeases():
                return self._renewals
            case _:
                return self._others

    def _rows(self, line: deque[PendingRequest], most: int) -> list[PendingRequest]:
        asked: list[PendingRequest] = []
        left = self._batch_size
        while line and len(asked) < most and left > 0:
            one = line.popleft()
            asked.append(one)
            left -= size_of(one[0])
        self._count -= len(asked)
        return asked
