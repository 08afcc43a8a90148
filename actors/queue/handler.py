"""What somebody writes who has a type of task to be done."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol, TypeAlias

from .messages import Json, TaskView


class Attempt(Protocol):
    """The handler's way back to the queue. Every word carries the lease's token."""

    @property
    def task(self) -> TaskView:
        """What is to be done."""
        ...

    async def progress(self, percent: float) -> None:
        """Say how far it is, 0 to 100.

        Raises:
            StaleToken: the task is somebody else's; the handler is about to be cancelled.
        """
        ...

    async def log(self, message: str, *, level: str = "info") -> None:
        """Keep a line with the task.

        Raises:
            StaleToken: likewise.
        """
        ...


Handler: TypeAlias = Callable[[Attempt], Awaitable[Json]]
"""Does one task and returns its result. Any error is a failed attempt, tried again by the task's rule.

It is cancelled when its task is cancelled, runs out of time, or has gone to somebody else.
"""


class PermanentFailure(Exception):
    """Raised by a handler: no further attempt would help."""


class TryLater(Exception):
    """Raised by a handler: whoever refused us said when to come back."""

    def __init__(self, reason: str, *, seconds: float) -> None:
        super().__init__(reason)
        self.seconds = seconds
