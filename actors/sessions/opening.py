"""The tasks with which a session's work begins, as the contract's clients expect to see them in the queue."""

from __future__ import annotations

from datetime import datetime
from typing import Final
from uuid import UUID

import structlog

from runtime import Address, AskFailed, MailboxFull, Refusal

from ..queue.messages import AddTasks, NewTask, QueueMessage, TaskType
from ..queue.priority import from_number

LOGGER: Final[structlog.stdlib.BoundLogger] = structlog.get_logger("roster")

ASK_TIMEOUT: Final = 5.0
TASK_SECONDS: Final = 120.0
PRIORITIES: Final = {TaskType.LOGIN: 10, TaskType.JOB_CHECK: 5}
"""On the contract's scale."""


def opening_tasks(session: UUID, now: datetime) -> tuple[NewTask, ...]:
    """A log-in and a first look; one of each for each start of a session."""
    return tuple(
        NewTask(
            type=kind,
            data={"session_id": str(session)},
            priority=from_number(priority),
            timeout_seconds=TASK_SECONDS,
            idempotency_key=f"session:{session}:{now:%Y%m%dT%H%M%S.%f}:{kind}",
        )
        for kind, priority in PRIORITIES.items()
    )


async def enqueue_opening(queue: Address[QueueMessage], session: UUID, now: datetime) -> None:
    """Add them. Without them the session signs in and looks by itself, so nothing is lost where it fails."""
    try:
        await queue.ask(AddTasks(tasks=opening_tasks(session, now)), timeout=ASK_TIMEOUT)
    except (AskFailed, MailboxFull, Refusal) as error:
        LOGGER.info("opening_tasks_left_out", session=str(session), reason=str(error))
