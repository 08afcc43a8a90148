"""What somebody writes who has a type of task to be done.

A plain ``async def do(attempt) -> Json`` is a handler, and tasks of its type
are claimed whenever a slot is free. A handler that needs something which comes
and goes stands behind a `Gate`: its tasks are claimed only while the gate is
open. Who knows of the coming and going turns the gate, and the workers of this
instance follow at once::

    on_duty = Gate("no bot session is on duty here")        # closed, and why
    handlers = {"login": GatedHandler(work=login, gate=on_duty),
                "screenshot": GatedHandler(work=screenshot, gate=on_duty)}
    ...
    on_duty.open()                                          # now they are claimed
    on_duty.close("no bot session is on duty here")         # no more of them from here on

What was begun when a gate closes goes on. A handler that then cannot go on
raises `Snooze`: its task goes back as if it had never been begun.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol, TypeAlias

import trio

from ..messages import Json, LeasedTask
from ..statements.adding import LONGEST


class TaskContext(Protocol):
    """The handler's way back to the queue. Every word carries the lease's token."""

    @property
    def task(self) -> LeasedTask:
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


Handler: TypeAlias = Callable[[TaskContext], Awaitable[Json]]
"""Does one task and returns its result. Any error is a failed attempt, tried again by the task's rule.

It is cancelled when its task is cancelled, runs out of time, or has gone to somebody else. A program is run
with `program.run_program`, which ends it then, with all that it started.
"""


class Gate:
    """Lets tasks be claimed or not; any number of handlers may stand behind one.

    It belongs to trio's thread. It may be turned at any time, also before
    there are workers, and outlives them.
    """

    def __init__(self, closed: str | None = None) -> None:
        """Make a gate that is open, or closed for a reason."""
        self._closed = closed
        self._turned = trio.Event()

    @property
    def closed(self) -> str | None:
        """Why it is closed, as people are told by ``explain``; None while it is open."""
        return self._closed

    def open(self) -> None:
        """Let tasks be claimed from now on."""
        self._turn(None)

    def close(self, reason: str) -> None:
        """Let no more tasks be claimed; the reason is told as it stands."""
        self._turn(reason)

    async def turned(self) -> None:
        """Wait until it is opened, closed, or closed for another reason."""
        await self._turned.wait()

    def _turn(self, closed: str | None) -> None:
        if closed != self._closed:
            self._closed = closed
            self._turned.set()
            self._turned = trio.Event()


@dataclass(frozen=True, slots=True, kw_only=True)
class GatedHandler:
    """A `Handler` whose tasks are claimed only while its gate is open."""

    work: Handler
    gate: Gate

    async def __call__(self, attempt: TaskContext) -> Json:
        return await self.work(attempt)


class PermanentFailure(Exception):
    """Raised by a handler: no further attempt would help."""


class RetryAfter(Exception):
    """Raised by a handler: whoever refused us said when to come back."""

    def __init__(self, reason: str, *, seconds: float) -> None:
        """Wait so long; what is longer than `LONGEST` is that.

        Raises:
            ValueError: ``seconds`` is not a number from 0, such as the text of a header.
        """
        super().__init__(reason)
        self.seconds = _wait(seconds)


class Snooze(Exception):
    """Raised by a handler: what it needs has gone away before anything was done.

    The attempt does not count. The task may be claimed again after some
    seconds, here or elsewhere, by whoever's gate is open then.
    """

    def __init__(self, reason: str, *, seconds: float = 1.0) -> None:
        """As for `RetryAfter`.

        Raises:
            ValueError: likewise.
        """
        super().__init__(reason)
        self.seconds = _wait(seconds)


def _wait(seconds: object) -> float:
    if isinstance(seconds, int | float) and seconds >= 0:
        return min(float(seconds), LONGEST)
    raise ValueError(f"seconds must be a number from 0, not {seconds!r}")
