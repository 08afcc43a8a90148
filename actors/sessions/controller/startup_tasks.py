"""The tasks with which a session's work begins, as clients of the Compatibility API see them."""

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
"""For which a stop waits for the queue, at most."""
TASK_SECONDS: Final = 120.0
PRIORITIES: Final = {TaskType.LOGIN: 10, TaskType.JOB_CHECK: 5}
"""Higher comes first; clients of the Compatibility API see these numbers."""
UNFINISHED: Final = (TaskState.DELAYED, TaskState.PENDING, TaskState.RUNNING)
"""In the order in which a task goes through them, so that none slips by."""


class StartupTasks:
    """Puts the tasks of a start into the queue, and takes back what a stop leaves of them.

    Without a queue that answers the session signs in and looks by itself, so nothing is lost where it fails.
    """

    def __init__(self, queue: Address[QueueMessage]) -> None:
        self._queue = queue
        # A stop may come while the start's tasks are still on their way.
        self._one_at_a_time = trio.Lock()

    async def add(self, session: UUID, now: datetime) -> None:
        """Add the tasks of a start. Never fails."""
        async with self._one_at_a_time:
            try:
                await self._queue.ask(AddTasks(tasks=startup_tasks(session, now)), timeout=ASK_TIMEOUT)
            except (AskFailed, MailboxFull, Refusal) as error:
                LOGGER.info("opening_tasks_left_out", session=str(session), reason=str(error))

    async def withdraw(self, sessions: Iterable[UUID]) -> None:
        """Cancel what is not finished of these sessions' starts. Never fails, within two seconds."""
        with trio.move_on_after(WITHDRAWAL_SECONDS) as patience:
            async with self._one_at_a_time, trio.open_nursery() as nursery:
                for session in sessions:
                    nursery.start_soon(self._withdraw, session)
        if patience.cancelled_caught:
            LOGGER.info("opening_tasks_left", reason="the queue took too long")

    async def _withdraw(self, session: UUID) -> None:
        try:
            for state in UNFINISHED:
                query = TasksQuery(state=state, group=group_of(session))
                for task in (await self._queue.ask(query, timeout=ASK_TIMEOUT)).tasks:
                    await self._cancel(task.id)
        except (AskFailed, MailboxFull, Refusal) as error:
            LOGGER.info("opening_tasks_left", session=str(session), reason=str(error))

    async def _cancel(self, task: UUID) -> None:
        with suppress(NoSuchTask, InvalidTaskState):  # finished meanwhile
            cancel = CancelTask(id=task, reason="its session was stopped")
            await self._queue.ask(cancel, timeout=ASK_TIMEOUT)


def startup_tasks(session: UUID, now: datetime) -> tuple[NewTask, ...]:
    """A log-in and a first look; one of each for each start of a session."""
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
    """What the tasks of a session's starts have in common, and no others."""
    return f"start:{session}"
