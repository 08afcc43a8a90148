"""The queue tasks that a session start adds, as clients of the Compatibility API see them."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime
from typing import Final
from uuid import UUID

import structlog
import trio

from runtime import Address, AskFailed, MailboxFull, Refusal

from ...queue.messages import (
    AddTasks,
    CancelTask,
    InvalidTaskState,
    NewTask,
    NoSuchTask,
    QueueMessage,
    TasksQuery,
    TaskState,
    TaskType,
)

LOGGER: Final[structlog.stdlib.BoundLogger] = structlog.get_logger("session_controller")

ASK_TIMEOUT: Final = 5.0
WITHDRAWAL_SECONDS: Final = 2.0
"""Seconds that a stop waits for the queue at most."""
TASK_SECONDS: Final = 120.0
"""Time limit of a startup task."""
PRIORITIES: Final = {TaskType.LOGIN: 10, TaskType.JOB_CHECK: 5}
"""Higher comes first; clients of the Compatibility API see these numbers."""
UNFINISHED: Final = (TaskState.DELAYED, TaskState.PENDING, TaskState.RUNNING)
"""In the order of the task states, so that a task that changes its state meanwhile is still found."""


class StartupTasks:
    """Adds the tasks of a session start to the queue, and cancels the unfinished ones at a stop.

    Failures are only logged: a session signs in and checks the portal by itself.
    """

    def __init__(self, queue: Address[QueueMessage]) -> None:
        self._queue = queue
        # A stop may arrive before the tasks of the start were added.
        self._lock = trio.Lock()

    async def add(self, session: UUID, now: datetime) -> None:
        """Add the tasks of a start. Never fails."""
        async with self._lock:
            try:
                await self._queue.ask(AddTasks(tasks=startup_tasks(session, now)), timeout=ASK_TIMEOUT)
            except (AskFailed, MailboxFull, Refusal) as error:
                LOGGER.info("startup_tasks_not_added", session=str(session), reason=str(error))

    async def withdraw(self, sessions: Iterable[UUID]) -> None:
        """Cancel the unfinished startup tasks of these sessions. Never fails; gives up after two seconds."""
        with trio.move_on_after(WITHDRAWAL_SECONDS) as scope:
            async with self._lock, trio.open_nursery() as nursery:
                for session in sessions:
                    nursery.start_soon(self._withdraw, session)
        if scope.cancelled_caught:
            LOGGER.info("startup_tasks_not_cancelled", reason="the queue did not answer in time")

    async def _withdraw(self, session: UUID) -> None:
        try:
            for state in UNFINISHED:
                query = TasksQuery(state=state, group=group_of(session))
                for task in (await self._queue.ask(query, timeout=ASK_TIMEOUT)).tasks:
                    await self._cancel(task.id)
        except (AskFailed, MailboxFull, Refusal) as error:
            LOGGER.info("startup_tasks_not_cancelled", session=str(session), reason=str(error))

    async def _cancel(self, task: UUID) -> None:
        with suppress(NoSuchTask, InvalidTaskState):  # already finished
            cancel = CancelTask(id=task, reason="its session was stopped")
            await self._queue.ask(cancel, timeout=ASK_TIMEOUT)


def startup_tasks(session: UUID, now: datetime) -> tuple[NewTask, ...]:
    """Return a log-in and a job check; idempotency keys allow one of each per start of a session."""
    return tuple(
        NewTask(
            type=kind,
            data={"session_id": str(session)},
            priority=priority,
            group=group_of(session),
            timeout_seconds=TASK_SECONDS,
            idempotency_key=f"session:{session}:{now:%Y%m%dT%H%M%S.%f}:{kind}",
        )
        for kind, priority in PRIORITIES.items()
    )


def group_of(session: UUID) -> str:
    """Return the task group of a session's startup tasks."""
    return f"start:{session}"
