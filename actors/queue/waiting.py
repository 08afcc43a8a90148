"""What waits to be written, sorted by how it can be done."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Final, TypeAlias

from runtime import Deferred

from .batch import Change
from .messages import AddTasks, ClaimTasks, CompleteTasks, DedupMode, RenewLeases

SHARE: Final = 16
"""Messages that are worth a statement and a commit of their own while more writers are free."""

Asked: TypeAlias = tuple[Change, Deferred[object]]


def size_of(change: Change) -> int:
    """The rows that it is about."""
    match change:
        case AddTasks(tasks=tasks):
            return len(tasks)
        case CompleteTasks(completions=completions):
            return len(completions)
        case _:
            return 1


class Waiting:
    """The messages that no writer has taken yet."""

    def __init__(self, batch_size: int) -> None:
        self._batch_size = batch_size
        self._adds: deque[Asked] = deque()
        self._completions: deque[Asked] = deque()
        self._claims: deque[Asked] = deque()
        self._renewals: deque[Asked] = deque()
        self._others: deque[Asked] = deque()
        # Whoever is first is taken last the next time.
        self._simple = deque((self._adds, self._completions, self._claims, self._renewals))

    def __len__(self) -> int:
        return sum(map(len, self._simple)) + len(self._others)

    @property
    def full(self) -> bool:
        """Whether there is a batch of them."""
        return len(self) >= self._batch_size

    def put(self, change: Change, deferred: Deferred[object]) -> bool:
        """Let it wait among its like; True where one statement may do, see `fast_path.py`."""
        match change:
            case AddTasks():
                for task in change.tasks:
                    keyed = task.idempotency_key is not None or task.dedup is not DedupMode.SIMPLE
                    if keyed or task.children or task.dedup_seconds:
                        self._others.append((change, deferred))
                        return False
                self._adds.append((change, deferred))
            case CompleteTasks():
                self._completions.append((change, deferred))
            case ClaimTasks():
                self._claims.append((change, deferred))
            case RenewLeases():
                self._renewals.append((change, deferred))
            case _:
                self._others.append((change, deferred))
                return False
        return True

    def put_to_others(self, change: Change, deferred: Deferred[object]) -> None:
        """It was less simple than it looked."""
        self._others.append((change, deferred))

    def take_simple(self, writers: int) -> list[Asked]:
        """Messages of one kind that a statement may do, see `fast_path.py`; a fair share for one of so many.

        Whoever waits for a commit has nothing else to do: two halves whose
        commits overlap are done sooner than the whole.
        """
        for _ in range(len(self._simple)):
            kind = self._simple[0]
            self._simple.rotate(-1)
            if kind:
                # Each claim and each renewal is a statement of its own.
                alone = kind is self._claims or kind is self._renewals
                return self._rows(kind, 1 if alone else max(SHARE, -(-len(kind) // writers)))
        return []

    def take_others(self) -> list[Asked]:
        """The messages that take several statements."""
        return self._rows(self._others, len(self._others))

    def take_all(self) -> Iterator[Asked]:
        """Everything, for it to be refused."""
        for kind in (*self._simple, self._others):
            while kind:
                yield kind.popleft()

    def _rows(self, kind: deque[Asked], most: int) -> list[Asked]:
        asked: list[Asked] = []
        left = self._batch_size
        while kind and len(asked) < most and left > 0:
            one = kind.popleft()
            asked.append(one)
            left -= size_of(one[0])
        return asked
