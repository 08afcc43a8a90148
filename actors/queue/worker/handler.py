"""The task handler interface: what an application implements to execute tasks of a type.

A plain async function is a handler. Tasks of its type are claimed while a slot is free::

    async def resize(attempt: TaskContext) -> Json:
        path = attempt.task.data["path"]
        await attempt.log(f"resizing {path}")
        ...                                              # raise to fail the attempt and retry
        await attempt.progress(50)
        return {"width": 640}                            # the task's result

    handlers = {"resize": resize}

A handler that needs something which is not always available is behind a `Gate`:
its tasks are claimed only while the gate is open. The code that knows of the
availability opens and closes the gate, and the workers of this instance follow
at once::

    session_running = Gate("no bot session is running here")      # closed, with the reason
    handlers = {"login": GatedHandler(work=login, gate=session_running),
                "screenshot": GatedHandler(work=screenshot, gate=session_running)}
    ...
    session_running.open()                                        # claimed from now on
    session_running.close("no bot session is running here")       # no further claims

A running handler continues when its gate closes. If it cannot, it raises
`Snooze`: its task is requeued and the attempt does not count.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, Protocol, TypeAlias

import trio

from ..messages import Json, LeasedTask

MAX_WAIT_SECONDS: Final = 10 * 365 * 86_400.0
"""Longest wait of a `RetryAfter` or a `Snooze`; a longer one is cut to this."""


class TaskContext(Protocol):
    """What a handler gets: its task, and a way to report on it. Reports carry the lease's token."""

    @property
    def task(self) -> LeasedTask:
        """The task to execute."""
        ...

    async def progress(self, percent: float) -> None:
        """Set the task's progress, 0 to 100.

        Raises:
            StaleToken: the lease is lost; the handler is about to be cancelled.
        """
        ...

    async def log(self, message: str, *, level: str = "info") -> None:
        """Add a line to the task's log.

        Raises:
            StaleToken: likewise.
        """
        ...


Handler: TypeAlias = Callable[[TaskContext], Awaitable[Json]]
"""Executes one task and returns its result. An exception fails the attempt; the task's retry rule applies.

It is cancelled when its task is cancelled, times out, or loses its lease. Run a subprocess with
`program.run_program`, which then ends it together with its children.
"""


class Gate:
    """Allows or stops claims for the handlers behind it.

    Not thread-safe: use it in trio's thread. It may be opened and closed at any
    time, also before the workers start, and is independent of their restarts.
    """

    def __init__(self, closed_reason: str | None = None) -> None:
        """Create a gate: closed with this reason, or open."""
        self._closed_reason = closed_reason
        self._changed = trio.Event()

    @property
    def closed_reason(self) -> str | None:
        """Why it is closed, as ``explain`` shows it; None while it is open."""
        return self._closed_reason

    def open(self) -> None:
        """Allow claims."""
        self._set(None)

    def close(self, reason: str) -> None:
        """Stop claims; ``explain`` shows the reason as it is."""
        self._set(reason)

    async def changed(self) -> None:
        """Wait until it is opened, closed, or closed with another reason."""
        await self._changed.wait()

    def _set(self, closed_reason: str | None) -> None:
        if closed_reason != self._closed_reason:
            self._closed_reason = closed_reason
            self._changed.set()
            self._changed = trio.Event()


@dataclass(frozen=True, slots=True, kw_only=True)
class GatedHandler:
    """A `Handler` whose tasks are claimed only while its gate is open."""

    work: Handler
    gate: Gate

    async def __call__(self, attempt: TaskContext) -> Json:
        return await self.work(attempt)


class PermanentFailure(Exception):
    """Raised by a handler: do not retry."""


class RetryAfter(Exception):
    """Raised by a handler: a remote server demands a wait before the next attempt."""

    def __init__(self, reason: str, *, seconds: float) -> None:
        """Wait ``seconds``, at most `MAX_WAIT_SECONDS`.

        Raises:
            ValueError: ``seconds`` is not a number of at least 0, for example the text of a header.
        """
        super().__init__(reason)
        self.seconds = _wait(seconds)


class Snooze(Exception):
    """Raised by a handler: a dependency is unavailable, and nothing was done yet.

    The attempt does not count. The task may be claimed again after
    ``seconds``, by any instance whose gate is open then.
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
        return min(float(seconds), MAX_WAIT_SECONDS)
    raise ValueError(f"seconds must be a number of at least 0, not {seconds!r}")
