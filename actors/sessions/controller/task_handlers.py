"""Who does the Compatibility API's tasks: each becomes an order for a session on duty in this instance."""

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

ORDER_TIMEOUT: Final = 120.0
"""Seconds for an order to wait for its turn and be carried out; the task's own limit, if that is less."""
ELSEWHERE_SECONDS: Final = 5.0
"""Until a task for a session that is not on duty here is offered again."""
LONGEST_TEXT: Final = 2000

Data = Mapping[str, Json]


def session_handlers(session_controller: Address[ControllerMessage], local: Gate) -> dict[str, Handler]:
    """Handlers for the Compatibility API's six types, open while a session is on duty here.

    ``data`` may name the ``session_id``; without one the longest-serving session does it.
    """
    return {
        kind: GatedHandler(
            work=_OrderHandler(session_controller=session_controller, command=command), gate=local
        )
        for kind, command in COMMANDS.items()
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class _OrderHandler:
    session_controller: Address[ControllerMessage]
    command: Callable[[Data], SessionCommand]

    async def __call__(self, attempt: TaskContext) -> Json:
        data = attempt.task.data
        session, command = session_of(data), self.command(data)
        timeout = min(ORDER_TIMEOUT, attempt.task.timeout_seconds)
        try:
            return await self.session_controller.ask(
                DispatchCommand(session_id=session, command=command), timeout=timeout
            )
        except SessionNotRunningHere as refusal:
            raise Snooze(str(refusal), seconds=ELSEWHERE_SECONDS) from refusal
        except CommandRefused as refusal:
            raise PermanentFailure(str(refusal)) from refusal


def session_of(data: Data) -> UUID | None:
    """The session that a task names.

    Raises:
        PermanentFailure: that is no id.
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


def _look(_: Data) -> SessionCommand:
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
    if not isinstance(value, str) or not value.strip() or len(value) > LONGEST_TEXT:
        raise PermanentFailure(f"{name} must be a text of 1 to {LONGEST_TEXT} characters")
    return value.strip()


COMMANDS: Final[Mapping[str, Callable[[Data], SessionCommand]]] = {
    TaskType.LOGIN: _sign_in,
    TaskType.JOB_CHECK: _look,
    TaskType.JOB_ACCEPT: _accept,
    TaskType.JOB_REJECT: _reject,
    TaskType.NAVIGATION: _navigate,
    TaskType.SCREENSHOT: _screenshot,
}
