"""Health check of the bot sessions: those that should run in this instance do, and none is down."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from runtime import Address, AskFailed, ChildState, MailboxFull, Node, Refusal, SupervisorMessage, TreeQuery

from ...database.messages import Query
from ...database.rows import Desired, SessionRow
from ...database.sessions.messages import SessionsQuery
from ...sessions.messages import ControllerMessage, LoginStatus, SessionStatus, SessionsViewQuery, SessionView
from .health_check import HealthCheckResult, healthy, unhealthy, unknown

MAX_SESSIONS: Final = 1000
_DOWN: Final = (ChildState.BACKOFF, ChildState.FAILED, ChildState.STOPPED)


class BotsCheck:
    """Compares the session controller, the fleet's supervisor and the database."""

    def __init__(
        self,
        session_controller: Address[ControllerMessage],
        fleet: Address[SupervisorMessage],
        reader: Address[Query],
        *,
        owner: str,
        timeout: float,
    ) -> None:
        """``owner`` is this instance's name in the database; ``timeout`` is that of the whole check."""
        self._owner = owner
        self._session_controller = session_controller
        self._fleet = fleet
        self._reader = reader
        # A share for each request, so that the check names a silent actor before it is cancelled.
        self._timeout = timeout / 4

    async def __call__(self) -> HealthCheckResult:
        """Query all three, one after the other."""
        try:
            running = (
                await self._session_controller.ask(SessionsViewQuery(), timeout=self._timeout)
            ).sessions
            children = (await self._fleet.ask(TreeQuery(), timeout=self._timeout)).children
        except (AskFailed, MailboxFull) as error:
            return unhealthy(f"cannot list the running sessions: {error}")
        try:
            rows = await self._reader.ask(
                SessionsQuery(desired=Desired.RUNNING, limit=MAX_SESSIONS), timeout=self._timeout
            )
        except (AskFailed, MailboxFull, Refusal) as error:
            return evaluate(running, children, None, reason=str(error))
        now = datetime.now(UTC)
        return evaluate(running, children, [row for row in rows if not is_remote(row, self._owner, now)])


def is_remote(row: SessionRow, owner: str, now: datetime) -> bool:
    """Whether another instance holds the session's lease."""
    return row.owner not in (None, owner) and row.lease_until is not None and row.lease_until > now


def evaluate(
    running: Sequence[SessionView],
    children: Sequence[Node],
    desired: Sequence[SessionRow] | None,
    *,
    reason: str = "",
) -> HealthCheckResult:
    """Combine the three replies; ``desired`` is None where the database could not be read, for ``reason``.

    Sessions of other instances do not count.
    """
    restarts = sum(child.restarts for child in children)
    number = "an unknown number" if desired is None else str(len(desired))
    evidence = f"{len(running)} running here, {number} desired, {restarts} restarts"
    problems = [*_down(children), *_failed(running), *_missing(running, desired or ())]
    if problems:
        return unhealthy(evidence, "; ".join(problems))
    if desired is None:
        return unknown(f"{evidence}: {reason}")
    return healthy(evidence)


def _down(children: Sequence[Node]) -> list[str]:
    return [
        f"{child.id} is down: {child.last_error or child.state}" for child in children if child.state in _DOWN
    ]


def _failed(running: Sequence[SessionView]) -> list[str]:
    return [
        f"{view.session_name} {'failed' if view.status is SessionStatus.FAILED else 'cannot log in'}: "
        f"{view.message or 'reason unknown'}"
        for view in running
        if view.status is SessionStatus.FAILED or view.login_status is LoginStatus.FAILED
    ]


def _missing(running: Sequence[SessionView], desired: Sequence[SessionRow]) -> list[str]:
    known = {view.id for view in running}
    return [f"{row.session_name} should run here and does not" for row in desired if row.id not in known]
