"""Task handlers of the Compatibility API: each task becomes a command for a session that runs here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from runtime import Address

from ...queue.messages import Json, TaskType
from ...queue.worker.handler import Gate, GatedHandler, Handler, PermanentFailure, Snooze, TaskContext
from ..messages import ControllerMessage, DispatchCommand, SessionNotRunningHere
from ..session.commands import (
    AcceptJob,
    CheckJobs,
    CommandRefused,
    Navigate,
    RejectJob,
    SessionCommand,
    SignIn,
    TakeScreenshot,
)

COMMAND_TIMEOUT: Final = 120.0
"""Seconds for a command to wait and execute; the task's own time limit, if that is less."""
SNOOZE_SECONDS: Final = 5.0
"""Seconds until a task for a session that does not run here is offered again."""
MAX_TEXT: Final = 2000
"""Characters of a text in the data of a task."""

Data = Mapping[str, Json]


def session_handlers(session_controller: Address[ControllerMessage], local: Gate) -> dict[str, Handler]:
    """Return the handlers of the Compatibility API's six task types, open while a session runs here.

    ``data`` may name the ``session_id``; without one the longest-running session executes it.
    """
    return {
        kind: GatedHandler(
            work=_CommandHandler(session_controller=session_controller, command=command), gate=local
        )
        for kind, command in COMMANDS.items()
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class _CommandHandler:
    session_controller: Address[ControllerMessage]
    command: Callable[[Data], SessionCommand]

    async def __call__(self, attempt: TaskContext) -> Json:
        data = attempt.task.data
        session, command = session_of(data), self.command(data)
        timeout = min(COMMAND_TIMEOUT, attempt.task.timeout_seconds)
        try:
            return await self.session_controller.ask(
                DispatchCommand(session_id=session, command=command), timeout=timeout
            )
        except SessionNotRunningHere as refusal:
            raise Snooze(str(refusal), seconds=SNOOZE_SECONDS) from refusal
        except CommandRefused as refusal:
            raise PermanentFailure(str(refusal)) from refusal


def session_of(data: Data) -> UUID | None:
    """Return the session that a task names, if any.

    Raises:
        PermanentFailure: ``session_id`` is not a UUID.
    """
    named = data.get("session_id")
    if named is None:
        return None
    try:
        return UUID(str(named))
    except ValueError:
        raise PermanentFailure(f"session_id must be a UUID, not {str(named)[:60]!r}") from None


def _sign_in(data: Data) -> SessionCommand:
    return SignIn(renew=data.get("renew") is True)


def _check_jobs(_: Data) -> SessionCommand:
    return CheckJobs()


def _accept(data: Data) -> SessionCommand:
    return AcceptJob(job_ref=_text(data, "job_ref"))


def _reject(data: Data) -> SessionCommand:
    return RejectJob(job_ref=_text(data, "job_ref"), reason=_text(data, "reason", "rejected on request"))


def _navigate(data: Data) -> SessionCommand:
    return Navigate(path=_text(data, "path", _text(data, "url", "/")))


def _screenshot(data: Data) -> SessionCommand:
    return TakeScreenshot(label=_text(data, "label", "screenshot"))


def _text(data: Data, name: str, default: str | None = None) -> str:
    value = data.get(name)
    if value is None and default is not None:
        return default
    if not isinstance(value, str) or not value.strip() or len(value) > MAX_TEXT:
        raise PermanentFailure(f"{name} must be a text of 1 to {MAX_TEXT} characters")
    return value.strip()


COMMANDS: Final[Mapping[str, Callable[[Data], SessionCommand]]] = {
    TaskType.LOGIN: _sign_in,
    TaskType.JOB_CHECK: _check_jobs,
    TaskType.JOB_ACCEPT: _accept,
    TaskType.JOB_REJECT: _reject,
    TaskType.NAVIGATION: _navigate,
    TaskType.SCREENSHOT: _screenshot,
}
