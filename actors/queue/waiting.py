"""What waits to be written, sorted by how it can be done."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, TypeAlias

from runtime import Deferred

from .batch import Change
from .messages import AddTasks, ClaimTasks, CompleteTasks

Asked: TypeAlias = tuple[Change, Deferred[object]]

SMALL: Final = 256
"""Rows of a statement that is sent without a thread."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Messages that are carried out together."""

    asked: list[Asked]
    swift: bool
    """Whether one statement may do, see `swift.py`."""

    @property
    def small(self) -> bool:
        """Whether it is planned in less time than a thread takes to be handed to."""
        if not self.swift:
            return False
        left = SMALL
        for change, _ in self.asked:
            match change:
                case AddTasks(tasks=tasks):
                    left -= len(tasks)
                case CompleteTasks(completions=completions):
                    left -= len(completions)
                case _:
                    return False
        return left >= 0


class Waiting:
    """The messages that no writer has taken yet."""

    def __init__(self, batch_size: int) -> None:
        self._batch_size = batch_size
        self._adds: deque[Asked] = deque()
        self._completions: deque[Asked] = deque()
        self._claims: deque[Asked] = deque()
        self._others: deque[Asked] = deque()
        # Whoever is first is taken last the next time.
        self._swift = deque((self._adds, self._completions, self._claims))

    def __len__(self) -> int:
        return len(self._adds) + len(self._completions) + len(self._claims) + len(self._others)

    @property
    def full(self) -> bool:
        """Whether there is a batch of them."""
        return len(self) >= self._batch_size

    def put(self, change: Change, deferred: Deferred[object]) -> None:
        """Let it wait among its like."""
        match change:
            case AddTasks():
                for task in change.tasks:
                    if task.idempotency_key is not None or task.children or task.dedup_seconds:
                        self._others.append((change, deferred))
                        return
                self._adds.append((change, deferred))
            case CompleteTasks():
                self._completions.append((change, deferred))
            case ClaimTasks():
                self._claims.append((change, deferred))
            case _:
                self._others.append((change, deferred))

    def put_to_others(self, change: Change, deferred: Deferred[object]) -> None:
        """It was less simple than it looked."""
        self._others.append((change, deferred))

    def take(self, *, others: bool) -> Batch | None:
        """What is to be done next, up to the size of a batch in rows; ``others`` where that is wanted."""
        if others and self._others:
            return Batch(asked=self._rows(self._others), swift=False)
        for _ in range(len(self._swift)):
            kind = self._swift[0]
            self._swift.rotate(-1)
            if kind:
                # Each claim is a statement of its own, best left to as many writers as there are.
                return Batch(asked=[kind.popleft()] if kind is self._claims else self._rows(kind), swift=True)
        return None

    def take_all(self) -> Iterator[Asked]:
        """Everything, for it to be refused."""
        for kind in (*self._swift, self._others):
            while kind:
                yield kind.popleft()

    def _rows(self, kind: deque[Asked]) -> list[Asked]:
        asked: list[Asked] = []
        left = self._batch_size
        while kind and left > 0:
            one = kind.popleft()
            asked.append(one)
            match one[0]:
                case AddTasks(tasks=tasks):
                    left -= len(tasks)
                case CompleteTasks(completions=completions):
                    left -= len(completions)
                case _:
                    left -= 1
        return asked
